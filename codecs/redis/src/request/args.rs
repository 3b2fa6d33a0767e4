//! The arguments of one whole request, whichever way it was sent.

use std::ops::Range;

use super::{Bulk, Piece, bulk, split};
use crate::number::{Digits, Line, line};

/// The arguments of a request, the command's name first.
pub(crate) struct Args<'a> {
    bytes: &'a [u8],
    form: Form<'a>,
}

enum Form<'a> {
    /// So many bulk strings, the first of which begins here.
    Array(usize, usize),
    /// Words on a line.
    Inline(Vec<Piece<'a>>),
}

impl<'a> Args<'a> {
    /// The arguments of a request that a scan has found whole.
    pub(crate) fn of(bytes: &'a [u8]) -> Self {
        let form = match (bytes.first(), line(bytes, 1)) {
            (Some(b'*'), Line::Number(count, at)) => Form::Array(usize::try_from(count).unwrap_or(0), at),
            (Some(b'*'), _) => Form::Array(0, 0),
            _ => Form::Inline(split(bytes).unwrap_or_default()),
        };
        Self { bytes, form }
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        match &self.form {
            Form::Array(count, _) => *count,
            Form::Inline(pieces) => pieces.len(),
        }
    }

    /// Where each stands. Of an inline command's argument with escapes, where its spelling stands.
    pub(crate) fn places(&self) -> Places<'_, 'a> {
        match &self.form {
            Form::Array(count, at) => Places::Array { bytes: self.bytes, left: *count, at: *at },
            Form::Inline(pieces) => Places::Inline(pieces.iter()),
        }
    }

    /// The argument at this index; the name is 0.
    pub(crate) fn get(&self, index: usize) -> Option<&[u8]> {
        match &self.form {
            Form::Array(..) => self.bytes.get(self.places().nth(index)?),
            Form::Inline(pieces) => pieces.get(index).map(|piece| &*piece.text),
        }
    }

    /// All of them, as they are meant.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &[u8]> {
        let inline = match &self.form {
            Form::Array(..) => None,
            Form::Inline(pieces) => Some(pieces.iter().map(|piece| &*piece.text)),
        };
        let array = self.places().filter_map(|place| self.bytes.get(place));
        let array = array.take(if inline.is_some() { 0 } else { usize::MAX });
        inline.into_iter().flatten().chain(array)
    }

    /// The argument that stands here, as it is meant.
    pub(crate) fn text_at(&self, place: &Range<usize>) -> Option<&[u8]> {
        match &self.form {
            Form::Array(..) => self.bytes.get(place.clone()),
            Form::Inline(pieces) => {
                pieces.iter().find(|piece| piece.place == *place).map(|piece| &*piece.text)
            }
        }
    }

    /// Whether the argument that stands here is spelt as it is meant.
    pub(crate) fn is_plain(&self, place: &Range<usize>) -> bool {
        match &self.form {
            Form::Array(..) => true,
            Form::Inline(pieces) => pieces.iter().any(|piece| piece.place == *place && piece.is_plain()),
        }
    }
}

/// Where arguments stand.
#[derive(Clone)]
pub(crate) enum Places<'p, 'a> {
    /// In bulk strings.
    Array {
        /// The request.
        bytes: &'a [u8],
        /// How many are to come.
        left: usize,
        /// Where the next begins.
        at: usize,
    },
    /// In words.
    Inline(std::slice::Iter<'p, Piece<'a>>),
}

impl Iterator for Places<'_, '_> {
    type Item = Range<usize>;

    #[inline]
    fn next(&mut self) -> Option<Range<usize>> {
        match self {
            Self::Array { bytes, left, at } => {
                *left = left.checked_sub(1)?;
                let Bulk::At(start, end) = bulk(bytes, *at) else { return None };
                *at = end;
                Some(start..end - 2)
            }
            Self::Inline(pieces) => pieces.next().map(|piece| piece.place.clone()),
        }
    }
}

/// Writes a request of these arguments.
pub(crate) fn put_request<'a>(args: impl ExactSizeIterator<Item = &'a [u8]>, out: &mut Vec<u8>) {
    put_head(b'*', args.len(), out);
    for arg in args {
        put_head(b'$', arg.len(), out);
        out.extend_from_slice(arg);
        out.extend_from_slice(b"\r\n");
    }
}

/// Writes the line before an array or a bulk string.
pub(crate) fn put_head(mark: u8, number: usize, out: &mut Vec<u8>) {
    out.push(mark);
    out.extend_from_slice(Digits::default().write(number.cast_signed() as i64));
    out.extend_from_slice(b"\r\n");
}
