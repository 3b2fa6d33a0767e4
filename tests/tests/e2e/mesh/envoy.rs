//! Stock Envoy as a client: it takes our clusters and endpoints, by both protocols, and refuses none of them.

use std::fmt::Write as _;
use std::net::{SocketAddr, TcpListener};
use std::process::Command;

use e2e::admin::Admin;
use e2e::eventually::{eventually, off_thread};
use e2e::mesh::Mesh;
use peers::process::{Process, envoy};

use super::{all_to, two};

/// What Envoy is started with: an admin port, and where its clusters come from.
fn bootstrap(admin: SocketAddr, controller: SocketAddr, api_type: &str) -> String {
    let mut text = String::new();
    let _ = write!(
        text,
        "
node: {{id: envoy, cluster: test}}
admin: {{address: {{socket_address: {{address: 127.0.0.1, port_value: {admin}}}}}}}
dynamic_resources:
  ads_config:
    api_type: {api_type}
    transport_api_version: V3
    grpc_services: [{{envoy_grpc: {{cluster_name: controller}}}}]
  cds_config: {{resource_api_version: V3, ads: {{}}}}
static_resources:
  clusters:
  - name: controller
    type: STATIC
    connect_timeout: 2s
    typed_extension_protocol_options:
      envoy.extensions.upstreams.http.v3.HttpProtocolOptions:
        '@type': type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions
        explicit_http_config: {{http2_protocol_options: {{}}}}
    load_assignment:
      cluster_name: controller
      endpoints:
      - lb_endpoints:
        - endpoint: {{address: {{socket_address: {{address: 127.0.0.1, port_value: {controller}}}}}}}
",
        admin = admin.port(),
        controller = controller.port(),
    );
    text
}

/// A port that is free now: Envoy does not say which one the kernel gave it.
fn free() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").and_then(|socket| socket.local_addr()).expect("there is a free port")
}

/// The value of one of Envoy's statistics.
async fn statistic(envoy: &Admin, name: &str) -> Option<u64> {
    let page = envoy.get(&format!("/stats?filter={name}")).await;
    page.body.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": ")?.parse().ok())
}

async fn takes_clusters_and_endpoints(api_type: &str) {
    let mut mesh = Mesh::new();
    let _providers = two(&mesh).await;
    let controller = mesh.controller().await;
    let admin = free();
    let path = mesh.folder().beside("envoy.yaml");
    std::fs::write(&path, bootstrap(admin, controller.address, api_type)).unwrap();
    let log = mesh.folder().beside("envoy.log");
    let mut running = off_thread(move || {
        let mut command = Command::new(envoy().unwrap_or_else(|failed| panic!("{failed}")));
        command.arg("-c").arg(path).args(["--disable-hot-restart", "--concurrency", "1", "-l", "warning"]);
        Process::start("Envoy", &mut command, Some(&log)).unwrap_or_else(|failed| panic!("{failed}"))
    })
    .await;
    eventually("its admin port is open", async || tokio::net::TcpStream::connect(admin).await.map(drop))
        .await;
    let envoy = Admin::at(admin);
    let has = async |subsets: &[&str]| {
        eventually(&format!("Envoy has {subsets:?} and all is answered"), async || {
            let page = envoy.get("/clusters").await.body;
            let count = |subset: &str| {
                page.matches(&format!("outbound|20880|{subset}|orders.shop.example::127.0.0.1")).count()
            };
            let is_right = ["v1", "v2"].iter().all(|subset| (count(subset) > 0) == subsets.contains(subset));
            let seen = controller.sees("envoy").await.ok_or_else(|| "not connected".to_owned())?;
            let states = [&seen["types"][0]["state"], &seen["types"][1]["state"]];
            if is_right && states.iter().all(|state| *state == "synced") {
                Ok(())
            } else {
                Err(page + &seen.to_string())
            }
        })
        .await;
    };
    has(&["v1", "v2"]).await;
    mesh.folder().put("rule", e2e::objects::Rule::subsets(&["v2"]));
    mesh.folder().put("router", all_to("v2"));
    has(&["v2"]).await;
    mesh.folder().put("rule", e2e::objects::Rule::subsets(&["v1", "v2"]));
    has(&["v1", "v2"]).await;
    assert_eq!(statistic(&envoy, "cluster_manager.cds.update_rejected").await, Some(0));
    assert!(statistic(&envoy, "cluster_manager.cds.update_success").await > Some(1));
    let rejected = envoy.get("/stats?filter=update_rejected").await.body;
    assert!(rejected.lines().all(|line| line.ends_with(": 0")), "{rejected}");
    let seen = controller.sees("envoy").await.unwrap();
    assert_eq!(seen["refused"], serde_json::json!([]));
    off_thread(move || running.kill()).await.unwrap();
    controller.kill().await;
    mesh.end();
}

#[tokio::test]
async fn envoy_takes_clusters_and_endpoints_by_delta() {
    takes_clusters_and_endpoints("DELTA_GRPC").await;
}

#[tokio::test]
async fn envoy_takes_clusters_and_endpoints_by_the_state_of_the_world() {
    takes_clusters_and_endpoints("GRPC").await;
}
