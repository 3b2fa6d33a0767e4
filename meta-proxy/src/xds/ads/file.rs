//! The last good resources, in a file: what a proxy serves when it starts and no controller is there.
//!
//! Format: a line that names format and version, a line with length and checksum, and a delta response with all
//! resources. What is in it is converted like any other, so that a file of another version of the proxy cannot do harm.
//! It is replaced as a whole; a file that is not whole counts as none.

use std::fs::{self, File};
use std::io::{self, Read as _, Write as _};
use std::path::Path;

use ::xds::envoy::envoy::service::discovery::v3::DeltaDiscoveryResponse;
use ::xds::{Resource, ResourceType, wire};
use prost::Message as _;
use xxhash_rust::xxh3::xxh3_64;

/// Bytes of the file; more resources than that are not kept.
pub const STATE_LIMIT: usize = 256 << 20;
/// The first line.
const FORMAT: &str = "meta-proxy resources 1\n";

/// The bytes of a file with these resources.
pub(super) fn encode<'a>(resources: impl Iterator<Item = &'a Resource>) -> Vec<u8> {
    let body =
        DeltaDiscoveryResponse { resources: resources.map(wire::encode).collect(), ..Default::default() };
    let body = body.encode_to_vec();
    let mut bytes = format!("{FORMAT}{} {:016x}\n", body.len(), xxh3_64(&body)).into_bytes();
    bytes.extend_from_slice(&body);
    bytes
}

/// The resources in the bytes of a file.
pub(super) fn decode(bytes: &[u8]) -> Result<Vec<Resource>, String> {
    let rest = bytes.strip_prefix(FORMAT.as_bytes()).ok_or_else(|| {
        format!("does not begin with {:?}: it is another file, or of another version", FORMAT.trim())
    })?;
    let end = rest.iter().take(64).position(|byte| *byte == b'\n').ok_or("is cut off")?;
    let (line, body) = (String::from_utf8_lossy(&rest[..end]), &rest[end + 1..]);
    if line != format!("{} {:016x}", body.len(), xxh3_64(body)) {
        return Err("is damaged: its length or checksum is not what it says".to_owned());
    }
    let body = DeltaDiscoveryResponse::decode(body).map_err(|error| format!("is damaged: {error}"))?;
    let resource = |resource: ::xds::envoy::envoy::service::discovery::v3::Resource| {
        let kind = ResourceType::of_url(&resource.resource.as_ref()?.type_url)?;
        Some(wire::decode(kind, resource))
    };
    Ok(body.resources.into_iter().filter_map(resource).collect())
}

/// Reads a file; `None`: there is none.
pub(super) fn read(path: &Path) -> Result<Option<Vec<Resource>>, String> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error.to_string()),
    };
    let mut bytes = Vec::new();
    file.take(STATE_LIMIT as u64 + 1).read_to_end(&mut bytes).map_err(|error| error.to_string())?;
    if bytes.len() > STATE_LIMIT {
        return Err(format!("has more than {STATE_LIMIT} bytes"));
    }
    decode(&bytes).map(Some)
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
    use crate::xds::fixtures::{resource, routes};

    fn all() -> Vec<Resource> {
        let resource = |name: &str| resource(ResourceType::Routes, name, &routes(name, vec![]));
        vec![resource("a"), resource("b")]
    }

    #[test]
    fn what_is_written_is_read() {
        assert_eq!(decode(&encode(all().iter())), Ok(all()));
    }

    #[test]
    fn a_file_that_is_cut_off_or_changed_anywhere_is_none() {
        let bytes = encode(all().iter());
        for end in 0..bytes.len() {
            assert!(decode(&bytes[..end]).is_err(), "cut at {end}");
        }
        for at in 0..bytes.len() {
            let mut changed = bytes.clone();
            changed[at] ^= 1;
            assert!(decode(&changed).is_err(), "changed at {at}");
        }
    }

    #[test]
    fn a_file_is_replaced_as_a_whole() {
        let folder = std::env::temp_dir().join(format!("meta-proxy-state-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let path = folder.join("state");
        assert_eq!(read(&path), Ok(None));
        for resources in [all(), all()[..1].to_vec()] {
            write(&path, &encode(resources.iter())).unwrap();
            assert_eq!(read(&path), Ok(Some(resources)));
        }
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 1, "nothing is left behind");
        fs::remove_dir_all(&folder).unwrap();
        assert!(write(&path, b"x").unwrap_err().contains("No such file"));
    }
}
