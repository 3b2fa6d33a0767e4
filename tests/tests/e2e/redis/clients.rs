//! Other people's clients, unmodified: what they can do with a server they can do through the proxy.
//!
//! Each library runs all its scenarios against a server and, at the same time, against a proxy before that server, in the
//! version of the protocol that it prefers and in the other one.

use e2e::objects::{Route, Router};
use e2e::redis::{Servers, ask, behind};
use e2e::redis_clients::{Library, Told, run};
use tokio::task::JoinSet;

/// As whom libraries log in.
const USER: &str = "tester:secret";
/// The user may do all but empty a database.
const RULE: &str = "ACL SETUSER tester on >secret ~* &* +@all -flushdb -flushall";
/// Scenarios that each library has.
const LEAST: usize = 25;

/// Runs a library directly and through the proxy, and fails unless all went well, both ways.
async fn runs(library: Library, options: &str, protocols: &[Option<u8>]) {
    let servers = Servers::start(1).await;
    assert!(ask(&mut servers.direct(0).await, RULE).await.is_ok());
    let router = Router::routes([Route::to("")]).options(options);
    let scene = behind(&servers).put("router", router).start().await;
    for &protocol in protocols {
        let [straight, proxied] = ["direct", "proxied"].map(|way| format!("{}:{way}:", library.name()));
        let told = |address, prefix| Told { address, prefix, protocol, user: USER };
        let direct = run(library, told(servers.address(0), &straight));
        let proxied = run(library, told(scene.address(), &proxied));
        let (direct, proxied) = tokio::join!(direct, proxied);
        let failed: Vec<_> = direct.iter().filter(|line| !line.starts_with("ok ")).collect();
        assert!(failed.is_empty(), "{library:?} {protocol:?} without a proxy: {failed:#?}");
        assert!(direct.len() >= LEAST, "{library:?} ran too little: {direct:?}");
        assert_eq!(proxied, direct, "{library:?} {protocol:?} through the proxy");
    }
    let left = ask(&mut servers.direct(0).await, "INFO keyspace").await;
    assert_eq!(
        left.text(),
        Some("# Keyspace\r\n"),
        "keys are left: they lie in another database than was meant"
    );
    scene.end().await;
}

#[tokio::test]
async fn redis_py_works_as_it_does_with_a_server() {
    runs(Library::RedisPy, "", &[None, Some(2)]).await;
}

#[tokio::test]
async fn ioredis_works_as_it_does_with_a_server() {
    runs(Library::Ioredis, "", &[None, Some(2)]).await;
}

#[tokio::test]
async fn node_redis_works_as_it_does_with_a_server() {
    runs(Library::NodeRedis, "", &[None, Some(2)]).await;
}

#[tokio::test]
async fn go_redis_works_as_it_does_with_a_server() {
    runs(Library::GoRedis, "", &[None, Some(2)]).await;
}

#[tokio::test]
async fn jedis_works_as_it_does_with_a_server() {
    runs(Library::Jedis, "", &[None, Some(3)]).await;
}

#[tokio::test]
async fn lettuce_works_as_it_does_with_a_server() {
    runs(Library::Lettuce, "", &[None, Some(2)]).await;
}

#[tokio::test]
async fn libraries_that_share_connections_do_not_notice_one_another() {
    let servers = Servers::start(1).await;
    assert!(ask(&mut servers.direct(0).await, RULE).await.is_ok());
    let scene = behind(&servers).workers(1).start().await;
    let mut running = JoinSet::new();
    for library in Library::ALL {
        let (address, prefix) = (scene.address(), format!("{}:", library.name()));
        running.spawn(async move {
            let told = Told { address, prefix: &prefix, protocol: None, user: USER };
            (library, run(library, told).await)
        });
    }
    while let Some(ended) = running.join_next().await {
        let (library, lines) = ended.unwrap();
        let failed: Vec<_> = lines.iter().filter(|line| !line.starts_with("ok ")).collect();
        assert!(failed.is_empty() && lines.len() >= LEAST, "{library:?}: {failed:#?}");
    }
    scene.end().await;
}

#[tokio::test]
async fn clients_with_connections_of_their_own_notice_no_difference() {
    for library in [Library::RedisPy, Library::GoRedis, Library::Ioredis] {
        runs(library, "downstream: {dedicated: true}", &[None]).await;
    }
}
