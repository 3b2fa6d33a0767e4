//! Tries one law after the other, and survives codecs that panic or never come back.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;

use super::breach::{Breach, Law};
use super::stage::{Stage, Trial};
use super::{Laws, answers, cost, flows, framing, hostile, looking, shares, writing};
use crate::{Kind, Side};

type Try = fn(&Stage) -> Result<(), Breach>;

/// How each law is tried. Later ones assume the earlier ones.
const TRIES: [Try; 27] = [
    setup,
    looking::properties,
    looking::options,
    framing::kind,
    looking::attributes,
    framing::cut,
    framing::several,
    framing::split,
    writing::untouched,
    writing::id,
    writing::write_without_edits,
    writing::edit,
    answers::oneway,
    answers::correlation,
    answers::order,
    answers::local_replies,
    flows::own,
    flows::session,
    shares::shares,
    flows::push,
    answers::refused,
    cost::limit,
    answers::heartbeat,
    answers::going_away,
    cost::linear,
    cost::memory,
    hostile::hostile,
];

/// The kit has what it needs.
fn setup(stage: &Stage) -> Result<(), Breach> {
    let laws = &stage.laws;
    let has = |from, kind| stage.of(from, kind).next().is_some();
    let missing = if !has(Side::Downstream, Kind::Request) {
        "Laws::message: at least one recorded request"
    } else if !has(Side::Upstream, Kind::Response) {
        "Laws::message: at least one recorded response"
    } else if laws.long.is_none() {
        "Laws::long: how to make a request of any length"
    } else if laws.limit == 0 {
        "Laws::limit: the longest message that the codec takes"
    } else if laws.gauge.is_none() {
        "Laws::memory: what a connection may hold, and who counts it"
    } else {
        return Ok(());
    };
    Err(Breach::new(Law::Setup, "the test").found("too little to try all laws").right(missing))
}

/// Tries all laws.
pub(super) fn try_all(laws: Laws) -> Vec<Breach> {
    watched(laws, |stage| {
        let mut breaches = Vec::new();
        for law in TRIES {
            breaches.extend(caught(&stage.trial, || law(stage)).err());
            if breaches.first().is_some_and(|breach| breach.law == Law::Setup) {
                break;
            }
        }
        breaches
    })
}

/// Makes a breach of a panic.
pub(super) fn caught<T>(trial: &Trial, work: impl FnOnce() -> Result<T, Breach>) -> Result<T, Breach> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().cloned();
        let text = text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
        let breach = trial.last().1.unwrap_or_else(|| Breach::new(Law::Panic, "the codec"));
        let during = format!("a panic, while law {} was tried: {}", breach.law, text.unwrap_or_default());
        Err(Breach { law: Law::Panic, ..breach }.found(during).right("no method panics, whatever the bytes"))
    })
}

/// Does work on a thread of its own, and says what it was at if it never ends.
pub(super) fn watched(laws: Laws, work: impl FnOnce(&Stage) -> Vec<Breach> + Send + 'static) -> Vec<Breach> {
    let trial = Arc::new(Trial::default());
    let patience = laws.patience;
    let (done, doing) = mpsc::channel();
    let at_work = trial.clone();
    thread::spawn(move || {
        let breaches = match Stage::new(laws, at_work) {
            Ok(stage) => work(&stage),
            Err(breach) => vec![breach],
        };
        // Nobody listens any more if it took too long.
        let _ = done.send(breaches);
    });
    let mut seen = 0;
    loop {
        match doing.recv_timeout(patience) {
            Ok(breaches) => return breaches,
            Err(RecvTimeoutError::Disconnected) => {
                let breach = Breach::new(Law::Panic, "the codec, or the test's own functions");
                return vec![breach.found("a panic; see above").right("no method panics")];
            }
            Err(RecvTimeoutError::Timeout) => {}
        }
        let (count, last) = trial.last();
        if count == seen {
            let breach = last.unwrap_or_else(|| Breach::new(Law::Hang, "the codec"));
            let found = format!("nothing for {patience:?}, while law {} was tried", breach.law);
            return vec![Breach { law: Law::Hang, ..breach }.found(found).right("every method returns")];
        }
        seen = count;
    }
}
