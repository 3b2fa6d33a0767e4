//! Changes messages as accidents and attackers do.

use fastrand::Rng;

/// Longest input.
const LONGEST: usize = 64 << 10;
/// Numbers at which lengths go wrong.
const EXTREMES: [u64; 16] = [
    0,
    1,
    2,
    0x7f,
    0x80,
    0xff,
    0x100,
    0x7fff,
    0x8000,
    0xffff,
    0x10000,
    0x00ff_ffff,
    0x7fff_ffff,
    0x8000_0000,
    0xffff_ffff,
    u64::MAX,
];
/// Bytes that mean something to protocols of text.
const WORDS: [&[u8]; 8] =
    [b"\r\n", b"\n", b"$-1\r\n", b"*1048576\r\n", b"$999999999\r\n", b"GET / ", b"\0", b"-1"];

/// Makes the next input from what is known. Most begin as one or several of the recorded messages.
pub(super) fn mutate(rng: &mut Rng, corpus: &[Vec<u8>]) -> Vec<u8> {
    let mut input = Vec::new();
    for _ in 0..rng.usize(1..=3) {
        match rng.choice(corpus) {
            Some(known) => input.extend_from_slice(known),
            None => break,
        }
        if rng.bool() {
            break;
        }
    }
    if rng.u8(..) < 8 || input.is_empty() {
        input = (0..rng.usize(1..600)).map(|_| rng.u8(..)).collect();
    }
    for _ in 0..rng.usize(1..=4) {
        change(rng, &mut input, corpus);
    }
    input.truncate(LONGEST);
    if input.is_empty() { vec![rng.u8(..)] } else { input }
}

fn change(rng: &mut Rng, input: &mut Vec<u8>, corpus: &[Vec<u8>]) {
    if input.is_empty() {
        return;
    }
    // Half of all changes hit the start, where lengths and kinds stand.
    let reach = if rng.bool() { input.len().min(32) } else { input.len() };
    let at = rng.usize(..reach);
    match rng.u8(..9) {
        0 => input[at] ^= 1 << rng.u32(..8),
        1 => input[at] = rng.u8(..),
        2 => input.truncate(at),
        3 | 4 => number(rng, input, at),
        5 => {
            let end = input.len().min(at + rng.usize(1..=64));
            input.drain(at..end);
        }
        6 => {
            let end = input.len().min(at + rng.usize(1..=64));
            let piece = input[at..end].repeat(rng.usize(1..=8));
            let place = rng.usize(..=input.len());
            input.splice(place..place, piece);
        }
        7 => {
            let word = WORDS[rng.usize(..WORDS.len())];
            input.splice(at..at, word.iter().copied());
        }
        _ => {
            if let Some(other) = rng.choice(corpus).filter(|other| !other.is_empty()) {
                let from = rng.usize(..other.len());
                input.truncate(at);
                input.extend_from_slice(&other[from..]);
            }
        }
    }
}

/// Writes an extreme number, or the one that stands there give or take a few, in one of the usual forms.
fn number(rng: &mut Rng, input: &mut [u8], at: usize) {
    let width = (1 << rng.u32(..4)).min(input.len() - at);
    let there = &mut input[at..at + width];
    let is_big = rng.bool();
    let value = if rng.bool() {
        EXTREMES[rng.usize(..EXTREMES.len())]
    } else {
        let read = |value: u64, byte: &u8| value << 8 | u64::from(*byte);
        let now = if is_big { there.iter().fold(0, read) } else { there.iter().rev().fold(0, read) };
        now.wrapping_add(rng.u64(..17)).wrapping_sub(8)
    };
    let bytes = value.to_le_bytes();
    for (place, byte) in there.iter_mut().enumerate() {
        *byte = bytes[if is_big { width - 1 - place } else { place }];
    }
}
