//! What is kept for a client: database, user, protocol version, names, whether it wants answers.

use codec_api::{Affinity, Cause, OptionValue, Options, Out, Side};

use crate::proxy::{Proxy, array, codec, options};

fn prelude(session: &[u8], upstream: &Options) -> (usize, String) {
    let mut out = Out::new();
    let count = codec(Side::Upstream, upstream).prelude(session, &mut out);
    (count, String::from_utf8(out.to_vec()).unwrap())
}

fn sent(commands: &[&str]) -> String {
    commands.iter().map(|command| String::from_utf8(array(command)).unwrap()).collect()
}

#[test]
fn a_session_holds_once_it_is_granted_and_not_if_it_is_refused() {
    let mut proxy = Proxy::new();
    assert_eq!(proxy.client.session(), b"");
    assert_eq!(proxy.ask(&["SELECT 3"]).affinities, [Affinity::Session]);
    assert_eq!(prelude(proxy.client.session(), &Options::default()), (1, sent(&["SELECT 3"])));
    proxy.hear("+OK\r\n");
    let third = proxy.client.session().to_vec();
    assert_eq!(prelude(&third, &Options::default()), (1, sent(&["SELECT 3"])));
    proxy.ask(&["SELECT 99"]);
    assert_ne!(proxy.client.session(), third);
    assert_eq!(
        proxy.hear("-ERR DB index is out of range\r\n").to_client,
        "-ERR DB index is out of range\r\n"
    );
    assert_eq!(proxy.client.session(), third);
    proxy.fail("SELECT 4", Cause::ConnectFailure);
    assert_eq!(proxy.client.session(), third);
    proxy.ask(&["SELECT 0"]);
    proxy.hear("+OK\r\n");
    assert_eq!(proxy.client.session(), b"");
}

#[test]
fn a_connection_is_set_up_with_version_user_and_database() {
    let mut proxy = Proxy::new();
    proxy.ask(&["AUTH ada pw"]);
    proxy.hear("+OK\r\n");
    assert_eq!(prelude(proxy.client.session(), &Options::default()), (1, sent(&["AUTH ada pw"])));
    proxy.ask(&["SELECT 2"]);
    proxy.hear("+OK\r\n");
    assert_eq!(prelude(proxy.client.session(), &Options::default()), (2, sent(&["AUTH ada pw", "SELECT 2"])));
    let came = proxy.ask(&["HELLO 3 SETNAME me AUTH bob pw2"]);
    assert_eq!(came.to_endpoint, sent(&["HELLO 3 AUTH bob pw2"]), "the name stays here");
    proxy.hear("%1\r\n+proto\r\n:3\r\n");
    let both = sent(&["HELLO 3 AUTH bob pw2", "SELECT 2"]);
    assert_eq!(prelude(proxy.client.session(), &Options::default()), (2, both));
    assert_eq!(proxy.ask(&["CLIENT GETNAME"]).to_client, "$2\r\nme\r\n");
    proxy.ask(&["AUTH pw3"]);
    proxy.hear("+OK\r\n");
    let both = sent(&["HELLO 3 AUTH default pw3", "SELECT 2"]);
    assert_eq!(prelude(proxy.client.session(), &Options::default()), (2, both));
}

#[test]
fn a_name_that_comes_with_a_refused_hello_is_not_taken() {
    let mut proxy = Proxy::new();
    proxy.ask(&["HELLO 3 SETNAME me"]);
    proxy.hear("-NOPROTO unsupported protocol version\r\n");
    assert_eq!(proxy.ask(&["CLIENT GETNAME"]).to_client, "$-1\r\n");
}

#[test]
fn mistakes_are_answered_by_the_proxy_as_redis_answers_them() {
    let told =
        Proxy::new().ask(&["SELECT x", "SELECT -1", "SELECT", "AUTH", "AUTH a b c", "HELLO 4", "HELLO x"]);
    assert_eq!(told.to_endpoint, "");
    let expected = [
        "-ERR value is not an integer or out of range",
        "-ERR DB index is out of range",
        "-ERR wrong number of arguments for 'select' command",
        "-ERR wrong number of arguments for 'auth' command",
        "-ERR syntax error",
        "-NOPROTO unsupported protocol version",
        "-ERR Protocol version is not an integer or out of range",
        "",
    ];
    assert_eq!(told.to_client, expected.join("\r\n"));
}

#[test]
fn endpoints_are_told_the_password_from_the_file_unless_the_client_has_one() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("password");
    std::fs::write(&file, "secret\n").unwrap();
    let file = OptionValue::Text(file.to_str().unwrap().to_owned());
    let upstream = options([("passwordFile", file.clone())]);
    assert_eq!(prelude(b"", &upstream), (1, sent(&["AUTH secret"])));
    let named = options([("passwordFile", file), ("user", OptionValue::Text("proxy".to_owned()))]);
    assert_eq!(prelude(b"", &named), (1, sent(&["AUTH proxy secret"])));
    let mut proxy = Proxy::new();
    proxy.ask(&["HELLO 3"]);
    assert_eq!(prelude(proxy.client.session(), &upstream), (1, sent(&["HELLO 3 AUTH default secret"])));
    assert_eq!(prelude(proxy.client.session(), &named), (1, sent(&["HELLO 3 AUTH proxy secret"])));
    proxy.hear("%1\r\n+proto\r\n:3\r\n");
    proxy.ask(&["AUTH ada pw"]);
    assert_eq!(prelude(proxy.client.session(), &named), (1, sent(&["HELLO 3 AUTH ada pw"])));
}

/// A proxy that asks for the default user's password, `secret`, or that of `ada`, `pw`.
fn guarded() -> (Proxy, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        OptionValue::Text(path.to_str().unwrap().to_owned())
    };
    let ada = [("name", OptionValue::Text("ada".to_owned())), ("passwordFile", file("ada", "pw"))];
    let ada = OptionValue::Map(ada.map(|(name, value)| (name.to_owned(), value)).into());
    let auth = [("passwordFile", file("default", "secret")), ("users", OptionValue::List(vec![ada]))];
    let auth = OptionValue::Map(auth.map(|(name, value)| (name.to_owned(), value)).into());
    (Proxy::with(&options([("auth", auth)]), &Options::default()), folder)
}

#[test]
fn a_stranger_may_authenticate_and_nothing_else() {
    let (mut proxy, _folder) = guarded();
    let came = proxy.ask(&[
        "GET k",
        "PING",
        "NOSUCH",
        "HELLO 3",
        "AUTH secret2",
        "AUTH ada secret",
        "AUTH eve pw",
        "GET k",
    ]);
    assert_eq!(came.to_endpoint, "");
    assert_eq!(
        came.to_client.matches("-NOAUTH Authentication required.\r\n").count(),
        4,
        "{}",
        came.to_client
    );
    assert_eq!(came.to_client.matches("-WRONGPASS ").count(), 3, "{}", came.to_client);
    assert_eq!(came.to_client.matches("-NOAUTH HELLO must be called").count(), 1, "{}", came.to_client);
    let came = proxy.ask(&["AUTH secret", "GET k"]);
    assert_eq!((came.to_client.as_str(), came.to_endpoint), ("+OK\r\n", sent(&["GET k"])));
    assert_eq!(proxy.client.session(), b"", "the client's password is not for endpoints");
}

#[test]
fn credentials_that_are_for_the_proxy_do_not_leave_it() {
    let (mut proxy, _folder) = guarded();
    let came = proxy.ask(&["HELLO 3 AUTH ada pw SETNAME x"]);
    assert_eq!(came.to_endpoint, sent(&["HELLO 3"]));
    proxy.hear("%1\r\n+proto\r\n:3\r\n");
    assert_eq!(prelude(proxy.client.session(), &Options::default()), (1, sent(&["HELLO 3"])));
    let told = proxy.ask(&["CLIENT INFO"]).to_client;
    assert!(told.contains(" name=x ") && told.contains(" user=ada ") && told.contains(" resp=3 "), "{told}");
    assert_eq!(proxy.ask(&["RESET"]).to_client, "+RESET\r\n");
    assert_eq!(proxy.ask(&["GET k"]).to_client, "-NOAUTH Authentication required.\r\n");
}

#[test]
fn strangers_may_not_send_much() {
    let (mut proxy, _folder) = guarded();
    let many = array("MSET a b c d e f g h i j");
    let codec_api::Decoded::Reject(rejected) = proxy.client.decode(&many).unwrap() else {
        panic!("it is taken")
    };
    assert_eq!(rejected.cause, Cause::TooLarge);
    let (mut proxy, _folder) = guarded();
    let long = format!("*2\r\n$4\r\nAUTH\r\n${}\r\n", 17 << 10);
    assert!(matches!(proxy.client.decode(long.as_bytes()), Ok(codec_api::Decoded::Reject(_))));
}

#[test]
fn reset_makes_a_client_new() {
    let mut proxy = Proxy::new();
    proxy.ask(&["SELECT 3"]);
    proxy.hear("+OK\r\n");
    let came = proxy.ask(&["CLIENT SETNAME x", "CLIENT REPLY OFF", "MULTI", "RESET"]);
    assert_eq!(came.to_client, "+OK\r\n+RESET\r\n", "answers are wanted again");
    assert_eq!(proxy.client.session(), b"");
    assert_eq!(proxy.ask(&["CLIENT GETNAME", "EXEC"]).to_client, "$-1\r\n-ERR EXEC without MULTI\r\n");
}

#[test]
fn answers_that_a_client_does_not_want_are_not_written() {
    let mut proxy = Proxy::new();
    assert_eq!(proxy.ask(&["CLIENT REPLY SKIP", "GET a", "GET b"]).to_client, "");
    assert_eq!(proxy.hear("$1\r\na\r\n$1\r\nb\r\n").to_client, "$1\r\nb\r\n");
    let came = proxy.ask(&[
        "CLIENT REPLY OFF",
        "GET a",
        "PING",
        "SHUTDOWN",
        "CLIENT REPLY SKIP",
        "GET b",
        "CLIENT REPLY ON",
    ]);
    assert_eq!(came.to_client, "");
    assert_eq!(proxy.hear("$1\r\na\r\n$1\r\nb\r\n").to_client, "+OK\r\n");
    let pushed = ">2\r\n$10\r\ninvalidate\r\n*1\r\n$1\r\nk\r\n";
    proxy.ask(&["CLIENT REPLY OFF"]);
    assert_eq!(proxy.hear(pushed).to_client, pushed);
}

#[test]
fn names_are_kept_by_the_proxy() {
    let mut proxy = Proxy::new();
    let came = proxy.send(
        &[
            array("CLIENT SETNAME x"),
            crate::proxy::of_words(&["CLIENT", "SETNAME", "a b"]),
            array("client getname"),
        ]
        .concat(),
        None,
    );
    let bad = "-ERR Client names cannot contain spaces, newlines or special characters.\r\n";
    assert_eq!(came.to_client, format!("+OK\r\n{bad}$1\r\nx\r\n"));
    let came = proxy.ask(&[
        "CLIENT SETINFO LIB-NAME lib",
        "CLIENT SETINFO lib-ver 1",
        "CLIENT SETINFO x 1",
        "CLIENT SETNAME",
    ]);
    let expected = "+OK\r\n+OK\r\n-ERR Unrecognized option 'x'\r\n\
                    -ERR wrong number of arguments for 'client|setname' command\r\n";
    assert_eq!(came.to_client, expected);
    let told = proxy.ask(&["CLIENT INFO"]).to_client;
    assert!(told.contains(" name=x ") && told.contains("lib-name=lib lib-ver=1"), "{told}");
    let ids = [&mut proxy, &mut Proxy::new()].map(|proxy| proxy.ask(&["CLIENT ID"]).to_client);
    assert_ne!(ids[0], ids[1]);
}

#[test]
fn an_answer_is_written_in_the_version_of_its_own_time() {
    let mut proxy = Proxy::new();
    assert_eq!(proxy.ask(&["ECHO a", "CLIENT GETNAME", "HELLO 3", "CLIENT GETNAME"]).to_client, "");
    let told = proxy.hear("$1\r\na\r\n%1\r\n+proto\r\n:3\r\n").to_client;
    assert_eq!(told, "$1\r\na\r\n$-1\r\n%1\r\n+proto\r\n:3\r\n_\r\n");
}

#[test]
fn what_follows_quit_is_not_looked_at() {
    let mut proxy = Proxy::new();
    let came = proxy.ask(&["PING", "QUIT", "SET a 1", "PING"]);
    assert_eq!((came.to_client.as_str(), came.to_endpoint.as_str()), ("+PONG\r\n+OK\r\n", ""));
    assert!(proxy.has_closed);
}
