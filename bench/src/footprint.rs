//! What a proxy takes without doing anything: memory at rest, memory per idle connection, time to its first answer.

use crate::contender::{Contender, Kind, Scene};
use crate::contest::median;
use crate::conversation::converse;
use crate::protocol::Body;
use anyhow::Context;
use std::net::TcpStream;
use std::thread;
use std::time::Duration;

/// Idle connections that are open before the counting begins, so that what is made once is not counted.
const BEFORE: usize = 200;
/// What a proxy is given to put away what it does not need: longer than any of them waits before it does.
const SETTLE: Duration = Duration::from_millis(300);
/// What each idle connection has called once.
const BODY: Body = Body { payload: 100, object: false };

/// Memory of a process, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Memory {
    /// Resident: its own, and its pages of files.
    pub resident: u64,
    /// Resident and its own alone, such as heap and stacks.
    pub anonymous: u64,
}

/// What a process has resident now (/proc/PID/status, `VmRSS` and `RssAnon`).
pub fn memory_of(process: u32) -> anyhow::Result<Memory> {
    let path = format!("/proc/{process}/status");
    let text = std::fs::read_to_string(&path).with_context(|| format!("cannot read {path}"))?;
    parse(&text).with_context(|| format!("{path} does not tell VmRSS and RssAnon"))
}

fn parse(status: &str) -> Option<Memory> {
    let bytes = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
        Some(line.split_whitespace().next()?.parse::<u64>().ok()? * 1024)
    };
    Some(Memory { resident: bytes("VmRSS")?, anonymous: bytes("RssAnon")? })
}

/// Connections that have been used once and are idle now.
#[derive(Debug)]
pub struct Idle {
    _streams: Vec<TcpStream>,
    /// Memory of the proxy's own per connection, in bytes.
    pub bytes_each: f64,
}

/// Opens so many connections, each with one call on it, and keeps them. Memory is that of the contender's own pages
/// (kernel memory of sockets is not in it), counted from the 200th connection on if there are more.
pub fn idle(contender: &Contender, connections: usize) -> anyhow::Result<Idle> {
    let mut workload = contender.workload(BODY);
    let mut open = |numbers: std::ops::Range<usize>| {
        let each = |number: usize| converse(contender.address, &mut *workload, number as u32);
        let opened: anyhow::Result<Vec<_>> = numbers.map(each).collect();
        let opened = opened.with_context(|| format!("{} and idle connections", contender.name))?;
        thread::sleep(SETTLE);
        Ok::<_, anyhow::Error>((opened, memory_of(contender.id())?.anonymous as f64))
    };
    let first = if connections > BEFORE { BEFORE } else { 0 };
    let (mut streams, before) = open(0..first)?;
    let (rest, after) = open(first..connections)?;
    streams.extend(rest);
    Ok(Idle { _streams: streams, bytes_each: (after - before) / (connections - first) as f64 })
}

/// What a proxy takes at rest: the median of so many starts.
#[derive(Clone, Debug)]
pub struct AtRest {
    /// Its name.
    pub name: String,
    /// Memory after its first answer.
    pub memory: Memory,
    /// Milliseconds from its start to its first answer.
    pub start_ms: f64,
    /// Bytes of its own per idle connection.
    pub idle_bytes: f64,
}

/// Starts each one so often, in turn, and opens so many idle connections on each.
pub fn at_rest(
    scene: &Scene,
    kinds: &[Kind],
    starts: usize,
    idle_connections: usize,
) -> anyhow::Result<Vec<AtRest>> {
    let mut seen = vec![Vec::new(); kinds.len()];
    for round in 0..starts {
        for nth in 0..kinds.len() {
            let nth = if round % 2 == 0 { nth } else { kinds.len() - 1 - nth };
            let contender = kinds[nth].start(scene)?;
            thread::sleep(SETTLE);
            let memory = memory_of(contender.id())?;
            let idle = idle(&contender, idle_connections)?;
            let start_ms = contender.started_in.as_secs_f64() * 1e3;
            eprintln!(
                "at rest, round {} of {starts}: {} answers after {start_ms:.1} ms, {} KiB ({} its own), {:.0} B per idle connection",
                round + 1,
                contender.name,
                memory.resident >> 10,
                memory.anonymous >> 10,
                idle.bytes_each
            );
            seen[nth].push((memory, start_ms, idle.bytes_each));
        }
    }
    let of = |kind: &Kind, seen: &Vec<(Memory, f64, f64)>| AtRest {
        name: kind.name().to_owned(),
        memory: Memory {
            resident: median(seen.iter().map(|(memory, ..)| memory.resident as f64)) as u64,
            anonymous: median(seen.iter().map(|(memory, ..)| memory.anonymous as f64)) as u64,
        },
        start_ms: median(seen.iter().map(|(_, start, _)| *start)),
        idle_bytes: median(seen.iter().map(|(.., idle)| *idle)),
    };
    Ok(kinds.iter().zip(&seen).map(|(kind, seen)| of(kind, seen)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_read_from_its_two_lines() {
        let status = "Name:\tx\nVmRSS:\t    1024 kB\nRssAnon:\t     512 kB\n";
        assert_eq!(parse(status), Some(Memory { resident: 1 << 20, anonymous: 1 << 19 }));
        assert_eq!(parse("VmRSS:\t1 kB\n"), None);
    }

    #[test]
    fn this_process_has_memory_of_its_own() {
        let memory = memory_of(std::process::id()).unwrap();
        assert!(memory.anonymous > 0 && memory.anonymous <= memory.resident, "{memory:?}");
    }
}
