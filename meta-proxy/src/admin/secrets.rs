//! How connections are encrypted, and by which files, as JSON. Their content is never shown.

use std::path::Path;

use serde_json::{Value, json};

use crate::model::{DownstreamTls, Identity, Roots, SubjectName, TlsVersion, Trust, UpstreamTls};
use crate::tls::{Handle, Settings};

use super::Published;

/// How connections to a cluster's endpoints are encrypted.
pub fn upstream(tls: &UpstreamTls) -> Value {
    let trust = match &tls.trust {
        Trust::Anyone => json!("anyone"),
        Trust::Signed { roots, names } => {
            let roots = match roots {
                Roots::File(file) => path(file),
                Roots::System => json!("the system's"),
            };
            json!({ "roots": roots, "names": names.iter().map(SubjectName::text).collect::<Vec<_>>() })
        }
    };
    json!({
        "sni": tls.sni,
        "trust": trust,
        "identity": tls.identity.as_ref().map(identity),
        "minimum": version(tls.minimum),
    })
}

/// How connections from a listener's clients are encrypted.
pub fn downstream(tls: &DownstreamTls) -> Value {
    json!({
        "identity": identity(&tls.identity),
        "clients": tls.clients.as_deref().map(path),
        "minimum": version(tls.minimum),
    })
}

fn identity(identity: &Identity) -> Value {
    json!({ "certificate": path(&identity.certificate), "key": path(&identity.key) })
}

fn path(path: &Path) -> Value {
    json!(path.display().to_string())
}

fn version(version: TlsVersion) -> &'static str {
    match version {
        TlsVersion::V1_2 => "TLSv1_2",
        TlsVersion::V1_3 => "TLSv1_3",
    }
}

/// Who shows which certificate, until when it is good, and what is wrong with its files now.
pub fn certificates(published: &Published) -> Value {
    let state = &published.state;
    let listeners = state.listeners().filter_map(|entry| {
        let tls = entry.value.tls.as_ref()?;
        Some(described("listener", &entry.value.model.name, &**tls))
    });
    let clusters = state.clusters().filter_map(|entry| {
        let tls = entry.value.tls.as_ref()?;
        Some(described("cluster", &entry.value.model.name, &**tls))
    });
    listeners.chain(clusters).collect()
}

fn described<S: Settings>(kind: &str, name: &str, tls: &Handle<S>) -> Value {
    let certificate = tls.certificate().map(|certificate| {
        json!({
            "file": path(&certificate.file),
            "names": certificate.names,
            "not_before": certificate.not_before,
            "not_after": certificate.not_after,
            "complaint": certificate.complaint(),
        })
    });
    let files = tls.settings().files();
    let files: Vec<_> = files.iter().map(|(_, file)| path(file)).collect();
    json!({ "of": kind, "name": name, "files": files, "certificate": certificate, "stale": tls.fault() })
}
