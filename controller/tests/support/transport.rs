//! Encryption, a few words for each thing that is said of it.

use prost::Message;
use xds::envoy::envoy::config::core::v3::{DataSource, TransportSocket, data_source, transport_socket};
use xds::envoy::envoy::extensions::transport_sockets::tls::v3::{
    CertificateValidationContext, CommonTlsContext, DownstreamTlsContext, TlsCertificate, UpstreamTlsContext,
    common_tls_context::ValidationContextType, subject_alt_name_matcher::SanType,
};
use xds::envoy::envoy::r#type::matcher::v3::string_matcher::MatchPattern;

fn decode<M: Message + Default>(socket: &TransportSocket, name: &str) -> M {
    assert_eq!(socket.name, "envoy.transport_sockets.tls");
    let Some(transport_socket::ConfigType::TypedConfig(any)) = &socket.config_type else {
        panic!("no typed config")
    };
    let prefix = "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.";
    assert_eq!(any.type_url, format!("{prefix}{name}"));
    M::decode(any.value.as_slice()).unwrap()
}

/// How connections to endpoints are encrypted; nothing: not at all.
pub fn upstream(socket: Option<&TransportSocket>) -> String {
    let Some(socket) = socket else { return String::new() };
    let context: UpstreamTlsContext = decode(socket, "UpstreamTlsContext");
    format!(" tls sni={}{}", context.sni, common(&context.common_tls_context.unwrap()))
}

/// How connections from clients are encrypted; nothing: not at all.
pub fn downstream(socket: Option<&TransportSocket>) -> String {
    let Some(socket) = socket else { return String::new() };
    let context: DownstreamTlsContext = decode(socket, "DownstreamTlsContext");
    let is_required = context.require_client_certificate.is_some_and(|required| required.value);
    let who = if is_required { " required" } else { "" };
    format!(" tls{}{who}", common(&context.common_tls_context.unwrap()))
}

fn common(context: &CommonTlsContext) -> String {
    let mut text: String = context.tls_certificates.iter().map(certificate).collect();
    if let Some(params) = &context.tls_params {
        text += &format!(" min={}", params.tls_minimum_protocol_version().as_str_name());
    }
    match &context.validation_context_type {
        Some(ValidationContextType::ValidationContext(validation)) => text + &checked(validation),
        None => text,
        other => panic!("{other:?}"),
    }
}

fn certificate(certificate: &TlsCertificate) -> String {
    format!(
        " own={}:{}",
        file(certificate.certificate_chain.as_ref().unwrap()),
        file(certificate.private_key.as_ref().unwrap())
    )
}

fn checked(validation: &CertificateValidationContext) -> String {
    let mut text = String::new();
    if let Some(source) = &validation.trusted_ca {
        text += &format!(" ca={}", file(source));
    }
    if validation.system_root_certs.is_some() {
        text += " ca=system";
    }
    for matcher in &validation.match_typed_subject_alt_names {
        let Some(MatchPattern::Exact(name)) = &matcher.matcher.as_ref().unwrap().match_pattern else {
            panic!("not exact")
        };
        text += &format!(" {}:{name}", SanType::try_from(matcher.san_type).unwrap().as_str_name());
    }
    if validation.trust_chain_verification != 0 {
        text += " unchecked";
    }
    text
}

fn file(source: &DataSource) -> &str {
    let Some(data_source::Specifier::Filename(name)) = &source.specifier else { panic!("not a file") };
    name
}
