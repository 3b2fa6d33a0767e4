//! Processor time of a process, and pinning to one processor.
//!
//! Time comes from /proc/PID/task/*/schedstat, whose first number is what the scheduler gave each thread, in
//! nanoseconds: exact where `times` counts ticks. Linux only; elsewhere both answer an error.

use anyhow::{Context, bail};
use std::time::Duration;

/// What all threads of a process have run so far. Threads that ended before are not counted.
pub fn time_of(process: u32) -> anyhow::Result<Duration> {
    let tasks = format!("/proc/{process}/task");
    let mut nanos = 0;
    for task in std::fs::read_dir(&tasks).with_context(|| format!("cannot read {tasks}"))? {
        let path = task?.path().join("schedstat");
        // A thread that ended since the folder was read has no file.
        let Ok(text) = std::fs::read_to_string(&path) else { continue };
        let first = text.split_whitespace().next().and_then(|number| number.parse::<u64>().ok());
        nanos += first.with_context(|| format!("{} does not begin with a number", path.display()))?;
    }
    if nanos == 0 {
        bail!("{tasks}/*/schedstat says 0: this kernel does not count processor time");
    }
    Ok(Duration::from_nanos(nanos))
}

/// Pins this thread, and what it starts after this, to one processor: the one asked for, or the last one allowed.
/// Which it was.
#[cfg(target_os = "linux")]
pub fn pin(to: Option<usize>) -> anyhow::Result<usize> {
    use nix::sched::{CpuSet, sched_getaffinity, sched_setaffinity};
    use nix::unistd::Pid;

    let this = Pid::from_raw(0);
    let allowed = sched_getaffinity(this)?;
    let is_allowed = |processor: &usize| allowed.is_set(*processor).unwrap_or(false);
    let processor = match to {
        Some(processor) if is_allowed(&processor) => processor,
        Some(processor) => bail!("processor {processor} does not exist or is not allowed to this process"),
        None => (0..CpuSet::count()).rfind(is_allowed).context("no processor is allowed")?,
    };
    let mut one = CpuSet::new();
    one.set(processor)?;
    sched_setaffinity(this, &one)?;
    Ok(processor)
}

/// Pinning is known on Linux only.
#[cfg(not(target_os = "linux"))]
pub fn pin(_to: Option<usize>) -> anyhow::Result<usize> {
    bail!("pinning to a processor needs Linux")
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn a_process_that_works_is_charged_for_it() {
        let own = std::process::id();
        let before = time_of(own).unwrap();
        let mut sum = 0u64;
        while time_of(own).unwrap() < before + Duration::from_millis(5) {
            sum = std::hint::black_box((0..10_000u64).fold(sum, u64::wrapping_add));
        }
        assert!(time_of(own).unwrap() > before);
    }

    #[test]
    fn a_process_that_does_not_exist_is_an_error() {
        assert!(time_of(u32::MAX).is_err());
    }

    #[test]
    fn a_pinned_thread_is_told_where_and_a_wrong_number_is_refused() {
        let pinned =
            std::thread::spawn(|| (pin(None).unwrap(), pin(None).unwrap(), pin(Some(100_000)).is_err()));
        let (first, again, refused) = pinned.join().unwrap();
        assert_eq!(first, again);
        assert!(refused);
    }
}
