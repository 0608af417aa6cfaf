//! Renewals that were due and came to nothing, as far as this process knows.
//!
//! What waits for its turn is told by the store; what was tried waits there for its next try, and
//! is not due any more by its time.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::clock::Timestamp;
use crate::hostname::Hostname;

/// Names whose renewals are late.
#[derive(Debug, Default)]
pub(super) struct Overdue {
    since: Mutex<HashMap<Hostname, Timestamp>>,
}

impl Overdue {
    /// A renewal was tried in vain that was due at `since`.
    pub(super) fn late(&self, name: &Hostname, since: Timestamp) {
        let mut late = self.lock();
        if late.len() < MOST || late.contains_key(name) {
            late.insert(name.clone(), since);
        }
    }

    /// A name is renewed, or need not be.
    pub(super) fn done(&self, name: &Hostname) {
        self.lock().remove(name);
    }

    /// Since when the oldest is late.
    pub(super) fn oldest(&self) -> Option<Timestamp> {
        self.lock().values().min().copied()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Hostname, Timestamp>> {
        self.since.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Names that are remembered. With more of them late, one among those is as old as any.
const MOST: usize = 10_000;
