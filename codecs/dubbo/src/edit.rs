//! Sets attachments of a message that is written on: replaced where they are, else added; all else stays as it is.
//!
//! Values that hold others (lists, maps, objects) are never taken out, since references and class definitions count
//! them: what is to replace one is added to the end of the map, where Java's reader takes the last of two equal names.
//! Everything else is replaced in its place, and the lengths around it are written anew. A result without attachments
//! becomes its twin with attachments, if whoever asked can read that.

use std::ops::Range;

use codec_api::{Edit, Out, Outgoing, Raw};

use crate::body::{Attachments, Entry, Section};
use crate::frame::{HEADER, ID_AT};
use crate::head;
use crate::hessian;
use crate::jsonb;
use crate::said::Said;
use crate::serialization::{FASTJSON2, HESSIAN2};

/// Places in a message, in order, and what is written there instead.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Patches(Vec<(Range<usize>, Vec<u8>)>);

impl Patches {
    /// How long something is with them, all of which are in it. `None`: longer than a length can say.
    pub(crate) fn length(&self, old: u32) -> Option<u32> {
        let (gone, come) = self
            .0
            .iter()
            .fold((0, 0), |(gone, come), (place, new)| (gone + place.len() as u64, come + new.len() as u64));
        (u64::from(old) + come).checked_sub(gone).and_then(|length| u32::try_from(length).ok())
    }

    /// Writes a message with them; `body` is the new length of its body.
    pub(crate) fn put(&self, message: &Outgoing<'_>, body: u32, out: &mut Out) {
        let Some(start) = message.bytes.as_slice().first_chunk::<ID_AT>() else { return };
        out.put(start);
        out.put(&message.id.to_be_bytes());
        out.put(&body.to_be_bytes());
        let mut at = HEADER;
        for (place, new) in &self.0 {
            put_range(message.bytes, at..place.start, out);
            out.put(new);
            at = place.end;
        }
        message.bytes.put_from(at, out);
    }
}

fn put_range(bytes: Raw<'_>, range: Range<usize>, out: &mut Out) {
    match bytes {
        Raw::Slice(slice) => out.put(slice.get(range).unwrap_or_default()),
        Raw::Shared(shared) if range.end <= shared.len() => out.put_shared(shared.slice(range)),
        Raw::Shared(_) => {}
    }
}

/// The edits of one message while its attachments are walked over.
pub(crate) struct Editor<'e> {
    /// The last of each name.
    edits: Vec<&'e Edit<'e>>,
    serialization: u8,
    patches: Vec<(Range<usize>, Vec<u8>)>,
    /// Attachments that an edit names: as they are written, by which edit, and whether the value holds others.
    named: Vec<(Vec<u8>, usize, bool)>,
}

impl<'e> Editor<'e> {
    /// `None`: one of the edits cannot be made in any message of this serialization.
    pub(crate) fn new(edits: &'e [Edit<'e>], serialization: u8) -> Option<Self> {
        let fits = |text: &str| serialization != HESSIAN2 || hessian::write::fits(text);
        let can = |edit: &Edit<'_>| !head::has(edit.name.as_bytes()) && fits(edit.name) && fits(edit.value);
        if !matches!(serialization, HESSIAN2 | FASTJSON2) || !edits.iter().all(can) {
            return None;
        }
        let same = |edit: &Edit<'_>, other: &Edit<'_>| edit.name.eq_ignore_ascii_case(other.name);
        let is_last = |place: usize| !edits[place + 1..].iter().any(|later| same(&edits[place], later));
        let edits = (0..edits.len()).filter(|place| is_last(*place)).map(|place| &edits[place]).collect();
        Some(Self { edits, serialization, patches: Vec::new(), named: Vec::new() })
    }

    /// Notes an attachment of the message.
    pub(crate) fn see(&mut self, entry: &Entry<'_>) {
        let Some(name) = entry.name.text() else { return };
        let is_meant = |edit: &&Edit<'_>| edit.name.as_bytes().eq_ignore_ascii_case(&name);
        let Some(which) = self.edits.iter().position(is_meant) else { return };
        let holds_others = entry.value == Said::Container;
        self.named.push((entry.written.to_vec(), which, holds_others));
        if !holds_others {
            let value = self.texts(&[self.edits[which].value]);
            self.patches.push((entry.place.clone(), value));
        }
    }

    /// What is to be written where in this message. `None`: it has no place for attachments.
    pub(crate) fn patches(
        mut self,
        attachments: Attachments,
        message: &[u8],
        may_attach: bool,
    ) -> Option<Patches> {
        let added = self.added();
        match attachments.section {
            Section::Map(end) => self.patches.push((end..end, added)),
            Section::Null(place) => {
                let map = self.map(&added);
                self.patches.push((place, map));
            }
            Section::Nowhere(kind_at, kind) if may_attach => {
                let (kind, map) = self.twin(kind, &added);
                self.patches.push((kind_at, kind));
                self.patches.push((message.len()..message.len(), map));
            }
            Section::Nowhere(..) => return None,
        }
        let mut patches = Patches(self.patches);
        if let Some(at) = attachments.length_at {
            let old = message.get(at..)?.first_chunk().map(|length| u32::from_be_bytes(*length))?;
            let new = patches.length(old)?;
            patches.0.insert(0, (at..at + 4, new.to_be_bytes().to_vec()));
        }
        Some(patches)
    }

    /// A map with these entries.
    fn map(&self, entries: &[u8]) -> Vec<u8> {
        match self.serialization {
            HESSIAN2 => [b"H", entries, b"Z"].concat(),
            _ => [&[jsonb::walk::MAP], entries, &[jsonb::walk::END]].concat(),
        }
    }

    /// The kind of result that has attachments, and what follows the result then.
    fn twin(&self, kind: u8, entries: &[u8]) -> (Vec<u8>, Vec<u8>) {
        let (twin, map) = (kind + 3, self.map(entries));
        if self.serialization == HESSIAN2 {
            return (vec![hessian::write::small_int(twin.cast_signed())], map);
        }
        let mut element = Vec::with_capacity(4 + map.len());
        jsonb::write::put_element(&mut element, |out| out.extend_from_slice(&map));
        (vec![twin], element)
    }

    /// The entries to add: edits that no attachment bears the name of, and those whose attachment has to stay.
    fn added(&self) -> Vec<u8> {
        let mut added = Vec::new();
        for (place, (written, which, holds_others)) in self.named.iter().enumerate() {
            let is_replaced_later = self.named[place + 1..].iter().any(|(later, ..)| later == written);
            if *holds_others && !is_replaced_later {
                added.extend_from_slice(written);
                added.extend(self.texts(&[self.edits[*which].value]));
            }
        }
        for (which, edit) in self.edits.iter().enumerate() {
            if !self.named.iter().any(|(_, named, _)| *named == which) {
                added.extend(self.texts(&[edit.name, edit.value]));
            }
        }
        added
    }

    fn texts(&self, texts: &[&str]) -> Vec<u8> {
        let mut out = Vec::new();
        for text in texts {
            if self.serialization == HESSIAN2 {
                hessian::write::put_text(text, &mut out);
            } else {
                jsonb::write::put_text(text, &mut out);
            }
        }
        out
    }
}
