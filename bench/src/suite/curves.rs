//! How cost grows with routes, connections, payload and depth.

use super::{Measured, Suite, start_all};
use crate::contender::Contender;
use crate::contest::{self, Load, Row};
use crate::footprint;
use crate::goal::{number, ratio};
use crate::protocol::{By, Routes};
use std::fmt::Write;

/// Rounds of each point of a curve.
const ROUNDS: usize = 3;
/// Milliseconds of warm-up and of measuring.
const TIMES: (u64, u64) = (200, 500);
/// The same for thousands of connections, which take longer to get going.
const LONG_TIMES: (u64, u64) = (2_000, 1_500);

const KINDS: [(By, &str); 4] =
    [(By::Exact, "exact"), (By::Prefix, "prefix"), (By::Regex, "regex"), (By::Attachment, "attachment")];

pub(super) fn routes(suite: &Suite) -> anyhow::Result<Measured> {
    // Few enough for a proxy that takes milliseconds per request to answer often within what is measured.
    let load = Load::closed(8, 1);
    let mut rows = Vec::new();
    for (by, word) in KINDS {
        for count in [1, 100, 10_000] {
            let contenders = start_all(&suite.kinds(), &suite.scene(Routes { by, count }))?;
            let row = point(suite, &load, &contenders, TIMES)?;
            rows.push((format!("{word} | {}", number_of(count)), row));
        }
    }
    let text = format!(
        "## Cost against routes\n\n{load}; the last route is the one that is hit. Exact, prefix and regex look at the \
         method, attachment at a value behind the arguments (exact). muxfloor does not route.\n\n{}",
        table("routes by | routes", &rows)
    );
    Ok(text.into())
}

pub(super) fn object(suite: &Suite) -> anyhow::Result<Measured> {
    let plain = Load::closed(50, 1);
    let mut rows = Vec::new();
    for (by, word, load) in [
        (By::Exact, "method", plain),
        (By::Exact, "method", plain.with_object()),
        (By::Attachment, "attachment", plain),
        (By::Attachment, "attachment", plain.with_object()),
    ] {
        let contenders = start_all(&suite.kinds(), &suite.scene(Routes { by, count: 1 }))?;
        let row = point(suite, &load, &contenders, TIMES)?;
        rows.push((format!("{word} | {load}"), row));
    }
    let text = format!(
        "## Routing by an attachment behind an object\n\nAttachments stand behind the arguments: to look at one, the \
         arguments must be walked over. The object has 32 lines of four fields each, 2 KiB in all.\n\n{}",
        table("route by | load", &rows)
    );
    Ok(text.into())
}

pub(super) fn connections(suite: &Suite) -> anyhow::Result<Measured> {
    let contenders = start_all(&suite.kinds(), &suite.scene(Routes::ONE))?;
    let mut rows = Vec::new();
    for connections in sizes(suite) {
        let times = if connections >= 1_000 { LONG_TIMES } else { TIMES };
        let row = point(suite, &Load::closed(connections, 1), &contenders, times)?;
        rows.push((number_of(connections), row));
    }
    let text = format!(
        "## Cost against active connections\n\nEach has one request outstanding. {}\n\n{}",
        limit_in_words(suite),
        table("connections", &rows)
    );
    Ok(text.into())
}

pub(super) fn idle(suite: &Suite) -> anyhow::Result<Measured> {
    let load = Load::closed(10, 1);
    let mut text = format!(
        "## Cost against idle connections\n\n{load}, while so many other connections are open that have made one call \
         each. {}\n\n| idle | | own memory per idle connection, KiB | CPU µs | requests/s |\n|---|---|---|---|---|\n",
        limit_in_words(suite)
    );
    for connections in sizes(suite) {
        // Without the floor: this process holds the idle connections of all.
        let mut kinds = suite.kinds();
        if kinds.len() > 1 {
            kinds.pop();
        }
        let contenders = start_all(&kinds, &suite.scene(Routes::ONE))?;
        // Held while the load runs.
        let idle: Vec<_> =
            contenders.iter().map(|one| footprint::idle(one, connections)).collect::<Result<_, _>>()?;
        let row = point(suite, &load, &contenders, TIMES)?;
        for ((name, one), idle) in row.results.iter().zip(&idle) {
            // A few connections share pages with what was there before.
            let each = if connections < 1_000 { "–".to_owned() } else { number(idle.bytes_each / 1024.0) };
            // Writing to a string cannot fail.
            let _ = writeln!(
                text,
                "| {} | {name} | {each} | {} | {} |",
                number_of(connections),
                number(one.micros_per_request),
                number(one.per_second)
            );
        }
    }
    Ok(text.into())
}

pub(super) fn payload(suite: &Suite) -> anyhow::Result<Measured> {
    let contenders = start_all(&suite.kinds(), &suite.scene(Routes::ONE))?;
    let mut rows = Vec::new();
    // The smallest one that says whose it is has 24 bytes; one of 16 is not verifiable.
    for (word, bytes) in
        [("24 B", 24), ("1 KiB", 1 << 10), ("16 KiB", 16 << 10), ("256 KiB", 256 << 10), ("4 MiB", 4 << 20)]
    {
        let times = if bytes > 1 << 20 { LONG_TIMES } else { TIMES };
        let row = point(suite, &Load::closed(4, 1).with_payload(bytes), &contenders, times)?;
        rows.push((word.to_owned(), row));
    }
    let text = format!(
        "## Cost against payload\n\n4 × 1; the payload comes back, so that it passes the proxy twice. 24 bytes are the \
         fewest in which a payload can say whose it is.\n\n{}",
        table("payload", &rows)
    );
    Ok(text.into())
}

pub(super) fn depth(suite: &Suite) -> anyhow::Result<Measured> {
    let contenders = start_all(&suite.kinds(), &suite.scene(Routes::ONE))?;
    let mut rows = Vec::new();
    for depth in [1, 4, 16, 64] {
        rows.push((depth.to_string(), point(suite, &Load::closed(16, depth), &contenders, TIMES)?));
    }
    let text = format!(
        "## Cost against depth\n\n16 connections, each with so many requests outstanding.\n\n{}",
        table("depth", &rows)
    );
    Ok(text.into())
}

fn point(
    suite: &Suite,
    load: &Load,
    contenders: &[Contender],
    (warm_up, measure): (u64, u64),
) -> anyhow::Result<Row> {
    let contenders: Vec<_> = contenders.iter().collect();
    contest::run(&suite.rules(ROUNDS, warm_up, measure), load, &contenders)
}

fn sizes(suite: &Suite) -> [usize; 4] {
    [10, 100, 1_000, suite.most_clients()]
}

fn limit_in_words(suite: &Suite) -> String {
    if suite.most_clients() == 10_000 {
        return String::new();
    }
    format!(
        "This machine gives a process {} descriptors, and a proxy that needs one upstream connection per client takes two \
         of them for each: hence {} in place of 10,000.",
        number_of(suite.descriptors as usize),
        number_of(suite.most_clients())
    )
}

fn number_of(count: usize) -> String {
    if count < 100 { count.to_string() } else { number(count as f64) }
}

/// One line per point: processor time, throughput and p99 of ours and Envoy, and the floor's processor time.
fn table(first: &str, rows: &[(String, Row)]) -> String {
    let mut out = format!(
        "| {first} | ours, CPU µs | Envoy | muxfloor | ours ÷ Envoy | ours, requests/s | Envoy | ours, p99 µs | Envoy |\n{}\n",
        "|---".repeat(first.matches('|').count() + 9) + "|"
    );
    for (label, row) in rows {
        let (ours, envoy, floor) = (row.of("ours"), row.of("Envoy"), row.of("muxfloor"));
        let cell = |one: Option<&contest::Measured>, figure: fn(&contest::Measured) -> f64| {
            one.map_or("–".to_owned(), |one| number(figure(one)))
        };
        let compared =
            ours.zip(envoy).map(|(ours, envoy)| ours.micros_per_request / envoy.micros_per_request);
        // Writing to a string cannot fail.
        let _ = writeln!(
            out,
            "| {label} | {} | {} | {} | {} | {} | {} | {} | {} |",
            cell(ours, |one| one.micros_per_request),
            cell(envoy, |one| one.micros_per_request),
            cell(floor, |one| one.micros_per_request),
            compared.map_or("–".to_owned(), ratio),
            cell(ours, |one| one.per_second),
            cell(envoy, |one| one.per_second),
            cell(ours, |one| one.p99_us),
            cell(envoy, |one| one.p99_us),
        );
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_has_as_many_cells_as_the_heading() {
        let one =
            contest::Measured { micros_per_request: 5.0, per_second: 1000.0, ..contest::Measured::default() };
        let results = vec![("ours".to_owned(), one)];
        let row = Row { load: String::new(), results, replies: vec![1] };
        for first in ["depth", "routes by | routes"] {
            let table = table(first, &[(first.to_owned(), row.clone())]);
            let cells: Vec<_> = table.lines().map(|line| line.matches('|').count()).collect();
            assert_eq!(cells, [cells[0]; 3], "{table}");
            assert!(table.contains("| 5.00 | – | – | – | 1,000 |"), "{table}");
        }
    }
}
