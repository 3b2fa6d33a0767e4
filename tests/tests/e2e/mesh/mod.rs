//! A controller and a proxy as two processes.

mod envoy;
mod gateway;
mod outage;
mod scope;
mod tls;

use e2e::calls::{calling, provider, until_answered_by, who};
use e2e::command::metactl;
use e2e::eventually::{SOON, eventually, eventually_eq};
use e2e::mesh::{Controller, Mesh};
use e2e::objects::{Route, Router, Rule, Service};
use peers::dubbo::Provider;

/// Two providers, `v1` and `v2`, a subset for each; all calls go to `v1`.
async fn two(mesh: &Mesh) -> [Provider; 2] {
    let [v1, v2] = [provider("v1").await, provider("v2").await];
    mesh.folder().put("service", Service::orders().endpoint("v1", v1.address()).endpoint("v2", v2.address()));
    mesh.folder().put("rule", Rule::subsets(&["v1", "v2"]));
    mesh.folder().put("router", all_to("v1"));
    [v1, v2]
}

fn all_to(subset: &str) -> Router {
    Router::routes([Route::to(subset)])
}

/// What `metactl status` prints of a controller, and its exit code.
async fn status(controller: &Controller) -> (String, Option<i32>) {
    let ran = metactl(["status", "--controller", &controller.admin.address().to_string()]).await;
    assert_eq!(ran.stderr, "");
    (ran.stdout, ran.code)
}

/// Waits until `metactl status` tells this of something that is not in force.
async fn until_told(controller: &Controller, words: &str) {
    eventually("the refusal is told", async || {
        let (table, code) = status(controller).await;
        if table.contains(words) && code == Some(1) { Ok(()) } else { Err(table) }
    })
    .await;
}

#[tokio::test]
async fn a_proxy_serves_what_its_controller_reads_and_follows_it() {
    let mut mesh = Mesh::new();
    let _providers = two(&mesh).await;
    let controller = mesh.controller().await;
    let proxy = mesh.proxy("p", &[controller.address]).await;
    let client = proxy.client().await;
    assert_eq!(who(&client, &calling("who")).await, "v1", "it is ready when it has everything");
    mesh.folder().put("router", all_to("v2"));
    until_answered_by("v2", &client, &calling("who")).await;

    eventually("all types are synced", async || {
        let seen = controller.sees("p").await.ok_or("not connected")?;
        let states: Vec<_> =
            seen["types"].as_array().unwrap().iter().map(|one| one["state"].clone()).collect();
        if states.iter().all(|state| state == "synced") { Ok(()) } else { Err("not synced") }
    })
    .await;
    let row = |line: &str| line.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
    eventually("its router is said to be in force", async || {
        let (table, code) = status(&controller).await;
        let is_in_force = table.lines().any(|line| row(line) == row("MetaRouter shop/orders yes 1 of 1"));
        if is_in_force && code == Some(0) { Ok(()) } else { Err(table) }
    })
    .await;
    assert_eq!(proxy.admin.get("/ready").await.status, 200);
    let metrics = proxy.admin.get("/metrics").await.body;
    assert!(metrics.contains("meta_proxy_control_connected 1"), "{metrics}");
    let dump = proxy.admin.get("/config_dump").await.body;
    assert!(dump.contains("router.yaml"), "a resource says which file it came from:\n{dump}");
    proxy.terminate(SOON).await;
    eventually_eq("the proxy has left", None, async || controller.sees("p").await).await;
    controller.terminate().await;
    mesh.end();
}

#[tokio::test]
async fn what_a_proxy_refuses_is_told_and_its_last_good_version_stays() {
    let mut mesh = Mesh::new();
    let _providers = two(&mesh).await;
    let controller = mesh.controller().await;
    let proxy = mesh.proxy("p", &[controller.address]).await;
    let client = proxy.client().await;
    assert_eq!(who(&client, &calling("who")).await, "v1");
    // What only the codec can judge: the controller carries it as it is.
    mesh.announce("proxy p refused listener");
    mesh.announce("refused: listener");
    mesh.folder().put("router", all_to("v1").options("downstream: {nonsense: 1}"));
    let refused = eventually("it is refused", async || {
        let seen = controller.sees("p").await.ok_or_else(|| "not connected".to_owned())?;
        let refused = seen["refused"][0].clone();
        if refused.is_object() { Ok(refused) } else { Err(seen.to_string()) }
    })
    .await;
    assert_eq!(
        (&refused["kind"], &refused["field"]),
        (&"listener".into(), &"options.nonsense".into()),
        "{refused}"
    );
    until_told(&controller, "proxy p refused listener ").await;
    assert_eq!(who(&client, &calling("who")).await, "v1");
    mesh.folder().put("router", all_to("v2"));
    until_answered_by("v2", &client, &calling("who")).await;
    eventually("nothing is refused", async || {
        let seen = controller.sees("p").await.ok_or_else(|| "not connected".to_owned())?;
        if seen["refused"] == serde_json::json!([]) { Ok(()) } else { Err(seen.to_string()) }
    })
    .await;
    proxy.kill().await;
    controller.kill().await;
    mesh.end();
}

#[tokio::test]
async fn a_listener_whose_address_becomes_free_is_refused_no_more() {
    let mut mesh = Mesh::new();
    let [provider, _] = two(&mesh).await;
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let other = Service::of("taken.shop.example").port(address.port()).endpoint("v1", provider.address());
    mesh.folder().put("other", other);
    mesh.announce("proxy p refused listener");
    mesh.announce("refused: listener");
    let controller = mesh.controller().await;
    let proxy = mesh.proxy_until("admin ", "p", &[controller.address], &[]).await;
    let cannot = format!("{address} cannot be bound: Address already in use");
    let refused = async || controller.sees("p").await.map(|seen| seen["refused"].clone());
    eventually("it is refused", async || {
        let refused = refused().await.unwrap_or_default().to_string();
        if refused.contains(&cannot) { Ok(()) } else { Err(refused) }
    })
    .await;
    eventually("the status of its object says so", async || {
        let (table, _) = status(&controller).await;
        if table.contains(&cannot) { Ok(()) } else { Err(table) }
    })
    .await;
    drop(taken);
    eventually_eq("it is refused no more", Some(serde_json::json!([])), refused).await;
    assert_eq!(proxy.admin.get("/ready").await.status, 200, "it is bound");
    let (state, name) = (mesh.state("p"), format!("127.0.0.1_{}", address.port()));
    eventually_eq("it is among the last good resources", true, async || {
        String::from_utf8_lossy(&std::fs::read(&state).unwrap_or_default()).contains(&name)
    })
    .await;
    let (table, code) = status(&controller).await;
    assert_eq!(code, Some(0), "{table}");
    proxy.kill().await;
    controller.kill().await;
    mesh.end();
}

#[tokio::test]
async fn a_proxy_without_a_controller_says_whom_it_waits_for() {
    let mut mesh = Mesh::new();
    let _providers = two(&mesh).await;
    let controller = mesh.controller().await;
    let address = controller.kill().await;
    let proxy = mesh.proxy_until("admin ", "p", &[address], &[]).await;
    let expected = format!("no configuration has arrived: waiting for controller {address}: ");
    eventually("it says so", async || {
        let page = proxy.admin.get("/ready").await;
        let is_meant = page.status == 503 && page.body.starts_with(&expected);
        if is_meant && page.body.contains("refused") { Ok(()) } else { Err(page) }
    })
    .await;
    let metrics = proxy.admin.get("/metrics").await.body;
    assert!(metrics.contains("meta_proxy_control_connected 0"), "{metrics}");
    let controller = mesh.controller_at(address, &[]).await;
    eventually_eq("it is ready", 200, async || proxy.admin.get("/ready").await.status).await;
    proxy.kill().await;
    controller.kill().await;
    mesh.end();
}
