//! Reads the pages of a controller, and lays out what they say in columns.

use std::fmt::Write as _;

use hyper::StatusCode;
use serde::de::DeserializeOwned;

use crate::ask::get;
use crate::cli::OfController;

/// What one of its pages says.
pub fn page<T: DeserializeOwned>(of: &OfController, path: &str) -> Result<T, String> {
    let address = of.controller.to_string();
    let failed = |why: String| format!("the controller's pages at {address} cannot be read: {why}");
    let answer = get(&address, path).map_err(failed)?;
    if answer.status != StatusCode::OK {
        return Err(failed(format!("it answers {}", answer.status)));
    }
    serde_json::from_str(&answer.body)
        .map_err(|error| failed(format!("it is not a controller's port of pages ({error})")))
}

/// Rows, with each column as wide as its widest cell.
pub fn columns<const N: usize>(rows: &[[String; N]]) -> String {
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or_default();
    let widths: [usize; N] = std::array::from_fn(width);
    let mut text = String::new();
    for row in rows {
        let mut line = String::new();
        for (cell, width) in row.iter().zip(widths) {
            let _ = write!(line, "{cell:width$}  ");
        }
        let _ = writeln!(text, "{}", line.trim_end());
    }
    text
}
