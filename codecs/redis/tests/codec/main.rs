//! The codec as the proxy sees it: bytes in, messages and bytes out.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on fails")]

#[cfg(test)]
mod commands;
#[cfg(test)]
mod laws;
#[cfg(test)]
mod proxy;
#[cfg(test)]
mod requests;
#[cfg(test)]
mod sessions;
#[cfg(test)]
mod settings;
#[cfg(test)]
mod shares;
#[cfg(test)]
mod subscriptions;
#[cfg(test)]
mod transactions;
