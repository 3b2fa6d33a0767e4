//! Providers that fail: every call ends, with the right words, and no other call suffers.

use std::net::SocketAddr;
use std::time::Duration;

use e2e::calls::{after, calling, label, provider, started, status, until_answered_by, who};
use e2e::eventually::{SOON, eventually, eventually_eq, soon};
use e2e::objects::{Route, Router, Rule, Service, exact};
use e2e::scene::{Scene, Setup};
use e2e::wire::Wire;
use peers::dubbo::{Behaviour, Notice, OnAccept, Outcome, Provider, Refusing, Reply, Thrown, Value};
use tokio::net::{TcpListener, TcpSocket, TcpStream};

const MS: Duration = Duration::from_millis(1);

fn at(addresses: impl IntoIterator<Item = SocketAddr>) -> Service {
    addresses.into_iter().fold(Service::orders(), |service, address| service.endpoint("any", address))
}

async fn behind(provider: &Provider) -> Scene {
    Setup::new().put("service", at([provider.address()])).start().await
}

#[tokio::test]
async fn two_of_four_endpoints_refuse_and_every_call_succeeds() {
    for balancer in ["LEAST_REQUEST", "ROUND_ROBIN"] {
        let [one, other] = [provider("p").await, provider("p").await];
        let [refusing, also_refusing] = [Refusing::new().unwrap(), Refusing::new().unwrap()];
        let service = at([refusing.address(), one.address(), also_refusing.address(), other.address()]);
        let rule = Rule::subsets(&[]).policy(&format!("loadBalancer: {{simple: {balancer}}}"));
        let scene = Setup::new().put("service", service).put("rule", rule).start().await;
        let client = scene.client().await;
        for _call in 0..20 {
            assert_eq!(who(&client, &calling("who")).await, "p", "{balancer}");
        }
        let together: Vec<_> = (0..20).map(|_| client.send(&calling("who"))).collect();
        for pending in together {
            assert_eq!(label(&pending.answer(SOON).await), "p", "{balancer}");
        }
        assert_eq!(one.counts().requests + other.counts().requests, 40, "none was sent twice");
        scene.end().await;
    }
}

#[tokio::test]
async fn where_all_endpoints_refuse_the_reply_says_so_and_comes_soon() {
    let refusing = [Refusing::new().unwrap(), Refusing::new().unwrap()];
    let scene = Setup::new().put("service", at(refusing.iter().map(Refusing::address))).start().await;
    let client = scene.client().await;
    let answer = client.call(&calling("who"), SOON).await;
    let (code, text) = status(&answer);
    let each = refusing.iter().all(|endpoint| text.contains(&endpoint.address().to_string()));
    assert!(code == 35 && text.starts_with("no endpoint could be connected to (") && each, "{code} {text}");
    scene.end().await;
}

#[tokio::test]
async fn a_call_that_is_not_answered_ends_at_its_routes_timeout_and_its_neighbours_do_not_wait() {
    let builder =
        Provider::builder("p").on("late", after(600 * MS, Behaviour::Who)).on("never", Behaviour::Silent);
    let provider = started(builder).await;
    let router = Router::routes([
        Route::to("").when("method", exact("never")).timeout("300ms"),
        Route::to("").when("method", exact("late")).timeout("200ms"),
        Route::to(""),
    ]);
    let scene = Setup::new().put("service", at([provider.address()])).put("router", router).start().await;
    let client = scene.client().await;
    let [never, late] = ["never", "late"].map(|method| client.send(&calling(method)));
    for _call in 0..20 {
        let answer = client.call(&calling("who"), SOON).await;
        assert!(answer.is_ok() && answer.after < 200 * MS, "{answer:?}");
    }
    for (pending, timeout) in [(late, 200 * MS), (never, 300 * MS)] {
        let answer = pending.answer(SOON).await;
        let text = format!("no response in time: {} did not respond within {timeout:?}", provider.address());
        assert_eq!(status(&answer), (31, &*text));
        assert!(answer.after >= timeout && answer.after < timeout + 200 * MS, "{:?}", answer.after);
    }
    eventually_eq("the late answer comes", 21, async || provider.counts().answered).await;
    assert_eq!(who(&client, &calling("who")).await, "p");
    assert_eq!((client.received().strays, provider.counts().connections), (0, 1));
    let late = async || scene.admin().metrics().await.count("meta_proxy_upstream_late_responses_total", &[]);
    eventually_eq("the late answer is counted", 1, late).await;
    scene.end().await;
}

#[tokio::test]
async fn more_calls_than_a_cluster_may_have_outstanding_are_refused_at_once() {
    let provider = started(Provider::builder("p").on("slow", after(400 * MS, Behaviour::Who))).await;
    let rule = Rule::subsets(&[]).policy("connectionPool: {http: {http2MaxRequests: 2}}");
    let scene = Setup::new().put("service", at([provider.address()])).put("rule", rule).start().await;
    // Of two workers: the limit is one of the process.
    let clients = [scene.client().await, scene.client().await];
    let mut taken = Vec::new();
    for (outstanding, client) in (1..).zip(&clients) {
        taken.push(client.send(&calling("slow")));
        eventually_eq("it is outstanding", outstanding, async || provider.counts().requests).await;
    }
    for client in &clients {
        let answer = client.call(&calling("slow"), SOON).await;
        let text = "the cluster's limit on outstanding requests is reached: 2 for outbound|20880||orders.shop.example";
        assert_eq!(answer.outcome, Outcome::Exception(Thrown::rpc(7, text)));
        assert!(answer.after < 300 * MS, "{:?}", answer.after);
    }
    for pending in taken {
        assert_eq!(label(&pending.answer(SOON).await), "p");
    }
    for client in &clients {
        assert_eq!(who(client, &calling("slow")).await, "p", "there is room again");
    }
    assert_eq!(provider.counts().requests, 4);
    scene.end().await;
}

/// An address at which connecting takes for ever: its queue of connections that nobody accepts is full.
async fn unanswering() -> (SocketAddr, TcpListener, Vec<TcpStream>) {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind(SocketAddr::from(([127, 0, 0, 1], 0))).unwrap();
    let listener = socket.listen(1).unwrap();
    let address = listener.local_addr().unwrap();
    let mut queued = Vec::new();
    while let Ok(connected) = tokio::time::timeout(200 * MS, TcpStream::connect(address)).await {
        queued.push(connected.unwrap());
        assert!(queued.len() < 100, "the queue is never full");
    }
    (address, listener, queued)
}

#[tokio::test]
async fn calls_wait_for_a_connection_as_long_and_as_many_as_they_may() {
    let (address, _listener, _queued) = unanswering().await;
    let policy = "connectionPool: {tcp: {connectTimeout: 500ms}, http: {http1MaxPendingRequests: 2}}";
    let rule = Rule::subsets(&[]).policy(policy);
    let scene = Setup::new().put("service", at([address])).put("rule", rule).start().await;
    let client = scene.client().await;
    let waiting = [client.send(&calling("who")), client.send(&calling("who"))];
    let answer = client.call(&calling("who"), SOON).await;
    let text =
        "the cluster's limit on waiting requests is reached: 2 for outbound|20880||orders.shop.example";
    assert_eq!(answer.outcome, Outcome::Exception(Thrown::rpc(7, text)));
    for pending in waiting {
        let answer = pending.answer(SOON).await;
        assert_eq!(status(&answer).0, 35, "{answer:?}");
        assert!(answer.after >= 500 * MS && answer.after < 900 * MS, "{:?}", answer.after);
    }
    scene.end().await;
}

#[tokio::test]
async fn a_call_that_waits_for_a_connection_ends_at_its_timeout() {
    let (address, _listener, _queued) = unanswering().await;
    let rule = Rule::subsets(&[]).policy("connectionPool: {tcp: {connectTimeout: 10s}}");
    let router = Router::routes([Route::to("").timeout("200ms")]);
    let setup = Setup::new().put("service", at([address])).put("rule", rule).put("router", router);
    let scene = setup.start().await;
    let client = scene.client().await;
    let answer = client.call(&calling("who"), SOON).await;
    let text = format!("no response in time: there was no connection to {address} for it within 200ms");
    assert_eq!(status(&answer), (31, &*text));
    assert!(answer.after >= 200 * MS && answer.after < 500 * MS, "{:?}", answer.after);
    scene.end().await;
}

#[tokio::test]
async fn more_connections_than_a_cluster_may_have_are_not_made() {
    let [one, other] = [provider("p").await, provider("p").await];
    let rule = Rule::subsets(&[]).policy("connectionPool: {tcp: {maxConnections: 1}}");
    let service = at([one.address(), other.address()]);
    let scene = Setup::new().workers(1).put("service", service).put("rule", rule).start().await;
    let client = scene.client().await;
    let mut refused = 0;
    for _call in 0..40 {
        match client.call(&calling("who"), SOON).await.outcome {
            Outcome::Value(_) => {}
            Outcome::Exception(thrown) => {
                let text = "the cluster's limit on connections is reached: 1 for outbound|20880||orders.shop.example";
                assert_eq!(thrown, Thrown::rpc(7, text));
                refused += 1;
            }
            other => panic!("{other:?}"),
        }
    }
    assert!(refused < 40, "the first connection is never denied");
    assert_eq!(one.counts().connections + other.counts().connections, 1);
    let clusters = scene.admin().json("/clusters").await;
    let limit = &clusters[0]["limits"]["connections"];
    assert_eq!((limit["limit"].as_u64(), limit["used"].as_u64()), (Some(1), Some(1)), "{clusters:#}");
    scene.end().await;
}

#[tokio::test]
async fn a_provider_that_dies_ends_its_calls_and_is_used_again_when_it_is_back() {
    let dying = started(Provider::builder("first").on("never", Behaviour::Silent)).await;
    let address = dying.address();
    let scene = behind(&dying).await;
    let client = scene.client().await;
    let lost: Vec<_> = (0..5).map(|_| client.send(&calling("never"))).collect();
    eventually_eq("they are outstanding", 5, async || dying.counts().requests).await;
    dying.stop().await;
    for pending in lost {
        let answer = pending.answer(SOON).await;
        let (status, text) = status(&answer);
        let expected = format!("the upstream connection was lost before the response came: {address} ");
        assert!(status == 50 && text.starts_with(&expected), "{status} {text}");
    }
    let answer = client.call(&calling("who"), SOON).await;
    let refused = format!("no endpoint could be connected to ({address}: ");
    let (code, text) = status(&answer);
    assert!(code == 35 && text.starts_with(&refused), "{code} {text}");
    let back = soon("the port is free again", async {
        loop {
            if let Ok(back) = Provider::builder("second").listen(address).start().await {
                return back;
            }
            tokio::task::yield_now().await;
        }
    });
    let back = back.await;
    // The pause after a refused attempt, less than half a second, may not be over.
    until_answered_by("second", &client, &calling("who")).await;
    assert_eq!((back.counts().requests, client.received().strays), (1, 0));
    scene.end().await;
}

#[tokio::test]
async fn a_provider_that_closes_or_resets_is_no_hang() {
    for behaviour in [OnAccept::Close, OnAccept::Reset] {
        let closing = started(Provider::builder("p").accepting(behaviour)).await;
        let scene = behind(&closing).await;
        let client = scene.client().await;
        for _call in 0..10 {
            let answer = client.call(&calling("who"), SOON).await;
            assert!([35, 50].contains(&status(&answer).0), "{behaviour:?}: {answer:?}");
        }
        scene.end().await;
    }
    let builder =
        Provider::builder("p").on("close", Behaviour::Close).on("slow", after(100 * MS, Behaviour::Who));
    let closing = started(builder.reset_on_close()).await;
    let scene = behind(&closing).await;
    let client = scene.client().await;
    let answer = client.call(&calling("close"), SOON).await;
    assert_eq!(status(&answer).0, 50, "{answer:?}");
    assert_eq!(who(&client, &calling("slow")).await, "p");
    scene.end().await;
}

#[tokio::test]
async fn a_provider_that_sends_what_is_not_dubbo_ends_its_own_calls_only() {
    let good = provider("good").await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let bad = listener.local_addr().unwrap();
    let service = Service::orders().endpoint("good", good.address()).endpoint("bad", bad);
    let router = Router::routes([Route::to("bad").when("method", exact("bad")), Route::to("good")]);
    let setup = Setup::new().put("service", service).put("rule", Rule::subsets(&["good", "bad"]));
    let scene = setup.put("router", router).start().await;
    let client = scene.client().await;
    for words in
        [&b"HTTP/1.1 400 Bad Request\r\n\r\n"[..], b"\xda\xbb\x02\x14\0\0\0\0\0\0\0\x01\xff\xff\xff\xff"]
    {
        let pending = client.send(&calling("bad"));
        let mut provider = Wire::of(&listener).await;
        provider.frame().await;
        provider.send(words).await;
        let answer = pending.answer(SOON).await;
        assert_eq!(status(&answer).0, 50, "{answer:?}");
        assert_eq!(who(&client, &calling("who")).await, "good");
    }
    scene.end().await;
}

#[tokio::test]
async fn an_answer_that_is_too_long_ends_its_call_and_no_other() {
    let long = Behaviour::Answer(Value::Bytes(vec![7; 9 << 20]));
    let builder = Provider::builder("p").on("long", long).on("slow", after(300 * MS, Behaviour::Who));
    let provider = started(builder).await;
    let scene = behind(&provider).await;
    let client = scene.client().await;
    let slow = client.send(&calling("slow"));
    let answer = client.call(&calling("long"), SOON).await;
    let (status, text) = status(&answer);
    assert!(status == 50 && text.contains("longer than maxMessageBytes, 8388608"), "{status} {text}");
    assert_eq!(label(&slow.answer(SOON).await), "p");
    assert_eq!(provider.counts().connections, 1);
    scene.end().await;
}

#[tokio::test]
async fn a_provider_that_asks_for_quiet_gets_its_calls_on_a_new_connection() {
    let provider = started(Provider::builder("p").on("slow", after(300 * MS, Behaviour::Who))).await;
    let scene = Setup::new().workers(1).put("service", at([provider.address()])).start().await;
    let client = scene.client().await;
    let slow = client.send(&calling("slow"));
    eventually_eq("it is outstanding", 1, async || provider.counts().requests).await;
    assert_eq!(provider.announce(Notice::ReadOnly), 1);
    eventually("calls go elsewhere", async || {
        assert_eq!(who(&client, &calling("who")).await, "p");
        if provider.counts().connections == 2 { Ok(()) } else { Err(provider.counts()) }
    })
    .await;
    assert_eq!(label(&slow.answer(SOON).await), "p");
    assert_eq!(client.received().notices, [], "the notice was for the proxy");
    scene.end().await;
}

#[tokio::test]
async fn a_provider_that_said_goodbye_and_closed_is_left_alone() {
    let [leaving, staying] = [provider("leaving").await, provider("staying").await];
    let scene =
        Setup::new().workers(1).put("service", at([leaving.address(), staying.address()])).start().await;
    let client = scene.client().await;
    until_answered_by("leaving", &client, &calling("who")).await;
    until_answered_by("staying", &client, &calling("who")).await;
    leaving.announce(Notice::ReadOnly);
    eventually_eq("the other one has all calls", true, async || {
        let before = leaving.counts().requests;
        for _call in 0..20 {
            who(&client, &calling("who")).await;
        }
        leaving.counts().requests == before
    })
    .await;
    // It still accepts connections, as one that is about to end does for a moment.
    leaving.sever();
    eventually_eq("the connection is closed", 1, async || {
        scene.admin().metrics().await.count("meta_proxy_upstream_connections_active", &[])
    })
    .await;
    for _call in 0..200 {
        assert_eq!(who(&client, &calling("who")).await, "staying");
    }
    assert_eq!(leaving.counts().connections, 1);
    scene.end().await;
}

#[tokio::test]
async fn what_cannot_be_served_has_a_reply_of_its_own() {
    let provider = provider("p").await;
    let service = Service::orders().endpoint("v1", provider.address());
    let router = Router::routes([
        Route::to("empty").when("method", exact("empty")),
        Route::to("v3").when("method", exact("mistaken")),
        Route::to("v1").when("method", exact("who")),
    ]);
    let setup = Setup::new().put("service", service).put("rule", Rule::subsets(&["v1", "empty"]));
    let text =
        "MetaRouter shop/orders: spec.routes[1].route[0].destination.subset: DestinationRule shop/orders";
    let setup = setup.announce(text).announce("subset empty selects no endpoint of host orders.shop.example");
    let scene = setup.put("router", router).start().await;
    let client = scene.client().await;
    let empty = client.call(&calling("empty"), SOON).await;
    let why = "the cluster has no endpoint: outbound|20880|empty|orders.shop.example (subset empty selects none of \
                orders.shop.example's)";
    assert_eq!(status(&empty), (70, why));
    let mistaken = client.call(&calling("mistaken"), SOON).await;
    let (code, said) = status(&mistaken);
    assert!(code == 80 && said.contains(text), "{code} {said}");
    let unrouted = client.call(&calling("other"), SOON).await;
    let (code, said) = status(&unrouted);
    assert_eq!(code, 60);
    for part in [
        "no route matches",
        "interface=com.example.shop.OrderService",
        "method=other",
        "3 routes of orders.shop.example",
        "nearest is routes[0]",
        "method is \"other\", needs exact \"empty\"",
    ] {
        assert!(said.contains(part), "{part:?} is missing in {said:?}");
    }
    assert_eq!(who(&client, &calling("who")).await, "p");
    scene.end().await;
}

#[tokio::test]
async fn a_request_of_a_provider_is_answered_with_an_error() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let setup = Setup::new().put("service", at([listener.local_addr().unwrap()]));
    let scene = setup.announce("requests from an endpoint are not served").start().await;
    let client = scene.client().await;
    let pending = client.send(&calling("subscribe"));
    let mut provider = Wire::of(&listener).await;
    let request = provider.frame().await;
    provider.send(&calling("callback").request(77)).await;
    let refusal = provider.frame().await;
    assert_eq!((refusal.header.request, refusal.header.id), (false, 77));
    let (Reply::Exception(thrown), _) = Reply::read(&refusal).unwrap() else { panic!("{refusal:?}") };
    assert_eq!(thrown, Thrown::rpc(0, "this proxy does not carry requests from a provider to a consumer"));
    provider.send(&Reply::Value("served".into()).frame(&request.header, &[])).await;
    assert_eq!(label(&pending.answer(SOON).await), "served");
    scene.end().await;
}
