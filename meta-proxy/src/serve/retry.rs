//! Requests that are sent again after a try has failed.
//!
//! What has been sent may have been carried out, so only a request that its route declares idempotent is sent again, and
//! only where any endpoint is as good as the other for it. Each try is decided on when the one before it ends:
//! [`Tries::next`] says what follows, and the rest obeys.

use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use bytes::Bytes;
use codec_api::{Affinity, Kind, Message, Raw, Sharing, Spread, Status};
use tokio::time::{Instant, sleep};

use crate::error::Failure;
use crate::exchange::{Again, End, Exchange};
use crate::route::Attributes;
use crate::snapshot::{RetriesView, ServiceView};
use crate::upstream::{Cluster, Permit, Place, Share, Tried};

use super::{Asked, look_up, response};

/// Milliseconds until a request comes back to endpoints that have all failed it; they double from time to time.
const FIRST_PAUSE_MS: u32 = 25;
/// The longest such pause, in milliseconds.
const LONGEST_PAUSE_MS: u32 = 250;

/// Lets a request be sent again, if it may be. Only then are its bytes kept.
pub(super) fn prepare(
    asked: &Asked<'_>,
    service: &ServiceView,
    retries: &RetriesView,
    cluster: &Rc<Cluster>,
    exchange: &mut Exchange,
) {
    if !may_go_elsewhere(asked, cluster) || !may_repeat(asked, service, retries) {
        return;
    }
    let tries = Tries {
        left: retries.attempts,
        pauses: 0,
        per_try_timeout: retries.per_try_timeout,
        deadline: exchange.deadline(),
    };
    let now = exchange.local().now();
    let deadline = tries.deadline_of_next(now);
    let retry = Retry {
        began: now,
        cluster: cluster.clone(),
        message: *asked.message,
        bytes: asked.bytes.to_bytes(),
        place: Place::Any,
        tried: Vec::new(),
        share: cluster.share(),
        tries,
    };
    exchange.try_under(Box::new(retry), deadline);
}

/// Whether nothing ties a request to one connection or to one endpoint, or to its place among its client's others: what
/// changes data after what was asked later would undo it, where clients count on their order.
fn may_go_elsewhere(asked: &Asked<'_>, cluster: &Cluster) -> bool {
    let Message { kind, flow, .. } = asked.message;
    let is_tied = flow.writes && asked.client.is_in_order();
    let is_plain = *kind == Kind::Request && flow.affinity == Affinity::Free && !is_tied;
    let keeps_connections = asked.client.is_dedicated() || cluster.sharing() == Sharing::PerDownstream;
    let is_for_any = match flow.spread {
        Spread::One => true,
        Spread::Keys | Spread::Sole => !cluster.is_keyed(),
        Spread::Home | Spread::All => false,
    };
    is_plain && !keeps_connections && is_for_any
}

fn may_repeat(asked: &Asked<'_>, service: &ServiceView, retries: &RetriesView) -> bool {
    let Some(table) = &service.table else { return false };
    if asked.message.opaque.is_some() {
        return table.may_repeat_unseen(retries.route);
    }
    // By way of a trait object, so that what routes are found by is compiled for one caller.
    look_up(asked, table, None, |attributes| {
        table.may_repeat(retries.route, attributes as &mut dyn Attributes)
    })
}

/// A request that may be sent again.
struct Retry {
    /// When the try began that is under way.
    began: Instant,
    cluster: Rc<Cluster>,
    message: Message,
    bytes: Bytes,
    place: Place,
    /// Where it has been tried, the last one at the end.
    tried: Vec<SocketAddr>,
    share: Share,
    tries: Tries,
}

/// What is left to a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Tries {
    left: u32,
    /// Pauses that it has made.
    pauses: u32,
    per_try_timeout: Option<Duration>,
    /// When it is over, whatever its try.
    deadline: Option<Instant>,
}

/// How a try ended, for what may follow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ended {
    /// As another one would.
    ForGood,
    /// Another one may end better.
    Badly,
    /// The endpoint has too much to do: another one may have less, this one is not to be asked again.
    Overloaded,
}

/// Where a request could go next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Left {
    /// To an endpoint where it has not been.
    Another,
    /// Only to where it has been.
    Same,
    /// Nowhere: no endpoint is healthy.
    Nothing,
}

/// What follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Next {
    /// Its client is told how it ended.
    Tell,
    /// The same, though it would be tried again if that were allowed once more.
    Exhausted,
    /// It is sent again.
    Again,
    /// The same, after this pause.
    After(Duration),
}

impl Ended {
    fn of(end: &End<'_>) -> Self {
        match end {
            End::Sent => Self::ForGood,
            End::Response { message, .. } => match message.status {
                Status::Ok | Status::ApplicationError => Self::ForGood,
                Status::ServerError => Self::Badly,
                Status::Overloaded => Self::Overloaded,
            },
            End::Failed(failure, _) => match failure {
                Failure::ConnectFailure
                | Failure::ConnectionLost
                | Failure::UpstreamProtocol
                | Failure::Timeout => Self::Badly,
                Failure::NoRoute
                | Failure::NoRouteConfiguration
                | Failure::Misconfigured
                | Failure::NoCluster
                | Failure::NoEndpoint
                | Failure::TooManyConnections
                | Failure::TooManyPending
                | Failure::TooManyRequests
                | Failure::RateLimited
                | Failure::Cancelled
                | Failure::Refused(_) => Self::ForGood,
            },
        }
    }
}

impl Tries {
    /// What follows a try that has ended so; `pause` is for where there is no other endpoint.
    fn next(&self, ended: Ended, now: Instant, left: Left, pause: Duration) -> Next {
        let is_over = |time| self.deadline.is_some_and(|deadline| deadline <= time);
        match (ended, left) {
            (Ended::ForGood, _) | (_, Left::Nothing) | (Ended::Overloaded, Left::Same) => Next::Tell,
            _ if is_over(now) => Next::Tell,
            _ if self.left == 0 => Next::Exhausted,
            (_, Left::Another) => Next::Again,
            (_, Left::Same) if is_over(now + pause) => Next::Tell,
            (_, Left::Same) => Next::After(pause),
        }
    }

    /// When a try that begins now is over.
    fn deadline_of_next(&self, now: Instant) -> Option<Instant> {
        let of_try = self.per_try_timeout.and_then(|time| now.checked_add(time));
        [of_try, self.deadline].into_iter().flatten().min()
    }
}

impl Again for Retry {
    fn attempt(&mut self, endpoint: SocketAddr) {
        self.tried.push(endpoint);
    }

    fn lead_by(&mut self, hash: u64) {
        self.place = Place::Hashed(hash);
    }

    fn began(&self) -> Instant {
        self.began
    }

    fn end(mut self: Box<Self>, mut exchange: Exchange, end: End<'_>) {
        if exchange.is_cancelled() {
            return;
        }
        let next = self.next(&exchange, &end);
        let permit = match next {
            Next::Tell => None,
            Next::Exhausted => {
                exchange.exhaust();
                None
            }
            Next::Again | Next::After(_) => self.permit(&mut exchange),
        };
        match (permit, next) {
            (Some(permit), Next::After(pause)) => self.send_after(pause, exchange, permit),
            (Some(permit), _) => self.send(exchange, permit),
            (None, _) => response(exchange, end),
        }
    }
}

impl Retry {
    fn next(&self, exchange: &Exchange, end: &End<'_>) -> Next {
        let ended = Ended::of(end);
        if ended == Ended::ForGood {
            return Next::Tell;
        }
        let local = exchange.local();
        let pause = local.pause(FIRST_PAUSE_MS, self.tries.pauses, LONGEST_PAUSE_MS);
        let left = match self.has_other() {
            true => Left::Another,
            false if self.cluster.has_other(&Tried::default()) => Left::Same,
            false => Left::Nothing,
        };
        self.tries.next(ended, local.now(), left, pause)
    }

    /// Whether there is an endpoint where it has not been tried.
    fn has_other(&self) -> bool {
        self.cluster.has_other(&Tried::by_earlier(self.tried.clone()))
    }

    /// Permission to send it again; `None`: there are too many others.
    fn permit(&mut self, exchange: &mut Exchange) -> Option<Permit> {
        if !self.cluster.permits_retry(&mut self.share) {
            exchange.local().series().retries_over_budget.inc();
            exchange.exhaust();
            return None;
        }
        self.cluster.permit_request()
    }

    fn send(mut self: Box<Self>, mut exchange: Exchange, permit: Permit) {
        exchange.local().series().retries.inc();
        self.tries.left -= 1;
        self.began = exchange.local().now();
        let deadline = self.tries.deadline_of_next(self.began);
        let (cluster, message, bytes) = (self.cluster.clone(), self.message, self.bytes.clone());
        let to = (self.place, Tried::by_earlier(self.tried.clone()));
        exchange.try_under(self, deadline);
        cluster.dispatch_again(exchange, (&message, Raw::Shared(&bytes)), to, permit);
    }

    /// Sends it again to one of the endpoints that have all failed it, but not to the last one where there is another.
    fn send_after(mut self: Box<Self>, pause: Duration, exchange: Exchange, permit: Permit) {
        self.tries.pauses += 1;
        tokio::task::spawn_local(async move {
            sleep(pause).await;
            exchange.local().tick();
            if exchange.is_cancelled() {
                return;
            }
            self.tried.drain(..self.tried.len().saturating_sub(1));
            if !self.has_other() {
                self.tried.clear();
            }
            self.send(exchange, permit);
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    #[test]
    fn what_follows_a_try() {
        let began = Instant::now();
        let tries = |left, deadline: Option<u32>| Tries {
            left,
            pauses: 0,
            per_try_timeout: None,
            deadline: deadline.map(|deadline| began + deadline * MS),
        };
        let pause = 20 * MS;
        let rows = [
            // How it ended, how many are left and where, and its deadline: at 100 milliseconds.
            (Ended::ForGood, 3, Left::Another, None, Next::Tell),
            (Ended::Badly, 3, Left::Another, None, Next::Again),
            (Ended::Badly, 3, Left::Same, None, Next::After(pause)),
            (Ended::Badly, 3, Left::Nothing, None, Next::Tell),
            (Ended::Badly, 0, Left::Another, None, Next::Exhausted),
            (Ended::Badly, 0, Left::Same, None, Next::Exhausted),
            (Ended::Badly, 3, Left::Another, Some(100), Next::Tell),
            (Ended::Badly, 0, Left::Another, Some(100), Next::Tell),
            (Ended::Badly, 3, Left::Another, Some(101), Next::Again),
            (Ended::Badly, 3, Left::Same, Some(120), Next::Tell),
            (Ended::Badly, 3, Left::Same, Some(121), Next::After(pause)),
            (Ended::Overloaded, 3, Left::Another, None, Next::Again),
            (Ended::Overloaded, 3, Left::Same, None, Next::Tell),
            (Ended::Overloaded, 0, Left::Another, None, Next::Exhausted),
        ];
        for (ended, count, left, deadline, expected) in rows {
            let next = tries(count, deadline).next(ended, began + 100 * MS, left, pause);
            assert_eq!(next, expected, "{ended:?} {count} {left:?} {deadline:?}");
        }
    }

    #[test]
    fn a_try_is_over_at_its_own_time_or_at_that_of_its_request() {
        let now = Instant::now();
        let rows = [
            (None, None, None),
            (Some(5), None, Some(5)),
            (None, Some(7), Some(7)),
            (Some(5), Some(7), Some(5)),
            (Some(9), Some(7), Some(7)),
        ];
        for (per_try, deadline, expected) in rows {
            let tries = Tries {
                left: 1,
                pauses: 0,
                per_try_timeout: per_try.map(|time| time * MS),
                deadline: deadline.map(|time: u32| now + time * MS),
            };
            assert_eq!(tries.deadline_of_next(now), expected.map(|time: u32| now + time * MS));
        }
    }
}
