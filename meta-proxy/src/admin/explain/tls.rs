//! How connections are encrypted, in words.

use crate::model::{DownstreamTls, Roots, SubjectName, Trust, UpstreamTls};

/// Connections to endpoints.
pub(super) fn upstream(tls: &UpstreamTls) -> String {
    let trust = match &tls.trust {
        Trust::Anyone => "whoever answers is believed".to_owned(),
        Trust::Signed { roots, names } => {
            let names: Vec<_> = names.iter().map(SubjectName::text).collect();
            let roots = match roots {
                Roots::File(file) => file.display().to_string(),
                Roots::System => "the system's roots".to_owned(),
            };
            format!("checked for {} by {roots}", names.join(" or "))
        }
    };
    let sni = tls.sni.as_ref().map(|sni| format!(", SNI {sni}")).unwrap_or_default();
    let mode = match &tls.identity {
        None => "SIMPLE".to_owned(),
        Some(identity) => format!("MUTUAL with {}", identity.certificate.display()),
    };
    format!("TLS {mode}{sni}, {trust}")
}

/// Connections from clients.
pub(super) fn downstream(tls: &DownstreamTls) -> String {
    let certificate = tls.identity.certificate.display();
    match &tls.clients {
        None => format!("SIMPLE with {certificate}"),
        Some(clients) => format!("MUTUAL with {certificate}, clients checked by {}", clients.display()),
    }
}
