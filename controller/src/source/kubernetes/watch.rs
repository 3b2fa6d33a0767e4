//! Watches: one for each kind, or for each kind and namespace, for as long as the source lives.
//!
//! A watch that breaks goes on where it was; where that is too long ago, it lists all objects again. A kind that the API
//! server does not know is asked for again and again, and nobody waits for it unless it is one of ours.

use std::fmt::Debug;
use std::pin::pin;
use std::time::Duration;

use k8s_openapi::api::core::v1::{Node as KubernetesNode, Pod};
use kube::api::{Api, ApiResource, DynamicObject, PartialObjectMeta};
use kube::runtime::watcher::{self, Event, watcher};
use kube::{Client, Resource};
use serde::de::DeserializeOwned;
use tokio::sync::mpsc::Sender;
use tokio_stream::StreamExt;
use tracing::debug;

use crds::kubernetes::ZONE_LABEL;

use super::store::{Change, Entry, Item};
use crate::object::{Key, Kind};
use crate::source::document::Documents;
use crate::tree::Node;

/// Objects that are asked for at a time.
const PAGE: u32 = 500;

/// Pauses after an API server did not answer: the first, and the longest, which it takes six failures to come to.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// How often a kind is asked for that the API server does not know.
const ABSENT_PAUSE: Duration = Duration::from_secs(5);

/// Annotations that are of no use here, and as large as the object itself.
const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";

/// What is watched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Scope {
    pub(super) what: What,
    /// `None`: all namespaces.
    pub(super) namespace: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum What {
    Objects(Kind),
    Pods,
    Nodes,
}

impl What {
    pub(super) const ALL: [Self; 9] = [
        Self::Objects(Kind::ApplicationProtocol),
        Self::Objects(Kind::MetaRouter),
        Self::Objects(Kind::Service),
        Self::Objects(Kind::EndpointSlice),
        Self::Objects(Kind::ServiceEntry),
        Self::Objects(Kind::WorkloadEntry),
        Self::Objects(Kind::DestinationRule),
        Self::Pods,
        Self::Nodes,
    ];

    pub(super) fn is_cluster_scoped(self) -> bool {
        match self {
            Self::Objects(kind) => kind.is_cluster_scoped(),
            Self::Pods => false,
            Self::Nodes => true,
        }
    }

    pub(super) fn plural(self) -> &'static str {
        match self {
            Self::Objects(kind) => kind.plural(),
            Self::Pods => "pods",
            Self::Nodes => "nodes",
        }
    }
}

/// What a watch has to say.
#[derive(Debug)]
pub(super) enum News {
    /// Of its objects.
    Change(Change),
    /// Nothing of its objects for now, and why.
    Failed(String),
    /// The API server does not know the kind, which is one that nothing can do without.
    Missing,
}

/// Where a watch tells its news.
#[derive(Debug, Clone)]
pub(super) struct Listener {
    pub(super) watch: usize,
    pub(super) news: Sender<(usize, News)>,
}

impl Listener {
    /// `Err` where nobody listens any more.
    async fn tell(&self, news: News) -> Result<(), End> {
        self.news.send((self.watch, news)).await.map_err(|_| End::Unheard)
    }
}

/// Why a watch ended.
enum End {
    Unheard,
    Unknown,
}

/// Watches for as long as anybody listens.
pub(super) async fn follow(client: Client, scope: Scope, listener: Listener) {
    let versions: &[&str] = match scope.what {
        What::Objects(kind) => kind.versions(),
        What::Pods | What::Nodes => &["v1"],
    };
    loop {
        for version in versions {
            if matches!(follow_version(&client, &scope, version, &listener).await, End::Unheard) {
                return;
            }
        }
        let is_ours = matches!(scope.what, What::Objects(kind) if kind.is_ours());
        let news = if is_ours { News::Missing } else { News::Change(Change::Absent) };
        if listener.tell(news).await.is_err() {
            return;
        }
        tokio::time::sleep(ABSENT_PAUSE).await;
    }
}

async fn follow_version(client: &Client, scope: &Scope, version: &str, listener: &Listener) -> End {
    match scope.what {
        What::Objects(kind) => {
            let group = kind.group();
            let resource = ApiResource {
                group: group.to_owned(),
                version: version.to_owned(),
                api_version: if group.is_empty() { version.to_owned() } else { format!("{group}/{version}") },
                kind: kind.name().to_owned(),
                plural: kind.plural().to_owned(),
            };
            let api: Api<DynamicObject> = match &scope.namespace {
                Some(namespace) => Api::namespaced_with(client.clone(), namespace, &resource),
                None => Api::all_with(client.clone(), &resource),
            };
            follow_api(api, |object| Some(Item::Object(Box::new(read(kind, object)?))), listener).await
        }
        What::Pods => {
            let api: Api<PartialObjectMeta<Pod>> = match &scope.namespace {
                Some(namespace) => Api::namespaced(client.clone(), namespace),
                None => Api::all(client.clone()),
            };
            follow_api(api, pod, listener).await
        }
        What::Nodes => {
            let api: Api<PartialObjectMeta<KubernetesNode>> = Api::all(client.clone());
            follow_api(api, node, listener).await
        }
    }
}

async fn follow_api<K, F>(api: Api<K>, read: F, listener: &Listener) -> End
where
    K: Resource + Clone + DeserializeOwned + Debug + Send + 'static,
    F: Fn(K) -> Option<Item>,
{
    let mut events = pin!(watcher(api, watcher::Config::default().page_size(PAGE)));
    let mut pause = FIRST_PAUSE;
    while let Some(event) = events.next().await {
        let change = match event {
            Ok(Event::Init) => Some(Change::Listing),
            Ok(Event::InitApply(object)) => read(object).map(Change::Listed),
            Ok(Event::InitDone) => Some(Change::Complete),
            Ok(Event::Apply(object)) => read(object).map(Change::Applied),
            Ok(Event::Delete(object)) => read(object).map(Change::Deleted),
            Err(watcher::Error::InitialListFailed(kube::Error::Api(status))) if status.code == 404 => {
                return End::Unknown;
            }
            // What was missed is listed next.
            Err(watcher::Error::WatchError(status)) if status.code == 410 => {
                debug!(status = status.message, "a watch begins anew");
                continue;
            }
            Err(error) => {
                if listener.tell(News::Failed(words(&error))).await.is_err() {
                    return End::Unheard;
                }
                tokio::time::sleep(pause.mul_f64(0.5 + fastrand::f64() / 2.0)).await;
                pause = (pause * 2).min(LONGEST_PAUSE);
                continue;
            }
        };
        if matches!(change, Some(Change::Complete | Change::Applied(_) | Change::Deleted(_))) {
            pause = FIRST_PAUSE;
        }
        if let Some(change) = change
            && listener.tell(News::Change(change)).await.is_err()
        {
            return End::Unheard;
        }
    }
    End::Unheard
}

/// What went wrong, without the same thing told by each layer.
fn words(error: &watcher::Error) -> String {
    let cause = match error {
        watcher::Error::InitialListFailed(cause)
        | watcher::Error::WatchStartFailed(cause)
        | watcher::Error::WatchFailed(cause) => cause,
        watcher::Error::WatchError(status) => return status.message.clone(),
        watcher::Error::NoResourceVersion => return error.to_string(),
    };
    match cause {
        kube::Error::Api(status) => status.message.clone(),
        other => other.to_string(),
    }
}

/// An object of a kind that `translate` knows; `None` where it has no name, which no API server lets happen.
pub(super) fn read(kind: Kind, object: DynamicObject) -> Option<Entry> {
    let mut metadata = object.metadata;
    metadata.managed_fields = None;
    if let Some(annotations) = &mut metadata.annotations {
        annotations.remove(LAST_APPLIED);
    }
    let (name, namespace) = (metadata.name.clone()?, metadata.namespace.clone().unwrap_or_default());
    let (generation, uid) = (metadata.generation, metadata.uid.clone().unwrap_or_default());
    let mut data = object.data;
    let status = data.as_object_mut().and_then(|data| data.remove("status"));
    if let (Some(data), Ok(metadata)) = (data.as_object_mut(), serde_json::to_value(&metadata)) {
        data.insert("metadata".to_owned(), metadata);
    }
    let mut documents = Documents::default();
    documents.read_object(kind, name.clone(), &Node::of_json(&data), None);
    let status = status.filter(|_| kind.is_ours()).and_then(|status| serde_json::from_value(status).ok());
    Some(Entry {
        key: Key { kind, namespace, name },
        object: documents.objects.pop(),
        unread: documents.broken.pop().and_then(|broken| broken.unread),
        diagnostics: documents.diagnostics,
        generation,
        uid,
        status: status.unwrap_or_default(),
    })
}

fn pod(pod: PartialObjectMeta<Pod>) -> Option<Item> {
    let metadata = pod.metadata;
    Some(Item::Pod((metadata.namespace?, metadata.name?), metadata.labels.unwrap_or_default()))
}

fn node(node: PartialObjectMeta<KubernetesNode>) -> Option<Item> {
    let metadata = node.metadata;
    let zone = metadata.labels.and_then(|mut labels| labels.remove(ZONE_LABEL));
    Some(Item::Node(metadata.name?, zone))
}
