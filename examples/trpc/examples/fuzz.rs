//! Tries mutated tRPC messages until a law is broken or the time is over: `make fuzz SECONDS=60`.

use std::process::ExitCode;

#[path = "../tests/codec/laws.rs"]
mod laws;

fn main() -> ExitCode {
    laws::laws().fuzz(std::env::args().skip(1))
}
