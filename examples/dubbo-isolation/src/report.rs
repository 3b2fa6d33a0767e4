//! Figures, targets, the table and result.json: what the outcome says, in numbers and in sentences.

use crate::experiment::{Outcome, Phase};
use serde_json::json;
use std::fmt::Write;

/// Phase 1 shall hurt at least so much, as a multiple of phase 0.
const HURTS: f64 = 5.0;
/// Phase 2 may be so much slower than phase 0.
const HEALED: f64 = 1.3;
/// Batch jobs shall get this share of their providers' capacity in phase 2.
const USED: f64 = 0.9;

/// Unloaded calls all take the same time; where the p99 is so much above the median, the machine was busy.
const STEADY: f64 = 1.5;

/// The figures that targets are set for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Figures {
    /// 99th percentile of user calls in each phase, in microseconds.
    pub p99_us: [u64; 3],
    /// Batch calls per second in phase 2.
    pub batch_rps: f64,
    /// Calls per second that the batch providers can serve, by the time that calls really took.
    pub batch_capacity_rps: f64,
    /// Calls without the right answer, of both kinds, from beginning to end.
    pub errors: u64,
    /// Client connections that were closed on the way.
    pub closed_connections: u64,
}

impl Figures {
    /// Takes the figures out of an outcome.
    pub fn of(outcome: &Outcome) -> Self {
        let [_, _, routed] = &outcome.phases;
        Figures {
            p99_us: [0, 1, 2].map(|nth| outcome.phases[nth].user.quantile_us(0.99)),
            batch_rps: routed.batch.per_second(),
            batch_capacity_rps: routed.by_batch.capacity(2 * outcome.settings.batch_workers),
            errors: outcome.user.errors + outcome.batch.errors,
            closed_connections: outcome.user.closed + outcome.batch.closed,
        }
    }

    /// A phase's 99th percentile as a multiple of phase 0's.
    pub fn ratio(&self, phase: usize) -> f64 {
        self.p99_us[phase] as f64 / self.p99_us[0].max(1) as f64
    }

    /// The share of their capacity that batch jobs got in phase 2.
    pub fn batch_share(&self) -> f64 {
        if self.batch_capacity_rps > 0.0 { self.batch_rps / self.batch_capacity_rps } else { 0.0 }
    }

    /// A sentence for each target that was missed.
    pub fn missed(&self) -> Vec<String> {
        let mut missed = Vec::new();
        let ms = |phase: usize| self.p99_us[phase] as f64 / 1e3;
        if self.p99_us.contains(&0) {
            missed.push("in some phase no user call was answered, so there is nothing to compare".to_owned());
        } else {
            if self.ratio(1) < HURTS {
                missed.push(format!(
                    "without a MetaRouter the user p99 should be at least {HURTS} × the unloaded one, since batch jobs \
                     fill every queue; it was {:.2} × ({:.1} ms against {:.1} ms)",
                    self.ratio(1), ms(1), ms(0)
                ));
            }
            if self.ratio(2) > HEALED {
                missed.push(format!(
                    "with the MetaRouter the user p99 should be at most {HEALED} × the unloaded one; it was {:.2} × \
                     ({:.1} ms against {:.1} ms)",
                    self.ratio(2), ms(2), ms(0)
                ));
            }
        }
        if self.batch_share() < USED {
            missed.push(format!(
                "with the MetaRouter batch jobs should get at least {:.0} % of their providers' capacity; they got \
                 {:.0} % ({:.0} of {:.0} calls a second)",
                USED * 100.0, self.batch_share() * 100.0, self.batch_rps, self.batch_capacity_rps
            ));
        }
        if self.errors > 0 {
            missed.push(format!("no call should fail; {} did", self.errors));
        }
        if self.closed_connections > 0 {
            missed.push(format!("no connection should be closed; {} were", self.closed_connections));
        }
        missed
    }
}

/// The content of result.json.
pub fn json(outcome: &Outcome) -> String {
    let figures = Figures::of(outcome);
    let rounded = |value: f64, places: f64| (value * places).round() / places;
    let value = json!({
        "unloaded_p99_us": figures.p99_us[0],
        "phase1_p99_us": figures.p99_us[1],
        "phase2_p99_us": figures.p99_us[2],
        "batch_rps": rounded(figures.batch_rps, 10.0),
        "batch_capacity_rps": rounded(figures.batch_capacity_rps, 10.0),
        "errors": figures.errors,
        "closed_connections": figures.closed_connections,
        "phase1_ratio": rounded(figures.ratio(1), 1000.0),
        "phase2_ratio": rounded(figures.ratio(2), 1000.0),
        "batch_share": rounded(figures.batch_share(), 1000.0),
        "user_calls": outcome.user.sent,
        "batch_calls": outcome.batch.sent,
        "missed": figures.missed(),
    });
    format!("{value:#}\n")
}

/// The table that is printed at the end.
pub fn table(outcome: &Outcome) -> String {
    let figures = Figures::of(outcome);
    let mut out = String::new();
    let mut row = |name: &str, cells: [String; 3]| {
        let [quiet, crowded, routed] = cells;
        // Writing to a string cannot fail.
        let _ = writeln!(out, "  {name:<34}{quiet:>16}{crowded:>16}{routed:>16}");
    };
    let each = |cell: &dyn Fn(&Phase) -> String| [0, 1, 2].map(|nth| cell(&outcome.phases[nth]));
    let ms = |micros: u64| format!("{:.1} ms", micros as f64 / 1e3);
    row("", ["phase 0", "phase 1", "phase 2"].map(str::to_owned));
    row("", ["user alone", "batch, no rule", "MetaRouter"].map(str::to_owned));
    row("user calls per second", each(&|phase| format!("{:.0}", phase.user.per_second())));
    row("user latency, median", each(&|phase| ms(phase.user.quantile_us(0.5))));
    row("user latency, p99", each(&|phase| ms(phase.user.quantile_us(0.99))));
    row("  compared with phase 0", [0, 1, 2].map(|nth| format!("{:.2} ×", figures.ratio(nth))));
    row("batch calls per second", each(&|phase| format!("{:.0}", phase.batch.per_second())));
    row("served by user providers", each(&|phase| phase.by_user.calls.to_string()));
    row("served by batch providers", each(&|phase| phase.by_batch.calls.to_string()));
    let _ = writeln!(
        out,
        "\n  In phase 2 batch jobs got {:.0} % of their providers' {:.0} calls a second ({} workers, {:.2} ms a call).",
        figures.batch_share() * 100.0,
        figures.batch_capacity_rps,
        2 * outcome.settings.batch_workers,
        2e3 * outcome.settings.batch_workers as f64 / figures.batch_capacity_rps.max(1e-9),
    );
    let user_capacity = outcome.phases[2].by_user.capacity(2 * outcome.settings.user_workers);
    let _ = writeln!(
        out,
        "  User calls were {:.0} % of what the user providers can serve ({user_capacity:.0} a second).",
        outcome.settings.user_rate / user_capacity.max(1e-9) * 100.0,
    );
    let _ = writeln!(
        out,
        "  {} user and {} batch calls: {} errors, {} closed connections.",
        outcome.user.sent, outcome.batch.sent, figures.errors, figures.closed_connections
    );
    let median = outcome.phases[0].user.quantile_us(0.5);
    if figures.p99_us[0] as f64 > STEADY * median as f64 {
        let _ = writeln!(
            out,
            "  Phase 0 was unsteady (p99 {}, median {}): something else keeps this machine busy, and latencies \
             measured on it say little.",
            ms(figures.p99_us[0]),
            ms(median),
        );
    }
    for (whose, report) in [("user", &outcome.user), ("batch", &outcome.batch)] {
        if let Some(error) = &report.first_error {
            let _ = writeln!(out, "  The first error of a {whose} call: {error}");
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn good() -> Figures {
        Figures {
            p99_us: [11_000, 80_000, 11_500],
            batch_rps: 560.0,
            batch_capacity_rps: 570.0,
            errors: 0,
            closed_connections: 0,
        }
    }

    #[test]
    fn figures_that_meet_every_target_miss_none() {
        assert_eq!(good().missed(), Vec::<String>::new());
    }

    #[test]
    fn each_target_is_missed_with_a_sentence_of_its_own() {
        let rows = [
            (Figures { p99_us: [11_000, 54_000, 11_000], ..good() }, "at least 5 ×"),
            (Figures { p99_us: [10_000, 80_000, 13_100], ..good() }, "at most 1.3 ×"),
            (Figures { batch_rps: 500.0, ..good() }, "at least 90 %"),
            (Figures { errors: 1, ..good() }, "no call should fail; 1 did"),
            (Figures { closed_connections: 2, ..good() }, "no connection should be closed; 2 were"),
            (Figures { p99_us: [11_000, 0, 11_000], ..good() }, "nothing to compare"),
        ];
        for (figures, words) in rows {
            let missed = figures.missed();
            assert_eq!(missed.len(), 1, "{missed:?}");
            assert!(missed[0].contains(words), "{missed:?}");
        }
    }
}
