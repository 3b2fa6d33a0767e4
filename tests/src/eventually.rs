//! Waiting: for something that can be observed, and never for ever.

use std::fmt::Debug;
use std::time::Duration;

use tokio::time::{Instant, MissedTickBehavior, interval};

/// How long anything may take that is expected to happen. Only a failing test waits this long.
pub const SOON: Duration = Duration::from_secs(20);

/// How often is looked.
const LOOK: Duration = Duration::from_millis(5);

/// Looks until what is observed is as it should be; what was seen last is told if it never is.
pub async fn eventually<T, E: Debug>(what: &str, look: impl AsyncFnMut() -> Result<T, E>) -> T {
    within(SOON, what, look).await
}

/// The same for what takes its time.
pub async fn within<T, E: Debug>(
    longest: Duration,
    what: &str,
    mut look: impl AsyncFnMut() -> Result<T, E>,
) -> T {
    let end = Instant::now() + longest;
    let mut ticks = interval(LOOK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        match look().await {
            Ok(seen) => return seen,
            Err(seen) if Instant::now() >= end => {
                panic!("not within {longest:?}: {what}; seen last: {seen:?}")
            }
            Err(_) => {}
        }
    }
}

/// Waits for a value that equals `expected`.
pub async fn eventually_eq<T: Debug + PartialEq>(what: &str, expected: T, mut look: impl AsyncFnMut() -> T) {
    eventually(what, async || {
        let seen = look().await;
        if seen == expected { Ok(()) } else { Err(seen) }
    })
    .await;
}

/// Fails if a future takes longer than anything may.
pub async fn soon<T>(what: &str, future: impl Future<Output = T>) -> T {
    let ended = tokio::time::timeout(SOON, future).await;
    ended.unwrap_or_else(|_| panic!("not within {SOON:?}: {what}"))
}

/// Does what blocks (and bounds its own waits) while the peers of the scenario go on.
pub async fn off_thread<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done,
        Err(error) => std::panic::resume_unwind(error.into_panic()),
    }
}
