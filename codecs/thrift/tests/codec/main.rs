//! The codec as the proxy sees it: bytes in, messages and bytes out.

#[cfg(test)]
mod hostile;
#[cfg(test)]
mod ids;
#[cfg(test)]
mod keys;
#[cfg(test)]
mod laws;
#[cfg(test)]
mod limits;
#[cfg(test)]
mod oneway;
#[cfg(test)]
mod proxy;
#[cfg(test)]
mod recorded;
#[cfg(test)]
mod replies;
#[cfg(test)]
mod transcoding;
#[cfg(test)]
mod walk;
#[cfg(test)]
mod writer;
