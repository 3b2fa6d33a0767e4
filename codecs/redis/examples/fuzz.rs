//! Tries mutated Redis messages until a law is broken or the time is over: `make fuzz SECONDS=60`.

use std::process::ExitCode;

#[path = "../tests/codec/laws.rs"]
mod laws;

fn main() -> ExitCode {
    let mut kinds = [laws::ordinary(), laws::entangled(), laws::inline()].into_iter();
    let is_broken = |laws: codec_api::laws::Laws| laws.fuzz(std::env::args().skip(1)) != ExitCode::SUCCESS;
    if kinds.any(is_broken) { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}
