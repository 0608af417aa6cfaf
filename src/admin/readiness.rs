//! Whether the process can answer, and if not, why.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

/// The reasons for which the process cannot answer; none is ready. Cloning shares them.
///
/// Only what stops answers belongs here: listeners, keys, draining. A promise that is broken
/// while clicks are still answered is a [degraded](crate::metrics::Degraded) reason, since those
/// strike a whole fleet at once, and a fleet that leaves its balancer redirects nobody.
#[derive(Clone, Debug, Default)]
pub struct Readiness {
    reasons: Arc<Mutex<BTreeSet<&'static str>>>,
}

impl Readiness {
    /// Says that `reason` stops answers.
    pub fn begin(&self, reason: &'static str) {
        self.reasons.lock().unwrap_or_else(PoisonError::into_inner).insert(reason);
    }

    /// Says that `reason` no longer stops answers.
    pub fn end(&self, reason: &'static str) {
        self.reasons.lock().unwrap_or_else(PoisonError::into_inner).remove(reason);
    }

    /// The reasons that hold, in order of their names.
    pub fn reasons(&self) -> Vec<&'static str> {
        self.reasons.lock().unwrap_or_else(PoisonError::into_inner).iter().copied().collect()
    }
}
