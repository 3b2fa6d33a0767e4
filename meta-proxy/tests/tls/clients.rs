//! Clients whose connections are encrypted, and those that should be and are not.

use std::time::Duration;

use meta_proxy::model::TlsVersion;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::{Instant, timeout};
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::{self, ClientConfig, RootCertStore};

use crate::support::{Actor, Frame, run};
use crate::{NAME, PIPE, Safe, connect, connector, handshakes};

const PATIENCE: Duration = Duration::from_mins(1);

#[test]
fn a_client_is_served_on_an_encrypted_connection() {
    run(async {
        let mut safe = Safe::new();
        let world = safe.front(&safe.simple());
        let (mut client, _) =
            connect(world.connection(PIPE), connector(&safe.ours, None), NAME).await.unwrap();
        client.asks(1, "get").await;
        client.gets(1).await;
        // More than fits into a record, both ways, and cut by the pipe.
        client.send(&Frame::new(b'q', 2, "get", &vec![7; 3 << 20])).await;
        assert_eq!(client.gets(2).await.len(), 3 << 20);
        assert_eq!(handshakes(&world), (1, 0));
    });
}

#[test]
fn all_that_is_sent_at_once_is_answered_though_the_pipe_is_narrow() {
    run(async {
        let mut safe = Safe::new();
        let world = safe.front(&safe.simple());
        let stream = world.connection(1000);
        let (mut client, _) = connect(stream, connector(&safe.ours, None), NAME).await.unwrap();
        for id in 0..500 {
            client.asks(id, "get").await;
        }
        for id in 0..500 {
            client.gets(id).await;
        }
    });
}

#[test]
fn a_client_that_stops_sending_still_gets_its_answers_and_a_goodbye() {
    run(async {
        let mut safe = Safe::new();
        let world = safe.front(&safe.simple());
        let name = rustls::pki_types::ServerName::try_from(NAME).unwrap();
        let mut stream = connector(&safe.ours, None).connect(name, world.connection(PIPE)).await.unwrap();
        stream.write_all(&Frame::request(1, "get").encode()).await.unwrap();
        stream.shutdown().await.unwrap();
        let mut heard = Vec::new();
        // An end without a goodbye would be an error.
        timeout(PATIENCE, stream.read_to_end(&mut heard)).await.unwrap().unwrap();
        assert_eq!(Frame::take(&mut heard).unwrap().id, 1);
    });
}

#[test]
fn a_client_that_goes_without_a_goodbye_has_gone() {
    run(async {
        let mut safe = Safe::new();
        let world = safe.front(&safe.simple());
        let name = rustls::pki_types::ServerName::try_from(NAME).unwrap();
        let mut stream = connector(&safe.ours, None).connect(name, world.connection(PIPE)).await.unwrap();
        stream.write_all(&Frame::request(1, "get").encode()).await.unwrap();
        stream.flush().await.unwrap();
        drop(stream);
        let is_gone = async {
            while world.telemetry.all_listeners().values().flatten().any(|one| one.active.get() > 0) {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        };
        timeout(PATIENCE, is_gone).await.unwrap();
        let errors = |one: &std::sync::Arc<meta_proxy::telemetry::ListenerSeries>| one.protocol_errors.get();
        assert_eq!(world.telemetry.all_listeners().values().flatten().map(errors).sum::<u64>(), 0);
    });
}

#[test]
fn with_mutual_a_client_must_show_a_certificate_of_the_right_authority() {
    run(async {
        let mut safe = Safe::new();
        let world = safe.front(&safe.mutual());
        let own = safe.issue();
        let connection = || world.connection(PIPE);
        let (mut client, _) = connect(connection(), connector(&safe.ours, Some(&own)), NAME).await.unwrap();
        client.asks(1, "get").await;
        client.gets(1).await;
        let stranger = safe.theirs.issue(&[NAME]).unwrap();
        for own in [None, Some(&stranger)] {
            // With TLS 1.3 a client learns of its refusal only after its own part of the handshake.
            if let Ok((mut client, _)) = connect(connection(), connector(&safe.ours, own), NAME).await {
                client.sees_the_end().await;
            }
        }
        assert_eq!(handshakes(&world), (1, 2));
    });
}

#[test]
fn with_simple_a_client_is_not_asked_for_a_certificate() {
    run(async {
        let mut safe = Safe::new();
        let world = safe.front(&safe.simple());
        let stranger = safe.theirs.issue(&[NAME]).unwrap();
        let secured = connector(&safe.ours, Some(&stranger));
        let (mut client, _) = connect(world.connection(PIPE), secured, NAME).await.unwrap();
        client.asks(1, "get").await;
        client.gets(1).await;
    });
}

#[test]
fn a_client_that_is_not_encrypted_is_cut_off_at_once() {
    run(async {
        let mut safe = Safe::new();
        let world = safe.front(&safe.simple());
        let began = Instant::now();
        let mut client = Actor::new(world.connection(PIPE));
        client.asks(1, "get").await;
        client.sees_garbage_and_the_end().await;
        assert_eq!((began.elapsed(), handshakes(&world)), (Duration::ZERO, (0, 1)));
    });
}

#[test]
fn a_client_that_says_nothing_is_cut_off_after_ten_seconds_and_others_do_not_wait_for_it() {
    run(async {
        let mut safe = Safe::new();
        let world = safe.front(&safe.simple());
        let began = Instant::now();
        let mut silent = Actor::new(world.connection(PIPE));
        let mut slow = Actor::new(world.connection(PIPE));
        // The first bytes of a handshake that never goes on.
        slow.send_bytes(&[22, 3, 1]).await;
        let (mut client, _) =
            connect(world.connection(PIPE), connector(&safe.ours, None), NAME).await.unwrap();
        client.asks(1, "get").await;
        client.gets(1).await;
        assert_eq!(began.elapsed(), Duration::ZERO);
        silent.sees_the_end().await;
        slow.sees_the_end().await;
        let took = began.elapsed();
        assert!(took >= Duration::from_secs(10) && took < Duration::from_secs(11), "{took:?}");
        assert_eq!(handshakes(&world), (1, 2));
    });
}

#[test]
fn the_oldest_version_that_is_spoken_is_the_configured_one() {
    run(async {
        for (minimum, is_served) in [(TlsVersion::V1_2, true), (TlsVersion::V1_3, false)] {
            let mut safe = Safe::new();
            let tls = meta_proxy::model::DownstreamTls { minimum, ..safe.simple() };
            let world = safe.front(&tls);
            let mut roots = RootCertStore::empty();
            let pem = safe.ours.certificate().as_bytes();
            let root = rustls::pki_types::pem::PemObject::from_pem_slice(pem).unwrap();
            roots.add(root).unwrap();
            let provider = std::sync::Arc::new(rustls::crypto::aws_lc_rs::default_provider());
            let config = ClientConfig::builder_with_provider(provider)
                .with_protocol_versions(&[&rustls::version::TLS12])
                .unwrap()
                .with_root_certificates(roots)
                .with_no_client_auth();
            let old = TlsConnector::from(std::sync::Arc::new(config));
            assert_eq!(connect(world.connection(PIPE), old, NAME).await.is_ok(), is_served);
            let new = connector(&safe.ours, None);
            assert!(connect(world.connection(PIPE), new, NAME).await.is_ok());
        }
    });
}

#[test]
fn a_listener_whose_encryption_changes_keeps_its_connections() {
    run(async {
        let mut safe = Safe::new();
        let mut world = safe.front(&safe.simple());
        let (mut old, _) = connect(world.connection(PIPE), connector(&safe.ours, None), NAME).await.unwrap();
        world.downstream_tls = Some(safe.files.downstream(&safe.mutual()).unwrap());
        world.apply();
        old.asks(1, "get").await;
        old.gets(1).await;
        if let Ok((mut new, _)) = connect(world.connection(PIPE), connector(&safe.ours, None), NAME).await {
            new.sees_the_end().await;
        }
        assert_eq!(handshakes(&world), (1, 1));
        world.downstream_tls = None;
        world.apply();
        let mut plain = world.client();
        plain.asks(1, "get").await;
        plain.gets(1).await;
        old.asks(2, "get").await;
        old.gets(2).await;
    });
}
