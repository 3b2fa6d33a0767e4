//! `envoy.config.endpoint.v3.ClusterLoadAssignment`, as a resource and inside a cluster.

use std::collections::HashSet;
use std::hash::Hash;
use std::sync::Arc;

use ::xds::Resource;
use ::xds::envoy::envoy::config::core::v3 as core;
use ::xds::envoy::envoy::config::endpoint::v3 as pb;

use crate::model;
use crate::xds::convert::mistakes::{Mistakes, path, refuse_rest};
use crate::xds::convert::read::{check_name, decode_body, socket_address};

/// Endpoints that one assignment may have.
pub const ENDPOINTS_LIMIT: usize = 100_000;

/// Converts an assignment whose endpoints are IP addresses.
pub(crate) fn convert(resource: &Resource, mistakes: &mut Mistakes) -> Option<Arc<model::Endpoints>> {
    let message: pb::ClusterLoadAssignment = decode_body(resource, mistakes)?;
    check_name(resource, "cluster_name", &message.cluster_name, mistakes);
    let addresses = usable(message, "", socket_address, mistakes)?;
    let endpoints = addresses.into_iter().map(|address| model::Endpoint { address }).collect();
    Some(Arc::new(model::Endpoints { name: resource.name.clone(), endpoints }))
}

/// How an address is read, given its path.
pub(crate) type ReadAddress<T> = fn(Option<core::Address>, &str, &mut Mistakes) -> Option<T>;

/// The addresses of the endpoints that may get requests, in order, without repetitions. All others are checked, too.
pub(crate) fn usable<T: Clone + Eq + Hash>(
    mut message: pb::ClusterLoadAssignment,
    at: &str,
    read: ReadAddress<T>,
    mistakes: &mut Mistakes,
) -> Option<Vec<T>> {
    let localities = std::mem::take(&mut message.endpoints);
    message.cluster_name = String::new();
    refuse_rest!(message, at, mistakes, [named_endpoints, policy]);
    let count: usize = localities.iter().map(|locality| locality.lb_endpoints.len()).sum();
    if count > ENDPOINTS_LIMIT {
        let text = format!("holds {count} endpoints; at most {ENDPOINTS_LIMIT} are allowed");
        mistakes.add(path(at, "endpoints"), text);
        return None;
    }
    let (mut addresses, mut seen, mut all_good) = (Vec::with_capacity(count), HashSet::new(), true);
    for (index, locality) in localities.into_iter().enumerate() {
        let at = path(at, &format!("endpoints[{index}]"));
        for (index, endpoint) in endpoints_of(locality, &at, mistakes).into_iter().enumerate() {
            let at = format!("{at}.lb_endpoints[{index}]");
            let usable = gets_requests(endpoint.health_status);
            match address_of(endpoint, &at, mistakes).and_then(|(address, at)| read(address, &at, mistakes)) {
                Some(address) if usable && seen.insert(address.clone()) => addresses.push(address),
                Some(_) => {}
                None => all_good = false,
            }
        }
    }
    all_good.then_some(addresses)
}

/// An unhealthy or draining endpoint gets no requests; a degraded one does, as long as there is no preference.
fn gets_requests(health_status: i32) -> bool {
    use core::HealthStatus::{Draining, Timeout, Unhealthy};
    ![Draining, Timeout, Unhealthy].contains(&core::HealthStatus::try_from(health_status).unwrap_or_default())
}

fn endpoints_of(
    mut locality: pb::LocalityLbEndpoints,
    at: &str,
    mistakes: &mut Mistakes,
) -> Vec<pb::LbEndpoint> {
    let endpoints = std::mem::take(&mut locality.lb_endpoints);
    // Where endpoints are, and for whom else. Weights and proximity of localities mean nothing, in Envoy too, unless a
    // cluster's policy turns them on, and such a policy is refused.
    (locality.locality, locality.metadata) = (None, None);
    (locality.load_balancing_weight, locality.proximity) = (None, None);
    refuse_rest!(locality, at, mistakes, [priority, lb_config]);
    endpoints
}

/// The address and its path.
fn address_of(
    mut endpoint: pb::LbEndpoint,
    at: &str,
    mistakes: &mut Mistakes,
) -> Option<(Option<core::Address>, String)> {
    use pb::lb_endpoint::HostIdentifier;

    let identifier = endpoint.host_identifier.take();
    (endpoint.health_status, endpoint.metadata) = (0, None);
    // All equal is what there is without weights.
    endpoint.load_balancing_weight.take_if(|weight| weight.value == 1);
    refuse_rest!(endpoint, at, mistakes, [load_balancing_weight]);
    match identifier {
        Some(HostIdentifier::Endpoint(mut endpoint)) => {
            let at = format!("{at}.endpoint");
            let address = endpoint.address.take();
            refuse_rest!(
                endpoint,
                &at,
                mistakes,
                [health_check_config, hostname, additional_addresses, observability_name]
            );
            Some((address, format!("{at}.address")))
        }
        Some(HostIdentifier::EndpointName(_)) => {
            mistakes.add_unsupported(format_args!("{at}.endpoint_name"));
            None
        }
        None => {
            mistakes.add(format_args!("{at}.endpoint"), "must be set");
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use ::xds::envoy::envoy::config::core::v3 as core;
    use ::xds::envoy::envoy::config::core::v3::HealthStatus::{
        self, Degraded, Draining, Healthy, Timeout, Unhealthy, Unknown,
    };
    use ::xds::envoy::envoy::config::endpoint::v3 as pb;
    use ::xds::envoy::google::protobuf::UInt32Value;
    use ::xds::{Resource, ResourceType};

    use crate::xds::convert::Converted;
    use crate::xds::convert::endpoints::ENDPOINTS_LIMIT;
    use crate::xds::fixtures::{assignment, convert_good, lb_endpoint, mistakes_of, refused, resource};

    fn with_endpoints(endpoints: Vec<pb::LbEndpoint>) -> Resource {
        resource(ResourceType::Endpoints, "e", &assignment("e", endpoints))
    }

    fn with(change: impl FnOnce(&mut pb::ClusterLoadAssignment)) -> Resource {
        let mut message = assignment("e", vec![lb_endpoint("10.0.0.1", 1)]);
        change(&mut message);
        resource(ResourceType::Endpoints, "e", &message)
    }

    fn addresses(resource: &Resource) -> Vec<String> {
        let Converted::Endpoints(endpoints) = convert_good(resource) else { panic!("not endpoints") };
        assert_eq!(endpoints.name, "e");
        endpoints.endpoints.iter().map(|endpoint| endpoint.address.to_string()).collect()
    }

    #[test]
    fn endpoints_keep_their_order_and_lose_their_repetitions() {
        let mut message = assignment(
            "e",
            vec![lb_endpoint("10.0.0.2", 1), lb_endpoint("::1", 1), lb_endpoint("10.0.0.2", 1)],
        );
        let mut far = message.endpoints[0].clone();
        far.lb_endpoints = vec![lb_endpoint("::1", 1), lb_endpoint("10.0.0.1", 2)];
        far.locality = Some(core::Locality { zone: "b".to_owned(), ..Default::default() });
        far.lb_endpoints[1].load_balancing_weight = Some(UInt32Value { value: 1 });
        message.endpoints.push(far);
        let resource = resource(ResourceType::Endpoints, "e", &message);
        assert_eq!(addresses(&resource), ["10.0.0.2:1", "[::1]:1", "10.0.0.1:2"]);
        assert!(addresses(&with(|message| message.endpoints.clear())).is_empty());
    }

    #[test]
    fn endpoints_that_are_unwell_get_no_requests() {
        let status = |status: HealthStatus| {
            let mut endpoint = lb_endpoint(&format!("10.0.0.{}", status as u8), 1);
            endpoint.health_status = status.into();
            endpoint
        };
        let all = [Unknown, Healthy, Unhealthy, Draining, Timeout, Degraded].map(status).to_vec();
        assert_eq!(addresses(&with_endpoints(all)), ["10.0.0.0:1", "10.0.0.1:1", "10.0.0.5:1"]);
    }

    #[test]
    fn an_endpoint_is_an_address_and_a_port() {
        let at = "endpoints[0].lb_endpoints[1].endpoint.address.socket_address";
        let second =
            |host: &str, port| with_endpoints(vec![lb_endpoint("10.0.0.1", 1), lb_endpoint(host, port)]);
        refused(second("orders", 1), &[&format!("{at}.address: \"orders\" is not an IP address")]);
        refused(second("10.0.0.1", 0), &[&format!("{at}.port_value: 0 is not a port from 1 to 65535")]);
        let mut draining = lb_endpoint("orders", 1);
        draining.health_status = Draining.into();
        assert_eq!(
            mistakes_of(&with_endpoints(vec![draining])).len(),
            1,
            "those that get no requests are checked too"
        );
        let at = "endpoints[0].lb_endpoints[0]";
        let missing = with_endpoints(vec![pb::LbEndpoint::default()]);
        refused(missing, &[&format!("{at}.endpoint: must be set")]);
        let named = pb::LbEndpoint {
            host_identifier: Some(pb::lb_endpoint::HostIdentifier::EndpointName("n".to_owned())),
            ..Default::default()
        };
        refused(with_endpoints(vec![named]), &[&format!("{at}.endpoint_name: not supported yet")]);
    }

    #[test]
    fn what_an_assignment_would_ignore_is_refused() {
        let weight = |e: &mut pb::ClusterLoadAssignment| {
            e.endpoints[0].lb_endpoints[0].load_balancing_weight = Some(UInt32Value { value: 2 });
        };
        refused(with(weight), &["endpoints[0].lb_endpoints[0].load_balancing_weight: not supported yet"]);
        refused(with(|e| e.endpoints[0].priority = 1), &["endpoints[0].priority: not supported yet"]);
        refused(
            with(|e| e.policy = Some(pb::cluster_load_assignment::Policy::default())),
            &["policy: not supported yet"],
        );
    }

    #[test]
    fn the_size_and_the_name_of_an_assignment_are_checked() {
        let many = vec![pb::LbEndpoint::default(); ENDPOINTS_LIMIT + 1];
        refused(with_endpoints(many), &["endpoints: holds 100001 endpoints; at most 100000 are allowed"]);
        let expected = r#"cluster_name: is "f", but the resource is called "e""#;
        refused(with(|e| e.cluster_name = "f".to_owned()), &[expected]);
    }
}
