//! Bytes on their way to a socket.
//!
//! Small pieces are copied into one buffer, so that everything a connection has to say in one turn leaves in one
//! write; pieces of [`COPY_BELOW`] bytes and more are kept as shared slices and never copied.

use std::collections::VecDeque;
use std::io::IoSlice;

use bytes::Bytes;

/// Shared pieces shorter than this are copied.
pub const COPY_BELOW: usize = 4096;

/// The bytes of one message, which the framework may or may not own.
#[derive(Debug, Clone, Copy)]
pub enum Raw<'a> {
    /// Borrowed from a read buffer: whoever keeps them copies them.
    Slice(&'a [u8]),
    /// Reference-counted: large pieces travel without a copy.
    Shared(&'a Bytes),
}

impl<'a> Raw<'a> {
    /// The bytes.
    #[inline]
    pub fn as_slice(&self) -> &'a [u8] {
        match self {
            Self::Slice(slice) => slice,
            Self::Shared(bytes) => bytes,
        }
    }

    /// Writes all bytes from `start` on; nothing if there are none.
    #[inline]
    pub fn put_from(&self, start: usize, out: &mut Out) {
        match self {
            Self::Slice(slice) => out.put(slice.get(start..).unwrap_or_default()),
            Self::Shared(bytes) if start <= bytes.len() => out.put_shared(bytes.slice(start..)),
            Self::Shared(_) => {}
        }
    }

    /// The bytes as a value of its own: a new reference if they are shared, else a copy.
    pub fn to_bytes(&self) -> Bytes {
        match self {
            Self::Slice(slice) => Bytes::copy_from_slice(slice),
            Self::Shared(bytes) => (*bytes).clone(),
        }
    }
}

/// A queue of bytes to be written.
#[derive(Debug, Default)]
pub struct Out {
    /// Whole pieces that go before `tail`.
    queue: VecDeque<Bytes>,
    /// Where copies are collected.
    tail: Vec<u8>,
    /// Bytes of `tail` that have been written.
    written: usize,
    /// Bytes in `queue`.
    queued: usize,
}

impl Out {
    /// An empty queue; it holds no memory.
    pub fn new() -> Self {
        Self::default()
    }

    /// Copies `bytes` to the end.
    #[inline]
    pub fn put(&mut self, bytes: &[u8]) {
        self.tail.extend_from_slice(bytes);
    }

    /// Adds `bytes` to the end, without a copy if it is worth it.
    pub fn put_shared(&mut self, bytes: Bytes) {
        if bytes.len() < COPY_BELOW {
            return self.put(&bytes);
        }
        self.seal_tail();
        self.queued += bytes.len();
        self.queue.push_back(bytes);
    }

    fn seal_tail(&mut self) {
        if self.tail.len() > self.written {
            let piece = Bytes::from(std::mem::take(&mut self.tail)).slice(self.written..);
            self.queued += piece.len();
            self.queue.push_back(piece);
        } else {
            self.tail.clear();
        }
        self.written = 0;
    }

    /// How many bytes wait.
    #[inline]
    pub fn len(&self) -> usize {
        self.queued + self.tail.len() - self.written
    }

    /// Whether none wait.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Fills `slices` with the front of the queue and tells how many it filled.
    pub fn slices<'a>(&'a self, slices: &mut [IoSlice<'a>]) -> usize {
        let tail = self.tail.get(self.written..).filter(|tail| !tail.is_empty());
        let pieces = self.queue.iter().map(|piece| &piece[..]).chain(tail);
        let mut filled = 0;
        for (slot, piece) in slices.iter_mut().zip(pieces) {
            *slot = IoSlice::new(piece);
            filled += 1;
        }
        filled
    }

    /// The first piece, for writers that take one at a time.
    #[inline]
    pub fn first(&self) -> &[u8] {
        match self.queue.front() {
            Some(piece) => piece,
            None => self.tail.get(self.written..).unwrap_or_default(),
        }
    }

    /// Whether everything that waits is in one piece.
    #[inline]
    pub fn is_single(&self) -> bool {
        self.queue.is_empty()
    }

    /// Takes `count` bytes, or all there are, from the front.
    pub fn advance(&mut self, mut count: usize) {
        while let Some(piece) = self.queue.front_mut() {
            if count < piece.len() {
                bytes::Buf::advance(piece, count);
                self.queued -= count;
                return;
            }
            count -= piece.len();
            self.queued -= piece.len();
            self.queue.pop_front();
        }
        self.written += count.min(self.tail.len() - self.written);
        if self.written == self.tail.len() {
            self.tail.clear();
            self.written = 0;
        }
    }

    /// Forgets everything that waits.
    pub fn clear(&mut self) {
        self.queue = VecDeque::new();
        self.queued = 0;
        self.tail = Vec::new();
        self.written = 0;
    }

    /// Gives an empty queue a buffer to copy into, such as one that another connection no longer needs.
    pub fn lend(&mut self, buffer: Vec<u8>) {
        if self.tail.capacity() == 0 {
            self.tail = buffer;
            self.tail.clear();
            self.written = 0;
        }
    }

    /// Takes the buffer of an empty queue back. Capacity 0: it had none, or bytes wait.
    pub fn reclaim(&mut self) -> Vec<u8> {
        if self.is_empty() { std::mem::take(&mut self.tail) } else { Vec::new() }
    }

    /// Everything that waits, in one piece; for tests and tools.
    pub fn to_vec(&self) -> Vec<u8> {
        let mut all: Vec<u8> = self.queue.iter().flat_map(|piece| piece.iter().copied()).collect();
        all.extend_from_slice(&self.tail[self.written..]);
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_leave_in_the_order_in_which_they_came_whatever_was_copied() {
        let large = Bytes::from(vec![7u8; COPY_BELOW]);
        let mut out = Out::new();
        out.put(b"ab");
        out.put_shared(large.clone());
        out.put(b"cd");
        out.put_shared(Bytes::from_static(b"ef"));
        let mut expected = b"ab".to_vec();
        expected.extend_from_slice(&large);
        expected.extend_from_slice(b"cdef");
        assert_eq!(out.to_vec(), expected);
        assert_eq!(out.len(), expected.len());
        for step in [1, 3, COPY_BELOW, 1] {
            out.advance(step);
            expected.drain(..step);
            assert_eq!(out.to_vec(), expected);
            let mut slices = [IoSlice::new(&[]); 8];
            let filled = out.slices(&mut slices);
            assert_eq!(
                slices[..filled].iter().flat_map(|piece| piece.to_vec()).collect::<Vec<_>>(),
                expected
            );
        }
        out.advance(usize::MAX);
        assert!(out.is_empty());
    }

    #[test]
    fn a_lent_buffer_comes_back_only_when_nothing_waits() {
        let mut out = Out::new();
        out.lend(Vec::with_capacity(64));
        out.put(b"x");
        assert_eq!(out.reclaim().capacity(), 0);
        out.advance(1);
        assert_eq!(out.reclaim().capacity(), 64);
    }
}
