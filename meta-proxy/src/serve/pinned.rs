//! Requests of a client that is pinned to one upstream connection: they go there or nowhere.

use codec_api::{Cause, Spread};

use crate::error::Failure;
use crate::exchange::{End, Line};
use crate::snapshot::{RouteView, ServiceView, Targets};

use super::limit::is_about_pin;
use super::{Asked, begin, find_route, turn_away};

/// Serves one request on its client's pin, whatever clusters its route leads to: a transaction is not torn apart by
/// routes. A request that no route matches is refused here as elsewhere, but for what belongs to the pin itself.
pub(super) fn request(asked: &Asked<'_>, service: &ServiceView, method: Option<&[u8]>) {
    let Some(pin) = asked.client.pin() else { return };
    let route = match find_route(asked, service) {
        Ok(route) => Some(route),
        Err(_) if is_about_pin(asked) => None,
        Err(failure) => return turn_away(asked, service, method, failure),
    };
    let mut exchange = begin(asked, service, route, method);
    if let Some(RouteView { edits, targets, .. }) = route {
        if let Targets::Misconfigured(reason) = targets {
            return exchange.end(End::Failed(Failure::Misconfigured, Some(reason)));
        }
        exchange.edit(edits);
    }
    exchange.choose(pin.cluster());
    if !has_its_place(asked, &*pin) {
        let text = format!("its client is pinned to {}, and it belongs elsewhere", pin.endpoint());
        return exchange.end(End::Failed(Failure::Refused(Cause::Scattered), Some(&text)));
    }
    exchange.attempt(pin.endpoint());
    pin.send(exchange, asked.message, asked.bytes);
}

/// Whether a request may be served by the endpoint that its client is pinned to.
fn has_its_place(asked: &Asked<'_>, pin: &dyn Line) -> bool {
    match asked.message.flow.spread {
        Spread::One => true,
        Spread::Home => pin.owns(b""),
        Spread::Sole | Spread::All => pin.is_sole(),
        Spread::Keys => owns_keys(asked, pin),
    }
}

fn owns_keys(asked: &Asked<'_>, pin: &dyn Line) -> bool {
    if pin.is_sole() {
        return true;
    }
    let (mut keys, bytes) = (Vec::new(), asked.bytes.as_slice());
    asked.client.keys(asked.message, bytes, &mut keys);
    keys.iter().filter_map(|key| key.of(bytes)).all(|key| pin.owns(key))
}
