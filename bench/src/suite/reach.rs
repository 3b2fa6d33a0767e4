//! The table of what is to be reached, and the chart of it.

use super::{Measured, Suite, start_all};
use crate::chart;
use crate::contender::Kind;
use crate::contest::{self, Load, Row};
use crate::footprint::{self, AtRest};
use crate::goal::{self, Against, Goal, number};
use crate::protocol::{By, Routes};
use std::fmt::Write;

/// Rounds of each load: medians of five.
const ROUNDS: usize = 5;
/// Routes of the large tables.
const MANY: usize = 10_000;
/// Idle connections whose memory is counted.
const IDLE: usize = 2_000;
/// What Envoy carries meanwhile: with more clients, a round of them takes longer than what is measured.
const ENVOY_MANY: Load = Load::closed(4, 1);
/// Clients of the open loop, and requests a second of all of them.
const OPEN: (usize, f64) = (50, 3_000.0);

/// A closed load, what its processor time and its throughput shall reach.
struct Aim {
    load: Load,
    cpu: (f64, f64),
    throughput: Option<f64>,
}

fn aims() -> [Aim; 4] {
    [
        Aim { load: Load::closed(1, 1), cpu: (0.62, 0.55), throughput: None },
        Aim { load: Load::closed(50, 1), cpu: (0.22, 0.20), throughput: Some(3.0) },
        Aim { load: Load::closed(16, 16), cpu: (0.06, 0.04), throughput: Some(15.0) },
        Aim { load: Load::closed(50, 1).with_payload(16 << 10), cpu: (0.60, 0.55), throughput: None },
    ]
}

/// Three rows, three rounds: a table for the terminal.
pub(super) fn quick(suite: &Suite) -> anyhow::Result<String> {
    let contenders = start_all(&suite.kinds(), &suite.scene(Routes::ONE))?;
    let contenders: Vec<_> = contenders.iter().collect();
    let mut goals = Vec::new();
    for aim in aims().iter().take(3) {
        let row = contest::run(&suite.rules(3, 300, 1_500), &aim.load, &contenders)?;
        goals.push(cpu_goal(&row, aim.cpu));
    }
    Ok(goal::markdown(&goals))
}

pub(super) fn measure(suite: &Suite) -> anyhow::Result<Measured> {
    let mut goals = loads(suite)?;
    let at = goals.iter().position(|goal| goal.against == Against::EnvoyAbove).unwrap_or(goals.len());
    let routed = routed(suite)?;
    goals.splice(at..at, routed);
    let at_rest = footprint::at_rest(&suite.scene(Routes::ONE), &resting(suite), ROUNDS, IDLE)?;
    goals.extend(rest_goals(&at_rest));
    let mut text = format!(
        "## What was to be reached\n\n\
         Medians of {ROUNDS} rounds. Ratios are ours ÷ Envoy unless the row says otherwise. *ours ÷ muxfloor* says what \
         routing, policy and statistics add to a program that only passes calls on: no proxy of this shape can be \
         below 1, whatever Envoy costs on a machine. Envoy's figures with {} routes are of 4 × 1.\n\n{}",
        number(MANY as f64),
        goal::markdown(&goals)
    );
    // Writing to a string cannot fail.
    let _ = writeln!(
        text,
        "\nMemory at rest is resident memory after the first answer; of its own (anonymous, as \
         memory per idle connection is) are:"
    );
    for one in &at_rest {
        let _ = writeln!(text, "- {}: {} MiB", one.name, number(mebibytes(one.memory.anonymous)));
    }
    text.push_str("\n![Our cost as a share of Envoy's](benchmarks.svg)\n");
    Ok(Measured { text, chart: Some(chart::svg(&goals, &suite.machine)) })
}

/// All that has a request per second: processor time, latency, throughput.
fn loads(suite: &Suite) -> anyhow::Result<Vec<Goal>> {
    let mut kinds = suite.kinds();
    kinds.push(Kind::BytesFloor);
    kinds.extend(suite.haproxy.is_some().then_some(Kind::Haproxy(2_000)));
    let contenders = start_all(&kinds, &suite.scene(Routes::ONE))?;
    let contenders: Vec<_> = contenders.iter().collect();
    let (mut goals, mut throughputs) = (Vec::new(), Vec::new());
    for aim in aims() {
        let row = contest::run(&suite.rules(ROUNDS, 300, 800), &aim.load, &contenders)?;
        goals.push(cpu_goal(&row, aim.cpu));
        throughputs.extend(aim.throughput.map(|reach| Goal {
            what: format!("{}: requests/s", row.load),
            figures: figures(&row, |one| one.per_second),
            against: Against::EnvoyAbove,
            reach,
            stretch: None,
        }));
    }
    let load = Load::open(OPEN.0, OPEN.1);
    let row = contest::run(&suite.rules(ROUNDS, 300, 1_500), &load, &contenders)?;
    goals.push(cpu_goal(&row, (0.45, 0.38)));
    let p99 = Goal {
        what: format!("{load}: p99 µs"),
        figures: figures(&row, |one| one.p99_us),
        against: Against::Envoy,
        reach: 0.50,
        stretch: Some(0.45),
    };
    goals.push(p99);
    for (name, figure) in
        [("p50", (|one| one.p50_us) as fn(&contest::Measured) -> f64), ("p99.9", |one| one.p999_us)]
    {
        // Shown, not aimed at: nothing is promised but that it is not worse than Envoy's.
        let what = format!("{load}: {name} µs");
        let goal =
            Goal { what, figures: figures(&row, figure), against: Against::Envoy, reach: 1.0, stretch: None };
        goals.push(goal);
    }
    goals.extend(throughputs);
    Ok(goals)
}

fn cpu_goal(row: &Row, (reach, stretch): (f64, f64)) -> Goal {
    Goal {
        what: format!("{}: CPU µs", row.load),
        figures: figures(row, |one| one.micros_per_request),
        against: Against::Envoy,
        reach,
        stretch: Some(stretch),
    }
}

fn figures(row: &Row, figure: fn(&contest::Measured) -> f64) -> Vec<(String, f64)> {
    row.results.iter().map(|(name, one)| (name.clone(), figure(one))).collect()
}

/// Large tables of routes against a table of one.
fn routed(suite: &Suite) -> anyhow::Result<Vec<Goal>> {
    let mut goals = Vec::new();
    let load = Load::closed(50, 1);
    for (by, word) in [(By::Attachment, "attachment"), (By::Exact, "method")] {
        let start = |kind: Option<Kind>, count| {
            kind.map(|kind| kind.start(&suite.scene(Routes { by, count }))).transpose()
        };
        let (one, many) = (start(suite.ours(), 1)?, start(suite.ours(), MANY)?);
        let envoy = start(suite.envoy.clone().map(Kind::Envoy), MANY)?;
        let (Some(one), Some(many), Some(envoy)) = (one, many, envoy) else { continue };
        let row = contest::run(&suite.rules(ROUNDS, 300, 800), &load, &[&one, &many])?;
        let envoy = contest::run(&suite.rules(ROUNDS, 300, 800), &ENVOY_MANY, &[&envoy])?;
        let [(_, one), (_, many)] = &row.results[..] else { continue };
        let Some((_, envoy)) = envoy.results.first() else { continue };
        let figures = [("ours", many), ("Envoy", envoy)];
        goals.push(Goal {
            what: format!("{load}, {} routes by {word}, last one hit: CPU µs", number(MANY as f64)),
            figures: figures.map(|(name, one)| (name.to_owned(), one.micros_per_request)).to_vec(),
            against: Against::Own(one.micros_per_request),
            reach: 1.1,
            stretch: None,
        });
    }
    Ok(goals)
}

fn resting(suite: &Suite) -> Vec<Kind> {
    let mut kinds = suite.kinds();
    kinds.extend(suite.haproxy.is_some().then_some(Kind::Haproxy(2 * IDLE as u64 + 1_000)));
    kinds
}

fn rest_goals(at_rest: &[AtRest]) -> [Goal; 3] {
    let figures =
        |figure: fn(&AtRest) -> f64| at_rest.iter().map(|one| (one.name.clone(), figure(one))).collect();
    let goal = |what: &str, figures: Vec<(String, f64)>, reach: f64, stretch: Option<f64>| Goal {
        what: what.to_owned(),
        figures,
        against: Against::Itself,
        reach,
        stretch,
    };
    [
        goal("memory at rest, MiB", figures(|one| mebibytes(one.memory.resident)), 12.0, Some(8.0)),
        goal("memory per idle connection, KiB", figures(|one| one.idle_bytes / 1024.0), 1.5, Some(1.0)),
        goal("start to first answer, ms", figures(|one| one.start_ms), 20.0, None),
    ]
}

fn mebibytes(bytes: u64) -> f64 {
    bytes as f64 / f64::from(1 << 20)
}
