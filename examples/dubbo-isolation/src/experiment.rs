//! The experiment: three phases of traffic through one proxy, and what was measured in each.
//!
//! User calls come at a constant rate whatever happens (open loop; latency counts from the time at which a call
//! should have been sent); batch jobs keep 64 calls outstanding (closed loop). Every answer is verified.

use crate::config::INTERFACE;
use crate::crowd::{Crowd, Worked};
use crate::marking::Marking;
use anyhow::{Context, bail};
use peers::dubbo::{Call, EchoLoad};
use peers::load::{self, Plan, Report, Running, Window};
use std::net::SocketAddr;
use std::thread;
use std::time::Duration;

/// Length of a slice in the chart.
const SLICE: Duration = Duration::from_millis(250);
/// How often the phases' clock is looked at.
const TICK: Duration = Duration::from_millis(25);
/// How often progress is told.
const TOLD: Duration = Duration::from_secs(1);
/// When the demo gives up if not a single call was answered.
const HOPELESS: Duration = Duration::from_secs(3);
/// Bytes of payload per call.
const PAYLOAD: usize = 100;

/// Traffic and times. `Default` is what `make demo` runs.
///
/// The arithmetic: 64 batch calls are always outstanding, so that in shared queues a call's time is about
/// 64 ÷ (what all serve − user calls): 64 ÷ (1,200 − 340) s, some 75 ms on average and 90 at the smaller providers,
/// where an unhurried call takes 10. The user rate is 43 % of what the user providers serve (800 a second).
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// How batch callers are told from others.
    pub marking: Marking,
    /// Workers of each user provider.
    pub user_workers: usize,
    /// Workers of each batch provider.
    pub batch_workers: usize,
    /// What a call takes of a worker's time.
    pub service_time: Duration,
    /// User calls per second.
    pub user_rate: f64,
    /// Connections of the user load.
    pub user_connections: usize,
    /// Connections of the batch load.
    pub batch_connections: usize,
    /// Batch calls outstanding per connection.
    pub batch_depth: usize,
    /// For each phase, how long it settles and how long it is measured after that.
    pub phases: [(Duration, Duration); 3],
}

impl Default for Settings {
    fn default() -> Self {
        let seconds = Duration::from_secs;
        Settings {
            marking: Marking::Attachment,
            user_workers: 4,
            batch_workers: 2,
            service_time: Duration::from_millis(10),
            user_rate: 340.0,
            user_connections: 4,
            batch_connections: 8,
            batch_depth: 8,
            phases: [(seconds(1), seconds(8)), (seconds(1), seconds(8)), (seconds(3), seconds(9))],
        }
    }
}

impl Settings {
    /// Batch calls outstanding in all.
    pub fn outstanding(&self) -> usize {
        self.batch_connections * self.batch_depth
    }
}

/// What was measured in one phase.
#[derive(Clone, Debug)]
pub struct Phase {
    /// When the phase began, from the start of user traffic.
    pub began: Duration,
    /// From when it was measured.
    pub from: Duration,
    /// Its end.
    pub to: Duration,
    /// User calls.
    pub user: Window,
    /// Batch calls.
    pub batch: Window,
    /// What the user providers did.
    pub by_user: Worked,
    /// What the batch providers did.
    pub by_batch: Worked,
}

/// What the experiment showed.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// What was run.
    pub settings: Settings,
    /// The phases in order.
    pub phases: [Phase; 3],
    /// User traffic from beginning to end.
    pub user: Report,
    /// Batch traffic from beginning to end.
    pub batch: Report,
}

/// How it goes, told once a second.
#[derive(Clone, Copy, Debug)]
pub struct Progress {
    /// Since user traffic began.
    pub at: Duration,
    /// Number of the phase.
    pub phase: usize,
    /// User calls per second in the last second.
    pub user_rate: f64,
    /// Their 99th percentile, in microseconds.
    pub user_p99_us: u64,
    /// Batch calls per second in the last second.
    pub batch_rate: f64,
    /// Errors and closed connections so far.
    pub failures: u64,
}

/// What stands between the loads and the providers.
pub trait Front {
    /// Where calls are accepted.
    fn address(&self) -> SocketAddr;
    /// Puts the router in place.
    fn put_router(&mut self) -> anyhow::Result<()>;
    /// An error if it has failed in the meantime.
    fn check(&mut self) -> anyhow::Result<()>;
}

/// Runs the three phases; `tell` is called once a second.
pub fn run(
    settings: Settings,
    crowd: &Crowd,
    front: &mut dyn Front,
    tell: &mut dyn FnMut(Progress),
) -> anyhow::Result<Outcome> {
    let plan =
        |connections| Plan { slice: SLICE, ..Plan::open(front.address(), connections, settings.user_rate) };
    let call = Call::new(INTERFACE, "find");
    let user_call = settings.marking.user(call.clone());
    let user = load::start(plan(settings.user_connections), EchoLoad::new(user_call, PAYLOAD))?;
    let mut course = Course { crowd, user, batch: None, told: Duration::ZERO, tell };

    let quiet = course.phase(0, settings.phases[0], front)?;
    let plan = Plan {
        slice: SLICE,
        ..Plan::closed(front.address(), settings.batch_connections, settings.batch_depth)
    };
    let batch_call = settings.marking.batch(call);
    course.batch = Some(load::start(plan, EchoLoad::new(batch_call, PAYLOAD))?);
    let crowded = course.phase(1, settings.phases[1], front)?;
    front.put_router()?;
    let routed = course.phase(2, settings.phases[2], front)?;

    let offset = course.batch_offset();
    let Course { user, batch, .. } = course;
    // Batch first: it is what keeps the queues full. Figures are taken when all is answered, slow calls included.
    let batch = batch.map(Running::join).context("the batch load was never started")?;
    let user = user.join();
    let phases = [quiet, crowded, routed].map(|span| span.measured(&user, &batch, offset));
    Ok(Outcome { settings, phases, user, batch })
}

/// A phase's times, and what the providers did in it.
#[derive(Debug)]
struct Span {
    began: Duration,
    from: Duration,
    to: Duration,
    by_user: Worked,
    by_batch: Worked,
}

impl Span {
    fn measured(self, user: &Report, batch: &Report, batch_offset: Duration) -> Phase {
        let Span { began, from, to, by_user, by_batch } = self;
        let shifted = |at: Duration| at.saturating_sub(batch_offset);
        Phase {
            began,
            from,
            to,
            user: user.timeline.window(from, to),
            batch: batch.timeline.window(shifted(from), shifted(to)),
            by_user,
            by_batch,
        }
    }
}

/// The experiment under way.
struct Course<'a> {
    crowd: &'a Crowd,
    user: Running,
    batch: Option<Running>,
    told: Duration,
    tell: &'a mut dyn FnMut(Progress),
}

impl Course<'_> {
    fn now(&self) -> Duration {
        self.user.origin().elapsed()
    }

    /// Lets a phase settle, measures it, and takes down what happened in between.
    fn phase(
        &mut self,
        number: usize,
        (settle, measure): (Duration, Duration),
        front: &mut dyn Front,
    ) -> anyhow::Result<Span> {
        let began = self.now();
        self.pass(number, began + settle, front)?;
        let from = self.now();
        let before = ["user", "batch"].map(|label| self.crowd.worked(label));
        self.pass(number, from + measure, front)?;
        let to = self.now();
        let [by_user, by_batch] = ["user", "batch"].map(|label| self.crowd.worked(label));
        Ok(Span { began, from, to, by_user: by_user.since(before[0]), by_batch: by_batch.since(before[1]) })
    }

    /// Waits until a time, telling progress, and ends early if something has failed for good.
    fn pass(&mut self, phase: usize, until: Duration, front: &mut dyn Front) -> anyhow::Result<()> {
        while self.now() < until {
            front.check()?;
            thread::sleep(TICK.min(until.saturating_sub(self.now())));
            if self.now() >= self.told + TOLD {
                self.report(phase);
            }
            if self.now() > HOPELESS && self.user.completed() == 0 {
                let why = self.user.first_error().unwrap_or_else(|| "no answer came".to_owned());
                bail!("no user call was answered within {HOPELESS:?}: {why}");
            }
        }
        Ok(())
    }

    fn report(&mut self, phase: usize) {
        let (from, at) = (self.told, self.told + TOLD);
        self.told = at;
        let user = self.user.window(from, at);
        let batch = self.batch.as_ref().map_or(0.0, |batch| {
            let shifted = |at: Duration| at.saturating_sub(self.batch_offset());
            batch.window(shifted(from), shifted(at)).per_second()
        });
        let progress = Progress {
            at,
            phase,
            user_rate: user.per_second(),
            user_p99_us: user.quantile_us(0.99),
            batch_rate: batch,
            failures: self.failures(),
        };
        (self.tell)(progress);
    }

    /// From the start of user traffic to the start of batch traffic.
    fn batch_offset(&self) -> Duration {
        let began = |batch: &Running| batch.origin().saturating_duration_since(self.user.origin());
        self.batch.as_ref().map_or(Duration::MAX, began)
    }

    fn failures(&self) -> u64 {
        let of = |running: &Running| running.errors() + running.closed();
        of(&self.user) + self.batch.as_ref().map_or(0, of)
    }
}
