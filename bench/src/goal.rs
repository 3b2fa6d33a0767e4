//! What is to be reached: a figure of ours beside those of others, and whether it is good enough.

use std::fmt::Write;

/// The names under which columns stand.
const COLUMNS: [&str; 5] = ["ours", "Envoy", "l4floor", "muxfloor", "haproxy tcp"];
/// The same of those that stand behind them only where they were measured.
const FURTHER: [&str; 1] = ["twemproxy"];

/// What a figure of ours is held against.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Against {
    /// Envoy's, where less is better.
    Envoy,
    /// Envoy's, where more is better.
    EnvoyAbove,
    /// Another figure of our own.
    Own(f64),
    /// Nothing: it counts by itself.
    Itself,
}

/// One row.
#[derive(Clone, Debug, PartialEq)]
pub struct Goal {
    /// What was measured, with its unit.
    pub what: String,
    /// Who showed what.
    pub figures: Vec<(String, f64)>,
    /// What counts.
    pub against: Against,
    /// What must be reached.
    pub reach: f64,
    /// What would be better still.
    pub stretch: Option<f64>,
}

/// How well a goal was met.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The stretch too.
    Stretched,
    /// The reach.
    Reached,
    /// Neither.
    Missed,
    /// Something was not measured.
    Unknown,
}

impl Goal {
    /// The figure of this contender.
    pub fn of(&self, name: &str) -> Option<f64> {
        self.figures.iter().find(|(known, _)| known == name).map(|(_, figure)| *figure)
    }

    /// What is compared with the reach.
    pub fn compared(&self) -> Option<f64> {
        let ours = self.of("ours")?;
        match self.against {
            Against::Envoy | Against::EnvoyAbove => Some(ours / self.of("Envoy")?),
            Against::Own(other) => Some(ours / other),
            Against::Itself => Some(ours),
        }
    }

    /// Whether it was reached.
    pub fn verdict(&self) -> Verdict {
        let Some(compared) = self.compared() else { return Verdict::Unknown };
        let is_met = |goal: f64| match self.against {
            Against::EnvoyAbove => compared >= goal,
            _ => compared <= goal,
        };
        match self.stretch {
            Some(stretch) if is_met(stretch) => Verdict::Stretched,
            _ if is_met(self.reach) => Verdict::Reached,
            _ => Verdict::Missed,
        }
    }

    /// Ours as a share of Envoy's cost, and the reach likewise; `None` where Envoy is not what counts.
    pub fn share_of_envoy(&self) -> Option<(f64, f64)> {
        let (ours, envoy) = (self.of("ours")?, self.of("Envoy")?);
        match self.against {
            Against::Envoy => Some((ours / envoy, self.reach)),
            Against::EnvoyAbove => Some((envoy / ours, 1.0 / self.reach)),
            Against::Itself => Some((ours / envoy, self.reach / envoy)),
            Against::Own(_) => None,
        }
    }

    /// The floor that shares a connection, as a share of Envoy's cost; it is no floor of what a row shows by itself.
    pub fn floor_share(&self) -> Option<f64> {
        if self.against == Against::Itself {
            return None;
        }
        let share = self.of("muxfloor")? / self.of("Envoy")?;
        Some(if self.against == Against::EnvoyAbove { 1.0 / share } else { share })
    }
}

/// All goals as a Markdown table.
pub fn markdown(goals: &[Goal]) -> String {
    let is_measured = |name: &&str| goals.iter().any(|goal| goal.of(name).is_some());
    let columns: Vec<_> = COLUMNS.into_iter().chain(FURTHER.into_iter().filter(is_measured)).collect();
    let mut out = format!("| | {} | compared | reach | stretch | | ours ÷ muxfloor |\n", columns.join(" | "));
    out.push_str(&"|---".repeat(columns.len() + 6));
    out.push_str("|\n");
    for goal in goals {
        let figures: Vec<_> =
            columns.iter().map(|name| goal.of(name).map_or("–".to_owned(), number)).collect();
        let verdict = match goal.verdict() {
            Verdict::Stretched => "reached, stretch too",
            Verdict::Reached => "reached",
            Verdict::Missed => "**missed**",
            Verdict::Unknown => "–",
        };
        let floor = goal
            .of("ours")
            .zip(goal.of("muxfloor"))
            .map_or("–".to_owned(), |(ours, floor)| ratio(ours / floor));
        // Writing to a string cannot fail.
        let _ = writeln!(
            out,
            "| {} | {} | {} | {} | {} | {verdict} | {floor} |",
            goal.what,
            figures.join(" | "),
            goal.compared().map_or("–".to_owned(), |compared| goal.in_words(compared)),
            goal.bound(goal.reach),
            goal.stretch.map_or("–".to_owned(), |stretch| goal.bound(stretch)),
        );
    }
    out
}

impl Goal {
    fn in_words(&self, compared: f64) -> String {
        match self.against {
            Against::Envoy | Against::EnvoyAbove => format!("{} × Envoy", ratio(compared)),
            Against::Own(_) => format!("{} × our own with 1", ratio(compared)),
            Against::Itself => number(compared),
        }
    }

    fn bound(&self, goal: f64) -> String {
        match self.against {
            Against::EnvoyAbove => format!("≥ {goal}"),
            _ => format!("≤ {goal}"),
        }
    }
}

/// A ratio with as many places as tell something.
pub fn ratio(value: f64) -> String {
    if value < 0.1 {
        format!("{value:.3}")
    } else if value < 10.0 {
        format!("{value:.2}")
    } else {
        format!("{value:.1}")
    }
}

/// A figure with three digits or more, and commas between thousands.
pub fn number(value: f64) -> String {
    match value {
        small if small < 10.0 => format!("{small:.2}"),
        middle if middle < 100.0 => format!("{middle:.1}"),
        large => {
            let digits = format!("{large:.0}");
            let groups: Vec<_> = digits.as_bytes().rchunks(3).rev().map(String::from_utf8_lossy).collect();
            groups.join(",")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn goal(against: Against, ours: f64, reach: f64, stretch: f64) -> Goal {
        let figures =
            vec![("ours".to_owned(), ours), ("Envoy".to_owned(), 10.0), ("muxfloor".to_owned(), 2.0)];
        Goal { what: "50 × 1".to_owned(), figures, against, reach, stretch: Some(stretch) }
    }

    #[test]
    fn a_verdict_depends_on_what_is_compared() {
        assert_eq!(goal(Against::Envoy, 4.0, 0.5, 0.3).verdict(), Verdict::Reached);
        assert_eq!(goal(Against::Envoy, 3.0, 0.5, 0.3).verdict(), Verdict::Stretched);
        assert_eq!(goal(Against::Envoy, 6.0, 0.5, 0.3).verdict(), Verdict::Missed);
        assert_eq!(goal(Against::EnvoyAbove, 40.0, 3.0, 5.0).verdict(), Verdict::Reached);
        assert_eq!(goal(Against::EnvoyAbove, 20.0, 3.0, 5.0).verdict(), Verdict::Missed);
        assert_eq!(goal(Against::Own(10.0), 10.5, 1.1, 1.0).verdict(), Verdict::Reached);
        assert_eq!(goal(Against::Itself, 11.0, 12.0, 8.0).verdict(), Verdict::Reached);
        let nobody = Goal { figures: Vec::new(), ..goal(Against::Envoy, 1.0, 0.5, 0.3) };
        assert_eq!(nobody.verdict(), Verdict::Unknown);
    }

    #[test]
    fn shares_are_of_cost_whichever_way_is_better() {
        assert_eq!(goal(Against::EnvoyAbove, 40.0, 4.0, 5.0).share_of_envoy(), Some((0.25, 0.25)));
        assert_eq!(goal(Against::Itself, 5.0, 8.0, 4.0).share_of_envoy(), Some((0.5, 0.8)));
        assert_eq!(goal(Against::Own(1.0), 5.0, 8.0, 4.0).share_of_envoy(), None);
        assert_eq!(goal(Against::Envoy, 5.0, 0.6, 0.5).floor_share(), Some(0.2));
        assert_eq!(goal(Against::Itself, 5.0, 0.6, 0.5).floor_share(), None);
    }

    #[test]
    fn a_row_shows_all_and_names_a_miss() {
        let table =
            markdown(&[goal(Against::Envoy, 6.0, 0.5, 0.3), goal(Against::Itself, 1234.0, 2000.0, 1000.0)]);
        let lines: Vec<_> = table.lines().collect();
        assert_eq!(
            lines[2],
            "| 50 × 1 | 6.00 | 10.0 | – | 2.00 | – | 0.60 × Envoy | ≤ 0.5 | ≤ 0.3 | **missed** | 3.00 |"
        );
        assert!(lines[3].contains("| 1,234 |") && lines[3].contains("reached"), "{}", lines[3]);
        assert!(lines.iter().all(|line| line.matches('|').count() == 12), "{table}");
    }

    #[test]
    fn a_further_column_is_there_where_it_was_measured() {
        let mut goal = goal(Against::Envoy, 6.0, 0.5, 0.3);
        assert!(!markdown(std::slice::from_ref(&goal)).contains("twemproxy"));
        goal.figures.push(("twemproxy".to_owned(), 8.0));
        let table = markdown(&[goal]);
        assert!(table.contains("| haproxy tcp | twemproxy | compared |"), "{table}");
        assert!(table.contains("| – | 8.00 | 0.60 × Envoy |"), "{table}");
        assert!(table.lines().all(|line| line.matches('|').count() == 13), "{table}");
    }

    #[test]
    fn numbers_keep_three_digits() {
        assert_eq!([0.567, 56.78, 567.8, 1_234_567.0].map(number), ["0.57", "56.8", "568", "1,234,567"]);
        assert_eq!([0.0567, 0.567, 29.04].map(ratio), ["0.057", "0.57", "29.0"]);
    }
}
