//! What can be asked of the command line.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};
use controller::command::{Cluster, Understanding};
use meta_proxy::telemetry::LogTarget;

/// Routes, balances and limits the traffic of any protocol, from MetaRouter objects.
#[derive(Debug, Parser)]
#[command(name = "metactl", version)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run a proxy that follows the objects in files and folders, or those of a Kubernetes cluster
    Run(Run),
    /// Check files and folders; exit code 1 if something would not be in force
    Validate(Validate),
    /// Tell which route, cluster and endpoints a request would meet, and why
    Explain(Explain),
    /// Tell how each object of a controller stands: in force at how many proxies, mistakes, what proxies refuse of it
    Status(OfController),
    /// Tell how far each proxy of a controller is: synced, stale, nacked, and what it refuses
    ProxyStatus(OfController),
    /// Begin a codec for a protocol of your own
    #[command(subcommand)]
    Codec(CodecCommand),
}

/// `metactl status` and `metactl proxy-status`
#[derive(Debug, Args)]
pub struct OfController {
    /// Where the controller's own pages are (its --admin)
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:15014")]
    pub(crate) controller: SocketAddr,
}

/// `metactl codec`
#[derive(Debug, Subcommand)]
pub enum CodecCommand {
    /// Write a crate that compiles: a small protocol to change, its laws, a fuzz target, and a metactl that knows it
    New(NewCodec),
}

/// `metactl codec new`
#[derive(Debug, Args)]
pub struct NewCodec {
    /// The protocol's name, as ports are to call it: lower case letters, digits, and `-` between words
    pub(crate) name: String,
    /// The folder to write; codec-NAME if not given
    #[arg(long, value_name = "DIR")]
    pub(crate) path: Option<PathBuf>,
    /// The checkout of this project to depend on; the one that the current folder is in if not given
    #[arg(long, value_name = "DIR")]
    pub(crate) api: Option<PathBuf>,
}

/// Where objects are and how they are understood.
#[derive(Debug, Args)]
pub struct Objects {
    /// Files, and folders of *.yaml, *.yml and *.json
    #[arg(required = true, value_name = "PATH")]
    pub paths: Vec<PathBuf>,
    #[command(flatten)]
    pub(crate) understanding: Understanding,
}

/// `metactl run`
#[derive(Debug, Args)]
pub struct Run {
    /// Files, and folders of *.yaml, *.yml and *.json
    #[arg(required_unless_present = "kubernetes", conflicts_with = "kubernetes", value_name = "PATH")]
    pub(crate) paths: Vec<PathBuf>,
    #[command(flatten)]
    pub(crate) understanding: Understanding,
    #[command(flatten)]
    pub(crate) cluster: Cluster,
    /// Open the admin port here, such as 127.0.0.1:15000; its first page lists the others
    #[arg(long, value_name = "ADDR")]
    pub(crate) admin: Option<SocketAddr>,
    /// Workers, each a thread; one per core if not given
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub(crate) concurrency: Option<u16>,
    /// Bind the listener of a service elsewhere than at its own address; port 0 picks a free one
    #[arg(long, value_name = "HOST:PORT=ADDR", value_parser = listen)]
    pub(crate) listen: Vec<((String, u16), SocketAddr)>,
    /// Log one line of JSON per exchange to this file; `-` is standard output
    #[arg(long, value_name = "FILE", value_parser = log_target)]
    pub(crate) access_log: Option<LogTarget>,
    /// Look for trace ids in requests of at most so many bytes, for the access log alone; 0: in none [default: 8192]
    #[arg(long, value_name = "BYTES", requires = "access_log")]
    pub(crate) access_log_trace: Option<usize>,
    /// How long requests may go on after SIGTERM, in seconds
    #[arg(long, value_name = "SECONDS", default_value = "30", value_parser = seconds)]
    pub(crate) drain: Duration,
}

/// `metactl validate`
#[derive(Debug, Args)]
pub struct Validate {
    #[command(flatten)]
    pub(crate) objects: Objects,
}

/// `metactl explain`
#[derive(Debug, Args)]
pub struct Explain {
    /// Files, and folders of *.yaml, *.yml and *.json
    #[arg(value_name = "PATH", required_unless_present = "admin", conflicts_with = "admin")]
    pub(crate) paths: Vec<PathBuf>,
    /// Instead of PATH: ask the running proxy whose admin port is here, such as 127.0.0.1:15000
    #[arg(long, value_name = "HOST:PORT")]
    pub(crate) admin: Option<String>,
    #[command(flatten)]
    pub(crate) understanding: Understanding,
    /// Host of the service that the request is for
    #[arg(long)]
    pub(crate) host: String,
    /// Port of the service, where it has several
    #[arg(long)]
    pub(crate) port: Option<u16>,
    /// An attribute of the request; may be given several times
    #[arg(long = "attr", value_name = "NAME=VALUE", value_parser = attribute)]
    pub(crate) attributes: Vec<(String, String)>,
}

fn listen(text: &str) -> Result<((String, u16), SocketAddr), String> {
    let form =
        || format!("{text:?} is not of the form HOST:PORT=ADDR, such as orders.shop:20880=127.0.0.1:0");
    let (service, address) = text.rsplit_once('=').ok_or_else(form)?;
    let (host, port) = service.rsplit_once(':').ok_or_else(form)?;
    let port = port.parse().map_err(|_| format!("{port:?} is not a port"))?;
    let address =
        address.parse().map_err(|_| format!("{address:?} is not an address such as 127.0.0.1:0"))?;
    Ok(((host.to_owned(), port), address))
}

#[expect(clippy::unnecessary_wraps, reason = "the parser's signature is clap's")]
fn log_target(text: &str) -> Result<LogTarget, std::convert::Infallible> {
    Ok(if text == "-" { LogTarget::Stdout } else { LogTarget::File(text.into()) })
}

fn seconds(text: &str) -> Result<Duration, String> {
    let seconds: f64 = text.parse().map_err(|_| format!("{text:?} is not a number of seconds"))?;
    Duration::try_from_secs_f64(seconds).map_err(|error| error.to_string())
}

fn attribute(text: &str) -> Result<(String, String), String> {
    let pair = text.split_once('=').ok_or_else(|| format!("{text:?} is not of the form NAME=VALUE"))?;
    Ok((pair.0.to_owned(), pair.1.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        <Cli as clap::CommandFactory>::command().debug_assert();
        let _: Cli = Cli::parse_from(["metactl", "validate", "."]);
    }

    #[test]
    fn a_listener_is_mapped_by_host_and_port() {
        let ((host, port), address) = listen("a.b:20880=127.0.0.1:0").unwrap();
        assert_eq!((host.as_str(), port, address.to_string().as_str()), ("a.b", 20880, "127.0.0.1:0"));
        assert!(listen("a.b=127.0.0.1:0").unwrap_err().contains("HOST:PORT=ADDR"));
    }
}
