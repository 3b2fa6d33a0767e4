//! Requests that do not go to just any endpoint: by a hash, by their keys, to several at once.

use std::net::SocketAddr;
use std::rc::Rc;

use codec_api::{Affinity, Cause, Message, Outgoing, Raw, Shares, Spread};

use crate::error::Failure;
use crate::exchange::{End, Exchange, Gathering};
use crate::upstream::{Cluster, Place};

use super::Asked;

/// Bytes of a request that is split.
const SPLIT_LIMIT: usize = 1 << 20;

/// Sends a request to where its cluster and its keys lead.
pub(super) fn dispatch(asked: &Asked<'_>, cluster: &Rc<Cluster>, mut exchange: Exchange) {
    let spread = asked.message.flow.spread;
    if asked.message.flow.affinity == Affinity::LastWrite {
        return after_last_writes(asked, cluster, exchange);
    }
    if spread == Spread::All {
        return to_all(asked, cluster, exchange);
    }
    let place = match cluster.hashed() {
        Some(hashed) if hashed.is_key => match spread {
            Spread::Keys => return by_keys(asked, cluster, exchange),
            Spread::Home => Place::Owner(cluster.hash(b"")),
            Spread::Sole if cluster.addresses().len() > 1 => {
                let text =
                    format!("it makes sense with one endpoint only, and {} has several", cluster.name());
                return exchange.end(End::Failed(Failure::Refused(Cause::Scattered), Some(&text)));
            }
            Spread::Sole | Spread::One | Spread::All => Place::Any,
        },
        Some(hashed) => match asked.value(&hashed.attribute) {
            Some(value) => {
                let hash = cluster.hash(&value);
                exchange.lead_by(hash);
                Place::Hashed(hash)
            }
            None => Place::Any,
        },
        None if spread == Spread::Home => Place::First,
        None => Place::Any,
    };
    cluster.dispatch(exchange, asked.message, asked.bytes, place);
}

fn hashes_of_keys(asked: &Asked<'_>, cluster: &Cluster) -> Vec<u64> {
    let mut keys = Vec::new();
    let bytes = asked.bytes.as_slice();
    asked.client.keys(asked.message, bytes, &mut keys);
    keys.iter().filter_map(|key| key.of(bytes)).map(|key| cluster.hash(key)).collect()
}

fn by_keys(asked: &Asked<'_>, cluster: &Rc<Cluster>, exchange: Exchange) {
    let hashes = hashes_of_keys(asked, cluster);
    let Some(first) = hashes.first() else {
        return cluster.dispatch(exchange, asked.message, asked.bytes, Place::Any);
    };
    let owners: Vec<_> = hashes.iter().filter_map(|hash| cluster.owner_of(*hash)).collect();
    if owners.iter().all(|owner| Some(owner) == owners.first()) {
        return cluster.dispatch(exchange, asked.message, asked.bytes, Place::Owner(*first));
    }
    let mut endpoints: Vec<SocketAddr> = Vec::new();
    let share = |owner: &SocketAddr| {
        let place = endpoints.iter().position(|known| known == owner);
        place.unwrap_or_else(|| {
            endpoints.push(*owner);
            endpoints.len() - 1
        }) as u16
    };
    let of_key: Box<[u16]> = owners.iter().map(share).collect();
    match split(asked, &of_key, endpoints.len() as u16) {
        Ok(parts) => {
            let gathering = Gathering::new(exchange, of_key, endpoints.len() as u16);
            for (share, ((message, bytes), address)) in parts.iter().zip(endpoints).enumerate() {
                let Some(part) = gathering.part(message, share as u16) else { return };
                cluster.dispatch(part, message, Raw::Slice(bytes), Place::At(address));
            }
        }
        Err(refusal) => {
            exchange.end(End::Failed(Failure::Refused(refusal.cause), Some(&refusal.text)));
        }
    }
}

/// Writes each share of a request as a request of its own.
fn split(
    asked: &Asked<'_>,
    of_key: &[u16],
    count: u16,
) -> Result<Vec<(Message, Vec<u8>)>, codec_api::Refusal> {
    let whole = Outgoing { message: asked.message, bytes: asked.bytes, id: asked.message.id };
    let shares = Shares { of_key, count };
    let part = |share| {
        let mut bytes = Vec::new();
        let message = asked.client.split(&whole, shares, share, &mut bytes)?;
        if asked.message.len > SPLIT_LIMIT {
            let text = format!(
                "its keys belong to {count} endpoints, and with {} bytes it is longer than the {SPLIT_LIMIT} that are split",
                asked.message.len
            );
            return Err(codec_api::Refusal { cause: Cause::TooLarge, text });
        }
        Ok((message, bytes))
    };
    (0..count).map(part).collect()
}

fn to_all(asked: &Asked<'_>, cluster: &Rc<Cluster>, exchange: Exchange) {
    let mut addresses = cluster.addresses();
    addresses.sort_unstable();
    if addresses.len() <= 1 {
        return cluster.dispatch(exchange, asked.message, asked.bytes, Place::Any);
    }
    let gathering = Gathering::new(exchange, Box::default(), addresses.len() as u16);
    for (share, address) in addresses.into_iter().enumerate() {
        let Some(part) = gathering.part(asked.message, share as u16) else { return };
        cluster.dispatch(part, asked.message, asked.bytes, Place::At(address));
    }
}

/// Sends a request after the last writes of its client, on the connections that carried them.
fn after_last_writes(asked: &Asked<'_>, cluster: &Rc<Cluster>, mut exchange: Exchange) {
    let lines = asked.client.last_writes();
    if lines.is_empty() {
        return cluster.dispatch(exchange, asked.message, asked.bytes, Place::Any);
    }
    let Some(lines) = lines.into_iter().collect::<Option<Vec<_>>>() else {
        let text = "the connection of the client's last write was lost";
        return exchange.end(End::Failed(Failure::ConnectionLost, Some(text)));
    };
    if let [line] = lines.as_slice() {
        exchange.attempt(line.endpoint());
        return line.clone().send(exchange, asked.message, asked.bytes);
    }
    let gathering = Gathering::new(exchange, Box::default(), lines.len() as u16);
    for (share, line) in lines.into_iter().enumerate() {
        let Some(mut part) = gathering.part(asked.message, share as u16) else { return };
        part.attempt(line.endpoint());
        line.send(part, asked.message, asked.bytes);
    }
}
