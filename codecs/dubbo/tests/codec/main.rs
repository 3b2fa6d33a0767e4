//! The codec as the proxy sees it: bytes in, messages and bytes out.

#[cfg(test)]
mod conversation;
#[cfg(test)]
mod edits;
#[cfg(test)]
mod fastjson2;
#[cfg(test)]
mod frames;
#[cfg(test)]
mod jsonb;
#[cfg(test)]
mod laws;
#[cfg(test)]
mod looking;
#[cfg(test)]
mod recorded;
#[cfg(test)]
mod replies;
#[cfg(test)]
mod walk;
#[cfg(test)]
mod writer;
