//! The proxy with the codecs of this build. A build with further codecs is this file with further lines.

use std::process::ExitCode;
use std::sync::Arc;

use codec_dubbo::Dubbo;
use codec_redis::Redis;
use codec_thrift::Thrift;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    meta_proxy::command::main(vec![Arc::new(Dubbo), Arc::new(Thrift), Arc::new(Redis)])
}
