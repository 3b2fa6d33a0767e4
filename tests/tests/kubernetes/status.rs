//! What users read in the status of their objects.

use e2e::calls::{calling, until_answered_by, who};
use e2e::eventually::eventually;
use e2e::kubernetes::Server;

use crate::shop::{OURS, Shop, host, refused_by_proxies, router, rule, until, until_event};

#[tokio::test]
async fn a_router_in_force_says_so_and_how_many_proxies_have_it() {
    let server = Server::shared().await;
    let shop = Shop::open(server).await;
    let scene = shop.scene(server).await;
    assert_eq!(until(&shop.cluster, "orders", "Programmed=True Programmed").await, "1 of 1 proxies");
    until(&shop.cluster, "orders", "Accepted=True Accepted").await;
    until(&shop.cluster, "orders", "ResolvedRefs=True ResolvedRefs").await;

    // Once all is said, nothing is written any more.
    let version = async || {
        let object = shop.cluster.get(OURS, "MetaRouter", "orders").await;
        object["metadata"]["resourceVersion"].as_str().unwrap_or_default().to_owned()
    };
    let mut calm = (version().await, 0);
    eventually("it is written to no more", async || {
        let now = version().await;
        calm = if now == calm.0 { (now, calm.1 + 1) } else { (now, 0) };
        if calm.1 >= 200 { Ok(()) } else { Err(calm.clone()) }
    })
    .await;

    shop.cluster.apply(router(&shop.cluster, "v2")).await;
    until(&shop.cluster, "orders", "Programmed=True Programmed").await;
    let client = scene.client_of(&shop.service()).await;
    assert_eq!(who(&client, &calling("any")).await, "v2", "what is said to be in force is");
    scene.end().await;
}

#[tokio::test]
async fn an_unknown_subset_and_a_deleted_service_are_told_and_end_when_mended() {
    let server = Server::shared().await;
    let shop = Shop::open(server).await;
    let scene = shop.scene(server).await;
    shop.cluster.apply(router(&shop.cluster, "v3")).await;
    let message = until(&shop.cluster, "orders", "ResolvedRefs=False SubsetNotFound").await;
    assert!(
        message.starts_with("spec.routes[0].route[0].destination.subset: ") && message.contains("v3"),
        "{message}"
    );
    let client = scene.client_of(&shop.service()).await;
    assert_eq!(who(&client, &calling("any")).await, "v1", "the last good version stays in force");
    shop.cluster.apply(rule(&shop.cluster, &["v1", "v2", "v3"])).await;
    until(&shop.cluster, "orders", "ResolvedRefs=True ResolvedRefs").await;

    shop.cluster.delete("v1", "Service", "orders").await;
    let message = until(&shop.cluster, "orders", "ResolvedRefs=False BackendNotFound").await;
    assert!(
        message.contains(&format!("no Service or ServiceEntry has host {}", host(&shop.cluster))),
        "{message}"
    );
    until(&shop.cluster, "orders", "Programmed=False NotServed").await;
    scene.end().await;
}

#[tokio::test]
async fn of_two_routers_for_a_host_the_younger_one_names_the_older() {
    let server = Server::shared().await;
    let shop = Shop::open(server).await;
    let scene = shop.scene(server).await;
    until(&shop.cluster, "orders", "Programmed=True Programmed").await;
    let second = router(&shop.cluster, "v2").replace("name: orders}, spec", "name: another}, spec");
    let created = async |name: &str| {
        shop.cluster.get(OURS, "MetaRouter", name).await["metadata"]["creationTimestamp"].to_string()
    };
    // An API server counts ages in seconds.
    eventually("the second one is younger", async || {
        shop.cluster.apply(&second).await;
        if created("another").await > created("orders").await {
            return Ok(());
        }
        shop.cluster.delete(OURS, "MetaRouter", "another").await;
        Err("of the same second")
    })
    .await;
    let message = until(&shop.cluster, "another", "Accepted=False Conflicted").await;
    assert!(message.contains(&format!("MetaRouter {}/orders", shop.cluster.namespace())), "{message}");
    until(&shop.cluster, "orders", "Accepted=True Accepted").await;

    shop.cluster.delete(OURS, "MetaRouter", "orders").await;
    until(&shop.cluster, "another", "Accepted=True Accepted").await;
    let client = scene.client_of(&shop.service()).await;
    until_answered_by("v2", &client, &calling("any")).await;
    scene.end().await;
}

#[tokio::test]
async fn a_router_of_a_foreign_namespace_is_told_that_it_may_not() {
    let server = Server::shared().await;
    let shop = Shop::open(server).await;
    let other = shop.cluster.beside(&format!("{}-other", shop.cluster.namespace())).await;
    let setup = shop.setup(server).flag("--namespace", other.namespace());
    shop.cluster.delete(OURS, "MetaRouter", "orders").await;
    other.apply(router(&shop.cluster, "v2")).await;
    let scene = setup.start().await;
    let message = until(&other, "orders", "Accepted=False NotPermitted").await;
    assert!(message.contains("--allow-cross-namespace"), "{message}");
    scene.end().await;
}

#[tokio::test]
async fn a_protocol_that_two_objects_register_is_conflicted_in_one() {
    let server = Server::start().await;
    let shop = Shop::open(&server).await;
    for name in ["a", "b"] {
        let object = format!(
            "{{apiVersion: {OURS}, kind: ApplicationProtocol, metadata: {{name: {name}}}, spec: {{protocol: own, codec: dubbo}}}}"
        );
        shop.cluster.apply(object).await;
    }
    let scene = shop.scene(&server).await;
    let status = async |name: &str| {
        let object = shop.cluster.get(OURS, "ApplicationProtocol", name).await;
        let conditions = object["status"]["conditions"].as_array().cloned().unwrap_or_default();
        conditions.iter().filter_map(|one| one["reason"].as_str().map(str::to_owned)).collect::<Vec<_>>()
    };
    eventually("one of them wins", async || {
        let both = [status("a").await, status("b").await];
        if both == [["Accepted"], ["Conflicted"]] { Ok(()) } else { Err(both) }
    })
    .await;
    scene.end().await;
}

#[tokio::test]
async fn what_the_proxy_refuses_is_told_in_the_status_and_in_an_event() {
    let server = Server::shared().await;
    let shop = Shop::open(server).await;
    let scene = shop.setup(server).start().await;
    let client = scene.client_of(&shop.service()).await;
    shop.cluster.apply(refused_by_proxies(&shop.cluster)).await;
    let message = until(&shop.cluster, "orders", "Programmed=False Refused").await;
    assert!(message.contains("0 of 1 proxies") && message.contains("routes[0]"), "{message}");
    until_event(&shop.cluster, &["routes[0]", &host(&shop.cluster)]).await;
    shop.cluster.apply(router(&shop.cluster, "v2")).await;
    until(&shop.cluster, "orders", "Programmed=True Programmed").await;
    until_answered_by("v2", &client, &calling("any")).await;
    scene.end().await;
}
