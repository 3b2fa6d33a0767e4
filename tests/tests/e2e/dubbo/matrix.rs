//! Every library as consumer and as provider of every other, straight and by routes.
//!
//! What is run for a pair: arguments and results of all shapes, null, nothing, declared and undeclared exceptions,
//! one-way, asynchronous and generic calls, attachments both ways, 4 MiB there and back, a group and a version, 200 calls
//! at once, callbacks; in hessian2, and in fastjson2 between two of Dubbo 3.

use e2e::dubbo::{DubboProvider, Library, consume, is_beyond, one_of_each};
use e2e::objects::{Route, Router, Rule, Service, exact};
use e2e::scene::{Scene, Setup};

/// What a consumer runs against each provider, where both can.
const SCENARIOS: [&str; 19] = [
    "pojo",
    "sample",
    "arguments",
    "list",
    "map",
    "business-exception",
    "runtime-exception",
    "null",
    "void",
    "oneway",
    "async",
    "future",
    "generic",
    "generic-async",
    "attachments",
    "payload-4m",
    "group-version",
    "concurrent",
    "callback",
];

/// The service that leads to all providers, by routes.
const ROUTED: &str = "all";

fn port(number: usize) -> u16 {
    20_881 + number as u16
}

fn host(name: &str) -> String {
    format!("{name}.shop.example")
}

/// A service with one provider for each library, and one for all of them.
async fn scene(providers: &[(Library, DubboProvider)]) -> Scene {
    let pin = |router: Router| router.options("downstream: {callbacks: pin}");
    let mut setup = Setup::empty();
    let mut all = Service::of(&host(ROUTED)).port(port(0));
    for (number, (library, provider)) in providers.iter().enumerate() {
        let name = library.name();
        let service = Service::of(&host(name)).port(port(number + 1)).endpoint("one", provider.address());
        let router = Router::routes([Route::to("")]).of(&host(name));
        setup = setup.put(&format!("{name}-service"), service).put(&format!("{name}-router"), pin(router));
        setup = setup.listen(&format!("{}:{}", host(name), port(number + 1)));
        all = all.endpoint(name, provider.address());
    }
    let names: Vec<_> = providers.iter().map(|(library, _)| library.name()).collect();
    let lanes = Library::ALL.map(|library| {
        let lane = Route::to(library.name()).when("lane", exact(library.name()));
        lane.set("by", "the proxy").set_response("by", "the proxy")
    });
    let greetings = Library::ALL.map(|library| match library {
        Library::Dubbo3 | Library::Go => Route::to(library.name()).when("group", exact(library.name())),
        _ => Route::to(library.name()).when("version", exact(library.version())),
    });
    let slow = Route::to("dubbo26").when("method", exact("sleep"));
    let generic = Route::to("dubbo3").when("generic", exact("true"));
    let routes = lanes.into_iter().chain(greetings).chain([slow, generic, Route::to("go")]);
    let chosen = Router::routes(routes);
    let rule = Rule::subsets(&names).of(&host(ROUTED));
    setup = setup.put("service", all).put("rule", rule).put("router", chosen.of(&host(ROUTED)));
    setup.listen(&format!("{}:{}", host(ROUTED), port(0))).start().await
}

/// Options of a greeting that only this provider gives.
fn greeting(provider: Library) -> [String; 3] {
    let (name, version) = (provider.name(), provider.version());
    [format!("group={name}"), format!("version={version}"), format!("expect={name}")]
}

/// The words with which a consumer runs all that it can against each provider.
fn straight(
    scene: &Scene,
    consumer: Library,
    providers: &[(Library, DubboProvider)],
) -> (Vec<String>, usize) {
    let (mut words, mut count) = (Vec::new(), 0);
    let mut add = |name: &str, number: usize, provider: Library, options: &[&str]| {
        let address = scene.address_of(&format!("{}:{}", host(provider.name()), port(number + 1)));
        words.extend(["--target".to_owned(), format!("{name}={address}")]);
        let greeting = greeting(provider);
        words.extend(options.iter().flat_map(|option| ["--option".to_owned(), (*option).to_owned()]));
        for scenario in SCENARIOS.into_iter().filter(|one| is_beyond(consumer, provider, one).is_none()) {
            words.extend(["--scenario".to_owned(), scenario.to_owned()]);
            if scenario == "group-version" {
                words.extend(greeting.iter().flat_map(|option| ["--option".to_owned(), option.clone()]));
            }
            count += 1;
        }
    };
    for (number, (provider, _)) in providers.iter().enumerate() {
        match provider {
            // Its attachments are texts; and dubbo-go does not read collections that bear a class of their own.
            Library::Dubbo26 => add(provider.name(), number, *provider, &["texts=true"]),
            Library::Go => add(provider.name(), number, *provider, &["plain=true"]),
            Library::Dubbo3 | Library::Dubbo27 => add(provider.name(), number, *provider, &[]),
        }
        if (consumer, *provider) == (Library::Dubbo3, Library::Dubbo3) {
            add("fastjson2", number, *provider, &["serialization=fastjson2"]);
        }
    }
    (words, count)
}

#[tokio::test]
async fn all_that_consumers_and_providers_can_say_to_each_other_goes_through_the_proxy() {
    let providers = one_of_each().await;
    let scene = scene(&providers).await;
    for consumer in Library::ALL {
        let (words, count) = straight(&scene, consumer, &providers);
        let words: Vec<_> = words.iter().map(String::as_str).collect();
        let consumed = consume(consumer, &words).await;
        assert_eq!(consumed.ok().len(), count, "{consumer:?}: {consumed:?}");
        routed(&scene, consumer).await;
    }
    let metrics = scene.admin().metrics().await;
    assert_eq!(metrics.count("istio_requests_total", &[("response_code", "failed")]), 0);
    assert_eq!(metrics.count("meta_proxy_unedited_messages_total", &[]), 0);
    scene.end().await;
}

/// Each route leads every consumer where it should, and what it sets in the answer is read there.
async fn routed(scene: &Scene, consumer: Library) {
    let target = format!("{ROUTED}={}", scene.address_of(&format!("{}:{}", host(ROUTED), port(0))));
    let mut words: Vec<String> = vec!["--target".to_owned(), target];
    let mut run = |scenario: &str, options: &[&str]| {
        words.extend(["--scenario".to_owned(), scenario.to_owned()]);
        words.extend(options.iter().flat_map(|option| ["--option".to_owned(), (*option).to_owned()]));
    };
    for library in Library::ALL {
        let (name, expect) = (library.name(), format!("expect={}", library.name()));
        run("who", &[&format!("attachment=lane={name}"), &expect]);
        run("replied", &[&format!("attachment=lane={name}")]);
        run("group-version", &greeting(library).each_ref().map(String::as_str));
    }
    run("call-error", &["method=sleep", "argument=1"]);
    run("who", &["expect=go"]);
    if consumer != Library::Go {
        run("call-error", &["method=whoAmI", "generic=true"]);
    }
    let words: Vec<_> = words.iter().map(String::as_str).collect();
    let all = consume(consumer, &words).await;
    all.ok();
    let replied = all.told("replied");
    assert_eq!(replied.len(), Library::ALL.len());
    for (library, reply) in Library::ALL.into_iter().zip(&replied) {
        let both = (reply["by"].as_str(), reply["served-by"].as_str());
        assert_eq!(both, (Some("the proxy"), Some(library.name())), "{consumer:?} was told {reply}");
    }
    let answers: Vec<_> = all.told("call-error").iter().map(|told| told["reply"].to_string()).collect();
    let expected = [r#""dubbo26""#, r#""dubbo3""#];
    assert_eq!(answers, &expected[..answers.len()], "{consumer:?}");
}
