//! When an authority wants to be left alone: pure, `now` is given.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::renewal::leave_alone;
use crate::clock::Timestamp;

/// How an authority is to be met.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mood {
    /// It answers.
    Open,
    /// It did not answer the last time.
    Doubtful,
    /// It wants to be left alone.
    Closed,
}

/// How often an authority did not answer, or wanted to be left alone. Kept, so that a restart
/// forgets none of it.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq, Serialize)]
pub(super) struct Rebuffs {
    /// Until when, in microseconds since 1970, it is left alone.
    #[serde(default)]
    paused_until: u64,
    /// Times in a row.
    #[serde(default, rename = "rebuffs")]
    count: u32,
}

impl Rebuffs {
    /// One more: it is left alone longer each time, and at least as long as it asked. What comes
    /// while it is left alone was asked before, and is no other time.
    pub(super) fn rebuffed(&mut self, wait: Option<Duration>, now: Timestamp) {
        if self.mood(now) != Mood::Closed {
            self.count = self.count.saturating_add(1);
        }
        let until = now.plus(leave_alone(self.count).max(wait.unwrap_or_default()));
        self.paused_until = self.paused_until.max(until.micros());
    }

    /// It answered as it should; false when that is no news.
    pub(super) fn praised(&mut self) -> bool {
        std::mem::take(&mut self.count) > 0
    }

    pub(super) fn mood(&self, now: Timestamp) -> Mood {
        if now < self.until() {
            Mood::Closed
        } else if self.count > 0 {
            Mood::Doubtful
        } else {
            Mood::Open
        }
    }

    /// Whether it was so more than a few times in a row.
    pub(super) fn is_lasting(&self) -> bool {
        self.count >= LASTING
    }

    /// Until when it is left alone.
    pub(super) fn until(&self) -> Timestamp {
        Timestamp::from_micros(self.paused_until)
    }
}

/// Times in a row that are more than an accident.
const LASTING: u32 = 3;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_asked_before_a_pause_makes_it_no_longer_than_it_asks_for() {
        let (mut rebuffs, now) = (Rebuffs::default(), Timestamp::from_seconds(1_000));
        rebuffs.rebuffed(None, now);
        let first = rebuffs;
        rebuffs.rebuffed(None, now);
        assert_eq!(rebuffs, first);
        let hour = Duration::from_secs(3_600);
        rebuffs.rebuffed(Some(hour), now);
        assert_eq!((rebuffs.until(), rebuffs.count), (now.plus(hour), 1));
        rebuffs.rebuffed(None, now.plus(hour));
        rebuffs.rebuffed(None, now.plus(hour * 2));
        assert!(rebuffs.is_lasting() && rebuffs.praised() && !rebuffs.is_lasting());
    }
}
