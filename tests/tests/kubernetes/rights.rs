//! The controller as its service account, with the rights of the chart: they are enough, and none is too much.

use std::sync::LazyLock;

use e2e::calls::{calling, who};
use e2e::eventually::eventually;
use e2e::kubernetes::{Cluster, Server, render};
use e2e::scene::Setup;
use serde_json::{Value, json};

use crate::shop::{OURS, Shop, router, until};

const ACCOUNT: &str = "meta-proxy-controller";

/// What the chart installs.
static INSTALLED: LazyLock<Vec<Value>> = LazyLock::new(|| render("mesh-system", "").unwrap());

/// The rules of a role in the chart.
fn rules(kind: &str) -> Vec<Value> {
    INSTALLED.iter().find(|object| object["kind"] == kind).unwrap()["rules"].as_array().unwrap().clone()
}

/// One right of those rules: a verb on a resource.
type Right = (String, String, String);

fn rights(rules: &[Value]) -> Vec<Right> {
    let texts = |value: &Value| {
        value.as_array().unwrap().iter().map(|one| one.as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let mut rights = Vec::new();
    for rule in rules {
        for resource in texts(&rule["resources"]) {
            for verb in texts(&rule["verbs"]) {
                rights.push((texts(&rule["apiGroups"]).concat(), resource.clone(), verb));
            }
        }
    }
    rights
}

/// Gives these rights, but one, to the account of this namespace.
async fn grant(cluster: &Cluster, name: &str, missing: Option<&Right>) {
    let bind = |kind: &str, scope: &str| {
        json!({
            "apiVersion": "rbac.authorization.k8s.io/v1", "kind": format!("{scope}RoleBinding"), "metadata": {"name": name},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": kind, "name": name},
            "subjects": [{"kind": "ServiceAccount", "name": name, "namespace": cluster.namespace()}],
        })
    };
    for (kind, scope) in [("ClusterRole", "Cluster"), ("Role", "")] {
        let kept = rights(&rules(kind)).into_iter().filter(|right| Some(right) != missing);
        let rule = |(group, resource, verb): Right| json!({"apiGroups": [group], "resources": [resource], "verbs": [verb]});
        let rules: Vec<Value> = kept.map(rule).collect();
        cluster
            .apply(json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": kind, "metadata": {"name": name}, "rules": rules}))
            .await;
        cluster.apply(bind(kind, scope)).await;
    }
}

#[tokio::test]
async fn the_shipped_rights_are_enough() {
    let server = Server::start().await;
    let shop = Shop::open(&server).await;
    // As it is shipped, object for object; the account stands in its own namespace.
    let home = shop.cluster.beside("mesh-system").await;
    for object in INSTALLED.iter() {
        home.apply_strictly(object).await.unwrap();
    }
    let config = home.config_of(&server, ACCOUNT).await;
    let setup = Setup::on_cluster(&config, shop.cluster.namespace()).listen(&shop.service());
    let scene = setup.start().await;
    let client = scene.client_of(&shop.service()).await;
    assert_eq!(who(&client, &calling("any")).await, "v1");
    until(&shop.cluster, "orders", "Programmed=True Programmed").await;
    scene.end().await;
    assert!(home.may_not(&config, "/api/v1/secrets").await, "it may read no secret");
}

/// What fails without a right.
#[derive(Debug, PartialEq)]
enum Lack {
    /// Objects cannot be seen: nothing is served, and the log says which kind.
    Sight,
    /// Status is not written, or no leader chosen; the log says so.
    Status,
    /// No event.
    Event,
}

fn lack(right: &Right) -> Lack {
    match (right.1.as_str(), right.2.as_str()) {
        ("events", _) => Lack::Event,
        ("leases", _) => Lack::Status,
        (resource, _) if resource.ends_with("/status") => Lack::Status,
        _ => Lack::Sight,
    }
}

#[tokio::test]
async fn without_any_one_of_them_something_fails_and_the_log_says_what() {
    let server = Server::start().await;
    let all: Vec<Right> = ["ClusterRole", "Role"].iter().flat_map(|kind| rights(&rules(kind))).collect();
    assert!(all.len() > 20, "{all:?}");
    for (i, right) in all.iter().enumerate() {
        let name = format!("lacks-{i}");
        let shop = Shop::open(&server).await;
        shop.cluster.apply(format!("{{apiVersion: {OURS}, kind: ApplicationProtocol, metadata: {{name: own-{i}}}, spec: {{protocol: own{i}, codec: dubbo}}}}")).await;
        let config = shop.cluster.config_of(&server, &name).await;
        grant(&shop.cluster, &name, Some(right)).await;
        // An API server needs a moment to see what it was told.
        let namespace = shop.cluster.namespace();
        let paths = [
            format!("/api/v1/namespaces/{namespace}/services"),
            format!("/apis/discovery.k8s.io/v1/namespaces/{namespace}/endpointslices"),
        ];
        eventually("rights are granted", async || {
            let may_not = [
                shop.cluster.may_not(&config, &paths[0]).await,
                shop.cluster.may_not(&config, &paths[1]).await,
            ];
            if may_not == [true; 2] { Err(may_not) } else { Ok(()) }
        })
        .await;
        let setup = Setup::on_cluster(&config, shop.cluster.namespace()).listen(&shop.service());
        let (_, resource, verb) = right;
        match lack(right) {
            Lack::Sight => {
                let setup =
                    setup.announce("cannot see the API server's objects").tolerate("cannot use leases");
                let scene = setup.start_unready().await;
                eventually(&format!("{right:?} is missed"), async || {
                    let told = scene.logged("cannot see the API server's objects");
                    let is_it = |line: &String| {
                        line.contains(resource.as_str()) && line.contains(&format!("cannot {verb} resource"))
                    };
                    if told.iter().any(is_it) { Ok(()) } else { Err(told) }
                })
                .await;
                scene.end().await;
            }
            Lack::Status => {
                let scene = setup.announce("cannot").start().await;
                let told = async || {
                    scene
                        .logged("cannot")
                        .into_iter()
                        .filter(|line| line.contains(resource.as_str()))
                        .collect::<Vec<_>>()
                };
                eventually(&format!("{right:?} is missed"), async || {
                    if told().await.is_empty() { Err(()) } else { Ok(()) }
                })
                .await;
                scene.end().await;
            }
            Lack::Event => {
                let scene =
                    setup.announce("cannot write an event").tolerate("cannot use leases").start().await;
                for value in ["one", "two"] {
                    let set = format!("name: all, requestMutation: [{{key: interface, value: {value}}}]");
                    shop.cluster
                        .apply(
                            router(&shop.cluster, value)
                                .replace(&format!(", subset: {value}"), "")
                                .replace("name: all", &set),
                        )
                        .await;
                    until(&shop.cluster, "orders", "Programmed=False Refused").await;
                    shop.cluster.apply(router(&shop.cluster, "v1")).await;
                    until(&shop.cluster, "orders", "Programmed=True Programmed").await;
                }
                eventually(&format!("{right:?} is missed"), async || {
                    if scene.logged("cannot write an event").is_empty() { Err(()) } else { Ok(()) }
                })
                .await;
                scene.end().await;
            }
        }
    }
}
