//! Encryption on the wire: Envoy's transport sockets, with files as they are named.

use std::net::IpAddr;

use xds::envoy::envoy::config::core::v3::{
    DataSource, TransportSocket, data_source::Specifier, transport_socket::ConfigType,
};
use xds::envoy::envoy::extensions::transport_sockets::tls::v3::{
    CertificateValidationContext, CommonTlsContext, DownstreamTlsContext, SubjectAltNameMatcher,
    TlsCertificate, TlsParameters, UpstreamTlsContext,
    certificate_validation_context::{SystemRootCerts, TrustChainVerification},
    common_tls_context::ValidationContextType,
    subject_alt_name_matcher::SanType,
    tls_parameters::TlsProtocol,
};
use xds::envoy::envoy::r#type::matcher::v3::{StringMatcher, string_matcher::MatchPattern};
use xds::envoy::google::protobuf;

use super::encode::any;
use super::model::{ClientTls, Identity, ServerTls, Trust};

/// Name of Envoy's transport socket.
const TLS: &str = "envoy.transport_sockets.tls";

pub(crate) fn downstream(tls: &ServerTls) -> TransportSocket {
    let trusted =
        |file: &String| CertificateValidationContext { trusted_ca: Some(source(file)), ..Default::default() };
    let minimum = if tls.is_newest { TlsProtocol::TlSv13 } else { TlsProtocol::TlSv12 };
    let params = TlsParameters { tls_minimum_protocol_version: minimum.into(), ..Default::default() };
    let context = DownstreamTlsContext {
        common_tls_context: Some(CommonTlsContext {
            tls_params: Some(params),
            tls_certificates: vec![certificate(&tls.identity)],
            validation_context_type: tls.clients.as_ref().map(trusted).map(validation),
            ..Default::default()
        }),
        require_client_certificate: tls.clients.as_ref().map(|_| protobuf::BoolValue { value: true }),
        ..Default::default()
    };
    socket(ConfigType::TypedConfig(any(&context)))
}

/// Towards endpoints of `host`.
pub(crate) fn upstream(tls: &ClientTls, host: &str) -> Option<TransportSocket> {
    let ClientTls::Secured { sni, trust, identity } = tls else { return None };
    let sni = sni.clone().unwrap_or_else(|| host.to_owned());
    let checked = match trust {
        Trust::Anyone => CertificateValidationContext {
            trust_chain_verification: TrustChainVerification::AcceptUntrusted.into(),
            ..Default::default()
        },
        Trust::Signed { roots, names } => {
            // Said outright, since other proxies check no name that they are not told.
            let names = if names.is_empty() { std::slice::from_ref(&sni) } else { names.as_slice() };
            CertificateValidationContext {
                trusted_ca: roots.as_deref().map(source),
                system_root_certs: roots.is_none().then_some(SystemRootCerts {}),
                match_typed_subject_alt_names: names.iter().map(|name| subject(name)).collect(),
                ..Default::default()
            }
        }
    };
    let context = UpstreamTlsContext {
        common_tls_context: Some(CommonTlsContext {
            tls_certificates: identity.iter().map(certificate).collect(),
            validation_context_type: Some(validation(checked)),
            ..Default::default()
        }),
        sni,
        ..Default::default()
    };
    Some(socket(ConfigType::TypedConfig(any(&context))))
}

fn socket(config: ConfigType) -> TransportSocket {
    TransportSocket { name: TLS.to_owned(), config_type: Some(config) }
}

fn validation(context: CertificateValidationContext) -> ValidationContextType {
    ValidationContextType::ValidationContext(context)
}

fn certificate(identity: &Identity) -> TlsCertificate {
    TlsCertificate {
        certificate_chain: Some(source(&identity.certificate)),
        private_key: Some(source(&identity.key)),
        ..Default::default()
    }
}

fn source(file: &str) -> DataSource {
    DataSource { specifier: Some(Specifier::Filename(file.to_owned())), ..Default::default() }
}

/// A name that a certificate may have: a URI, an IP address, or a DNS name.
fn subject(name: &str) -> SubjectAltNameMatcher {
    let kind = match (name.contains("://"), name.parse::<IpAddr>()) {
        (true, _) => SanType::Uri,
        (false, Ok(_)) => SanType::IpAddress,
        (false, Err(_)) => SanType::Dns,
    };
    let exact =
        StringMatcher { match_pattern: Some(MatchPattern::Exact(name.to_owned())), ..Default::default() };
    SubjectAltNameMatcher { san_type: kind.into(), matcher: Some(exact), ..Default::default() }
}
