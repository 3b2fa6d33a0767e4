//! Certificates on both sides: a proxy stands in the namespace that its certificate says.

use std::path::PathBuf;

use e2e::calls::{calling, who};
use e2e::eventually::{eventually, eventually_eq};
use e2e::mesh::Mesh;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair, SanType};

use super::two;

/// An authority, its certificate in a file, and flags for those whom it signs.
struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
    folder: PathBuf,
}

impl Authority {
    fn new(mesh: &Mesh) -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let folder = mesh.folder().beside("certificates");
        std::fs::create_dir(&folder).unwrap();
        std::fs::write(folder.join("ca.pem"), issuer.pem()).unwrap();
        Self { issuer, folder }
    }

    /// The flags of who has this name.
    fn flags(&self, file: &str, name: SanType) -> Vec<String> {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.subject_alt_names = vec![name];
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        let put = |name: String, text: String| {
            let path = self.folder.join(name);
            std::fs::write(&path, text).unwrap();
            path.display().to_string()
        };
        let (certificate, key) =
            (put(format!("{file}.pem"), certificate.pem()), put(format!("{file}.key"), key.serialize_pem()));
        let authorities = self.folder.join("ca.pem").display().to_string();
        [
            "--tls-certificate".to_owned(),
            certificate,
            "--tls-key".to_owned(),
            key,
            "--tls-authorities".to_owned(),
            authorities,
        ]
        .into()
    }
}

#[tokio::test]
async fn a_proxy_is_told_if_its_certificate_says_the_namespace_that_it_says() {
    let mut mesh = Mesh::new();
    let _providers = two(&mesh).await;
    let authority = Authority::new(&mesh);
    let own = authority.flags("controller", SanType::DnsName("controller.test".try_into().unwrap()));
    let own: Vec<_> = own.iter().map(String::as_str).collect();
    let controller = mesh.controller_at(([127, 0, 0, 1], 0).into(), &own).await;

    let id = "spiffe://cluster.local/ns/shop/sa/edge";
    let mut flags = authority.flags("proxy", SanType::URI(id.try_into().unwrap()));
    flags.extend(["--tls-name", "controller.test"].map(str::to_owned));
    let shop: Vec<_> = flags.iter().map(String::as_str).collect();
    let proxy = mesh.proxy_until("ready", "p", &[controller.address], &shop).await;
    assert_eq!(who(&proxy.client().await, &calling("who")).await, "v1");
    let namespace = async || controller.sees("p").await.map(|seen| seen["namespace"].clone());
    eventually_eq("it stands in its namespace", Some("shop".into()), namespace).await;

    mesh.announce("the node says namespace \"mall\", but its certificate says \"shop\"");
    let mut liar = shop.clone();
    liar.extend(["--namespace", "mall"]);
    let liar = mesh.proxy_until("admin ", "q", &[controller.address], &liar).await;
    eventually("it says why it is not told", async || {
        let page = liar.admin.get("/ready").await.body;
        if page.contains("but its certificate says") { Ok(()) } else { Err(page) }
    })
    .await;
    let plain = mesh.proxy_until("admin ", "r", &[controller.address], &[]).await;
    eventually("so does one without a certificate", async || {
        let page = plain.admin.get("/ready").await.body;
        if page.contains("waiting for controller") && page.matches(": ").count() > 1 {
            Ok(())
        } else {
            Err(page)
        }
    })
    .await;
    for proxy in [proxy, liar, plain] {
        proxy.kill().await;
    }
    controller.kill().await;
    mesh.end();
}
