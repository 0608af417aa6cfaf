//! How many audits may be begun now: pure, `now` is given.

use std::time::{Duration, Instant};

/// So many a second, evenly: what was not used is worth one second at most.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rate {
    every: Duration,
    /// When the next one would be due if all were spread evenly.
    due: Instant,
}

impl Rate {
    pub(super) fn new(rate: u32, now: Instant) -> Self {
        Self { every: Duration::from_secs(1) / rate.max(1), due: now }
    }

    /// How many of `wanted` may be begun; they count as begun.
    pub(super) fn take(&mut self, wanted: usize, now: Instant) -> usize {
        self.due = self.due.max(now.checked_sub(BURST).unwrap_or(now));
        let mut taken = 0;
        while taken < wanted && self.due <= now {
            self.due += self.every;
            taken += 1;
        }
        taken
    }

    /// Gives back what was not begun after all.
    pub(super) fn give(&mut self, count: usize) {
        let count = u32::try_from(count).unwrap_or(u32::MAX);
        let back = self.every.saturating_mul(count);
        self.due = self.due.checked_sub(back).unwrap_or(self.due);
    }
}

const BURST: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::clock::{Clock, SystemClock};

    proptest! {
        #[test]
        fn no_more_are_begun_than_the_rate_allows_and_one_second_more(
            rate in 1_u32..200, steps in prop::collection::vec((0_u64..3_000, 0_usize..50), 1..100)
        ) {
            let start = SystemClock.now();
            let (mut now, mut begun) = (start, 0);
            let mut spread = Rate::new(rate, start);
            for (wait, wanted) in steps {
                now += Duration::from_millis(wait);
                begun += spread.take(wanted, now);
                let most = (now - start).as_secs_f64() * f64::from(rate) + f64::from(rate);
                prop_assert!(begun as f64 <= most + 1.0, "{begun} of {most}");
            }
        }

        #[test]
        fn whoever_always_wants_more_gets_the_rate(rate in 1_u32..200, tick in 1_u64..900) {
            let start = SystemClock.now();
            let mut spread = Rate::new(rate, start);
            let mut begun = 0;
            let mut millis = 0;
            while millis < 60_000 {
                millis += tick;
                begun += spread.take(10_000, start + Duration::from_millis(millis));
            }
            let due = millis as f64 / 1_000.0 * f64::from(rate);
            prop_assert!((begun as f64 - due).abs() <= f64::from(rate) + 1.0, "{begun} of {due}");
        }
    }

    #[test]
    fn what_is_given_back_may_be_begun_again() {
        let start = SystemClock.now();
        let mut spread = Rate::new(10, start);
        let later = start + Duration::from_secs(5);
        assert_eq!(spread.take(100, later), 11);
        assert_eq!(spread.take(100, later), 0);
        spread.give(4);
        assert_eq!(spread.take(100, later), 4);
    }
}
