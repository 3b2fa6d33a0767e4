//! Files that change while connections stand.

use std::os::unix::fs::symlink;
use std::time::Duration;

use meta_proxy::model::{DownstreamTls, Identity, Roots, Trust, UpstreamTls};
use meta_proxy::tls::Part;

use crate::support::run;
use crate::{NAME, PIPE, Safe, accept, acceptor, connect, connector};

#[test]
fn a_changed_certificate_is_shown_to_new_clients_while_an_old_one_goes_on() {
    run(async {
        let mut safe = Safe::new();
        let world = safe.front(&safe.simple());
        let secured = || connector(&safe.ours, None);
        let (mut old, shown) = connect(world.connection(PIPE), secured(), NAME).await.unwrap();
        assert_eq!(safe.look(), [""; 0]);
        let next = safe.issue();
        safe.put("server", &next);
        assert_eq!(safe.look(), ["reloaded 2"]);
        let secured = connector(&safe.ours, None);
        let (mut new, shown_next) = connect(world.connection(PIPE), secured, NAME).await.unwrap();
        assert_eq!(shown_next, next.der().unwrap());
        assert_ne!(shown, shown_next);
        for client in [&mut old, &mut new] {
            client.asks(1, "get").await;
            client.gets(1).await;
        }
        assert_eq!(safe.look(), [""; 0]);
    });
}

#[test]
fn a_symlink_that_is_turned_is_seen_as_kubernetes_does_it() {
    run(async {
        let mut safe = Safe::new();
        for version in ["..1", "..2"] {
            std::fs::create_dir(safe.path(version)).unwrap();
            safe.issue().write(&safe.path(version), "tls").unwrap();
        }
        symlink("..1", safe.path("..data")).unwrap();
        for name in ["tls.crt", "tls.key"] {
            symlink(format!("..data/{name}"), safe.path(name)).unwrap();
        }
        let tls = DownstreamTls { identity: safe.identity("tls"), ..safe.simple() };
        let world = safe.front(&tls);
        let (_, before) = connect(world.connection(PIPE), connector(&safe.ours, None), NAME).await.unwrap();
        symlink("..2", safe.path("..next")).unwrap();
        std::fs::rename(safe.path("..next"), safe.path("..data")).unwrap();
        assert_eq!(safe.look(), ["reloaded 2"]);
        let (_, after) = connect(world.connection(PIPE), connector(&safe.ours, None), NAME).await.unwrap();
        assert_ne!(before, after);
    });
}

#[test]
fn changed_roots_decide_over_new_clients() {
    run(async {
        let mut safe = Safe::new();
        let world = safe.front(&safe.mutual());
        let (own, stranger) = (safe.issue(), safe.theirs.issue(&[NAME]).unwrap());
        let (mut old, _) =
            connect(world.connection(PIPE), connector(&safe.ours, Some(&own)), NAME).await.unwrap();
        std::fs::copy(safe.path("other-ca.crt"), safe.path("ca.crt")).unwrap();
        assert_eq!(safe.look(), ["reloaded 3"]);
        let secured = connector(&safe.ours, Some(&stranger));
        let (mut new, _) = connect(world.connection(PIPE), secured, NAME).await.unwrap();
        for client in [&mut old, &mut new] {
            client.asks(1, "get").await;
            client.gets(1).await;
        }
        let secured = connector(&safe.ours, Some(&own));
        if let Ok((mut refused, _)) = connect(world.connection(PIPE), secured, NAME).await {
            refused.sees_the_end().await;
        }
    });
}

#[test]
fn changed_roots_decide_over_new_endpoints() {
    run(async {
        let mut safe = Safe::new();
        let (good, other) = (safe.issue(), safe.theirs.issue(&[NAME]).unwrap());
        let mut world = crate::World::new();
        world.upstream_tls = Some(safe.files.upstream(&safe.checked()).unwrap());
        let mut accepted = world.accepting("all", 1);
        world.route(None, "all");
        world.apply();
        let mut client = world.client();
        client.asks(1, "get").await;
        let (mut endpoint, _) = accept(accepted.recv().await.unwrap(), acceptor(&good, None)).await.unwrap();
        endpoint.answers("get").await;
        client.gets(1).await;
        std::fs::copy(safe.path("other-ca.crt"), safe.path("ca.crt")).unwrap();
        assert_eq!(safe.look(), ["reloaded 1"]);
        // The connection that stands goes on; when it is gone, the next endpoint is one of the other authority.
        client.asks(2, "get").await;
        endpoint.answers("get").await;
        client.gets(2).await;
        drop(endpoint);
        tokio::time::sleep(Duration::from_millis(1)).await;
        client.asks(3, "get").await;
        let next = accepted.recv().await.unwrap();
        let (mut endpoint, _) = accept(next, acceptor(&other, None)).await.unwrap();
        endpoint.answers("get").await;
        client.gets(3).await;
    });
}

#[test]
fn a_file_caught_in_the_middle_of_a_change_is_not_told_and_one_that_stays_bad_is_told_once() {
    run(async {
        let mut safe = Safe::new();
        let world = safe.front(&safe.simple());
        let next = safe.issue();
        safe.write("server.crt", &next.certificate);
        assert_eq!(safe.look(), [""; 0], "the key may follow");
        safe.write("server.key", &next.key);
        assert_eq!(safe.look(), ["reloaded 2"]);

        safe.write("server.key", "nonsense");
        assert_eq!(safe.look(), [""; 0]);
        let told = ["server.key holds no private key: no PEM block `PRIVATE KEY`"];
        assert_eq!((safe.look(), safe.files.look().stale), (told.map(str::to_owned).to_vec(), 1));
        assert_eq!(safe.look(), [""; 0]);
        let (mut client, shown) =
            connect(world.connection(PIPE), connector(&safe.ours, None), NAME).await.unwrap();
        assert_eq!(shown, next.der().unwrap(), "the last good one is in force");
        client.asks(1, "get").await;
        client.gets(1).await;

        safe.write("server.key", &next.key);
        assert_eq!(safe.look(), ["reloaded 2"]);
        assert_eq!(safe.files.look().stale, 0);
    });
}

#[test]
fn what_is_wrong_with_a_file_is_told_in_words_that_help() {
    let mut safe = Safe::new();
    let good = safe.issue();
    safe.put("other", &safe.issue());
    safe.write("empty.crt", "");
    safe.write("cut.crt", &good.certificate[..200]);
    safe.write("odd.crt", "-----BEGIN CERTIFICATE-----\n%%%\n-----END CERTIFICATE-----\n");
    safe.write("no.crt", "-----BEGIN CERTIFICATE-----\naGVsbG8=\n-----END CERTIFICATE-----\n");
    let sealed = good.key.replace("PRIVATE KEY", "ENCRYPTED PRIVATE KEY");
    safe.write("sealed.key", &sealed);
    safe.write("long.crt", &"x".repeat((1 << 20) + 1));
    std::fs::create_dir(safe.path("folder.crt")).unwrap();
    let rows = [
        (
            "missing.crt",
            "server.key",
            Part::Certificate,
            "cannot be read: No such file or directory (os error 2)",
        ),
        ("folder.crt", "server.key", Part::Certificate, "is not a file"),
        ("long.crt", "server.key", Part::Certificate, "has more than 1048576 bytes"),
        ("empty.crt", "server.key", Part::Certificate, "holds no certificate: no PEM block `CERTIFICATE`"),
        ("server.key", "server.key", Part::Certificate, "holds no certificate: no PEM block `CERTIFICATE`"),
        ("cut.crt", "server.key", Part::Certificate, "is not PEM: a block does not end"),
        ("odd.crt", "server.key", Part::Certificate, "is not PEM: a block is not base64"),
        ("no.crt", "server.key", Part::Certificate, "holds a certificate that cannot be understood"),
        ("server.crt", "missing.key", Part::Key, "cannot be read: No such file or directory (os error 2)"),
        ("server.crt", "server.crt", Part::Key, "holds no private key: no PEM block `PRIVATE KEY`"),
        (
            "server.crt",
            "sealed.key",
            Part::Key,
            "holds a key that is encrypted; it must stand there without a passphrase",
        ),
        ("server.crt", "other.key", Part::Key, "is not the key of the certificate in FOLDER/server.crt"),
    ];
    for (certificate, key, part, expected) in rows {
        let identity = Identity { certificate: safe.path(certificate), key: safe.path(key) };
        let Err(fault) = safe.files.downstream(&DownstreamTls { identity, ..safe.simple() }) else {
            panic!("{certificate} and {key} were taken")
        };
        assert_eq!(fault.part, part, "{fault}");
        let expected = expected.replace("FOLDER", safe.folder.path().to_str().unwrap());
        assert!(fault.message.starts_with(&expected), "{fault}\n{expected}");
    }
    for (file, expected) in
        [("missing.crt", "cannot be read"), ("no.crt", "holds a certificate that cannot be a root, number 1")]
    {
        let Trust::Signed { names, .. } = safe.checked().trust else { panic!("it is checked") };
        let roots = Roots::File(safe.path(file));
        let tls = UpstreamTls { trust: Trust::Signed { roots, names }, ..safe.checked() };
        let Err(fault) = safe.files.upstream(&tls) else { panic!("{file} was taken") };
        assert_eq!(fault.part, Part::Roots);
        assert!(fault.message.starts_with(expected), "{fault}");
    }
}

#[test]
fn the_systems_roots_can_be_used() {
    let mut safe = Safe::new();
    let Trust::Signed { names, .. } = safe.checked().trust else { panic!("it is checked") };
    let tls = UpstreamTls { trust: Trust::Signed { roots: Roots::System, names }, ..safe.checked() };
    let file = std::path::Path::new("/etc/ssl/certs/ca-certificates.crt");
    match safe.files.upstream(&tls) {
        Ok(_) => {}
        Err(fault) => assert!(!file.exists() && fault.part == Part::Roots, "{fault}"),
    }
}

#[test]
fn a_certificate_that_is_no_good_now_says_so() {
    let mut safe = Safe::new();
    let expired = safe.ours.issue_expired(&[NAME, "10.0.0.1", "spiffe://shop/orders"]).unwrap();
    safe.put("server", &expired);
    let handle = safe.files.downstream(&safe.simple()).unwrap();
    let certificate = handle.certificate().unwrap();
    assert_eq!(certificate.complaint(), Some("has expired"));
    assert_eq!(certificate.names, [NAME, "10.0.0.1", "spiffe://shop/orders"]);
    assert_eq!(certificate.not_after, 1_009_843_200);
    safe.put("server", &safe.issue());
    let look = safe.files.look();
    assert_eq!((look.certificates.len(), look.certificates[0].complaint()), (1, None));
    drop(handle);
    assert!(safe.files.look().certificates.is_empty(), "nobody uses it");
}
