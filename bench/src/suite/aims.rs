//! The section of a protocol that brings aims of its own: each setting of ours beside each setting of Envoy.

use super::{Measured, Suite, start_all};
use crate::contender::Kind;
use crate::contest::{self, Load, Row};
use crate::goal::{self, Against, Goal, number};
use crate::protocol::{Aim, Figure, Routes};
use anyhow::Context;
use peers::load::Pace;
use std::fmt::Write;

/// Rounds of each load: medians of five.
const ROUNDS: usize = 5;
/// Milliseconds of warm-up and of measuring in a closed loop.
const TIMES: (u64, u64) = (250, 700);
/// The same in an open loop, which makes fewer calls in that time.
const OPEN_TIMES: (u64, u64) = (300, 1_500);
/// A figure of what was measured.
type Shown = fn(&contest::Measured) -> f64;

/// Most connections of haproxy.
const CONNECTIONS: u64 = 2_000;

pub(super) fn measure(suite: &Suite) -> anyhow::Result<Measured> {
    let aims = suite.protocol.aims();
    let contenders = start_all(&kinds(suite), &suite.scene(Routes::ONE))?;
    let contenders: Vec<_> = contenders.iter().collect();
    let mut rows: Vec<(Load, Row)> = Vec::new();
    for load in aims.iter().map(load_of) {
        let load = load?;
        if rows.iter().all(|(known, _)| *known != load) {
            let (warm_up, measure) = if matches!(load.pace, Pace::Open { .. }) { OPEN_TIMES } else { TIMES };
            rows.push((load, contest::run(&suite.rules(ROUNDS, warm_up, measure), &load, &contenders)?));
        }
    }
    let mut goals = Vec::new();
    for aim in aims {
        let load = load_of(aim)?;
        let row = rows.iter().find(|(known, _)| *known == load).context("each load was measured")?;
        goals.push(goal(aim, &row.1));
    }
    Ok(text(suite, &goals, &rows).into())
}

fn load_of(aim: &Aim) -> anyhow::Result<Load> {
    let load: Load = aim.load.parse().map_err(anyhow::Error::msg)?;
    Ok(load.with_payload(aim.payload))
}

/// The version of twemproxy, where it is measured.
fn twemproxy(suite: &Suite) -> Option<&str> {
    suite.twemproxy.as_deref().filter(|_| suite.protocol.is_twemproxys())
}

/// Ours, Envoy, each under all settings; the floors; haproxy.
fn kinds(suite: &Suite) -> Vec<Kind> {
    let mut kinds: Vec<_> = suite.ours().into_iter().collect();
    if let Some(metactl) = &suite.ours {
        kinds.extend(suite.protocol.settings().iter().map(|name| Kind::OursWith(metactl.clone(), name)));
    }
    if let Some(envoy) = &suite.envoy {
        kinds.push(Kind::Envoy(envoy.clone()));
        kinds.extend(envoy.with_templates_of(suite.protocol).into_iter().map(Kind::Envoy));
    }
    kinds.extend([Kind::BytesFloor, Kind::SharedFloor]);
    kinds.extend(twemproxy(suite).map(|_| Kind::Twemproxy));
    kinds.extend(suite.haproxy.is_some().then_some(Kind::Haproxy(CONNECTIONS)));
    kinds
}

/// What the aim asks for of this row: one setting of ours, and the better one of Envoy's.
fn goal(aim: &Aim, row: &Row) -> Goal {
    let (figure, unit) = match aim.figure {
        Figure::Cpu => ((|one| one.micros_per_request) as Shown, "CPU µs"),
        Figure::P99 => ((|one: &contest::Measured| one.p99_us) as _, "p99 µs"),
    };
    let mut figures: Vec<(String, f64)> = Vec::new();
    figures.extend(row.of(aim.ours).map(|one| ("ours".to_owned(), figure(one))));
    let envoys = row.results.iter().filter(|(name, _)| name.starts_with("Envoy"));
    let best = envoys.map(|(_, one)| figure(one)).min_by(f64::total_cmp);
    figures.extend(best.map(|best| ("Envoy".to_owned(), best)));
    let others =
        row.results.iter().filter(|(name, _)| !name.starts_with("Envoy") && !name.starts_with("ours"));
    figures.extend(others.map(|(name, one)| (name.clone(), figure(one))));
    let setting = aim.ours.strip_prefix("ours").filter(|setting| !setting.is_empty()).unwrap_or_default();
    Goal {
        what: format!("{}{setting}: {unit}", row.load),
        figures,
        against: Against::Envoy,
        reach: aim.reach,
        stretch: aim.stretch,
    }
}

fn text(suite: &Suite, goals: &[Goal], rows: &[(Load, Row)]) -> String {
    let name = suite.protocol.name();
    let version = twemproxy(suite).map(|version| format!("twemproxy is {version}. ")).unwrap_or_default();
    let mut out = format!(
        "## {}\n\nMedians of {ROUNDS} rounds; *Envoy* is the better one of its settings in each row. {}{version}\
         `bench/peers/envoy-{name}.yaml` is Envoy's configuration.\n\n{}\nAll that was measured:\n\n",
        capitalised(name),
        suite.protocol.remark(),
        goal::markdown(goals)
    );
    let Some((_, first)) = rows.first() else { return out };
    let names: Vec<_> = first.results.iter().map(|(name, _)| name.as_str()).collect();
    // Writing to a string cannot fail, here and below.
    let _ = writeln!(out, "| | {} |\n{}|", names.join(" | "), "|---".repeat(names.len() + 1));
    let figures: [(&str, Shown); 4] = [
        ("CPU µs", |one| one.micros_per_request),
        ("requests/s", |one| one.per_second),
        ("p50 µs", |one| one.p50_us),
        ("p99 µs", |one| one.p99_us),
    ];
    for (_, row) in rows {
        for (unit, figure) in figures {
            let cells: Vec<_> = row.results.iter().map(|(_, one)| number(figure(one))).collect();
            let _ = writeln!(out, "| {}: {unit} | {} |", row.load, cells.join(" | "));
        }
    }
    out
}

fn capitalised(name: &str) -> String {
    let mut letters = name.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::goal::Verdict;
    use crate::protocol;

    fn row(figures: &[(&str, f64)]) -> Row {
        let one = |micros| contest::Measured { micros_per_request: micros, ..contest::Measured::default() };
        let results = figures.iter().map(|(name, micros)| ((*name).to_owned(), one(*micros))).collect();
        Row { load: "50 × 1".to_owned(), results, replies: Vec::new() }
    }

    #[test]
    fn the_better_one_of_envoys_settings_counts_and_the_named_one_of_ours() {
        let figures = [
            ("ours", 6.0),
            ("ours, shared", 3.0),
            ("Envoy", 20.0),
            ("Envoy, passthrough", 10.0),
            ("l4floor", 4.0),
        ];
        let aim = |ours, reach| Aim {
            load: "50x1",
            payload: 100,
            figure: Figure::Cpu,
            ours,
            reach,
            stretch: Some(reach / 2.0),
        };
        let plain = goal(&aim("ours", 0.5), &row(&figures));
        assert_eq!((plain.compared(), plain.verdict()), (Some(0.6), Verdict::Missed));
        let shared = goal(&aim("ours, shared", 0.5), &row(&figures));
        assert_eq!((shared.compared(), shared.verdict()), (Some(0.3), Verdict::Reached));
        assert_eq!((shared.what.as_str(), shared.of("l4floor")), ("50 × 1, shared: CPU µs", Some(4.0)));
        assert_eq!(goal(&aim("ours", 0.5), &row(&[("Envoy", 1.0)])).verdict(), Verdict::Unknown);
    }

    #[test]
    fn each_aim_has_a_load_that_can_be_read() {
        for aim in protocol::ALL.iter().flat_map(|protocol| protocol.aims()) {
            assert!(load_of(aim).is_ok(), "{aim:?}");
        }
    }

    #[test]
    fn a_section_is_headed_by_its_protocol() {
        assert_eq!(capitalised("thrift"), "Thrift");
    }
}
