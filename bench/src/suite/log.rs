//! What the access log costs: our proxy with it and without, and Envoy, which has none for this protocol.

use super::{Measured, Suite};
use crate::contender::Kind;
use crate::contest::{self, Load};
use crate::goal::{number, ratio};
use crate::protocol::Routes;
use anyhow::Context;
use std::fmt::Write;
use std::io::{BufRead, BufReader};
use std::path::Path;

pub(super) fn measure(suite: &Suite) -> anyhow::Result<Measured> {
    let mut text = "## With the access log on\n\n\
        Ours writes a line of JSON per exchange to a file; CPU is of all its threads, the log's included. Envoy's \
        `dubbo_proxy` has no access log per request, so its figure is without one. A log that cannot keep up drops lines \
        and counts them rather than hold up calls.\n\n\
        | load | ours, CPU µs | with log | ÷ without | requests/s | with log | lines written per request | Envoy, CPU µs | ours with log ÷ Envoy |\n\
        |---|---|---|---|---|---|---|---|---|\n"
        .to_owned();
    let Some(metactl) = &suite.ours else { return Ok(text.into()) };
    for load in [Load::closed(1, 1), Load::closed(50, 1), Load::closed(16, 16), Load::open(50, 3_000.0)] {
        // A new file for each load, since the fastest one writes hundreds of megabytes.
        let folder = tempfile::tempdir().context("cannot make a folder for the log")?;
        let file = folder.path().join("access.log");
        let flags = vec!["--access-log".to_owned(), file.display().to_string()];
        let kinds = [Some(Kind::Ours(metactl.clone(), Vec::new())), Some(Kind::Ours(metactl.clone(), flags))];
        let kinds = kinds.into_iter().chain([suite.envoy.clone().map(Kind::Envoy)]).flatten();
        let scene = suite.scene(Routes::ONE);
        let contenders: Vec<_> = kinds.map(|kind| kind.start(&scene)).collect::<Result<_, _>>()?;
        let row = contest::run(&suite.rules(5, 200, 500), &load, &contenders.iter().collect::<Vec<_>>())?;
        let [(_, plain), (_, logged), rest @ ..] = &row.results[..] else { continue };
        let envoy = rest.first().map(|(_, envoy)| envoy.micros_per_request);
        let micros = logged.micros_per_request;
        // Writing to a string cannot fail.
        let _ = writeln!(
            text,
            "| {load} | {} | {} | {} | {} | {} | {:.2} | {} | {} |",
            number(plain.micros_per_request),
            number(micros),
            ratio(micros / plain.micros_per_request),
            number(plain.per_second),
            number(logged.per_second),
            lines_of(&file)? as f64 / row.replies[1] as f64,
            envoy.map_or("–".to_owned(), number),
            envoy.map_or("–".to_owned(), |envoy| ratio(micros / envoy)),
        );
    }
    Ok(text.into())
}

fn lines_of(file: &Path) -> anyhow::Result<usize> {
    let log = std::fs::File::open(file).with_context(|| format!("no access log at {}", file.display()))?;
    let (mut lines, mut line, mut log) = (0, Vec::new(), BufReader::new(log));
    while log.read_until(b'\n', &mut line)? > 0 {
        lines += 1;
        line.clear();
    }
    Ok(lines)
}
