//! Controllers that die, and proxies that go on.

use std::time::{Duration, Instant};

use e2e::calls::{after, calling, started, until_answered_by, who};
use e2e::eventually::{SOON, eventually, eventually_eq};
use e2e::mesh::Mesh;
use e2e::objects::{Rule, Service};
use peers::dubbo::{Behaviour, EchoLoad, Provider};
use peers::load::{self, Plan};

use super::{all_to, two};

const MS: Duration = Duration::from_millis(1);

#[tokio::test]
async fn a_controller_that_is_killed_under_load_and_during_changes_costs_no_call() {
    let slow = |label| {
        Provider::builder(label)
            .on("echo", after(5 * MS, Behaviour::Echo))
            .otherwise(Behaviour::Who)
            .remember(0)
    };
    let [v1, v2] = [started(slow("v1")).await, started(slow("v2")).await];
    let mut mesh = Mesh::new();
    mesh.folder().put("service", Service::orders().endpoint("v1", v1.address()).endpoint("v2", v2.address()));
    mesh.folder().put("rule", Rule::subsets(&["v1", "v2"]));
    mesh.folder().put("router", all_to("v2"));
    let mut controller = mesh.controller().await;
    let proxy = mesh.proxy("p", &[controller.address]).await;
    let load =
        load::start(Plan::closed(proxy.address(), 10, 5), EchoLoad::new(calling("echo"), 100)).unwrap();
    let client = proxy.client().await;
    let began = Instant::now();
    let mut rounds = 0;
    while began.elapsed() < Duration::from_secs(5) || rounds < 3 {
        let subset = ["v1", "v2"][rounds % 2];
        mesh.folder().put("router", all_to(subset));
        let address = controller.kill().await;
        assert!(!who(&client, &calling("who")).await.is_empty(), "the proxy goes on");
        controller = mesh.controller_at(address, &[]).await;
        until_answered_by(subset, &client, &calling("who")).await;
        rounds += 1;
    }
    let report = load.finish().await;
    assert_eq!((report.errors, report.closed), (0, 0), "{:?}", report.first_error);
    assert!(report.completed > 1000 && report.completed == report.sent, "{} calls", report.completed);
    proxy.kill().await;
    controller.kill().await;
    mesh.end();
}

/// Bytes that the controller has sent to the proxy in its present stream, once it is synced.
async fn sent_bytes(controller: &e2e::mesh::Controller) -> u64 {
    eventually("the proxy is synced", async || {
        let seen = controller.sees("p").await.ok_or_else(|| "not connected".to_owned())?;
        let is_synced = seen["types"].as_array().unwrap().iter().all(|one| one["state"] == "synced");
        if is_synced { Ok(seen["sent_bytes"].as_u64().unwrap()) } else { Err(seen.to_string()) }
    })
    .await
}

#[tokio::test]
async fn a_controller_that_comes_back_sends_only_what_has_changed_meanwhile() {
    let mut mesh = Mesh::new();
    let _providers = two(&mesh).await;
    let controller = mesh.controller().await;
    let proxy = mesh.proxy("p", &[controller.address]).await;
    let everything = sent_bytes(&controller).await;
    let address = controller.kill().await;
    let controller = mesh.controller_at(address, &[]).await;
    let nothing = sent_bytes(&controller).await;
    assert!(nothing * 3 < everything, "{nothing} of {everything} bytes: nothing has changed");
    let address = controller.kill().await;
    mesh.folder().put("router", all_to("v2"));
    let controller = mesh.controller_at(address, &[]).await;
    until_answered_by("v2", &proxy.client().await, &calling("who")).await;
    let routes = sent_bytes(&controller).await;
    assert!(routes * 2 < everything, "{routes} of {everything} bytes: the routes have changed");
    proxy.kill().await;
    controller.kill().await;
    mesh.end();
}

#[tokio::test]
async fn a_proxy_that_starts_without_its_controller_serves_what_it_served_last() {
    let mut mesh = Mesh::new();
    let _providers = two(&mesh).await;
    let controller = mesh.controller().await;
    let proxy = mesh.proxy("p", &[controller.address]).await;
    mesh.folder().put("router", all_to("v2"));
    until_answered_by("v2", &proxy.client().await, &calling("who")).await;
    let state = mesh.state("p");
    let until_written = async |label: &str| {
        let wanted = format!("outbound|20880|{label}|");
        eventually("it is written", async || {
            let bytes = std::fs::read(&state).unwrap_or_default();
            let text = String::from_utf8_lossy(&bytes).into_owned();
            if text.contains(&wanted) { Ok(()) } else { Err(bytes.len()) }
        })
        .await;
    };
    until_written("v2").await;
    let address = controller.kill().await;
    proxy.kill().await;

    let proxy = mesh.proxy("p", &[address]).await;
    let client = proxy.client().await;
    assert!(["v1", "v2"].contains(&who(&client, &calling("who")).await.as_str()));
    assert_eq!(proxy.admin.get("/ready").await.status, 200, "it serves");
    let metrics = proxy.admin.get("/metrics").await.body;
    assert!(metrics.contains("meta_proxy_control_staleness_seconds"), "{metrics}");

    mesh.folder().put("router", all_to("v1"));
    let controller = mesh.controller_at(address, &[]).await;
    until_answered_by("v1", &client, &calling("who")).await;
    proxy.kill().await;
    controller.kill().await;
    mesh.end();
}

#[tokio::test]
async fn what_a_proxy_of_another_namespace_was_told_is_not_used() {
    let mut mesh = Mesh::new();
    let _providers = two(&mesh).await;
    let controller = mesh.controller().await;
    let flags = ["--namespace", "shop"];
    let proxy = mesh.proxy_until("ready", "p", &[controller.address], &flags).await;
    let state = mesh.state("p");
    eventually_eq("its resources are kept", true, async || state.exists()).await;
    let address = controller.kill().await;
    proxy.kill().await;

    mesh.announce("it is of a proxy with namespace \"shop\", role \"\", gateway \"\", and this one has namespace \"mall\"");
    let other = mesh.proxy_until("admin ", "p", &[address], &["--namespace", "mall"]).await;
    eventually("it waits for its controller", async || {
        let page = other.admin.get("/ready").await;
        let waits = page.status == 503 && page.body.contains("waiting for controller");
        if waits { Ok(()) } else { Err(page.body) }
    })
    .await;
    other.kill().await;
    mesh.end();
}

#[tokio::test]
async fn a_damaged_file_is_told_and_not_used() {
    let mut mesh = Mesh::new();
    let _providers = two(&mesh).await;
    std::fs::write(mesh.state("p"), "something else").unwrap();
    mesh.announce("the file of last good resources is not used: it does not begin with");
    let controller = mesh.controller().await;
    let proxy = mesh.proxy("p", &[controller.address]).await;
    assert_eq!(who(&proxy.client().await, &calling("who")).await, "v1");
    proxy.kill().await;
    controller.kill().await;
    mesh.end();
}

#[tokio::test]
async fn of_two_controllers_one_is_enough() {
    let mut mesh = Mesh::new();
    let _providers = two(&mesh).await;
    let [one, two] = [mesh.controller().await, mesh.controller().await];
    let proxy = mesh.proxy("p", &[one.address, two.address]).await;
    let client = proxy.client().await;
    assert!(one.sees("p").await.is_some() && two.sees("p").await.is_none());
    one.terminate().await;
    eventually_eq("it is told by the other one", true, async || two.sees("p").await.is_some()).await;
    mesh.folder().put("router", all_to("v2"));
    until_answered_by("v2", &client, &calling("who")).await;
    proxy.terminate(SOON).await;
    two.kill().await;
    mesh.end();
}
