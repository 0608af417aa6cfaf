//! Nonces that an authority gave and nobody used (RFC 8555 §6.5): each spares a request.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// The nonces of one authority.
#[derive(Debug, Default)]
pub(super) struct Nonces {
    held: Mutex<VecDeque<(String, Instant)>>,
}

impl Nonces {
    /// Keeps a nonce that will not be used by who it was given to.
    pub(super) fn give(&self, nonce: String, now: Instant) {
        let mut held = self.lock();
        if held.len() == MOST {
            held.pop_front();
        }
        held.push_back((nonce, now));
    }

    /// The newest nonce that is still likely to be taken.
    pub(super) fn take(&self, now: Instant) -> Option<String> {
        let mut held = self.lock();
        let (nonce, since) = held.pop_back()?;
        if now.saturating_duration_since(since) < GOOD_FOR {
            return Some(nonce);
        }
        // The others are older still.
        held.clear();
        None
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<(String, Instant)>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

const MOST: usize = 64;
/// Authorities forget nonces after hours or after many others; one that was forgotten costs one
/// request more.
const GOOD_FOR: Duration = Duration::from_secs(600);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::{Clock, SystemClock};

    #[test]
    fn the_newest_is_used_first_and_an_old_one_never() {
        let (nonces, start) = (Nonces::default(), SystemClock.now());
        for number in 0..MOST + 2 {
            nonces.give(number.to_string(), start);
        }
        assert_eq!(nonces.take(start), Some((MOST + 1).to_string()));
        assert_eq!(nonces.lock().len(), MOST - 1);
        assert_eq!(nonces.take(start + GOOD_FOR), None);
        assert_eq!(nonces.take(start), None);
    }
}
