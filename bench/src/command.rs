//! The command line: `row` compares, `floor` and `echo` serve.

use crate::contender::{Contender, metactl_beside};
use crate::contest::{self, Load, Rules};
use crate::{floor, processor, table};
use anyhow::{Context, ensure};
use peers::dubbo::echo;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::runtime::{Builder, LocalOptions};

/// Measures what the proxy costs.
#[derive(Debug, clap::Parser)]
#[command(name = "bench")]
pub enum Command {
    /// Compares our proxy with the floor, everything on one processor, and prints a Markdown table.
    Row(RowArguments),
    /// The floor: passes Dubbo calls on over one shared connection and does nothing else.
    Floor {
        /// Where to listen; prints `listening ADDR`.
        #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:0")]
        listen: SocketAddr,
        /// Where calls are answered.
        #[arg(long, value_name = "ADDR")]
        backend: SocketAddr,
    },
    /// An echo server for Dubbo: answers each call with its first argument.
    Echo {
        /// Where to listen; prints `listening ADDR`.
        #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:0")]
        listen: SocketAddr,
    },
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
    /// Processor for everything; the last one unless told otherwise.
    #[arg(long)]
    cpu: Option<usize>,
    /// Our proxy's command line tool; the one beside this program unless told otherwise.
    #[arg(long, value_name = "PATH")]
    metactl: Option<PathBuf>,
    /// A further flag for `metactl run`; may be given several times.
    #[arg(long = "proxy-flag", value_name = "FLAG", allow_hyphen_values = true)]
    proxy_flags: Vec<String>,
    /// Measures the floor alone.
    #[arg(long)]
    floor_only: bool,
}

/// Does what was asked for.
pub fn run(command: Command) -> anyhow::Result<()> {
    match command {
        Command::Row(arguments) => row(arguments),
        Command::Floor { listen, backend } => {
            serve(listen, async |listener| floor::serve(listener, backend).await)
        }
        Command::Echo { listen } => serve(listen, echo::serve),
    }
}

/// Listens, says where, and serves on a local runtime.
fn serve(
    listen: SocketAddr,
    server: impl AsyncFnOnce(TcpListener) -> std::io::Result<()>,
) -> anyhow::Result<()> {
    let runtime = Builder::new_current_thread().enable_all().build_local(LocalOptions::default())?;
    runtime.block_on(async {
        let listener =
            TcpListener::bind(listen).await.with_context(|| format!("cannot listen on {listen}"))?;
        println!("listening {}", listener.local_addr()?);
        Ok(server(listener).await?)
    })
}

fn row(arguments: RowArguments) -> anyhow::Result<()> {
    let seconds =
        |value: f64| Duration::try_from_secs_f64(value).with_context(|| format!("{value} is no time"));
    let rules = Rules {
        loads: arguments.loads,
        rounds: arguments.rounds,
        warm_up: seconds(arguments.warm_up)?,
        measure: seconds(arguments.seconds)?,
        payload: arguments.payload,
    };
    ensure!(
        rules.rounds > 0 && !rules.measure.is_zero(),
        "at least one round of more than 0 seconds is needed"
    );
    let metactl = match (arguments.floor_only, arguments.metactl) {
        (true, _) => None,
        (false, Some(path)) => Some(path),
        (false, None) => Some(metactl_beside()?),
    };
    // Before anything is started, so that all of it inherits the processor.
    let processor = processor::pin(arguments.cpu)?;
    let echo = Contender::echo()?;
    let mut contenders = vec![Contender::floor(echo.address)?];
    if let Some(metactl) = metactl {
        contenders.push(Contender::ours(&metactl, echo.address, &arguments.proxy_flags)?);
    }
    let rows = contest::run(&rules, &contenders, &mut |line| eprintln!("{line}"))?;
    println!(
        "Everything on processor {processor}; payload {} bytes; medians of {} rounds of {:.1} s, interleaved.\n",
        rules.payload, rules.rounds, arguments.seconds
    );
    print!("{}", table::markdown(&rows));
    Ok(())
}
