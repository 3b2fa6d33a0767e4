//! The user's command line: run a proxy from a folder, check the folder, explain what a request would meet, begin a
//! codec.
//!
//! The only crate that uses both planes: it starts a controller and a proxy in one process and joins them by the
//! messages that would otherwise travel between two. It holds no rule of its own about what is right.

mod ask;
mod cli;
mod explain;
mod object_status;
mod pages;
mod proxy_status;
mod run;
mod scaffold;
mod validate;

use std::process::ExitCode;
use std::sync::Arc;

use clap::Parser;
use codec_api::Protocol;
use controller::source::kubernetes;
use meta_proxy::xds::Codecs;

pub use cli::{Cli, CodecCommand, Command};

/// Runs the command line with these codecs.
pub fn main(codecs: Vec<Arc<dyn Protocol>>) -> ExitCode {
    let cli = Cli::parse();
    let filter = tracing_subscriber::EnvFilter::try_from_env("META_LOG");
    tracing_subscriber::fmt()
        .with_writer(std::io::stderr)
        .with_target(false)
        .with_env_filter(filter.unwrap_or_else(|_| format!("info,{}", kubernetes::SILENCED).into()))
        .init();
    let codecs = Codecs::new(codecs);
    let result = match cli.command {
        Command::Run(run) => run::run(run, codecs),
        Command::Validate(validate) => validate::validate(&validate, &codecs),
        Command::Explain(explain) => explain::explain(explain, &codecs),
        Command::Status(status) => object_status::object_status(&status),
        Command::ProxyStatus(status) => proxy_status::proxy_status(&status),
        Command::Codec(CodecCommand::New(new)) => scaffold::new(&new, &codecs),
    };
    result.unwrap_or_else(|error| {
        eprintln!("metactl: {error}");
        ExitCode::from(2)
    })
}
