//! Rounds: every contender in turn under the same load, and the median of what each round measured.

use crate::contender::Contender;
use crate::processor::{spent, times_of};
use crate::protocol::Body;
use anyhow::ensure;
use peers::load::{self, Pace, Plan};
use std::fmt;
use std::str::FromStr;
use std::thread;
use std::time::{Duration, Instant};

/// Bytes of payload unless told otherwise.
const PAYLOAD: usize = 100;

/// What a contender has to carry. Written `50x1` (connections x calls outstanding on each) or `50@3000` (connections @
/// calls a second over all of them).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Load {
    /// Connections.
    pub connections: usize,
    /// When calls are made.
    pub pace: Pace,
    /// What they carry.
    pub body: Body,
}

impl Load {
    /// A closed loop with 100 bytes of payload.
    pub const fn closed(connections: usize, depth: usize) -> Self {
        Load { connections, pace: Pace::Closed { depth }, body: Body { payload: PAYLOAD, object: false } }
    }

    /// An open loop with 100 bytes of payload.
    pub const fn open(connections: usize, per_second: f64) -> Self {
        Load { pace: Pace::Open { per_second }, ..Load::closed(connections, 0) }
    }

    /// The same with another payload.
    #[must_use]
    pub const fn with_payload(self, payload: usize) -> Self {
        Load { body: Body { payload, object: self.body.object }, ..self }
    }

    /// The same with an object of 2 KiB behind the payload.
    #[must_use]
    pub const fn with_object(self) -> Self {
        Load { body: Body { payload: self.body.payload, object: true }, ..self }
    }
}

impl FromStr for Load {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let closed = text.split_once('x').and_then(|(connections, depth)| {
            let (connections, depth) = (connections.parse().ok()?, depth.parse().ok()?);
            (connections > 0 && depth > 0).then(|| Load::closed(connections, depth))
        });
        let open = || {
            let (connections, rate) = text.split_once('@')?;
            let (connections, rate): (usize, u32) = (connections.parse().ok()?, rate.parse().ok()?);
            (connections > 0 && rate > 0).then(|| Load::open(connections, f64::from(rate)))
        };
        closed.or_else(open).ok_or_else(|| {
            format!("`{text}` is neither CONNECTIONSxDEPTH, such as 50x1, nor CONNECTIONS@RATE")
        })
    }
}

impl fmt::Display for Load {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.pace {
            Pace::Closed { depth } => write!(f, "{} × {depth}", self.connections)?,
            Pace::Open { per_second } => write!(f, "{per_second:.0}/s over {}", self.connections)?,
        }
        match self.body.payload {
            PAYLOAD => {}
            bytes if bytes % 1024 == 0 => write!(f, ", {} KiB", bytes / 1024)?,
            bytes => write!(f, ", {bytes} B")?,
        }
        if self.body.object { f.write_str(", 2 KiB object") } else { Ok(()) }
    }
}

/// How a load is measured.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rules {
    /// Rounds, at least 1.
    pub rounds: usize,
    /// Time before measuring, per contender and round.
    pub warm_up: Duration,
    /// Time of measuring, per contender and round.
    pub measure: Duration,
}

/// What one contender showed in one round, or the median of its rounds.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Measured {
    /// Processor time of the contender's process per request, in microseconds.
    pub micros_per_request: f64,
    /// Replies per second.
    pub per_second: f64,
    /// Median latency in microseconds.
    pub p50_us: f64,
    /// 99th percentile of latency in microseconds.
    pub p99_us: f64,
    /// 99.9th percentile of latency in microseconds.
    pub p999_us: f64,
    /// The busiest thread's share of the process's processor time: 1 divided by the workers if they work alike.
    pub busiest: f64,
    /// The same in the round where it was largest.
    pub busiest_worst: f64,
}

/// A load, and each contender's name and medians, in the order in which they were given.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// The load in words.
    pub load: String,
    /// Names and medians.
    pub results: Vec<(String, Measured)>,
    /// All replies to each contender's load, those outside of what was measured included.
    pub replies: Vec<u64>,
}

impl Row {
    /// The medians of this contender.
    pub fn of(&self, name: &str) -> Option<&Measured> {
        self.results.iter().find(|(known, _)| known == name).map(|(_, measured)| measured)
    }
}

/// Runs all rounds of a load. Progress is told on standard error.
pub fn run(rules: &Rules, load: &Load, contenders: &[&Contender]) -> anyhow::Result<Row> {
    let mut rounds = vec![Vec::new(); contenders.len()];
    let mut replies = vec![0; contenders.len()];
    for round in 0..rules.rounds {
        for nth in 0..contenders.len() {
            // Every other round in reverse, so that nobody always follows the same one.
            let nth = if round % 2 == 0 { nth } else { contenders.len() - 1 - nth };
            let (measured, all) = measure(rules, load, contenders[nth])?;
            replies[nth] += all;
            eprintln!(
                "{load}, round {} of {}: {} {:.2} µs per request, {:.0} requests a second",
                round + 1,
                rules.rounds,
                contenders[nth].name,
                measured.micros_per_request,
                measured.per_second
            );
            rounds[nth].push(measured);
        }
    }
    let results = contenders.iter().zip(&rounds).map(|(one, rounds)| (one.name.clone(), medians(rounds)));
    Ok(Row { load: load.to_string(), results: results.collect(), replies })
}

fn measure(rules: &Rules, load: &Load, contender: &Contender) -> anyhow::Result<(Measured, u64)> {
    let plan = Plan {
        pace: load.pace,
        slice: Duration::from_millis(10),
        ..Plan::closed(contender.address, load.connections, 0)
    };
    let running = load::start(plan, contender.workload(load.body))?;
    thread::sleep(rules.warm_up);
    let (began, from) = (Instant::now(), running.origin().elapsed());
    let (times, before) = (times_of(contender.id())?, running.completed());
    thread::sleep(rules.measure);
    let spent = spent(&times, &times_of(contender.id())?);
    let completed = running.completed() - before;
    let (lasted, to) = (began.elapsed(), running.origin().elapsed());
    let report = running.join();
    ensure!(
        report.errors == 0 && report.closed == 0 && completed > 0,
        "{} failed under {load}: {} errors, {} connections closed, {completed} replies; the first error: {}",
        contender.name,
        report.errors,
        report.closed,
        report.first_error.as_deref().unwrap_or("none")
    );
    let window = report.timeline.window(from, to);
    let busiest = spent.busiest.as_secs_f64() / spent.all.as_secs_f64().max(f64::MIN_POSITIVE);
    let measured = Measured {
        micros_per_request: spent.all.as_secs_f64() * 1e6 / completed as f64,
        per_second: completed as f64 / lasted.as_secs_f64(),
        p50_us: window.quantile_us(0.5) as f64,
        p99_us: window.quantile_us(0.99) as f64,
        p999_us: window.quantile_us(0.999) as f64,
        busiest,
        busiest_worst: busiest,
    };
    Ok((measured, report.completed))
}

fn medians(rounds: &[Measured]) -> Measured {
    let of = |figure: fn(&Measured) -> f64| median(rounds.iter().map(figure));
    Measured {
        micros_per_request: of(|one| one.micros_per_request),
        per_second: of(|one| one.per_second),
        p50_us: of(|one| one.p50_us),
        p99_us: of(|one| one.p99_us),
        p999_us: of(|one| one.p999_us),
        busiest: of(|one| one.busiest),
        busiest_worst: rounds.iter().map(|one| one.busiest_worst).fold(0.0, f64::max),
    }
}

/// The one in the middle, or the mean of the two that stand there; 0 of nothing.
pub fn median(figures: impl IntoIterator<Item = f64>) -> f64 {
    let mut sorted: Vec<f64> = figures.into_iter().collect();
    sorted.sort_by(f64::total_cmp);
    match sorted.len() {
        0 => 0.0,
        odd if odd % 2 == 1 => sorted[odd / 2],
        even => f64::midpoint(sorted[even / 2 - 1], sorted[even / 2]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_load_is_read_as_it_is_written() {
        assert_eq!("50x1".parse(), Ok(Load::closed(50, 1)));
        assert_eq!("50@3000".parse(), Ok(Load::open(50, 3000.0)));
        for wrong in ["50", "x1", "50x0", "0x1", "50×1", "-1x1", "50@", "0@1", "1@0", "50@fast"] {
            assert!(wrong.parse::<Load>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_load_says_what_is_unusual_about_it() {
        assert_eq!(Load::closed(16, 16).to_string(), "16 × 16");
        assert_eq!(Load::closed(50, 1).with_payload(16 << 10).to_string(), "50 × 1, 16 KiB");
        assert_eq!(Load::open(50, 3000.0).with_payload(24).to_string(), "3000/s over 50, 24 B");
        assert_eq!(Load::closed(1, 1).with_object().to_string(), "1 × 1, 2 KiB object");
    }

    #[test]
    fn the_median_is_taken_of_each_figure() {
        let round =
            |micros, per_second| Measured { micros_per_request: micros, per_second, ..Measured::default() };
        let odd = medians(&[round(3.0, 1.0), round(1.0, 2.0), round(2.0, 9.0)]);
        assert_eq!(odd, round(2.0, 2.0));
        assert_eq!(medians(&[round(1.0, 4.0), round(2.0, 2.0)]), round(1.5, 3.0));
        assert_eq!(medians(&[]), Measured::default());
    }
}
