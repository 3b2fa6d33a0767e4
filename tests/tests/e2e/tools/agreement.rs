//! What `metactl explain` says of a request is what the running proxy does with it: random routes, random requests.

use e2e::calls::{calling, provider, until_answered_by};
use e2e::command::metactl;
use e2e::eventually::SOON;
use e2e::objects::{HOST, INTERFACE, Route, Router, Rule, Service, exact, not, prefix, present, regex};
use e2e::scene::{Scene, Setup};
use fastrand::Rng;
use peers::dubbo::{Call, Client, Outcome};

/// Tables that are tried, and requests for each.
const TABLES: usize = 15;
const REQUESTS: usize = 20;
/// Most routes of a table; each leads to a provider of its own.
const ROUTES: usize = 6;

const VALUES: [&str; 6] = ["a", "ab", "b", "x-1", "x-12", "ä"];
const EXPRESSIONS: [&str; 5] = ["a.*", "[ab]+", "x-[0-9]", "(?i)AB", "."];
/// Fields of the head, then attachments.
const NAMES: [&str; 5] = ["method", "version", "zone", "tenant", "userId"];

fn condition(random: &mut Rng) -> String {
    let value = VALUES[random.usize(..VALUES.len())];
    match random.u8(..10) {
        0..=2 => exact(value),
        3..=4 => prefix(&value[..1.min(value.len()).max(value.chars().next().map_or(0, char::len_utf8))]),
        5..=6 => regex(EXPRESSIONS[random.usize(..EXPRESSIONS.len())]),
        7 => present(random.bool()),
        8 => not(&exact(value)),
        _ => not(&regex(EXPRESSIONS[random.usize(..EXPRESSIONS.len())])),
    }
}

/// Routes with one to three conditions, and sometimes a last one without; all behind one that shows when the table is
/// in force.
fn table(number: usize, random: &mut Rng) -> Router {
    let shows = Route::to("shows").named("shows").when("method", exact(&format!("table-{number}")));
    let count = random.usize(1..ROUTES);
    let takes_the_rest = random.u8(..) < 100;
    let routes = (0..count).map(|index| {
        let route = Route::to(&format!("r{index}")).named(&format!("r{index}"));
        if takes_the_rest && index + 1 == count {
            return route;
        }
        let mut names = NAMES;
        random.shuffle(&mut names);
        let conditions = random.usize(1..4);
        names[..conditions].iter().fold(route, |route, name| route.when(name, condition(random)))
    });
    Router::routes([shows].into_iter().chain(routes.collect::<Vec<_>>()))
}

/// A call, and the same as words of `metactl explain`.
fn request(random: &mut Rng) -> (Call, Vec<String>) {
    let mut value = || VALUES[random.usize(..VALUES.len())];
    let (method, version) = (value(), value());
    let head = [("interface", INTERFACE), ("dubbo", "2.0.2"), ("method", method), ("version", version)];
    let mut words: Vec<_> = head.iter().map(|(name, value)| format!("{name}={value}")).collect();
    let mut call = calling(method).version(version).argument("an argument");
    for name in &NAMES[2..] {
        let value = VALUES[random.usize(..VALUES.len())];
        let name = if random.bool() { (*name).to_owned() } else { name.to_uppercase() };
        if random.u8(..) < 150 {
            call = call.attachment(&name, value);
            words.push(format!("{name}={value}"));
        }
    }
    (call, words)
}

/// The route that `metactl explain` names.
async fn explained(scene: &Scene, attributes: &[String]) -> Option<String> {
    let path = scene.folder().path().display().to_string();
    let mut words = vec!["explain".to_owned(), path, "--host".to_owned(), HOST.to_owned()];
    words.extend(attributes.iter().flat_map(|attribute| ["--attr".to_owned(), attribute.clone()]));
    let ran = metactl(words).await;
    let route = ran.stdout.lines().find_map(|line| line.strip_prefix("route     \"")?.split('"').next());
    assert_eq!(ran.code, Some(i32::from(route.is_none())), "{}{}", ran.stdout, ran.stderr);
    route.map(str::to_owned)
}

/// The provider that the proxy calls.
async fn done(client: &Client, call: &Call) -> Option<String> {
    match client.call(call, SOON).await.outcome {
        Outcome::Value(label) => label.text().map(str::to_owned),
        Outcome::Status(60, _) => None,
        other => panic!("{call:?}: {other:?}"),
    }
}

#[tokio::test]
async fn what_is_explained_is_what_is_done() {
    let seed =
        std::env::var("SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or_else(|| fastrand::u64(..));
    let mut random = Rng::with_seed(seed);
    let labels: Vec<_> = (0..ROUTES).map(|index| format!("r{index}")).chain(["shows".to_owned()]).collect();
    let mut providers = Vec::new();
    for label in &labels {
        providers.push(provider(label).await);
    }
    let service =
        providers.iter().fold(Service::orders(), |service, one| service.endpoint(one.label(), one.address()));
    let subsets: Vec<_> = labels.iter().map(String::as_str).collect();
    let setup = Setup::new().put("service", service).put("rule", Rule::subsets(&subsets));
    let scene = setup.put("router", Router::routes([Route::to("r0")])).start().await;
    let client = scene.client().await;
    let mut matched = 0;
    for number in 0..TABLES {
        let routes = table(number, &mut random);
        scene.folder().put("router", &routes);
        until_answered_by("shows", &client, &calling(&format!("table-{number}"))).await;
        for _request in 0..REQUESTS {
            let (call, attributes) = request(&mut random);
            let expected = explained(&scene, &attributes).await;
            let found = done(&client, &call).await;
            assert_eq!(found, expected, "SEED={seed}, {attributes:?}:\n{routes}");
            matched += usize::from(expected.is_some());
        }
    }
    assert!(
        matched > TABLES * REQUESTS / 10,
        "too few requests matched to mean anything: {matched}, SEED={seed}"
    );
    scene.end().await;
}
