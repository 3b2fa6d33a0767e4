//! One worker and two, with few long connections, on all processors: how evenly they are spread.

use super::{Measured, Suite, start_all};
use crate::contender::{Echo, Scene};
use crate::contest::{self, Load};
use crate::goal::number;
use crate::protocol::Routes;
use std::fmt::Write;

pub(super) fn measure(suite: &Suite) -> anyhow::Result<Measured> {
    // The other echo server stays on its processor.
    let echo = Echo::start(suite.protocol)?;
    let load = Load::closed(4, 16);
    let mut text = format!(
        "## Workers\n\n{load}, all processors. Load generator and echo server, a thread each, compete with the workers for \
         them. *Busiest* is the busiest thread's share of the proxy's processor time, median and worst round: with two \
         workers, 0.5 is even, and 1 means that all connections are with one of them.\n\n\
         | workers | | CPU µs | requests/s | p99 µs | busiest | worst |\n|---|---|---|---|---|---|---|\n"
    );
    for workers in [1, 2] {
        let mut kinds = suite.kinds();
        if workers > 1 {
            // The floor has one worker.
            kinds.pop();
        }
        let scene = Scene { workers, backend: echo.address, ..suite.scene(Routes::ONE) };
        let contenders = start_all(&kinds, &scene)?;
        let contenders: Vec<_> = contenders.iter().collect();
        let row = contest::run(&suite.rules(5, 300, 1_000), &load, &contenders)?;
        for (name, one) in &row.results {
            // Writing to a string cannot fail.
            let _ = writeln!(
                text,
                "| {workers} | {name} | {} | {} | {} | {:.2} | {:.2} |",
                number(one.micros_per_request),
                number(one.per_second),
                number(one.p99_us),
                one.busiest,
                one.busiest_worst
            );
        }
    }
    Ok(text.into())
}
