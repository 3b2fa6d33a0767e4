//! With TLS, a proxy stands in the namespace that its certificate says.

use controller::ads::Tls;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair, SanType};
use tonic::transport::{Certificate, ClientTlsConfig, Endpoint, Identity};
use xds::ResourceType::Cluster;

use crate::probe::{Delta, Server, node};

/// An authority, and what it signs.
struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Self(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    fn pem(&self) -> String {
        self.0.pem()
    }

    /// Certificate and key of who has this name.
    fn sign(&self, name: SanType) -> (String, String) {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.subject_alt_names = vec![name];
        let key = KeyPair::generate().unwrap();
        (params.signed_by(&key, &self.0).unwrap().pem(), key.serialize_pem())
    }
}

fn uri(id: &str) -> SanType {
    SanType::URI(id.try_into().unwrap())
}

async fn server(authority: &Authority) -> Server {
    let (certificate, key) = authority.sign(SanType::DnsName("controller".try_into().unwrap()));
    let tls =
        Tls { certificate: certificate.into(), key: key.into(), client_authorities: authority.pem().into() };
    let server = Server::start(Some(tls)).await;
    server.objects("").await;
    server
}

fn connect(server: &Server, trusted: &Authority, own: Option<(String, String)>) -> Result<Endpoint, String> {
    let mut config =
        ClientTlsConfig::new().ca_certificate(Certificate::from_pem(trusted.pem())).domain_name("controller");
    if let Some((certificate, key)) = own {
        config = config.identity(Identity::from_pem(certificate, key));
    }
    let endpoint = Endpoint::new(format!("https://{}", server.address)).unwrap();
    endpoint.tls_config(config).map_err(|error| error.to_string())
}

#[tokio::test]
async fn the_namespace_is_what_the_certificate_says() {
    let authority = Authority::new();
    let server = server(&authority).await;
    let own = authority.sign(uri("spiffe://cluster.local/ns/shop/sa/orders"));
    let endpoint = connect(&server, &authority, Some(own)).unwrap();
    let mut probe = Delta::over(endpoint.connect().await.unwrap(), node("a", "")).await;
    probe.subscribe(Cluster, &[]).await;
    probe.take().await;
    assert_eq!(server.following.registry.proxies()[0].namespace, "shop");

    let mut liar = Delta::over(endpoint.connect().await.unwrap(), node("b", "mall")).await;
    liar.subscribe(Cluster, &[]).await;
    let status = liar.ended().await;
    assert_eq!(status.code(), tonic::Code::PermissionDenied);
    let expected = r#"the node says namespace "mall", but its certificate says "shop" (spiffe://cluster.local/ns/shop/sa/orders)"#;
    assert!(status.message().starts_with(expected), "{status}");
}

#[tokio::test]
async fn a_certificate_without_an_id_and_no_certificate_are_refused() {
    let authority = Authority::new();
    let server = server(&authority).await;
    let own = authority.sign(SanType::DnsName("somebody".try_into().unwrap()));
    let endpoint = connect(&server, &authority, Some(own)).unwrap();
    let mut client = xds::envoy::envoy::service::discovery::v3::aggregated_discovery_service_client::AggregatedDiscoveryServiceClient::new(
        endpoint.connect().await.unwrap(),
    );
    let refused = client.delta_aggregated_resources(tokio_stream::empty()).await.unwrap_err();
    assert_eq!(refused.code(), tonic::Code::Unauthenticated);
    assert!(refused.message().starts_with("the certificate has no SPIFFE id"), "{refused}");

    for own in [None, Some(Authority::new().sign(uri("spiffe://a/ns/shop/sa/b")))] {
        let endpoint = connect(&server, &authority, own).unwrap();
        let refused = match endpoint.connect().await {
            Ok(channel) => {
                let mut client = xds::envoy::envoy::service::discovery::v3::aggregated_discovery_service_client::AggregatedDiscoveryServiceClient::new(channel);
                client.delta_aggregated_resources(tokio_stream::empty()).await.is_err()
            }
            Err(_) => true,
        };
        assert!(refused, "nobody vouches for it");
    }
}
