//! How many certificates end when, without a look at each: pure.
//!
//! The store counts records by state, which is a byte. Of a certificate it is the day on which it
//! ends, around a ring of [`DAYS`] days; so the counts tell how many days are left to how many,
//! today and on any day after, though nobody touches the records.

use std::collections::BTreeMap;

use crate::clock::Timestamp;

/// How long certificates have still to live: whole days, and how many there are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Remaining {
    /// So many have ended.
    pub expired: u64,
    /// By days that are left, today being 0.
    pub by_day: BTreeMap<u16, u64>,
    /// So many live longer than the others' days can tell.
    pub longer: u64,
}

/// The state of a certificate, as it is put at `now`.
pub(super) fn state(not_after: Timestamp, now: Timestamp) -> u8 {
    if not_after <= now {
        return EXPIRED;
    }
    let day = day_of(not_after);
    if day - day_of(now) > u64::from(MOST) {
        return LONGER;
    }
    // Below DAYS.
    u8::try_from(day % DAYS).unwrap_or(LONGER)
}

/// What counts of states tell at `now`. One that has ended counts as that for fifty days, then must
/// have been put again; renewals that fail do.
pub(super) fn remaining(counts: &BTreeMap<u8, u64>, now: Timestamp) -> Remaining {
    let today = day_of(now) % DAYS;
    let mut remaining = Remaining::default();
    for (state, count) in counts {
        match *state {
            EXPIRED => remaining.expired += count,
            LONGER => remaining.longer += count,
            state => {
                let left = (u64::from(state) + DAYS - today) % DAYS;
                match u16::try_from(left).unwrap_or(u16::MAX) {
                    left if left <= MOST => *remaining.by_day.entry(left).or_default() += count,
                    _ => remaining.expired += count,
                }
            }
        }
    }
    remaining
}

fn day_of(time: Timestamp) -> u64 {
    time.seconds() / 86_400
}

/// Days around the ring.
const DAYS: u64 = 250;
/// The longest that is told apart: no public authority issues for longer than 200 days.
const MOST: u16 = 200;
const LONGER: u8 = 251;
const EXPIRED: u8 = 252;

#[cfg(test)]
mod tests {
    use super::*;

    fn on(day: u64) -> Timestamp {
        Timestamp::from_seconds(20_000 * 86_400 + day * 86_400 + 7)
    }

    #[test]
    fn counts_tell_how_many_days_are_left_on_any_day_after() {
        for first in [0, 1, 100, 249, 250] {
            let mut counts = BTreeMap::new();
            for (days, count) in [(0, 1), (6, 2), (90, 3), (200, 4), (201, 5), (9_000, 6)] {
                let end = on(first + days).plus(std::time::Duration::from_secs(1));
                *counts.entry(state(end, on(first))).or_default() += count;
            }
            *counts.entry(state(on(first), on(first))).or_default() += 7;
            let told = |later| remaining(&counts, on(first + later));
            let by_day = |pairs: &[(u16, u64)]| pairs.iter().copied().collect::<BTreeMap<_, _>>();
            let now = told(0);
            assert_eq!((now.expired, now.longer), (7, 11), "{first}");
            assert_eq!(now.by_day, by_day(&[(0, 1), (6, 2), (90, 3), (200, 4)]), "{first}");
            let later = told(7);
            assert_eq!((later.expired, later.longer), (10, 11), "{first}");
            assert_eq!(later.by_day, by_day(&[(83, 3), (193, 4)]), "{first}");
        }
    }
}
