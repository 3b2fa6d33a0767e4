//! What users of Aeraki have written: every field is read; what is not served yet is said, with its path.

#![allow(clippy::unwrap_used, clippy::panic, reason = "what cannot go on is a failed test")]

mod support;

use support::{documents, lines_of, load, said};

const SERVICE: &str = "
apiVersion: networking.istio.io/v1beta1
kind: ServiceEntry
metadata:
  name: payments
  namespace: bank
  annotations: {interface: com.bank.PaymentService}
spec:
  hosts: [payments.bank.svc.cluster.local]
  location: MESH_INTERNAL
  ports:
  - {number: 20880, name: tcp-metaprotocol-dubbo, protocol: TCP}
  resolution: STATIC
  workloadSelector: {labels: {app: payments}}
---
apiVersion: networking.istio.io/v1beta1
kind: WorkloadEntry
metadata: {name: one, namespace: bank}
spec: {address: 10.9.0.1, labels: {app: payments, version: v1}}
---
apiVersion: networking.istio.io/v1beta1
kind: WorkloadEntry
metadata: {name: two, namespace: bank}
spec: {address: 10.9.0.2, labels: {app: payments, version: v2}}
";

const RULE: &str = "
apiVersion: networking.istio.io/v1beta1
kind: DestinationRule
metadata: {name: payments, namespace: bank}
spec:
  host: payments.bank.svc.cluster.local
  subsets:
  - {name: v1, labels: {version: v1}}
  - {name: v2, labels: {version: v2}}
";

const ROUTER: &str = "
apiVersion: metaprotocol.aeraki.io/v1alpha1
kind: MetaRouter
metadata: {name: payments, namespace: bank, uid: 1-2-3, generation: 7}
status: {anything: [1]}
spec:
  hosts: [payments.bank.svc.cluster.local]
";

/// What is said about the objects, in the words after the object's name.
fn about(objects: &[&str]) -> Vec<String> {
    let loaded = load(&documents(objects)).unwrap();
    let short = |line: String| line.splitn(3, ':').last().unwrap_or_default().trim().to_owned();
    said(&loaded).into_iter().map(short).collect()
}

fn with_router(spec: &str) -> Vec<String> {
    about(&[SERVICE, RULE, &format!("{ROUTER}{spec}")])
}

#[test]
fn matches_subsets_ports_and_weights_are_served() {
    let router = format!(
        "{ROUTER}{}",
        "
  routes:
  - name: pilot
    match:
      attributes:
        interface: {exact: com.bank.PaymentService}
        method: {prefix: pay}
        zone: {regex: 'north|south-.*'}
    route:
    - destination: {host: payments.bank.svc.cluster.local, subset: v2, port: {number: 20880}}
  - name: share
    route:
    - {destination: {host: payments.bank.svc.cluster.local, subset: v1}, weight: 95}
    - {destination: {host: payments.bank.svc.cluster.local, subset: v2}, weight: 5}
"
    );
    let loaded = load(&documents(&[SERVICE, RULE, &router])).unwrap();
    assert_eq!(said(&loaded), Vec::<String>::new());
    let host = "payments.bank.svc.cluster.local";
    assert_eq!(
        lines_of(&loaded, "route"),
        [
            format!(
                "route {host}_20880 pilot interface=com.bank.PaymentService method^pay zone~north|south-.* -> \
                 outbound|20880|v2|{host} 100%"
            ),
            format!(
                "route {host}_20880 share -> outbound|20880|v1|{host} 95% -> outbound|20880|v2|{host} 5%"
            ),
        ]
    );
    assert_eq!(
        lines_of(&loaded, "listener"),
        [format!(
            r#"listener 127.0.0.1_20880 127.0.0.1:20880 dubbo "com.bank.PaymentService"={host}_20880@{host}"#
        )]
    );
}

#[test]
fn mirrors_mutations_and_exports_are_served() {
    let said = with_router(
        "
  exportTo: ['.', shop]
  routes:
  - name: copy
    route: [{destination: {host: payments.bank.svc.cluster.local, subset: v1}}]
    mirror: {host: payments.bank.svc.cluster.local, subset: v2}
    mirrorPercentage: {value: 33.3333}
    requestMutation: [{key: colour, value: green}]
    responseMutation: [{key: via, value: mesh}]
",
    );
    assert_eq!(said, Vec::<String>::new());
}

#[test]
fn local_rate_limits_are_served_and_global_ones_are_named() {
    let local = "
  localRateLimit:
    tokenBucket: {maxTokens: 50, tokensPerFill: 50, fillInterval: 1s}
    conditions:
    - match: {attributes: {method: {exact: pay}}}
      tokenBucket: {maxTokens: 2, tokensPerFill: null, fillInterval: 500ms}
";
    let loaded = load(&documents(&[SERVICE, RULE, &format!("{ROUTER}{local}")])).unwrap();
    assert_eq!(said(&loaded), Vec::<String>::new());
    let name = "payments.bank.svc.cluster.local_20880";
    assert_eq!(
        lines_of(&loaded, "limit"),
        [format!("limit {name} [method=pay] 2+1/0.5s"), format!("limit {name} else 50+50/1s")]
    );
    let said = with_router(
        "
  globalRateLimit:
    domain: bank
    match: {attributes: {method: {regex: '.+'}}}
    rateLimitService: outbound|8081||limits.infra.svc.cluster.local
    requestTimeout: 30ms
    denyOnFail: true
    descriptors: [{property: method, descriptorKey: call}]
",
    );
    let object = "error: MetaRouter bank/payments: spec.";
    assert_eq!(said, [format!("{object}globalRateLimit: not supported yet")]);
}

#[test]
fn policies_that_are_not_served_yet_are_warnings() {
    let rule = "
apiVersion: networking.istio.io/v1beta1
kind: DestinationRule
metadata: {name: payments, namespace: bank}
spec:
  host: payments.bank.svc.cluster.local
  trafficPolicy:
    loadBalancer: {consistentHash: {httpHeaderName: account, minimumRingSize: 2048}}
    outlierDetection: {consecutive5xxErrors: 3, interval: 5s, baseEjectionTime: 20s}
    connectionPool: {tcp: {maxConnections: 10, connectTimeout: 2s}}
  subsets:
  - {name: v1, labels: {version: v1}}
  - {name: v2, labels: {version: v2}, trafficPolicy: {loadBalancer: {consistentHash: {httpCookie: {name: c, ttl: 0s}}}}}
";
    let object = "warning: DestinationRule bank/payments: spec.";
    let no = "not supported yet, so it has no effect";
    assert_eq!(
        about(&[SERVICE, rule]),
        [format!("{object}subsets[1].trafficPolicy.loadBalancer.consistentHash.httpCookie: {no}")]
    );
}

#[test]
fn a_router_that_names_a_gateway_is_served_there() {
    let gateway = "
apiVersion: networking.istio.io/v1beta1
kind: Gateway
metadata: {name: front, namespace: istio-system}
spec:
  selector: {istio: ingressgateway}
  servers: [{hosts: ['*'], port: {name: tcp-metaprotocol-dubbo-20880, number: 20880, protocol: tcp}}]
";
    let router = format!(
        "{ROUTER}  gateways: [istio-system/front]\n  routes:\n  - route: [{{destination: {{host: \
         payments.bank.svc.cluster.local, port: {{number: 20880}}}}}}]\n"
    );
    assert_eq!(about(&[SERVICE, RULE, gateway, &router]), [""; 0]);
    let loaded = load(&documents(&[SERVICE, RULE, &router])).unwrap();
    let listeners: Vec<_> = lines_of(&loaded, "listener");
    assert_eq!(listeners.len(), 2, "one for the mesh: {listeners:?}");
    assert!(listeners[1].starts_with("listener gateway|20880|istio-system/front "), "{listeners:?}");
}

#[test]
fn registrations_are_read_and_the_kinds_for_redis_are_named() {
    let objects = "
apiVersion: metaprotocol.aeraki.io/v1alpha1
kind: ApplicationProtocol
metadata: {name: my-rpc, namespace: istio-system}
spec: {protocol: my-rpc, codec: aeraki.meta_protocol.codec.my_rpc}
---
apiVersion: redis.aeraki.io/v1alpha1
kind: RedisService
metadata: {name: sessions, namespace: data}
spec:
  host: [sessions.data.svc.cluster.local]
  settings: {opTimeout: 1s, readPolicy: REPLICA, auth: {secret: {name: password}}}
  redis:
  - {match: {key: {prefix: 'a:', removePrefix: true}}, route: {host: a.data.svc.cluster.local}}
  faults: [{type: ERROR, percentage: {value: 2}, commands: [GET]}]
---
apiVersion: redis.aeraki.io/v1alpha1
kind: RedisDestination
metadata: {name: sessions, namespace: data}
spec:
  host: sessions.data.svc.cluster.local
  trafficPolicy: {connectionPool: {redis: {mode: CLUSTER, discoveryEndpoints: ['10.0.0.1:6379']}}}
---
apiVersion: dubbo.aeraki.io/v1alpha1
kind: DubboAuthorizationPolicy
metadata: {name: closed, namespace: bank}
spec: {action: DENY, rules: [{to: [{operation: {methods: [pay]}}]}]}
";
    let warning =
        |kind: &str| format!("warning: kind {kind} is not supported yet, so this object has no effect");
    assert_eq!(
        about(&[objects]),
        [warning("RedisService"), warning("RedisDestination"), warning("DubboAuthorizationPolicy")]
    );
}

#[test]
fn two_interfaces_on_one_port_are_told_apart() {
    let other = SERVICE
        .split("---")
        .next()
        .unwrap_or_default()
        .replace("payments", "refunds")
        .replace("PaymentService", "RefundService");
    let loaded = load(&documents(&[SERVICE, &other])).unwrap();
    let (one, two) = ("payments.bank.svc.cluster.local", "refunds.bank.svc.cluster.local");
    assert_eq!(
        lines_of(&loaded, "listener"),
        [format!(
            r#"listener 127.0.0.1_20880 127.0.0.1:20880 dubbo "com.bank.PaymentService"={one}_20880@{one} "com.bank.RefundService"={two}_20880@{two}"#
        )]
    );
}
