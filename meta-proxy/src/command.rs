//! The command line of a proxy that runs as a process of its own.

use std::io::Write;
use std::process::ExitCode;
use std::sync::Arc;

use clap::Parser;
use codec_api::Protocol;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use crate::app::{self, Event};
use crate::bootstrap::Flags;
use crate::xds::Codecs;

/// Serves what its controllers say, over any protocol that it has a codec for.
#[derive(Debug, Parser)]
#[command(name = "meta-proxy", version)]
struct Cli {
    #[command(flatten)]
    flags: Flags,
}

/// Runs the command line with these codecs.
pub fn main(codecs: Vec<Arc<dyn Protocol>>) -> ExitCode {
    let cli = Cli::parse();
    let filter = tracing_subscriber::EnvFilter::try_from_env("META_LOG");
    tracing_subscriber::fmt()
        .with_writer(std::io::stderr)
        .with_target(false)
        .with_env_filter(filter.unwrap_or_else(|_| "info".into()))
        .init();
    match run(cli.flags, Codecs::new(codecs)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(mistakes) => {
            for mistake in mistakes {
                eprintln!("meta-proxy: {mistake}");
            }
            ExitCode::from(2)
        }
    }
}

/// Runs until SIGTERM or SIGINT, and then until what was under way has ended. A second signal ends it at once.
fn run(flags: Flags, codecs: Codecs) -> Result<(), Vec<String>> {
    let (bootstrap, options) = flags.read()?;
    let mut builder = tokio::runtime::Builder::new_current_thread();
    let runtime = builder.enable_all().build().map_err(|error| vec![format!("cannot start: {error}")])?;
    runtime.block_on(async {
        let stop = stop_on_signal().map_err(|error| vec![format!("cannot listen for signals: {error}")])?;
        let run = app::run_by_controllers(bootstrap, options, codecs, stop, Box::new(|event| tell(&event)));
        run.await.map_err(|error| vec![error.to_string()])
    })
}

/// Cancelled by the first SIGTERM or SIGINT.
pub fn stop_on_signal() -> std::io::Result<CancellationToken> {
    let stop = CancellationToken::new();
    let told = stop.clone();
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    tokio::spawn(async move {
        for again in [false, true] {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
            if again {
                std::process::exit(130);
            }
            told.cancel();
        }
    });
    Ok(stop)
}

/// Prints what scripts wait for.
pub fn tell(event: &Event) {
    let line = match event {
        Event::Admin(address) => format!("admin {address}"),
        Event::Listening { host, port, address } => format!("listening {host}:{port} {address}"),
        Event::Ready => "ready".to_owned(),
        Event::Mended => return,
    };
    let mut out = std::io::stdout().lock();
    // Whoever closed standard output does not wait for these lines.
    let _ = writeln!(out, "{line}").and_then(|()| out.flush());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        <Cli as clap::CommandFactory>::command().debug_assert();
    }
}
