//! What the proxy has been told to do: resources as they arrive, and those in force.
//!
//! `convert` turns one resource into the proxy's own words and is the only place where configuration is validated;
//! [`State`] holds the last good version of each resource. A resource that is refused changes nothing: its last good
//! version stays, all others of its update apply. Nothing here serves a request; `snapshot` reads the state and joins
//! it into what is served. Resources come by [`Delivery`], from a controller in the same process or, by [`ads`], from
//! another one.

pub mod ads;
mod codecs;
mod convert;
mod delivery;
#[cfg(test)]
pub(crate) mod fixtures;
mod misfits;
mod resources;
mod state;
#[cfg(test)]
mod tests;

pub use codecs::Codecs;
pub use convert::{
    ATTEMPTS_LIMIT, CHECK_THRESHOLD_LIMIT, CLUSTERS_PER_ROUTE_LIMIT, DURATION_LIMIT, ENDPOINTS_LIMIT,
    FILL_INTERVAL_FLOOR, HASH_ATTRIBUTE_LIMIT, IDEMPOTENT_LIMIT, LIMIT_CONDITIONS_LIMIT,
    LONGEST_CHECK_INTERVAL, MATCHERS_PER_ROUTE_LIMIT, MISTAKES_LIMIT, MUTATION_NAME_LIMIT,
    MUTATION_VALUE_LIMIT, MUTATIONS_PER_ROUTE_LIMIT, OPTIONS_DEPTH_LIMIT, PATH_LIMIT, ROUTES_LIMIT,
    SERVICES_LIMIT, SHORTEST_CHECK_INTERVAL, SUBJECT_NAMES_LIMIT,
};
pub use delivery::{Applied, Delivery, References};
pub use resources::{Cluster, Entry, Listener, Refused, Routes};
pub use state::State;
