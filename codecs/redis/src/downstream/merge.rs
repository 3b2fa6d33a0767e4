//! The responses of several endpoints, made one.

use codec_api::{Answer, Out, Shares, Status};

use crate::number::Digits;
use crate::policy::Merge;
use crate::reply::{elements, integer};
use crate::request::put_head;
use crate::words;

/// Most bytes of all responses that are merged into one.
const MAX_MERGED: usize = 1 << 20;

/// Writes the one response; tells whether it is a result.
pub(super) fn merge(how: Merge, shares: Shares<'_>, answers: &[Answer<'_>], out: &mut Out) -> Status {
    let mut replies = Vec::with_capacity(answers.len());
    for answer in answers {
        match answer {
            Answer::Response { message, bytes } if message.status == Status::Ok => replies.push(*bytes),
            Answer::Response { message, bytes } => {
                put_response_error(bytes, out);
                return failed(message.status, replies.len(), answers.len(), out);
            }
            Answer::Failed(reply) => {
                words::put_error(*reply, out);
                return failed(Status::ServerError, replies.len(), answers.len(), out);
            }
        }
    }
    if replies.iter().map(|reply| reply.len()).sum::<usize>() > MAX_MERGED {
        words::put_error(too_large(), out);
        out.put(b"\r\n");
        return Status::ServerError;
    }
    let merged = match how {
        Merge::Sum => sum(&replies),
        Merge::Least => least(&replies),
        Merge::First => replies.first().map(|reply| reply.to_vec()),
        Merge::Values => values(shares, &replies),
        Merge::Concat => concat(&replies),
    };
    if let Some(merged) = merged {
        out.put(&merged);
        return Status::Ok;
    }
    out.put(b"-ERR the endpoints' answers do not fit together\r\n");
    Status::ServerError
}

fn too_large() -> codec_api::LocalReply<'static> {
    codec_api::LocalReply {
        cause: codec_api::Cause::TooLarge,
        text: "the answers of all endpoints are longer than 1 MiB",
    }
}

/// An endpoint's error, without the end of its line.
fn put_response_error(reply: &[u8], out: &mut Out) {
    // `!21\r\nSYNTAX invalid syntax\r\n` says the same as `-SYNTAX invalid syntax\r\n`.
    let line = reply.strip_suffix(b"\r\n").unwrap_or(reply);
    let text = match memchr::memchr(b'\n', line) {
        Some(end) if line.first() == Some(&b'!') => &line[end + 1..],
        _ => line.get(1..).unwrap_or_default(),
    };
    out.put(b"-");
    words::put_text(&String::from_utf8_lossy(text), out);
}

/// Says which endpoint it was, and that others may have done their part.
fn failed(status: Status, place: usize, count: usize, out: &mut Out) -> Status {
    out.put(format!(" (share {} of {count}; the others were sent theirs)\r\n", place + 1).as_bytes());
    status
}

fn number(value: i64) -> Vec<u8> {
    [b":", Digits::default().write(value), b"\r\n"].concat()
}

fn sum(replies: &[&[u8]]) -> Option<Vec<u8>> {
    let numbers: Option<Vec<i64>> = replies.iter().map(|reply| integer(reply)).collect();
    Some(number(numbers?.into_iter().fold(0, i64::saturating_add)))
}

/// The least of integers, or of arrays of integers, place by place.
fn least(replies: &[&[u8]]) -> Option<Vec<u8>> {
    if let Some(numbers) = replies.iter().map(|reply| integer(reply)).collect::<Option<Vec<_>>>() {
        return numbers.into_iter().min().map(number);
    }
    let mut least: Option<Vec<i64>> = None;
    for reply in replies {
        let row: Vec<i64> = elements(reply)?.into_iter().map(integer).collect::<Option<_>>()?;
        least = Some(match least {
            None => row,
            Some(before) if before.len() == row.len() => {
                before.into_iter().zip(row).map(|(one, other)| one.min(other)).collect()
            }
            Some(_) => return None,
        });
    }
    let least = least?;
    let mut merged = Vec::new();
    put_head(b'*', least.len(), &mut merged);
    for value in least {
        merged.extend(number(value));
    }
    Some(merged)
}

/// The values of all keys, in their order.
fn values(shares: Shares<'_>, replies: &[&[u8]]) -> Option<Vec<u8>> {
    let rows: Vec<Vec<&[u8]>> = replies.iter().map(|reply| elements(reply)).collect::<Option<_>>()?;
    let mut rows: Vec<_> = rows.into_iter().map(Vec::into_iter).collect();
    let mut merged = Vec::new();
    put_head(b'*', shares.of_key.len(), &mut merged);
    for share in shares.of_key {
        merged.extend_from_slice(rows.get_mut(usize::from(*share))?.next()?);
    }
    rows.iter().all(|row| row.len() == 0).then_some(merged)
}

/// All elements of all arrays.
fn concat(replies: &[&[u8]]) -> Option<Vec<u8>> {
    let rows: Vec<Vec<&[u8]>> = replies.iter().map(|reply| elements(reply)).collect::<Option<_>>()?;
    let mut merged = Vec::new();
    put_head(b'*', rows.iter().map(Vec::len).sum(), &mut merged);
    for element in rows.concat() {
        merged.extend_from_slice(element);
    }
    Some(merged)
}
