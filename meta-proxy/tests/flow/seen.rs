//! What the access log tells of an exchange besides its end: its trace, its tries, and why it failed.

use std::path::PathBuf;
use std::time::Duration;

use meta_proxy::model::{AttributeMatcher, Matcher, ValueMatcher};
use meta_proxy::telemetry::{AccessLog, LogTarget, TRACE_LOOK_LIMIT};
use serde_json::Value;

use crate::spread;
use crate::support::{Actor, Behaviour, Frame, World, run, walks};

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const SPAN: &str = "00f067aa0ba902b7";

/// The file that a log is written to, with the folder that it is in.
struct Log(tempfile::TempDir);

impl Log {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self) -> PathBuf {
        self.0.path().join("log")
    }

    fn open(&self) -> AccessLog {
        self.open_for(TRACE_LOOK_LIMIT)
    }

    fn open_for(&self, trace_limit: usize) -> AccessLog {
        AccessLog::open(&LogTarget::File(self.path()), trace_limit).unwrap()
    }

    /// All lines, once nothing more is to come.
    fn lines(&self, world: &World) -> Vec<Value> {
        world.telemetry.access_log().unwrap().close();
        let text = std::fs::read_to_string(self.path()).unwrap();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }
}

/// A world with this log whose one endpoint answers all but `never`.
fn world(log: Option<&Log>) -> World {
    let mut world = World::logging(log.map(Log::open));
    world.echoing("all", 1, |method| method == "never");
    world
}

async fn ask(client: &mut Actor, id: u64, method: &str) {
    client.asks(id, method).await;
    client.gets(id).await;
}

fn wants_size(world: &mut World) {
    let matcher = Matcher::Is(ValueMatcher::Exact("0".to_owned()));
    world.route(None, "all").matchers = vec![AttributeMatcher { name: "size".to_owned(), matcher }];
}

#[test]
fn a_line_tells_the_trace_of_its_request_for_one_look_into_it() {
    for routes_look in [false, true] {
        run(async {
            let log = Log::new();
            let mut world = world(Some(&log));
            if routes_look {
                wants_size(&mut world);
            }
            world.route(None, "all");
            world.apply();
            let mut client = world.client();
            let rows = [
                (format!("traceparent:00-{TRACE}-{SPAN}-01"), TRACE),
                (format!("TraceParent:00-{TRACE}-{SPAN}-01+b3:{SPAN}-{SPAN}"), TRACE),
                (format!("traceparent:garbage+b3:{TRACE}-{SPAN}-1"), TRACE),
                (format!("x-b3-traceid:{SPAN}"), SPAN),
                ("get".to_owned(), ""),
                (format!("b3:{TRACE}"), ""),
            ];
            let before = walks();
            for (id, (method, _)) in (0..).zip(&rows) {
                ask(&mut client, id, method).await;
            }
            assert_eq!(walks() - before, rows.len());
            let lines = log.lines(&world);
            assert_eq!(lines.len(), rows.len());
            for (line, (method, trace)) in lines.iter().zip(&rows) {
                assert_eq!(line["method"], **method);
                assert_eq!(line["trace_id"].as_str().unwrap_or_default(), *trace, "{line}");
            }
        });
    }
}

#[test]
fn nobody_looks_for_a_trace_where_it_would_be_told_to_nobody_or_cannot_be() {
    for (is_logged, has_only_head) in [(false, false), (true, true)] {
        run(async {
            let log = Log::new();
            let mut world = world(is_logged.then_some(&log));
            world.conduct.has_only_head = has_only_head;
            world.route(None, "all");
            world.apply();
            let before = walks();
            ask(&mut world.client(), 1, &format!("b3:{TRACE}-{SPAN}")).await;
            assert_eq!(walks(), before);
        });
    }
}

#[test]
fn nobody_looks_for_a_trace_where_the_log_wants_none() {
    run(async {
        let log = Log::new();
        let mut world = World::logging(Some(log.open_for(0)));
        world.echoing("all", 1, |_| false);
        world.route(None, "all");
        world.apply();
        let before = walks();
        ask(&mut world.client(), 1, &format!("b3:{TRACE}-{SPAN}")).await;
        assert_eq!(walks(), before);
        assert_eq!(log.lines(&world)[0].get("trace_id"), None);
    });
}

#[test]
fn a_long_request_is_looked_into_for_its_routes_but_not_for_its_trace_alone() {
    for (routes_look, trace) in [(false, None), (true, Some(TRACE))] {
        run(async {
            let log = Log::new();
            let mut world = world(Some(&log));
            if routes_look {
                wants_size(&mut world);
            }
            world.route(None, "all");
            world.apply();
            let mut client = world.client();
            client
                .send(&Frame::new(b'q', 1, &format!("b3:{TRACE}-{SPAN}"), &vec![0; TRACE_LOOK_LIMIT]))
                .await;
            client.gets(1).await;
            assert_eq!(log.lines(&world)[0]["trace_id"].as_str(), trace);
        });
    }
}

#[test]
fn a_line_of_a_failure_tells_the_reason_that_the_client_was_told() {
    run(async {
        let log = Log::new();
        let mut world = world(Some(&log));
        world.endpoint("down", 2, Behaviour::Refuse);
        world.endpoint("down", 3, Behaviour::Refuse);
        world.route(Some("never"), "all").timeout = Some(Duration::from_millis(5));
        world.route(Some("get"), "all");
        world.route(Some("down"), "down");
        world.apply();
        let mut client = world.client();
        ask(&mut client, 0, "get").await;
        let mut told = Vec::new();
        for (id, method) in [(1, "never"), (2, "down"), (3, "other")] {
            client.asks(id, method).await;
            told.push(client.is_told(id).await);
        }
        let lines = log.lines(&world);
        let detail = |line: usize| lines[line]["detail"].as_str();
        assert_eq!(detail(0), None);
        for (line, told) in (1..).zip(&told) {
            assert_eq!(detail(line), told.split_once(": ").map(|(_, text)| text));
        }
        let tries: Vec<_> = lines.iter().map(|line| line["tries"].as_u64().unwrap()).collect();
        assert_eq!(tries, [1, 1, 2, 0]);
        let routes: Vec<_> = lines.iter().map(|line| line["route"].as_str().unwrap()).collect();
        assert_eq!(routes, ["to-all", "to-all", "to-down", "-"]);
    });
}

#[test]
fn a_reason_without_end_is_cut_off() {
    run(async {
        let log = Log::new();
        let mut world = world(Some(&log));
        let text = "größe".repeat(1000);
        world.route(None, "all").action = meta_proxy::model::RouteAction::Misconfigured(text.clone());
        world.apply();
        let mut client = world.client();
        client.asks(1, "get").await;
        client.gets_refusal(1, "Misconfigured").await;
        let lines = log.lines(&world);
        let detail = lines[0]["detail"].as_str().unwrap();
        assert!(text.starts_with(detail) && (1020..=1024).contains(&detail.len()), "{}", detail.len());
    });
}

#[test]
fn a_request_that_goes_to_several_endpoints_tells_how_many_and_why_it_failed() {
    run(async {
        let keys = spread::apart().await;
        let log = Log::new();
        let (mut world, keyed) = (World::logging(Some(log.open())), spread::keyed());
        (world.conduct, world.upstream_order) = (keyed.conduct, keyed.upstream_order);
        world.balancing = keyed.balancing.clone();
        for number in 1..=2 {
            world.serving("all", number);
        }
        world.endpoint("all", 3, Behaviour::Refuse);
        world.route(None, "all");
        world.apply();
        let mut client = world.client();
        client.asks(1, &format!("keys:{},{}", keys[0], keys[1])).await;
        client.gets(1).await;
        client.asks(2, &format!("keys:{},{}", keys[0], keys[2])).await;
        client.gets(2).await;
        let lines = log.lines(&world);
        let seen = |line: usize| (lines[line]["tries"].as_u64(), lines[line]["flags"].as_str());
        assert_eq!([seen(0), seen(1)], [(Some(2), Some("-")), (Some(2), Some("UF"))]);
        assert!(
            lines[1]["detail"]
                .as_str()
                .unwrap()
                .starts_with("no endpoint could be connected to (192.0.2.1:3: ")
        );
        assert_eq!(lines[1]["endpoint"], "192.0.2.1:3");
    });
}
