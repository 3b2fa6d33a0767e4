//! Load generator and comparison with other proxies.
//!
//! What a proxy costs is the processor time of its process per request, measured beside floors (programs of the same
//! shape that do nothing but pass calls on) and beside other proxies. All run interleaved in one run on one processor, and
//! only their ratios are worth anything. Modules stand in reading order; each uses only those below it.

pub mod command;
pub mod suite;
pub mod document;
pub mod chart;
pub mod goal;
pub mod table;
pub mod machine;
pub mod footprint;
pub mod contest;
pub mod contender;
pub mod conversation;
pub mod peer;
pub mod protocol;
pub mod template;
pub mod floor;
pub mod processor;
