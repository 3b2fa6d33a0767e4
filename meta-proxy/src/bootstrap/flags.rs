//! From the command line, and the file that it may name, to a bootstrap.
//!
//! Both say the same things under the same names; the command line comes before the file. Every value is text until it
//! is checked here, so that all mistakes are told together.

use std::collections::BTreeMap;
use std::io::Read as _;
use std::net::SocketAddr;
use std::path::Path;
use std::str::FromStr;
use std::time::Duration;

use clap::Args;
use serde::Deserialize;

use crate::bootstrap::Bootstrap;
use crate::telemetry::LogTarget;
use crate::xds::ads::{self, Tls};

/// Bytes of the file, and of a file of certificates.
pub const FILE_LIMIT: u64 = 1 << 20;
/// Workers, at most.
const WORKERS_LIMIT: usize = 1024;

/// What can be said on the command line and in the file.
#[derive(Debug, Clone, Default, PartialEq, Eq, Args, Deserialize)]
#[serde(default, rename_all = "kebab-case", deny_unknown_fields)]
pub struct Flags {
    /// Read what is not said here from this file (YAML, the same names)
    #[arg(long, value_name = "FILE")]
    #[serde(skip)]
    config: Option<String>,
    /// Address of a controller; may be given several times, the next one is tried when one fails
    #[arg(long, value_name = "HOST:PORT")]
    controller: Vec<String>,
    /// What the proxy is called; unique among the proxies. The host's name if not given
    #[arg(long, value_name = "NAME")]
    node_id: Option<String>,
    /// The namespace that the proxy stands in
    #[arg(long, value_name = "NAME")]
    namespace: Option<String>,
    /// What the proxy is for, such as gateway
    #[arg(long, value_name = "NAME")]
    role: Option<String>,
    /// Be part of the gateway of this name in the proxy's namespace: serve the MetaRouters that name it in `gateways`, and
    /// nothing else
    #[arg(long, value_name = "NAME")]
    gateway: Option<String>,
    /// The proxy's certificate for its controllers, with what leads to its authority, as PEM
    #[arg(long, value_name = "FILE")]
    tls_certificate: Option<String>,
    /// The key of that certificate
    #[arg(long, value_name = "FILE")]
    tls_key: Option<String>,
    /// The authorities of the controllers' certificates
    #[arg(long, value_name = "FILE")]
    tls_authorities: Option<String>,
    /// The name that a controller's certificate must have, if it is not the host of its address
    #[arg(long, value_name = "NAME")]
    tls_name: Option<String>,
    /// Keep the last good resources in this file, to serve by them when no controller is there at the start
    #[arg(long, value_name = "FILE")]
    state: Option<String>,
    /// Open the admin port here, such as 127.0.0.1:15000; its first page lists the others
    #[arg(long, value_name = "ADDR")]
    admin: Option<String>,
    /// Workers, each a thread; one per core if not given
    #[arg(long, value_name = "N")]
    concurrency: Option<String>,
    /// Bind the listener of a service elsewhere than at its own address; port 0 picks a free one
    #[arg(long, value_name = "HOST:PORT=ADDR")]
    listen: Vec<String>,
    /// Serve the services of `listen` alone, as a gateway does, which has the address of none
    #[arg(long)]
    listen_only: bool,
    /// Log one line of JSON per exchange to this file; `-` is standard output
    #[arg(long, value_name = "FILE")]
    access_log: Option<String>,
    /// Look for trace ids in requests of at most so many bytes, for the access log alone; 0: in none. 8192 if not given
    #[arg(long, value_name = "BYTES")]
    access_log_trace: Option<String>,
    /// How long requests may go on after SIGTERM, in seconds; 30 if not given
    #[arg(long, value_name = "SECONDS")]
    drain: Option<String>,
}

impl Flags {
    /// What they say, with the file that they name; or every mistake in them.
    pub fn read(self) -> Result<(Bootstrap, ads::Options), Vec<String>> {
        let mut mistakes = Vec::new();
        let file = match &self.config {
            Some(path) => match file(path) {
                Ok(file) => file,
                Err(mistake) => {
                    mistakes.push(mistake);
                    Self::default()
                }
            },
            None => Self::default(),
        };
        let flags = self.or(file);
        let mut check = Check { mistakes };
        let bootstrap = flags.bootstrap(&mut check);
        let options = flags.options(&mut check);
        if check.mistakes.is_empty() { Ok((bootstrap, options)) } else { Err(check.mistakes) }
    }

    fn or(self, file: Self) -> Self {
        let list = |own: Vec<String>, other: Vec<String>| if own.is_empty() { other } else { own };
        Self {
            config: None,
            controller: list(self.controller, file.controller),
            node_id: self.node_id.or(file.node_id),
            namespace: self.namespace.or(file.namespace),
            role: self.role.or(file.role),
            gateway: self.gateway.or(file.gateway),
            tls_certificate: self.tls_certificate.or(file.tls_certificate),
            tls_key: self.tls_key.or(file.tls_key),
            tls_authorities: self.tls_authorities.or(file.tls_authorities),
            tls_name: self.tls_name.or(file.tls_name),
            state: self.state.or(file.state),
            admin: self.admin.or(file.admin),
            concurrency: self.concurrency.or(file.concurrency),
            listen: list(self.listen, file.listen),
            listen_only: self.listen_only || file.listen_only,
            access_log: self.access_log.or(file.access_log),
            access_log_trace: self.access_log_trace.or(file.access_log_trace),
            drain: self.drain.or(file.drain),
        }
    }

    fn bootstrap(&self, check: &mut Check) -> Bootstrap {
        let cores = || std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        let concurrency = check.parse("concurrency", self.concurrency.as_ref(), |text| {
            let workers = usize::from_str(text).ok().filter(|workers| (1..=WORKERS_LIMIT).contains(workers));
            workers.ok_or_else(|| format!("must be a number from 1 to {WORKERS_LIMIT}"))
        });
        let drain = check.parse("drain", self.drain.as_ref(), |text| {
            let seconds = text.parse().map_err(|_| "must be a number of seconds".to_owned())?;
            Duration::try_from_secs_f64(seconds).map_err(|error| error.to_string())
        });
        let listen = self.listen.iter().filter_map(|text| check.parse("listen", Some(text), listen));
        let listen: BTreeMap<_, _> = listen.collect();
        if self.listen_only && self.listen.is_empty() {
            check.add("listen-only", "serves nothing without listen");
        }
        let trace_look_limit = check.parse("access-log-trace", self.access_log_trace.as_ref(), |text| {
            text.parse().map_err(|_| "must be a number of bytes".to_owned())
        });
        let default = Bootstrap::default();
        Bootstrap {
            concurrency: concurrency.unwrap_or_else(cores),
            admin: check.parse("admin", self.admin.as_ref(), address),
            listen,
            listen_only: self.listen_only,
            access_log: self.access_log.as_ref().map(|text| match text.as_str() {
                "-" => LogTarget::Stdout,
                file => LogTarget::File(file.into()),
            }),
            trace_look_limit: trace_look_limit.unwrap_or(default.trace_look_limit),
            drain: drain.unwrap_or(default.drain),
            ..default
        }
    }

    fn options(&self, check: &mut Check) -> ads::Options {
        if self.controller.is_empty() {
            check.add("controller", "must be given: the address of a controller, such as 127.0.0.1:15010");
        }
        for text in &self.controller {
            check.parse("controller", Some(text), host_and_port);
        }
        let node_id = self.node_id.clone().or_else(host_name).unwrap_or_default();
        if node_id.is_empty() {
            check.add("node-id", "must be given: this host has no name to take in its place");
        }
        ads::Options {
            controllers: self.controller.clone(),
            node_id,
            namespace: self.namespace.clone().unwrap_or_default(),
            role: self.role.clone().unwrap_or_default(),
            gateway: self.gateway.clone().unwrap_or_default(),
            tls: self.tls(check),
            state: self.state.as_ref().map(Into::into),
            seed: None,
        }
    }

    fn tls(&self, check: &mut Check) -> Option<Tls> {
        let all = [
            ("tls-certificate", &self.tls_certificate),
            ("tls-key", &self.tls_key),
            ("tls-authorities", &self.tls_authorities),
        ];
        if all.iter().all(|(_, path)| path.is_none()) {
            if self.tls_name.is_some() {
                check.add("tls-name", "has no effect without tls-certificate, tls-key and tls-authorities");
            }
            return None;
        }
        let mut read = all.into_iter().map(|(name, path)| {
            if path.is_none() {
                check.add(name, "must be given, since other files for TLS are");
            }
            check.parse(name, path.as_ref(), |path| contents(Path::new(path)))
        });
        let (certificate, key, authorities) = (read.next()?, read.next()?, read.next()?);
        drop(read);
        let name = self.tls_name.clone();
        Some(Tls { certificate: certificate?, key: key?, authorities: authorities?, name })
    }
}

/// The mistakes so far.
struct Check {
    mistakes: Vec<String>,
}

impl Check {
    fn add(&mut self, name: &str, what: &str) {
        self.mistakes.push(format!("{name}: {what}"));
    }

    fn parse<T>(
        &mut self,
        name: &str,
        text: Option<&String>,
        parse: impl FnOnce(&str) -> Result<T, String>,
    ) -> Option<T> {
        let text = text?;
        parse(text).map_err(|what| self.add(name, &format!("{text:?}: {what}"))).ok()
    }
}

fn file(path: &str) -> Result<Flags, String> {
    let bytes = contents(Path::new(path)).map_err(|error| format!("config: {path}: {error}"))?;
    let text = String::from_utf8(bytes).map_err(|_| format!("config: {path}: is no text"))?;
    serde_saphyr::from_str(&text).map_err(|error| format!("config: {path}: {error}"))
}

fn contents(path: &Path) -> Result<Vec<u8>, String> {
    let file = std::fs::File::open(path).map_err(|error| error.to_string())?;
    let mut bytes = Vec::new();
    file.take(FILE_LIMIT + 1).read_to_end(&mut bytes).map_err(|error| error.to_string())?;
    if bytes.len() as u64 > FILE_LIMIT {
        return Err(format!("has more than {FILE_LIMIT} bytes"));
    }
    Ok(bytes)
}

fn address(text: &str) -> Result<SocketAddr, String> {
    text.parse().map_err(|_| "must be an address such as 127.0.0.1:15000".to_owned())
}

fn listen(text: &str) -> Result<((String, u16), SocketAddr), String> {
    let form = || "must be of the form HOST:PORT=ADDR, such as orders.shop:20880=127.0.0.1:0".to_owned();
    let (service, bound) = text.rsplit_once('=').ok_or_else(form)?;
    Ok((host_and_port(service).map_err(|_| form())?, address(bound)?))
}

fn host_and_port(text: &str) -> Result<(String, u16), String> {
    let form = || "must be of the form HOST:PORT, such as controller.mesh-system:15010".to_owned();
    let (host, port) = text.rsplit_once(':').filter(|(host, _)| !host.is_empty()).ok_or_else(form)?;
    Ok((host.to_owned(), port.parse().map_err(|_| form())?))
}

/// The host's name, which in a container is the pod's.
fn host_name() -> Option<String> {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").ok()?;
    Some(name.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flags(controller: &str) -> Flags {
        Flags { controller: vec![controller.to_owned()], ..Flags::default() }
    }

    #[test]
    fn every_mistake_is_told_at_once() {
        let wrong = Flags {
            controller: vec!["nowhere".to_owned()],
            admin: Some("here".to_owned()),
            concurrency: Some("0".to_owned()),
            listen: vec!["a:1".to_owned()],
            access_log_trace: Some("all".to_owned()),
            drain: Some("soon".to_owned()),
            tls_key: Some("/nowhere/key".to_owned()),
            ..Flags::default()
        };
        let mistakes = wrong.read().unwrap_err();
        let named: Vec<_> = mistakes.iter().filter_map(|mistake| mistake.split(':').next()).collect();
        let all = [
            "concurrency",
            "access-log-trace",
            "drain",
            "listen",
            "admin",
            "controller",
            "tls-certificate",
            "tls-key",
            "tls-authorities",
        ];
        for name in all {
            assert!(named.contains(&name), "{name} is not among {mistakes:#?}");
        }
        let mistakes = Flags { listen_only: true, ..flags("a:1") }.read().unwrap_err();
        assert_eq!(mistakes, ["listen-only: serves nothing without listen"]);
        let mistakes = Flags { tls_name: Some("x".to_owned()), ..Flags::default() }.read().unwrap_err();
        assert!(mistakes[0].starts_with("controller: must be given"), "{mistakes:?}");
        assert!(mistakes[1].starts_with("tls-name: has no effect"), "{mistakes:?}");
    }

    #[test]
    fn the_command_line_comes_before_the_file() {
        let folder = std::env::temp_dir().join(format!("meta-proxy-bootstrap-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let path = folder.join("proxy.yaml");
        std::fs::write(&path, "controller: [\"a:1\", \"b:2\"]\nnode-id: f\nnamespace: shop\ndrain: \"2\"\n")
            .unwrap();
        let config = Some(path.display().to_string());
        let own = Flags { config: config.clone(), node_id: Some("c".to_owned()), ..Flags::default() };
        let (bootstrap, options) = own.read().unwrap();
        assert_eq!((options.node_id.as_str(), options.namespace.as_str()), ("c", "shop"));
        assert_eq!(
            (options.controllers, bootstrap.drain),
            (vec!["a:1".to_owned(), "b:2".to_owned()], Duration::from_secs(2))
        );
        std::fs::write(&path, "controler: []\n").unwrap();
        let mistakes = Flags { config, ..flags("a:1") }.read().unwrap_err();
        assert!(mistakes[0].contains("controler"), "{mistakes:?}");
        std::fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    fn a_proxy_needs_no_more_than_a_controller() {
        let (bootstrap, options) = flags("127.0.0.1:15010").read().unwrap();
        assert!(bootstrap.concurrency >= 1 && !options.node_id.is_empty() && options.tls.is_none());
    }
}
