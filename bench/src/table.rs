//! The result as a Markdown table: medians, and each contender as a multiple of the first one.

use crate::contest::Row;
use std::fmt::Write;

/// The whole table.
pub fn markdown(rows: &[Row]) -> String {
    let mut out = String::new();
    let first = rows.first().and_then(|row| row.results.first()).map_or("", |(name, _)| name.as_str());
    // Writing to a string cannot fail.
    let _ = writeln!(
        out,
        "| load | proxy | CPU µs per request | ÷ {first} | requests/s | ÷ {first} | p50 µs | p99 µs | p99.9 µs |"
    );
    let _ = writeln!(out, "|---|---|---|---|---|---|---|---|---|");
    for row in rows {
        let Some((_, base)) = row.results.first() else { continue };
        for (name, one) in &row.results {
            let _ = writeln!(
                out,
                "| {} | {name} | {:.2} | {:.2} | {:.0} | {:.2} | {:.0} | {:.0} | {:.0} |",
                row.load,
                one.micros_per_request,
                one.micros_per_request / base.micros_per_request,
                one.per_second,
                one.per_second / base.per_second,
                one.p50_us,
                one.p99_us,
                one.p999_us
            );
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contest::Measured;

    #[test]
    fn each_contender_is_a_multiple_of_the_first() {
        let one = |micros, per_second| Measured {
            micros_per_request: micros,
            per_second,
            p50_us: 400.4,
            p99_us: 900.0,
            p999_us: 950.0,
            ..Measured::default()
        };
        let results = vec![("floor".to_owned(), one(8.0, 1000.0)), ("ours".to_owned(), one(12.0, 900.0))];
        let table = markdown(&[Row { load: "50 × 1".to_owned(), results, replies: vec![0, 0] }]);
        let lines: Vec<_> = table.lines().collect();
        assert_eq!(lines.len(), 4);
        assert_eq!(lines[2], "| 50 × 1 | floor | 8.00 | 1.00 | 1000 | 1.00 | 400 | 900 | 950 |");
        assert_eq!(lines[3], "| 50 × 1 | ours | 12.00 | 1.50 | 900 | 0.90 | 400 | 900 | 950 |");
        assert!(lines.iter().all(|line| line.matches('|').count() == 10));
    }
}
