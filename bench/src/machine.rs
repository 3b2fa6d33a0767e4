//! What the measurements ran on, in one line, and how many descriptors it gives.

use nix::sys::resource::{Resource, getrlimit, setrlimit};
use std::process::Command;

/// Descriptors that are asked for: 10,000 clients with an upstream connection each, and some.
const WANTED: u64 = 32_768;

/// Raises the limit of open files for this process and what it starts after this, as far as it may; what it is then.
pub fn raise_descriptors() -> anyhow::Result<u64> {
    let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE)?;
    // Only the superuser may raise the hard limit, and not everywhere.
    if hard < WANTED && setrlimit(Resource::RLIMIT_NOFILE, WANTED, WANTED).is_ok() {
        return Ok(WANTED);
    }
    let most = hard.min(WANTED).max(soft);
    setrlimit(Resource::RLIMIT_NOFILE, most, hard)?;
    Ok(most)
}

/// Processor, kernel and day.
pub fn description() -> String {
    let processors = std::thread::available_parallelism().map_or(1, usize::from);
    let cpus = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let kernel = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let model = field(&cpus, "model name").unwrap_or("unknown processor");
    let release = kernel.split(['-', '\n']).next().unwrap_or_default();
    format!("{processors} × {model}, Linux {release}, {}", today())
}

fn field<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    text.lines().find_map(|line| Some(line.strip_prefix(name)?.split_once(':')?.1.trim()))
}

fn today() -> String {
    let output = Command::new("date").args(["-u", "+%F"]).output();
    output.map_or_else(
        |_| "day unknown".to_owned(),
        |output| String::from_utf8_lossy(&output.stdout).trim().to_owned(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_is_found_whatever_blanks_stand_before_its_colon() {
        assert_eq!(field("processor\t: 0\nmodel name\t: A B\n", "model name"), Some("A B"));
        assert_eq!(field("processor\t: 0\n", "model name"), None);
    }

    #[test]
    fn descriptors_are_never_fewer_than_before() {
        let (before, _) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
        assert!(raise_descriptors().unwrap() >= before.min(WANTED));
    }
}
