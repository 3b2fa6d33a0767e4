//! The chart: user latency over time, with the phases behind it, as an SVG that needs nothing else.

use crate::experiment::Outcome;
use std::fmt::Write;
use std::time::Duration;

const WIDTH: f64 = 960.0;
const HEIGHT: f64 = 440.0;
const LEFT: f64 = 64.0;
const RIGHT: f64 = 24.0;
const TOP: f64 = 112.0;
const BOTTOM: f64 = 52.0;

/// Colour of the band, its first line, its second line.
const PHASES: [(&str, &str, &str); 3] = [
    ("#e8f3ec", "phase 0", "user traffic alone"),
    ("#fbe9e7", "phase 1", "batch jobs, no rule"),
    ("#e6eef9", "phase 2", "MetaRouter in place"),
];
const P99: &str = "#b3261e";
const MEDIAN: &str = "#1f5fa8";
const INK: &str = "#222222";
const GREY: &str = "#777777";
const GRID: &str = "#d5d5d5";

/// Milliseconds of one quantile, slice by slice; the time is the middle of the slice.
type Line = Vec<(f64, f64)>;

/// Where things are drawn.
struct Plane {
    seconds: f64,
    millis: f64,
}

impl Plane {
    fn x(&self, second: f64) -> f64 {
        LEFT + second / self.seconds * (WIDTH - LEFT - RIGHT)
    }

    fn y(&self, millis: f64) -> f64 {
        HEIGHT - BOTTOM - millis / self.millis * (HEIGHT - TOP - BOTTOM)
    }
}

/// The whole chart.
pub fn svg(outcome: &Outcome) -> String {
    let (p99, median) = (line(outcome, 0.99), line(outcome, 0.5));
    let highest = p99.iter().map(|&(_, millis)| millis).fold(1.0, f64::max);
    let step = step(highest);
    let end = outcome.phases[2].to.as_secs_f64();
    let plane = Plane { seconds: end, millis: (highest * 1.05 / step).ceil() * step };
    let mut out = String::new();
    // Writing to a string cannot fail, here and below.
    let _ = writeln!(
        out,
        r#"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}" font-family="system-ui, Helvetica, Arial, sans-serif" font-size="13" fill="{INK}" role="img">"#
    );
    let _ = writeln!(
        out,
        "<title>User latency while batch jobs come and a MetaRouter sends them elsewhere</title>"
    );
    let _ = writeln!(out, r##"<rect width="{WIDTH}" height="{HEIGHT}" fill="#ffffff"/>"##);
    heading(&mut out, outcome);
    bands(&mut out, outcome, &plane);
    axes(&mut out, &plane, step);
    curve(&mut out, &plane, &median, (MEDIAN, 1.5));
    curve(&mut out, &plane, &p99, (P99, 2.2));
    figures(&mut out, outcome, &plane);
    out.push_str("</svg>\n");
    out
}

fn line(outcome: &Outcome, share: f64) -> Line {
    let timeline = &outcome.user.timeline;
    let width = timeline.width().as_secs_f64();
    let end = outcome.phases[2].to.as_secs_f64();
    let slices = timeline.slices().iter().enumerate();
    let points = slices.map(|(nth, slice)| ((nth as f64 + 0.5) * width, slice));
    let whole = points.filter(|(second, slice)| second + width / 2.0 <= end && !slice.latencies.is_empty());
    whole.map(|(second, slice)| (second, slice.latencies.value_at_quantile(share) as f64 / 1e3)).collect()
}

/// Distance of grid lines: 1, 2 or 5 times a power of ten, so that about five of them fit.
fn step(highest: f64) -> f64 {
    let rough = highest / 5.0;
    let power = 10f64.powf(rough.log10().floor());
    [1.0, 2.0, 5.0]
        .map(|factor| factor * power)
        .into_iter()
        .find(|&step| step >= rough)
        .unwrap_or(10.0 * power)
}

fn heading(out: &mut String, outcome: &Outcome) {
    let settings = &outcome.settings;
    let _ = writeln!(
        out,
        r#"<text x="{LEFT}" y="28" font-size="18" font-weight="600">User latency: alone, beside batch jobs, and with a MetaRouter between them</text>"#
    );
    let _ = writeln!(
        out,
        r#"<text x="{LEFT}" y="48" fill="{GREY}">{:.0} user calls a second; {} batch calls outstanding; 2 providers of {} workers and 2 of {}, {} ms a call; slices of {} ms</text>"#,
        settings.user_rate,
        settings.outstanding(),
        settings.user_workers,
        settings.batch_workers,
        settings.service_time.as_millis(),
        outcome.user.timeline.width().as_millis(),
    );
    let legend = [
        (P99, "", "p99 of a slice"),
        (MEDIAN, "", "median of a slice"),
        (INK, "5 4", "p99 of a measured span"),
    ];
    for (nth, (colour, dashes, text)) in legend.into_iter().enumerate() {
        let x = WIDTH - RIGHT - 545.0 + 175.0 * nth as f64;
        let _ = writeln!(
            out,
            r#"<line x1="{x}" y1="66" x2="{}" y2="66" stroke="{colour}" stroke-width="2.2" stroke-dasharray="{dashes}"/><text x="{}" y="70">{text}</text>"#,
            x + 24.0,
            x + 30.0
        );
    }
}

/// The phases: pale while they settle, full where they are measured.
fn bands(out: &mut String, outcome: &Outcome, plane: &Plane) {
    let bottom = HEIGHT - BOTTOM;
    for (nth, (phase, (colour, name, what))) in outcome.phases.iter().zip(PHASES).enumerate() {
        let [began, from, to] =
            [phase.began, phase.from, phase.to].map(|at: Duration| plane.x(at.as_secs_f64()));
        let mut band = |left: f64, right: f64, opacity: f64| {
            let _ = writeln!(
                out,
                r#"<rect x="{left:.1}" y="{TOP}" width="{:.1}" height="{:.1}" fill="{colour}" fill-opacity="{opacity}"/>"#,
                right - left,
                bottom - TOP,
            );
        };
        band(began, from, 0.45);
        band(from, to, 1.0);
        let _ = writeln!(
            out,
            r#"<text x="{:.1}" y="{:.1}" font-weight="600">{name}</text><text x="{:.1}" y="{:.1}" fill="{GREY}">{what}</text>"#,
            began + 6.0,
            TOP - 22.0,
            began + 6.0,
            TOP - 6.0,
        );
        if nth > 0 {
            let _ = writeln!(
                out,
                r#"<line x1="{began:.1}" y1="{:.1}" x2="{began:.1}" y2="{bottom}" stroke="{GREY}" stroke-dasharray="2 3"/>"#,
                TOP - 34.0,
            );
        }
    }
}

fn axes(out: &mut String, plane: &Plane, step: f64) {
    let (right, bottom) = (WIDTH - RIGHT, HEIGHT - BOTTOM);
    for nth in 0..=(plane.millis / step).round() as u32 {
        let millis = f64::from(nth) * step;
        let y = plane.y(millis);
        let _ = writeln!(
            out,
            r#"<line x1="{LEFT}" y1="{y:.1}" x2="{right}" y2="{y:.1}" stroke="{GRID}"/><text x="{}" y="{:.1}" text-anchor="end">{millis}</text>"#,
            LEFT - 8.0,
            y + 4.0,
        );
    }
    for second in (0..=plane.seconds as u32).step_by(5) {
        let x = plane.x(f64::from(second));
        let _ = writeln!(
            out,
            r#"<line x1="{x:.1}" y1="{bottom}" x2="{x:.1}" y2="{}" stroke="{INK}"/><text x="{x:.1}" y="{}" text-anchor="middle">{second}</text>"#,
            bottom + 5.0,
            bottom + 20.0,
        );
    }
    let (middle, low) = (f64::midpoint(TOP, bottom), bottom + 40.0);
    let _ = writeln!(
        out,
        r#"<line x1="{LEFT}" y1="{bottom}" x2="{right}" y2="{bottom}" stroke="{INK}"/><line x1="{LEFT}" y1="{TOP}" x2="{LEFT}" y2="{bottom}" stroke="{INK}"/><text x="{:.1}" y="{low}" text-anchor="middle">seconds since the start</text><text x="18" y="{middle:.1}" text-anchor="middle" transform="rotate(-90 18 {middle:.1})">latency of user calls, ms</text>"#,
        f64::midpoint(LEFT, right),
    );
}

fn curve(out: &mut String, plane: &Plane, line: &Line, (colour, width): (&str, f64)) {
    let points: Vec<_> = line
        .iter()
        .map(|&(second, millis)| format!("{:.1},{:.1}", plane.x(second), plane.y(millis)))
        .collect();
    let _ = writeln!(
        out,
        r#"<polyline points="{}" fill="none" stroke="{colour}" stroke-width="{width}" stroke-linejoin="round"/>"#,
        points.join(" "),
    );
}

/// The p99 of each measured span, as a dashed line with its figure.
fn figures(out: &mut String, outcome: &Outcome, plane: &Plane) {
    for phase in &outcome.phases {
        let millis = phase.user.quantile_us(0.99) as f64 / 1e3;
        let [from, to] = [phase.from, phase.to].map(|at| plane.x(at.as_secs_f64()));
        let y = plane.y(millis);
        // Above the line, unless that is above the plane.
        let text = if y - 20.0 > TOP { y - 12.0 } else { y + 22.0 };
        let _ = writeln!(
            out,
            r##"<line x1="{from:.1}" y1="{y:.1}" x2="{to:.1}" y2="{y:.1}" stroke="{INK}" stroke-width="1.5" stroke-dasharray="5 4"/><text x="{:.1}" y="{text:.1}" text-anchor="middle" font-weight="600" stroke="#ffffff" stroke-width="3" paint-order="stroke">p99 {millis:.1} ms</text>"##,
            f64::midpoint(from, to),
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grid_lines_are_round_numbers() {
        for (highest, expected) in
            [(1.0, 0.2), (9.0, 2.0), (12.0, 5.0), (80.0, 20.0), (101.0, 50.0), (1000.0, 200.0)]
        {
            assert!((step(highest) - expected).abs() < 1e-9, "{highest}: {}", step(highest));
        }
    }
}
