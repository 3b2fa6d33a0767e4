//! The demo as a whole: starts providers and the proxy, runs the experiment, tells and writes what it showed.

use crate::chart;
use crate::config::{Folder, SERVICE};
use crate::crowd::Crowd;
use crate::experiment::{self, Front, Outcome, Progress, Settings};
use crate::marking::Marking;
use crate::report::{self, Figures};
use anyhow::{Context, ensure};
use peers::process::{Metactl, Proxy};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Instant;

/// What can be said on the command line.
#[derive(Debug, clap::Parser)]
#[command(about = "Shows how a MetaRouter keeps batch jobs from hurting user traffic.")]
pub struct Arguments {
    /// The proxy's command line tool; the one beside this program unless told otherwise.
    #[arg(long, value_name = "PATH")]
    pub metactl: Option<PathBuf>,
    /// Where result.json, the chart, the log and the watched folder go.
    #[arg(long, value_name = "DIR", default_value = "target/demo")]
    pub out: PathBuf,
    /// How batch callers are told from others.
    #[arg(long, value_name = "WHAT", default_value = "attachment")]
    pub by: Marking,
}

/// The real proxy and the folder that it watches.
struct Metaproxy {
    proxy: Proxy,
    address: SocketAddr,
    folder: Folder,
}

impl Front for Metaproxy {
    fn address(&self) -> SocketAddr {
        self.address
    }

    fn put_router(&mut self) -> anyhow::Result<()> {
        self.folder.put_router()
    }

    fn check(&mut self) -> anyhow::Result<()> {
        ensure!(
            !self.proxy.process.has_ended(),
            "metactl has ended; its last words were:\n  {}",
            self.proxy.process.last_words().join("\n  ")
        );
        Ok(())
    }
}

/// Runs the demo; a sentence for each target that was missed.
pub fn run(arguments: &Arguments) -> anyhow::Result<Vec<String>> {
    let began = Instant::now();
    let settings = Settings { marking: arguments.by, ..Settings::default() };
    let binary = match &arguments.metactl {
        Some(path) => path.clone(),
        None => beside_this_program()?,
    };
    std::fs::create_dir_all(&arguments.out)
        .with_context(|| format!("cannot make {}", arguments.out.display()))?;
    let crowd = Crowd::start(settings.user_workers, settings.batch_workers, settings.service_time)?;
    let folder = Folder::create(&arguments.out, crowd.addresses(), arguments.by)?;
    let metactl = Metactl {
        binary,
        paths: vec![folder.path().to_owned()],
        services: vec![SERVICE.to_owned()],
        concurrency: Some(1),
        log: Some(arguments.out.join("metactl.log")),
        ..Metactl::default()
    };
    let proxy = metactl.start()?;
    let mut front = Metaproxy { address: proxy.address(SERVICE)?, proxy, folder };
    introduce(settings, front.address);
    let mut last = None;
    let outcome = experiment::run(settings, &crowd, &mut front, &mut |progress| {
        if last.replace(progress.phase) != Some(progress.phase) {
            println!("{}", announcement(progress.phase, arguments.by));
        }
        println!("{}", told(progress));
    })?;
    drop(front);
    conclude(&outcome, &arguments.out)?;
    println!("  It took {:.0} s.", began.elapsed().as_secs_f64());
    Ok(Figures::of(&outcome).missed())
}

fn beside_this_program() -> anyhow::Result<PathBuf> {
    let own = std::env::current_exe()
        .context("this program does not know where it is; name metactl by --metactl")?;
    let path = own.with_file_name(format!("metactl{}", std::env::consts::EXE_SUFFIX));
    ensure!(
        path.exists(),
        "{} does not exist: build it (cargo build --release -p metactl) or name another by --metactl",
        path.display()
    );
    Ok(path)
}

fn introduce(settings: Settings, address: SocketAddr) {
    println!(
        "Two providers of {} workers for user calls, two of {} for batch jobs; {} ms a call.\n\
         One proxy on {address}, started from a folder of YAML.",
        settings.user_workers,
        settings.batch_workers,
        settings.service_time.as_millis()
    );
}

fn announcement(phase: usize, by: Marking) -> String {
    let text = match phase {
        0 => "phase 0: user calls alone, over all four providers",
        1 => "phase 1: 64 batch calls outstanding, and nothing that keeps them apart",
        _ => return format!("phase 2: {} is put in place while traffic runs", by.router()),
    };
    text.to_owned()
}

fn told(progress: Progress) -> String {
    format!(
        "  {:>3} s   user {:>4.0}/s, p99 {:>6.1} ms   batch {:>4.0}/s   {}",
        progress.at.as_secs(),
        progress.user_rate,
        progress.user_p99_us as f64 / 1e3,
        progress.batch_rate,
        match progress.failures {
            0 => "no errors".to_owned(),
            some => format!("{some} errors or closed connections"),
        }
    )
}

/// Writes result.json and the chart, prints the table.
fn conclude(outcome: &Outcome, out: &Path) -> anyhow::Result<()> {
    let write = |name: &str, text: String| {
        let path = out.join(name);
        std::fs::write(&path, text).with_context(|| format!("cannot write {}", path.display())).map(|()| path)
    };
    let result = write("result.json", report::json(outcome))?;
    let chart = write("user-latency.svg", chart::svg(outcome))?;
    println!("\n{}", report::table(outcome));
    println!("  Figures: {}   Chart: {}", result.display(), chart.display());
    Ok(())
}
