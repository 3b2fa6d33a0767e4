//! A proxy that has the address of no service, and serves only those that it is told to.

use e2e::calls::{calling, who};
use e2e::eventually::eventually;
use e2e::mesh::Mesh;
use e2e::objects::Service;

use super::two;

/// An address for documents (RFC 5737), which no machine has.
const NOBODYS: &str = "203.0.113.7";

#[tokio::test]
async fn a_gateway_serves_what_it_is_to_listen_for_and_nothing_else_keeps_it_from_being_ready() {
    let mut mesh = Mesh::new();
    let providers = two(&mesh).await;
    let controller = mesh.controller().await;
    let other = Service::of("others.shop.example").address(NOBODYS);
    mesh.folder().put("other", other.endpoint("v1", providers[0].address()));
    let gateway = mesh.proxy_until("ready", "gateway", &[controller.address], &["--listen-only"]).await;
    assert_eq!(who(&gateway.client().await, &calling("any")).await, "v1");
    assert_eq!(gateway.admin.get("/ready").await.status, 200);

    mesh.announce("proxy p refused listener");
    mesh.announce("refused: listener");
    let other = mesh.proxy_until("admin ", "p", &[controller.address], &[]).await;
    eventually("who is to serve all says what it cannot", async || {
        let page = other.admin.get("/ready").await;
        if page.status == 503 && page.body.contains(NOBODYS) { Ok(()) } else { Err(page.body) }
    })
    .await;
    other.kill().await;
    gateway.kill().await;
    controller.kill().await;
    mesh.end();
}
