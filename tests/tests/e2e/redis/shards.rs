//! Keys on three servers behind one address: what is split, what is refused, what goes to all.

use std::collections::BTreeSet;

use e2e::redis::{Servers, answer, ask, ask_all, connect, error, sharded, tell};
use e2e::scene::Scene;
use peers::redis::{Client, Reply};

const COUNT: usize = 3;

async fn start() -> (Servers, Scene, Client) {
    let servers = Servers::start(COUNT).await;
    let scene = sharded(&servers).start().await;
    let client = connect(scene.address()).await;
    (servers, scene, client)
}

/// Each list's first element, then each list's second one, and so on: neighbours live on different servers.
fn interleaved(keys: &[Vec<String>]) -> Vec<&str> {
    let nth = |n: usize| keys.iter().filter_map(move |keys| keys.get(n).map(String::as_str));
    (0..keys[0].len()).flat_map(nth).collect()
}

#[tokio::test]
async fn commands_of_many_keys_are_split_and_answered_in_order() {
    let (servers, scene, mut client) = start().await;
    let keys = servers.keys(scene.address(), 8).await;
    let all = interleaved(&keys);
    let pairs: Vec<_> = all.iter().map(|key| format!("{key} value-of-{key}")).collect();
    assert!(ask(&mut client, &format!("MSET {}", pairs.join(" "))).await.is_ok());
    for (server, keys) in keys.iter().enumerate() {
        let mut direct = servers.direct(server).await;
        assert_eq!(ask(&mut direct, "DBSIZE").await, Reply::Integer(8));
        for key in keys {
            assert_eq!(
                ask(&mut direct, &format!("GET {key}")).await.text(),
                Some(&*format!("value-of-{key}"))
            );
        }
    }
    let mget = format!("MGET missing {} {} {}", all.join(" "), all[0], all[1]);
    let values = ask(&mut client, &mget).await;
    let value = |key: &&str| Reply::from(&*format!("value-of-{key}"));
    let mut expected = vec![Reply::NullBulk];
    expected.extend(all.iter().map(value));
    expected.extend(all[..2].iter().map(value));
    assert_eq!(values, Reply::Array(expected));

    let twice = format!("{} {} missing", all.join(" "), all[3]);
    assert_eq!(ask(&mut client, &format!("EXISTS {twice}")).await, Reply::Integer(25));
    assert_eq!(ask(&mut client, &format!("TOUCH {twice}")).await, Reply::Integer(25));
    assert_eq!(ask(&mut client, &format!("DEL {} missing", all[..10].join(" "))).await, Reply::Integer(10));
    assert_eq!(ask(&mut client, &format!("UNLINK {}", all.join(" "))).await, Reply::Integer(14));
    assert_eq!(ask(&mut client, &format!("EXISTS {twice}")).await, Reply::Integer(0));

    let hello = ask(&mut client, "HELLO 3").await;
    assert!(hello.error().is_none(), "{hello:?}");
    let nulls = ask(&mut client, &format!("MGET {}", all[..3].join(" "))).await;
    assert_eq!(nulls, Reply::Array(vec![Reply::Null; 3]), "RESP3");
    scene.end().await;
}

#[tokio::test]
async fn split_commands_keep_their_turn_and_any_bytes() {
    let (servers, scene, mut client) = start().await;
    let keys = servers.keys(scene.address(), 2).await;
    let all = interleaved(&keys);
    let binary = b"\r\n\0\xff$3\r\n".as_slice();
    let mut mset: Vec<&[u8]> = vec![b"MSET"];
    for key in &all {
        mset.extend([key.as_bytes(), binary]);
    }
    for round in 0..50 {
        client.send(&mset).await.unwrap();
        let (plain, many) = (format!("GET {}", all[round % all.len()]), format!("MGET {}", all.join(" ")));
        for words in [&*many, &*plain, "PING", &*many, &*plain] {
            tell(&mut client, words).await;
        }
    }
    let value = || Reply::Bulk(binary.to_vec());
    for _ in 0..50 {
        assert!(answer(&mut client).await.is_ok());
        for expected in [None, Some(value()), Some(Reply::Simple("PONG".into())), None, Some(value())] {
            let expected = expected.unwrap_or_else(|| Reply::Array(vec![value(); all.len()]));
            assert_eq!(answer(&mut client).await, expected);
        }
    }
    scene.end().await;
}

#[tokio::test]
async fn keys_with_one_hash_tag_live_together() {
    let (servers, scene, mut client) = start().await;
    let mut holders = BTreeSet::new();
    for user in 0..20 {
        let [one, two] = ["one", "two"].map(|key| format!("{{user-{user}}}:{key}"));
        assert!(ask(&mut client, &format!("MSET {one} 1 {two} 2")).await.is_ok());
        assert_eq!(servers.holder(&one).await, servers.holder(&two).await);
        holders.insert(servers.holder(&one).await);
        let renamed = format!("x{{user-{user}}}{{other}}");
        assert!(ask(&mut client, &format!("RENAME {one} {renamed}")).await.is_ok());
        let script = format!("EVAL return{{KEYS[1],redis.call('get',KEYS[2])}} 2 {renamed} {two}");
        assert_eq!(ask(&mut client, &script).await, Reply::from(vec![renamed.as_str().into(), "2".into()]));
    }
    assert_eq!(holders.len(), COUNT, "20 users live on all servers");
    scene.end().await;
}

#[tokio::test]
async fn other_commands_whose_keys_live_apart_are_refused() {
    let (servers, scene, mut client) = start().await;
    let keys = servers.keys(scene.address(), 1).await;
    let [one, two] = [&keys[0][0], &keys[1][0]];
    let commands = [
        format!("RENAME {one} {two}"),
        format!("SINTER {one} {two}"),
        format!("SUNIONSTORE {one} {one} {two}"),
        format!("LMOVE {one} {two} LEFT LEFT"),
        format!("BLPOP {one} {two} 0"),
        format!("MSETNX {one} 1 {two} 2"),
        format!("EVAL return{{}} 2 {one} {two}"),
        format!("ZUNION 2 {one} {two}"),
        format!("PFCOUNT {one} {two}"),
        format!("COPY {one} {two}"),
        format!("XREAD STREAMS {one} {two} 0 0"),
        format!("WATCH {one} {two}"),
    ];
    for command in &commands {
        let refused = ask(&mut client, command).await;
        assert!(error(&refused).starts_with("CROSSSLOT "), "{command}: {refused:?}");
        assert!(ask(&mut client, &format!("SET {one} 1")).await.is_ok(), "the connection lives");
        ask(&mut client, &format!("DEL {one}")).await;
    }
    assert_eq!(ask(&mut client, "DBSIZE").await, Reply::Integer(0));
    scene.end().await;
}

#[tokio::test]
async fn what_is_split_may_be_a_mebibyte_long() {
    let (servers, scene, mut client) = start().await;
    let keys = servers.keys(scene.address(), 1).await;
    let [one, two] = [&*keys[0][0], &*keys[1][0]];
    let large = "x".repeat(1 << 20);
    let refused = client.call(&["MSET", one, &large, two, "1"]).await.unwrap();
    assert!(refused.error().is_some(), "{refused:?}");
    assert!(ask(&mut client, &format!("GET {one}")).await.is_null(), "nothing was written");
    assert!(client.call(&["MSET", one, &large, one, &large]).await.unwrap().is_ok(), "it is not split");
    assert!(ask(&mut client, &format!("SET {two} 2")).await.is_ok());
    let refused = ask(&mut client, &format!("MGET {one} {two}")).await;
    assert!(refused.error().is_some(), "{refused:?}");
    assert_eq!(ask(&mut client, &format!("GET {two}")).await, Reply::from("2"), "the connection lives");
    scene.end().await;
}

#[tokio::test]
async fn commands_without_keys_see_all_servers() {
    let (servers, scene, mut client) = start().await;
    let keys = servers.keys(scene.address(), 5).await;
    let all = interleaved(&keys);
    for key in &all {
        assert!(ask(&mut client, &format!("SET {key} 1")).await.is_ok());
    }
    assert_eq!(ask(&mut client, "DBSIZE").await, Reply::Integer(15));
    let told = ask(&mut client, "KEYS *").await;
    let told: BTreeSet<_> = told.items().unwrap().iter().filter_map(Reply::text).collect();
    assert_eq!(told, all.iter().copied().collect());

    let sha = ask(&mut client, "SCRIPT LOAD return(KEYS[1])").await;
    let sha = sha.text().unwrap().to_owned();
    for key in &all {
        assert_eq!(ask(&mut client, &format!("EVALSHA {sha} 1 {key}")).await, Reply::from(*key));
    }
    assert_eq!(
        ask(&mut client, &format!("SCRIPT EXISTS {sha} {}", "0".repeat(40))).await,
        Reply::from(vec![1.into(), 0.into()])
    );
    assert!(ask(&mut client, "SCRIPT FLUSH").await.is_ok());
    for key in &all {
        assert!(error(&ask(&mut client, &format!("EVALSHA {sha} 1 {key}")).await).starts_with("NOSCRIPT"));
    }
    let library = "#!lua name=mine\nredis.register_function('first', function(keys) return keys[1] end)";
    assert_eq!(client.call(&["FUNCTION", "LOAD", library]).await.unwrap(), Reply::from("mine"));
    for key in &all {
        assert_eq!(ask(&mut client, &format!("FCALL first 1 {key}")).await, Reply::from(*key));
    }

    assert!(ask(&mut client, "FLUSHALL").await.is_ok());
    for server in 0..COUNT {
        assert_eq!(ask(&mut servers.direct(server).await, "DBSIZE").await, Reply::Integer(0));
    }
    scene.end().await;
}

#[tokio::test]
async fn a_server_that_is_away_is_told_where_all_are_asked() {
    let (mut servers, scene, mut client) = start().await;
    let keys = servers.keys(scene.address(), 1).await;
    servers[1].kill().unwrap();
    for words in ["DBSIZE".to_owned(), format!("MGET {} {}", keys[0][0], keys[1][0])] {
        let told = ask(&mut client, &words).await;
        assert!(told.error().is_some(), "{words}: half an answer is none: {told:?}");
    }
    let fine = [format!("MGET {} {}", keys[0][0], keys[2][0]), format!("SET {} 1", keys[0][0])];
    let answers = ask_all(&mut client, &fine.each_ref().map(String::as_str)).await;
    assert_eq!(answers[0], Reply::from(vec![Reply::NullBulk, Reply::NullBulk]));
    assert!(answers[1].is_ok());
    scene.end().await;
}

#[tokio::test]
async fn subscribers_hear_what_is_published_wherever_it_goes() {
    let (_servers, scene, mut publisher) = start().await;
    let channels: Vec<_> = (0..20).map(|number| format!("channel-{number}")).collect();
    for protocol in [2, 3] {
        let mut by_name = connect(scene.address()).await;
        let mut by_pattern = connect(scene.address()).await;
        for client in [&mut by_name, &mut by_pattern] {
            assert!(ask(client, &format!("HELLO {protocol}")).await.error().is_none());
        }
        tell(&mut by_name, &format!("SUBSCRIBE {}", channels.join(" "))).await;
        tell(&mut by_pattern, "PSUBSCRIBE channel-*").await;
        for count in 1..=20 {
            let confirmed = by_name.receive_any().await.unwrap();
            assert_eq!(confirmed.items().unwrap()[2], Reply::Integer(count), "{confirmed:?}");
        }
        by_pattern.receive_any().await.unwrap();
        for channel in &channels {
            let heard = ask(&mut publisher, &format!("PUBLISH {channel} from-{channel}")).await;
            assert_eq!(heard, Reply::Integer(2), "{channel}");
        }
        for channel in &channels {
            let text = format!("from-{channel}");
            for (client, expected) in [
                (&mut by_name, vec!["message", channel, &text]),
                (&mut by_pattern, vec!["pmessage", "channel-*", channel, &text]),
            ] {
                let heard = client.receive_any().await.unwrap();
                let heard: Vec<_> = heard.items().unwrap().iter().filter_map(Reply::text).collect();
                assert_eq!(heard, expected, "once, and in order");
            }
        }
        if protocol == 3 {
            assert!(ask(&mut by_name, "SET key 1").await.is_ok(), "RESP3 subscribers may ask");
            assert_eq!(ask(&mut by_name, "GET key").await, Reply::from("1"));
        }
        tell(&mut by_name, "UNSUBSCRIBE").await;
        for _ in &channels {
            by_name.receive_any().await.unwrap();
        }
        assert!(ask(&mut by_name, "SET key 2").await.is_ok(), "as before");
        assert_eq!(ask(&mut publisher, "PUBLISH channel-1 x").await, Reply::Integer(1));
    }
    scene.end().await;
}
