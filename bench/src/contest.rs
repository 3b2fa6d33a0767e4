//! Rounds: every contender in turn under the same load, and the median of what each round measured.

use crate::contender::{Contender, INTERFACE, METHOD};
use crate::processor;
use anyhow::ensure;
use peers::dubbo::{Call, EchoLoad};
use peers::load::{self, Plan};
use std::fmt;
use std::str::FromStr;
use std::thread;
use std::time::{Duration, Instant};

/// A closed loop: so many connections with so many calls outstanding each. Written `50x1`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Load {
    /// Connections.
    pub connections: usize,
    /// Calls outstanding on each.
    pub depth: usize,
}

impl FromStr for Load {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parsed = text.split_once('x').and_then(|(connections, depth)| {
            let load = Load { connections: connections.parse().ok()?, depth: depth.parse().ok()? };
            (load.connections > 0 && load.depth > 0).then_some(load)
        });
        parsed.ok_or_else(|| format!("`{text}` is not CONNECTIONSxDEPTH, such as 50x1"))
    }
}

impl fmt::Display for Load {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} × {}", self.connections, self.depth)
    }
}

/// How a comparison is run.
#[derive(Clone, Debug)]
pub struct Rules {
    /// Loads, one row of the table each.
    pub loads: Vec<Load>,
    /// Rounds per load.
    pub rounds: usize,
    /// Time before measuring, per contender and round.
    pub warm_up: Duration,
    /// Time of measuring, per contender and round.
    pub measure: Duration,
    /// Bytes of payload per call.
    pub payload: usize,
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
}

/// One line of the table.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// The load.
    pub load: Load,
    /// Each contender's name and medians, in the order in which they were given.
    pub results: Vec<(&'static str, Measured)>,
}

/// Runs all rounds. `tell` is called after each, with a line of progress.
pub fn run(
    rules: &Rules,
    contenders: &[Contender],
    tell: &mut dyn FnMut(String),
) -> anyhow::Result<Vec<Row>> {
    let mut rows = Vec::new();
    for &load in &rules.loads {
        let mut rounds = vec![Vec::new(); contenders.len()];
        for round in 0..rules.rounds {
            for nth in 0..contenders.len() {
                // Every other round in reverse, so that nobody always follows the same one.
                let nth = if round % 2 == 0 { nth } else { contenders.len() - 1 - nth };
                let measured = measure(rules, load, &contenders[nth])?;
                tell(format!(
                    "{load}, round {} of {}: {} {:.2} µs per request, {:.0} requests a second",
                    round + 1,
                    rules.rounds,
                    contenders[nth].name,
                    measured.micros_per_request,
                    measured.per_second
                ));
                rounds[nth].push(measured);
            }
        }
        let results = contenders.iter().zip(&rounds).map(|(one, rounds)| (one.name, median(rounds)));
        rows.push(Row { load, results: results.collect() });
    }
    Ok(rows)
}

fn measure(rules: &Rules, load: Load, contender: &Contender) -> anyhow::Result<Measured> {
    let plan = Plan {
        slice: Duration::from_millis(10),
        ..Plan::closed(contender.address, load.connections, load.depth)
    };
    let running = load::start(plan, EchoLoad::new(Call::new(INTERFACE, METHOD), rules.payload))?;
    thread::sleep(rules.warm_up);
    let (began, from) = (Instant::now(), running.origin().elapsed());
    let (time_before, before) = (processor::time_of(contender.id())?, running.completed());
    thread::sleep(rules.measure);
    let time = processor::time_of(contender.id())?.saturating_sub(time_before);
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
    Ok(Measured {
        micros_per_request: time.as_secs_f64() * 1e6 / completed as f64,
        per_second: completed as f64 / lasted.as_secs_f64(),
        p50_us: window.quantile_us(0.5) as f64,
        p99_us: window.quantile_us(0.99) as f64,
    })
}

fn median(rounds: &[Measured]) -> Measured {
    let of = |figure: fn(&Measured) -> f64| {
        let mut sorted: Vec<f64> = rounds.iter().map(figure).collect();
        sorted.sort_by(f64::total_cmp);
        match sorted.len() {
            0 => 0.0,
            odd if odd % 2 == 1 => sorted[odd / 2],
            even => f64::midpoint(sorted[even / 2 - 1], sorted[even / 2]),
        }
    };
    Measured {
        micros_per_request: of(|one| one.micros_per_request),
        per_second: of(|one| one.per_second),
        p50_us: of(|one| one.p50_us),
        p99_us: of(|one| one.p99_us),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_load_is_read_as_it_is_written() {
        assert_eq!("50x1".parse(), Ok(Load { connections: 50, depth: 1 }));
        assert_eq!(Load { connections: 16, depth: 16 }.to_string(), "16 × 16");
        for wrong in ["50", "x1", "50x0", "0x1", "50×1", "-1x1"] {
            assert!(wrong.parse::<Load>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn the_median_is_taken_of_each_figure() {
        let round =
            |micros, per_second| Measured { micros_per_request: micros, per_second, ..Measured::default() };
        let odd = median(&[round(3.0, 1.0), round(1.0, 2.0), round(2.0, 9.0)]);
        assert_eq!(odd, round(2.0, 2.0));
        assert_eq!(median(&[round(1.0, 4.0), round(2.0, 2.0)]), round(1.5, 3.0));
        assert_eq!(median(&[]), Measured::default());
    }
}
