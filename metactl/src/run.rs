//! `metactl run`: a controller and a proxy in one process.

use std::process::ExitCode;
use std::sync::Arc;

use controller::source::kubernetes::Kubernetes;
use controller::{Controller, Running};
use meta_proxy::app::{self, Delivery, Event};
use meta_proxy::bootstrap::Bootstrap;
use meta_proxy::command::{stop_on_signal, tell};
use meta_proxy::telemetry::TRACE_LOOK_LIMIT;
use meta_proxy::xds::Codecs;
use tokio::sync::{Notify, mpsc, oneshot};
use xds::{Ack, Answer, Update};

use crate::cli::Run;

/// Runs until SIGTERM or SIGINT, and then until what was under way has ended. A second signal ends it at once.
pub fn run(run: Run, codecs: Codecs) -> Result<ExitCode, String> {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    let runtime = builder.enable_all().build().map_err(|error| format!("cannot start: {error}"))?;
    runtime.block_on(async {
        let Running { updates, answers, guard, .. } =
            follow(&run).await.map_err(|error| error.to_string())?;
        let stop = stop_on_signal().map_err(|error| format!("cannot listen for signals: {error}"))?;
        let (deliveries, delivered) = mpsc::channel(1);
        let mended = Arc::new(Notify::new());
        tokio::spawn(deliver(updates, answers, deliveries, Arc::clone(&mended)));
        let told = move |event: Event| match event {
            Event::Mended => mended.notify_one(),
            event => tell(&event),
        };
        app::run(bootstrap(run), codecs, delivered, stop, Box::new(told))
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

/// Carries updates to the proxy and its answers back, and what becomes of what it refused.
async fn deliver(
    mut updates: mpsc::Receiver<Update>,
    answers: mpsc::Sender<Answer>,
    deliveries: mpsc::Sender<Delivery>,
    mended: Arc<Notify>,
) {
    loop {
        let update = tokio::select! {
            update = updates.recv() => match update {
                Some(update) => Some(update),
                None => return,
            },
            () = mended.notified() => None,
        };
        let is_update = update.is_some();
        let (answer, answered) = oneshot::channel();
        let delivery = Delivery { update: update.unwrap_or_default(), is_whole: true, answer };
        if deliveries.send(delivery).await.is_err() {
            return;
        }
        let Ok(applied) = answered.await else { return };
        let ack = Ack { rejected: applied.refused };
        let answer = if is_update { Answer::Update(ack) } else { Answer::Mended(ack) };
        if answers.send(answer).await.is_err() {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use meta_proxy::xds::Applied;
    use tokio::time::timeout;
    use xds::{Rejection, ResourceType};

    /// What comes next; only a failing test waits as long as this does.
    async fn next<T>(receiver: &mut mpsc::Receiver<T>) -> T {
        timeout(Duration::from_secs(20), receiver.recv()).await.unwrap().unwrap()
    }

    #[tokio::test]
    async fn what_has_mended_itself_is_told_apart_from_the_answer_to_an_update() {
        let (updates, updates_out) = mpsc::channel(1);
        let (answers_in, mut answers) = mpsc::channel(1);
        let (deliveries, mut delivered) = mpsc::channel(1);
        let mended = Arc::new(Notify::new());
        tokio::spawn(deliver(updates_out, answers_in, deliveries, Arc::clone(&mended)));
        let rejection = Rejection {
            kind: ResourceType::Listener,
            name: "l".to_owned(),
            field: "address".to_owned(),
            message: "is in use".to_owned(),
        };
        let refused = vec![rejection];

        updates.send(Update::default()).await.unwrap();
        let Delivery { answer, .. } = next(&mut delivered).await;
        answer.send(Applied { refused: refused.clone(), ..Applied::default() }).unwrap();
        assert_eq!(next(&mut answers).await, Answer::Update(Ack { rejected: refused }));

        mended.notify_one();
        let Delivery { update, is_whole, answer } = next(&mut delivered).await;
        assert_eq!((update, is_whole), (Update::default(), true));
        answer.send(Applied::default()).unwrap();
        assert_eq!(next(&mut answers).await, Answer::Mended(Ack::default()));
    }
}
