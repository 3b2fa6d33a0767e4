//! Objects from an API server: followed by watches, handed over when all of them have been seen.
//!
//! `watch` asks, `store` knows, this module decides when a batch is due. Changes are gathered for a moment, so that what
//! is applied together is handed over together. `status` writes back.

mod connect;
mod status;
mod store;
mod watch;

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};
use tracing::{info, warn};

use self::status::Reporter;
use self::store::Store;
use self::watch::{Listener, News, Scope, What};
use crate::Error;
use crate::source::{Batch, Source};
use crate::status::Status;

/// How long nothing must have changed before a batch is handed over.
const QUIET: Duration = Duration::from_millis(100);

/// How long a batch is kept back at most.
const LONGEST_WAIT: Duration = Duration::from_millis(300);

/// How long what there is to say is gathered before it is written back.
const GATHER: Duration = Duration::from_millis(100);

/// News of watches that may wait.
const MAX_NEWS: usize = 1024;

/// What to add to a log's filter: the client's library complains of every attempt by itself, and what it complains of is
/// told here, once.
pub const SILENCED: &str = "kube_client=off,kube_runtime=off";

/// Which API server, and what of it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Options {
    /// A file as `kubectl` reads it. Absent: what the environment says, or the service account of the pod.
    pub kubeconfig: Option<PathBuf>,
    /// A context of that file. Absent: the one that it calls current.
    pub context: Option<String>,
    /// The namespaces that are looked at. None: all.
    pub namespaces: Vec<String>,
    /// What we are called among the replicas of a controller. Absent: the pod's name (`POD_NAME`), or one that tells
    /// host and process.
    pub identity: Option<String>,
}

/// An API server as a source.
#[derive(Debug)]
pub struct Kubernetes {
    scopes: Vec<Scope>,
    store: Store,
    news: mpsc::Receiver<(usize, News)>,
    /// The watches that see nothing at present.
    failing: BTreeSet<usize>,
    /// When the first and the last change came that no batch has yet.
    waiting: Option<(Instant, Instant)>,
    has_handed_over: bool,
    /// What there was to say last.
    status: Option<Status>,
    /// When it is to be written back.
    report_at: Option<Instant>,
    reporter: Reporter,
    _watches: JoinSet<()>,
}

impl Kubernetes {
    /// Begins to watch. To be called within a tokio runtime.
    pub async fn connect(options: &Options) -> Result<Self, Error> {
        let client = connect::client(options).await?;
        let scopes = scopes(&options.namespaces);
        let (sender, news) = mpsc::channel(MAX_NEWS);
        let mut watches = JoinSet::new();
        for (watch, scope) in scopes.iter().enumerate() {
            let listener = Listener { watch, news: sender.clone() };
            watches.spawn(watch::follow(client.clone(), scope.clone(), listener));
        }
        Ok(Self {
            store: Store::of(scopes.len()),
            scopes,
            news,
            failing: BTreeSet::new(),
            waiting: None,
            has_handed_over: false,
            status: None,
            report_at: None,
            reporter: Reporter::start(&client, &connect::identity(options, &client)),
            _watches: watches,
        })
    }

    /// When the next batch is due, if one is.
    fn due(&self) -> Option<Instant> {
        let (first, last) = self.waiting?;
        if !self.store.has_synced() {
            return None;
        }
        Some(if self.has_handed_over { (last + QUIET).min(first + LONGEST_WAIT) } else { first })
    }

    fn report_soon(&mut self) {
        self.report_at = self.report_at.or_else(|| self.status.as_ref().map(|_| Instant::now() + GATHER));
    }

    fn hear(&mut self, watch: usize, news: News) {
        let plural = self.scopes[watch].what.plural();
        match news {
            News::Change(change) => {
                if self.failing.remove(&watch) && self.failing.is_empty() {
                    info!("sees the API server's objects again");
                }
                self.store.take(watch, change);
                self.report_soon();
                if self.store.has_changed() {
                    let now = Instant::now();
                    self.waiting = Some((self.waiting.map_or(now, |(first, _)| first), now));
                }
            }
            News::Failed(reason) => {
                if self.failing.insert(watch) && self.failing.len() == 1 {
                    let stays = if self.has_handed_over {
                        "what is known stays in force"
                    } else {
                        "nothing is served before"
                    };
                    warn!(kind = plural, reason, "cannot see the API server's objects; {stays}");
                } else {
                    tracing::debug!(kind = plural, reason, "cannot see the API server's objects");
                }
            }
            News::Missing => {
                if self.failing.insert(watch) {
                    warn!(
                        kind = plural,
                        "the API server has no such kind: apply the definitions of crds/yaml to it"
                    );
                }
            }
        }
    }
}

impl Source for Kubernetes {
    async fn next(&mut self) -> Option<Batch> {
        loop {
            let due = self.due();
            if due.is_some_and(|due| due <= Instant::now()) {
                self.waiting = None;
                self.has_handed_over = true;
                return Some(self.store.batch());
            }
            if self.report_at.is_some_and(|at| at <= Instant::now()) {
                self.report_at = None;
                if let Some(status) = &self.status {
                    self.reporter.write(&self.store, status);
                }
            }
            let (due_at, report_at) =
                (due.unwrap_or_else(Instant::now), self.report_at.unwrap_or_else(Instant::now));
            tokio::select! {
                biased;
                news = self.news.recv() => {
                    let (watch, news) = news?;
                    self.hear(watch, news);
                }
                () = sleep_until(due_at), if due.is_some() => {}
                () = sleep_until(report_at), if self.report_at.is_some() => {}
                () = self.reporter.changed() => self.report_at = Some(Instant::now()),
            }
        }
    }

    fn report(&mut self, status: &Status) {
        for refusal in status.new_refusals(self.status.as_ref()) {
            info!("{refusal}");
        }
        self.status = Some(status.clone());
        self.report_soon();
    }
}

/// What is watched: each kind, in each of the namespaces.
fn scopes(namespaces: &[String]) -> Vec<Scope> {
    let mut scopes = Vec::new();
    for what in What::ALL {
        if namespaces.is_empty() || what.is_cluster_scoped() {
            scopes.push(Scope { what, namespace: None });
        } else {
            let of = |namespace: &String| Scope { what, namespace: Some(namespace.clone()) };
            scopes.extend(namespaces.iter().map(of));
        }
    }
    scopes
}
