//! How connections are encrypted, and what is told of what cannot be.

use ::xds::envoy::envoy::config::cluster::v3::Cluster;
use ::xds::envoy::envoy::config::core::v3::{
    DataSource, TransportSocket, WatchedDirectory, data_source::Specifier, transport_socket::ConfigType,
};
use ::xds::envoy::envoy::config::listener::v3::Listener;
use ::xds::envoy::envoy::extensions::transport_sockets::tls::v3::{
    CertificateValidationContext, CommonTlsContext, DownstreamTlsContext, SdsSecretConfig,
    SubjectAltNameMatcher, TlsCertificate, TlsParameters, UpstreamTlsContext,
    certificate_validation_context::{SystemRootCerts, TrustChainVerification},
    common_tls_context::ValidationContextType,
    subject_alt_name_matcher::SanType,
    tls_parameters::TlsProtocol,
};
use ::xds::envoy::envoy::r#type::matcher::v3::{StringMatcher, string_matcher::MatchPattern};
use ::xds::envoy::google::protobuf::BoolValue;
use ::xds::{Resource, ResourceType, Update, v1};
use prost::{Message, Name};

use crate::model::{DownstreamTls, Identity, Roots, SubjectName, TlsVersion, Trust, UpstreamTls};
use crate::tls::Files;
use crate::xds::State;
use crate::xds::convert::tls::{PATH_LIMIT, SUBJECT_NAMES_LIMIT};
use crate::xds::convert::{Converted, convert};
use crate::xds::fixtures::{any, cluster, codecs, convert_good, listener, meta_proxy, refused, resource};

const OF_CLUSTER: &str = "transport_socket.typed_config";
const OF_LISTENER: &str = "filter_chains[0].transport_socket.typed_config";

#[expect(clippy::unnecessary_wraps, reason = "every field of the message is an option")]
fn socket<M: Message + Name>(context: &M) -> Option<TransportSocket> {
    let config = ConfigType::TypedConfig(any(context));
    Some(TransportSocket { name: "envoy.transport_sockets.tls".to_owned(), config_type: Some(config) })
}

#[expect(clippy::unnecessary_wraps, reason = "every field of the message is an option")]
fn file(name: &str) -> Option<DataSource> {
    Some(DataSource { specifier: Some(Specifier::Filename(name.to_owned())), ..Default::default() })
}

fn certificate() -> TlsCertificate {
    TlsCertificate {
        certificate_chain: file("/etc/tls/own.crt"),
        private_key: file("/etc/tls/own.key"),
        ..Default::default()
    }
}

fn name(kind: SanType, text: &str) -> SubjectAltNameMatcher {
    let exact = Some(MatchPattern::Exact(text.to_owned()));
    let matcher = Some(StringMatcher { match_pattern: exact, ignore_case: false });
    SubjectAltNameMatcher { san_type: kind.into(), matcher, oid: String::new() }
}

fn validation(common: &mut CommonTlsContext) -> &mut CertificateValidationContext {
    match &mut common.validation_context_type {
        Some(ValidationContextType::ValidationContext(validation)) => validation,
        other => panic!("{other:?}"),
    }
}

/// A cluster whose endpoints are checked by the roots in `/etc/tls/ca.crt` for `a.example`, but for a change.
fn with_upstream(change: impl FnOnce(&mut UpstreamTlsContext, &mut CommonTlsContext)) -> Resource {
    let validation =
        CertificateValidationContext { trusted_ca: file("/etc/tls/ca.crt"), ..Default::default() };
    let mut common = CommonTlsContext {
        validation_context_type: Some(ValidationContextType::ValidationContext(validation)),
        ..Default::default()
    };
    let mut context = UpstreamTlsContext { sni: "a.example".to_owned(), ..Default::default() };
    change(&mut context, &mut common);
    context.common_tls_context = Some(common);
    let message = Cluster { transport_socket: socket(&context), ..cluster("c") };
    resource(ResourceType::Cluster, "c", &message)
}

/// A listener that shows `/etc/tls/own.crt`, but for a change.
fn with_downstream(change: impl FnOnce(&mut DownstreamTlsContext, &mut CommonTlsContext)) -> Resource {
    let mut common = CommonTlsContext { tls_certificates: vec![certificate()], ..Default::default() };
    let mut context = DownstreamTlsContext::default();
    change(&mut context, &mut common);
    context.common_tls_context = Some(common);
    let mut message: Listener = listener("l", &meta_proxy());
    message.filter_chains[0].transport_socket = socket(&context);
    resource(ResourceType::Listener, "l", &message)
}

fn upstream(resource: &Resource) -> UpstreamTls {
    let Converted::Cluster(cluster) = convert_good(resource) else { panic!("not a cluster") };
    assert_eq!(cluster.model.tls.as_ref(), cluster.tls.as_ref().map(|tls| tls.settings()));
    cluster.model.tls.clone().unwrap()
}

fn downstream(resource: &Resource) -> DownstreamTls {
    let Converted::Listener(listener) = convert_good(resource) else { panic!("not a listener") };
    assert_eq!(listener.model.tls.as_ref(), listener.tls.as_ref().map(|tls| tls.settings()));
    listener.model.tls.clone().unwrap()
}

fn host(name: &str) -> SubjectName {
    SubjectName::Host(name.to_owned())
}

fn own() -> Identity {
    Identity { certificate: "/etc/tls/own.crt".into(), key: "/etc/tls/own.key".into() }
}

#[test]
fn the_encryption_of_a_cluster_is_read_whole() {
    let roots = Roots::File("/etc/tls/ca.crt".into());
    let expected = UpstreamTls {
        sni: Some("a.example".to_owned()),
        trust: Trust::Signed { roots: roots.clone(), names: vec![host("a.example")] },
        identity: None,
        minimum: TlsVersion::V1_2,
    };
    assert_eq!(upstream(&with_upstream(|_, _| {})), expected);
    let much = with_upstream(|_, common| {
        common.tls_certificates = vec![certificate()];
        common.tls_params = Some(TlsParameters {
            tls_minimum_protocol_version: TlsProtocol::TlSv13.into(),
            tls_maximum_protocol_version: TlsProtocol::TlSv13.into(),
            ..Default::default()
        });
        validation(common).match_typed_subject_alt_names = vec![
            name(SanType::Dns, "b.example"),
            name(SanType::IpAddress, "::1"),
            name(SanType::Uri, "spiffe://shop/orders"),
        ];
    });
    let names = vec![host("b.example"), host("::1"), SubjectName::Uri("spiffe://shop/orders".to_owned())];
    let expected = UpstreamTls {
        trust: Trust::Signed { roots, names },
        identity: Some(own()),
        minimum: TlsVersion::V1_3,
        ..expected
    };
    assert_eq!(upstream(&much), expected);

    let system = with_upstream(|_, common| {
        let validation = validation(common);
        (validation.trusted_ca, validation.system_root_certs) = (None, Some(SystemRootCerts {}));
    });
    let names = vec![host("a.example")];
    assert_eq!(upstream(&system).trust, Trust::Signed { roots: Roots::System, names });
    let unchecked = with_upstream(|context, common| {
        context.sni.clear();
        let validation = validation(common);
        validation.trusted_ca = None;
        validation.trust_chain_verification = TrustChainVerification::AcceptUntrusted.into();
    });
    assert_eq!((upstream(&unchecked).trust, upstream(&unchecked).sni), (Trust::Anyone, None));
}

#[test]
fn the_encryption_of_a_listener_is_read_whole() {
    let expected = DownstreamTls { identity: own(), clients: None, minimum: TlsVersion::V1_2 };
    assert_eq!(downstream(&with_downstream(|_, _| {})), expected);
    let mutual = with_downstream(|context, common| {
        let checked = CertificateValidationContext { trusted_ca: file("/ca"), ..Default::default() };
        common.validation_context_type = Some(ValidationContextType::ValidationContext(checked));
        context.require_client_certificate = Some(BoolValue { value: true });
    });
    assert_eq!(downstream(&mutual), DownstreamTls { clients: Some("/ca".into()), ..expected });
}

#[test]
fn a_cluster_says_which_endpoints_are_believed() {
    let at = format!("{OF_CLUSTER}.common_tls_context.validation_context");
    let nothing = format!(
        "{at}.trusted_ca: must be set, or system_root_certs, or trust_chain_verification to ACCEPT_UNTRUSTED: nothing says \
         which endpoints are to be believed"
    );
    refused(with_upstream(|_, common| validation(common).trusted_ca = None), &[&nothing]);
    refused(with_upstream(|_, common| common.validation_context_type = None), &[&nothing]);
    let nameless = format!(
        "{at}.match_typed_subject_alt_names: must be set where there is no sni: nothing says which names an endpoint's \
         certificate may have"
    );
    refused(with_upstream(|context, _| context.sni.clear()), &[&nameless]);
    let both = format!("{at}.system_root_certs: and `trusted_ca` exclude each other; remove one");
    refused(
        with_upstream(|_, common| validation(common).system_root_certs = Some(SystemRootCerts {})),
        &[&both],
    );
    let contradiction = format!(
        "{at}.trust_chain_verification: ACCEPT_UNTRUSTED excludes roots and names, which would not be looked at"
    );
    let accept = |common: &mut CommonTlsContext| {
        validation(common).trust_chain_verification = TrustChainVerification::AcceptUntrusted.into();
    };
    refused(with_upstream(|_, common| accept(common)), &[&contradiction]);
    refused(
        with_upstream(|_, common| {
            accept(common);
            validation(common).trusted_ca = None;
            validation(common).match_typed_subject_alt_names = vec![name(SanType::Dns, "a")];
        }),
        &[&contradiction],
    );
    let sni = format!("{OF_CLUSTER}.sni: \"a b\" is neither a DNS name nor an IP address");
    assert_eq!(
        crate::xds::fixtures::mistakes_of(&with_upstream(|context, _| context.sni = "a b".to_owned()))[0],
        sni
    );
}

#[test]
fn names_of_endpoints_are_exact_and_of_three_kinds() {
    let at = format!("{OF_CLUSTER}.common_tls_context.validation_context.match_typed_subject_alt_names");
    let with_names = |names: Vec<SubjectAltNameMatcher>| {
        with_upstream(|_, common| validation(common).match_typed_subject_alt_names = names)
    };
    let mut prefix = name(SanType::Dns, "");
    prefix.matcher =
        Some(StringMatcher { match_pattern: Some(MatchPattern::Prefix("a".to_owned())), ignore_case: false });
    let mut loose = name(SanType::Dns, "a");
    loose.matcher.as_mut().unwrap().ignore_case = true;
    let rows = [
        (prefix, "matcher: not supported yet, unless it is `exact`"),
        (loose, "matcher.ignore_case: not supported yet"),
        (name(SanType::Email, "a@b"), "san_type: not supported yet, unless it is DNS, URI or IP_ADDRESS"),
        (name(SanType::Dns, "*.a"), r#"matcher.exact: "*.a" is no name of type DNS"#),
        (name(SanType::IpAddress, "a"), r#"matcher.exact: "a" is no name of type IP_ADDRESS"#),
        (name(SanType::Uri, "a"), r#"matcher.exact: "a" is no name of type URI"#),
    ];
    for (matcher, expected) in rows {
        refused(with_names(vec![name(SanType::Dns, "a"), matcher]), &[&format!("{at}[1].{expected}")]);
    }
    let many = vec![name(SanType::Dns, "a"); SUBJECT_NAMES_LIMIT + 1];
    refused(with_names(many), &[&format!("{at}: holds 101 names; at most 100 are allowed")]);
}

#[test]
fn a_listener_has_a_certificate_and_asks_for_one_or_not() {
    let common = format!("{OF_LISTENER}.common_tls_context");
    refused(
        with_downstream(|_, common| common.tls_certificates.clear()),
        &[&format!("{common}.tls_certificates: must hold the certificate that clients are shown")],
    );
    refused(
        with_downstream(|context, _| context.require_client_certificate = Some(BoolValue { value: true })),
        &[&format!(
            "{common}.validation_context.trusted_ca: must be set: nothing says whose clients are to be believed"
        )],
    );
    let optional = with_downstream(|_, common| {
        let checked = CertificateValidationContext { trusted_ca: file("/ca"), ..Default::default() };
        common.validation_context_type = Some(ValidationContextType::ValidationContext(checked));
    });
    let expected = format!(
        "{OF_LISTENER}.require_client_certificate: must be true: certificates that clients may show or not are not supported yet"
    );
    refused(optional, &[&expected]);
    let names = with_downstream(|context, common| {
        context.require_client_certificate = Some(BoolValue { value: true });
        let checked = CertificateValidationContext {
            trusted_ca: file("/ca"),
            match_typed_subject_alt_names: vec![name(SanType::Dns, "a")],
            ..Default::default()
        };
        common.validation_context_type = Some(ValidationContextType::ValidationContext(checked));
    });
    refused(
        names,
        &[&format!("{common}.validation_context.match_typed_subject_alt_names: not supported yet")],
    );
}

#[test]
fn files_are_named_by_absolute_paths() {
    let at = format!("{OF_LISTENER}.common_tls_context.tls_certificates[0].private_key");
    let with_key = |source| with_downstream(|_, common| common.tls_certificates[0].private_key = source);
    refused(with_key(None), &[&format!("{at}.filename: must be set")]);
    refused(with_key(file("own.key")), &[&format!("{at}.filename: \"own.key\" is not an absolute path")]);
    let long = format!("/{}", "x".repeat(PATH_LIMIT));
    refused(with_key(file(&long)), &[&format!("{at}.filename: is not a path of at most 4096 bytes")]);
    let inline =
        DataSource { specifier: Some(Specifier::InlineString("key".to_owned())), ..Default::default() };
    refused(with_key(Some(inline)), &[&format!("{at}: not supported yet, unless it is the name of a file")]);
    let watched = Some(WatchedDirectory { path: "/etc".to_owned(), ..Default::default() });
    let source = DataSource { watched_directory: watched, ..file("/k").unwrap() };
    refused(with_key(Some(source)), &[&format!("{at}.watched_directory: not supported yet")]);
}

#[test]
fn what_encryption_would_ignore_is_refused() {
    let common = format!("{OF_CLUSTER}.common_tls_context");
    let with_params = |change: fn(&mut TlsParameters)| {
        let mut params = TlsParameters::default();
        change(&mut params);
        with_upstream(|_, common| common.tls_params = Some(params))
    };
    let rows = [
        (
            with_params(|params| params.tls_minimum_protocol_version = TlsProtocol::TlSv11.into()),
            "tls_params.tls_minimum_protocol_version: must be TLSv1_2, the oldest that is spoken, TLSv1_3, or TLS_AUTO, \
             which is TLSv1_2",
        ),
        (
            with_params(|params| params.tls_maximum_protocol_version = TlsProtocol::TlSv12.into()),
            "tls_params.tls_maximum_protocol_version: must be TLSv1_3 or TLS_AUTO, which is the same",
        ),
        (
            with_params(|params| params.cipher_suites = vec!["x".to_owned()]),
            "tls_params.cipher_suites: not supported yet",
        ),
        (
            with_upstream(|_, common| common.alpn_protocols = vec!["h2".to_owned()]),
            "alpn_protocols: not supported yet",
        ),
        (
            with_upstream(|_, common| {
                let sds = ValidationContextType::ValidationContextSdsSecretConfig(SdsSecretConfig::default());
                common.validation_context_type = Some(sds);
            }),
            "validation_context_type: not supported yet: what others are checked against comes from files \
             (validation_context)",
        ),
        (
            with_upstream(|_, common| common.tls_certificates = vec![certificate(), certificate()]),
            "tls_certificates: holds 2 certificates; more than one is not supported yet",
        ),
        (
            with_upstream(|_, common| validation(common).crl = file("/crl")),
            "validation_context.crl: not supported yet",
        ),
        (
            with_upstream(|_, common| validation(common).allow_expired_certificate = true),
            "validation_context.allow_expired_certificate: not supported yet",
        ),
    ];
    for (resource, expected) in rows {
        refused(resource, &[&format!("{common}.{expected}")]);
    }
    refused(
        with_upstream(|context, _| context.auto_host_sni = true),
        &[&format!("{OF_CLUSTER}.auto_host_sni: not supported yet")],
    );
    refused(
        with_downstream(|context, _| context.require_sni = Some(BoolValue { value: true })),
        &[&format!("{OF_LISTENER}.require_sni: not supported yet")],
    );
    let empty = Cluster { transport_socket: Some(TransportSocket::default()), ..cluster("c") };
    refused(resource(ResourceType::Cluster, "c", &empty), &["transport_socket.typed_config: must be set"]);
    let other = Cluster { transport_socket: socket(&v1::Mirror::default()), ..cluster("c") };
    let expected = format!(
        "{OF_CLUSTER}.type_url: \"type.googleapis.com/metaproxy.v1.Mirror\" is not the type of a \
         envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext"
    );
    refused(resource(ResourceType::Cluster, "c", &other), &[&expected]);
}

#[test]
fn a_file_that_cannot_be_used_is_named_with_its_field() {
    let wrong = |resource: &Resource| convert(resource, &codecs(), &mut Files::default()).unwrap_err();
    let missing = "cannot be read: No such file or directory (os error 2)";
    let rows = [
        (
            with_upstream(|_, _| {}),
            format!(
                "cluster c: {OF_CLUSTER}.common_tls_context.validation_context.trusted_ca.filename: /etc/tls/ca.crt {missing}"
            ),
        ),
        (
            with_downstream(|_, _| {}),
            format!(
                "listener l: {OF_LISTENER}.common_tls_context.tls_certificates[0].certificate_chain.filename: \
                 /etc/tls/own.crt {missing}"
            ),
        ),
    ];
    for (resource, expected) in rows {
        let wrong = wrong(&resource);
        let told: Vec<_> = wrong.rejections.iter().map(ToString::to_string).collect();
        assert_eq!((told, wrong.is_of_files), (vec![expected], true));
    }
    let other_mistake = with_upstream(|context, _| context.auto_host_sni = true);
    assert!(!wrong(&other_mistake).is_of_files);
}

#[test]
fn what_was_refused_for_its_files_alone_is_in_force_once_they_are_there() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ca.crt");
    let trusted = file(path.to_str().unwrap());
    let resource = with_upstream(|_, common| validation(common).trusted_ca = trusted);
    let (mut state, mut files) = (State::default(), Files::default());
    let update = Update { changed: vec![resource], removed: vec![] };
    assert_eq!(state.apply(&update, &codecs(), &mut files).rejected.len(), 1);
    assert!(state.try_again(&codecs(), &mut files).is_empty());
    let authority = peers::tls::Authority::new("ours").unwrap();
    std::fs::write(&path, authority.certificate()).unwrap();
    let mended = vec![(ResourceType::Cluster, "c".to_owned())];
    assert_eq!(state.try_again(&codecs(), &mut files), mended);
    assert_eq!((state.clusters().len(), state.refused().len()), (1, 0));
    assert!(state.try_again(&codecs(), &mut files).is_empty());

    std::fs::remove_file(&path).unwrap();
    assert!(state.apply(&update, &codecs(), &mut files).rejected.is_empty(), "what was read once stays");
    let gone = Update { changed: vec![], removed: mended };
    state.apply(&gone, &codecs(), &mut files);
    files.look();
    assert_eq!(state.apply(&update, &codecs(), &mut files).rejected.len(), 1);
    state.apply(&gone, &codecs(), &mut files);
    assert!(state.try_again(&codecs(), &mut files).is_empty() && state.refused().len() == 0);
}
