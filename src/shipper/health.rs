//! Whether events get through, told as a degraded reason.

use std::time::{Duration, Instant};

use crate::kafka::Verdict;
use crate::metrics::Degraded;

/// What is known of the way to Kafka.
#[derive(Debug)]
pub(super) struct Health {
    degraded: Degraded,
    /// When something was last acknowledged, or nothing was under way.
    progress: Instant,
    /// What was told of since: each kind once.
    told: Vec<Verdict>,
}

impl Health {
    pub(super) fn new(degraded: Degraded, now: Instant) -> Self {
        Self { degraded, progress: now, told: Vec::new() }
    }

    /// Something was acknowledged.
    pub(super) fn acknowledged(&mut self, now: Instant) {
        self.progress = now;
        self.end();
    }

    /// Something went wrong.
    pub(super) fn trouble(&mut self, told: &str, verdict: Verdict) {
        if !self.told.contains(&verdict) {
            self.told.push(verdict);
            tracing::warn!(told, ?verdict, "events do not get to Kafka: they are kept");
        }
        self.degraded.begin(REASON);
    }

    /// A broker is connected; `is_idle` when nothing waits for it.
    pub(super) fn reachable(&mut self, is_idle: bool) {
        if is_idle {
            self.end();
        }
    }

    /// A look at the clock. What is under way should be acknowledged before long.
    pub(super) fn look(&mut self, in_flight: usize, now: Instant) {
        if in_flight == 0 {
            self.progress = now;
        } else if now.saturating_duration_since(self.progress) > STALLED {
            self.degraded.begin(REASON);
        }
    }

    fn end(&mut self) {
        self.told.clear();
        self.degraded.end(REASON);
    }
}

/// Why the process is degraded while events do not get to Kafka.
const REASON: &str = "kafka";
/// How long nothing may be acknowledged while something is under way.
const STALLED: Duration = Duration::from_secs(5);
