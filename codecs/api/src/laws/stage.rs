//! The codecs that a law is tried on, and what stands before a message of a conversation.
//!
//! The proxy has two codecs for a conversation: one faces the client, one the endpoint. The kit adds what client and
//! endpoint understand, which is the same protocol seen from the other end.

use std::sync::{Arc, Mutex};

use bytes::Bytes;

use super::Laws;
use super::breach::{Breach, Law, difference};
use super::inbox::{self, Wrong};
use super::recorded::Recorded;
use crate::{
    Attribute, Codec, Conduct, Decoded, Edit, Edited, Factory, Found, Key, Kind, Message, OptionError, Out,
    Outgoing, Properties, Raw, RequestHead, Sharing, Side,
};

/// Who a codec is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    /// The proxy's codec that faces the client.
    Downstream,
    /// The proxy's codec that faces the endpoint.
    Upstream,
    /// The client: it decodes what the proxy writes to it.
    Client,
    /// The endpoint.
    Endpoint,
}

/// What is being tried, for whoever asks when it never ends or panics.
#[derive(Debug, Default)]
pub(super) struct Trial(Mutex<(u64, Option<Breach>)>);

impl Trial {
    pub(super) fn set(&self, law: Law, subject: &str, bytes: &[u8]) {
        let mut state = self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        state.0 += 1;
        state.1 = Some(Breach::new(law, subject).with(bytes));
    }

    /// How many trials there have been, and the last of them.
    pub(super) fn last(&self) -> (u64, Option<Breach>) {
        self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner).clone()
    }
}

/// A protocol as it was configured for the kit.
pub(super) struct Stage {
    pub(super) laws: Laws,
    pub(super) properties: &'static Properties,
    pub(super) trial: Arc<Trial>,
    factories: [Arc<dyn Factory>; 4],
}

/// A message, decoded.
pub(super) type Read = (Message, Vec<u8>);

impl Stage {
    pub(super) fn new(laws: Laws, trial: Arc<Trial>) -> Result<Self, Breach> {
        let make = |side: Side, options: Side| laws.protocol.configure(side, &laws.options[options as usize]);
        let refused = |errors: Vec<OptionError>| {
            let errors: Vec<_> = errors.iter().map(ToString::to_string).collect();
            Breach::new(Law::Setup, "the options").found(errors.join("; ")).right("they are accepted")
        };
        let downstream = make(Side::Downstream, Side::Downstream).map_err(refused)?;
        let upstream = make(Side::Upstream, Side::Upstream).map_err(refused)?;
        // Some options are of one side only; the other end then speaks as that side does without them.
        let client = make(Side::Upstream, Side::Downstream).unwrap_or_else(|_| upstream.clone());
        let endpoint = make(Side::Downstream, Side::Upstream).unwrap_or_else(|_| downstream.clone());
        let properties = laws.protocol.properties();
        Ok(Self { laws, properties, trial, factories: [downstream, upstream, client, endpoint] })
    }

    /// A codec at the start of its connection.
    pub(super) fn codec(&self, role: Role) -> Box<dyn Codec> {
        self.factories[role as usize].codec()
    }

    pub(super) fn conduct(&self, role: Role) -> Conduct {
        self.factories[role as usize].conduct()
    }

    /// Whether an upstream connection carries several requests at once.
    pub(super) fn is_shared(&self) -> bool {
        self.conduct(Role::Upstream).sharing.unwrap_or(self.properties.sharing) != Sharing::Exclusive
    }

    /// Ids that the proxy may hand out, to try.
    pub(super) fn ids(&self) -> [u64; 3] {
        let mask = self.mask();
        [1, 0x0102_0304_0506_0708 & mask, mask]
    }

    /// The largest id.
    pub(super) fn mask(&self) -> u64 {
        if self.properties.id_bits >= 64 { u64::MAX } else { (1 << self.properties.id_bits) - 1 }
    }

    /// Whether `message` has this id, where the protocol has ids.
    pub(super) fn has_id(&self, message: &Message, id: u64) -> bool {
        !self.laws.has_ids || message.id == id
    }

    pub(super) fn messages(&self) -> impl Iterator<Item = &Recorded> {
        self.laws.messages.iter()
    }

    /// Recorded messages of this kind that arrive at this side, and are not refused.
    pub(super) fn of(&self, from: Side, kind: Kind) -> impl Iterator<Item = &Recorded> {
        self.messages().filter(move |m| m.from == from && m.kind == kind && m.refused.is_none())
    }

    /// The request that a response answers.
    pub(super) fn request_of(&self, response: &Recorded) -> Option<&Recorded> {
        let is_response =
            matches!(response.kind, Kind::Response | Kind::Push) && response.from == Side::Upstream;
        self.of(Side::Downstream, Kind::Request).find(|m| is_response && m.name == response.name)
    }

    /// The recorded response to a request.
    pub(super) fn response_to(&self, request: &Recorded) -> Option<&Recorded> {
        self.of(Side::Upstream, Kind::Response).find(|m| m.name == request.name)
    }

    /// Decodes what must be one whole message.
    pub(super) fn whole(
        &self,
        law: Law,
        codec: &mut dyn Codec,
        bytes: &[u8],
        what: &str,
    ) -> Result<Message, Breach> {
        self.trial.set(law, what, bytes);
        let breach = || Breach::new(law, what).with(bytes);
        let right = format!("one message of all {} bytes", bytes.len());
        let decoded =
            codec.decode(bytes).map_err(|error| breach().found(format!("{error:?}")).right(&*right))?;
        inbox::check(&decoded, bytes, 0).map_err(|wrong| wrong.of(breach()))?;
        match decoded {
            Decoded::Message(message) if message.len == bytes.len() => Ok(message),
            other => Err(breach().found(format!("{other:?}")).right(right)),
        }
    }

    /// A codec of the proxy that can decode `message`: one that faces an endpoint has written the request before.
    pub(super) fn receiver(&self, law: Law, message: &Recorded) -> Result<Box<dyn Codec>, Breach> {
        match message.from {
            Side::Downstream => Ok(self.codec(Role::Downstream)),
            Side::Upstream => self.having_written(law, Role::Upstream, self.request(law, message)?.as_ref()),
        }
    }

    /// The codec of the proxy that writes `message` on: one that faces a client has decoded the request before.
    pub(super) fn writer(&self, law: Law, message: &Recorded) -> Result<Box<dyn Codec>, Breach> {
        match message.from {
            Side::Downstream => Ok(self.codec(Role::Upstream)),
            Side::Upstream => self.having_read(law, Role::Downstream, self.request(law, message)?.as_ref()),
        }
    }

    /// Who gets `message` in the end.
    pub(super) fn reader(&self, law: Law, message: &Recorded) -> Result<Box<dyn Codec>, Breach> {
        match message.from {
            Side::Downstream => Ok(self.codec(Role::Endpoint)),
            Side::Upstream => self.having_written(law, Role::Client, self.request(law, message)?.as_ref()),
        }
    }

    /// The request that `response` answers, decoded.
    pub(super) fn request(&self, law: Law, response: &Recorded) -> Result<Option<Read>, Breach> {
        self.request_of(response).map(|request| self.read(law, request)).transpose()
    }

    /// What a recorded message decodes as, on its own.
    pub(super) fn read(&self, law: Law, message: &Recorded) -> Result<Read, Breach> {
        let mut codec = self.receiver(law, message)?;
        let decoded = self.whole(law, &mut *codec, &message.bytes, &message.describe())?;
        Ok((decoded, message.bytes.clone()))
    }

    /// A codec that has written `request` with its own id.
    pub(super) fn having_written(
        &self,
        law: Law,
        role: Role,
        request: Option<&Read>,
    ) -> Result<Box<dyn Codec>, Breach> {
        let mut codec = self.codec(role);
        if let Some((message, bytes)) = request {
            self.write(law, &mut *codec, (message, bytes), message.id)?;
        }
        Ok(codec)
    }

    /// A codec that has decoded `request`.
    pub(super) fn having_read(
        &self,
        law: Law,
        role: Role,
        request: Option<&Read>,
    ) -> Result<Box<dyn Codec>, Breach> {
        let mut codec = self.codec(role);
        if let Some((_, bytes)) = request {
            self.whole(law, &mut *codec, bytes, "the request before it")?;
        }
        Ok(codec)
    }

    /// What `codec` writes, which must be something.
    pub(super) fn write(
        &self,
        law: Law,
        codec: &mut dyn Codec,
        (message, bytes): (&Message, &[u8]),
        id: u64,
    ) -> Result<Vec<u8>, Breach> {
        self.trial.set(law, "write", bytes);
        let (written, out) = write(codec, (message, bytes), id, &[]);
        match written {
            Ok(_) if !out.is_empty() => Ok(out),
            Ok(_) => Err(Breach::new(law, "write").found("nothing").right("the message").with(bytes)),
            Err(refusal) => {
                let found = format!("{refusal:?}");
                Err(Breach::new(law, "write").found(found).right("a recorded message is written").with(bytes))
            }
        }
    }

    /// The values of these attributes of a message from this side, each looked up as a route does.
    pub(super) fn look_up(
        &self,
        from: Side,
        codec: &mut dyn Codec,
        (message, bytes): (&Message, &[u8]),
        names: &[&str],
    ) -> Vec<Option<Vec<u8>>> {
        let role = if from == Side::Downstream { Role::Downstream } else { Role::Upstream };
        let words = self.conduct(role).words;
        let wanted: Vec<Attribute> = names.iter().map(|name| Attribute::new(self.properties, name)).collect();
        let mut found = Found::default();
        found.reset(wanted.len());
        if wanted.iter().any(|attribute| attribute.is_late(message)) {
            codec.attributes(message, bytes, &wanted, &mut found);
        }
        let value = |(index, attribute): (usize, &Attribute)| {
            let word = match attribute.key() {
                Key::Head(place) => message.head.get(place).and_then(|span| span.as_word()),
                Key::Late | Key::Source => None,
            };
            match word {
                Some(word) => words.get(word).map(|word| word.as_bytes().to_vec()),
                None => found.get(index, attribute, message, bytes).map(<[u8]>::to_vec),
            }
        };
        wanted.iter().enumerate().map(value).collect()
    }

    /// The recorded request as the endpoint sees it under this id.
    pub(super) fn request_with_id(&self, law: Law, request: &Recorded, id: u64) -> Result<Vec<u8>, Breach> {
        let (message, bytes) = self.read(law, request)?;
        self.write(law, &mut *self.codec(Role::Upstream), (&message, &bytes), id)
    }

    /// The recorded response as the endpoint writes it to the request with this id.
    pub(super) fn response_with_id(&self, law: Law, response: &Recorded, id: u64) -> Result<Vec<u8>, Breach> {
        let (message, bytes) = self.read(law, response)?;
        let asked =
            self.request_of(response).map(|request| self.request_with_id(law, request, id)).transpose()?;
        let mut endpoint = self.codec(Role::Endpoint);
        if let Some(asked) = asked {
            self.whole(law, &mut *endpoint, &asked, "the request before it")?;
        }
        self.write(law, &mut *endpoint, (&message, &bytes), id)
    }
}

impl Wrong {
    /// The breach that it is.
    pub(super) fn of(self, breach: Breach) -> Breach {
        breach.found(self.found).right(self.right)
    }
}

/// What `Codec::write` answers and writes.
pub(super) fn write(
    codec: &mut dyn Codec,
    (message, bytes): (&Message, &[u8]),
    id: u64,
    edits: &[Edit<'_>],
) -> (Result<Edited, crate::Refusal>, Vec<u8>) {
    let mut out = Out::new();
    let written = codec.write(&Outgoing { message, bytes: Raw::Slice(bytes), id }, edits, &mut out);
    (written, out.to_vec())
}

/// What `Codec::encode` writes.
pub(super) fn encode(codec: &mut dyn Codec, message: &Message, bytes: &[u8], is_shared: bool) -> Vec<u8> {
    let shared = Bytes::copy_from_slice(bytes);
    let raw = if is_shared { Raw::Shared(&shared) } else { Raw::Slice(bytes) };
    let mut out = Out::new();
    codec.encode(&Outgoing { message, bytes: raw, id: message.id }, &mut out);
    out.to_vec()
}

/// What `Codec::local_reply` writes.
pub(super) fn local_reply(codec: &mut dyn Codec, head: RequestHead, reply: crate::LocalReply<'_>) -> Vec<u8> {
    let mut out = Out::new();
    codec.local_reply(head, reply, &mut out);
    out.to_vec()
}

/// What `Codec::answer` writes.
pub(super) fn answer(codec: &mut dyn Codec, message: &Message, bytes: &[u8]) -> Vec<u8> {
    let mut out = Out::new();
    codec.answer(&Outgoing { message, bytes: Raw::Slice(bytes), id: message.id }, &mut out);
    out.to_vec()
}

/// Whether it asks for a response, the endpoint's or the proxy's.
pub(super) fn asks(kind: Kind) -> bool {
    matches!(kind, Kind::Request | Kind::Own)
}

/// Whether both are of one kind to whoever sent them: what came before may decide who answers a request.
pub(super) fn alike(one: Kind, other: Kind) -> bool {
    one == other || (asks(one) && asks(other))
}

/// Fails unless both are the same.
pub(super) fn same(breach: Breach, found: &[u8], right: &[u8]) -> Result<(), Breach> {
    if found == right {
        return Ok(());
    }
    let (at, text) = difference(found, right);
    Err(breach.at(at).found(text).right("the same bytes"))
}
