//! Which endpoint gets a request.

use std::cell::Cell;
use std::rc::Rc;

use crate::local::Local;
use crate::model::LoadBalancing;

use super::endpoint::Endpoint;

/// Chooses among endpoints, leaving out those that were tried.
pub struct Balancer {
    kind: LoadBalancing,
    next: Cell<usize>,
}

impl Balancer {
    /// A balancer of this kind.
    pub fn new(kind: LoadBalancing) -> Self {
        Self { kind, next: Cell::new(0) }
    }

    /// The endpoint for the next request; `None`: all were tried.
    pub fn choose<'a>(
        &self,
        endpoints: &'a [Rc<Endpoint>],
        is_tried: impl Fn(&Endpoint) -> bool,
        local: &Local,
    ) -> Option<&'a Rc<Endpoint>> {
        let count = endpoints.len();
        if count <= 1 {
            return endpoints.first().filter(|endpoint| !is_tried(endpoint));
        }
        match self.kind {
            LoadBalancing::RoundRobin => {
                let start = self.next.get() % count;
                self.next.set(start + 1);
                from(endpoints, start, &is_tried)
            }
            LoadBalancing::LeastRequest => {
                let first = local.random(count as u32) as usize;
                let second = (first + 1 + local.random(count as u32 - 1) as usize) % count;
                let one = from(endpoints, first, &is_tried)?;
                let other = from(endpoints, second, &is_tried)?;
                Some(if other.active() < one.active() { other } else { one })
            }
        }
    }
}

/// The first endpoint from `start` on, in a circle, that was not tried.
fn from<'a>(
    endpoints: &'a [Rc<Endpoint>],
    start: usize,
    is_tried: &impl Fn(&Endpoint) -> bool,
) -> Option<&'a Rc<Endpoint>> {
    let (before, after) = endpoints.split_at(start);
    after.iter().chain(before).find(|endpoint| !is_tried(endpoint))
}
