//! Processor time of a process and its threads, and pinning to one processor.
//!
//! Time comes from /proc/PID/task/*/schedstat, whose first number is what the scheduler gave each thread, in
//! nanoseconds: exact where `times` counts ticks. Linux only; elsewhere both answer an error.

use anyhow::{Context, bail};
use std::collections::BTreeMap;
use std::time::Duration;

/// What each thread of a process has run so far, by its id. Threads that ended before are missing.
pub fn times_of(process: u32) -> anyhow::Result<BTreeMap<u32, Duration>> {
    let tasks = format!("/proc/{process}/task");
    let mut times = BTreeMap::new();
    for task in std::fs::read_dir(&tasks).with_context(|| format!("cannot read {tasks}"))? {
        let task = task?;
        let id = task.file_name().to_string_lossy().parse().context("a thread without a number")?;
        let path = task.path().join("schedstat");
        // A thread that ended since the folder was read has no file.
        let Ok(text) = std::fs::read_to_string(&path) else { continue };
        let first = text.split_whitespace().next().and_then(|number| number.parse::<u64>().ok());
        let nanos = first.with_context(|| format!("{} does not begin with a number", path.display()))?;
        times.insert(id, Duration::from_nanos(nanos));
    }
    if times.values().all(Duration::is_zero) {
        bail!("{tasks}/*/schedstat says 0: this kernel does not count processor time");
    }
    Ok(times)
}

/// What a process ran between two looks.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Spent {
    /// Time of all its threads.
    pub all: Duration,
    /// Time of the busiest of them.
    pub busiest: Duration,
}

/// What each thread ran since the first look, threads that began after it included.
pub fn spent(before: &BTreeMap<u32, Duration>, after: &BTreeMap<u32, Duration>) -> Spent {
    let since = |(thread, time): (&u32, &Duration)| {
        time.saturating_sub(before.get(thread).copied().unwrap_or_default())
    };
    Spent { all: after.iter().map(since).sum(), busiest: after.iter().map(since).max().unwrap_or_default() }
}

/// The processor that everything runs on; the way back from there.
#[derive(Debug)]
pub struct Pinned {
    /// Its number.
    pub processor: usize,
    #[cfg(target_os = "linux")]
    before: nix::sched::CpuSet,
}

/// Pins this thread, and what it starts after this, to one processor: the one asked for, or the last one allowed.
#[cfg(target_os = "linux")]
pub fn pin(to: Option<usize>) -> anyhow::Result<Pinned> {
    use nix::sched::{CpuSet, sched_getaffinity, sched_setaffinity};
    use nix::unistd::Pid;

    let this = Pid::from_raw(0);
    let before = sched_getaffinity(this)?;
    let is_allowed = |processor: &usize| before.is_set(*processor).unwrap_or(false);
    let processor = match to {
        Some(processor) if is_allowed(&processor) => processor,
        Some(processor) => bail!("processor {processor} does not exist or is not allowed to this process"),
        None => (0..CpuSet::count()).rfind(is_allowed).context("no processor is allowed")?,
    };
    let mut one = CpuSet::new();
    one.set(processor)?;
    sched_setaffinity(this, &one)?;
    Ok(Pinned { processor, before })
}

impl Pinned {
    /// Lets this thread, and what it starts after this, run everywhere again where it could before.
    #[cfg(target_os = "linux")]
    pub fn release(self) -> anyhow::Result<()> {
        Ok(nix::sched::sched_setaffinity(nix::unistd::Pid::from_raw(0), &self.before)?)
    }

    /// Pinning is known on Linux only.
    #[cfg(not(target_os = "linux"))]
    pub fn release(self) -> anyhow::Result<()> {
        bail!("pinning to a processor needs Linux")
    }
}

/// Pinning is known on Linux only.
#[cfg(not(target_os = "linux"))]
pub fn pin(_to: Option<usize>) -> anyhow::Result<Pinned> {
    bail!("pinning to a processor needs Linux")
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn a_process_that_works_is_charged_for_it() {
        let own = std::process::id();
        let before = times_of(own).unwrap();
        let mut sum = 0u64;
        while spent(&before, &times_of(own).unwrap()).all < Duration::from_millis(5) {
            sum = std::hint::black_box((0..10_000u64).fold(sum, u64::wrapping_add));
        }
        let spent = spent(&before, &times_of(own).unwrap());
        assert!(!spent.busiest.is_zero() && spent.busiest <= spent.all, "{spent:?}");
    }

    #[test]
    fn a_thread_counts_from_the_first_look_or_from_its_beginning() {
        let times = |list: &[(u32, u64)]| {
            list.iter().map(|&(thread, millis)| (thread, Duration::from_millis(millis))).collect()
        };
        let spent = spent(&times(&[(1, 10), (2, 5), (3, 9)]), &times(&[(1, 12), (2, 5), (4, 7)]));
        assert_eq!(spent, Spent { all: Duration::from_millis(9), busiest: Duration::from_millis(7) });
    }

    #[test]
    fn a_process_that_does_not_exist_is_an_error() {
        assert!(times_of(u32::MAX).is_err());
    }

    #[test]
    fn a_pinned_thread_is_told_where_and_a_wrong_number_is_refused() {
        let pinned = std::thread::spawn(|| {
            let before = nix::sched::sched_getaffinity(nix::unistd::Pid::from_raw(0)).unwrap();
            let first = pin(None).unwrap();
            let again = pin(None).unwrap();
            assert_eq!(first.processor, again.processor);
            assert!(pin(Some(100_000)).is_err());
            first.release().unwrap();
            before == nix::sched::sched_getaffinity(nix::unistd::Pid::from_raw(0)).unwrap()
        });
        assert!(pinned.join().unwrap(), "released, it may run where it could before");
    }
}
