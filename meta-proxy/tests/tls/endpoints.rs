//! Endpoints that the proxy speaks to on encrypted connections, and those that it does not believe.

use std::time::Duration;

use meta_proxy::model::{Identity, Roots, SubjectName, TlsVersion, Trust, UpstreamTls};
use peers::tls::{Authority, Issued};
use tokio::sync::mpsc::UnboundedReceiver;
use tokio_rustls::TlsAcceptor;

use crate::support::{Actor, Behaviour, Frame, World, run};
use crate::{NAME, Safe, accept, acceptor};

type Accepted = UnboundedReceiver<Actor>;

/// A proxy with one endpoint, connections to which are encrypted so.
fn back(safe: &mut Safe, tls: &UpstreamTls) -> (World, Accepted) {
    let mut world = World::new();
    world.upstream_tls = Some(safe.files.upstream(tls).unwrap());
    let accepted = world.accepting("all", 1);
    world.route(None, "all");
    world.apply();
    (world, accepted)
}

/// The same, where the endpoint must have a certificate of our authority for the name.
fn checked(safe: &mut Safe) -> (World, Accepted) {
    let tls = safe.checked();
    back(safe, &tls)
}

/// How many connection attempts have failed, and how many of them in the handshake.
fn failures(world: &World) -> (u64, u64) {
    let all = world.telemetry.all_endpoints();
    let all: Vec<_> = all.values().flatten().collect();
    (
        all.iter().map(|one| one.connect_failures.get()).sum(),
        all.iter().map(|one| one.tls_failures.get()).sum(),
    )
}

/// What a request comes to, whose endpoint does `acceptor`: the name that was asked for, or what the client is told.
async fn outcome(
    safe: &mut Safe,
    tls: &UpstreamTls,
    acceptor: TlsAcceptor,
) -> Result<Option<String>, String> {
    let (world, mut accepted) = back(safe, tls);
    let mut client = world.client();
    client.asks(1, "get").await;
    if let Ok((mut endpoint, name)) = accept(accepted.recv().await.unwrap(), acceptor).await {
        endpoint.answers("get").await;
        client.gets(1).await;
        return Ok(name);
    }
    let told = client.receive().await.unwrap();
    assert_eq!(failures(&world), (1, 1));
    assert_eq!(world.count("UF"), 1);
    Err(String::from_utf8(told.payload).unwrap())
}

fn own(authority: &Authority, names: &[&str]) -> Issued {
    authority.issue(names).unwrap()
}

fn named(safe: &Safe, names: Vec<SubjectName>) -> UpstreamTls {
    let roots = Roots::File(safe.path("ca.crt"));
    UpstreamTls { trust: Trust::Signed { roots, names }, ..safe.checked() }
}

fn host(name: &str) -> SubjectName {
    SubjectName::Host(name.to_owned())
}

#[test]
fn an_endpoint_is_asked_for_by_its_name_and_believed_if_its_certificate_says_so() {
    run(async {
        let mut safe = Safe::new();
        let (good, tls) = (safe.issue(), safe.checked());
        let name = outcome(&mut safe, &tls, acceptor(&good, None)).await;
        assert_eq!(name, Ok(Some(NAME.to_owned())));
        let silent = UpstreamTls { sni: None, ..safe.checked() };
        assert_eq!(outcome(&mut safe, &silent, acceptor(&good, None)).await, Ok(None));
    });
}

#[test]
fn an_endpoint_that_is_not_believed_gets_nothing_and_the_client_is_told_why() {
    run(async {
        let mut safe = Safe::new();
        let uri = SubjectName::Uri("spiffe://shop/orders".to_owned());
        let rows = [
            (
                safe.checked(),
                own(&safe.theirs, &[NAME]),
                "is not signed by a CA that is trusted here (unknown issuer)",
            ),
            (safe.checked(), safe.ours.issue_expired(&[NAME]).unwrap(), "has expired"),
            (
                safe.checked(),
                own(&safe.ours, &["a.example", "10.0.0.1"]),
                "is for a.example, 10.0.0.1, not for shop.example",
            ),
            (safe.checked(), own(&safe.ours, &[]), "is for nobody, not for shop.example"),
            (
                named(&safe, vec![host("b.example"), uri]),
                own(&safe.ours, &[NAME, "spiffe://shop/users"]),
                "is for shop.example, spiffe://shop/users, not for b.example or spiffe://shop/orders",
            ),
            (
                // An e-mail address that looks like an id is none.
                named(&safe, vec![SubjectName::Uri("spiffe://shop@orders".to_owned())]),
                own(&safe.ours, &["spiffe://shop@orders"]),
                "is for spiffe://shop@orders, not for spiffe://shop@orders",
            ),
        ];
        for (tls, issued, expected) in rows {
            let told = outcome(&mut safe, &tls, acceptor(&issued, None)).await.unwrap_err();
            let expected = format!("192.0.2.1:1: TLS: the endpoint's certificate {expected})");
            assert!(told.contains(&expected), "{told}\n{expected}");
        }
    });
}

#[test]
fn one_of_several_names_is_enough_whatever_was_asked_for() {
    run(async {
        let mut safe = Safe::new();
        let rows = [
            (host("b.example"), "b.example"),
            (host("b.shop.example"), "*.shop.example"),
            (host("10.0.0.1"), "10.0.0.1"),
            (SubjectName::Uri("spiffe://shop/orders".to_owned()), "spiffe://shop/orders"),
        ];
        for (name, presented) in rows {
            let tls = named(&safe, vec![host("nobody.example.com"), name]);
            let issued = own(&safe.ours, &["c.example.com", presented]);
            let asked = outcome(&mut safe, &tls, acceptor(&issued, None)).await;
            assert_eq!(asked, Ok(Some(NAME.to_owned())), "{presented}");
        }
    });
}

#[test]
fn whoever_is_to_be_believed_unchecked_is() {
    run(async {
        let mut safe = Safe::new();
        let tls = UpstreamTls { trust: Trust::Anyone, ..safe.checked() };
        let stranger = safe.theirs.issue_expired(&["a.example"]).unwrap();
        assert!(outcome(&mut safe, &tls, acceptor(&stranger, None)).await.is_ok());
    });
}

#[test]
fn an_endpoint_that_asks_who_calls_is_shown_the_certificate() {
    run(async {
        let mut safe = Safe::new();
        let good = safe.issue();
        let mutual = UpstreamTls { identity: Some(safe.identity("client")), ..safe.checked() };
        let asking = acceptor(&good, Some(&safe.ours));
        assert!(outcome(&mut safe, &mutual, asking).await.is_ok());
    });
}

#[test]
fn an_endpoint_that_does_not_believe_the_proxy_is_told_of_in_its_own_words() {
    run(async {
        let mut safe = Safe::new();
        let (good, stranger) = (safe.issue(), own(&safe.theirs, &[NAME]));
        safe.put("stranger", &stranger);
        let rows: [(Option<Identity>, &str); 2] = [
            (None, "it asks for a certificate (mode MUTUAL) (alert CertificateRequired)"),
            (
                Some(safe.identity("stranger")),
                "it does not trust the CA of our certificate (alert UnknownCA)",
            ),
        ];
        for (identity, expected) in rows {
            let tls = UpstreamTls { identity, ..safe.checked() };
            let (world, mut accepted) = back(&mut safe, &tls);
            let mut client = world.client();
            client.asks(1, "get").await;
            let asking = acceptor(&good, Some(&safe.ours));
            assert!(accept(accepted.recv().await.unwrap(), asking).await.is_err());
            // With TLS 1.3 the proxy has sent its request by then.
            let told = String::from_utf8(client.receive().await.unwrap().payload).unwrap();
            assert!(told.contains(&format!("TLS: the endpoint refuses: {expected}")), "{told}");
            assert_eq!(world.count("UC"), 1);
        }
    });
}

#[test]
fn an_endpoint_that_speaks_no_tls_is_told_of() {
    run(async {
        let mut safe = Safe::new();
        let (world, mut accepted) = checked(&mut safe);
        let mut client = world.client();
        client.asks(1, "get").await;
        let mut endpoint = accepted.recv().await.unwrap();
        endpoint.send(&Frame::request(1, "hello")).await;
        let told = String::from_utf8(client.receive().await.unwrap().payload).unwrap();
        assert!(told.contains("TLS: the endpoint does not speak TLS"), "{told}");
        assert_eq!(failures(&world), (1, 1));
    });
}

#[test]
fn a_handshake_that_is_never_answered_ends_with_the_time_to_connect() {
    run(async {
        let mut safe = Safe::new();
        let (world, mut accepted) = checked(&mut safe);
        let mut client = world.client();
        let began = tokio::time::Instant::now();
        client.asks(1, "get").await;
        let _silent = accepted.recv().await.unwrap();
        let told = String::from_utf8(client.receive().await.unwrap().payload).unwrap();
        assert!(told.contains("no TLS connection within 1s"), "{told}");
        assert_eq!(began.elapsed(), Duration::from_secs(1));
    });
}

#[test]
fn a_request_goes_to_the_next_endpoint_if_the_first_is_not_believed() {
    run(async {
        let mut safe = Safe::new();
        let (good, bad) = (safe.issue(), own(&safe.theirs, &[NAME]));
        let tls = safe.checked();
        let mut world = World::new();
        world.upstream_tls = Some(safe.files.upstream(&tls).unwrap());
        for (number, issued) in [(1, bad), (2, good)] {
            let (sender, mut accepted) = tokio::sync::mpsc::unbounded_channel();
            world.endpoint("all", number, Behaviour::Accept(sender));
            let acceptor = acceptor(&issued, None);
            tokio::task::spawn_local(async move {
                while let Some(actor) = accepted.recv().await {
                    if let Ok((endpoint, _)) = accept(actor, acceptor.clone()).await {
                        endpoint.echo(|_| false);
                    }
                }
            });
        }
        world.route(None, "all");
        world.apply();
        let mut client = world.client();
        for id in 0..20 {
            client.asks(id, "get").await;
            client.gets(id).await;
        }
    });
}

#[test]
fn a_cluster_whose_encryption_changes_gets_new_connections_and_the_old_finish_what_they_have() {
    run(async {
        let mut safe = Safe::new();
        let good = safe.issue();
        let (mut world, mut accepted) = checked(&mut safe);
        let mut client = world.client();
        client.asks(1, "slow").await;
        let plain = acceptor(&good, None);
        let (mut old, _) = accept(accepted.recv().await.unwrap(), plain.clone()).await.unwrap();
        old.hears("slow").await;

        let newest = UpstreamTls { minimum: TlsVersion::V1_3, ..safe.checked() };
        world.upstream_tls = Some(safe.files.upstream(&newest).unwrap());
        world.apply();
        client.asks(2, "get").await;
        let (mut new, _) = accept(accepted.recv().await.unwrap(), plain).await.unwrap();
        new.answers("get").await;
        client.gets(2).await;
        old.answers_oldest().await;
        client.gets(1).await;
        old.sees_the_end_past_pings().await;
    });
}
