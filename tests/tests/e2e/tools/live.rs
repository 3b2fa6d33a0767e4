//! `metactl explain --admin`: what a running proxy would do with a request, and why.

use e2e::calls::{calling, provider, who};
use e2e::command::{Ran, metactl};
use e2e::eventually::{SOON, eventually_eq};
use e2e::objects::{HOST, INTERFACE, Route, Router, Rule, Service, exact, present};
use e2e::scene::{Scene, Setup};
use peers::dubbo::Refusing;
use peers::dubbo::frame::Notice;
use serde_json::json;

/// Asks the running proxy.
async fn live(scene: &Scene, words: &[&str]) -> Ran {
    let admin = scene.admin().address().to_string();
    metactl(["explain", "--admin", &admin].iter().chain(words)).await
}

/// Explains its folder.
async fn offline(scene: &Scene, words: &[&str]) -> Ran {
    let folder = scene.folder().path().display().to_string();
    metactl(["explain", &folder].iter().chain(words)).await
}

fn routes() -> Router {
    let batch = Route::to("v2").named("batch").when("batchJob", exact("true")).when("method", exact("who"));
    let fast = Route::split(&[("v1", 60), ("v2", 40)]).named("fast").when("method", exact("fast"));
    Router::routes([
        batch.timeout("2s").set("lane", "slow").set_response("served-by", "batch"),
        fast.mirror("v2", 1.5),
        Route::to("gone").named("gone").when("method", exact("gone")),
        Route::to("v1")
            .named("near")
            .when("source.address", exact("127.0.0.1"))
            .when("method", present(true)),
    ])
}

#[tokio::test]
async fn a_running_proxy_explains_as_its_folder_does_and_adds_what_only_it_knows() {
    let [v1, v2] = [provider("v1").await, provider("v2").await];
    let refusing = Refusing::new().unwrap();
    let service = Service::orders()
        .endpoint("v1", v1.address())
        .endpoint("v2", v2.address())
        .endpoint("gone", refusing.address());
    let policy = "connectionPool: {http: {http2MaxRequests: 9}}";
    let setup = Setup::new().put("service", service);
    let setup = setup.put("rule", Rule::subsets(&["v1", "v2", "gone"]).policy(policy));
    let scene = setup.put("router", routes()).start().await;
    let client = scene.client().await;
    assert_eq!(who(&client, &calling("who").attachment("batchJob", "true")).await, "v2");
    assert!(!client.call(&calling("gone"), SOON).await.is_ok());

    let rows: [(&[&str], i32, &str); 5] = [
        (
            &["--host", HOST, "--attr", "batchjob=true", "--attr", "method=who"],
            0,
            "route     \"batch\" from MetaRouter",
        ),
        (
            &["--host", HOST, "--port", "20880", "--attr", "method=fast"],
            0,
            "mirror    outbound|20880|v2|orders.shop.example (1.5 %)",
        ),
        (&["--host", "ORDERS.shop.example", "--attr", "method=gone"], 0, "route     \"gone\""),
        (
            &["--host", HOST, "--attr", "method=x", "--attr", "source.address=127.0.0.1"],
            0,
            "route     \"near\"",
        ),
        (&["--host", HOST, "--attr", "method=größe & mehr=%"], 1, "no route matches"),
    ];
    for (words, code, expected) in rows {
        let (live, offline) = (live(&scene, words).await, offline(&scene, words).await);
        assert_eq!((live.code, &*live.stderr), (Some(code), ""), "{words:?}: {}", live.stdout);
        assert_eq!(offline.code, live.code);
        assert!(live.stdout.contains(expected), "{expected:?} is missing in:\n{}", live.stdout);
        let is_common = |line: &&str| !line.starts_with("bound ");
        let unreachable = |line: &str| line.split(" unreachable").next().unwrap_or_default().to_owned();
        let common: Vec<_> = live.stdout.lines().filter(is_common).map(unreachable).collect();
        assert_eq!(common, offline.stdout.lines().collect::<Vec<_>>(), "{words:?}");
    }
    let told = live(&scene, rows[0].0).await.stdout;
    for line in [
        &*format!("bound     {}\n", scene.address()),
        "timeout   2s\n",
        "sets      lane = \"slow\" in requests\n",
        "sets      served-by = \"batch\" in responses\n",
        "          at most 9 outstanding requests\n",
    ] {
        assert!(told.contains(line), "{line:?} is missing in:\n{told}");
    }
    // It was tried by one of two workers.
    let told = live(&scene, rows[2].0).await.stdout;
    let state =
        format!("          {} unreachable (say 1 of 2 workers): Connection refused", refusing.address());
    assert!(told.contains(&state), "{state:?} is missing in:\n{told}");
    let clusters = scene.admin().json("/clusters").await;
    let gone =
        clusters.as_array().unwrap().iter().find(|one| one["name"].as_str().unwrap().contains("|gone|"));
    let state = gone.unwrap()["endpoints"][0]["state"][0].as_str().unwrap().to_owned();
    assert!(state.starts_with("unreachable"), "{clusters:#}");
    scene.end().await;
}

#[tokio::test]
async fn an_endpoint_that_says_goodbye_is_seen_to_leave() {
    let provider = provider("p").await;
    let service = Service::orders().endpoint("any", provider.address());
    let scene = Setup::new().put("service", service).start().await;
    let client = scene.client().await;
    assert_eq!(who(&client, &calling("who")).await, "p");
    let words = ["--host", HOST];
    let line = format!("          {}", provider.address());
    assert!(live(&scene, &words).await.stdout.contains(&format!("{line}\n")));
    assert_eq!(provider.announce(Notice::ReadOnly), 1);
    eventually_eq("it leaves", true, async || {
        live(&scene, &words).await.stdout.contains(&format!("{line} leaving (say 1 of 2 workers)\n"))
    })
    .await;
    scene.end().await;
}

#[tokio::test]
async fn services_that_share_a_port_are_told_apart_and_what_is_refused_is_told() {
    let provider = provider("p").await;
    let carts = "carts.shop.example";
    let scene = Setup::new()
        .put("orders", Service::orders().interface(INTERFACE).endpoint("any", provider.address()))
        .put("carts", Service::of(carts).interface("com.example.Carts").endpoint("any", provider.address()))
        .start()
        .await;
    let told = live(&scene, &["--host", carts]).await;
    assert_eq!(told.code, Some(0));
    assert!(
        told.stdout.contains("service   carts.shop.example, by interface \"com.example.carts\"\n"),
        "{}",
        told.stdout
    );
    let other = format!("interface={INTERFACE}");
    let told = live(&scene, &["--host", carts, "--attr", &other]).await;
    assert_eq!(told.code, Some(1));
    let end = format!("interface is \"{INTERFACE}\": such a request is for {HOST}\n");
    assert!(told.stdout.ends_with(&end), "{}", told.stdout);
    scene.end().await;
}

#[tokio::test]
async fn the_page_answers_each_question_with_the_right_status_and_form() {
    let provider = provider("p").await;
    let scene = Setup::new()
        .put("service", Service::orders().endpoint("any", provider.address()))
        .put("router", Router::routes([Route::to("").named("who").when("method", exact("who"))]))
        .start()
        .await;
    let admin = scene.admin();
    let page = admin.get("/explain?host=orders.shop.example&port=20880&attr=method=who").await;
    assert_eq!((page.status, &*page.content_type), (200, "text/plain; charset=utf-8"), "{}", page.body);
    let shown =
        admin.json("/explain?host=orders.shop.example&port=20880&attr=method%3Dwho&format=json").await;
    assert_eq!(shown["route"]["name"], "who");
    assert_eq!(shown["tried"], json!(["routes[0] \"who\": matches"]));
    assert_eq!(shown["route"]["to"][0]["endpoints"][0]["address"], provider.address().to_string());
    let many = (0..65).map(|number| format!("&attr=a{number}=x")).collect::<Vec<_>>().concat();
    let long = format!("/explain?host=orders.shop.example&attr=a={}", "x".repeat(40 << 10));
    for (path, status, text) in [
        ("/explain", 400, "host is missing; ask for /explain?host=HOST"),
        ("/explain?host=orders.shop.exampl", 404, "did you mean orders.shop.example:20880?"),
        ("/explain?host=orders.shop.example&port=1", 404, "there are: orders.shop.example:20880"),
        ("/explain?host=orders.shop.example&port=x", 400, "port=x is not a port"),
        ("/explain?host=a&host=b", 400, "host is there twice"),
        ("/explain?host=a&attr=method", 400, "attr=method is not of the form attr=NAME=VALUE"),
        ("/explain?host=a&routes=1", 400, "routes is not known here"),
        ("/explain?host=a&format=xml", 400, "format=xml is not known"),
        (&format!("/explain?host=orders.shop.example{many}"), 400, "more than 64 attributes"),
        (&format!("/explain?host={}", "x".repeat(254)), 400, "host is longer than 253 bytes"),
        (&long, 414, "the query is longer than 32768 bytes"),
    ] {
        let page = admin.get(path).await;
        assert_eq!(page.status, status, "{path}: {}", page.body);
        assert!(page.body.contains(text), "{text:?} is missing in {:?}", page.body);
    }
    scene.end().await;
}

#[tokio::test]
async fn who_cannot_be_asked_is_named() {
    let nobody = Refusing::new().unwrap().address().to_string();
    let ran = metactl(["explain", "--admin", &nobody, "--host", HOST]).await;
    assert_eq!((ran.code, &*ran.stdout), (Some(2), ""));
    let text = format!("metactl: the admin port {nobody} cannot be asked: Connection refused");
    assert!(ran.stderr.starts_with(&text), "{}", ran.stderr);
    let ran = metactl(["explain", "--host", HOST]).await;
    assert_eq!(ran.code, Some(2));
    assert!(ran.stderr.contains("--admin") || ran.stderr.contains("PATH"), "{}", ran.stderr);
    let ran = metactl(["explain", "--admin", &nobody, "--host", HOST, "--root-namespace", "x"]).await;
    assert!(ran.code == Some(2) && ran.stderr.contains("are about files"), "{}", ran.stderr);
}
