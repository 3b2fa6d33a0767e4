//! The command line of the controller, and what others that follow objects have in common with it.

use std::io::Write;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, Parser};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

use crate::Error;
use crate::ads::{self, ServeOptions, Tls};
use crate::app::{Controller, Following, Options};
use crate::source::folder::Folder;
use crate::source::kubernetes::{self, Kubernetes};
use crate::translate;

/// The namespace that rules all others, if no other is named.
const ROOT_NAMESPACE: &str = "mesh-system";

/// Tells proxies what MetaRouter objects say, over the aggregated discovery service.
#[derive(Debug, Parser)]
#[command(name = "controller", version)]
struct Flags {
    /// Files, and folders of *.yaml, *.yml and *.json
    #[arg(required_unless_present = "kubernetes", conflicts_with = "kubernetes", value_name = "PATH")]
    paths: Vec<PathBuf>,
    /// Serve proxies here; port 0 picks a free one
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:15010")]
    xds: SocketAddr,
    /// Open the port of the controller's own pages here; its first page lists them
    #[arg(long, value_name = "ADDR")]
    admin: Option<SocketAddr>,
    /// The controller's certificate with what leads to its authority, as PEM; proxies then need certificates as well
    #[arg(long, value_name = "FILE", requires_all = ["tls_key", "tls_authorities"])]
    tls_certificate: Option<PathBuf>,
    /// The key of that certificate
    #[arg(long, value_name = "FILE", requires = "tls_certificate")]
    tls_key: Option<PathBuf>,
    /// The authorities of the proxies' certificates
    #[arg(long, value_name = "FILE", requires = "tls_certificate")]
    tls_authorities: Option<PathBuf>,
    #[command(flatten)]
    understanding: Understanding,
    #[command(flatten)]
    cluster: Cluster,
    /// Time over which the streams of proxies are ended after SIGTERM, in seconds
    #[arg(long, value_name = "SECONDS", default_value = "5", value_parser = seconds)]
    drain: Duration,
}

/// How objects are understood.
#[derive(Debug, Args)]
pub struct Understanding {
    /// Let MetaRouters route hosts of other namespaces
    #[arg(long)]
    pub allow_cross_namespace: bool,
    /// Namespace whose MetaRouters may route hosts of every namespace
    #[arg(long, value_name = "NAME", default_value = ROOT_NAMESPACE)]
    pub root_namespace: String,
}

/// Which objects of which cluster.
#[derive(Debug, Args)]
pub struct Cluster {
    /// Follow the objects of a Kubernetes cluster instead of files
    #[arg(long = "kubernetes", id = "kubernetes")]
    pub is_followed: bool,
    /// How to reach the cluster, as kubectl has it; KUBECONFIG, ~/.kube/config or the pod's service account if not given
    #[arg(long, value_name = "FILE", requires = "kubernetes")]
    pub kubeconfig: Option<PathBuf>,
    /// A context of that file other than its current one
    #[arg(long, value_name = "NAME", requires = "kubernetes")]
    pub context: Option<String>,
    /// Look at the objects of this namespace only; may be given several times
    #[arg(long = "namespace", value_name = "NAME", requires = "kubernetes")]
    pub namespaces: Vec<String>,
}

impl Cluster {
    /// Which cluster, if one is to be followed.
    pub fn options(&self) -> Option<kubernetes::Options> {
        self.is_followed.then(|| kubernetes::Options {
            kubeconfig: self.kubeconfig.clone(),
            context: self.context.clone(),
            namespaces: self.namespaces.clone(),
            identity: None,
        })
    }
}

impl Understanding {
    /// Whether it is the one that holds if nothing is said.
    pub fn is_default(&self) -> bool {
        !self.allow_cross_namespace && self.root_namespace == ROOT_NAMESPACE
    }

    /// As the controller takes it.
    pub fn options(&self) -> Options {
        let translate = translate::Options {
            root_namespace: self.root_namespace.clone(),
            allow_cross_namespace: self.allow_cross_namespace,
            ..translate::Options::default()
        };
        Options { translate }
    }
}

fn seconds(text: &str) -> Result<Duration, String> {
    let seconds: f64 = text.parse().map_err(|_| format!("{text:?} is not a number of seconds"))?;
    Duration::try_from_secs_f64(seconds).map_err(|error| error.to_string())
}

/// Runs the command line.
pub fn main() -> ExitCode {
    let flags = Flags::parse();
    let filter = tracing_subscriber::EnvFilter::try_from_env("META_LOG");
    tracing_subscriber::fmt()
        .with_writer(std::io::stderr)
        .with_target(false)
        .with_env_filter(filter.unwrap_or_else(|_| format!("info,{}", kubernetes::SILENCED).into()))
        .init();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let result = match runtime {
        Ok(runtime) => runtime.block_on(run(flags)),
        Err(error) => Err(format!("cannot start: {error}")),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("controller: {error}");
            ExitCode::from(2)
        }
    }
}

/// Runs until SIGTERM or SIGINT, and then until the streams have ended. A second signal ends it at once.
async fn run(flags: Flags) -> Result<(), String> {
    let tls = tls(&flags)?;
    let following = follow(&flags).await.map_err(|error| error.to_string())?;
    let Following { mut catalogue, registry, status, guard } = following;
    let stop = stop_on_signal().map_err(|error| format!("cannot listen for signals: {error}"))?;
    if let Some(address) = flags.admin {
        let bound = ads::serve_pages(address, catalogue.clone(), registry.clone(), status).await;
        tell(&format!("admin {}", bound.map_err(|error| error.to_string())?));
    }
    let options = ServeOptions { address: flags.xds, tls, streams: ads::STREAMS_LIMIT, drain: flags.drain };
    let served = ads::serve(options, catalogue.clone(), registry, stop).await;
    let (address, served) = served.map_err(|error| error.to_string())?;
    tell(&format!("xds {address}"));
    let ready = tokio::spawn(async move {
        if catalogue.wait_for(Option::is_some).await.is_ok() {
            tell("ready");
        }
    });
    let ended = served.await.map_err(|error| format!("the discovery service failed: {error}"));
    ready.abort();
    drop(guard);
    ended
}

async fn follow(flags: &Flags) -> Result<Following, Error> {
    let options = flags.understanding.options();
    match flags.cluster.options() {
        Some(cluster) => Ok(Controller::follow(Kubernetes::connect(&cluster).await?, &options)),
        None => Ok(Controller::follow(Folder::watch(&flags.paths)?, &options)),
    }
}

fn tls(flags: &Flags) -> Result<Option<Tls>, String> {
    let (Some(certificate), Some(key), Some(authorities)) =
        (&flags.tls_certificate, &flags.tls_key, &flags.tls_authorities)
    else {
        return Ok(None);
    };
    let read = |path: &Path| std::fs::read(path).map_err(|error| format!("{}: {error}", path.display()));
    Ok(Some(Tls { certificate: read(certificate)?, key: read(key)?, client_authorities: read(authorities)? }))
}

/// Says `true` after the first SIGTERM or SIGINT.
fn stop_on_signal() -> std::io::Result<watch::Receiver<bool>> {
    let (told, stop) = watch::channel(false);
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    tokio::spawn(async move {
        for again in [false, true] {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
            if again {
                std::process::exit(130);
            }
            told.send_replace(true);
        }
    });
    Ok(stop)
}

/// Prints what scripts wait for.
fn tell(line: &str) {
    let mut out = std::io::stdout().lock();
    // Whoever closed standard output does not wait for these lines.
    let _ = writeln!(out, "{line}").and_then(|()| out.flush());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        <Flags as clap::CommandFactory>::command().debug_assert();
    }
}
