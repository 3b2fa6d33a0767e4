//! Who of the replicas leads, and who of them lives: by leases, which each renews.
//!
//! A replica that leads writes conditions, and nothing else depends on it. Whether a lease has run out is judged by our
//! own clock, from when we saw it renewed, so that clocks need not agree.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{MicroTime, ObjectMeta};
use k8s_openapi::jiff::Timestamp;
use kube::Client;
use kube::api::{Api, ListParams, PostParams};
use tokio::sync::watch;
use tokio::time::Instant;
use tracing::{info, warn};

use super::{Identity, MANAGER};

/// How long a lease holds that is not renewed.
const HOLDS: Duration = Duration::from_secs(15);

/// How often it is renewed.
const RENEWS: Duration = Duration::from_secs(3);

/// The label of the leases of replicas; its value says what they are for.
const LABEL: &str = "metaprotocol.aeraki.io/lease";

/// What a replica knows of the others.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(in crate::source::kubernetes) struct Leadership {
    /// We lead.
    pub(super) leads: bool,
    /// All that live, ourselves included.
    pub(super) members: BTreeSet<String>,
}

/// What we saw of a lease: who held it, when they said that they renewed it, and when we saw that.
#[derive(Debug, Clone, PartialEq)]
struct Seen {
    holder: Option<String>,
    renewed: Option<Timestamp>,
    at: Instant,
}

impl Seen {
    /// The lease as it is now, and when it became so to our eyes.
    fn update(before: Option<Self>, lease: &Lease, now: Instant) -> Self {
        let spec = lease.spec.as_ref();
        let holder = spec.and_then(|spec| spec.holder_identity.clone()).filter(|holder| !holder.is_empty());
        let renewed = spec.and_then(|spec| spec.renew_time.as_ref()).map(|time| time.0);
        match before {
            Some(seen) if seen.holder == holder && seen.renewed == renewed => seen,
            _ => Self { holder, renewed, at: now },
        }
    }

    fn has_run_out(&self, now: Instant) -> bool {
        self.holder.is_none() || now.duration_since(self.at) >= HOLDS
    }
}

/// Whether a replica may write itself into a lease.
fn may_take(seen: &Seen, me: &str, now: Instant) -> bool {
    seen.holder.as_deref() == Some(me) || seen.has_run_out(now)
}

/// Takes part for as long as it is polled.
pub(super) async fn keep(client: Client, identity: Identity, known: watch::Sender<Leadership>) {
    let api: Api<Lease> = Api::namespaced(client, &identity.namespace);
    let mut replica =
        Replica { api, name: identity.name, leader: None, members: BTreeMap::new(), leads_until: None };
    let mut complained = false;
    loop {
        let now = Instant::now();
        let result = replica.turn(now).await;
        if let Err(error) = &result
            && !complained
        {
            warn!(namespace = identity.namespace, %error, "cannot use leases; nobody writes conditions until this works");
        }
        complained = result.is_err();
        let leads = replica.leads_until.is_some_and(|until| Instant::now() < until);
        let now_known = Leadership { leads, members: replica.living(now) };
        known.send_if_modified(|known| {
            let has_changed = *known != now_known;
            if known.leads != now_known.leads {
                info!(leads = now_known.leads, "leadership");
            }
            *known = now_known.clone();
            has_changed
        });
        tokio::time::sleep(RENEWS).await;
    }
}

struct Replica {
    api: Api<Lease>,
    name: String,
    leader: Option<Seen>,
    members: BTreeMap<String, Seen>,
    /// When our own lease of the lead runs out.
    leads_until: Option<Instant>,
}

impl Replica {
    /// Renews what is ours, and takes the lead where nobody has it.
    async fn turn(&mut self, now: Instant) -> kube::Result<()> {
        let own = format!("{MANAGER}-{}", self.name);
        let held = self.api.get_opt(&own).await?;
        self.write(&own, "replica", held).await?;
        let lease = self.api.get_opt(MANAGER).await?;
        let seen = lease.as_ref().map(|lease| Seen::update(self.leader.take(), lease, now));
        if seen.as_ref().is_none_or(|seen| may_take(seen, &self.name, now)) {
            match self.write(MANAGER, "leader", lease).await {
                Ok(lease) => {
                    self.leader = Some(Seen::update(seen, &lease, now));
                    self.leads_until = Some(now + HOLDS);
                }
                // Another was faster.
                Err(kube::Error::Api(status)) if status.code == 409 => self.leads_until = None,
                Err(error) => return Err(error),
            }
        } else {
            self.leader = seen;
            self.leads_until = None;
        }
        let listed = self.api.list(&ListParams::default().labels(&format!("{LABEL}=replica"))).await?;
        let mut before = std::mem::take(&mut self.members);
        for lease in &listed.items {
            let name = lease.metadata.name.clone().unwrap_or_default();
            let seen = Seen::update(before.remove(&name), lease, now);
            self.members.insert(name, seen);
        }
        Ok(())
    }

    /// The replicas that live, ourselves included.
    fn living(&self, now: Instant) -> BTreeSet<String> {
        let living = self.members.values().filter(|seen| !seen.has_run_out(now));
        living.filter_map(|seen| seen.holder.clone()).chain([self.name.clone()]).collect()
    }

    /// Writes us into a lease, unless somebody else has done so since it was read.
    async fn write(&self, name: &str, label: &str, read: Option<Lease>) -> kube::Result<Lease> {
        let now = MicroTime(Timestamp::now());
        let before = read.as_ref().and_then(|lease| lease.spec.clone()).unwrap_or_default();
        let is_ours = before.holder_identity.as_deref() == Some(&self.name);
        let spec = LeaseSpec {
            holder_identity: Some(self.name.clone()),
            lease_duration_seconds: i32::try_from(HOLDS.as_secs()).ok(),
            renew_time: Some(now.clone()),
            acquire_time: if is_ours { before.acquire_time } else { Some(now) },
            lease_transitions: Some(
                before.lease_transitions.unwrap_or(0) + i32::from(!is_ours && read.is_some()),
            ),
            ..LeaseSpec::default()
        };
        if let Some(lease) = read {
            return self
                .api
                .replace(name, &PostParams::default(), &Lease { spec: Some(spec), ..lease })
                .await;
        }
        let metadata = ObjectMeta {
            name: Some(name.to_owned()),
            labels: Some([(LABEL.to_owned(), label.to_owned())].into()),
            ..ObjectMeta::default()
        };
        self.api.create(&PostParams::default(), &Lease { metadata, spec: Some(spec) }).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lease(holder: &str, renewed: i64) -> Lease {
        let spec = LeaseSpec {
            holder_identity: Some(holder.to_owned()),
            renew_time: Some(MicroTime(Timestamp::from_second(renewed).unwrap())),
            ..LeaseSpec::default()
        };
        Lease { metadata: ObjectMeta::default(), spec: Some(spec) }
    }

    #[test]
    fn a_lease_is_taken_when_it_was_not_renewed_for_as_long_as_it_holds() {
        let start = Instant::now();
        let first = Seen::update(None, &lease("a", 1), start);
        assert!(may_take(&first, "a", start), "who has it renews it");
        assert!(!may_take(&first, "b", start + HOLDS - Duration::from_millis(1)));
        let same = Seen::update(Some(first.clone()), &lease("a", 1), start + HOLDS);
        assert!(may_take(&same, "b", start + HOLDS));
        let renewed = Seen::update(Some(first), &lease("a", 2), start + HOLDS);
        assert!(
            !may_take(&renewed, "b", start + HOLDS),
            "whatever its own clock says, it was renewed just now"
        );
        let released = Seen::update(Some(renewed), &lease("", 2), start + HOLDS);
        assert!(may_take(&released, "b", start + HOLDS), "who leaves lets go of it");
    }
}
