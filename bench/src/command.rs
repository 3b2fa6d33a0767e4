//! The command line: `row` compares, `full` compares everything; `floor`, `bytes` and `echo` serve.

use crate::contender::{Echo, Kind, Scene, metactl_beside};
use crate::contest::{self, Load, Rules};
use crate::floor::{self, bytes};
use crate::peer::envoy::Envoy;
use crate::peer::twemproxy;
use crate::protocol::{self, By, Protocol, Routes};
use crate::{processor, suite, table};
use anyhow::{Context, ensure};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;
use tokio::net::{TcpListener, TcpSocket};
use tokio::runtime::{Builder, LocalOptions};

/// Connections that may wait to be accepted: thousands come at once when a proxy has one for each client.
const BACKLOG: u32 = 4096;

/// Measures what the proxy costs.
#[derive(Debug, clap::Parser)]
#[command(name = "bench")]
pub enum Command {
    /// Compares our proxy with the floor, everything on one processor, and prints a Markdown table.
    Row(RowArguments),
    /// Measures everything beside Envoy and haproxy, which it installs, and writes the document and the chart.
    Full(suite::Arguments),
    /// The floor of a proxy that knows the protocol: passes calls on over one shared connection and does nothing else.
    Floor(ServeArguments),
    /// The floor of a proxy that does not: copies bytes, one connection per client.
    Bytes(ServeArguments),
    /// An echo server: answers each call with its payload.
    Echo(ServeArguments),
}

/// What a server of this program can be told.
#[derive(Debug, clap::Args)]
pub struct ServeArguments {
    /// Where to listen; prints `listening ADDR`.
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:0")]
    listen: SocketAddr,
    /// Where calls are answered.
    #[arg(long, value_name = "ADDR")]
    backend: Option<SocketAddr>,
    /// What is spoken.
    #[arg(long, value_name = "NAME", default_value = "dubbo")]
    protocol: String,
}

/// What `bench row` can be told.
#[derive(Debug, clap::Args)]
pub struct RowArguments {
    /// A load, as connections x calls outstanding on each; may be given several times.
    #[arg(long = "load", value_name = "AxB", default_value = "50x1")]
    loads: Vec<Load>,
    /// Rounds per load, 1 at least; the median counts.
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// Seconds of measuring per proxy and round.
    #[arg(long, default_value_t = 2.0)]
    seconds: f64,
    /// Seconds of load before measuring, per proxy and round.
    #[arg(long, default_value_t = 0.5)]
    warm_up: f64,
    /// Bytes of payload per call.
    #[arg(long, default_value_t = 100)]
    payload: usize,
    /// Puts an object of 2 KiB behind the payload.
    #[arg(long)]
    object: bool,
    /// Routes, of which only the last one is hit.
    #[arg(long, default_value_t = 1)]
    routes: usize,
    /// What routes look at.
    #[arg(long, value_enum, default_value_t = By::Exact)]
    by: By,
    /// Workers of each proxy.
    #[arg(long, default_value_t = 1)]
    workers: usize,
    /// What is spoken.
    #[arg(long, value_name = "NAME", default_value = "dubbo")]
    protocol: String,
    /// Processor for everything; the last one unless told otherwise.
    #[arg(long)]
    cpu: Option<usize>,
    /// Our proxy's command line tool; the one beside this program unless told otherwise.
    #[arg(long, value_name = "PATH")]
    metactl: Option<PathBuf>,
    /// A further flag for `metactl run`; may be given several times.
    #[arg(long = "proxy-flag", value_name = "FLAG", allow_hyphen_values = true)]
    proxy_flags: Vec<String>,
    /// Measures Envoy too, and twemproxy where it speaks the protocol; installs them if they are not.
    #[arg(long)]
    envoy: bool,
    /// Measures Envoy with this template too; may be given several times.
    #[arg(long = "envoy-template", value_name = "PATH")]
    envoy_templates: Vec<PathBuf>,
    /// What stands behind the proxies.
    #[arg(long, value_enum, default_value_t = Server::Echo)]
    server: Server,
    /// Leaves our proxy out: measures the floors alone, or beside others that are asked for.
    #[arg(long)]
    floor_only: bool,
}

/// Who answers calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Server {
    /// The echo server of this program.
    Echo,
    /// The server that the protocol is named after.
    Real,
}

/// Does what was asked for.
pub fn run(command: Command) -> anyhow::Result<()> {
    match command {
        Command::Row(arguments) => row(&arguments),
        Command::Full(arguments) => suite::run(&arguments),
        Command::Floor(arguments) => {
            let frames = protocol::named(&arguments.protocol)?.frames();
            serve(arguments.listen, async |listener| {
                floor::serve(listener, arguments.backend()?, frames).await
            })
        }
        Command::Bytes(arguments) => {
            serve(arguments.listen, async |listener| bytes::serve(listener, arguments.backend()?).await)
        }
        Command::Echo(arguments) => {
            let protocol = protocol::named(&arguments.protocol)?;
            serve(arguments.listen, |listener| protocol.echo(listener))
        }
    }
}

impl ServeArguments {
    fn backend(&self) -> std::io::Result<SocketAddr> {
        self.backend.ok_or_else(|| std::io::Error::other("it needs --backend"))
    }
}

/// Listens, says where, and serves on a local runtime.
fn serve(
    listen: SocketAddr,
    server: impl AsyncFnOnce(TcpListener) -> std::io::Result<()>,
) -> anyhow::Result<()> {
    let runtime = Builder::new_current_thread().enable_all().build_local(LocalOptions::default())?;
    runtime.block_on(async {
        let listener = socket(listen).with_context(|| format!("cannot listen on {listen}"))?;
        println!("listening {}", listener.local_addr()?);
        Ok(server(listener).await?)
    })
}

fn socket(listen: SocketAddr) -> std::io::Result<TcpListener> {
    let socket = if listen.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    socket.set_reuseaddr(true)?;
    socket.bind(listen)?;
    socket.listen(BACKLOG)
}

fn row(arguments: &RowArguments) -> anyhow::Result<()> {
    let seconds =
        |value: f64| Duration::try_from_secs_f64(value).with_context(|| format!("{value} is no time"));
    let rules = Rules {
        rounds: arguments.rounds,
        warm_up: seconds(arguments.warm_up)?,
        measure: seconds(arguments.seconds)?,
    };
    ensure!(
        rules.rounds > 0 && !rules.measure.is_zero(),
        "at least one round of more than 0 seconds is needed"
    );
    ensure!(arguments.routes > 0 && arguments.workers > 0, "at least one route and one worker are needed");
    let routes = Routes { by: arguments.by, count: arguments.routes };
    let protocol = protocol::named(&arguments.protocol)?;
    ensure!(
        !arguments.object || protocol.has_objects(),
        "{} is not measured with an object behind the payload",
        protocol.name()
    );
    let kinds = kinds(arguments, protocol)?;
    // Before anything is started, so that all of it inherits the processor.
    let pinned = processor::pin(arguments.cpu)?;
    let echo = match arguments.server {
        Server::Echo => Echo::start(protocol),
        Server::Real => Echo::real(protocol, arguments.payload),
    }?;
    let scene = Scene { protocol, backend: echo.address, routes, workers: arguments.workers };
    let contenders: Vec<_> = kinds.iter().map(|kind| kind.start(&scene)).collect::<Result<_, _>>()?;
    let contenders: Vec<_> = contenders.iter().collect();
    let mut rows = Vec::new();
    for load in &arguments.loads {
        let load = load.with_payload(arguments.payload);
        let load = if arguments.object { load.with_object() } else { load };
        rows.push(contest::run(&rules, &load, &contenders)?);
    }
    println!(
        "Everything on processor {}; payload {} bytes; medians of {} rounds of {:.1} s, interleaved.\n",
        pinned.processor, arguments.payload, rules.rounds, arguments.seconds
    );
    print!("{}", table::markdown(&rows));
    Ok(())
}

fn kinds(arguments: &RowArguments, protocol: &dyn Protocol) -> anyhow::Result<Vec<Kind>> {
    let mut kinds = vec![Kind::SharedFloor, Kind::BytesFloor];
    if !arguments.floor_only {
        let metactl = arguments.metactl.clone().map_or_else(metactl_beside, Ok)?;
        kinds.push(Kind::Ours(metactl.clone(), arguments.proxy_flags.clone()));
        kinds.extend(protocol.settings().iter().map(|setting| Kind::OursWith(metactl.clone(), setting)));
    }
    if arguments.envoy && protocol.is_twemproxys() {
        kinds.extend(twemproxy::installed().map(|_| Kind::Twemproxy));
    }
    if arguments.envoy || !arguments.envoy_templates.is_empty() {
        let best = Envoy::installed()?;
        for path in &arguments.envoy_templates {
            kinds.push(Kind::Envoy(best.with_template(path)?));
        }
        kinds.extend(best.with_templates_of(protocol).into_iter().map(Kind::Envoy));
        kinds.push(Kind::Envoy(best));
    }
    Ok(kinds)
}
