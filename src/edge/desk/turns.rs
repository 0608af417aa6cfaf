//! Who may have a name looked at, and when: pure.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use crate::hostname::Hostname;

/// The turns that were taken. Names are remembered while they rest, so there are at most as many
/// as may be looked at in that time.
#[derive(Debug)]
pub(super) struct Turns {
    every: Duration,
    per_minute: u32,
    names: HashMap<Hostname, Turn>,
    /// Turns left, as of a time.
    left: f64,
    at: Instant,
}

#[derive(Clone, Copy, Debug)]
enum Turn {
    Running,
    Ended(Instant),
}

/// Whether a name may be looked at now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// It may.
    Free,
    /// It is being looked at.
    Running,
    /// It was looked at a moment ago; how long it still rests.
    Resting(Duration),
    /// Too many others are; how long until there is a turn.
    Crowded(Duration),
}

impl Turns {
    pub(super) fn new(every: Duration, per_minute: u32, now: Instant) -> Self {
        let left = f64::from(per_minute);
        Self { every, per_minute, names: HashMap::new(), left, at: now }
    }

    /// Takes the turn of a name when it is free. It must be ended.
    pub(super) fn take(&mut self, name: &Hostname, now: Instant) -> Standing {
        let standing = self.standing(name, now);
        if standing == Standing::Free {
            let every = self.every;
            self.names.retain(|_, turn| match turn {
                Turn::Running => true,
                Turn::Ended(at) => now.saturating_duration_since(*at) < every,
            });
            self.left = (self.left - 1.0).max(0.0);
            self.names.insert(name.clone(), Turn::Running);
        }
        standing
    }

    /// Ends the turn of a name, which rests from now on.
    pub(super) fn end(&mut self, name: &Hostname, now: Instant) {
        if let Some(turn) = self.names.get_mut(name) {
            *turn = Turn::Ended(now);
        }
    }

    /// How a name stands.
    pub(super) fn standing(&mut self, name: &Hostname, now: Instant) -> Standing {
        match self.names.get(name) {
            Some(Turn::Running) => return Standing::Running,
            Some(Turn::Ended(at)) => {
                let rest = self.every.saturating_sub(now.saturating_duration_since(*at));
                if !rest.is_zero() {
                    return Standing::Resting(rest);
                }
            }
            None => {}
        }
        let rate = f64::from(self.per_minute) / 60.0;
        let gone = now.saturating_duration_since(self.at).as_secs_f64();
        self.left = gone.mul_add(rate, self.left).min(f64::from(self.per_minute));
        self.at = self.at.max(now);
        if self.left >= 1.0 {
            return Standing::Free;
        }
        Standing::Crowded(Duration::from_secs_f64((1.0 - self.left) / rate))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::{Clock, SystemClock};

    const EVERY: Duration = Duration::from_secs(30);
    const SECOND: Duration = Duration::from_secs(1);

    fn name(number: u64) -> Hostname {
        Hostname::parse(&format!("n{number}.example")).unwrap()
    }

    #[test]
    fn a_name_is_looked_at_by_one_at_a_time_and_rests_after_it() {
        let begun = SystemClock.now();
        let mut turns = Turns::new(EVERY, 60, begun);
        assert_eq!(turns.take(&name(1), begun), Standing::Free);
        let later = begun + EVERY * 2;
        assert_eq!(turns.take(&name(1), later), Standing::Running, "however long it takes");
        assert_eq!(turns.take(&name(2), later), Standing::Free, "others are not concerned");
        turns.end(&name(1), later);
        assert_eq!(turns.take(&name(1), later + SECOND), Standing::Resting(EVERY - SECOND));
        assert_eq!(turns.take(&name(1), later + EVERY), Standing::Free);
        // A clock that stands still gives nobody a turn and takes nobody's.
        turns.end(&name(1), later + EVERY);
        assert_eq!(turns.standing(&name(1), later), Standing::Resting(EVERY));
    }

    #[test]
    fn many_names_share_a_budget_and_what_is_remembered_is_bounded() {
        let begun = SystemClock.now();
        let mut turns = Turns::new(EVERY, 60, begun);
        let mut taken = 0;
        for tenth in 0..6_000_u32 {
            let now = begun + SECOND * tenth / 10;
            for number in 0..5 {
                let name = name(u64::from(tenth) * 5 + number);
                if turns.take(&name, now) == Standing::Free {
                    turns.end(&name, now);
                    taken += 1;
                }
            }
            assert!(turns.names.len() <= 60 + 31, "{}", turns.names.len());
        }
        assert!((600..=661).contains(&taken), "{taken} in ten minutes and a burst");
        let now = begun + SECOND * 600;
        while turns.take(&name(taken), now) == Standing::Free {
            taken += 1;
        }
        let Standing::Crowded(wait) = turns.take(&name(taken + 1), now) else { panic!("crowded") };
        assert!(wait <= SECOND && !wait.is_zero(), "{wait:?}");
        assert_eq!(turns.take(&name(taken + 1), now + wait), Standing::Free);
    }
}
