//! The chart beside the tables: per goal one bar, our cost as a share of Envoy's, with the reach and the floor marked.
//!
//! Plain SVG without scripts or fonts of its own; colours follow the reader's light or dark scheme.

use crate::goal::{Goal, Verdict};
use std::fmt::Write;

const WIDTH: f64 = 860.0;
const LEFT: f64 = 270.0;
const RIGHT: f64 = 90.0;
const TOP: f64 = 84.0;
const ROW: f64 = 30.0;
const BAR: f64 = 16.0;

const STYLE: &str = "
    text { font: 13px system-ui, sans-serif; fill: #1f2328; }
    .title { font-size: 17px; font-weight: 600; }
    .small { font-size: 12px; fill: #59636e; }
    .ground { fill: #ffffff; }
    .grid { stroke: #d1d9e0; stroke-width: 1; }
    .met { fill: #1a7f64; } .missed { fill: #c4632a; }
    .reach { stroke: #1f2328; stroke-width: 2; }
    .floor { fill: #ffffff; stroke: #1f2328; stroke-width: 1.5; }
    @media (prefers-color-scheme: dark) {
      text { fill: #e6edf3; } .small { fill: #9198a1; } .ground { fill: #0d1117; } .grid { stroke: #3d444d; }
      .met { fill: #3fb68b; } .missed { fill: #e0864f; } .reach { stroke: #e6edf3; }
      .floor { fill: #0d1117; stroke: #e6edf3; }
    }
";

/// The whole file; goals that are not held against Envoy are left out. `under` is a line about where it was measured.
pub fn svg(goals: &[Goal], under: &str) -> String {
    let rows: Vec<_> = goals.iter().filter_map(|goal| Some((goal, goal.share_of_envoy()?))).collect();
    let bottom = TOP + ROW * rows.len() as f64;
    let height = bottom + 56.0;
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" role=\"img\">\n\
         <title>Our cost as a share of Envoy's</title>\n<style>{STYLE}</style>\n\
         <rect class=\"ground\" width=\"{WIDTH}\" height=\"{height}\"/>\n"
    );
    text(&mut out, (20.0, 30.0), "title", "Our cost as a share of Envoy's (less is better)");
    legend(&mut out);
    for percent in [0u8, 25, 50, 75, 100] {
        let at = x(f64::from(percent) / 100.0);
        // Writing to a string cannot fail, here and below.
        let _ = writeln!(
            out,
            "<line class=\"grid\" x1=\"{at:.1}\" x2=\"{at:.1}\" y1=\"{TOP}\" y2=\"{bottom}\"/>"
        );
        text(&mut out, (at - 10.0, bottom + 18.0), "small", &format!("{percent} %"));
    }
    for ((goal, shares), number) in rows.into_iter().zip(0u8..) {
        bar(&mut out, goal, shares, TOP + ROW * f64::from(number));
    }
    text(&mut out, (20.0, bottom + 42.0), "small", under);
    out.push_str("</svg>\n");
    out
}

fn legend(out: &mut String) {
    let y = 56.0;
    for (at, class, word) in [(20.0, "met", "ours, reached"), (140.0, "missed", "ours, missed")] {
        let _ = writeln!(
            out,
            "<rect class=\"{class}\" x=\"{at}\" y=\"{}\" width=\"14\" height=\"11\"/>",
            y - 10.0
        );
        text(out, (at + 20.0, y), "small", word);
    }
    let _ =
        writeln!(out, "<line class=\"reach\" x1=\"268\" x2=\"268\" y1=\"{}\" y2=\"{}\"/>", y - 12.0, y + 2.0);
    text(out, (278.0, y), "small", "what was to be reached");
    let _ = writeln!(out, "<circle class=\"floor\" cx=\"434\" cy=\"{}\" r=\"4\"/>", y - 4.0);
    text(out, (446.0, y), "small", "floor that shares a connection and decides nothing");
}

fn bar(out: &mut String, goal: &Goal, (share, reach): (f64, f64), top: f64) {
    let class = if goal.verdict() == Verdict::Missed { "missed" } else { "met" };
    let middle = top + ROW / 2.0;
    text(out, (20.0, middle + 4.0), "", &goal.what);
    let _ = writeln!(
        out,
        "<rect class=\"{class}\" x=\"{LEFT}\" y=\"{:.1}\" width=\"{:.1}\" height=\"{BAR}\"/>",
        middle - BAR / 2.0,
        (x(share) - LEFT).max(1.0)
    );
    let at = x(reach);
    let _ = writeln!(
        out,
        "<line class=\"reach\" x1=\"{at:.1}\" x2=\"{at:.1}\" y1=\"{:.1}\" y2=\"{:.1}\"/>",
        middle - 11.0,
        middle + 11.0
    );
    if let Some(floor) = goal.floor_share() {
        let _ = writeln!(out, "<circle class=\"floor\" cx=\"{:.1}\" cy=\"{middle:.1}\" r=\"4\"/>", x(floor));
    }
    text(out, (WIDTH - RIGHT + 14.0, middle + 4.0), "", &format!("{:.1} %", share * 100.0));
}

/// Where a share of Envoy's cost lies; what exceeds it stops at its edge.
fn x(share: f64) -> f64 {
    LEFT + (WIDTH - LEFT - RIGHT) * share.clamp(0.0, 1.0)
}

fn text(out: &mut String, (x, y): (f64, f64), class: &str, words: &str) {
    let words = words.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    let _ = writeln!(out, "<text class=\"{class}\" x=\"{x:.1}\" y=\"{y:.1}\">{words}</text>");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::goal::Against;

    fn goal(what: &str, ours: f64) -> Goal {
        let figures = [("ours", ours), ("Envoy", 10.0), ("muxfloor", 2.0)];
        let figures = figures.map(|(name, figure)| (name.to_owned(), figure)).to_vec();
        Goal { what: what.to_owned(), figures, against: Against::Envoy, reach: 0.5, stretch: None }
    }

    /// Names of elements that are opened and not closed, read by hand: every `<x ...>` needs its `</x>` or ends in `/>`.
    fn left_open(svg: &str) -> Vec<String> {
        let mut open: Vec<String> = Vec::new();
        for tag in svg.split('<').skip(1).map(|rest| rest.split_once('>').expect("a tag ends").0) {
            if let Some(name) = tag.strip_prefix('/') {
                assert_eq!(open.pop().as_deref(), Some(name));
            } else if !tag.ends_with('/') {
                open.extend(tag.split_whitespace().next().map(str::to_owned));
            }
        }
        open
    }

    #[test]
    fn every_goal_has_its_bar_and_every_element_its_end() {
        let svg = svg(&[goal("a < b & c", 4.0), goal("d", 8.0), goal("e", 30.0)], "one machine");
        assert_eq!(left_open(&svg), Vec::<String>::new());
        assert_eq!(svg.matches("class=\"met\"").count(), 2, "one bar and the legend");
        assert_eq!(svg.matches("class=\"missed\"").count(), 3, "two bars and the legend");
        assert!(svg.contains("a &lt; b &amp; c") && svg.contains("40.0 %") && svg.contains("300.0 %"));
    }

    #[test]
    fn goals_without_envoy_have_no_bar() {
        let own = Goal { against: Against::Own(1.0), ..goal("own", 1.0) };
        assert!(!svg(&[own], "").contains(">own<"));
    }

    #[test]
    fn a_share_beyond_envoy_stops_at_the_edge() {
        assert!((x(3.0) - (WIDTH - RIGHT)).abs() < 1e-9 && (x(0.0) - LEFT).abs() < 1e-9);
    }
}
