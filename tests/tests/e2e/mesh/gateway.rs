//! A proxy that has the address of no service, and serves only those that it is told to.

use e2e::calls::{calling, provider, who};
use e2e::eventually::eventually;
use e2e::mesh::Mesh;
use e2e::objects::{Router, Service};
use peers::dubbo::Call;

use super::{two, until_told};

/// An address for documents (RFC 5737), which no machine has.
const NOBODYS: &str = "203.0.113.7";

#[tokio::test]
async fn a_gateway_serves_the_routers_that_name_it_and_tells_services_on_one_port_apart() {
    const CARTS: &str = "carts.shop.example";
    let mut mesh = Mesh::new();
    let [orders, carts, other] = [provider("orders").await, provider("carts").await, provider("other").await];
    let interface = |service: &str| format!("com.example.{service}");
    let orders_service = Service::orders().interface(&interface("Orders")).address(NOBODYS);
    mesh.folder().put("orders", orders_service.endpoint("v1", orders.address()));
    let carts_service = Service::of(CARTS).interface(&interface("Carts")).address(NOBODYS);
    mesh.folder().put("carts", carts_service.endpoint("v1", carts.address()));
    let other_service = Service::of("others.shop.example").address("203.0.113.8");
    mesh.folder().put("other", other_service.endpoint("v1", other.address()));
    mesh.folder().put("orders-router", Router::routes([]).gateways("edge"));
    mesh.folder().put("carts-router", Router::routes([]).of(CARTS).gateways("shop/edge, mesh"));
    let controller = mesh.controller().await;
    let flags = ["--namespace", "shop", "--gateway", "edge"];
    let gateway = mesh.proxy_until("ready", "gateway", &[controller.address], &flags).await;
    let client = gateway.client().await;
    for service in ["Orders", "Carts"] {
        let call = Call::new(&interface(service), "who");
        assert_eq!(who(&client, &call).await, service.to_lowercase(), "one port, two services");
    }
    assert_eq!(gateway.admin.get("/ready").await.status, 200, "the other services are not its own");
    let dump = gateway.admin.get("/config_dump").await.body;
    assert!(!dump.contains("203.0.113"), "{dump}");
    gateway.kill().await;
    controller.kill().await;
    mesh.end();
}

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
    until_told(&controller, "proxy p refused listener ").await;
    other.kill().await;
    gateway.kill().await;
    controller.kill().await;
    mesh.end();
}
