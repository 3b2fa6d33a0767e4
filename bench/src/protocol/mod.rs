//! What a protocol brings to the comparison. The rest of this crate names none.
//!
//! To add one: write its `Workload` and echo server in the crate `peers`, then one file beside this one that implements
//! `Protocol` (configurations of the proxies come from templates in `bench/config` and `bench/peers`), and list it in
//! `ALL`. `bench row --protocol NAME` then measures it. With `aims` of its own it has a section of the document too, which
//! `bench full` measures with all others and `bench full --protocol NAME` alone; the first of `ALL` has all other sections.

mod dubbo;
mod redis;
mod thrift;

use crate::floor::Frames;
use anyhow::{Context, bail};
use peers::load::Workload;
use std::fmt::Debug;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use tokio::net::TcpListener;

/// Every protocol that can be measured.
pub const ALL: [&dyn Protocol; 3] = [&dubbo::Dubbo, &thrift::Thrift, &redis::Redis];

/// One protocol, as the comparison sees it.
pub trait Protocol: Debug + Sync {
    /// Its name on the command line.
    fn name(&self) -> &'static str;

    /// Requests that the last of these routes matches and no other one.
    fn workload(&self, routes: Routes, body: Body) -> Box<dyn Workload>;

    /// Configuration of our proxy before this backend.
    fn ours(&self, routes: Routes, backend: SocketAddr) -> anyhow::Result<Folder>;

    /// Configuration of Envoy from this template, or from the best one that we know. It has the placeholders
    /// `{{listen_address}}`, `{{listen_port}}`, `{{backend_address}}`, `{{backend_port}}` and `{{routes}}`.
    fn envoy(&self, template: Option<&str>, place: &Place) -> anyhow::Result<String>;

    /// Further settings of our proxy that are worth a measurement beside `ours`, by their names in tables.
    fn settings(&self) -> &'static [&'static str] {
        &[]
    }

    /// Configuration of our proxy under one of `settings`.
    fn ours_with(&self, setting: &str, _: Routes, _: SocketAddr) -> anyhow::Result<Folder> {
        bail!("{} has no setting `{setting}`", self.name())
    }

    /// Further templates for Envoy that are worth a measurement, with their names in tables, which begin with `Envoy`.
    fn envoys(&self) -> Vec<(&'static str, String)> {
        Vec::new()
    }

    /// Whether an object of 2 KiB can stand behind the payload.
    fn has_objects(&self) -> bool {
        false
    }

    /// What our proxy shall reach, for a section of this protocol's own.
    fn aims(&self) -> &'static [Aim] {
        &[]
    }

    /// What is to be known about the figures of that section: a sentence with a blank behind it, or nothing.
    fn remark(&self) -> &'static str {
        ""
    }

    /// How the floor takes its messages apart.
    fn frames(&self) -> Frames;

    /// Whether twemproxy speaks it.
    fn is_twemproxys(&self) -> bool {
        false
    }

    /// Serves echoes until accepting fails. Runs on a local runtime.
    fn echo(&self, listener: TcpListener) -> Pin<Box<dyn Future<Output = io::Result<()>>>>;

    /// Starts the server that the protocol is named after, with what loads of this payload ask for.
    fn real_server(&self, _payload: usize) -> anyhow::Result<Backend> {
        bail!("{} is measured before its echo server only", self.name())
    }
}

/// A server that ends when this is dropped.
#[derive(Debug)]
pub struct Backend {
    /// Where it answers.
    pub address: SocketAddr,
    /// Its process.
    pub process: Box<dyn Debug>,
}

/// The protocol of this name.
pub fn named(name: &str) -> anyhow::Result<&'static dyn Protocol> {
    let known = || ALL.map(Protocol::name).join(", ");
    let found = ALL.into_iter().find(|protocol| protocol.name() == name);
    found.with_context(|| format!("no protocol is called `{name}`; there is: {}", known()))
}

/// What routes look at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum By {
    /// The whole method.
    Exact,
    /// What the method begins with.
    Prefix,
    /// A regular expression over the method.
    Regex,
    /// A value that stands behind the arguments.
    Attachment,
}

/// A table of routes of which only the last one is ever hit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Routes {
    /// What they look at.
    pub by: By,
    /// How many, at least 1.
    pub count: usize,
}

impl Routes {
    /// One route by the whole method.
    pub const ONE: Self = Routes { by: By::Exact, count: 1 };

    /// Number of the route that is hit.
    pub fn last(self) -> usize {
        self.count - 1
    }
}

/// What a request carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Body {
    /// Bytes of the payload that comes back.
    pub payload: usize,
    /// Whether an object of 2 KiB follows it, which does not.
    pub object: bool,
}

/// What our proxy shall reach under one load, as a share of what Envoy shows under its better setting.
#[derive(Clone, Copy, Debug)]
pub struct Aim {
    /// The load as on the command line, such as `50x1`.
    pub load: &'static str,
    /// Bytes of payload.
    pub payload: usize,
    /// What is compared.
    pub figure: Figure,
    /// Which of ours: `ours`, or one of the protocol's `settings`.
    pub ours: &'static str,
    /// The share; less is better.
    pub reach: f64,
    /// A share that would be better still.
    pub stretch: Option<f64>,
}

impl Aim {
    /// Processor time with 100 bytes of payload; the rest is to be said.
    const CPU: Self =
        Aim { load: "1x1", payload: 100, figure: Figure::Cpu, ours: "ours", reach: 1.0, stretch: None };
}

/// What an aim compares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Figure {
    /// Processor time of the proxy's process per request.
    Cpu,
    /// The 99th percentile of latency.
    P99,
}

/// Where a proxy stands: what it listens on, what is behind it, what it routes.
#[derive(Clone, Copy, Debug)]
pub struct Place {
    /// Where it shall listen.
    pub listen: SocketAddr,
    /// Where calls are answered.
    pub backend: SocketAddr,
    /// Its routes.
    pub routes: Routes,
}

/// Files for `metactl run`, and the service that they describe.
#[derive(Clone, Debug)]
pub struct Folder {
    /// Names and texts.
    pub files: Vec<(&'static str, String)>,
    /// `HOST:PORT`.
    pub service: &'static str,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_protocol_is_found_by_its_name_and_a_wrong_name_is_told_what_there_is() {
        for name in ["dubbo", "thrift", "redis"] {
            assert_eq!(named(name).unwrap().name(), name);
            assert!(named("telnet").unwrap_err().to_string().contains(name));
        }
    }
}
