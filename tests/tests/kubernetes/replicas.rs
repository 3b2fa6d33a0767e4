//! Controllers and proxies as processes of their own, on the objects of an API server.

use std::time::Duration;

use e2e::calls::{after, calling, started, until_answered_by, who};
use e2e::eventually::{eventually, eventually_eq, within};
use e2e::kubernetes::Server;
use e2e::mesh::{Controller, Mesh};
use peers::dubbo::{Behaviour, EchoLoad, Provider};
use peers::load::{self, Plan};

use crate::shop::{
    OURS, Shop, condition, host, own_address, refused_by_proxies, router, slice, until, until_event,
};

/// A lease holds for 15 seconds from when it was renewed last, as others see it, who look every three.
const LEASE: Duration = Duration::from_secs(15 + 3 + 3);

fn mesh(server: &Server, shop: &Shop) -> Mesh {
    let namespace = shop.cluster.namespace();
    Mesh::on_cluster(&server.admin_config(namespace), namespace, &shop.service())
}

#[tokio::test]
async fn the_status_says_which_proxies_have_acknowledged_and_what_they_refuse() {
    let server = Server::shared().await;
    let shop = Shop::open(server).await;
    let mut mesh = mesh(server, &shop);
    let controller = mesh.controller().await;
    let message = until(&shop.cluster, "orders", "Programmed=False NoProxies").await;
    assert!(message.contains("no proxy"), "{message}");
    let proxy = mesh.proxy("p", &[controller.address]).await;
    let client = proxy.client().await;
    assert_eq!(who(&client, &calling("any")).await, "v1");
    assert_eq!(until(&shop.cluster, "orders", "Programmed=True Programmed").await, "1 of 1 proxies");

    mesh.announce("refused: routes");
    shop.cluster.apply(refused_by_proxies(&shop.cluster)).await;
    let message = until(&shop.cluster, "orders", "Programmed=False Refused").await;
    assert!(message.contains("0 of 1 proxies") && message.contains("routes[0]"), "{message}");
    until_event(&shop.cluster, &["routes[0].request_mutation", &host(&shop.cluster)]).await;

    // What only the codec can judge is refused as a whole, and the last good version stays.
    mesh.announce("refused: listener");
    let options =
        router(&shop.cluster, "v1").replace("hosts:", "options: {downstream: {nonsense: 1}}, hosts:");
    shop.cluster.apply(options).await;
    until_event(&shop.cluster, &["listener", "options.nonsense"]).await;
    eventually_eq("the status names what is refused now", true, async || {
        let [_, _, message] = condition(&shop.cluster, "orders", "Programmed").await;
        message.contains("options.nonsense")
    })
    .await;
    assert!(until(&shop.cluster, "orders", "Programmed=False Refused").await.contains("options.nonsense"));
    until_answered_by("v1", &client, &calling("any")).await;

    shop.cluster.apply(router(&shop.cluster, "v2")).await;
    assert_eq!(until(&shop.cluster, "orders", "Programmed=True Programmed").await, "1 of 1 proxies");
    assert_eq!(who(&client, &calling("any")).await, "v2", "what is said to be in force is");
    let second = mesh.proxy("q", &[controller.address]).await;
    eventually_eq("both are counted", "2 of 2 proxies".to_owned(), async || {
        let [_, _, message] = condition(&shop.cluster, "orders", "Programmed").await;
        message
    })
    .await;
    second.kill().await;
    eventually_eq("who has left is not", "1 of 1 proxies".to_owned(), async || {
        let [_, _, message] = condition(&shop.cluster, "orders", "Programmed").await;
        message
    })
    .await;
    proxy.kill().await;
    controller.kill().await;
    mesh.end();
}

/// Waits until this controller is the one that writes conditions.
async fn until_it_leads(shop: &Shop, controller: &Controller) {
    let ending = controller.name_ends();
    eventually("it leads", async || {
        let lease = shop.cluster.get("coordination.k8s.io/v1", "Lease", "meta-proxy-controller").await;
        let holder = lease["spec"]["holderIdentity"].as_str().unwrap_or_default().to_owned();
        if holder.ends_with(&ending) { Ok(()) } else { Err(holder) }
    })
    .await;
}

/// The replicas that have an entry in the status of the router.
async fn replicas(shop: &Shop) -> Vec<String> {
    let object = shop.cluster.get(OURS, "MetaRouter", "orders").await;
    let replicas = object["status"]["replicas"].as_array().cloned().unwrap_or_default();
    replicas.iter().map(|one| one["name"].as_str().unwrap_or_default().to_owned()).collect()
}

#[tokio::test]
async fn a_leader_that_is_killed_under_load_stops_no_proxy_and_another_goes_on_with_status() {
    let server = Server::shared().await;
    let mut shop = Shop::open(server).await;
    let slow = |label| {
        let builder = Provider::builder(label).listen(own_address());
        let builder = builder.on("echo", after(Duration::from_millis(20), Behaviour::Echo));
        builder.otherwise(Behaviour::Who).remember(0)
    };
    shop.providers = [started(slow("v1")).await, started(slow("v2")).await];
    for (version, provider) in ["v1", "v2"].into_iter().zip(&shop.providers) {
        shop.cluster.apply(slice(&shop.cluster, version, provider.address())).await;
    }
    let mut mesh = mesh(server, &shop);
    let leader = mesh.controller().await;
    until_it_leads(&shop, &leader).await;
    let other = mesh.controller().await;
    let proxy = mesh.proxy("p", &[leader.address, other.address]).await;
    until(&shop.cluster, "orders", "Programmed=True Programmed").await;
    eventually("both have an entry", async || match replicas(&shop).await {
        both if both.len() == 2 => Ok(()),
        others => Err(others),
    })
    .await;

    let load = load::start(Plan::closed(proxy.address(), 10, 5), EchoLoad::new(calling("echo"), 100));
    let load = load.unwrap();
    let client = proxy.client().await;
    until_answered_by("v1", &client, &calling("who")).await;
    let dead = leader.name_ends();
    leader.kill().await;
    // Whoever leads, or nobody: proxies are told.
    for subset in ["v2", "v1", "v2"] {
        shop.cluster.apply(router(&shop.cluster, subset)).await;
        until_answered_by(subset, &client, &calling("who")).await;
    }
    within(LEASE * 2, "the other one leads, and knows who is dead", async || {
        let said = condition(&shop.cluster, "orders", "Programmed").await;
        let entries = replicas(&shop).await;
        let is_alone = entries.len() == 1 && !entries[0].ends_with(&dead);
        let is_said = said == ["True", "Programmed", "1 of 1 proxies"].map(str::to_owned);
        if is_said && is_alone { Ok(()) } else { Err((said, entries)) }
    })
    .await;
    until_it_leads(&shop, &other).await;
    let report = load.finish().await;
    assert_eq!((report.errors, report.closed), (0, 0), "{:?}", report.first_error);
    assert!(report.completed > 1000 && report.completed == report.sent, "{} calls", report.completed);
    proxy.kill().await;
    other.kill().await;
    mesh.end();
}
