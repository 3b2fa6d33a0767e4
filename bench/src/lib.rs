//! Load generator and comparison with other proxies.
//!
//! What a proxy costs is the processor time of its process per request, measured beside a floor: a program of the
//! same shape that does nothing but pass calls on. Both run interleaved in one run on one processor, and only their
//! ratio is worth anything. Modules stand in reading order; each uses only those below it.

pub mod command;
pub mod table;
pub mod contest;
pub mod contender;
pub mod floor;
pub mod processor;
