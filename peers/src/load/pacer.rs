//! Wakes the engine at a time, to microseconds where the system can.
//!
//! tokio's own timers round up to the next millisecond, which would be most of a short latency that is measured from
//! the intended time. On Linux a timer descriptor is used instead; elsewhere tokio's timer has to do.

#[cfg(target_os = "linux")]
pub(super) use linux::Pacer;
#[cfg(not(target_os = "linux"))]
pub(super) use portable::Pacer;

#[cfg(target_os = "linux")]
mod linux {
    //! A timer descriptor, watched like a socket.

    use nix::sys::time::TimeSpec;
    use nix::sys::timerfd::{ClockId, Expiration, TimerFd, TimerFlags, TimerSetTimeFlags};
    use std::io;
    use std::os::fd::{AsFd, AsRawFd, RawFd};
    use std::time::{Duration, Instant};
    use tokio::io::Interest;
    use tokio::io::unix::AsyncFd;

    #[derive(Debug)]
    struct Timer(TimerFd);

    impl AsRawFd for Timer {
        fn as_raw_fd(&self) -> RawFd {
            self.0.as_fd().as_raw_fd()
        }
    }

    /// Sleeps until a time.
    #[derive(Debug)]
    pub(in crate::load) struct Pacer(AsyncFd<Timer>);

    impl Pacer {
        /// Must be made within a runtime.
        #[expect(
            deprecated,
            reason = "its successor is unsafe; what it guards against, a descriptor that is \
                                       closed while it is watched, cannot be: the timer owns it"
        )]
        pub(in crate::load) fn new() -> io::Result<Self> {
            let timer =
                TimerFd::new(ClockId::CLOCK_MONOTONIC, TimerFlags::TFD_NONBLOCK | TimerFlags::TFD_CLOEXEC)?;
            Ok(Pacer(AsyncFd::with_interest(Timer(timer), Interest::READABLE)?))
        }

        /// Returns at this time, or at once if it is past.
        pub(in crate::load) async fn until(&self, time: Instant) -> io::Result<()> {
            let left = time.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(());
            }
            let timer = &self.0.get_ref().0;
            let span = TimeSpec::from_duration(left.max(Duration::from_nanos(1)));
            timer.set(Expiration::OneShot(span), TimerSetTimeFlags::empty())?;
            self.0.async_io(Interest::READABLE, |timer| Ok(timer.0.wait()?)).await
        }
    }
}

#[cfg(not(target_os = "linux"))]
mod portable {
    //! tokio's timer.

    use std::io;
    use std::time::Instant;

    /// Sleeps until a time.
    #[derive(Debug)]
    pub(in crate::load) struct Pacer;

    impl Pacer {
        /// Must be made within a runtime.
        pub(in crate::load) fn new() -> io::Result<Self> {
            Ok(Pacer)
        }

        /// Returns at this time, or at once if it is past.
        pub(in crate::load) async fn until(&self, time: Instant) -> io::Result<()> {
            tokio::time::sleep_until(time.into()).await;
            Ok(())
        }
    }
}
