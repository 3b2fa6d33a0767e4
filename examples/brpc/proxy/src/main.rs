//! `metactl` with one more protocol: everything that the command line does, for bRPC.

use std::process::ExitCode;
use std::sync::Arc;

use codec_brpc::Brpc;

fn main() -> ExitCode {
    metactl::main(vec![Arc::new(Brpc)])
}
