//! The folder of YAML that the proxy watches.
//!
//! It is made from this example's own files, with the ports that the providers really have. The `MetaRouter` is
//! written beside it and moved in when its time comes, so that the proxy never sees half a file.

use crate::marking::Marking;
use anyhow::{Context, ensure};
use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

/// The service that the proxy shall listen for, as `HOST:PORT`.
pub const SERVICE: &str = "orders.shop.example:20880";
/// Its Dubbo interface.
pub const INTERFACE: &str = "com.example.shop.OrderService";

const SERVICE_ENTRY: &str = include_str!("../services/service-entry.yaml");
const DESTINATION_RULE: &str = include_str!("../services/destination-rule.yaml");
const BY_ATTACHMENT: &str = include_str!("../router/metarouter.yaml");
const BY_APPLICATION: &str = include_str!("../router-by-application/metarouter.yaml");
/// What stands before an endpoint's port in services/service-entry.yaml.
const PORT: &str = "{tcp-metaprotocol-dubbo: ";
/// The first endpoint's port there; the others follow.
const FIRST_PORT: u16 = 21881;

/// The folder, with services and without a router at first.
#[derive(Debug)]
pub struct Folder {
    watched: PathBuf,
    waiting: PathBuf,
}

impl Folder {
    /// Makes `config` in this folder, with the services; a router that an earlier run left there is removed.
    pub fn create(parent: &Path, endpoints: [SocketAddr; 4], marking: Marking) -> anyhow::Result<Self> {
        let folder = Folder { watched: parent.join("config"), waiting: parent.join("metarouter.yaml") };
        fs::create_dir_all(&folder.watched)
            .with_context(|| format!("cannot make {}", folder.watched.display()))?;
        if folder.router().exists() {
            fs::remove_file(folder.router())
                .with_context(|| format!("cannot remove {}", folder.router().display()))?;
        }
        write(&folder.watched.join("service-entry.yaml"), &with_ports(SERVICE_ENTRY, endpoints)?)?;
        write(&folder.watched.join("destination-rule.yaml"), DESTINATION_RULE)?;
        let router = match marking {
            Marking::Attachment => BY_ATTACHMENT,
            Marking::Application => BY_APPLICATION,
        };
        write(&folder.waiting, router)?;
        Ok(folder)
    }

    /// What the proxy is told to watch.
    pub fn path(&self) -> &Path {
        &self.watched
    }

    /// Puts the `MetaRouter` in place.
    pub fn put_router(&self) -> anyhow::Result<()> {
        fs::rename(&self.waiting, self.router())
            .with_context(|| format!("cannot move {} to {}", self.waiting.display(), self.router().display()))
    }

    fn router(&self) -> PathBuf {
        self.watched.join("metarouter.yaml")
    }
}

fn write(path: &Path, text: &str) -> anyhow::Result<()> {
    fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))
}

/// The service entry with these endpoints' ports in place of its own.
fn with_ports(text: &str, endpoints: [SocketAddr; 4]) -> anyhow::Result<String> {
    let mut text = text.to_owned();
    for (known, endpoint) in (FIRST_PORT..).zip(endpoints) {
        let old = format!("{PORT}{known}}}");
        ensure!(text.matches(&old).count() == 1, "services/service-entry.yaml names `{old}` other than once");
        text = text.replace(&old, &format!("{PORT}{}}}", endpoint.port()));
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn endpoints() -> [SocketAddr; 4] {
        [4001, 4002, 4003, 4004].map(|port| SocketAddr::from(([127, 0, 0, 1], port)))
    }

    #[test]
    fn every_endpoint_gets_its_real_port() {
        let text = with_ports(SERVICE_ENTRY, endpoints()).unwrap();
        let ports: Vec<_> = text.lines().filter_map(|line| line.trim().strip_prefix("ports: ")).collect();
        assert_eq!(ports, [4001, 4002, 4003, 4004].map(|port| format!("{PORT}{port}}}")));
    }

    #[test]
    fn the_service_is_the_one_in_the_files() {
        let (host, port) = SERVICE.split_once(':').unwrap();
        for file in [SERVICE_ENTRY, DESTINATION_RULE, BY_ATTACHMENT, BY_APPLICATION] {
            assert!(file.contains(host));
        }
        assert!(SERVICE_ENTRY.contains(&format!("number: {port}\n")));
        assert!(SERVICE_ENTRY.contains(INTERFACE));
    }

    #[test]
    fn the_router_is_moved_in_and_a_former_one_is_removed() {
        let parent = tempfile::tempdir().unwrap();
        for (marking, condition) in [
            (Marking::Attachment, "batchJob: {exact:"),
            (Marking::Application, "remote.application: {prefix:"),
        ] {
            let folder = Folder::create(parent.path(), endpoints(), marking).unwrap();
            let files = |folder: &Folder| fs::read_dir(folder.path()).unwrap().count();
            assert_eq!(files(&folder), 2);
            folder.put_router().unwrap();
            assert_eq!(files(&folder), 3);
            assert!(fs::read_to_string(folder.router()).unwrap().contains(condition));
        }
    }
}
