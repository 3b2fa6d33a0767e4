//! MULTI, EXEC, WATCH, and what becomes of a transaction when something in it is refused.

use codec_api::{Affinity, Cause, LocalReply, Options, Out, Outgoing, Raw, Side};

use crate::proxy::{Proxy, array};

const ABORTED: &str = "-EXECABORT Transaction discarded because of previous errors.\r\n";

fn sent(commands: &[&str]) -> String {
    commands.iter().map(|command| String::from_utf8(array(command)).unwrap()).collect()
}

#[test]
fn multi_is_sent_with_the_first_command_and_its_answer_is_swallowed() {
    let mut proxy = Proxy::new();
    let came = proxy.ask(&["MULTI"]);
    assert_eq!((came.to_client.as_str(), came.to_endpoint.as_str()), ("+OK\r\n", ""));
    let came = proxy.ask(&["SET a 1", "GET a"]);
    assert_eq!(came.to_endpoint, sent(&["MULTI", "SET a 1", "GET a"]));
    assert_eq!(came.affinities, [Affinity::Pin, Affinity::Free]);
    assert_eq!(proxy.hear("+OK\r\n+QUEUED\r\n+QUEUED\r\n").to_client, "+QUEUED\r\n+QUEUED\r\n");
    let came = proxy.ask(&["EXEC"]);
    assert_eq!((came.to_endpoint, came.affinities), (sent(&["EXEC"]), vec![Affinity::Unpin]));
    assert_eq!(proxy.hear("*2\r\n+OK\r\n$1\r\n1\r\n").to_client, "*2\r\n+OK\r\n$1\r\n1\r\n");
    assert_eq!(proxy.ask(&["GET a"]).affinities, [Affinity::Free]);
}

#[test]
fn a_transaction_of_nothing_is_answered_by_the_proxy() {
    let mut proxy = Proxy::new();
    let came = proxy
        .ask(&["MULTI", "EXEC", "MULTI", "DISCARD", "EXEC", "DISCARD", "MULTI", "MULTI", "WATCH a", "EXEC"]);
    let expected = "+OK\r\n*0\r\n+OK\r\n+OK\r\n-ERR EXEC without MULTI\r\n-ERR DISCARD without MULTI\r\n+OK\r\n\
                    -ERR MULTI calls can not be nested\r\n-ERR WATCH inside MULTI is not allowed\r\n*0\r\n";
    assert_eq!((came.to_client.as_str(), came.to_endpoint.as_str()), (expected, ""));
}

#[test]
fn a_refused_command_keeps_the_others_from_being_run() {
    for refused in
        ["SHUTDOWN", "SELECT 1", "SUBSCRIBE a", "CLIENT SETNAME x", "CLIENT NOSUCH", "CLIENT", "NOSUCH a"]
    {
        let mut proxy = Proxy::new();
        let came = proxy.ask(&["MULTI", "SET a 1", refused, "EXEC"]);
        assert_eq!(came.to_endpoint, sent(&["MULTI", "SET a 1", "DISCARD"]), "{refused}");
        let told = proxy.hear("+OK\r\n+QUEUED\r\n+OK\r\n").to_client;
        assert!(told.starts_with("+QUEUED\r\n-ERR "), "{refused}: {told}");
        assert!(told.ends_with(ABORTED), "{refused}: {told}");
        let came = proxy.ask(&["MULTI", "GET a", "EXEC"]);
        assert_eq!(came.to_endpoint, sent(&["MULTI", "GET a", "EXEC"]), "{refused}: the next one is clean");
        assert_eq!(proxy.hear("+OK\r\n+QUEUED\r\n*1\r\n$-1\r\n").to_client, "+QUEUED\r\n*1\r\n$-1\r\n");
    }
}

#[test]
fn a_command_that_the_proxy_could_not_send_keeps_the_others_from_being_run() {
    let mut proxy = Proxy::new();
    proxy.ask(&["MULTI", "SET a 1"]);
    proxy.hear("+OK\r\n+QUEUED\r\n");
    assert!(proxy.fail("SET b 2", Cause::Scattered).to_client.starts_with("-CROSSSLOT "));
    assert_eq!(proxy.ask(&["EXEC"]).to_endpoint, sent(&["DISCARD"]));
    assert_eq!(proxy.hear("+OK\r\n").to_client, ABORTED);
}

#[test]
fn nothing_is_sent_of_a_transaction_whose_first_command_could_not_be() {
    let mut proxy = Proxy::new();
    proxy.ask(&["MULTI"]);
    assert!(proxy.fail("SET a 1", Cause::NoEndpoint).to_client.starts_with("-NOENDPOINT "));
    let came = proxy.ask(&["SET b 2", "EXEC", "GET a"]);
    assert_eq!(came.to_client, format!("+QUEUED\r\n{ABORTED}"));
    assert_eq!(came.to_endpoint, sent(&["GET a"]));
    assert_eq!(came.affinities, [Affinity::Free]);
}

#[test]
fn a_refusal_with_nothing_sent_is_enough() {
    let came =
        Proxy::new().ask(&["MULTI", "SHUTDOWN", "EXEC", "MULTI", "SHUTDOWN", "DISCARD", "MULTI", "EXEC"]);
    assert_eq!(came.to_endpoint, "");
    assert!(came.to_client.contains(&format!("itself\r\n{ABORTED}+OK\r\n")), "{}", came.to_client);
    assert!(came.to_client.ends_with("itself\r\n+OK\r\n+OK\r\n*0\r\n"), "{}", came.to_client);
}

#[test]
fn watch_gives_the_client_a_connection_until_exec_discard_or_unwatch() {
    for end in ["EXEC", "DISCARD"] {
        let mut proxy = Proxy::new();
        let came = proxy.ask(&["WATCH k", "GET k", "MULTI", "SET k 2", end]);
        assert_eq!(came.to_endpoint, sent(&["WATCH k", "GET k", "MULTI", "SET k 2", end]));
        assert_eq!(came.affinities[0], Affinity::Pin);
        assert_eq!(came.affinities[4], Affinity::Unpin);
        let replies = "+OK\r\n$1\r\n1\r\n+OK\r\n+QUEUED\r\n*-1\r\n";
        assert_eq!(proxy.hear(replies).to_client, replies);
    }
    let mut proxy = Proxy::new();
    assert_eq!(proxy.ask(&["UNWATCH"]).to_client, "+OK\r\n");
    assert_eq!(proxy.ask(&["WATCH k", "UNWATCH"]).affinities, [Affinity::Pin, Affinity::Unpin]);
}

#[test]
fn a_watch_that_was_not_sent_leaves_no_connection_to_its_client() {
    let mut proxy = Proxy::new();
    proxy.ask(&["SUBSCRIBE a", "UNSUBSCRIBE a"]);
    proxy.hear("*3\r\n$9\r\nsubscribe\r\n$1\r\na\r\n:1\r\n");
    // The pin ends while WATCH, which came behind it, waits for one of its own.
    proxy.hear("*3\r\n$11\r\nunsubscribe\r\n$1\r\na\r\n:0\r\n");
    assert!(proxy.fail("WATCH k", Cause::ConnectFailure).to_client.starts_with("-CONNECTFAILURE "));
    let came = proxy.ask(&["MULTI"]);
    assert_eq!((came.to_client.as_str(), came.to_endpoint.as_str()), ("+OK\r\n", ""));
}

#[test]
fn a_multi_is_never_written_to_a_connection_that_clients_share() {
    let mut proxy = Proxy::new();
    proxy.ask(&["WATCH k"]);
    proxy.hear("+OK\r\n");
    let multi = array("MULTI");
    let codec_api::Decoded::Message(message) = proxy.client.decode(&multi).unwrap() else {
        panic!("no MULTI")
    };
    let outgoing = Outgoing { message: &message, bytes: Raw::Slice(&multi), id: 0 };
    let mut out = Out::new();
    let mut shared = crate::proxy::codec(Side::Upstream, &Options::default());
    assert_eq!(shared.write(&outgoing, &[], &mut out).unwrap_err().cause, Cause::ConnectionLost);
    assert!(out.is_empty());
    // Its client is told so, and nothing of the transaction is sent.
    let reply = LocalReply { cause: Cause::ConnectionLost, text: "gone" };
    proxy.client.local_reply(message.request_head(), reply, &mut out);
    let came = proxy.ask(&["SET k 1", "EXEC"]);
    assert_eq!((came.to_client, came.to_endpoint.as_str()), (format!("+QUEUED\r\n{ABORTED}"), ""));
}

#[test]
fn exec_with_arguments_ends_the_transaction_and_runs_nothing() {
    let mut proxy = Proxy::new();
    assert_eq!(
        proxy.ask(&["MULTI", "SET a 1", "EXEC a"]).to_endpoint,
        sent(&["MULTI", "SET a 1", "DISCARD"])
    );
    assert_eq!(proxy.hear("+OK\r\n+QUEUED\r\n+OK\r\n").to_client, format!("+QUEUED\r\n{ABORTED}"));
    let came = proxy.ask(&["EXEC", "MULTI", "EXEC a", "EXEC"]);
    assert_eq!(
        came.to_client,
        format!("-ERR EXEC without MULTI\r\n+OK\r\n{ABORTED}-ERR EXEC without MULTI\r\n")
    );
}

#[test]
fn what_would_wait_or_go_everywhere_does_neither_in_a_transaction() {
    let mut proxy = Proxy::new();
    let came = proxy.ask(&["MULTI", "BLPOP l 0", "WAIT 1 0", "FLUSHALL", "PING", "EXEC"]);
    assert_eq!(came.affinities[1..], [Affinity::Free, Affinity::Free, Affinity::Free, Affinity::Unpin]);
    assert_eq!(came.to_endpoint, sent(&["MULTI", "BLPOP l 0", "WAIT 1 0", "FLUSHALL", "PING", "EXEC"]));
}

#[test]
fn a_transaction_on_a_connection_that_is_kept_for_more_does_not_give_it_back() {
    let mut proxy = Proxy::new();
    proxy.ask(&["CLIENT NO-EVICT ON"]);
    proxy.hear("+OK\r\n");
    let came = proxy.ask(&["MULTI", "GET a", "EXEC", "CLIENT NO-EVICT OFF"]);
    assert_eq!(came.affinities, [Affinity::Pin, Affinity::Free, Affinity::Pin, Affinity::Unpin]);
    assert_eq!(came.to_endpoint, sent(&["MULTI", "GET a", "EXEC", "CLIENT NO-EVICT OFF"]));
}
