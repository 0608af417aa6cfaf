//! Tells an operator while the disk does not keep up: it fails a step, hangs, or is too slow.
//!
//! A writer whose disk hangs cannot tell of it, so the queue is looked at from outside.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use super::Intake;
use super::queue::Sight;
use crate::clock::Clock;
use crate::metrics::Degraded;

impl Intake {
    /// Keeps `degraded` true of the queue: [`SLOW`] while frames wait for the disk for longer than
    /// half of `within`, the time that an answer waits; [`QUEUE_FULL`] from a frame that was
    /// refused on, until there is room; [`JOURNAL_FULL`] while the journal is at its size bound.
    /// Runs until dropped.
    pub async fn watch(&self, clock: &dyn Clock, degraded: &Degraded, within: Duration) {
        let mut watch = Watch::new(within / 2);
        loop {
            for (reason, holds) in watch.step(clock.now(), self.sight()) {
                if holds { degraded.begin(reason) } else { degraded.end(reason) }
            }
            tokio::time::sleep((within / 10).max(SHORTEST_LOOK)).await;
        }
    }
}

/// The judge of what is seen.
#[derive(Debug)]
struct Watch {
    patience: Duration,
    /// When frames up to which sequence were queued, oldest first.
    queued: VecDeque<(Instant, u64)>,
    refused: u64,
    has_no_room: bool,
}

impl Watch {
    fn new(patience: Duration) -> Self {
        Self { patience, queued: VecDeque::new(), refused: 0, has_no_room: false }
    }

    /// Each reason, and whether it holds.
    fn step(&mut self, now: Instant, sight: Sight) -> [(&'static str, bool); 3] {
        self.queued.push_back((now, sight.next));
        let due = |at: Instant| now.saturating_duration_since(at) >= self.patience;
        while self.queued.get(1).is_some_and(|(at, _)| due(*at)) {
            self.queued.pop_front();
        }
        let is_slow =
            self.queued.front().is_some_and(|(at, next)| due(*at) && *next > sight.durable);
        let has_refused = sight.refused > self.refused;
        self.refused = sight.refused;
        // One refusal among few frames is no reason to tell of it at each look again.
        self.has_no_room = has_refused || (self.has_no_room && sight.is_crowded);
        [(SLOW, is_slow), (QUEUE_FULL, self.has_no_room), (JOURNAL_FULL, sight.is_full)]
    }
}

/// Frames wait for the disk for so long that answers will be late.
const SLOW: &str = "journal_slow";
/// Too many frames wait for the disk: new ones are refused.
const QUEUE_FULL: &str = "journal_queue_full";
/// Everything in the journal is needed, and it may not grow: new frames are refused.
const JOURNAL_FULL: &str = "journal_full";
const SHORTEST_LOOK: Duration = Duration::from_millis(10);

#[cfg(test)]
mod tests {
    use super::*;

    const IDLE: Sight =
        Sight { next: 1, durable: 1, refused: 0, is_crowded: false, is_full: false };

    /// Looks each 100 ms and tells the reasons that hold after each look.
    fn look(sights: &[Sight]) -> Vec<Vec<&'static str>> {
        let mut watch = Watch::new(Duration::from_millis(500));
        let begun = crate::clock::SystemClock.now();
        let mut told = Vec::new();
        for (turn, sight) in (0..).zip(sights) {
            let reasons = watch.step(begun + Duration::from_millis(100) * turn, *sight);
            told.push(
                reasons.into_iter().filter_map(|(name, holds)| holds.then_some(name)).collect(),
            );
        }
        told
    }

    #[test]
    fn a_disk_that_hangs_is_slow_until_all_that_waited_is_durable() {
        let hung = Sight { next: 3, ..IDLE };
        let caught_up = Sight { durable: 3, ..hung };
        let told = look(&[[IDLE; 9].as_slice(), &[hung; 8], &[caught_up]].concat());
        assert_eq!(told[..14], vec![Vec::<&str>::new(); 14], "not yet half of what answers wait");
        assert_eq!(told[14..], [vec![SLOW], vec![SLOW], vec![SLOW], vec![]]);
    }

    #[test]
    fn a_disk_that_makes_headway_too_slowly_is_slow() {
        // Ten frames come between two looks, and one of them becomes durable.
        let sight = |turn: u64| Sight { next: 10 * turn, durable: turn, ..IDLE };
        let told = look(&(1..20).map(sight).collect::<Vec<_>>());
        assert_eq!(told.last(), Some(&vec![SLOW]));
        // What was queued at a look is durable four looks later.
        let sight = |turn: u64| Sight { next: 10 * turn, durable: 10 * (turn - 4), ..IDLE };
        let told = look(&(4..30).map(sight).collect::<Vec<_>>());
        assert!(told.iter().all(Vec::is_empty), "{told:?}");
    }

    #[test]
    fn a_full_queue_is_told_of_until_there_is_room() {
        let refusing = Sight { refused: 5, is_crowded: true, ..IDLE };
        let roomy = Sight { refused: 5, ..IDLE };
        let told = look(&[IDLE, refusing, refusing, roomy, roomy]);
        let (told_of, silent) = (vec![QUEUE_FULL], Vec::<&str>::new());
        assert_eq!(told, [silent.clone(), told_of.clone(), told_of, silent.clone(), silent]);
    }

    #[test]
    fn a_journal_at_its_bound_is_told_of() {
        let full = Sight { is_full: true, ..IDLE };
        assert_eq!(look(&[full, IDLE]), [vec![JOURNAL_FULL], vec![]]);
    }
}
