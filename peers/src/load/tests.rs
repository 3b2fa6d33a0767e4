//! The engine against the echo server, and against servers that misbehave.

use super::{Pace, Plan, Report, Running, start};
use crate::dubbo::{Call, EchoLoad, echo};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::time::{Duration, Instant};
use tokio::runtime::{Builder, LocalOptions};

/// An echo server on a thread of its own, for as long as the test process lives.
fn echo_server() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        let runtime =
            Builder::new_current_thread().enable_all().build_local(LocalOptions::default()).unwrap();
        runtime.block_on(async {
            listener.set_nonblocking(true).unwrap();
            echo::serve(tokio::net::TcpListener::from_std(listener).unwrap()).await
        })
    });
    address
}

fn load() -> EchoLoad {
    EchoLoad::new(Call::new("com.acme.Orders", "echo"), 100)
}

fn eventually(what: &str, mut is_so: impl FnMut() -> bool) {
    let end = Instant::now() + Duration::from_secs(20);
    while !is_so() {
        assert!(Instant::now() < end, "{what}: not within 20 s");
        std::thread::yield_now();
    }
}

fn until(running: Running, completed: u64) -> Report {
    eventually("so many replies", || running.completed() >= completed || running.errors() > 0);
    running.join()
}

#[test]
fn a_closed_loop_keeps_its_depth_and_loses_nothing() {
    let report = until(start(Plan::closed(echo_server(), 5, 7), load()).unwrap(), 10_000);
    assert_eq!((report.errors, report.closed, report.first_error), (0, 0, None));
    assert_eq!(report.sent, report.completed);
    let all = report.timeline.window(Duration::ZERO, Duration::from_secs(100));
    assert_eq!((all.completed, all.latencies.len()), (report.completed, report.completed));
    assert!(all.quantile_us(0.5) > 0);
}

#[test]
fn an_open_loop_keeps_its_rate() {
    let running = start(Plan::open(echo_server(), 3, 2000.0), load()).unwrap();
    eventually("one second", || running.origin().elapsed() > Duration::from_secs(1));
    let (sent, lasted) = (running.sent() as f64, running.origin().elapsed().as_secs_f64());
    let report = running.join();
    assert!(sent <= lasted * 2000.0 + 1.0, "{sent} requests in {lasted} s");
    assert!(sent >= 1000.0, "{sent} requests in {lasted} s");
    assert_eq!((report.errors, report.closed), (0, 0));
}

#[test]
fn a_rate_that_cannot_be_kept_shows_as_latency_and_ends_when_told() {
    let plan = Plan { drain: Duration::from_mins(1), ..Plan::open(echo_server(), 1, 2e6) };
    let running = start(plan, load()).unwrap();
    eventually("a backlog", || running.sent() > 50_000);
    let report = running.join();
    assert_eq!(report.closed, 0);
    let all = report.timeline.window(Duration::ZERO, Duration::from_secs(100));
    assert!(all.quantile_us(0.99) > 1000, "{} µs", all.quantile_us(0.99));
}

/// A server that answers the first bytes of its first connection with `answer` and then closes.
fn answering(answer: Vec<u8>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let _ = stream.read(&mut [0; 4096]).unwrap();
        stream.write_all(&answer).unwrap();
    });
    address
}

#[test]
fn a_connection_that_ends_is_counted_with_what_it_owed() {
    let running = start(Plan::closed(answering(Vec::new()), 1, 10), load()).unwrap();
    eventually("the end", || running.closed() == 1);
    let report = running.join();
    assert_eq!((report.completed, report.errors, report.closed), (0, 10, 1));
    assert!(report.first_error.unwrap().contains("10 requests outstanding"));
}

#[test]
fn garbage_ends_the_connection_and_is_quoted() {
    let running = start(Plan::closed(answering(b"HTTP/1.1 400 Bad Request".to_vec()), 1, 1), load()).unwrap();
    eventually("the end", || running.closed() == 1);
    assert!(running.join().first_error.unwrap().contains("not with dabb"));
}

#[test]
fn a_reply_to_nothing_is_an_error() {
    let stray = crate::dubbo::Reply::Value("x".into()).frame(&crate::dubbo::Header::request(1 << 40), &[]);
    let running = start(Plan::closed(answering(stray.to_vec()), 1, 1), load()).unwrap();
    eventually("the error", || running.errors() > 0);
    assert!(running.join().first_error.unwrap().contains("nothing that is outstanding"));
}

#[test]
fn a_server_that_never_answers_is_waited_for_no_longer_than_asked() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let pace = Pace::Closed { depth: 3 };
    let plan =
        Plan { pace, drain: Duration::from_millis(50), ..Plan::closed(listener.local_addr().unwrap(), 2, 0) };
    let report = start(plan, load()).unwrap().join();
    assert_eq!((report.sent, report.completed, report.errors, report.closed), (6, 0, 6, 0));
}

#[test]
fn an_address_that_refuses_is_an_error_at_once() {
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    assert!(start(Plan::closed(address, 1, 1), load()).is_err());
}
