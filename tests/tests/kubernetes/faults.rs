//! What an API server does to those who depend on it, and what they do not let it do to traffic.

use e2e::calls::{calling, until_answered_by, who};
use e2e::eventually::eventually;
use e2e::kubernetes::Server;
use peers::dubbo::EchoLoad;
use peers::load::{self, Plan};

use crate::shop::{OURS, SERVICE, Shop, router, until};

/// What the log says once when the API server is gone.
const GONE: &str = "cannot see the API server's objects; what is known stays in force";

#[tokio::test]
async fn an_api_server_that_dies_and_comes_back_is_noticed_by_nobody_who_calls() {
    let mut server = Server::start().await;
    let shop = Shop::open(&server).await;
    let scene = shop
        .setup(&server)
        .announce(GONE)
        .tolerate("cannot use leases")
        .tolerate("cannot write the status")
        .start()
        .await;
    let load = load::start(
        Plan::closed(scene.address_of(&shop.service()), 2, 1),
        EchoLoad::new(calling("echo"), 10),
    );
    let load = load.unwrap();
    let client = scene.client_of(&shop.service()).await;
    server.kill_api().await;
    eventually("it is told", async || {
        let told = scene.logged(GONE);
        if told.len() == 1 { Ok(()) } else { Err(told) }
    })
    .await;
    assert_eq!(who(&client, &calling("any")).await, "v1");
    server.start_api().await;
    shop.cluster.apply(router(&shop.cluster, "v2")).await;
    until_answered_by("v2", &client, &calling("any")).await;
    until(&shop.cluster, "orders", "Programmed=True Programmed").await;
    let report = load.finish().await;
    assert_eq!((report.errors, report.closed), (0, 0), "{:?}", report.first_error);
    scene.end().await;
}

#[tokio::test]
async fn what_changed_while_the_api_server_could_not_be_seen_is_made_up_for_and_nothing_else() {
    let mut server = Server::start().await;
    let shop = Shop::open(&server).await;
    // A second service, which nobody touches.
    let other = SERVICE.replace("name: orders", "name: invoices").replace("port: 20880", "port: 20881");
    shop.cluster.apply(&other).await;
    let invoices = format!("invoices.{}.svc.cluster.local:20881", shop.cluster.namespace());
    let gate = server.gate().await;
    let config = server.config_by(&gate, shop.cluster.namespace());
    let setup = e2e::scene::Setup::on_cluster(&config, shop.cluster.namespace());
    let setup = setup
        .listen(&shop.service())
        .listen(&invoices)
        .announce(GONE)
        .tolerate("cannot use leases")
        .tolerate("cannot write the status");
    let scene = setup.start().await;
    let client = scene.client_of(&shop.service()).await;
    assert_eq!(who(&client, &calling("any")).await, "v1");

    gate.shut();
    eventually("it is told", async || if scene.logged(GONE).is_empty() { Err(()) } else { Ok(()) }).await;
    // One object changes, one goes, one comes; and then nobody remembers that they did.
    shop.cluster.apply(router(&shop.cluster, "v2")).await;
    shop.cluster.delete("v1", "Pod", "orders-v1").await;
    shop.cluster.apply(router(&shop.cluster, "").replace("name: orders}, spec", "name: zz}, spec")).await;
    server.compact().await;
    server.kill_api().await;
    server.start_api().await;
    let before = scene.admin().json("/config_dump").await;
    assert!(before.to_string().contains("invoices"), "what is not seen stays in force");
    gate.open();
    until_answered_by("v2", &client, &calling("any")).await;
    until(&shop.cluster, "zz", "Accepted=False Conflicted").await;
    let after = scene.admin().json("/config_dump").await;
    assert!(after.to_string().contains("invoices"), "nothing else went");
    shop.cluster.delete(OURS, "MetaRouter", "orders").await;
    until(&shop.cluster, "zz", "Accepted=True Accepted").await;
    scene.end().await;
}

#[tokio::test]
async fn what_was_deleted_while_the_controller_was_down_is_gone_when_it_comes_back() {
    let server = Server::shared().await;
    let shop = Shop::open(server).await;
    let scene = shop.scene(server).await;
    until(&shop.cluster, "orders", "Programmed=True Programmed").await;
    scene.end().await;
    shop.cluster.delete(OURS, "MetaRouter", "orders").await;
    shop.cluster.delete("discovery.k8s.io/v1", "EndpointSlice", "orders-v1").await;
    let scene = shop.scene(server).await;
    let client = scene.client_of(&shop.service()).await;
    assert_eq!(
        who(&client, &calling("any")).await,
        "v2",
        "without a router, all that is left of the service"
    );
    scene.end().await;
}

#[tokio::test]
async fn kinds_that_are_not_installed_keep_nobody_waiting_and_are_found_when_they_are() {
    let server = Server::without_istio().await;
    let shop = Shop::without_subsets(&server).await;
    let scene = shop.scene(&server).await;
    let client = scene.client_of(&shop.service()).await;
    let answered = who(&client, &calling("any")).await;
    assert!(["v1", "v2"].contains(&answered.as_str()));
    server.install_istio().await;
    shop.cluster.apply(crate::shop::rule(&shop.cluster, &["v1", "v2"])).await;
    shop.cluster.apply(router(&shop.cluster, "v2")).await;
    until(&shop.cluster, "orders", "ResolvedRefs=True ResolvedRefs").await;
    until_answered_by("v2", &client, &calling("any")).await;
    scene.end().await;
}
