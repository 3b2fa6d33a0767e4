//! A pipeline that mixes shared and pinned commands is answered as the server answers it directly, byte for byte.
//!
//! Each pipeline is sent twice, in random pieces: to the server itself, then, from an empty server again, through the
//! proxy, together with the pipelines of its batch, whose keys are others. A pipeline that is answered otherwise is cut
//! down to the commands that it takes before it is told.

mod generator;

use std::net::SocketAddr;
use std::time::Duration;

use e2e::redis::{Servers, behind};
use fastrand::Rng;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::timeout;

use generator::{Generator, Sent};

/// Pipelines.
const CASES: u64 = 320;
/// Pipelines that are under way together.
const BATCH: u64 = 16;
/// In each refusal of what a proxy of shared connections cannot do.
const REFUSED: &[u8] = b" is refused: ";
/// A conversation that has not ended by then never will.
const PATIENCE: Duration = Duration::from_secs(5);

/// What a server answers to this, in pieces of any size, until it closes the connection.
async fn conversation(address: SocketAddr, sent: &[Sent], seed: u64) -> Vec<u8> {
    let stream = TcpStream::connect(address).await.unwrap();
    stream.set_nodelay(true).unwrap();
    let (mut reader, mut writer) = stream.into_split();
    let bytes: Vec<_> = sent.iter().flat_map(|sent| &sent.bytes).copied().collect();
    let writing = tokio::spawn(async move {
        let mut random = Rng::with_seed(seed);
        let largest = random.choice([1, 7, 40, 400, 100_000]).expect("there are some").min(bytes.len());
        let mut rest = &bytes[..];
        while !rest.is_empty() {
            // Megabytes one by one would show nothing new.
            let least = if rest.len() > 5000 { 4000 } else { 1 };
            let (piece, behind) = rest.split_at(random.usize(least..=largest.max(least)).min(rest.len()));
            if writer.write_all(piece).await.is_err() {
                break;
            }
            rest = behind;
            tokio::task::yield_now().await;
        }
        writer
    });
    let mut received = Vec::new();
    match timeout(PATIENCE, reader.read_to_end(&mut received)).await {
        Ok(Ok(_)) => {}
        Ok(Err(error)) => received.extend(format!("<{error}>").into_bytes()),
        Err(_) => received.extend(b"<and no end>"),
    }
    drop((reader, writing.await.unwrap()));
    comparable(received)
}

/// `HELLO` tells the connection's id, which cannot be the same; and the proxy says more of what is no Redis, behind the
/// server's own words.
fn comparable(mut received: Vec<u8>) -> Vec<u8> {
    const ID: &[u8] = b"$2\r\nid\r\n:";
    const MALFORMED: &[u8] = b"-ERR Protocol error: ";
    let find = |received: &[u8], text: &[u8]| received.windows(text.len()).position(|window| window == text);
    let mut from = 0;
    while let Some(at) = find(&received[from..], ID) {
        from += at + ID.len();
        let digits = received[from..].iter().take_while(|byte| byte.is_ascii_digit()).count();
        received.drain(from..from + digits);
    }
    if let Some(at) = find(&received, MALFORMED) {
        let line = received.split_off(at);
        let ends = [&b","[..], b" at byte", b"\r"].map(|end| find(&line, end).unwrap_or(line.len()));
        received.extend(&line[..ends.into_iter().min().unwrap_or_default()]);
    }
    received
}

/// The answers to several pipelines that are under way together.
async fn together(address: SocketAddr, batch: &[(u64, Vec<Sent>)]) -> Vec<Vec<u8>> {
    let mut running = JoinSet::new();
    for (place, (seed, sent)) in batch.iter().cloned().enumerate() {
        running.spawn(async move { (place, conversation(address, &sent, seed).await) });
    }
    let mut received = vec![Vec::new(); batch.len()];
    while let Some(ended) = running.join_next().await {
        let (place, bytes) = ended.unwrap();
        received[place] = bytes;
    }
    received
}

struct Pair {
    servers: Servers,
    proxy: SocketAddr,
}

impl Pair {
    /// What the server answers directly, and what it answers through the proxy.
    async fn both(&self, batch: &[(u64, Vec<Sent>)]) -> [Vec<Vec<u8>>; 2] {
        self.servers.empty().await;
        let direct = together(self.servers.address(0), batch).await;
        self.servers.empty().await;
        [direct, together(self.proxy, batch).await]
    }

    /// As few of its commands as still are answered otherwise, if they are when nothing else is under way.
    async fn cut_down(&self, seed: u64, mut sent: Vec<Sent>) -> Vec<Sent> {
        let mut at = 0;
        while at + 1 < sent.len() {
            let mut fewer = sent.clone();
            fewer.remove(at);
            let [direct, proxied] = self.both(&[(seed, fewer.clone())]).await;
            // What is left may be something that is refused on purpose.
            let is_refused = proxied[0].windows(REFUSED.len()).any(|window| window == REFUSED);
            if direct == proxied || is_refused {
                at += 1;
            } else {
                sent = fewer;
            }
        }
        sent
    }

    async fn fail(&self, seed: u64, sent: &[Sent], [direct, proxied]: [&[u8]; 2]) {
        let same = direct.iter().zip(proxied).take_while(|(one, other)| one == other).count();
        let around = |bytes: &[u8]| {
            let part = &bytes[same.saturating_sub(60)..bytes.len().min(same + 200)];
            part.escape_ascii().to_string()
        };
        let told = |sent: &[Sent]| sent.iter().map(|sent| sent.told.clone()).collect::<Vec<_>>().join("\n  ");
        let few = self.cut_down(seed, sent.to_vec()).await;
        let [alone_direct, alone_proxied] = self.both(&[(seed, few.clone())]).await;
        panic!(
            "seed {seed}, at byte {same} of the answers:\n direct  {}\n proxied {}\ncut down to\n  {}\n direct  {}\n proxied {}",
            around(direct),
            around(proxied),
            told(&few),
            alone_direct[0].escape_ascii(),
            alone_proxied[0].escape_ascii(),
        );
    }
}

#[tokio::test]
async fn any_pipeline_in_any_pieces_is_answered_as_by_the_server_itself() {
    let servers = Servers::start(1).await;
    let scene = behind(&servers).start().await;
    let pair = Pair { proxy: scene.address(), servers };
    for first in (0..CASES).step_by(BATCH as usize) {
        let pipeline = |seed| (seed, Generator::new(seed, &format!("{}:", seed % BATCH)).pipeline());
        let batch: Vec<_> = (first..first + BATCH).map(pipeline).collect();
        let [direct, proxied] = pair.both(&batch).await;
        for (((seed, sent), direct), proxied) in batch.iter().zip(&direct).zip(&proxied) {
            assert!(!direct.is_empty() || sent.len() < 2, "the server said nothing to {sent:?}");
            if direct != proxied {
                pair.fail(*seed, sent, [direct, proxied]).await;
            }
        }
    }
    scene.end().await;
}

#[test]
fn pipelines_mix_what_they_shall_mix() {
    let all: Vec<_> = (0..CASES).map(|seed| Generator::new(seed, "").pipeline()).collect();
    for begin in [
        "GET ",
        "SET ",
        "MGET ",
        "MULTI",
        "EXEC",
        "discard",
        "WATCH ",
        "UNWATCH",
        "BLPOP ",
        "SELECT ",
        "SUBSCRIBE ",
        "UNSUBSCRIBE",
        "PING",
        "CLIENT SETNAME ",
        "CLIENT REPLY OFF",
        "HELLO 3",
        "RESET",
        "QUIT",
        "\"GET ",
        "\"*0",
    ] {
        let has = |pipeline: &&Vec<Sent>| pipeline.iter().any(|sent| sent.told.starts_with(begin));
        assert!(all.iter().filter(has).count() >= 3, "hardly any pipeline has {begin}");
    }
    let is_long =
        |pipeline: &&Vec<Sent>| pipeline.iter().map(|sent| sent.bytes.len()).sum::<usize>() > 100_000;
    assert!(all.iter().filter(is_long).count() >= 3);
}
