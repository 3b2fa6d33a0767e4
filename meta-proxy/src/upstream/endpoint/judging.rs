//! What an endpoint's requests say of it, for and against.

use std::rc::Rc;
use std::sync::Arc;

use codec_api::Status;

use crate::model::HealthCheck;
use crate::upstream::cluster::Cluster;
use crate::upstream::probe::Probe;
use crate::upstream::standing::{Evidence, Standing};

use super::Endpoint;

impl Endpoint {
    /// Takes its standing with the whole process; `None`: it is not judged.
    pub(in crate::upstream) fn stand(&self, standing: Option<Arc<Standing>>) {
        self.judged.set(standing.is_some());
        self.standing.replace(standing);
    }

    /// Has it pinged as `policy` says, or no longer.
    pub(in crate::upstream) fn check(&self, cluster: &Rc<Cluster>, policy: Option<&HealthCheck>) {
        let mut probe = self.probe.borrow_mut();
        let Some(policy) = policy else { return *probe = None };
        if !probe.as_ref().is_some_and(|probe| probe.follows(policy)) {
            *probe = Some(Probe::start(cluster, self.address, policy));
        }
    }

    /// Whether it gets no requests, unless there is panic.
    #[inline]
    pub(in crate::upstream) fn is_out(&self) -> bool {
        self.judged.get() && self.standing.borrow().as_ref().is_some_and(|standing| standing.is_out())
    }

    /// Takes note of a response.
    #[inline]
    pub(in crate::upstream) fn judge_response(&self, status: Status) {
        if self.judged.get() {
            self.judge(match status {
                Status::Ok | Status::ApplicationError => Evidence::Good,
                Status::ServerError => Evidence::Bad("a server error"),
                Status::Overloaded => Evidence::Bad("it was overloaded"),
            });
        }
    }

    /// Takes note of how a request ended.
    pub(in crate::upstream) fn judge(&self, evidence: Evidence) {
        let standing = self.standing.borrow();
        let (Some(standing), Some(cluster)) = (&*standing, self.cluster.upgrade()) else { return };
        let settings = cluster.settings();
        let Some(policy) = &settings.model.health.outliers else { return };
        if let Some(why) = standing.note(evidence, policy) {
            let now = cluster.local().now();
            settings.usage.roster.eject(cluster.name(), self.address, &why, policy, now);
        }
    }
}
