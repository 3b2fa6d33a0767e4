//! What a request may ask of the way that it takes, and what clients and endpoints see of it, on pipes and a paused clock.

#![allow(clippy::unwrap_used, reason = "a scene that goes wrong is a test that fails")]

#[path = "../support/mod.rs"]
mod support;

mod back_off;
mod barriers;
mod chaos;
mod dedicated;
mod half_closed;
mod in_order;
mod last_write;
mod limits;
mod outliers;
mod ownership;
mod pings;
mod pins;
mod pool;
mod reset;
mod seen;
mod sessions;
mod splits;
mod source;
mod spread;
mod strict;
mod why;

use std::time::Duration;

use codec_api::{Conduct, Order};
use support::{Actor, World};
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::time::timeout;

/// Connections that an endpoint accepts.
type Accepted = UnboundedReceiver<Actor>;

/// A worker without clusters; clients and endpoints both want their answers in order.
fn ordered() -> World {
    let mut conduct = Conduct::default();
    conduct.order = Order::InOrder;
    let mut world = World::new();
    (world.conduct, world.upstream_order) = (conduct, Order::InOrder);
    world
}

/// The same with one endpoint, to which everything goes.
fn one_endpoint() -> (World, Accepted) {
    let mut world = ordered();
    let accepted = world.accepting("all", 1);
    world.route(None, "all");
    world.apply();
    (world, accepted)
}

/// The same, whose requests have this many milliseconds.
fn one_hasty_endpoint(milliseconds: u64) -> (World, Accepted) {
    let mut world = ordered();
    let accepted = world.accepting("all", 1);
    world.route(None, "all").timeout = Some(Duration::from_millis(milliseconds));
    world.apply();
    (world, accepted)
}

/// The next connection.
async fn next(accepted: &mut Accepted) -> Actor {
    timeout(Duration::from_mins(10), accepted.recv()).await.expect("in time").expect("a connection")
}

/// Nobody connects, whatever is under way.
async fn nobody_connects(accepted: &mut Accepted) {
    assert!(timeout(Duration::from_micros(100), accepted.recv()).await.is_err(), "one more connection");
}
