//! Budgets that fill up evenly, each kept as the time at which it would be whole again: pure.

use super::contract::{Draw, Taken};
use crate::clock::Timestamp;

impl Draw {
    /// Takes from a budget that would be whole at `whole_at`, `None` for one that nothing was ever
    /// taken from: when it is whole after that, and what became of the draw. All or nothing.
    pub fn from(self, whole_at: Option<Timestamp>, now: Timestamp) -> (Option<Timestamp>, Taken) {
        let every = u64::try_from(self.every.as_micros()).unwrap_or(u64::MAX).max(1);
        let times = |count: u32| every.saturating_mul(u64::from(count));
        let (now, burst) = (now.micros(), times(self.capacity));
        // At worst it is empty: a budget whose clock ran ahead.
        let empty = now.saturating_add(burst);
        let held = whole_at.map_or(now, Timestamp::micros).clamp(now, empty);
        let after = held.saturating_add(times(self.amount));
        let needed = after.saturating_add(times(self.keep));
        if needed > empty {
            let wait = if self.amount.saturating_add(self.keep) > self.capacity {
                u64::MAX
            } else {
                needed - burst
            };
            return (whole_at, Taken::NotBefore(Timestamp::from_micros(wait)));
        }
        let left = u32::try_from((empty - after) / every).unwrap_or(u32::MAX);
        (Some(Timestamp::from_micros(after)), Taken::Left(left))
    }
}
