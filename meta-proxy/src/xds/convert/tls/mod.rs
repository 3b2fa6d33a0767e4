//! `envoy.extensions.transport_sockets.tls.v3`: how the connections of a listener or cluster are encrypted.
//!
//! What is named are files, which the proxy reads, and looks at again and again. Whoever is to be believed unchecked must be
//! said to be: silence is refused.

#[cfg(test)]
mod tests;

use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;

use ::xds::envoy::envoy::config::core::v3::{self as core, data_source::Specifier};
use ::xds::envoy::envoy::extensions::transport_sockets::tls::v3::{
    self as pb, certificate_validation_context::TrustChainVerification,
    common_tls_context::ValidationContextType, subject_alt_name_matcher::SanType,
    tls_parameters::TlsProtocol,
};
use ::xds::envoy::envoy::r#type::matcher::v3::string_matcher::MatchPattern;
use prost::{Message, Name};

use crate::model::{DownstreamTls, Identity, Roots, SubjectName, TlsVersion, Trust, UpstreamTls};
use crate::tls::{Downstream, Fault, Files, Part, Upstream, is_host};
use crate::xds::convert::mistakes::{Mistakes, path, refuse_rest};
use crate::xds::convert::read::decode;

/// Where a file of roots is named.
const ROOTS: &str = "validation_context.trusted_ca.filename";
/// Names of which an endpoint's certificate must have one.
pub const SUBJECT_NAMES_LIMIT: usize = 100;
/// Bytes of the path of a file.
pub const PATH_LIMIT: usize = 4096;

/// How a cluster's connections are encrypted; `None`: not at all, unless there is a mistake.
pub(super) fn upstream(
    socket: Option<core::TransportSocket>,
    files: &mut Files,
    mistakes: &mut Mistakes,
) -> Option<Arc<Upstream>> {
    let at = "transport_socket";
    let mut context: pb::UpstreamTlsContext = context(socket?, at, mistakes)?;
    let at = format!("{at}.typed_config");
    let sni = sni(std::mem::take(&mut context.sni), &at, mistakes);
    let common = common(context.common_tls_context.take(), &at, mistakes);
    #[expect(deprecated, reason = "deprecated fields are refused like the others")]
    {
        refuse_rest!(
            context,
            &at,
            mistakes,
            [
                auto_host_sni,
                auto_sni_san_validation,
                allow_renegotiation,
                max_session_keys,
                enforce_rsa_key_usage
            ]
        );
    }
    let common = common?;
    let identity = identity(common.certificates, &common.at, mistakes)?;
    let trust = trust(common.validation, sni.as_deref(), &common.at, mistakes)?;
    let settings = UpstreamTls { sni, trust, identity, minimum: common.minimum };
    let roots = match &settings.trust {
        Trust::Signed { roots: Roots::System, .. } => "validation_context.system_root_certs",
        _ => ROOTS,
    };
    read(files.upstream(&settings), (&common.at, roots), mistakes)
}

/// How connections from a listener's clients are encrypted; `None`: not at all, unless there is a mistake.
pub(super) fn downstream(
    socket: Option<core::TransportSocket>,
    files: &mut Files,
    mistakes: &mut Mistakes,
) -> Option<Arc<Downstream>> {
    let at = "filter_chains[0].transport_socket";
    let mut context: pb::DownstreamTlsContext = context(socket?, at, mistakes)?;
    let at = format!("{at}.typed_config");
    let is_required = context.require_client_certificate.take().is_some_and(|required| required.value);
    let common = common(context.common_tls_context.take(), &at, mistakes);
    refuse_rest!(
        context,
        &at,
        mistakes,
        [
            require_sni,
            disable_stateful_session_resumption,
            session_timeout,
            ocsp_staple_policy,
            full_scan_certs_on_sni_mismatch,
            prefer_client_ciphers,
            session_ticket_keys_type
        ]
    );
    let common = common?;
    let identity = identity(common.certificates, &common.at, mistakes)?;
    if identity.is_none() {
        mistakes
            .add(path(&common.at, "tls_certificates"), "must hold the certificate that clients are shown");
    }
    let clients = clients(common.validation, (is_required, &at), &common.at, mistakes)?;
    let settings = DownstreamTls { identity: identity?, clients, minimum: common.minimum };
    read(files.downstream(&settings), (&common.at, ROOTS), mistakes)
}

/// What the files came to; a fault is a mistake of the field that names the file.
fn read<T>(result: Result<T, Fault>, (at, roots): (&str, &str), mistakes: &mut Mistakes) -> Option<T> {
    let tell = |fault: Fault| {
        let field = match fault.part {
            Part::Certificate => "tls_certificates[0].certificate_chain.filename",
            Part::Key => "tls_certificates[0].private_key.filename",
            Part::Roots => roots,
        };
        mistakes.add_of_file(path(at, field), fault.to_string());
    };
    result.map_err(tell).ok()
}

fn context<M: Message + Name + Default>(
    socket: core::TransportSocket,
    at: &str,
    mistakes: &mut Mistakes,
) -> Option<M> {
    let at = path(at, "typed_config");
    match socket.config_type {
        Some(core::transport_socket::ConfigType::TypedConfig(any)) => decode(&any, &at, mistakes),
        None => {
            mistakes.add(at, "must be set");
            None
        }
    }
}

/// What both sides have in common.
struct Common {
    at: String,
    certificates: Vec<pb::TlsCertificate>,
    validation: Option<pb::CertificateValidationContext>,
    minimum: TlsVersion,
}

fn common(context: Option<pb::CommonTlsContext>, at: &str, mistakes: &mut Mistakes) -> Option<Common> {
    let at = path(at, "common_tls_context");
    let mut context = context.unwrap_or_default();
    let certificates = std::mem::take(&mut context.tls_certificates);
    let minimum = minimum(context.tls_params.take(), &path(&at, "tls_params"), mistakes);
    let validation = match context.validation_context_type.take() {
        None => Some(None),
        Some(ValidationContextType::ValidationContext(validation)) => Some(Some(validation)),
        Some(_) => {
            let text =
                "not supported yet: what others are checked against comes from files (validation_context)";
            mistakes.add(path(&at, "validation_context_type"), text);
            None
        }
    };
    #[expect(deprecated, reason = "deprecated fields are refused like the others")]
    {
        refuse_rest!(
            context,
            &at,
            mistakes,
            [
                tls_certificate_sds_secret_configs,
                tls_certificate_provider_instance,
                custom_tls_certificate_selector,
                tls_certificate_certificate_provider,
                tls_certificate_certificate_provider_instance,
                alpn_protocols,
                custom_handshaker,
                key_log
            ]
        );
    }
    Some(Common { certificates, validation: validation?, minimum: minimum?, at })
}

fn minimum(params: Option<pb::TlsParameters>, at: &str, mistakes: &mut Mistakes) -> Option<TlsVersion> {
    let Some(mut params) = params else { return Some(TlsVersion::default()) };
    let protocol = |value: i32| TlsProtocol::try_from(value);
    let maximum = std::mem::take(&mut params.tls_maximum_protocol_version);
    if !matches!(protocol(maximum), Ok(TlsProtocol::TlsAuto | TlsProtocol::TlSv13)) {
        mistakes
            .add(path(at, "tls_maximum_protocol_version"), "must be TLSv1_3 or TLS_AUTO, which is the same");
    }
    let minimum = match protocol(std::mem::take(&mut params.tls_minimum_protocol_version)) {
        Ok(TlsProtocol::TlsAuto | TlsProtocol::TlSv12) => Some(TlsVersion::V1_2),
        Ok(TlsProtocol::TlSv13) => Some(TlsVersion::V1_3),
        _ => {
            let text = "must be TLSv1_2, the oldest that is spoken, TLSv1_3, or TLS_AUTO, which is TLSv1_2";
            mistakes.add(path(at, "tls_minimum_protocol_version"), text);
            None
        }
    };
    refuse_rest!(
        params,
        at,
        mistakes,
        [cipher_suites, ecdh_curves, signature_algorithms, compliance_policies]
    );
    minimum
}

/// The name that an endpoint is asked for. The outer `None`, of those below as well: there is a mistake.
fn sni(name: String, at: &str, mistakes: &mut Mistakes) -> Option<String> {
    if name.is_empty() {
        return None;
    }
    if !is_host(&name) {
        mistakes.add(path(at, "sni"), format!("{name:?} is neither a DNS name nor an IP address"));
        return None;
    }
    Some(name)
}

#[expect(clippy::option_option, reason = "what is wrong is not the same as what is absent")]
fn identity(
    certificates: Vec<pb::TlsCertificate>,
    at: &str,
    mistakes: &mut Mistakes,
) -> Option<Option<Identity>> {
    if certificates.len() > 1 {
        let text = format!("holds {} certificates; more than one is not supported yet", certificates.len());
        mistakes.add(path(at, "tls_certificates"), text);
        return None;
    }
    let Some(mut certificate) = certificates.into_iter().next() else { return Some(None) };
    let at = path(at, "tls_certificates[0]");
    let chain = file(certificate.certificate_chain.take(), &path(&at, "certificate_chain"), mistakes);
    let key = file(certificate.private_key.take(), &path(&at, "private_key"), mistakes);
    refuse_rest!(
        certificate,
        &at,
        mistakes,
        [
            pkcs12,
            watched_directory,
            private_key_provider,
            password,
            ocsp_staple,
            signed_certificate_timestamp
        ]
    );
    Some(Some(Identity { certificate: chain?, key: key? }))
}

/// A file by its name.
fn file(source: Option<core::DataSource>, at: &str, mistakes: &mut Mistakes) -> Option<PathBuf> {
    let mut source = source.unwrap_or_default();
    let field = path(at, "filename");
    let read = match source.specifier.take() {
        Some(Specifier::Filename(name)) if !name.starts_with('/') => {
            mistakes.add(field, format!("{name:?} is not an absolute path"));
            None
        }
        Some(Specifier::Filename(name)) if name.len() > PATH_LIMIT || name.contains('\0') => {
            mistakes.add(field, format!("is not a path of at most {PATH_LIMIT} bytes"));
            None
        }
        Some(Specifier::Filename(name)) => Some(PathBuf::from(name)),
        Some(_) => {
            mistakes.add(at, "not supported yet, unless it is the name of a file");
            None
        }
        None => {
            mistakes.add(field, "must be set");
            None
        }
    };
    refuse_rest!(source, at, mistakes, [watched_directory]);
    read
}

fn trust(
    validation: Option<pb::CertificateValidationContext>,
    sni: Option<&str>,
    at: &str,
    mistakes: &mut Mistakes,
) -> Option<Trust> {
    let at = path(at, "validation_context");
    let mut validation = validation.unwrap_or_default();
    let roots = match (validation.trusted_ca.take(), validation.system_root_certs.take()) {
        (Some(source), None) => Some(file(Some(source), &path(&at, "trusted_ca"), mistakes).map(Roots::File)),
        (None, Some(_)) => Some(Some(Roots::System)),
        (None, None) => None,
        (Some(_), Some(_)) => {
            mistakes.add(path(&at, "system_root_certs"), "and `trusted_ca` exclude each other; remove one");
            Some(None)
        }
    };
    let names = names(std::mem::take(&mut validation.match_typed_subject_alt_names), &at, mistakes);
    let verification = std::mem::take(&mut validation.trust_chain_verification);
    let is_anyone = verification == TrustChainVerification::AcceptUntrusted as i32;
    refuse_unserved(validation, &at, mistakes);
    let (roots, mut names) = match (roots, names?) {
        (None, names) if is_anyone && names.is_empty() => return Some(Trust::Anyone),
        (_, _) if is_anyone => {
            let text = "ACCEPT_UNTRUSTED excludes roots and names, which would not be looked at";
            mistakes.add(path(&at, "trust_chain_verification"), text);
            return None;
        }
        (None, _) => {
            let text = "must be set, or system_root_certs, or trust_chain_verification to ACCEPT_UNTRUSTED: nothing says \
                        which endpoints are to be believed";
            mistakes.add(path(&at, "trusted_ca"), text);
            return None;
        }
        (Some(roots), names) => (roots?, names),
    };
    if names.is_empty() {
        let Some(sni) = sni else {
            let text = "must be set where there is no sni: nothing says which names an endpoint's certificate may have";
            mistakes.add(path(&at, "match_typed_subject_alt_names"), text);
            return None;
        };
        names.push(SubjectName::Host(sni.to_owned()));
    }
    Some(Trust::Signed { roots, names })
}

/// The names of which a certificate must have one.
fn names(
    matchers: Vec<pb::SubjectAltNameMatcher>,
    at: &str,
    mistakes: &mut Mistakes,
) -> Option<Vec<SubjectName>> {
    let at = path(at, "match_typed_subject_alt_names");
    if matchers.len() > SUBJECT_NAMES_LIMIT {
        let text = format!("holds {} names; at most {SUBJECT_NAMES_LIMIT} are allowed", matchers.len());
        mistakes.add(at, text);
        return None;
    }
    let read = matchers.into_iter().enumerate().map(|(index, mut matcher)| {
        let at = format!("{at}[{index}]");
        let mut inner = matcher.matcher.take().unwrap_or_default();
        let Some(MatchPattern::Exact(text)) = inner.match_pattern.take() else {
            mistakes.add(path(&at, "matcher"), "not supported yet, unless it is `exact`");
            return None;
        };
        refuse_rest!(inner, &path(&at, "matcher"), mistakes, [ignore_case]);
        let name = match SanType::try_from(std::mem::take(&mut matcher.san_type)) {
            Ok(SanType::Dns) if is_host(&text) => Some(SubjectName::Host(text)),
            Ok(SanType::IpAddress) if text.parse::<IpAddr>().is_ok() => Some(SubjectName::Host(text)),
            Ok(SanType::Uri) if text.contains(':') => Some(SubjectName::Uri(text)),
            Ok(kind @ (SanType::Dns | SanType::IpAddress | SanType::Uri)) => {
                mistakes.add(
                    path(&at, "matcher.exact"),
                    format!("{text:?} is no name of type {}", kind.as_str_name()),
                );
                None
            }
            _ => {
                mistakes.add(path(&at, "san_type"), "not supported yet, unless it is DNS, URI or IP_ADDRESS");
                None
            }
        };
        refuse_rest!(matcher, &at, mistakes, [oid]);
        name
    });
    // All are read, for the sake of their mistakes.
    read.collect::<Vec<_>>().into_iter().collect()
}

/// Who must have signed the certificates of clients.
#[expect(clippy::option_option, reason = "what is wrong is not the same as what is absent")]
fn clients(
    validation: Option<pb::CertificateValidationContext>,
    (is_required, of_context): (bool, &str),
    at: &str,
    mistakes: &mut Mistakes,
) -> Option<Option<PathBuf>> {
    let at = path(at, "validation_context");
    let required = path(of_context, "require_client_certificate");
    let Some(mut validation) = validation else {
        if is_required {
            mistakes
                .add(path(&at, "trusted_ca"), "must be set: nothing says whose clients are to be believed");
            return None;
        }
        return Some(None);
    };
    let roots = file(validation.trusted_ca.take(), &path(&at, "trusted_ca"), mistakes);
    if validation.system_root_certs.take().is_some() {
        mistakes.add(
            path(&at, "system_root_certs"),
            "not supported yet: clients are checked against `trusted_ca`",
        );
    }
    if !validation.match_typed_subject_alt_names.is_empty() {
        validation.match_typed_subject_alt_names.clear();
        mistakes.add_unsupported(path(&at, "match_typed_subject_alt_names"));
    }
    if std::mem::take(&mut validation.trust_chain_verification) != 0 {
        mistakes.add_unsupported(path(&at, "trust_chain_verification"));
    }
    refuse_unserved(validation, &at, mistakes);
    if !is_required {
        mistakes
            .add(required, "must be true: certificates that clients may show or not are not supported yet");
        return None;
    }
    roots.map(Some)
}

fn refuse_unserved(validation: pb::CertificateValidationContext, at: &str, mistakes: &mut Mistakes) {
    #[expect(deprecated, reason = "deprecated fields are refused like the others")]
    {
        refuse_rest!(
            validation,
            at,
            mistakes,
            [
                ca_certificate_provider_instance,
                watched_directory,
                verify_certificate_spki,
                verify_certificate_hash,
                match_subject_alt_names,
                require_signed_certificate_timestamp,
                crl,
                allow_expired_certificate,
                custom_validator_config,
                only_verify_leaf_cert_crl,
                max_verify_depth,
                suppress_client_ca_list
            ]
        );
    }
}
