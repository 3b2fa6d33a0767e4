//! The four providers, on a thread and runtime of their own.
//!
//! Each has a few workers that take a fixed time per call, as a service does that waits for a database: time, not
//! processor. Calls beyond the workers queue, first come, first served.

use anyhow::Context;
use peers::dubbo::Provider;
use std::net::SocketAddr;
use std::sync::mpsc::sync_channel;
use std::time::Duration;
use tokio::sync::oneshot;

/// Labels of the providers, in the order of the endpoints in services/service-entry.yaml.
pub const LABELS: [&str; 4] = ["user", "user", "batch", "batch"];

/// What the workers of all providers with one label have done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Worked {
    /// Calls.
    pub calls: u64,
    /// What they took, measured, in total.
    pub time: Duration,
}

impl Worked {
    /// What was done since an earlier look.
    #[must_use]
    pub fn since(self, earlier: Self) -> Self {
        Worked { calls: self.calls - earlier.calls, time: self.time.saturating_sub(earlier.time) }
    }

    /// Calls that so many workers can serve per second, by the time that calls took.
    pub fn capacity(self, workers: usize) -> f64 {
        if self.time.is_zero() { 0.0 } else { workers as f64 * self.calls as f64 / self.time.as_secs_f64() }
    }
}

/// The running providers. Stopped when dropped.
#[derive(Debug)]
pub struct Crowd {
    providers: Vec<Provider>,
    _stop: oneshot::Sender<()>,
}

impl Crowd {
    /// Starts a provider for each label; those for user calls and those for batch jobs have so many workers each,
    /// and a call takes so long.
    pub fn start(user_workers: usize, batch_workers: usize, service_time: Duration) -> anyhow::Result<Self> {
        let (started, starts) = sync_channel(1);
        let (stop, stopped) = oneshot::channel::<()>();
        let serve = async move {
            let mut providers = Vec::new();
            for label in LABELS {
                let workers = if label == "user" { user_workers } else { batch_workers };
                providers
                    .push(Provider::builder(label).workers(workers, service_time).remember(0).start().await?);
            }
            Ok(providers)
        };
        std::thread::Builder::new().name("providers".to_owned()).spawn(move || {
            let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
                Ok(runtime) => runtime,
                Err(error) => return started.send(Err(error)).unwrap_or_default(),
            };
            // Nobody listens any more if the demo has ended already; then `stopped` is ready, too.
            let _ = started.send(runtime.block_on(serve));
            let _ = runtime.block_on(stopped);
        })?;
        let providers = starts.recv().context("the providers' thread ended")?;
        Ok(Crowd { providers: providers.context("a provider could not start")?, _stop: stop })
    }

    /// Where they listen, in the order of `LABELS`.
    pub fn addresses(&self) -> [SocketAddr; 4] {
        [0, 1, 2, 3].map(|nth| self.providers[nth].address())
    }

    /// What the workers of all providers with this label have done so far.
    pub fn worked(&self, label: &str) -> Worked {
        let mine = self.providers.iter().filter(|provider| provider.label() == label);
        mine.map(Provider::counts).fold(Worked::default(), |sum, counts| Worked {
            calls: sum.calls + counts.worked,
            time: sum.time + counts.work_time,
        })
    }
}
