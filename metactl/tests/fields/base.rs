//! Objects in which every field that is served says something, and how one of them is changed.

use serde_json::{Value, json};

/// Of each kind one that rows are about, and what those need.
pub fn objects() -> Vec<Value> {
    vec![protocol(), router(), rule(), service(), workload(), other_service()]
}

fn object(kind: &str, name: &str, spec: &Value) -> Value {
    let ours = matches!(kind, "MetaRouter" | "ApplicationProtocol");
    let version = if ours { "metaprotocol.aeraki.io/v1alpha1" } else { "networking.istio.io/v1" };
    let mut metadata = json!({ "name": name });
    if kind != "ApplicationProtocol" {
        metadata["namespace"] = json!("shop");
    }
    json!({ "apiVersion": version, "kind": kind, "metadata": metadata, "spec": spec })
}

fn protocol() -> Value {
    let options = json!({ "maxMessageBytes": 1_000_000 });
    object(
        "ApplicationProtocol",
        "shop",
        &json!({ "protocol": "shop", "codec": "dubbo", "options": options }),
    )
}

fn router() -> Value {
    let conditions = json!({
        "a": { "exact": "1" },
        "b": { "prefix": "1" },
        "c": { "regex": "1" },
        "d": { "present": true },
        "e": { "not": { "exact": "1" } },
        "f": { "not": { "prefix": "1" } },
        "g": { "not": { "regex": "1" } },
        "h": { "not": { "present": true } },
    });
    let destination = |subset: &str| json!({ "host": "orders.shop.example", "subset": subset, "port": { "number": 20880 } });
    let bucket = json!({ "maxTokens": 10, "tokensPerFill": 5, "fillInterval": "1s" });
    let condition =
        json!({ "match": { "attributes": { "method": { "exact": "pay" } } }, "tokenBucket": bucket });
    let route = json!({
        "name": "first",
        "match": { "attributes": conditions },
        "route": [{ "destination": destination("v1"), "weight": 100 }],
        "mirror": destination("v2"),
        "mirrorPercentage": { "value": 10 },
        "mirrorRequests": "all",
        "timeout": "2s",
        "retries": { "attempts": 2, "perTryTimeout": "1s", "idempotent": true },
        "requestMutation": [{ "key": "a", "value": "1" }],
        "responseMutation": [{ "key": "b", "value": "1" }],
    });
    let options = json!({ "maxMessageBytes": 2_000_000 });
    let spec = json!({
        "hosts": ["orders.shop.example"],
        "routes": [route],
        "healthCheck": {
            "interval": "10s", "timeout": "1s", "unhealthyThreshold": 3, "healthyThreshold": 2,
        },
        "tls": {
            "mode": "MUTUAL",
            "serverCertificate": "/s.crt",
            "privateKey": "/s.key",
            "caCertificates": "/ca.crt",
            "minProtocolVersion": "TLSV1_2",
        },
        "localRateLimit": { "tokenBucket": bucket, "conditions": [condition] },
        "options": { "downstream": options, "upstream": options },
    });
    object("MetaRouter", "orders", &spec)
}

fn rule() -> Value {
    let outliers = json!({
        "consecutive5xxErrors": 7,
        "consecutiveGatewayErrors": 3,
        "interval": "5s",
        "baseEjectionTime": "9s",
        "maxEjectionPercent": 40,
        "minHealthPercent": 20,
    });
    let tls = json!({
        "mode": "MUTUAL",
        "clientCertificate": "/c.crt",
        "privateKey": "/c.key",
        "caCertificates": "/ca.crt",
        "subjectAltNames": ["a.example"],
        "sni": "b.example",
    });
    let policy = json!({
        "loadBalancer": { "simple": "ROUND_ROBIN" },
        "outlierDetection": outliers,
        "tls": tls,
        "connectionPool": {
            "tcp": { "maxConnections": 5, "connectTimeout": "2s", "idleTimeout": "1m" },
            "http": { "http1MaxPendingRequests": 6, "http2MaxRequests": 7, "maxRetries": 8 },
        },
    });
    let own = json!({ "connectionPool": { "http": { "http2MaxRequests": 3 } } });
    let subsets = json!([
        { "name": "v1", "labels": { "version": "v1" }, "trafficPolicy": own },
        { "name": "v2", "labels": { "version": "v2" } },
    ]);
    let spec = json!({ "host": "orders.shop.example", "trafficPolicy": policy, "subsets": subsets });
    object("DestinationRule", "orders", &spec)
}

fn ports() -> Value {
    json!([
        { "number": 20880, "name": "tcp-metaprotocol-shop", "protocol": "TCP", "targetPort": 20881 },
        { "number": 20882, "name": "tcp-metaprotocol-shop-more", "protocol": "TCP" },
    ])
}

fn service() -> Value {
    let spec = json!({
        "hosts": ["orders.shop.example"],
        "addresses": ["10.0.0.1"],
        "ports": ports(),
        "location": "MESH_INTERNAL",
        "resolution": "STATIC",
        "endpoints": [
            { "address": "10.1.0.1", "ports": { "tcp-metaprotocol-shop": 20891 }, "labels": { "version": "v1" } },
            { "address": "10.1.0.2", "labels": { "version": "v2" } },
        ],
    });
    let mut service = object("ServiceEntry", "orders", &spec);
    service["metadata"]["annotations"] = json!({ "interface": "com.example.Orders" });
    service
}

fn workload() -> Value {
    let labels = json!({ "app": "carts", "version": "v1" });
    let ports = json!({ "tcp-metaprotocol-shop": 20892 });
    object("WorkloadEntry", "carts", &json!({ "address": "10.2.0.1", "ports": ports, "labels": labels }))
}

fn other_service() -> Value {
    let spec = json!({
        "hosts": ["carts.shop.example"],
        "addresses": ["10.0.0.2"],
        "ports": ports(),
        "resolution": "STATIC",
        "workloadSelector": { "labels": { "app": "carts" } },
    });
    object("ServiceEntry", "carts", &spec)
}

/// Puts a value at a path. `[]` is the first item, `*` the first key below which the rest of the path is there.
pub fn put(object: &mut Value, path: &str, value: &Value) {
    let (step, rest) = path.split_once('.').map_or((path, None), |(step, rest)| (step, Some(rest)));
    let (name, index) = match step.split_once('[') {
        Some((name, index)) => (name, Some(index.trim_end_matches(']').parse().unwrap_or(0))),
        None => (step, None),
    };
    let key = if name == "*" { key_with(object, rest) } else { name.to_owned() };
    let mut place = &mut object[key];
    if let Some(index) = index {
        if place.is_null() {
            *place = json!([]);
        }
        let list = place.as_array_mut().unwrap_or_else(|| panic!("{path}: not a list"));
        while list.len() <= index {
            list.push(json!({}));
        }
        place = &mut list[index];
    }
    match rest {
        Some(rest) => put(place, rest, value),
        None => *place = value.clone(),
    }
}

fn key_with(map: &Value, rest: Option<&str>) -> String {
    let pointer = rest.map(|rest| format!("/{}", rest.replace('.', "/"))).unwrap_or_default();
    let entries = map.as_object().into_iter().flatten();
    let mut fitting = entries.filter(|(_, value)| value.pointer(&pointer).is_some());
    fitting.next().unwrap_or_else(|| panic!("no key of {map} has {pointer}")).0.clone()
}
