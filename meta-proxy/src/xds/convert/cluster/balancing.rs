//! How the endpoints of a cluster are chosen: Envoy's `lb_policy`, and what is hashed from our policy.

use ::xds::envoy::envoy::config::cluster::v3::{self as pb, cluster as parts};
use ::xds::envoy::google::protobuf::UInt64Value;
use parts::{LbConfig, LbPolicy};

use crate::model::LoadBalancing;
use crate::upstream::{MAGLEV_TABLE_LIMIT, RING_LIMIT, is_prime};
use crate::xds::convert::mistakes::{Mistakes, refuse_rest};

/// Bytes of the name of the attribute that is hashed.
pub const HASH_ATTRIBUTE_LIMIT: usize = 256;
/// Places of Maglev's table where the cluster does not say.
const DEFAULT_TABLE_SIZE: u32 = 65_537;

/// Takes it out of `message`. `hash_attribute` is `None` where the policy that would say it cannot be read.
pub(super) fn read(
    message: &mut pb::Cluster,
    hash_attribute: Option<String>,
    mistakes: &mut Mistakes,
) -> Option<LoadBalancing> {
    let (number, config) = (std::mem::take(&mut message.lb_policy), message.lb_config.take());
    let policy = match LbPolicy::try_from(number) {
        Ok(
            policy @ (LbPolicy::RoundRobin
            | LbPolicy::LeastRequest
            | LbPolicy::Random
            | LbPolicy::RingHash
            | LbPolicy::Maglev),
        ) => policy,
        other => {
            let name = other.map_or_else(|_| number.to_string(), |policy| policy.as_str_name().to_owned());
            let text = format!(
                "{name} is not supported yet; ROUND_ROBIN, LEAST_REQUEST, RANDOM, RING_HASH and MAGLEV are served"
            );
            mistakes.add("lb_policy", text);
            return None;
        }
    };
    let attribute = attribute(policy, hash_attribute, mistakes);
    let is_of_policy = match config {
        None => true,
        Some(LbConfig::LeastRequestLbConfig(_)) => policy == LbPolicy::LeastRequest,
        Some(LbConfig::RoundRobinLbConfig(_)) => policy == LbPolicy::RoundRobin,
        Some(LbConfig::RingHashLbConfig(_)) => policy == LbPolicy::RingHash,
        Some(LbConfig::MaglevLbConfig(_)) => policy == LbPolicy::Maglev,
        Some(LbConfig::OriginalDstLbConfig(_)) => false,
    };
    if !is_of_policy {
        mistakes.add("lb_config", "is not the one of the cluster's lb_policy");
        return None;
    }
    match (policy, config) {
        (LbPolicy::RingHash, config) => {
            let minimum_ring_size = match config {
                Some(LbConfig::RingHashLbConfig(config)) => ring_size(config, mistakes),
                _ => None,
            };
            Some(LoadBalancing::RingHash { attribute: attribute?, minimum_ring_size })
        }
        (LbPolicy::Maglev, config) => {
            let asked = match config {
                Some(LbConfig::MaglevLbConfig(config)) => table_size(config, mistakes),
                _ => None,
            };
            let table_size = asked.unwrap_or(DEFAULT_TABLE_SIZE);
            Some(LoadBalancing::Maglev { attribute: attribute?, table_size })
        }
        (LbPolicy::LeastRequest, config) => {
            if let Some(LbConfig::LeastRequestLbConfig(config)) = config {
                least_request(config, mistakes);
            }
            Some(LoadBalancing::LeastRequest)
        }
        (LbPolicy::Random, _) => Some(LoadBalancing::Random),
        (_, config) => {
            if let Some(LbConfig::RoundRobinLbConfig(config)) = config {
                refuse_rest!(config, "round_robin_lb_config", mistakes, [slow_start_config]);
            }
            Some(LoadBalancing::RoundRobin)
        }
    }
}

/// The attribute that is hashed: there is one just where the policy hashes.
fn attribute(policy: LbPolicy, named: Option<String>, mistakes: &mut Mistakes) -> Option<String> {
    let (named, at) = (named?, "hash_attribute");
    let name = policy.as_str_name();
    match (policy, named.len()) {
        (LbPolicy::RingHash | LbPolicy::Maglev, 0) => {
            mistakes.add(at, format!("must be set where lb_policy is {name}: it names what is hashed"));
        }
        (LbPolicy::RingHash | LbPolicy::Maglev, 1..=HASH_ATTRIBUTE_LIMIT) => return Some(named),
        (LbPolicy::RingHash | LbPolicy::Maglev, _) => {
            mistakes.add(at, format!("is longer than {HASH_ATTRIBUTE_LIMIT} bytes"));
        }
        (_, 0) => {}
        _ => mistakes.add(at, format!("must not be set where lb_policy is {name}, which hashes nothing")),
    }
    None
}

fn least_request(mut config: parts::LeastRequestLbConfig, mistakes: &mut Mistakes) {
    // Two choices are what least request makes anyway.
    config.choice_count.take_if(|count| count.value == 2);
    let at = "least_request_lb_config";
    refuse_rest!(config, at, mistakes, [choice_count, active_request_bias, slow_start_config]);
}

/// Points that the ring has at least; `None`: as many as usual.
fn ring_size(mut config: parts::RingHashLbConfig, mistakes: &mut Mistakes) -> Option<u32> {
    let at = "ring_hash_lb_config";
    let asked = config.minimum_ring_size.take();
    // The default stands for the ring that this proxy makes; any other would be another one.
    refuse_rest!(config, at, mistakes, [hash_function, maximum_ring_size]);
    let UInt64Value { value } = asked?;
    let size = u32::try_from(value).ok().filter(|size| *size as usize <= RING_LIMIT);
    if size.is_none() {
        mistakes.add(
            format_args!("{at}.minimum_ring_size"),
            format!("must be at most {RING_LIMIT}, not {value}"),
        );
    }
    size
}

/// Places of the table; `None`: as many as usual.
fn table_size(config: parts::MaglevLbConfig, mistakes: &mut Mistakes) -> Option<u32> {
    let UInt64Value { value } = config.table_size?;
    let is_right = |size: &u32| *size <= MAGLEV_TABLE_LIMIT && is_prime(*size);
    let size = u32::try_from(value).ok().filter(is_right);
    if size.is_none() {
        let text = format!("must be a prime up to {MAGLEV_TABLE_LIMIT}, not {value}");
        mistakes.add("maglev_lb_config.table_size", text);
    }
    size
}
