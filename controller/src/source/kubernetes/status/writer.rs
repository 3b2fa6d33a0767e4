//! Applies status to objects, a few at a time; what fails is tried again until something newer takes its place.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use kube::Client;
use kube::api::{Api, ApiResource, DynamicObject, Patch as KubePatch, PatchParams};
use serde_json::json;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until, timeout};
use tracing::{debug, warn};

use super::queue::{Patch, Queue};
use crate::object::Key;

/// Objects that are written to at a time.
const AT_A_TIME: usize = 8;

/// Time for the status of an object to be written; an API server itself gives up after a minute.
const WRITES_WITHIN: Duration = Duration::from_mins(1);

/// How often at most it is said that an object's status cannot be written.
const COMPLAINS_EVERY: Duration = Duration::from_secs(30);

/// Writes for as long as it is polled.
pub(super) async fn write(client: Client, queue: Arc<Queue>) {
    write_by(&queue, |key, patches| write_one(client.clone(), key, patches)).await;
}

/// The same, by any way to write one object.
async fn write_by<F>(queue: &Queue, write: impl Fn(Key, Vec<Patch>) -> F)
where
    F: Future<Output = Result<(), String>> + Send + 'static,
{
    let mut writes = JoinSet::new();
    let mut complains_from = Instant::now();
    loop {
        while writes.len() < AT_A_TIME
            && let Some((key, patches)) = queue.take(Instant::now())
        {
            let writing = timeout(WRITES_WITHIN, write(key.clone(), patches));
            writes.spawn(async move {
                let late = |_| Err(format!("no answer within {WRITES_WITHIN:?}"));
                (key, writing.await.unwrap_or_else(late))
            });
        }
        let retry_at = queue.retry_at().filter(|_| writes.len() < AT_A_TIME);
        let ended = tokio::select! {
            Some(ended) = writes.join_next() => ended,
            () = queue.changed() => continue,
            () = sleep_until(retry_at.unwrap_or_else(Instant::now)), if retry_at.is_some() => continue,
        };
        match ended {
            Ok((key, Ok(()))) => queue.written(key),
            Ok((key, Err(reason))) => {
                let now = Instant::now();
                let is_new = queue.failed(key.clone(), now);
                if is_new && now >= complains_from {
                    warn!(object = %key, reason, "cannot write the status of objects; they are served all the same");
                    complains_from = now + COMPLAINS_EVERY;
                } else {
                    debug!(object = %key, reason, "cannot write the status of objects");
                }
            }
            Err(error) => warn!(%error, "writing a status has failed"),
        }
    }
}

async fn write_one(client: Client, key: Key, patches: Vec<Patch>) -> Result<(), String> {
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
            Err(error) => return Err(error.to_string()),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::sync::Mutex;

    use serde_json::Value;

    use super::*;
    use crate::object::Kind;

    fn key(name: &str) -> Key {
        Key { kind: Kind::MetaRouter, namespace: "shop".to_owned(), name: name.to_owned() }
    }

    fn patches() -> Vec<Patch> {
        vec![Patch { manager: "m".to_owned(), status: Value::Null }]
    }

    /// When each object was tried, from the start.
    type Tries = Arc<Mutex<BTreeMap<String, Vec<Duration>>>>;

    /// Writes by an API server that refuses objects called bad, and never answers for those called mute.
    fn writer(queue: &Arc<Queue>) -> (Tries, JoinSet<()>) {
        let tries = Tries::default();
        let (queue, noted, start) = (Arc::clone(queue), Arc::clone(&tries), Instant::now());
        let mut task = JoinSet::new();
        task.spawn(async move {
            let write = |key: Key, _| {
                noted.lock().unwrap().entry(key.name.clone()).or_default().push(start.elapsed());
                async move {
                    match &key.name {
                        name if name.starts_with("bad") => Err("forbidden".to_owned()),
                        name if name.starts_with("mute") => std::future::pending().await,
                        _ => Ok(()),
                    }
                }
            };
            write_by(&queue, write).await;
        });
        (tries, task)
    }

    fn of(tries: &Tries, name: &str) -> Vec<Duration> {
        tries.lock().unwrap().get(name).cloned().unwrap_or_default()
    }

    #[tokio::test(start_paused = true)]
    async fn one_that_cannot_be_written_keeps_nobody_else_waiting() {
        let queue = Arc::new(Queue::default());
        let (tries, _task) = writer(&queue);
        for name in ["bad", "mute"] {
            queue.put(key(name), patches());
        }
        for second in 0..120 {
            let name = second.to_string();
            queue.put(key(&name), patches());
            tokio::time::sleep(Duration::from_secs(1)).await;
            assert_eq!(of(&tries, &name), [Duration::from_secs(second)], "at once");
        }
        assert_eq!(of(&tries, "bad").len(), 9, "{:?}", of(&tries, "bad"));
        assert_eq!(of(&tries, "mute").len(), 2, "{:?}", of(&tries, "mute"));
        queue.forget(&key("bad"));
        queue.forget(&key("mute"));
        tokio::time::sleep(Duration::from_mins(10)).await;
        assert_eq!((of(&tries, "bad").len(), of(&tries, "mute").len()), (9, 2), "they are gone");
        assert_eq!(queue.retry_at(), None);
    }

    #[tokio::test(start_paused = true)]
    async fn no_more_than_some_are_written_at_a_time() {
        let queue = Arc::new(Queue::default());
        let (tries, _task) = writer(&queue);
        for number in 0..=AT_A_TIME {
            queue.put(key(&format!("mute{number}")), patches());
        }
        tokio::time::sleep(WRITES_WITHIN / 2).await;
        assert_eq!(tries.lock().unwrap().len(), AT_A_TIME);
        tokio::time::sleep(WRITES_WITHIN).await;
        assert_eq!(tries.lock().unwrap().len(), AT_A_TIME + 1, "a place is free again");
    }
}
