//! How often one server may be asked: pure, `now` is given.

use std::collections::HashMap;
use std::net::IpAddr;
use std::time::{Duration, Instant};

/// A rate for each server, with room for a short burst.
#[derive(Debug)]
pub(super) struct Pace {
    every: Duration,
    burst: Duration,
    /// When the next question would be due if questions were spread evenly.
    due: HashMap<IpAddr, Instant>,
}

impl Pace {
    /// `rate` questions a second to each server.
    pub(super) fn new(rate: u32) -> Self {
        let every = Duration::from_secs(1) / rate.max(1);
        Self { every, burst: Duration::from_secs(1), due: HashMap::new() }
    }

    /// How long to wait before the next question to `server`; `None` when that would be longer
    /// than `patience`, and then nothing is taken.
    pub(super) fn reserve(
        &mut self,
        server: IpAddr,
        now: Instant,
        patience: Duration,
    ) -> Option<Duration> {
        if self.due.len() >= FORGET_AT && !self.due.contains_key(&server) {
            self.due.retain(|_, due| *due > now);
        }
        let due = self.due.get(&server).copied().unwrap_or(now).max(now);
        // Questions that run ahead of the even spread by less than a burst need not wait.
        let wait = due.saturating_duration_since(now + self.burst.saturating_sub(self.every));
        if wait > patience {
            return None;
        }
        self.due.insert(server, due + self.every);
        Some(wait)
    }
}

/// Servers that are known at a time, before those that were not asked lately are forgotten.
const FORGET_AT: usize = 4_096;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::{Clock, SystemClock};

    #[test]
    fn a_burst_goes_at_once_and_then_the_rate_holds_for_each_server() {
        let start = SystemClock.now();
        let (one, other) = (IpAddr::from([192, 0, 2, 1]), IpAddr::from([192, 0, 2, 2]));
        let mut pace = Pace::new(10);
        let patience = Duration::from_millis(250);
        let waits: Vec<_> = (0..13).map(|_| pace.reserve(one, start, patience)).collect();
        assert_eq!(waits[..10], [Some(Duration::ZERO); 10]);
        assert_eq!(waits[10..12], [100, 200].map(|ms| Some(Duration::from_millis(ms))));
        assert_eq!(waits[12], None, "longer than the patience");
        assert_eq!(pace.reserve(other, start, patience), Some(Duration::ZERO));
        let later = start + Duration::from_secs(60);
        assert_eq!(pace.reserve(one, later, patience), Some(Duration::ZERO));
    }

    #[test]
    fn servers_that_were_not_asked_lately_take_no_memory() {
        let start = SystemClock.now();
        let mut pace = Pace::new(10);
        for index in 0..10 * FORGET_AT as u32 {
            let now = start + Duration::from_millis(u64::from(index));
            pace.reserve(IpAddr::from(index.to_be_bytes()), now, Duration::ZERO);
        }
        assert!(pace.due.len() <= FORGET_AT, "{}", pace.due.len());
    }
}
