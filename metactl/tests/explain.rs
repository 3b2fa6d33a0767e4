//! What `metactl explain` and `metactl validate` say of clusters that hash, of mirrors of writes and of rate limits.

#![allow(clippy::unwrap_used, reason = "a test fails where it cannot go on")]

use std::path::Path;
use std::process::{Command, Output};

const SERVICE: &str = "
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: cache, namespace: shop}
spec:
  hosts: [cache.shop.example]
  ports: [{number: 6379, name: tcp-metaprotocol-redis, protocol: TCP}]
  resolution: STATIC
  endpoints: [{address: 10.0.0.1}, {address: 10.0.0.2}]
";

const ROUTER: &str = "
apiVersion: metaprotocol.aeraki.io/v1alpha1
kind: MetaRouter
metadata: {name: cache, namespace: shop}
spec:
  hosts: [cache.shop.example]
  routes:
  - name: all
    route: [{destination: {host: cache.shop.example}}]
    mirror: {host: cache.shop.example}
    mirrorPercentage: {value: 25}
    mirrorRequests: writes
";

fn rule(hash: &str) -> String {
    format!(
        "apiVersion: networking.istio.io/v1\nkind: DestinationRule\nmetadata: {{name: cache, namespace: shop}}\n\
         spec: {{host: cache.shop.example, trafficPolicy: {{loadBalancer: {{consistentHash: {hash}}}}}}}\n"
    )
}

/// Exit code and standard output of `metactl` for these objects.
fn metactl(command: &str, objects: &[&str], rest: &[&str]) -> (Option<i32>, String) {
    let output = run(command, objects, rest);
    (output.status.code(), String::from_utf8(output.stdout).unwrap())
}

fn run(command: &str, objects: &[&str], rest: &[&str]) -> Output {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("x.yaml"), objects.join("\n---\n")).unwrap();
    let mut metactl = Command::new(Path::new(env!("CARGO_BIN_EXE_metactl")));
    metactl.current_dir(&folder).args([command, "x.yaml"]).args(rest).output().unwrap()
}

#[test]
fn an_explanation_says_what_is_hashed_and_what_is_copied() {
    for (hash, words) in [
        ("{httpHeaderName: key}", "hashed by key (ring)"),
        ("{httpHeaderName: key, maglev: {tableSize: 251}}", "hashed by key (Maglev)"),
    ] {
        let (code, said) =
            metactl("explain", &[SERVICE, ROUTER, &rule(hash)], &["--host", "cache.shop.example"]);
        assert_eq!(code, Some(0));
        let cluster = "outbound|6379||cache.shop.example";
        let lines = format!("          {words}\n          10.0.0.1:6379\n          10.0.0.2:6379\n");
        assert!(said.contains(&format!("cluster   {cluster}\n{lines}")), "{said}");
        assert!(
            said.contains(&format!("mirror    {cluster} (25 % of what changes data)\n{lines}")),
            "{said}"
        );
    }
}

#[test]
fn an_explanation_says_what_is_tried_again() {
    let retries = "    retries: {attempts: 2, perTryTimeout: 500ms, idempotent: IDEMPOTENT}\n";
    for (idempotent, words) in [
        ("true", "          any\n"),
        (
            "[{attributes: {command: {exact: GET}}}, {attributes: {command: {not: {prefix: S}}, key: {regex: 'a|b'}}}]",
            "          command exact \"GET\"\n          command not prefix \"S\" and key regex \"a|b\"\n",
        ),
    ] {
        let router = format!("{ROUTER}{}", retries.replace("IDEMPOTENT", idempotent));
        let (code, said) = metactl("explain", &[SERVICE, &router], &["--host", "cache.shop.example"]);
        assert_eq!(code, Some(0));
        let head = "retries   2 after the first try, 500ms for each, of requests that are idempotent:\n";
        assert!(said.ends_with(&format!("{head}{words}")), "{said}");
    }
}

#[test]
fn the_example_of_the_document_is_accepted() {
    let document =
        std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/retries.md")).unwrap();
    let block: Vec<_> = document
        .lines()
        .skip_while(|line| !line.starts_with("    routes:"))
        .take_while(|line| line.starts_with("    "))
        .map(|line| line.replace("orders.shop.example", "cache.shop.example"))
        .collect();
    let (head, _) = ROUTER.split_once("  routes:\n").unwrap();
    let routes = block.iter().fold(String::new(), |text, line| text + &line[2..] + "\n");
    let service = SERVICE.replace("tcp-metaprotocol-redis", "tcp-metaprotocol-dubbo");
    let (code, said) = metactl("validate", &[&service, &format!("{head}{routes}")], &[]);
    assert_eq!(code, Some(0), "{said}");
    assert!(routes.contains("retries:"), "{routes}");
}

#[test]
fn retries_are_refused_where_keys_live_on_one_endpoint() {
    let router = format!("{ROUTER}    retries: {{attempts: 1, idempotent: true}}\n");
    let (code, said) = metactl("validate", &[SERVICE, &router, &rule("{httpHeaderName: key}")], &[]);
    assert_eq!(code, Some(1));
    assert!(
        said.contains("is balanced by key, and what a key stands for lives on one endpoint only"),
        "{said}"
    );
    let unknown = format!(
        "{ROUTER}    retries: {{attempts: 1, idempotent: [{{attributes: {{method: {{exact: get}}}}}}]}}\n"
    );
    let (code, said) = metactl("validate", &[SERVICE, &unknown], &[]);
    assert_eq!(code, Some(1));
    assert!(said.contains("requests of redis have no attribute \"method\""), "{said}");
}

#[test]
fn what_comes_from_one_address_is_hashed_by_it() {
    let words = ["--host", "cache.shop.example", "--attr", "source.address=10.0.0.9"];
    let router = ROUTER
        .replace("    route:", "    match: {attributes: {Source.Address: {prefix: '10.'}}}\n    route:");
    let (code, said) = metactl("explain", &[SERVICE, &router, &rule("{useSourceIp: true}")], &words);
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("hashed by source.address (ring)\n"), "{said}");
    let (code, said) = metactl("explain", &[SERVICE, &router, &rule("{useSourceIp: true}")], &words[..2]);
    assert_eq!(code, Some(1));
    assert!(said.contains("Source.Address is missing, needs prefix \"10.\""), "{said}");
}

#[test]
fn of_several_ports_one_is_to_be_chosen() {
    let ports = "[{number: 6379, name: tcp-metaprotocol-redis, protocol: TCP}, \
                 {number: 6380, name: tcp-metaprotocol-redis-2, protocol: TCP}]";
    let service = SERVICE.replace("[{number: 6379, name: tcp-metaprotocol-redis, protocol: TCP}]", ports);
    let words = ["--host", "cache.shop.example", "--port", "6380"];
    let (code, said) = metactl("explain", &[&service], &words);
    assert!(code == Some(0) && said.contains("cluster   outbound|6380||cache.shop.example\n"), "{said}");
    let output = run("explain", &[&service], &words[..2]);
    assert_eq!(output.status.code(), Some(2));
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(
        said.contains("cache.shop.example has several ports, 6379, 6380; choose one with --port"),
        "{said}"
    );
}

#[test]
fn both_planes_refuse_what_cannot_be_hashed() {
    let (code, said) =
        metactl("validate", &[SERVICE, &rule("{httpHeaderName: key, maglev: {tableSize: 250}}")], &[]);
    assert_eq!(code, Some(1));
    assert!(said.contains("consistentHash.maglev.tableSize: must be a prime up to 1048576"), "{said}");
    assert!(said.contains("maglev_lb_config.table_size: must be a prime up to 1048576, not 250"), "{said}");
    let (code, said) = metactl("validate", &[SERVICE, &rule("{httpHeaderName: key}")], &[]);
    assert_eq!(code, Some(0), "{said}");
}

#[test]
fn a_mirror_of_writes_is_refused_where_nobody_tells_them_from_others() {
    let service = SERVICE.replace("tcp-metaprotocol-redis", "tcp-metaprotocol-dubbo");
    let (code, said) = metactl("validate", &[&service, ROUTER], &[]);
    assert_eq!(code, Some(1));
    assert!(said.contains("codec dubbo does not tell requests that change data from others"), "{said}");
    assert!(said.contains("MetaRouter shop/cache"), "{said}");
}

/// The example of the document about rate limits.
fn documented_limit() -> String {
    let document =
        std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/rate-limits.md"));
    let document = document.unwrap();
    let (_, rest) = document.split_once("```yaml\n").unwrap();
    rest.split_once("```").unwrap().0.to_owned()
}

#[test]
fn an_explanation_says_which_bucket_a_request_takes_from() {
    let service = SERVICE.replace("cache", "orders").replace("redis", "dubbo");
    let router = documented_limit();
    let explain = |words: &[&str]| {
        let words = [&["--host", "orders.shop.example"], words].concat();
        let (code, said) = metactl("explain", &[&service, &router], &words);
        assert_eq!(code, Some(0), "{said}");
        let lines = said.lines().skip_while(|line| !line.starts_with("limit ")).map(str::to_owned);
        lines.take_while(|line| !line.starts_with("routes ")).collect::<Vec<_>>()
    };
    let first = "limit     conditions[0]: method is \"getOrder\", needs exact \"createOrder\"";
    let second = "          conditions[1]: batchJob is missing, needs exact \"true\"";
    let default = "          the default bucket of 1000 tokens, 1000 more every 1s";
    assert_eq!(explain(&["--attr", "method=getOrder"]), [first, second, default]);
    let conditional =
        ["limit     conditions[0]: matches", "          its bucket of 50 tokens, 5 more every 100ms"];
    assert_eq!(explain(&["--attr", "method=createOrder", "--attr", "batchJob=true"]), conditional);
    // As the document shows it.
    let document =
        std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/rate-limits.md"));
    let shown = explain(&["--attr", "method=getOrder", "--attr", "batchJob=true"]).join("\n    ");
    assert!(document.unwrap().ends_with(&format!("    {shown}\n")), "{shown}");
}

#[test]
fn a_request_that_no_condition_of_a_limit_matches_may_be_free() {
    let router = ROUTER.replace(
        "  routes:",
        "  localRateLimit:\n    conditions:\n    - match: {attributes: {command: {exact: KEYS}}}\n      tokenBucket: {maxTokens: 1, fillInterval: 1s}\n  routes:",
    );
    let words = ["--host", "cache.shop.example", "--attr", "command=GET"];
    let (code, said) = metactl("explain", &[SERVICE, &router], &words);
    assert_eq!(code, Some(0));
    assert!(said.contains("needs exact \"KEYS\"\n          none: there is no default bucket\n"), "{said}");
    // Nothing of this name is ever seen: that such a condition limits nobody is said.
    let (code, said) = metactl("validate", &[SERVICE, &router.replace("{command:", "{comand:")], &[]);
    assert_eq!(code, Some(1));
    let text =
        "local_rate_limit.conditions[0].attributes[0].name: requests of redis have no attribute \"comand\"";
    assert!(said.contains(text) && said.contains("MetaRouter shop/cache"), "{said}");
}

#[test]
fn both_ways_to_know_batch_jobs_are_right_and_part_them() {
    let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/dubbo-isolation");
    for (router, batch, user) in [
        ("router", "batchJob=true", "batchJob=false"),
        ("router-by-application", "remote.application=batch-reports", "remote.application=shop-frontend"),
    ] {
        let metactl = |words: &[&str]| {
            let mut metactl = Command::new(Path::new(env!("CARGO_BIN_EXE_metactl")));
            let output = metactl.current_dir(&example).args(words).output().unwrap();
            (output.status.code(), String::from_utf8(output.stdout).unwrap())
        };
        let (code, said) = metactl(&["validate", "services", router]);
        assert_eq!(code, Some(0), "{said}");
        for (attribute, route) in [(batch, "batch"), (user, "user")] {
            let host = "orders.shop.example";
            let (_, said) = metactl(&["explain", "services", router, "--host", host, "--attr", attribute]);
            assert!(
                said.contains(&format!("route     \"{route}\" from MetaRouter shop/orders ({router}/")),
                "{said}"
            );
        }
    }
}
