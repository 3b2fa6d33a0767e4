//! Objects of an API server become traffic.

use std::time::{Duration, Instant};

use e2e::calls::{after, calling, started, until_answered_by, who};
use e2e::kubernetes::{Cluster, Server};
use e2e::scene::Setup;
use peers::dubbo::{Behaviour, EchoLoad, Provider};
use peers::load::{self, Plan};

use crate::shop::{Shop, own_address, provider, router, slice, slice_of};

const MS: Duration = Duration::from_millis(1);

/// Changes that are timed. `make test` is not the place for more.
const CHANGES: usize = 200;

#[tokio::test]
async fn a_call_takes_the_route_that_was_applied() {
    let server = Server::shared().await;
    let shop = Shop::open(server).await;
    let scene = shop.scene(server).await;
    let client = scene.client_of(&shop.service()).await;
    assert_eq!(who(&client, &calling("any")).await, "v1", "by the labels of the pods");
    shop.cluster.apply(router(&shop.cluster, "v2")).await;
    until_answered_by("v2", &client, &calling("any")).await;
    scene.end().await;
}

#[tokio::test]
async fn two_hundred_changes_under_load_are_served_within_a_second_and_lose_nothing() {
    let server = Server::shared().await;
    let mut shop = Shop::open(server).await;
    let slow = |label| {
        Provider::builder(label).listen(own_address()).on("echo", after(20 * MS, Behaviour::Echo)).remember(0)
    };
    shop.providers = [started(slow("v1")).await, started(slow("v2")).await];
    for (version, provider) in ["v1", "v2"].into_iter().zip(&shop.providers) {
        shop.cluster.apply(slice(&shop.cluster, version, provider.address())).await;
    }
    let scene = shop.scene(server).await;
    let load = load::start(
        Plan::closed(scene.address_of(&shop.service()), 20, 5),
        EchoLoad::new(calling("echo"), 100),
    );
    let load = load.unwrap();
    let client = scene.client_of(&shop.service()).await;
    let mut took = Vec::new();
    for change in 0..CHANGES {
        let subset = ["v2", "v1"][change % 2];
        let object = router(&shop.cluster, subset);
        let began = Instant::now();
        shop.cluster.apply(object).await;
        until_answered_by(subset, &client, &calling("who")).await;
        took.push(began.elapsed());
    }
    let report = load.finish().await;
    assert_eq!((report.errors, report.closed), (0, 0), "{:?}", report.first_error);
    assert_eq!(report.completed, report.sent);
    took.sort_unstable();
    let [p50, p99] = [took[CHANGES / 2], took[CHANGES * 99 / 100]];
    println!(
        "of {CHANGES} changes, from before they were applied: p50 {p50:?}, p99 {p99:?}; {} calls",
        report.completed
    );
    assert!(p99 < 1000 * MS, "p50 {p50:?}, p99 {p99:?}");
    scene.end().await;
}

#[tokio::test]
async fn a_headless_service_and_one_that_names_its_protocol_apart_are_served() {
    let server = Server::shared().await;
    let cluster = Cluster::of(server).await;
    let provider = provider("only").await;
    for (name, port, spec) in [
        (
            "headless",
            "tcp-metaprotocol-dubbo",
            "clusterIP: None, ports: [{name: tcp-metaprotocol-dubbo, port: 20881}]",
        ),
        (
            "apart",
            "rpc",
            "ports: [{name: rpc, appProtocol: metaprotocol/dubbo, port: 20882, targetPort: named}]",
        ),
    ] {
        cluster
            .apply(format!("{{apiVersion: v1, kind: Service, metadata: {{name: {name}}}, spec: {{{spec}}}}}"))
            .await;
        cluster.apply(slice_of(name, port, "v1", provider.address())).await;
    }
    let services = [("headless", 20881), ("apart", 20882)]
        .map(|(name, port)| format!("{name}.{}.svc.cluster.local:{port}", cluster.namespace()));
    let mut setup = Setup::on_cluster(&server.admin_config(cluster.namespace()), cluster.namespace());
    for service in &services {
        setup = setup.listen(service);
    }
    let scene = setup.start().await;
    for service in &services {
        let client = scene.client_of(service).await;
        assert_eq!(who(&client, &calling("any")).await, "only", "{service}");
    }
    scene.end().await;
}
