//! Whether events get through, told as degraded reasons.

use std::time::{Duration, Instant};

use crate::kafka::Verdict;
use crate::metrics::Degraded;

/// What is known of the way to Kafka.
#[derive(Debug)]
pub(super) struct Health {
    degraded: Degraded,
    /// When the oldest event was last settled, or nothing was under way.
    progress: Instant,
    /// What was told of since: each kind once.
    told: Vec<Verdict>,
    /// When an event was last set aside.
    set_aside: Option<Instant>,
}

impl Health {
    pub(super) fn new(degraded: Degraded, now: Instant) -> Self {
        Self { degraded, progress: now, told: Vec::new(), set_aside: None }
    }

    /// The oldest event was settled.
    pub(super) fn got_on(&mut self, now: Instant) {
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

    /// An event was too large for its topic.
    pub(super) fn set_aside(&mut self, now: Instant) {
        self.set_aside = Some(now);
        self.degraded.begin(TOO_LARGE);
    }

    /// A look at the clock. What is under way should be settled before long; `lag` is the age
    /// of the oldest event that is not settled.
    pub(super) fn look(&mut self, in_flight: usize, lag: Duration, now: Instant) {
        if in_flight == 0 {
            self.progress = now;
        } else if now.saturating_duration_since(self.progress) > STALLED {
            self.degraded.begin(REASON);
        }
        if lag > BEHIND {
            self.degraded.begin(LAGS);
        } else {
            self.degraded.end(LAGS);
        }
        // For a while only: the letter itself stays, and one letter is no reason to look at a node
        // askance for ever.
        if self.set_aside.take_if(|at| now.saturating_duration_since(*at) > REMEMBERED).is_some() {
            self.degraded.end(TOO_LARGE);
        }
    }

    fn end(&mut self) {
        self.told.clear();
        self.degraded.end(REASON);
    }
}

/// Why the process is degraded while events do not get to Kafka.
const REASON: &str = "kafka";
/// How long the oldest event may be under way.
const STALLED: Duration = Duration::from_secs(5);
/// Why it is while they come there late: Kafka is slow, or takes what was kept for it.
const LAGS: &str = "kafka_lag";
/// How late.
const BEHIND: Duration = Duration::from_secs(10);
/// Why it is after an event was set aside.
const TOO_LARGE: &str = "kafka_too_large";
/// For how long.
const REMEMBERED: Duration = Duration::from_secs(600);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::{Clock, SystemClock};

    #[test]
    fn each_reason_begins_and_ends_with_its_cause() {
        let start = SystemClock.now();
        let after = |seconds| start + Duration::from_secs(seconds);
        let degraded = Degraded::default();
        let mut health = Health::new(degraded.clone(), start);
        let seconds = Duration::from_secs;
        health.look(5, seconds(1), after(4));
        assert!(degraded.reasons().is_empty());
        health.look(5, seconds(4), after(6));
        assert_eq!(degraded.reasons(), ["kafka"]);
        health.look(5, seconds(11), after(12));
        assert_eq!(degraded.reasons(), ["kafka", "kafka_lag"]);
        health.got_on(after(13));
        assert_eq!(degraded.reasons(), ["kafka_lag"]);
        health.look(0, Duration::ZERO, after(14));
        assert!(degraded.reasons().is_empty());
        health.set_aside(after(15));
        health.look(0, Duration::ZERO, after(600));
        assert_eq!(degraded.reasons(), ["kafka_too_large"]);
        health.look(0, Duration::ZERO, after(616));
        assert!(degraded.reasons().is_empty());
    }
}
