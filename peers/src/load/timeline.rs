//! Latencies over time: one histogram per slice, so that any span of a run can be looked at afterwards.
//!
//! A latency belongs to the slice in which its request was sent (or should have been); a completion to the slice in
//! which its reply came.

use hdrhistogram::Histogram;
use std::time::Duration;

/// Slices that are kept; what comes after goes into the last.
const MAX_SLICES: usize = 4096;
/// Longest latency that is told apart: 60 s.
const LONGEST: u64 = 60_000_000;
/// Significant figures of recorded latencies.
const FIGURES: u8 = 3;

/// What happened in one slice.
#[derive(Clone, Debug)]
pub struct Slice {
    /// Latencies in microseconds of requests that were sent in it.
    pub latencies: Histogram<u32>,
    /// Replies that came in it.
    pub completed: u64,
}

/// All slices of a load.
#[derive(Clone, Debug)]
pub struct Timeline {
    width: Duration,
    slices: Vec<Slice>,
}

/// Several slices as one.
#[derive(Clone, Debug)]
pub struct Window {
    /// Latencies in microseconds of requests that were sent in it.
    pub latencies: Histogram<u64>,
    /// Replies that came in it.
    pub completed: u64,
    /// Its length: the slices that it covers whole.
    pub length: Duration,
}

impl Window {
    /// The latency that this share of the requests kept within, such as 0.99; in microseconds, 0 if there were none.
    pub fn quantile_us(&self, share: f64) -> u64 {
        if self.latencies.is_empty() { 0 } else { self.latencies.value_at_quantile(share) }
    }

    /// Replies per second.
    pub fn per_second(&self) -> f64 {
        if self.length.is_zero() { 0.0 } else { self.completed as f64 / self.length.as_secs_f64() }
    }
}

impl Timeline {
    pub(super) fn new(width: Duration) -> Self {
        Timeline { width: width.max(Duration::from_millis(1)), slices: Vec::new() }
    }

    /// The latency of a request that was sent at this time.
    pub(super) fn record(&mut self, sent: Duration, latency: Duration) {
        let micros = (latency.as_micros() as u64).min(LONGEST);
        self.slice(sent).latencies.record(micros).expect("it grows up to the longest latency");
    }

    /// So many replies came at this time.
    pub(super) fn complete(&mut self, at: Duration, replies: u64) {
        self.slice(at).completed += replies;
    }

    fn slice(&mut self, at: Duration) -> &mut Slice {
        // A load is measured in minutes: microseconds fit 64 bits, and dividing those is cheap.
        let number = at.as_micros() as u64 / self.width.as_micros() as u64;
        let number = (number as usize).min(MAX_SLICES - 1);
        while self.slices.len() <= number {
            self.slices.push(Slice { latencies: histogram(), completed: 0 });
        }
        &mut self.slices[number]
    }

    /// Length of a slice.
    pub fn width(&self) -> Duration {
        self.width
    }

    /// The slices in order, the first one from the load's beginning.
    pub fn slices(&self) -> &[Slice] {
        &self.slices
    }

    /// The slices that lie whole between two times from the load's beginning, as one.
    pub fn window(&self, from: Duration, to: Duration) -> Window {
        let width = self.width.as_nanos();
        let number = |nanos: u128| usize::try_from(nanos).unwrap_or(MAX_SLICES).min(MAX_SLICES);
        let (first, end) = (number(from.as_nanos().div_ceil(width)), number(to.as_nanos() / width));
        let count = end.saturating_sub(first);
        let mut window = Window { latencies: histogram(), completed: 0, length: self.width * count as u32 };
        for slice in self.slices.iter().skip(first).take(count) {
            for value in slice.latencies.iter_recorded() {
                let (latency, count) = (value.value_iterated_to(), u64::from(value.count_at_value()));
                window.latencies.record_n(latency, count).expect("it grows as the slices did");
            }
            window.completed += slice.completed;
        }
        window
    }
}

fn histogram<C: hdrhistogram::Counter>() -> Histogram<C> {
    let mut histogram = Histogram::new(FIGURES).expect("3 figures are within what the crate allows");
    histogram.auto(true);
    histogram
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn ms(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    #[test]
    fn a_latency_counts_when_sent_and_a_completion_when_it_came() {
        let mut timeline = Timeline::new(ms(100));
        timeline.record(ms(90), ms(50));
        timeline.record(ms(120), ms(10));
        timeline.complete(ms(130), 1);
        timeline.complete(ms(140), 1);
        let (first, second) = (timeline.window(ms(0), ms(100)), timeline.window(ms(100), ms(200)));
        assert_eq!((first.latencies.len(), first.completed), (1, 0));
        assert_eq!((second.latencies.len(), second.completed), (1, 2));
        assert_eq!(first.quantile_us(0.99) / 1000, 50);
        assert!((second.per_second() - 20.0).abs() < 1e-9);
    }

    #[test]
    fn a_window_covers_whole_slices_only() {
        let mut timeline = Timeline::new(ms(100));
        for slice in 0..5 {
            timeline.complete(ms(slice * 100 + 10), 1);
        }
        let window = timeline.window(ms(101), ms(499));
        assert_eq!((window.completed, window.length), (2, ms(200)));
        assert_eq!(timeline.window(ms(400), ms(300)).completed, 0);
    }

    #[test]
    fn a_latency_beyond_all_bounds_is_kept_at_the_longest() {
        let mut timeline = Timeline::new(ms(100));
        timeline.record(ms(0), Duration::from_hours(1));
        assert!(timeline.window(ms(0), ms(100)).quantile_us(1.0) >= LONGEST);
        timeline.complete(Duration::from_hours(1), 1);
        assert_eq!(timeline.slices().len(), MAX_SLICES);
    }
}
