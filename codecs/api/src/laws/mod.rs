//! The laws that every codec keeps, and one call that tries them all on recorded messages.
//!
//! For tests: switch the feature `laws` on in `[dev-dependencies]`. A codec's author brings messages that real clients
//! and endpoints sent, and a function that makes requests of any length; the kit brings every way in which the proxy,
//! the network and strangers treat a codec. Each law that is broken is named, with the message, the byte, what was
//! found and what would be right. The laws are listed at [`Law`].
//!
//! ```no_run
//! # use codec_api::Protocol;
//! # const LIMIT: usize = 1 << 20;
//! use codec_api::laws::{Laws, Recorded};
//!
//! fn laws(protocol: impl Protocol + 'static) -> Laws {
//!     Laws::of(protocol)
//!         .message(Recorded::request("get", b"\0\0\0\x0bq\0\0\0\x07\x03getXY").shows("method", "get").payload(b"XY"))
//!         .message(Recorded::response("get", b"\0\0\0\x08r\0\0\0\x07\0OK"))
//!         .long(|bytes| {
//!             let mut message = (9 + bytes as u32).to_be_bytes().to_vec();
//!             message.extend_from_slice(b"q\0\0\0\x07\x03get");
//!             message.resize(message.len() + bytes, b'x');
//!             message
//!         })
//!         .limit(LIMIT)
//! # /*
//!         .memory(64 << 10, |work| allocation_counter::measure(work).bytes_max)
//! # */
//! }
//!
//! #[test]
//! fn the_codec_keeps_the_laws() {
//!     laws(Tiny).check();
//! }
//! ```
//!
//! A connection of the kit speaks as all messages of one `Laws` do: where a codec tells dialects apart by the first
//! bytes of a connection, each dialect is a `Laws` of its own.

mod answers;
mod breach;
mod cost;
mod flows;
mod framing;
mod fuzz;
mod hostile;
mod inbox;
mod looking;
mod mutation;
mod recorded;
mod shares;
mod stage;
mod trying;
mod writing;

use std::sync::Arc;
use std::time::Duration;

use crate::{Options, Protocol, Side};

pub use breach::{Breach, Law};
pub use recorded::Recorded;

/// Hostile inputs per side that [`Laws::check`] tries.
const CASES: usize = 3000;
/// A single trial that takes longer never ends.
const PATIENCE: Duration = Duration::from_mins(1);
/// The seed of everything that is drawn by lot.
const SEED: u64 = 0x6d65_7461_7072_6f78;

/// Tells how many bytes were allocated at most, at one time, while the work was done.
type Gauge = Box<dyn Fn(&mut dyn FnMut()) -> u64 + Send + Sync>;
/// Makes a request with a payload of this many bytes.
type Long = Box<dyn Fn(usize) -> Vec<u8> + Send + Sync>;

/// A protocol, what is known of it, and what it is to be tried with.
pub struct Laws {
    protocol: Arc<dyn Protocol>,
    options: [Options; 2],
    messages: Vec<Recorded>,
    long: Option<Long>,
    limit: usize,
    memory: usize,
    gauge: Option<Gauge>,
    has_ids: bool,
    transcodes: bool,
    settable: Vec<String>,
    seed: u64,
    cases: usize,
    patience: Duration,
}

impl Laws {
    /// The laws of this protocol, without options.
    pub fn of(protocol: impl Protocol + 'static) -> Self {
        Self {
            protocol: Arc::new(protocol),
            options: [Options::default(), Options::default()],
            messages: Vec::new(),
            long: None,
            limit: 0,
            memory: 0,
            gauge: None,
            has_ids: true,
            transcodes: false,
            settable: Vec::new(),
            seed: SEED,
            cases: CASES,
            patience: PATIENCE,
        }
    }

    /// Options of one side.
    #[must_use]
    pub fn options(mut self, side: Side, options: Options) -> Self {
        self.options[side as usize] = options;
        self
    }

    /// A recorded message. At least one request and its response are needed.
    #[must_use]
    pub fn message(mut self, message: Recorded) -> Self {
        self.messages.push(message);
        self
    }

    /// Recorded messages.
    #[must_use]
    pub fn messages(mut self, messages: impl IntoIterator<Item = Recorded>) -> Self {
        self.messages.extend(messages);
        self
    }

    /// How to make a request with a payload of so many bytes, from 0 to the limit. Needed.
    #[must_use]
    pub fn long(mut self, long: impl Fn(usize) -> Vec<u8> + Send + Sync + 'static) -> Self {
        self.long = Some(Box::new(long));
        self
    }

    /// The longest message, in bytes, that the codec takes with these options. Needed. A small limit, where an option
    /// can set one, makes the test quick.
    #[must_use]
    pub fn limit(mut self, bytes: usize) -> Self {
        self.limit = bytes;
        self
    }

    /// What the codecs of one connection may hold beyond the messages that are there, and a gauge: it does the work and
    /// tells how many bytes were allocated at most, at one time, by the thread that it runs on. Needed.
    #[must_use]
    pub fn memory(
        mut self,
        bytes: usize,
        gauge: impl Fn(&mut dyn FnMut()) -> u64 + Send + Sync + 'static,
    ) -> Self {
        self.memory = bytes;
        self.gauge = Some(Box::new(gauge));
        self
    }

    /// The protocol's messages bear no ids.
    #[must_use]
    pub fn without_ids(mut self) -> Self {
        self.has_ids = false;
        self
    }

    /// With these options the proxy writes in another dialect than it reads; nothing is written byte for byte.
    #[must_use]
    pub fn transcodes(mut self) -> Self {
        self.transcodes = true;
        self
    }

    /// Attributes that can be set, where not every name can. Unless told, the kit sets `x-law` and those that the
    /// messages show.
    #[must_use]
    pub fn sets(mut self, attributes: &[&str]) -> Self {
        self.settable = attributes.iter().map(|name| (*name).to_owned()).collect();
        self
    }

    /// Hostile inputs to try on each side; 3,000 unless told.
    #[must_use]
    pub fn cases(mut self, cases: usize) -> Self {
        self.cases = cases;
        self
    }

    /// The seed of everything that is drawn by lot. The kit has one, so that a test does the same each time.
    #[must_use]
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// How long a single trial may take before its codec is taken for one that never returns; 60 s unless told.
    #[must_use]
    pub fn patience(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }

    /// Tries every law.
    ///
    /// # Panics
    ///
    /// If one is broken; the text names each with its message, its place, what was found and what would be right.
    #[expect(clippy::panic, reason = "it is an assertion")]
    pub fn check(self) {
        let name = self.protocol.name();
        let breaches = self.breaches();
        if !breaches.is_empty() {
            let texts: Vec<_> = breaches.iter().map(ToString::to_string).collect();
            panic!("the codec of {name} breaks {} laws:\n\n{}\n", texts.len(), texts.join("\n\n"));
        }
    }

    /// Tries every law and tells the first breach of each, in the order of [`Law`].
    pub fn breaches(self) -> Vec<Breach> {
        trying::try_all(self)
    }

    /// A request with a payload of so many bytes.
    fn request_of(&self, bytes: usize) -> Vec<u8> {
        self.long.as_ref().map(|long| long(bytes)).unwrap_or_default()
    }

    /// Names that rules may ask for.
    fn names(&self) -> Vec<String> {
        let shown = self.messages.iter().flat_map(|m| m.shows.iter().map(|(name, _)| name));
        let mut names: Vec<String> = shown.chain(&self.settable).cloned().collect();
        names.push("x-law".to_owned());
        names.sort();
        names.dedup();
        names
    }
}
