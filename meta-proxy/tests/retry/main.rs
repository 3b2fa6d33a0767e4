//! Requests that are sent again: which, where to, how often and until when, on pipes and a paused clock.

#![allow(clippy::unwrap_used, reason = "a scene that goes wrong is a test that fails")]

#[path = "../support/mod.rs"]
mod support;

mod budget;
mod ends;
mod limits;
mod random;
mod ties;

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use meta_proxy::model::{AttributeMatcher, Matcher, Retries, ValueMatcher};
use meta_proxy::telemetry::{Outcome, WorkerSeries};
use support::{Actor, Frame, World};
use tokio::time::{Instant, sleep};

/// What an endpoint does with a request.
#[derive(Debug, Clone, Copy)]
enum Act {
    /// Answers with this status: 0 good, 1 the application's error, 2 the server's, 3 overloaded.
    Answer(u8),
    /// The same, after so many milliseconds in which it reads nothing else.
    After(u64, u8),
    /// Closes the connection.
    HangUp,
    /// Nothing.
    Silence,
}

/// What has reached endpoints.
#[derive(Debug, Clone)]
struct Heard {
    endpoint: u16,
    method: String,
    payload: String,
    at: Instant,
}

type Log = Rc<RefCell<Vec<Heard>>>;

/// A world whose endpoints do what they are told to.
struct Stage {
    world: World,
    heard: Log,
}

/// Tries that may follow the first one, of any request.
fn any(attempts: u32) -> Retries {
    Retries { attempts, per_try_timeout: None, idempotent: vec![Vec::new()] }
}

/// The same, of requests whose attribute has this value.
fn only(attempts: u32, attribute: &str, value: &str) -> Retries {
    let matcher = Matcher::Is(ValueMatcher::Exact(value.to_owned()));
    let condition = AttributeMatcher { name: attribute.to_owned(), matcher };
    Retries { idempotent: vec![vec![condition]], ..any(attempts) }
}

/// The same, each of which may take so many milliseconds.
fn each(milliseconds: u64, retries: Retries) -> Retries {
    Retries { per_try_timeout: Some(Duration::from_millis(milliseconds)), ..retries }
}

impl Stage {
    /// One endpoint for each of `acts`, numbered from 1, and a route of ten seconds to all of them.
    fn new(acts: &[Act], retries: Option<Retries>) -> Self {
        let mut stage = Self::empty();
        for (number, act) in (1..).zip(acts) {
            let act = *act;
            stage.endpoint(number, move |_| act);
        }
        stage.route(10_000, retries);
        stage
    }

    fn empty() -> Self {
        Self { world: World::new(), heard: Log::default() }
    }

    /// One more endpoint of the cluster `all`.
    fn endpoint(&mut self, number: u16, act: impl Fn(&Frame) -> Act + Clone + 'static) {
        let mut accepted = self.world.accepting("all", number);
        let heard = self.heard.clone();
        tokio::task::spawn_local(async move {
            while let Some(connection) = accepted.recv().await {
                tokio::task::spawn_local(serve(connection, number, act.clone(), heard.clone()));
            }
        });
    }

    /// Everything goes to `all`, within so many milliseconds.
    fn route(&mut self, milliseconds: u64, retries: Option<Retries>) {
        let route = self.world.route(None, "all");
        (route.timeout, route.retries) = (Some(Duration::from_millis(milliseconds)), retries);
        self.world.apply();
    }

    /// Where a request with this payload was heard, in order.
    fn heard(&self, payload: &str) -> Vec<u16> {
        let heard = self.heard.borrow();
        heard.iter().filter(|one| one.payload == payload).map(|one| one.endpoint).collect()
    }

    /// When anything was heard.
    fn times(&self) -> Vec<Instant> {
        self.heard.borrow().iter().map(|one| one.at).collect()
    }

    /// How many requests ended so because they might not be tried again.
    fn exhausted(&self, outcome: Outcome) -> u64 {
        let all = self.world.telemetry.all_requests();
        all.values().flatten().map(|one| one.count_exhausted(outcome)).sum()
    }

    fn worker(&self, read: fn(&WorkerSeries) -> u64) -> u64 {
        self.world.telemetry.all_workers().iter().map(|one| read(one)).sum()
    }

    /// Requests that were sent again, and that were not since too many others were.
    fn retries(&self) -> (u64, u64) {
        (self.worker(|one| one.retries.get()), self.worker(|one| one.retries_over_budget.get()))
    }
}

async fn serve(mut connection: Actor, endpoint: u16, act: impl Fn(&Frame) -> Act, log: Log) {
    while let Some(request) = connection.receive().await {
        let payload = String::from_utf8_lossy(&request.payload).into_owned();
        log.borrow_mut().push(Heard {
            endpoint,
            method: request.method.clone(),
            payload,
            at: Instant::now(),
        });
        let answer = |status| Frame {
            status,
            payload: endpoint.to_string().into_bytes(),
            ..Frame::response_to(&request)
        };
        let answer = match act(&request) {
            Act::Answer(status) => answer(status),
            Act::After(milliseconds, status) => {
                sleep(Duration::from_millis(milliseconds)).await;
                answer(status)
            }
            Act::HangUp => return,
            Act::Silence => continue,
        };
        if connection.try_send_bytes(&answer.encode()).await.is_err() {
            return;
        }
    }
}

/// Asks, with the id as the payload.
async fn ask(client: &mut Actor, id: u64, method: &str) {
    client.send(&Frame::new(b'q', id, method, id.to_string().as_bytes())).await;
}

/// The status and the text of the answer to this request.
async fn answer(client: &mut Actor, id: u64) -> (u8, String) {
    let answer = client.receive().await.expect("an answer");
    assert_eq!((answer.kind, answer.id), (b'r', id), "{answer:?}");
    (answer.status, String::from_utf8_lossy(&answer.payload).into_owned())
}

/// Asks and waits for the answer.
async fn call(client: &mut Actor, id: u64, method: &str) -> (u8, String) {
    ask(client, id, method).await;
    answer(client, id).await
}
