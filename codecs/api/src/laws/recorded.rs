//! Recorded messages: bytes that a real client or endpoint sent, and what is known of them.

use crate::{Cause, Kind, Side, Status};

/// One whole message as it went over the wire.
///
/// A response belongs to the request of the same name, if there is one: before the response is decoded or written, that
/// request has gone through the same codecs, as it would have in the proxy.
#[derive(Debug, Clone)]
pub struct Recorded {
    pub(super) name: String,
    pub(super) from: Side,
    pub(super) kind: Kind,
    pub(super) bytes: Vec<u8>,
    pub(super) shows: Vec<(String, String)>,
    pub(super) status: Option<Status>,
    pub(super) payload: Option<Vec<u8>>,
    pub(super) refused: Option<Cause>,
}

impl Recorded {
    /// What a client sent.
    pub fn from_client(kind: Kind, name: impl Into<String>, bytes: impl Into<Vec<u8>>) -> Self {
        Self::new(Side::Downstream, kind, name.into(), bytes.into())
    }

    /// What an endpoint sent.
    pub fn from_endpoint(kind: Kind, name: impl Into<String>, bytes: impl Into<Vec<u8>>) -> Self {
        Self::new(Side::Upstream, kind, name.into(), bytes.into())
    }

    /// A client's request that awaits a response.
    pub fn request(name: impl Into<String>, bytes: impl Into<Vec<u8>>) -> Self {
        Self::from_client(Kind::Request, name, bytes)
    }

    /// A client's request that awaits none.
    pub fn oneway(name: impl Into<String>, bytes: impl Into<Vec<u8>>) -> Self {
        Self::from_client(Kind::Oneway, name, bytes)
    }

    /// An endpoint's response to the request of the same name.
    pub fn response(name: impl Into<String>, bytes: impl Into<Vec<u8>>) -> Self {
        Self::from_endpoint(Kind::Response, name, bytes)
    }

    fn new(from: Side, kind: Kind, name: String, bytes: Vec<u8>) -> Self {
        Self { name, from, kind, bytes, shows: Vec::new(), status: None, payload: None, refused: None }
    }

    /// It has this attribute, of the head or late, with this value.
    #[must_use]
    pub fn shows(mut self, attribute: impl Into<String>, value: impl Into<String>) -> Self {
        self.shows.push((attribute.into(), value.into()));
        self
    }

    /// A response that ended so.
    #[must_use]
    pub fn status(mut self, status: Status) -> Self {
        self.status = Some(status);
        self
    }

    /// Bytes of it that no edit of an attribute may touch. Needed where the codec makes edits.
    #[must_use]
    pub fn payload(mut self, payload: impl Into<Vec<u8>>) -> Self {
        self.payload = Some(payload.into());
        self
    }

    /// It is whole, and refused for this cause ([`Decoded::Reject`](crate::Decoded::Reject)).
    #[must_use]
    pub fn refused(mut self, cause: Cause) -> Self {
        self.refused = Some(cause);
        self
    }

    /// What breaches call it.
    pub(super) fn describe(&self) -> String {
        let who = match self.from {
            Side::Downstream => "a client's",
            Side::Upstream => "an endpoint's",
        };
        format!("{who} {:?} {:?}", self.kind, self.name)
    }

    /// Whether the proxy passes it on to the other side.
    pub(super) fn is_forwarded(&self) -> bool {
        match self.from {
            _ if self.refused.is_some() => false,
            Side::Downstream => matches!(self.kind, Kind::Request | Kind::Oneway),
            Side::Upstream => matches!(self.kind, Kind::Response | Kind::Push),
        }
    }
}
