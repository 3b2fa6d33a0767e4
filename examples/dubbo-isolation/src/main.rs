//! `make demo`: runs the experiment against the real `metactl` and says whether it showed what it should.

use clap::Parser;
use dubbo_isolation::demo::{self, Arguments};
use std::process::ExitCode;

fn main() -> ExitCode {
    match demo::run(&Arguments::parse()) {
        Ok(missed) if missed.is_empty() => ExitCode::SUCCESS,
        Ok(missed) => {
            for sentence in missed {
                eprintln!("missed: {sentence}");
            }
            ExitCode::FAILURE
        }
        Err(error) => {
            eprintln!("the demo could not run: {error:#}");
            ExitCode::FAILURE
        }
    }
}
