//! Whose clients see what: proxies of two namespaces, and one that says none.

use std::collections::BTreeSet;

use e2e::calls::{calling, until_answered_by, who};
use e2e::eventually::{SOON, eventually};
use e2e::mesh::{Mesh, MeshProxy};
use e2e::objects::Service;
use peers::dubbo::Client;

use super::{all_to, two};

async fn proxy_in(mesh: &mut Mesh, namespace: &str, controller: std::net::SocketAddr) -> MeshProxy {
    let name = format!("in-{namespace}");
    mesh.proxy_until("ready", &name, &[controller], &["--namespace", namespace]).await
}

/// Who answers twenty calls.
async fn all(client: &Client) -> BTreeSet<String> {
    let mut all = BTreeSet::new();
    for _ in 0..20 {
        all.insert(who(client, &calling("who")).await);
    }
    all
}

#[tokio::test]
async fn routes_are_for_the_namespaces_that_they_are_exported_to() {
    let mut mesh = Mesh::new();
    let _providers = two(&mesh).await;
    mesh.folder().put("router", all_to("v2").export_to("web, batch"));
    let controller = mesh.controller().await;
    let [web, shop] = [
        proxy_in(&mut mesh, "web", controller.address).await,
        proxy_in(&mut mesh, "shop", controller.address).await,
    ];
    let nobody = mesh.proxy("nowhere", &[controller.address]).await;
    let [in_web, in_shop, in_none] = [web.client().await, shop.client().await, nobody.client().await];
    assert_eq!(all(&in_web).await, ["v2".to_owned()].into());
    let both: BTreeSet<_> = ["v1", "v2"].map(str::to_owned).into();
    assert_eq!(all(&in_shop).await, both, "the service itself, though it is the router's own namespace");
    assert_eq!(all(&in_none).await, both, "who says no namespace gets what is for all");

    mesh.folder().put("router", all_to("v1").export_to("., batch"));
    until_answered_by("v1", &in_shop, &calling("who")).await;
    eventually("others lose the routes", async || match all(&in_web).await {
        seen if seen == both => Ok(()),
        seen => Err(seen),
    })
    .await;
    mesh.folder().put("router", all_to("v1"));
    for client in [&in_web, &in_shop, &in_none] {
        eventually("all have them", async || match all(client).await {
            seen if seen == ["v1".to_owned()].into() => Ok(()),
            seen => Err(seen),
        })
        .await;
    }
    for proxy in [web, shop, nobody] {
        proxy.terminate(SOON).await;
    }
    controller.terminate().await;
    mesh.end();
}

#[tokio::test]
async fn a_service_is_there_for_the_namespaces_that_it_is_exported_to() {
    let mut mesh = Mesh::new();
    let [v1, v2] = two(&mesh).await;
    let service = Service::orders().endpoint("v1", v1.address()).endpoint("v2", v2.address());
    mesh.folder().put("service", format!("{service}  exportTo: [.]\n"));
    mesh.announce("nothing listens on 127.0.0.1:0 for orders.shop.example:20880 yet");
    let controller = mesh.controller().await;
    let shop = proxy_in(&mut mesh, "shop", controller.address).await;
    assert_eq!(all(&shop.client().await).await, ["v1".to_owned()].into());
    let web = proxy_in(&mut mesh, "web", controller.address).await;
    let dump = web.admin.get("/config_dump").await.body;
    assert!(!dump.contains("orders.shop.example"), "it knows nothing of it:\n{dump}");

    mesh.folder().put("service", format!("{service}  exportTo: [., web]\n"));
    eventually("it is there", async || {
        let dump = web.admin.get("/config_dump").await.body;
        if dump.contains("orders.shop.example") { Ok(()) } else { Err(dump) }
    })
    .await;
    for proxy in [web, shop] {
        proxy.terminate(SOON).await;
    }
    controller.terminate().await;
    mesh.end();
}
