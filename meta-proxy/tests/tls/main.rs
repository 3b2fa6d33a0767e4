//! Encrypted connections on both sides, on pipes and a paused clock: who is let in, who is believed, and what becomes of those
//! that stand when files change.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a scene that goes wrong is a test that fails")]

#[path = "../support/mod.rs"]
mod support;

mod clients;
mod endpoints;
mod files;

use std::path::PathBuf;

use meta_proxy::model::{DownstreamTls, Identity, Roots, SubjectName, TlsVersion, Trust, UpstreamTls};
use meta_proxy::tls::{Files, News};
use peers::tls::{Authority, Issued};
use support::{Actor, World};
use tempfile::TempDir;
use tokio::io::{DuplexStream, copy_bidirectional};
use tokio_rustls::rustls::pki_types::ServerName;
use tokio_rustls::{TlsAcceptor, TlsConnector};

/// The name that certificates are for.
const NAME: &str = "shop.example";
/// Bytes that a pipe holds.
const PIPE: usize = 256 * 1024;

/// Two authorities, the files that a proxy reads, and the proxy's side of them.
struct Safe {
    folder: TempDir,
    ours: Authority,
    theirs: Authority,
    files: Files,
}

impl Safe {
    /// With `server.crt`, `server.key`, `client.crt` and `client.key` of our authority, whose certificate is `ca.crt`;
    /// `other-ca.crt` is that of theirs.
    fn new() -> Self {
        let safe = Self {
            folder: tempfile::tempdir().unwrap(),
            ours: Authority::new("ours").unwrap(),
            theirs: Authority::new("theirs").unwrap(),
            files: Files::default(),
        };
        safe.write("ca.crt", safe.ours.certificate());
        safe.write("other-ca.crt", safe.theirs.certificate());
        safe.put("server", &safe.issue());
        safe.put("client", &safe.issue());
        safe
    }

    fn issue(&self) -> Issued {
        self.ours.issue(&[NAME]).unwrap()
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn write(&self, name: &str, text: &str) {
        std::fs::write(self.path(name), text).unwrap();
    }

    fn put(&self, name: &str, issued: &Issued) {
        issued.write(self.folder.path(), name).unwrap();
    }

    fn identity(&self, name: &str) -> Identity {
        Identity { certificate: self.path(&format!("{name}.crt")), key: self.path(&format!("{name}.key")) }
    }

    /// Clients are shown the server's certificate, and asked for none.
    fn simple(&self) -> DownstreamTls {
        DownstreamTls { identity: self.identity("server"), clients: None, minimum: TlsVersion::V1_2 }
    }

    /// The same, and they must show one of our authority.
    fn mutual(&self) -> DownstreamTls {
        DownstreamTls { clients: Some(self.path("ca.crt")), ..self.simple() }
    }

    /// Endpoints are believed that our authority has signed, for the name.
    fn checked(&self) -> UpstreamTls {
        let names = vec![SubjectName::Host(NAME.to_owned())];
        UpstreamTls {
            sni: Some(NAME.to_owned()),
            trust: Trust::Signed { roots: Roots::File(self.path("ca.crt")), names },
            identity: None,
            minimum: TlsVersion::V1_2,
        }
    }

    /// A proxy whose clients are encrypted so; its endpoint answers everything, plainly.
    fn front(&mut self, tls: &DownstreamTls) -> World {
        let mut world = World::new();
        world.downstream_tls = Some(self.files.downstream(tls).unwrap());
        world.echoing("all", 1, |_| false);
        world.route(None, "all");
        world.apply();
        world
    }

    /// What a look at the files finds, in words without the folder.
    fn look(&mut self) -> Vec<String> {
        let words = |news: News| match news {
            News::Reloaded(files) => format!("reloaded {}", files.len()),
            News::Stale(fault) => {
                format!("{} {}", fault.file.file_name().unwrap().display(), fault.message)
            }
        };
        self.files.look().news.into_iter().map(words).collect()
    }
}

/// A client that believes `authority`, on a connection to the proxy; why the handshake failed, if it did.
async fn connect(
    stream: DuplexStream,
    connector: TlsConnector,
    name: &str,
) -> Result<(Actor, Vec<u8>), std::io::Error> {
    let name = ServerName::try_from(name.to_owned()).unwrap();
    let mut stream = connector.connect(name, stream).await?;
    let shown = stream.get_ref().1.peer_certificates().unwrap()[0].to_vec();
    let (ours, mut theirs) = tokio::io::duplex(PIPE);
    tokio::task::spawn_local(async move {
        let _ = copy_bidirectional(&mut stream, &mut theirs).await;
    });
    Ok((Actor::new(ours), shown))
}

/// An endpoint's end of a connection that the proxy has made; why the handshake failed, if it did.
async fn accept(actor: Actor, acceptor: TlsAcceptor) -> Result<(Actor, Option<String>), std::io::Error> {
    let mut stream = acceptor.accept(actor.into_stream()).await?;
    let name = stream.get_ref().1.server_name().map(str::to_owned);
    let (ours, mut theirs) = tokio::io::duplex(PIPE);
    tokio::task::spawn_local(async move {
        let _ = copy_bidirectional(&mut stream, &mut theirs).await;
    });
    Ok((Actor::new(ours), name))
}

/// How many handshakes with clients have succeeded, and failed.
fn handshakes(world: &World) -> (u64, u64) {
    let all = world.telemetry.all_listeners();
    let sum = |read: fn(&meta_proxy::telemetry::ListenerSeries) -> u64| {
        all.values().flatten().map(|series| read(series)).sum()
    };
    (sum(|series| series.tls_handshakes.get()), sum(|series| series.tls_failures.get()))
}

/// How a client does it that believes `authority` and shows `own`.
fn connector(authority: &Authority, own: Option<&Issued>) -> TlsConnector {
    peers::tls::connector(authority, own).unwrap()
}

/// How an endpoint does it.
fn acceptor(own: &Issued, clients: Option<&Authority>) -> TlsAcceptor {
    peers::tls::acceptor(own, clients).unwrap()
}
