//! A clock that stands still until it is told otherwise.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use waypost::clock::{Clock, Timestamp};

/// The simulated clocks.
#[derive(Debug)]
pub(crate) struct Standing {
    start: Instant,
    /// Microseconds since the start.
    elapsed: AtomicU64,
    /// What wall time is ahead, in microseconds.
    ahead: AtomicI64,
}

impl Standing {
    pub(crate) fn new() -> Self {
        Self { start: Instant::now(), elapsed: AtomicU64::new(0), ahead: AtomicI64::new(0) }
    }

    /// Time since the start.
    pub(crate) fn elapsed(&self) -> Duration {
        Duration::from_micros(self.elapsed.load(Ordering::Relaxed))
    }

    /// Lets time pass.
    pub(crate) fn pass(&self, time: Duration) {
        self.elapsed.fetch_add(time.as_micros() as u64, Ordering::Relaxed);
    }

    /// Steps the wall clock, which nobody may trust.
    pub(crate) fn jump(&self, seconds: i64) {
        self.ahead.fetch_add(seconds * 1_000_000, Ordering::Relaxed);
    }
}

impl Clock for Standing {
    fn now(&self) -> Instant {
        self.start + self.elapsed()
    }

    fn wall(&self) -> Timestamp {
        let micros = BEGINNING + self.elapsed.load(Ordering::Relaxed);
        Timestamp::from_micros(micros.saturating_add_signed(self.ahead.load(Ordering::Relaxed)))
    }
}

/// 2026-01-01T00:00:00Z.
const BEGINNING: u64 = 1_767_225_600_000_000;
