//! Which segments go: decided from their sizes and ages, without touching a file.

use std::time::{Duration, Instant};

use crate::clock::Timestamp;

/// What retention knows of one segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Candidate {
    /// Which directory it is in, by any number.
    pub(super) directory: usize,
    pub(super) bytes: u64,
    /// A time at which nothing more was written to it.
    pub(super) modified: Timestamp,
    pub(super) standing: Standing,
}

/// Why a segment may go, or not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// Nothing in it is needed any more.
    Free,
    /// Something in it is still needed.
    Needed,
    /// It is not understood: it stays for ever, stands in nobody's way and takes nobody's room.
    Strange,
    /// Nobody will read it: it was prepared in vain, or all of it is repeated in a later one.
    Spent,
}

/// How much is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Bounds {
    /// Bytes.
    pub(super) size: u64,
    /// None while no clock tells how old anything is.
    pub(super) age: Option<Duration>,
}

/// What is to be done.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Verdict {
    /// Indices of the segments that go, oldest first.
    pub(super) delete: Vec<usize>,
    /// Bytes that are kept.
    pub(super) kept: u64,
    /// Whether that is more than the bound allows.
    pub(super) is_full: bool,
}

/// Decides over all segments, oldest first. `other` counts bytes beside them.
pub(super) fn decide(
    segments: &[Candidate],
    other: u64,
    bounds: Bounds,
    now: Timestamp,
) -> Verdict {
    let counted = segments.iter().filter(|segment| segment.standing != Standing::Strange);
    let mut kept = other + counted.map(|segment| segment.bytes).sum::<u64>();
    let mut delete = Vec::new();
    let mut needed_in = None;
    for (index, segment) in segments.iter().enumerate() {
        // A gap in the middle would read like damage, so nothing behind a needed segment goes.
        let is_behind = needed_in == Some(segment.directory);
        let is_old = bounds.age.is_some_and(|age| segment.modified.until(now) > age);
        let goes = match segment.standing {
            Standing::Spent => true,
            Standing::Strange => continue,
            Standing::Free => !is_behind && (is_old || kept > bounds.size),
            Standing::Needed => false,
        };
        if goes {
            kept -= segment.bytes;
            delete.push(index);
        } else {
            needed_in = Some(segment.directory);
        }
    }
    Verdict { delete, kept, is_full: kept > bounds.size }
}

/// How long the wall clock has gone along with monotonic time. A wall clock may step, by years
/// when a machine wakes with a wrong one, and what is deleted for its age does not come back when
/// the clock does: so nothing is until the clock has kept still for a while.
#[derive(Clone, Copy, Debug)]
pub(super) struct Steady {
    since: Instant,
    then: Timestamp,
}

impl Steady {
    pub(super) fn new(now: Instant, wall: Timestamp) -> Self {
        Self { since: now, then: wall }
    }

    /// How long by now.
    pub(super) fn look(&mut self, now: Instant, wall: Timestamp) -> Duration {
        let passed = now.saturating_duration_since(self.since);
        let expected = self.then.plus(passed);
        if expected.until(wall).max(wall.until(expected)) > TOLERANCE {
            *self = Self::new(now, wall);
            return Duration::ZERO;
        }
        passed
    }
}

/// How long the wall clock must have kept still before anything goes for its age.
pub(super) fn stillness(age: Duration) -> Duration {
    age.min(Duration::from_secs(3_600))
}

/// How far the clocks may go apart before it is a step.
const TOLERANCE: Duration = Duration::from_secs(60);

#[cfg(test)]
mod tests {
    use super::Standing::*;
    use super::*;

    const AGE: Duration = Duration::from_secs(100);

    fn segment(modified: u64, standing: Standing) -> Candidate {
        let modified = Timestamp::from_seconds(modified);
        Candidate { directory: 0, bytes: 10, modified, standing }
    }

    fn decided(segments: &[Candidate], other: u64, size: u64, now: u64) -> Verdict {
        let bounds = Bounds { size, age: Some(AGE) };
        decide(segments, other, bounds, Timestamp::from_seconds(now))
    }

    #[test]
    fn the_oldest_go_first_and_only_as_many_as_the_bound_asks() {
        let segments = [segment(1, Free), segment(2, Free), segment(3, Free)];
        assert_eq!(decided(&segments, 5, 35, 10).delete, Vec::<usize>::new());
        assert_eq!(decided(&segments, 5, 34, 10).delete, [0]);
        assert_eq!(decided(&segments, 5, 15, 10).delete, [0, 1]);
    }

    #[test]
    fn age_alone_is_reason_enough_when_a_clock_tells_it() {
        let segments = [segment(1, Free), segment(50, Free)];
        assert_eq!(decided(&segments, 0, u64::MAX, 102).delete, [0]);
        let bounds = Bounds { size: u64::MAX, age: None };
        assert!(decide(&segments, 0, bounds, Timestamp::from_seconds(102)).delete.is_empty());
    }

    #[test]
    fn what_is_needed_stays_and_the_journal_is_full() {
        let segments = [segment(1, Needed), segment(2, Free)];
        let verdict = decided(&segments, 0, 15, 10_000);
        assert_eq!(verdict, Verdict { delete: vec![], kept: 20, is_full: true });
    }

    #[test]
    fn what_is_needed_in_one_directory_keeps_nothing_in_another() {
        let mut segments = [segment(1, Needed), segment(2, Free), segment(3, Free)];
        segments[1].directory = 1;
        let verdict = decided(&segments, 0, 0, 10);
        assert_eq!(verdict, Verdict { delete: vec![1], kept: 20, is_full: true });
    }

    #[test]
    fn what_is_strange_stays_and_is_in_nobodys_way() {
        let segments = [segment(1, Strange), segment(2, Free), segment(3, Strange)];
        assert_eq!(decided(&segments, 5, 14, 10).delete, [1]);
        assert_eq!(decided(&segments, 5, 15, 10).delete, Vec::<usize>::new());
        assert!(!decided(&segments, 5, 5, 10).is_full);
    }

    #[test]
    fn what_is_spent_goes_at_once_wherever_it_is() {
        let segments = [segment(10, Spent), segment(10, Needed), segment(10, Spent)];
        let verdict = decided(&segments, 0, 100, 10);
        assert_eq!(verdict, Verdict { delete: vec![0, 2], kept: 10, is_full: false });
    }

    #[test]
    fn a_clock_set_back_deletes_nothing() {
        assert!(decided(&[segment(500, Free)], 0, 100, 1).delete.is_empty());
    }

    #[test]
    #[expect(clippy::disallowed_methods, reason = "an instant has no other beginning")]
    fn a_clock_that_steps_has_to_keep_still_again() {
        let (start, wall) = (Instant::now(), Timestamp::from_seconds(1_000_000));
        let second = Duration::from_secs;
        let mut steady = Steady::new(start, wall);
        assert_eq!(steady.look(start + second(90), wall.plus(second(120))), second(90));
        let year = second(365 * 86_400);
        assert_eq!(steady.look(start + second(100), wall.plus(year)), Duration::ZERO);
        assert_eq!(steady.look(start + second(160), wall.plus(year + second(60))), second(60));
        assert_eq!(steady.look(start + second(170), wall.plus(second(170))), Duration::ZERO);
        assert_eq!(steady.look(start + second(200), wall.plus(second(200))), second(30));
    }
}
