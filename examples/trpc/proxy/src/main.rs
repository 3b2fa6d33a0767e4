//! `metactl` with one more protocol: everything that the command line does, for tRPC.

use std::process::ExitCode;
use std::sync::Arc;

use codec_trpc::Trpc;

fn main() -> ExitCode {
    metactl::main(vec![Arc::new(Trpc)])
}
