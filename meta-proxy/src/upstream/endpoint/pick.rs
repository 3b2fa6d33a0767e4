//! Which of an endpoint's connections may carry a request, now or when it has waited for one.

use std::rc::Rc;

use codec_api::{Affinity, Order, Sharing};

use crate::exchange::Exchange;
use crate::upstream::cluster::Cluster;
use crate::upstream::connection::{Connection, Role};
use crate::upstream::waiting::{Need, Waiting};

use super::{Endpoint, address_of};

/// Pooled connections from which on one is given away though whoever has just written on it may want it next.
const RESTING: usize = 16;

impl Endpoint {
    /// The one shared connection, where there is no more to say: most requests find it so.
    #[inline]
    pub(super) fn pick_plain(&self, cluster: &Cluster, exchange: &Exchange) -> Option<Rc<Connection>> {
        let shared = self.shared.borrow();
        let [only] = shared.as_slice() else { return None };
        let is_plain = cluster.sharing() == Sharing::Shared(1) && exchange.is_plain() && only.is_plain();
        is_plain.then(|| only.clone())
    }

    /// A connection that can carry the request now.
    pub(super) fn pick(&self, cluster: &Cluster, need: &Need, exchange: &Exchange) -> Option<Rc<Connection>> {
        match need {
            Need::Shared => self.pick_shared(cluster, exchange),
            Need::Private => self.pick_pooled(exchange),
            Need::Kept => self.pick_kept(exchange).or_else(|| self.pick_pooled(exchange)),
            Need::Own => self.pick_kept(exchange),
            Need::This(connection) => Some(connection.clone()),
        }
    }

    /// The usable shared connection with the fewest requests outstanding.
    fn pick_shared(&self, cluster: &Cluster, exchange: &Exchange) -> Option<Rc<Connection>> {
        let connections = self.shared.borrow();
        let is_joinable = |connection: &&Rc<Connection>| {
            connection.is_usable()
                && connection.is_set_up_for(exchange.session())
                && (!connection.is_hindered() || exchange.affinity() == Affinity::LastWrite)
        };
        let mut usable = connections.iter().filter(is_joinable);
        let chosen = match cluster.sharing() {
            Sharing::Shared(most) if most == 1 || cluster.order() == Order::InOrder => usable.next(),
            Sharing::Shared(_) => usable.min_by_key(|connection| connection.outstanding()),
            Sharing::Exclusive => usable.find(|connection| connection.outstanding() == 0),
            Sharing::PerDownstream => None,
        };
        let chosen = chosen?;
        match carrier(cluster, &connections, chosen, exchange) {
            None => Some(chosen.clone()),
            Some(carrier) => Some(carrier).filter(is_joinable).cloned(),
        }
    }

    fn pick_pooled(&self, exchange: &Exchange) -> Option<Rc<Connection>> {
        let pool = self.pool.borrow();
        let suits = |connection: &Rc<Connection>| {
            connection.is_clean() && connection.is_set_up_for(exchange.session())
        };
        let is_at_rest = |connection: &&Rc<Connection>| {
            suits(connection) && !connection.is_awaited_by_another(exchange.client())
        };
        let at_rest = pool.iter().rev().find(is_at_rest);
        // Whoever has just written may ask next whether replicas have it, on that very connection: others come second.
        at_rest.or_else(|| pool.iter().find(|one| pool.len() >= RESTING && suits(one))).cloned()
    }

    fn pick_kept(&self, exchange: &Exchange) -> Option<Rc<Connection>> {
        let client = exchange.client()?;
        let mut kept = self.kept.borrow_mut();
        let known = kept.get(&address_of(client)).filter(|known| known.is_of(client))?;
        let changes_session = exchange.affinity() == Affinity::Session;
        if known.role() == Role::Own && !changes_session && !known.is_set_up_for(exchange.session()) {
            // It was set up for what its client has left behind.
            known.wind_up();
            kept.remove(&address_of(client));
            return None;
        }
        Some(known.clone()).filter(|known| known.is_usable())
    }

    /// Whether each connection carries one request at a time, so that none is better than another.
    pub(in crate::upstream) fn is_exclusive(&self) -> bool {
        self.cluster.upgrade().is_some_and(|cluster| cluster.sharing() == Sharing::Exclusive)
    }

    /// Whether requests go on `connection` only while an older one is held up.
    pub(in crate::upstream) fn is_surplus(&self, connection: &Connection) -> bool {
        let Some(cluster) = self.cluster.upgrade() else { return false };
        let are_equals = match cluster.sharing() {
            Sharing::Exclusive => true,
            Sharing::Shared(most) => most > 1 && cluster.order() != Order::InOrder,
            Sharing::PerDownstream => false,
        };
        if are_equals {
            return false;
        }
        let is_it = |known: &Rc<Connection>| std::ptr::eq(Rc::as_ptr(known), connection);
        let purpose = connection.purpose();
        let shared = self.shared.borrow();
        shared.iter().take_while(|known| !is_it(known)).any(|older| older.serves(&purpose))
    }

    /// Whether `connection`, which is usable, may carry `waiting`.
    pub(super) fn suits(&self, cluster: &Cluster, connection: &Rc<Connection>, waiting: &Waiting) -> bool {
        let exchange = &waiting.exchange;
        let is_theirs = || exchange.client().is_some_and(|client| connection.is_of(client));
        match &waiting.need {
            Need::This(this) => Rc::ptr_eq(this, connection) && (connection.is_free() || is_theirs()),
            Need::Private => {
                let is_given = self.connecting.borrow().is_empty()
                    || !connection.is_awaited_by_another(exchange.client());
                connection.is_free() && connection.is_set_up_for(exchange.session()) && is_given
            }
            Need::Kept => connection.role() == Role::Private && is_theirs(),
            Need::Own => connection.role() == Role::Own && is_theirs(),
            Need::Shared => {
                connection.role() == Role::Shared
                    && !(cluster.sharing() == Sharing::Exclusive && connection.outstanding() > 0)
                    && !connection.is_hindered()
                    && connection.is_set_up_for(exchange.session())
                    && carrier(cluster, &self.shared.borrow(), connection, exchange).is_none()
            }
        }
    }
}

/// The other connection on which requests of the same client are under way: endpoints keep the order of one connection,
/// not of two. What a client has asked in another session is answered before its next request is decoded.
fn carrier<'a>(
    cluster: &Cluster,
    connections: &'a [Rc<Connection>],
    chosen: &Rc<Connection>,
    exchange: &Exchange,
) -> Option<&'a Rc<Connection>> {
    if connections.len() < 2 || cluster.order() != Order::InOrder {
        return None;
    }
    let client = exchange.client()?;
    connections.iter().find(|other| {
        !Rc::ptr_eq(other, chosen) && other.is_set_up_for(exchange.session()) && other.carries(client)
    })
}
