//! How fast answers came.

use std::fmt;
use std::time::Duration;

/// The answers of a run, by how long each took.
#[derive(Clone, Debug, Default)]
pub struct Speed {
    /// From the first request to the last answer.
    pub length: Duration,
    /// Tenths of microseconds, ascending once [`Speed::of`] made them so.
    tenths: Vec<u32>,
}

impl Speed {
    /// The speed of answers that took `tenths` of microseconds each.
    pub fn of(mut tenths: Vec<u32>, length: Duration) -> Self {
        tenths.sort_unstable();
        Self { length, tenths }
    }

    /// A wait as [`Speed::of`] takes it.
    pub fn tenths(wait: Duration) -> u32 {
        u32::try_from(wait.as_nanos() / 100).unwrap_or(u32::MAX)
    }

    /// Answers each second.
    pub fn rate(&self) -> f64 {
        self.tenths.len() as f64 / self.length.as_secs_f64()
    }

    /// What this part of the answers (0 to 1) took at most; zero when there was none.
    pub fn within(&self, part: f64) -> Duration {
        let last = self.tenths.len().saturating_sub(1);
        let index = ((self.tenths.len() as f64 * part) as usize).min(last);
        let tenths = self.tenths.get(index).copied().unwrap_or_default();
        Duration::from_nanos(u64::from(tenths) * 100)
    }

    /// What the slowest answer took.
    pub fn longest(&self) -> Duration {
        self.within(1.0)
    }
}

impl fmt::Display for Speed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (p50, p99) = (self.within(0.50), self.within(0.99));
        let longest = self.longest();
        write!(f, "rate={:.0}/s p50={p50:.1?} p99={p99:.1?} longest={longest:.1?}", self.rate())
    }
}
