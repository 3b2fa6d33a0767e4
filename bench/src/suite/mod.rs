//! The whole comparison: sections that are measured one after another and become docs/benchmarks.md.
//!
//! Every section is a run of its own, with contenders interleaved in it; ratios are taken within a section only.

mod aims;
mod curves;
mod log;
mod reach;
mod workers;

use crate::contender::{Contender, Echo, Kind, Scene, metactl_beside};
use crate::contest::Rules;
use crate::document::{self, Section};
use crate::peer::envoy::{self, Envoy};
use crate::peer::{haproxy, twemproxy};
use crate::processor::Pinned;
use crate::protocol::{self, Protocol, Routes};
use crate::{machine, processor};
use anyhow::{Context, ensure};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// What people wrote, put behind what was measured.
const NOTES: &str = include_str!("../../notes.md");

/// Descriptors that a proxy, the load and this program need besides those of connections.
const SPARE_DESCRIPTORS: u64 = 1_000;

type Measure = fn(&Suite) -> anyhow::Result<Measured>;

/// Sections of the first protocol, in the order of the document. Behind them each protocol with aims of its own has one,
/// which bears its name.
const SECTIONS: [(&str, Measure); 9] = [
    ("reach", reach::measure),
    ("access-log", log::measure),
    ("routes", curves::routes),
    ("object", curves::object),
    ("connections", curves::connections),
    ("idle", curves::idle),
    ("payload", curves::payload),
    ("depth", curves::depth),
    ("workers", workers::measure),
];

/// What a section gives.
struct Measured {
    text: String,
    chart: Option<String>,
}

impl From<String> for Measured {
    fn from(text: String) -> Self {
        Measured { text, chart: None }
    }
}

/// What `bench full` can be told.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// Writes benchmarks.md and benchmarks.svg into this folder instead of printing.
    #[arg(long, value_name = "FOLDER")]
    docs: Option<PathBuf>,
    /// Measures these sections only; what the document says of others stays.
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    only: Vec<String>,
    /// Three rows, three rounds, and nothing is written.
    #[arg(long, conflicts_with_all = ["docs", "only", "protocol"])]
    quick: bool,
    /// Multiplies the time of each measurement.
    #[arg(long, default_value_t = 1.0)]
    scale: f64,
    /// Measures the sections of this protocol only.
    #[arg(long, value_name = "NAME")]
    protocol: Option<String>,
    /// Processor for everything but the workers; the last one unless told otherwise.
    #[arg(long)]
    cpu: Option<usize>,
    /// Our proxy's command line tool; the one beside this program unless told otherwise.
    #[arg(long, value_name = "PATH")]
    metactl: Option<PathBuf>,
    /// Measures the floors alone, and installs nothing.
    #[arg(long)]
    floor_only: bool,
}

/// What all sections share.
struct Suite {
    protocol: &'static dyn Protocol,
    echo: Echo,
    ours: Option<PathBuf>,
    envoy: Option<Envoy>,
    haproxy: Option<String>,
    twemproxy: Option<String>,
    descriptors: u64,
    scale: f64,
    machine: String,
}

/// Measures, and writes or prints.
pub fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let known = names();
    for name in &arguments.only {
        ensure!(known.contains(&&**name), "no section is called `{name}`; there are: {}", known.join(", "));
    }
    let plan = plan(arguments)?;
    let began = Instant::now();
    let descriptors = machine::raise_descriptors()?;
    let (ours, envoy, haproxy) = if arguments.floor_only {
        (None, None, None)
    } else {
        let metactl = arguments.metactl.clone().map_or_else(metactl_beside, Ok)?;
        let haproxy = if arguments.quick { None } else { haproxy::installed() };
        (Some(metactl), Some(Envoy::installed()?), haproxy)
    };
    let machine = machine::description();
    // Before anything is started, so that all of it inherits the processor.
    let pinned = processor::pin(arguments.cpu)?;
    let protocol = protocol::ALL[0];
    let echo = Echo::start(protocol)?;
    let (scale, twemproxy) = (arguments.scale, wanted_twemproxy(arguments, &plan));
    let suite = Suite { protocol, echo, ours, envoy, haproxy, twemproxy, descriptors, scale, machine };
    if arguments.quick {
        print!("{}", reach::quick(&suite)?);
        eprintln!("measured in {} s", began.elapsed().as_secs());
        return Ok(());
    }
    suite.sections(arguments, &plan, pinned)?;
    eprintln!("measured in {} s", began.elapsed().as_secs());
    Ok(())
}

/// A section: its name, whose it is, how it is measured.
type Planned = (&'static str, &'static dyn Protocol, Measure);

/// All sections, in the order of the document.
fn all() -> impl Iterator<Item = Planned> {
    let own = protocol::ALL.into_iter().filter(|protocol| !protocol.aims().is_empty());
    let first = SECTIONS.into_iter().map(|(name, measure)| (name, protocol::ALL[0], measure));
    first.chain(own.map(|protocol| (protocol.name(), protocol, aims::measure as Measure)))
}

fn names() -> Vec<&'static str> {
    all().map(|(name, ..)| name).collect()
}

/// What was asked for, in the order of measuring.
fn plan(arguments: &Arguments) -> anyhow::Result<Vec<Planned>> {
    let only = arguments.protocol.as_deref().map(protocol::named).transpose()?;
    let is_asked = |(name, of, _): &Planned| {
        let is_named = arguments.only.is_empty() || arguments.only.iter().any(|only| only == name);
        is_named && only.is_none_or(|only| only.name() == of.name())
    };
    let mut plan: Vec<_> = all().filter(is_asked).collect();
    ensure!(!plan.is_empty(), "no section that was asked for is of the protocol that was asked for");
    // The workers come last: they are the only section that has all processors.
    plan.sort_by_key(|(name, ..)| *name == "workers");
    Ok(plan)
}

/// twemproxy's version, if it takes part.
fn wanted_twemproxy(arguments: &Arguments, plan: &[Planned]) -> Option<String> {
    let takes_part = plan.iter().any(|(name, of, _)| of.is_twemproxys() && *name == of.name());
    (takes_part && !arguments.floor_only && !arguments.quick).then(twemproxy::installed).flatten()
}

impl Suite {
    /// Measures what was asked for. Each section is written at once, so that none is lost when a later one fails.
    fn sections(&self, arguments: &Arguments, plan: &[Planned], pinned: Pinned) -> anyhow::Result<()> {
        let mut pinned = Some(pinned);
        for (name, protocol, measure) in plan.iter().copied() {
            if name == "workers"
                && let Some(pinned) = pinned.take()
            {
                pinned.release()?;
            }
            let began = Instant::now();
            let measured = if protocol.name() == self.protocol.name() {
                measure(self)
            } else {
                self.speaking(protocol).and_then(|other| measure(&other))
            };
            let measured = measured.with_context(|| format!("in the section {name}"))?;
            eprintln!("section {name}: {} s", began.elapsed().as_secs());
            let text = format!(
                "{}\nMeasured on {} by `make bench ARGS=\"--only {name}\"`.",
                measured.text, self.machine
            );
            match &arguments.docs {
                Some(folder) => self.write(folder, Section { name, text }, measured.chart.as_deref())?,
                None => println!("{text}\n"),
            }
        }
        Ok(())
    }

    /// The same, with another protocol and its echo server.
    fn speaking(&self, protocol: &'static dyn Protocol) -> anyhow::Result<Self> {
        Ok(Suite {
            protocol,
            echo: Echo::start(protocol)?,
            ours: self.ours.clone(),
            envoy: self.envoy.clone(),
            haproxy: self.haproxy.clone(),
            twemproxy: self.twemproxy.clone(),
            machine: self.machine.clone(),
            ..*self
        })
    }

    fn write(&self, folder: &Path, section: Section, chart: Option<&str>) -> anyhow::Result<()> {
        let path = folder.join("benchmarks.md");
        let old = std::fs::read_to_string(&path).unwrap_or_default();
        let text = document::merge(&old, &self.head(), (&names(), &[section]), NOTES);
        std::fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))?;
        if let Some(chart) = chart {
            let path = folder.join("benchmarks.svg");
            std::fs::write(&path, chart).with_context(|| format!("cannot write {}", path.display()))?;
        }
        eprintln!("wrote {}", path.display());
        Ok(())
    }

    fn head(&self) -> String {
        let haproxy = self.haproxy.as_ref().map_or_else(
            || "haproxy is left out: it was not installed and could not be".to_owned(),
            |version| format!("haproxy {version}"),
        );
        format!(
            "# Benchmarks\n\n\
             `make bench` measures all of this and rewrites this file; `make bench QUICK=1` prints three rows in less \
             than three minutes; `bench/notes.md` holds what is written by hand.\n\n\
             What is spoken is Dubbo but where a heading names another protocol. Peers: Envoy {} (its configuration is \
             `bench/peers/envoy-dubbo.yaml`), {haproxy}, and two floors of our own: \
             *l4floor* copies bytes over one upstream connection per client; *muxfloor* shares one upstream connection \
             among all clients and rewrites ids, and decides nothing. Both decide nothing, count nothing and limit \
             nothing.\n\n\
             One worker each. Unless a table says otherwise, proxies, load generator and echo server share one processor, \
             all contenders of a table run in turn in one run, forwards and backwards, and figures are medians over \
             rounds. *CPU* is processor time of the proxy's process per request, from the scheduler's own account. \
             `a × b` is a closed loop: a connections with b requests outstanding on each; `r/s over c` is an open loop \
             at a constant rate, with latency from the intended time of sending. Every reply is verified; one error \
             ends the run. Routing, statistics and circuit breaking are on; the access log is off.",
            envoy::VERSION
        )
    }

    fn scene(&self, routes: Routes) -> Scene {
        Scene { protocol: self.protocol, backend: self.echo.address, routes, workers: 1 }
    }

    /// Ours, Envoy and the floor that shares a connection.
    fn kinds(&self) -> Vec<Kind> {
        let mut kinds: Vec<_> = self.ours().into_iter().collect();
        kinds.extend(self.envoy.clone().map(Kind::Envoy));
        kinds.push(Kind::SharedFloor);
        kinds
    }

    fn ours(&self) -> Option<Kind> {
        self.ours.clone().map(|metactl| Kind::Ours(metactl, Vec::new()))
    }

    /// Most clients of one proxy, which may need an upstream connection for each.
    fn most_clients(&self) -> usize {
        let clients = (self.descriptors.saturating_sub(SPARE_DESCRIPTORS) / 2) as usize;
        (clients - clients % 100).clamp(100, 10_000)
    }

    /// Rounds of so many milliseconds, with a warm-up before each.
    fn rules(&self, rounds: usize, warm_up: u64, measure: u64) -> Rules {
        let time = |millis: u64| Duration::from_millis(millis).mul_f64(self.scale);
        Rules { rounds, warm_up: time(warm_up), measure: time(measure) }
    }
}

fn start_all(kinds: &[Kind], scene: &Scene) -> anyhow::Result<Vec<Contender>> {
    kinds.iter().map(|kind| kind.start(scene)).collect()
}
