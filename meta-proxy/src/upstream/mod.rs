//! Clusters of endpoints, their connections, and what is under way on them.
//!
//! A worker has its own clusters, pools and load counts; only what is promised per process (limits) is shared. A
//! request that cannot be connected for goes to the next candidate by itself; one that has been sent ends with its
//! response, its timeout, or its connection, and whoever sent it may send it once more.

mod balance;
mod budget;
mod cluster;
mod connection;
mod endpoint;
mod health;
mod limits;
mod pending;
mod probe;
mod standing;
mod task;
mod tried;
mod waiting;
mod why;

pub use balance::{MAGLEV_TABLE_LIMIT, RING_LIMIT, is_prime};
pub use budget::Share;
pub use cluster::{Cluster, Hashed, Place, Settings};
pub use endpoint::Endpoint;
pub use limits::{Permit, Usage};
pub use standing::{Member, Roster};
pub use tried::Tried;
