//! Tries mutated Thrift messages of all forms until a law is broken or the time is over: `make fuzz SECONDS=60`.

use std::process::ExitCode;

#[path = "../tests/codec/laws.rs"]
mod laws;

fn main() -> ExitCode {
    laws::all_forms().fuzz(std::env::args().skip(1))
}
