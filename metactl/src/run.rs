//! `metactl run`: a controller and a proxy in one process.

use std::process::ExitCode;

use controller::source::kubernetes::Kubernetes;
use controller::{Controller, Running};
use meta_proxy::app::{self, Delivery};
use meta_proxy::bootstrap::Bootstrap;
use meta_proxy::command::{stop_on_signal, tell};
use meta_proxy::telemetry::TRACE_LOOK_LIMIT;
use meta_proxy::xds::Codecs;
use tokio::sync::{mpsc, oneshot};

use crate::cli::Run;

/// Runs until SIGTERM or SIGINT, and then until what was under way has ended. A second signal ends it at once.
pub fn run(run: Run, codecs: Codecs) -> Result<ExitCode, String> {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    let runtime = builder.enable_all().build().map_err(|error| format!("cannot start: {error}"))?;
    runtime.block_on(async {
        let Running { updates, acks, guard, .. } = follow(&run).await.map_err(|error| error.to_string())?;
        let stop = stop_on_signal().map_err(|error| format!("cannot listen for signals: {error}"))?;
        let (deliveries, delivered) = mpsc::channel(1);
        tokio::spawn(deliver(updates, acks, deliveries));
        app::run(bootstrap(run), codecs, delivered, stop, Box::new(|event| tell(&event)))
            .await
            .map_err(|error| error.to_string())?;
        drop(guard);
        Ok(ExitCode::SUCCESS)
    })
}

/// A controller that follows what the command line names.
async fn follow(run: &Run) -> Result<Running, controller::Error> {
    let options = run.understanding.options();
    match run.cluster.options() {
        Some(cluster) => Ok(Controller::start_with(Kubernetes::connect(&cluster).await?, &options)),
        None => Controller::start(&run.paths, &options),
    }
}

fn bootstrap(run: Run) -> Bootstrap {
    let cores = || std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    Bootstrap {
        concurrency: run.concurrency.map_or_else(cores, usize::from),
        admin: run.admin,
        listen: run.listen.into_iter().collect(),
        access_log: run.access_log,
        trace_look_limit: run.access_log_trace.unwrap_or(TRACE_LOOK_LIMIT),
        drain: run.drain,
        ..Bootstrap::default()
    }
}

/// Carries updates to the proxy and its answers back.
async fn deliver(
    mut updates: mpsc::Receiver<xds::Update>,
    acks: mpsc::Sender<xds::Ack>,
    deliveries: mpsc::Sender<Delivery>,
) {
    while let Some(update) = updates.recv().await {
        let (answer, answered) = oneshot::channel();
        if deliveries.send(Delivery { update, is_whole: true, answer }).await.is_err() {
            return;
        }
        let Ok(applied) = answered.await else { return };
        if acks.send(applied.ack).await.is_err() {
            return;
        }
    }
}
