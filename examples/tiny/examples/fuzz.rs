//! Tries mutated messages until a law is broken or the time is over:
//! `cargo run --release --example fuzz -- --seconds 60`.

use std::process::ExitCode;

#[path = "../tests/laws.rs"]
mod laws;

fn main() -> ExitCode {
    laws::laws().fuzz(std::env::args().skip(1))
}
