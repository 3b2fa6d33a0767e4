//! How connections are encrypted: `trafficPolicy.tls` towards endpoints, `spec.tls` from clients.
//!
//! A mistake never ends in a connection that is not encrypted: what was asked for is refused, and there is nothing in its
//! place. Files are the proxy's to read; here only their names are made whole.

use crds::istio::{self, DestinationRuleSpec};
use crds::rules::{CA_WITHOUT_MUTUAL, MUTUAL_WITHOUT_CA};
use crds::{MetaRouterSpec, ServerTlsMode, TlsProtocol};

use super::model::{ClientTls, Identity, ServerTls, Trust};
use super::report::Report;
use crate::nearest;
use crate::object::Object;
use crate::status::Reason;
use crate::tree::FieldPath;

/// The values of `mode` that are served.
const MODES: [&str; 3] = ["DISABLE", "SIMPLE", "MUTUAL"];

/// Reads one block, and notes whether there is a mistake in it.
struct Reader<'r, S> {
    object: &'r Object<S>,
    path: FieldPath,
    report: &'r mut Report,
    /// The first mistake.
    mistake: Option<String>,
}

impl<S> Reader<'_, S> {
    fn mistake(&mut self, field: &str, message: impl Into<String>) {
        let (path, message) = (self.path.field(field), message.into());
        self.mistake.get_or_insert_with(|| format!("{path}: {message}"));
        self.report.error(self.object, &path, message);
    }

    /// The whole name of a file.
    fn file(&mut self, field: &str, name: &str) -> Option<String> {
        if name.starts_with('/') {
            return Some(name.to_owned());
        }
        let Some(location) = self.object.location.as_ref().filter(|_| !name.is_empty()) else {
            self.mistake(field, "must be an absolute path, as the proxy sees it");
            return None;
        };
        let path = location.beside(name);
        if path.to_str().is_none() {
            self.mistake(field, format!("{} is not UTF-8", path.display()));
        }
        path.to_str().map(str::to_owned)
    }

    /// The same of a field that must be there.
    fn needed(&mut self, field: &str, name: Option<&str>, why: &str) -> Option<String> {
        if let Some(name) = name.filter(|name| !name.is_empty()) {
            return self.file(field, name);
        }
        self.mistake(field, format!("is missing: {why}"));
        None
    }
}

/// What stands at `path`.
pub(crate) fn client(
    object: &Object<DestinationRuleSpec>,
    tls: &istio::ClientTls,
    path: &FieldPath,
    report: &mut Report,
) -> ClientTls {
    let mut reader = Reader { object, path: path.clone(), report, mistake: None };
    let read = read_client(tls, &mut reader);
    match reader.mistake {
        Some(mistake) => ClientTls::Refused(mistake),
        None => read,
    }
}

/// What stands at `path`, for one port only.
pub(crate) fn of_one_port(
    object: &Object<DestinationRuleSpec>,
    path: &FieldPath,
    report: &mut Report,
) -> ClientTls {
    let message = "not supported yet for single ports: set `trafficPolicy.tls`, which holds for all of them";
    report.error(object, path, Reason::Unsupported.says(message));
    ClientTls::Refused(format!("{path}: {message}"))
}

fn read_client(tls: &istio::ClientTls, reader: &mut Reader<'_, DestinationRuleSpec>) -> ClientTls {
    let mode = tls.mode.as_deref().unwrap_or_default();
    match mode {
        "DISABLE" => return ClientTls::Plain,
        "" if *tls == istio::ClientTls::default() => return ClientTls::Plain,
        "" => reader.mistake("mode", format!("is missing; there are {}", MODES.join(", "))),
        "SIMPLE" | "MUTUAL" => {}
        "ISTIO_MUTUAL" => reader.mistake(
            "mode",
            "ISTIO_MUTUAL is not supported yet: certificates come from files; MUTUAL with clientCertificate, privateKey and \
             caCertificates would be right",
        ),
        other => {
            let hint = nearest::hint(other, MODES);
            reader.mistake("mode", format!("there is no {other}{hint}; there are {}", MODES.join(", ")));
        }
    }
    if tls.credential_name.is_some() {
        let message = "not supported yet: certificates come from files; clientCertificate, privateKey and caCertificates \
                       would be right";
        reader.mistake("credentialName", message);
    }
    if tls.ca_crl.is_some() {
        reader.mistake("caCrl", "not supported yet: revoked certificates are not looked for");
    }
    let sni = tls.sni.clone().filter(|sni| !sni.is_empty());
    let trust = trust(tls, reader);
    let identity = identity(tls, mode == "MUTUAL", reader);
    ClientTls::Secured { sni, trust, identity }
}

fn trust(tls: &istio::ClientTls, reader: &mut Reader<'_, DestinationRuleSpec>) -> Trust {
    let roots = tls.ca_certificates.as_deref().filter(|name| !name.is_empty());
    if tls.insecure_skip_verify == Some(true) {
        for (field, is_set) in
            [("caCertificates", roots.is_some()), ("subjectAltNames", !tls.subject_alt_names.is_empty())]
        {
            if is_set {
                reader.mistake(field, "has no effect with insecureSkipVerify: remove one of them");
            }
        }
        return Trust::Anyone;
    }
    if tls.subject_alt_names.iter().any(String::is_empty) {
        reader.mistake("subjectAltNames", "must not hold an empty name");
    }
    let roots = roots.and_then(|name| reader.file("caCertificates", name));
    Trust::Signed { roots, names: tls.subject_alt_names.clone() }
}

fn identity(
    tls: &istio::ClientTls,
    is_mutual: bool,
    reader: &mut Reader<'_, DestinationRuleSpec>,
) -> Option<Identity> {
    let (certificate, key) = (tls.client_certificate.as_deref(), tls.private_key.as_deref());
    if is_mutual {
        let why = "with MUTUAL, endpoints are shown a certificate";
        let certificate = reader.needed("clientCertificate", certificate, why);
        let key = reader.needed("privateKey", key, why);
        return Some(Identity { certificate: certificate?, key: key? });
    }
    for (field, name) in [("clientCertificate", certificate), ("privateKey", key)] {
        if name.is_some() {
            reader.mistake(field, "is for mode MUTUAL only: set that, or remove this");
        }
    }
    None
}

/// What a `MetaRouter` says; `None`: there is a mistake in it.
pub(crate) fn server(
    object: &Object<MetaRouterSpec>,
    tls: &crds::ServerTls,
    report: &mut Report,
) -> Option<ServerTls> {
    let mut reader = Reader { object, path: FieldPath::spec().field("tls"), report, mistake: None };
    let why = "it is what clients are shown";
    let certificate = reader.needed("serverCertificate", Some(&tls.server_certificate), why);
    let key = reader.needed("privateKey", Some(&tls.private_key), "it belongs to the certificate");
    let clients = match (tls.mode, tls.ca_certificates.as_deref()) {
        (ServerTlsMode::Mutual, roots) => {
            if roots.is_none() {
                reader.mistake("caCertificates", MUTUAL_WITHOUT_CA);
            }
            roots.and_then(|roots| reader.file("caCertificates", roots))
        }
        (ServerTlsMode::Simple, None) => None,
        (ServerTlsMode::Simple, Some(_)) => {
            reader.mistake("caCertificates", CA_WITHOUT_MUTUAL);
            None
        }
    };
    if reader.mistake.is_some() {
        return None;
    }
    let is_newest = tls.min_protocol_version == Some(TlsProtocol::V1_3);
    Some(ServerTls { identity: Identity { certificate: certificate?, key: key? }, clients, is_newest })
}
