//! Providers that are restarted one after the other, as a deployment does it, while consumers call.
//!
//! Those of Dubbo 3.3 and 2.6 say READONLY before they go. A call that they have already been sent by then may find that
//! they serve nothing any more, which they say by a status; so its route declares it idempotent. Those of Dubbo 2.7 end
//! their services before they say READONLY, and dubbo-go says nothing: they are taken from the endpoints first, as by
//! a deployment that waits for that.

use std::net::SocketAddr;

use e2e::dubbo::{DubboProvider, Library, Load};
use e2e::eventually::eventually;
use e2e::objects::{Route, Router, Service};
use e2e::scene::{Scene, Setup};

/// How many calls an endpoint must have answered before it counts as being in service.
const ENOUGH: u64 = 20;

async fn answered(scene: &Scene, endpoint: SocketAddr) -> u64 {
    let labels = [("endpoint", &*endpoint.to_string()), ("status", "ok")];
    scene.admin().metrics().await.count("meta_proxy_upstream_responses_total", &labels)
}

/// Waits until an endpoint answers more calls than it has.
async fn until_answering(scene: &Scene, endpoint: SocketAddr) {
    let before = answered(scene, endpoint).await;
    eventually(&format!("{endpoint} answers"), async || {
        let now = answered(scene, endpoint).await;
        // A removed endpoint's count goes with it.
        if now >= before.saturating_add(ENOUGH) || (now < before && now >= ENOUGH) {
            Ok(())
        } else {
            Err((before, now))
        }
    })
    .await;
}

async fn load(scene: &Scene, libraries: &[Library]) -> Vec<(Library, Load)> {
    let mut all = Vec::new();
    for library in libraries {
        let words = ["--option", "retries=0", "--option", "threads=2", "--option", "pause=3"];
        all.push((*library, Load::start(*library, scene.address(), &words).await));
    }
    all
}

/// Stops all, and fails if a call failed, or if not all of these answered.
async fn no_call_failed(scene: &Scene, load: Vec<(Library, Load)>, mut labels: Vec<&str>) {
    labels.sort_unstable();
    for (library, load) in load {
        let loaded = load.stop().await;
        assert_eq!(loaded.failed, 0, "{library:?}: {:#}", loaded.failures);
        let by: Vec<_> = loaded.by.iter().map(|(label, _)| label.as_str()).collect();
        assert_eq!(by, labels, "{library:?}: {loaded:?}");
    }
    let metrics = scene.admin().metrics().await;
    assert_eq!(metrics.count("istio_requests_total", &[("response_code", "failed")]), 0);
}

async fn started(libraries: &[(Library, &'static str)]) -> Vec<(Library, &'static str, DubboProvider)> {
    let mut all = Vec::new();
    for (library, label) in libraries {
        all.push((*library, *label, DubboProvider::start(*library, label, &[]).await));
    }
    all
}

#[tokio::test]
async fn providers_that_say_when_they_go_are_restarted_under_load_without_a_failed_call() {
    let providers =
        started(&[(Library::Dubbo3, "new-1"), (Library::Dubbo26, "old"), (Library::Dubbo3, "new-2")]).await;
    let labels: Vec<_> = providers.iter().map(|(_, label, _)| *label).collect();
    let each = |service: Service, (_, label, provider): &(Library, &str, DubboProvider)| {
        service.endpoint(label, provider.address())
    };
    let service = providers.iter().fold(Service::orders(), each);
    let router = Router::routes([Route::to("").retries("attempts: 2, idempotent: true")]);
    let scene = Setup::new().put("service", service).put("router", router).start().await;
    let load = load(&scene, &Library::ALL).await;
    let mut restarted = Vec::new();
    for (library, label, provider) in providers {
        let address = provider.address();
        until_answering(&scene, address).await;
        provider.end().await;
        let port = address.port().to_string();
        restarted.push(DubboProvider::start(library, label, &["--port", &port]).await);
        until_answering(&scene, address).await;
    }
    no_call_failed(&scene, load, labels).await;
    scene.end().await;
}

#[tokio::test]
async fn providers_that_are_no_endpoints_any_more_are_restarted_under_load_without_a_failed_call() {
    let providers =
        started(&[(Library::Dubbo27, "java-1"), (Library::Go, "go-1"), (Library::Go, "go-2")]).await;
    let addresses: Vec<_> =
        providers.iter().map(|(_, label, provider)| (*label, provider.address())).collect();
    let all_but = |left_out: &str| {
        let kept = addresses.iter().filter(|(label, _)| *label != left_out);
        kept.fold(Service::orders(), |service, (label, address)| service.endpoint(label, *address))
    };
    let setup = Setup::new().put("service", all_but("")).put("router", Router::routes([Route::to("")]));
    let scene = setup.start().await;
    let load = load(&scene, &[Library::Dubbo3, Library::Go]).await;
    let mut restarted = Vec::new();
    for (library, label, provider) in providers {
        let address = provider.address();
        until_answering(&scene, address).await;
        scene.folder().put("service", all_but(label));
        eventually("it is no endpoint any more", async || {
            let clusters = scene.admin().json("/clusters").await.to_string();
            if clusters.contains(&address.to_string()) { Err(clusters) } else { Ok(()) }
        })
        .await;
        provider.end().await;
        let port = address.port().to_string();
        restarted.push(DubboProvider::start(library, label, &["--port", &port]).await);
        scene.folder().put("service", all_but(""));
        until_answering(&scene, address).await;
    }
    no_call_failed(&scene, load, addresses.iter().map(|(label, _)| *label).collect()).await;
    scene.end().await;
}
