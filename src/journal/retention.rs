//! Which segments go: decided from their sizes and ages, without touching a file.

use std::time::Duration;

use crate::clock::Timestamp;

/// What retention knows of one segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Candidate {
    pub(super) bytes: u64,
    /// A time at which nothing more was written to it.
    pub(super) modified: Timestamp,
    /// Whether nothing in it is needed any more.
    pub(super) is_deletable: bool,
}

/// What is to be done.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Verdict {
    /// Indices of the segments that go, oldest first.
    pub(super) delete: Vec<usize>,
    /// Whether more is kept than the bound allows even so.
    pub(super) is_full: bool,
}

/// Decides over all segments, oldest first. `other` counts bytes beside them.
pub(super) fn decide(
    segments: &[Candidate],
    other: u64,
    size: u64,
    age: Duration,
    now: Timestamp,
) -> Verdict {
    let mut total = other + segments.iter().map(|segment| segment.bytes).sum::<u64>();
    let mut delete = Vec::new();
    for (index, segment) in segments.iter().enumerate() {
        let is_old = segment.modified.until(now) > age;
        // A gap in the middle would read like damage, so nothing behind a needed segment goes.
        if !segment.is_deletable || !(is_old || total > size) {
            break;
        }
        total -= segment.bytes;
        delete.push(index);
    }
    Verdict { delete, is_full: total > size }
}

#[cfg(test)]
mod tests {
    use super::*;

    const AGE: Duration = Duration::from_secs(100);

    fn segment(modified: u64, is_deletable: bool) -> Candidate {
        Candidate { bytes: 10, modified: Timestamp::from_seconds(modified), is_deletable }
    }

    #[test]
    fn the_oldest_go_first_and_only_as_many_as_the_bound_asks() {
        let segments = [segment(1, true), segment(2, true), segment(3, true)];
        let now = Timestamp::from_seconds(10);
        assert_eq!(decide(&segments, 5, 35, AGE, now).delete, Vec::<usize>::new());
        assert_eq!(decide(&segments, 5, 34, AGE, now).delete, [0]);
        assert_eq!(decide(&segments, 5, 15, AGE, now).delete, [0, 1]);
    }

    #[test]
    fn age_alone_is_reason_enough() {
        let segments = [segment(1, true), segment(50, true)];
        let now = Timestamp::from_seconds(102);
        assert_eq!(decide(&segments, 0, u64::MAX, AGE, now).delete, [0]);
    }

    #[test]
    fn what_is_needed_stays_and_the_journal_is_full() {
        let segments = [segment(1, false), segment(2, true)];
        let now = Timestamp::from_seconds(10_000);
        let verdict = decide(&segments, 0, 15, AGE, now);
        assert_eq!(verdict, Verdict { delete: vec![], is_full: true });
    }

    #[test]
    fn a_clock_set_back_deletes_nothing() {
        let segments = [segment(500, true)];
        assert!(decide(&segments, 0, 100, AGE, Timestamp::from_seconds(1)).delete.is_empty());
    }
}
