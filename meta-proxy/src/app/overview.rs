//! What the admin port may show of the proxy as it is now.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;

use crate::admin::Published;
use crate::snapshot::Snapshot;
use crate::xds::State;

/// Everything that is in force, and where listeners are bound.
pub fn published(
    state: &State,
    snapshot: &Arc<Snapshot>,
    addresses: BTreeMap<String, Result<SocketAddr, String>>,
    is_whole: bool,
) -> Published {
    Published { state: state.clone(), snapshot: snapshot.clone(), addresses, has_update: is_whole }
}
