//! SUBSCRIBE and its kin in RESP2 and RESP3, MONITOR, tracking.

use codec_api::{Affinity, Kind, Spread};

use crate::proxy::{Proxy, codec, decode};

fn confirmed(mark: char, kind: &str, channel: &str, count: u32) -> String {
    format!("{mark}3\r\n${}\r\n{kind}\r\n${}\r\n{channel}\r\n:{count}\r\n", kind.len(), channel.len())
}

#[test]
fn in_resp2_a_subscriber_has_a_connection_until_nothing_is_left() {
    let mut proxy = Proxy::new();
    assert_eq!(proxy.ask(&["SUBSCRIBE a b"]).affinities, [Affinity::Pin]);
    let both = confirmed('*', "subscribe", "a", 1) + &confirmed('*', "subscribe", "b", 2);
    let came = proxy.hear(&both);
    assert_eq!((came.to_client, came.affinities), (both, vec![]));
    let message = "*3\r\n$7\r\nmessage\r\n$1\r\na\r\n$2\r\nhi\r\n";
    assert_eq!(proxy.hear(message).to_client, message);
    assert_eq!(proxy.ask(&["PING"]).affinities, [Affinity::Free]);
    assert_eq!(proxy.hear("*2\r\n$4\r\npong\r\n$0\r\n\r\n").to_client, "*2\r\n$4\r\npong\r\n$0\r\n\r\n");
    proxy.ask(&["PSUBSCRIBE p*", "UNSUBSCRIBE"]);
    let three = [("psubscribe", "p*", 3), ("unsubscribe", "a", 2), ("unsubscribe", "b", 1)];
    let three: String =
        three.into_iter().map(|(kind, name, count)| confirmed('*', kind, name, count)).collect();
    let came = proxy.hear(&three);
    assert_eq!((came.to_client, came.affinities), (three, vec![]), "a pattern is left");
    proxy.ask(&["PUNSUBSCRIBE p*"]);
    assert_eq!(proxy.hear(&confirmed('*', "punsubscribe", "p*", 0)).affinities, [Affinity::Unpin]);
    assert_eq!(proxy.ask(&["PING"]).to_client, "+PONG\r\n", "it is an ordinary client again");
}

#[test]
fn the_end_of_a_subscription_with_more_to_come_does_not_give_the_connection_back() {
    let mut proxy = Proxy::new();
    proxy.ask(&["SUBSCRIBE a", "UNSUBSCRIBE a", "SUBSCRIBE b"]);
    proxy.hear(&confirmed('*', "subscribe", "a", 1));
    assert_eq!(proxy.hear(&confirmed('*', "unsubscribe", "a", 0)).affinities, []);
    proxy.hear(&confirmed('*', "subscribe", "b", 1));
}

#[test]
fn a_subscription_that_is_refused_gives_the_connection_back() {
    let mut proxy = Proxy::new();
    proxy.ask(&["SUBSCRIBE a b"]);
    let came = proxy.hear("-NOPERM no\r\n");
    assert_eq!((came.to_client.as_str(), came.affinities), ("-NOPERM no\r\n", vec![Affinity::Unpin]));
    assert_eq!(proxy.ask(&["PING"]).to_client, "+PONG\r\n");
}

#[test]
fn unsubscribing_from_nothing_is_answered_once_or_once_for_each_channel() {
    let mut proxy = Proxy::new();
    proxy.ask(&["UNSUBSCRIBE"]);
    let nothing = "*3\r\n$11\r\nunsubscribe\r\n$-1\r\n:0\r\n";
    let came = proxy.hear(nothing);
    assert_eq!((came.to_client.as_str(), came.affinities), (nothing, vec![Affinity::Unpin]));
    proxy.ask(&["UNSUBSCRIBE x y"]);
    assert_eq!(proxy.hear(&confirmed('*', "unsubscribe", "x", 0)).affinities, []);
    assert_eq!(proxy.hear(&confirmed('*', "unsubscribe", "y", 0)).affinities, [Affinity::Unpin]);
}

#[test]
fn in_resp3_a_subscriber_goes_on_sharing() {
    let mut proxy = Proxy::new();
    proxy.ask(&["HELLO 3"]);
    proxy.hear("%1\r\n+proto\r\n:3\r\n");
    assert_eq!(proxy.ask(&["SUBSCRIBE a b", "GET k"]).affinities, [Affinity::Private, Affinity::Free]);
    let first = confirmed('>', "subscribe", "a", 1);
    let pushed = ">3\r\n$7\r\nmessage\r\n$1\r\na\r\n$2\r\nhi\r\n";
    let second = confirmed('>', "subscribe", "b", 2);
    let came = proxy.hear(&format!("{first}{pushed}{second}$-1\r\n"));
    assert_eq!(came.to_client, format!("{first}{pushed}{second}$-1\r\n"));
    assert_eq!(proxy.ask(&["PING"]).to_client, "+PONG\r\n");
    proxy.ask(&["UNSUBSCRIBE"]);
    proxy.hear(&confirmed('>', "unsubscribe", "a", 1));
    assert_eq!(proxy.hear(&confirmed('>', "unsubscribe", "b", 0)).affinities, [Affinity::Unpin]);
}

#[test]
fn an_unasked_end_of_a_subscription_is_pushed() {
    let mut proxy = Proxy::new();
    proxy.ask(&["SSUBSCRIBE a"]);
    proxy.hear(&confirmed('*', "ssubscribe", "a", 1));
    let ended = confirmed('*', "sunsubscribe", "a", 0);
    let came = proxy.hear(&ended);
    assert_eq!((came.to_client, came.affinities), (ended, vec![Affinity::Unpin]));
}

#[test]
fn channels_live_at_home_and_channels_of_shards_where_a_key_would() {
    let mut codec = codec(codec_api::Side::Downstream, &codec_api::Options::default());
    for (command, spread) in [
        ("PUBLISH c x", Spread::Home),
        ("PUBSUB NUMSUB c", Spread::Home),
        ("SPUBLISH c x", Spread::Keys),
        ("SUBSCRIBE c", Spread::Home),
        ("PSUBSCRIBE c", Spread::Home),
        ("SSUBSCRIBE c", Spread::Keys),
        ("SUNSUBSCRIBE", Spread::Home),
    ] {
        let message = decode(&mut *codec, command);
        assert_eq!((message.kind, message.flow.spread), (Kind::Request, spread), "{command}");
    }
}

#[test]
fn what_a_monitor_sees_is_pushed_and_its_answers_are_not() {
    let mut proxy = Proxy::new();
    assert_eq!(proxy.ask(&["MONITOR"]).affinities, [Affinity::Pin]);
    let line = "+1339518083.107412 [0 127.0.0.1:60866] \"keys\" \"*\"\r\n";
    assert_eq!(proxy.hear(&format!("+OK\r\n{line}")).to_client, format!("+OK\r\n{line}"));
    proxy.ask(&["PING"]);
    assert_eq!(proxy.hear(&format!("{line}+PONG\r\n{line}")).to_client, format!("{line}+PONG\r\n{line}"));
}

#[test]
fn tracking_needs_resp3_and_has_a_connection_until_it_is_off() {
    let mut proxy = Proxy::new();
    let told = proxy.ask(&["CLIENT TRACKING ON", "CLIENT TRACKING OFF", "CLIENT TRACKING x"]).to_client;
    let refused = "-ERR CLIENT TRACKING is refused: it needs RESP3: send HELLO 3 first\r\n";
    assert_eq!(told, format!("{refused}+OK\r\n-ERR syntax error\r\n"));
    proxy.ask(&["HELLO 3"]);
    proxy.hear("%1\r\n+proto\r\n:3\r\n");
    assert!(proxy.ask(&["CLIENT TRACKING ON REDIRECT 5"]).to_client.contains("REDIRECT is refused"));
    let came = proxy.ask(&["CLIENT TRACKING ON BCAST", "GET k", "SUBSCRIBE c"]);
    assert_eq!(came.affinities, [Affinity::Pin, Affinity::Free, Affinity::Pin]);
    proxy.hear("+OK\r\n$-1\r\n");
    proxy.hear(&confirmed('>', "subscribe", "c", 1));
    let pushed = ">2\r\n$10\r\ninvalidate\r\n*1\r\n$1\r\nk\r\n";
    assert_eq!(proxy.hear(pushed).to_client, pushed);
    assert_eq!(proxy.ask(&["CLIENT TRACKING OFF"]).affinities, [Affinity::Pin], "the subscription is left");
    proxy.hear("+OK\r\n");
    proxy.ask(&["UNSUBSCRIBE"]);
    assert_eq!(proxy.hear(&confirmed('>', "unsubscribe", "c", 0)).affinities, [Affinity::Unpin]);
}
