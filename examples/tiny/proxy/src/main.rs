//! `metactl` with one more protocol: run, validate and explain know it.

use std::process::ExitCode;
use std::sync::Arc;

use codec_tiny::Tiny;

fn main() -> ExitCode {
    metactl::main(vec![Arc::new(Tiny)])
}
