//! The last good resources, in a file: what a proxy serves when it starts and no controller is there.
//!
//! Format: a line that names format and version, a line with length and checksum, and what these are of: a line that says
//! whose resources they are, and a delta response with all of them. What is in it is converted like any other, so that a
//! file of another version of the proxy cannot do harm. It is replaced as a whole; a file that is not whole counts as none,
//! and so does one of another proxy: each is told something else.

use std::fs::{self, File};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};

use ::xds::envoy::envoy::service::discovery::v3::DeltaDiscoveryResponse;
use ::xds::{Resource, ResourceType, wire};
use prost::Message as _;
use xxhash_rust::xxh3::xxh3_64;

use super::Options;
use crate::tls::namespace_of;

/// Bytes of the file; more resources than that are not kept.
pub const STATE_LIMIT: usize = 256 << 20;
/// How the first line begins, whatever the version.
const NAME: &[u8] = b"meta-proxy resources ";
/// The first line.
const FORMAT: &str = "meta-proxy resources 2\n";

/// The file, and whose it is.
#[derive(Debug, Clone)]
pub(super) struct LastGood {
    pub(super) path: PathBuf,
    /// All by which a controller decides what a proxy is told, on one line.
    owner: String,
}

impl LastGood {
    /// The file that these say is to be kept, if one is.
    pub(super) fn of(options: &Options) -> Option<Self> {
        Some(Self { path: options.state.clone()?, owner: owner(options) })
    }

    /// The bytes of a file with these resources.
    pub(super) fn encode<'a>(&self, resources: impl Iterator<Item = &'a Resource>) -> Vec<u8> {
        let resources = resources.map(wire::encode).collect();
        let mut body = format!("{}\n", self.owner).into_bytes();
        body.extend(DeltaDiscoveryResponse { resources, ..Default::default() }.encode_to_vec());
        let mut bytes = format!("{FORMAT}{} {:016x}\n", body.len(), xxh3_64(&body)).into_bytes();
        bytes.extend_from_slice(&body);
        bytes
    }

    /// The resources in the bytes of a file.
    fn decode(&self, bytes: &[u8]) -> Result<Vec<Resource>, String> {
        let rest = bytes.strip_prefix(FORMAT.as_bytes()).ok_or_else(|| unknown(bytes))?;
        let (line, body) = split(rest, 64).ok_or("is cut off")?;
        if line != format!("{} {:016x}", body.len(), xxh3_64(body)).as_bytes() {
            return Err("is damaged: its length or checksum is not what it says".to_owned());
        }
        let (owner, body) = split(body, body.len()).ok_or("is damaged: it does not say whose it is")?;
        if owner != self.owner.as_bytes() {
            let theirs = String::from_utf8_lossy(owner);
            return Err(format!("is of a proxy with {theirs}, and this one has {}", self.owner));
        }
        let body = DeltaDiscoveryResponse::decode(body).map_err(|error| format!("is damaged: {error}"))?;
        let resource = |resource: ::xds::envoy::envoy::service::discovery::v3::Resource| {
            let kind = ResourceType::of_url(&resource.resource.as_ref()?.type_url)?;
            Some(wire::decode(kind, resource))
        };
        Ok(body.resources.into_iter().filter_map(resource).collect())
    }

    /// Reads the file; `None`: there is none.
    pub(super) fn read(&self) -> Result<Option<Vec<Resource>>, String> {
        let file = match File::open(&self.path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(format!("cannot be opened: {error}")),
        };
        let mut bytes = Vec::new();
        let read = file.take(STATE_LIMIT as u64 + 1).read_to_end(&mut bytes);
        read.map_err(|error| format!("cannot be read: {error}"))?;
        if bytes.len() > STATE_LIMIT {
            return Err(format!("has more than {STATE_LIMIT} bytes"));
        }
        self.decode(&bytes).map(Some)
    }
}

/// What a controller goes by. It takes the namespace of the certificate, and a proxy need not say the same once more.
fn owner(Options { namespace, role, gateway, tls, .. }: &Options) -> String {
    let certified = || tls.as_ref().and_then(|tls| namespace_of(&tls.certificate));
    let namespace = if namespace.is_empty() { certified().unwrap_or_default() } else { namespace.clone() };
    // Quoted, so that it stays one line whatever they are.
    format!("namespace {namespace:?}, role {role:?}, gateway {gateway:?}")
}

/// Why bytes are none of this format.
fn unknown(bytes: &[u8]) -> String {
    let wanted = FORMAT.trim_end();
    match split(bytes, FORMAT.len()) {
        Some((line, _)) if line.starts_with(NAME) => {
            let found = String::from_utf8_lossy(line);
            format!("is of another version of meta-proxy: it is {found:?}, and this one reads {wanted:?}")
        }
        _ => format!("does not begin with {wanted:?}: it is another file"),
    }
}

/// The first line, if it has at most so many bytes, and what follows.
fn split(bytes: &[u8], limit: usize) -> Option<(&[u8], &[u8])> {
    let end = bytes.iter().take(limit).position(|byte| *byte == b'\n')?;
    Some((&bytes[..end], &bytes[end + 1..]))
}

/// Replaces the file: whoever reads it meets the old bytes or the new ones, also after a crash.
pub(super) fn write(path: &Path, bytes: &[u8]) -> Result<(), String> {
    if bytes.len() > STATE_LIMIT {
        return Err(format!("would have {} bytes, at most {STATE_LIMIT} are kept", bytes.len()));
    }
    let mut beside = path.as_os_str().to_owned();
    beside.push(".new");
    let replace = || -> io::Result<()> {
        let mut file = File::create(&beside)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&beside, path)
    };
    replace().map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::xds::ads::Tls;
    use crate::xds::fixtures::{resource, routes};
    use peers::tls::Authority;

    fn all() -> Vec<Resource> {
        let resource = |name: &str| resource(ResourceType::Routes, name, &routes(name, vec![]));
        vec![resource("a"), resource("b")]
    }

    fn file(namespace: &str, role: &str, gateway: &str) -> LastGood {
        let [namespace, role, gateway] = [namespace, role, gateway].map(str::to_owned);
        let state = Some(PathBuf::from("state"));
        LastGood::of(&Options { namespace, role, gateway, state, ..Options::default() }).unwrap()
    }

    fn own() -> LastGood {
        file("shop", "", "edge")
    }

    #[test]
    fn what_is_written_is_read() {
        assert_eq!(own().decode(&own().encode(all().iter())), Ok(all()));
    }

    #[test]
    fn what_another_proxy_was_told_is_not_used() {
        let bytes = own().encode(all().iter());
        let others = [("mall", "", "edge"), ("shop", "gateway", "edge"), ("shop", "", "")];
        for (namespace, role, gateway) in others {
            let error = file(namespace, role, gateway).decode(&bytes).unwrap_err();
            let wanted = format!(
                "is of a proxy with namespace \"shop\", role \"\", gateway \"edge\", and this one has namespace \
                 {namespace:?}, role {role:?}, gateway {gateway:?}"
            );
            assert_eq!(error, wanted);
        }
        let (tricky, plain) = (file("a\nb\", role \"", "", ""), file("a\nb", "", ""));
        let bytes = tricky.encode(all().iter());
        assert_eq!(tricky.decode(&bytes), Ok(all()));
        assert!(plain.decode(&bytes).is_err(), "a name cannot say that it is another one");
    }

    #[test]
    fn a_certificate_says_the_namespace_of_a_proxy_that_does_not() {
        let issued = |name: &str| Authority::new("ca").unwrap().issue(&[name]).unwrap().certificate;
        let owner = |namespace: &str, name: &str| {
            let certificate = issued(name).into_bytes();
            let tls = Tls { certificate, key: Vec::new(), authorities: Vec::new(), name: None };
            owner(&Options { namespace: namespace.to_owned(), tls: Some(tls), ..Options::default() })
        };
        let shop = owner("shop", "spiffe://cluster.local/ns/shop/sa/edge");
        assert_eq!(shop, "namespace \"shop\", role \"\", gateway \"\"");
        assert_eq!(owner("", "spiffe://cluster.local/ns/shop/sa/edge"), shop);
        assert_ne!(owner("", "spiffe://cluster.local/ns/mall/sa/edge"), shop);
        assert_eq!(owner("", "shop.example"), owner("", "https://shop/ns/shop/sa/edge"));
    }

    #[test]
    fn a_file_of_another_version_is_told_from_another_file() {
        let error = own().decode(b"meta-proxy resources 1\n0 0\n").unwrap_err();
        let wanted = "is of another version of meta-proxy: it is \"meta-proxy resources 1\", and this one reads \
                      \"meta-proxy resources 2\"";
        assert_eq!(error, wanted);
        let error = own().decode(b"something else").unwrap_err();
        assert_eq!(error, "does not begin with \"meta-proxy resources 2\": it is another file");
    }

    #[test]
    fn a_file_that_is_cut_off_or_changed_anywhere_is_none() {
        let bytes = own().encode(all().iter());
        for end in 0..bytes.len() {
            assert!(own().decode(&bytes[..end]).is_err(), "cut at {end}");
        }
        for at in 0..bytes.len() {
            let mut changed = bytes.clone();
            changed[at] ^= 1;
            assert!(own().decode(&changed).is_err(), "changed at {at}");
        }
    }

    #[test]
    fn a_file_is_replaced_as_a_whole() {
        let folder = std::env::temp_dir().join(format!("meta-proxy-state-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let path = folder.join("state");
        let file = LastGood { path: path.clone(), ..own() };
        assert_eq!(file.read(), Ok(None));
        for resources in [all(), all()[..1].to_vec()] {
            write(&path, &file.encode(resources.iter())).unwrap();
            assert_eq!(file.read(), Ok(Some(resources)));
        }
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 1, "nothing is left behind");
        fs::remove_dir_all(&folder).unwrap();
        assert!(write(&path, b"x").unwrap_err().contains("No such file"));
    }
}
