//! From xDS messages to the proxy's own words: all validation of the proxy.
//!
//! Each resource is judged on its own, in whole: every mistake is reported, with the path of its field. Paths start at
//! the resource; those of [`MetaProxy`](::xds::v1::MetaProxy) and [`ClusterPolicy`](::xds::v1::ClusterPolicy), of which
//! a listener or cluster holds exactly one, start at that message. A field that is set and would have no effect is
//! refused as "not supported yet"; what is left alone is what describes and does not configure: names of filters and
//! filter chains, metadata for other readers, localities, the direction of traffic.

mod cluster;
mod endpoints;
mod listener;
mod mistakes;
mod rate_limit;
mod read;
mod retries;
mod routes;
mod tls;

use std::sync::Arc;

use ::xds::{Rejection, Resource, ResourceType};

use crate::model;
use crate::tls::Files;
use crate::xds::convert::mistakes::Mistakes;
use crate::xds::{Cluster, Codecs, Listener, Routes};

pub use cluster::{
    CHECK_THRESHOLD_LIMIT, HASH_ATTRIBUTE_LIMIT, LONGEST_CHECK_INTERVAL, SHORTEST_CHECK_INTERVAL,
};
pub use endpoints::ENDPOINTS_LIMIT;
pub use listener::SERVICES_LIMIT;
pub use mistakes::MISTAKES_LIMIT;
pub use rate_limit::{FILL_INTERVAL_FLOOR, LIMIT_CONDITIONS_LIMIT};
pub use read::{DURATION_LIMIT, OPTIONS_DEPTH_LIMIT};
pub use retries::{ATTEMPTS_LIMIT, IDEMPOTENT_LIMIT};
pub use routes::{
    CLUSTERS_PER_ROUTE_LIMIT, MATCHERS_PER_ROUTE_LIMIT, MUTATION_NAME_LIMIT, MUTATION_VALUE_LIMIT,
    MUTATIONS_PER_ROUTE_LIMIT, ROUTES_LIMIT,
};
pub use tls::{PATH_LIMIT, SUBJECT_NAMES_LIMIT};

/// A resource in the proxy's words.
#[derive(Debug)]
pub(crate) enum Converted {
    Listener(Listener),
    Routes(Routes),
    Cluster(Cluster),
    Endpoints(Arc<model::Endpoints>),
}

/// Everything that is wrong with a resource.
#[derive(Debug)]
pub(crate) struct Wrong {
    pub(crate) rejections: Vec<Rejection>,
    /// It is only files that are wrong: the same version may be right when they are looked at again.
    pub(crate) is_of_files: bool,
}

/// Converts `resource`, or tells everything that is wrong with it.
pub(crate) fn convert(resource: &Resource, codecs: &Codecs, files: &mut Files) -> Result<Converted, Wrong> {
    let mut mistakes = Mistakes::default();
    if resource.name.is_empty() {
        mistakes.add("name", "must not be empty");
    }
    let converted = match resource.kind {
        ResourceType::Listener => {
            listener::convert(resource, (codecs, files), &mut mistakes).map(Converted::Listener)
        }
        ResourceType::Routes => routes::convert(resource, &mut mistakes).map(Converted::Routes),
        ResourceType::Cluster => {
            cluster::convert(resource, (codecs, files), &mut mistakes).map(Converted::Cluster)
        }
        ResourceType::Endpoints => endpoints::convert(resource, &mut mistakes).map(Converted::Endpoints),
    };
    let is_of_files = mistakes.are_of_files();
    let rejections = mistakes.into_rejections(resource);
    if !rejections.is_empty() {
        return Err(Wrong { rejections, is_of_files });
    }
    Ok(converted.expect("a conversion without a result has a mistake"))
}

#[cfg(test)]
mod tests {
    use ::xds::{Resource, ResourceType, v1};

    use crate::xds::fixtures::{mistakes_of, refused, resource, routes};

    #[test]
    fn a_body_of_another_type_is_refused() {
        let body = v1::Mirror::default();
        for (kind, message) in [
            (ResourceType::Cluster, "envoy.config.cluster.v3.Cluster"),
            (ResourceType::Endpoints, "envoy.config.endpoint.v3.ClusterLoadAssignment"),
            (ResourceType::Listener, "envoy.config.listener.v3.Listener"),
            (ResourceType::Routes, "metaproxy.v1.RouteConfiguration"),
        ] {
            let mut resource = resource(kind, "x", &body);
            resource.body.type_url = "type.googleapis.com/metaproxy.v1.Mirror".to_owned();
            let expected = format!(
                "body.type_url: \"type.googleapis.com/metaproxy.v1.Mirror\" is not the type of a {message}"
            );
            refused(resource, &[&expected]);
        }
    }

    #[test]
    fn a_body_that_is_cut_off_is_refused() {
        for kind in ResourceType::ALL {
            let mut resource: Resource = resource(kind, "x", &routes("x", vec![]));
            resource.body.value = vec![0x0a, 200];
            let mistakes = mistakes_of(&resource);
            assert!(mistakes[0].starts_with("body.value: does not decode as a "), "{mistakes:?}");
        }
    }

    #[test]
    fn a_resource_has_a_name() {
        refused(resource(ResourceType::Routes, "", &routes("", vec![])), &["name: must not be empty"]);
    }
}
