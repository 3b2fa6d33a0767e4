//! Applies status to objects, a few at a time; what fails is tried again until something newer takes its place.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use kube::Client;
use kube::api::{Api, ApiResource, DynamicObject, Patch as KubePatch, PatchParams};
use serde_json::{Value, json};
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tracing::{debug, warn};

use crate::object::Key;

/// Objects that are written to at a time.
const AT_A_TIME: usize = 8;

/// Pauses after a failure.
const FIRST_PAUSE: Duration = Duration::from_millis(500);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// A part of a status, as one manager applies it.
#[derive(Debug, Clone)]
pub(super) struct Patch {
    pub(super) manager: String,
    pub(super) status: Value,
}

/// What is to be written: of each object, only the newest.
#[derive(Debug, Default)]
pub(super) struct Queue {
    waiting: Mutex<BTreeMap<Key, Vec<Patch>>>,
    filled: Notify,
}

impl Queue {
    pub(super) fn put(&self, key: Key, patches: Vec<Patch>) {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner).insert(key, patches);
        self.filled.notify_one();
    }

    /// Puts back what failed, unless something newer is there.
    fn put_back(&self, key: Key, patches: Vec<Patch>) {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner).entry(key).or_insert(patches);
        self.filled.notify_one();
    }

    fn some(&self) -> Vec<(Key, Vec<Patch>)> {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let mut some = Vec::new();
        while some.len() < AT_A_TIME
            && let Some(first) = waiting.pop_first()
        {
            some.push(first);
        }
        some
    }
}

/// Writes for as long as it is polled.
pub(super) async fn write(client: Client, queue: std::sync::Arc<Queue>) {
    let mut pause = FIRST_PAUSE;
    let mut complained = false;
    loop {
        let some = queue.some();
        if some.is_empty() {
            queue.filled.notified().await;
            continue;
        }
        let mut writes = JoinSet::new();
        for (key, patches) in some {
            writes.spawn(write_one(client.clone(), key, patches));
        }
        let mut failed = None;
        while let Some(written) = writes.join_next().await {
            if let Ok(Err((key, patches, error))) = written {
                queue.put_back(key.clone(), patches);
                failed = Some((key, error));
            }
        }
        let Some((key, reason)) = failed else {
            complained = false;
            pause = FIRST_PAUSE;
            continue;
        };
        if complained {
            debug!(object = %key, reason, "cannot write the status of objects");
        } else {
            warn!(object = %key, reason, "cannot write the status of objects; they are served all the same");
            complained = true;
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

async fn write_one(client: Client, key: Key, patches: Vec<Patch>) -> Result<(), (Key, Vec<Patch>, String)> {
    let api_version = format!("{}/{}", crds::GROUP, crds::VERSION);
    let resource = ApiResource {
        group: crds::GROUP.to_owned(),
        version: crds::VERSION.to_owned(),
        api_version: api_version.clone(),
        kind: key.kind.name().to_owned(),
        plural: key.kind.plural().to_owned(),
    };
    let api: Api<DynamicObject> = if key.kind.is_cluster_scoped() {
        Api::all_with(client, &resource)
    } else {
        Api::namespaced_with(client, &key.namespace, &resource)
    };
    for patch in &patches {
        let body = json!({
            "apiVersion": api_version,
            "kind": key.kind.name(),
            "metadata": { "name": key.name },
            "status": patch.status,
        });
        let params = PatchParams::apply(&patch.manager).force();
        match api.patch_status(&key.name, &params, &KubePatch::Apply(&body)).await {
            Ok(_) => {}
            // It was deleted meanwhile.
            Err(kube::Error::Api(status)) if status.code == 404 => return Ok(()),
            Err(error) => return Err((key, patches, error.to_string())),
        }
    }
    Ok(())
}
