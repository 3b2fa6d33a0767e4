//! examples/thrift-canary: its objects as they stand there, but for the ports of the endpoints.

use std::fs;
use std::path::Path;

use e2e::eventually::{SOON, eventually};
use e2e::libraries::{Library, Target, client};
use e2e::scene::{Scene, Setup};
use peers::thrift::{Client, Dialect, Encoding, Envelope, Message, Server, Transport};

/// What the example's service is called.
const SERVICE: &str = "shop.example:9090";
/// Calls of which one in ten goes to version 2: 100 on average, with a deviation of 9.5.
const CALLS: usize = 1000;

const HEADER: Dialect = Dialect { transport: Transport::Header, encoding: Encoding::Binary };

fn object(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/thrift-canary/objects").join(name);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The example, with these servers as the two versions.
async fn scene(one: &Server, two: &Server) -> Scene {
    let mut service = object("service-entry.yaml");
    for (written, server) in [(": 9091}", one), (": 9092}", two)] {
        assert!(service.contains(written), "the example has an endpoint{written}");
        service = service.replace(written, &format!(": {}}}", server.address().port()));
    }
    let setup = Setup::empty().listen(SERVICE).put("service-entry", service);
    let setup = setup.put("destination-rule", object("destination-rule.yaml"));
    setup.put("metarouter", object("metarouter.yaml")).start().await
}

async fn versions(dialect: Dialect) -> [Server; 2] {
    let server = async |label| Server::builder(label).speaking(dialect).start().await.unwrap();
    [server("v1").await, server("v2").await]
}

/// How many of these calls version 2 answers.
async fn by_version_two(client: &mut Client, calls: usize, headers: &[(&str, &str)]) -> usize {
    let mut count = 0;
    for _ in 0..calls {
        let headers = headers.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        let answer = client.call(Envelope { headers, message: Message::call("whoAmI", []) }, SOON).await;
        match answer.text() {
            Some("v1") => {}
            Some("v2") => count += 1,
            _ => panic!("{answer:?}"),
        }
    }
    count
}

#[tokio::test]
async fn who_asks_for_version_two_gets_it_and_of_the_others_one_in_ten() {
    let [one, two] = versions(HEADER).await;
    let scene = scene(&one, &two).await;
    let mut client = Client::connect(scene.address_of(SERVICE), HEADER).await.unwrap();
    assert_eq!(by_version_two(&mut client, 50, &[("canary", "true")]).await, 50);
    let share = by_version_two(&mut client, CALLS, &[("canary", "false")]).await;
    assert!((50..=150).contains(&share), "{share} of {CALLS}");

    let all =
        object("metarouter.yaml").replace("weight: 90", "weight: 0").replace("weight: 10", "weight: 100");
    scene.folder().put("metarouter", all);
    eventually("the change is in force", async || {
        let share = by_version_two(&mut client, 20, &[]).await;
        if share == 20 { Ok(()) } else { Err(share) }
    })
    .await;
    scene.end().await;
}

#[tokio::test]
async fn clients_without_a_header_take_part_in_the_weights() {
    for dialect in
        [Dialect::FRAMED_BINARY, Dialect { transport: Transport::Buffered, encoding: Encoding::Compact }]
    {
        let [one, two] = versions(dialect).await;
        let scene = scene(&one, &two).await;
        let mut client = Client::connect(scene.address_of(SERVICE), dialect).await.unwrap();
        let share = by_version_two(&mut client, CALLS, &[]).await;
        assert!((50..=150).contains(&share), "{share} of {CALLS} in {dialect:?}");
        scene.end().await;
    }
}

#[tokio::test]
async fn the_commands_of_its_readme_ask_for_version_two() {
    let [one, two] = versions(HEADER).await;
    let scene = scene(&one, &two).await;
    let target =
        Target { name: "shop".into(), wire: "header/binary".into(), address: scene.address_of(SERVICE) };
    let calls = ["outcome:whoAmI"; 5];
    let rows = client(Library::Python, &[target], &calls, &[("canary", "true")]).await;
    let told: Vec<_> = rows.iter().map(|row| row.told.as_deref()).collect();
    assert_eq!(told, [Ok("reply v2"); 5]);
    scene.end().await;
}
