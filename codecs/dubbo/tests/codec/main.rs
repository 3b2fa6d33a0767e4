//! The codec as the proxy sees it: bytes in, messages and bytes out.

#[cfg(test)]
mod conversation;
#[cfg(test)]
mod frames;
#[cfg(test)]
mod laws;
#[cfg(test)]
mod recorded;
#[cfg(test)]
mod replies;
#[cfg(test)]
mod walk;
#[cfg(test)]
mod writer;
