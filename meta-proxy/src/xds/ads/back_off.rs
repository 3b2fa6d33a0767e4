//! How long to wait before the next attempt.

use std::time::Duration;

/// The first pause; each later one may be twice as long.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
/// The longest.
pub const LONGEST_PAUSE: Duration = Duration::from_secs(15);

/// Growing pauses between attempts, each a random part of what it may be, so that many proxies do not come back at once.
pub(super) struct BackOff {
    random: fastrand::Rng,
    next: Duration,
}

impl BackOff {
    pub(super) fn new(seed: Option<u64>) -> Self {
        let random = seed.map_or_else(fastrand::Rng::new, fastrand::Rng::with_seed);
        Self { random, next: FIRST_PAUSE }
    }

    /// An attempt went well.
    pub(super) fn reset(&mut self) {
        self.next = FIRST_PAUSE;
    }

    /// An attempt failed: how long to wait.
    pub(super) fn pause(&mut self) -> Duration {
        let pause = self.next.mul_f64(0.5 + self.random.f64() / 2.0);
        self.next = (self.next * 2).min(LONGEST_PAUSE);
        pause
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_up_to_a_limit_and_begin_again() {
        let mut back_off = BackOff::new(Some(1));
        let mut most = FIRST_PAUSE;
        for _ in 0..20 {
            let pause = back_off.pause();
            assert!(pause >= most / 2 && pause <= most, "{pause:?} of {most:?}");
            most = (most * 2).min(LONGEST_PAUSE);
        }
        back_off.reset();
        assert!(back_off.pause() <= FIRST_PAUSE);
    }
}
