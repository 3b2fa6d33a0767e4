//! `loadBalancer`: how the endpoints of a cluster are chosen.
//!
//! A mistake in what is hashed, or how, does not end in some other way of balancing: keys that live on one endpoint each
//! must not be looked for on all of them. The proxy then refuses the cluster, and keeps what it had.

use crds::istio::{ConsistentHash, DestinationRuleSpec, LoadBalancer};
use xds::SOURCE_ADDRESS;

use super::model::Balancing;
use super::report::Report;
use crate::nearest;
use crate::object::Object;
use crate::tree::FieldPath;

/// Points that a ring may be asked to have, as the proxy has it.
pub const RING_SIZE_LIMIT: u64 = 1 << 20;
/// Places that a table may have, as the proxy has it.
pub const TABLE_SIZE_LIMIT: u64 = 1 << 20;

/// Ways to say what is hashed that are of HTTP. They are warned of like every field that is not.
const OTHER_KEYS: [&str; 2] = ["httpCookie", "httpQueryParameterName"];

/// What stands at `path`; `None`: nothing that is served.
pub(crate) fn read(
    object: &Object<DestinationRuleSpec>,
    balancer: &LoadBalancer,
    path: &FieldPath,
    report: &mut Report,
) -> Option<Balancing> {
    let simple = balancer.simple.as_deref();
    if let Some(hash) = &balancer.consistent_hash {
        if simple.is_some() {
            let message = "`simple` and `consistentHash` exclude each other; remove one";
            report.error(object, &path.field("simple"), message);
        }
        return consistent_hash(object, hash, &path.field("consistentHash"), report);
    }
    by_name(object, simple?, &path.field("simple"), report)
}

fn consistent_hash(
    object: &Object<DestinationRuleSpec>,
    hash: &ConsistentHash,
    path: &FieldPath,
    report: &mut Report,
) -> Option<Balancing> {
    let mut attribute = hash.http_header_name.clone().unwrap_or_default();
    if hash.use_source_ip == Some(true) {
        if attribute.is_empty() {
            SOURCE_ADDRESS.clone_into(&mut attribute);
        } else {
            let message = "`httpHeaderName` and `useSourceIp` exclude each other; remove one";
            report.error(object, &path.field("useSourceIp"), message);
        }
    }
    if attribute.is_empty() {
        if OTHER_KEYS.iter().any(|field| object.unserved.contains(&path.field(field))) {
            return None;
        }
        let message = "must name the attribute that is hashed, whatever the protocol";
        report.error(object, &path.field("httpHeaderName"), message);
    }
    let ring = hash.ring_hash.as_ref();
    let Some(maglev) = &hash.maglev else {
        let newer = ring.and_then(|ring| ring.minimum_ring_size);
        if newer.and(hash.minimum_ring_size).is_some() {
            let message =
                "is the older place of `ringHash.minimumRingSize`, which is set too; remove this one";
            report.error(object, &path.field("minimumRingSize"), message);
        }
        let at = match newer {
            Some(_) => path.field("ringHash").field("minimumRingSize"),
            None => path.field("minimumRingSize"),
        };
        // As with Istio, 0 is the same as nothing.
        let minimum_ring_size = newer.or(hash.minimum_ring_size).filter(|size| *size > 0);
        if minimum_ring_size.is_some_and(|size| size > RING_SIZE_LIMIT) {
            report.error(object, &at, format!("must be at most {RING_SIZE_LIMIT}"));
        }
        return Some(Balancing::RingHash { attribute, minimum_ring_size });
    };
    if ring.is_some() {
        let message = "`ringHash` and `maglev` exclude each other; remove one";
        report.error(object, &path.field("ringHash"), message);
    } else if hash.minimum_ring_size.is_some() {
        report.warning(
            object,
            &path.field("minimumRingSize"),
            "has no effect: with `maglev` there is no ring",
        );
    }
    let table_size = maglev.table_size.filter(|size| *size > 0);
    if let Some(size) = table_size.filter(|size| *size > TABLE_SIZE_LIMIT || !is_prime(*size)) {
        let message = format!("must be a prime up to {TABLE_SIZE_LIMIT}, such as 65537; {size} is not");
        report.error(object, &path.field("maglev").field("tableSize"), message);
    }
    Some(Balancing::Maglev { attribute, table_size })
}

/// Whether a number up to [`TABLE_SIZE_LIMIT`] is a prime.
fn is_prime(number: u64) -> bool {
    number > 1 && (2..=number.isqrt()).all(|divisor| !number.is_multiple_of(divisor))
}

fn by_name(
    object: &Object<DestinationRuleSpec>,
    simple: &str,
    path: &FieldPath,
    report: &mut Report,
) -> Option<Balancing> {
    const SERVED: [&str; 5] = ["ROUND_ROBIN", "LEAST_REQUEST", "LEAST_CONN", "RANDOM", "UNSPECIFIED"];
    match simple {
        "ROUND_ROBIN" => return Some(Balancing::RoundRobin),
        "LEAST_REQUEST" | "LEAST_CONN" | "UNSPECIFIED" => return Some(Balancing::LeastRequest),
        "RANDOM" => return Some(Balancing::Random),
        "PASSTHROUGH" => {
            let message =
                format!("{simple} is not supported yet; requests go to the less loaded endpoint of two");
            report.warning(object, path, message);
        }
        _ => {
            let message = format!(
                "there is no {simple}{}; there are {}",
                nearest::hint(simple, SERVED),
                SERVED.join(", ")
            );
            report.error(object, path, message);
        }
    }
    None
}
