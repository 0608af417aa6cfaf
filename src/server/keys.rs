//! Looks at the link keys again, so that a key that was made or refused is seen without a
//! restart.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::admin::Readiness;
use crate::clock::Clock;
use crate::drain::Drain;
use crate::metrics::Degraded;
use crate::token::{Fault, Keyring, KeyringError};

/// The link keys of a running node. Without one that opens links it cannot answer, and is not
/// ready. Cloning shares them.
#[derive(Clone, Debug)]
pub(super) struct Keys {
    keyring: Keyring,
    readiness: Readiness,
    degraded: Degraded,
    clock: Arc<dyn Clock>,
    /// The faults that were told.
    told: Arc<Mutex<Vec<Fault>>>,
}

impl Keys {
    pub(super) fn new(
        keyring: Keyring,
        readiness: Readiness,
        degraded: Degraded,
        clock: Arc<dyn Clock>,
    ) -> Self {
        let keys = Self { keyring, readiness, degraded, clock, told: Arc::default() };
        keys.judge();
        keys
    }

    /// Reads the keys again; true when something changed. Blocks.
    pub(super) fn reload(&self) -> Result<bool, KeyringError> {
        let read = self.keyring.reload();
        self.judge();
        read
    }

    /// Reads the keys again every `every`, until the drain begins.
    pub(super) fn watch(&self, every: Duration, drain: &Drain) {
        let (keys, ending) = (self.clone(), drain.clone());
        drain.spawn(async move {
            loop {
                tokio::select! {
                    () = ending.ending() => return,
                    () = tokio::time::sleep(every) => {}
                }
                let reading = keys.clone();
                match tokio::task::spawn_blocking(move || reading.reload()).await {
                    Ok(Ok(false)) => {}
                    Ok(Ok(true)) => tracing::info!("the link keys changed"),
                    Ok(Err(error)) => tracing::warn!(%error, "the link keys stay as they were"),
                    Err(error) => tracing::error!(%error, "the reading of keys ended by a panic"),
                }
            }
        });
    }

    fn judge(&self) {
        self.tell_faults();
        if self.keyring.sealing_key(self.clock.wall()).is_some() {
            self.readiness.end(REASON);
        } else {
            tracing::error!("no link key opens anything: make one with `waypost key new`");
            self.readiness.begin(REASON);
        }
    }

    /// Tells each file that holds no key once.
    fn tell_faults(&self) {
        let faults = self.keyring.faults();
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        for Fault { file, reason } in faults.iter().filter(|fault| !told.contains(fault)) {
            tracing::error!(file = %file.display(), reason, "a key file holds no key: left out");
        }
        if faults.is_empty() {
            self.degraded.end(REASON);
        } else {
            self.degraded.begin(REASON);
        }
        *told = faults;
    }
}

const REASON: &str = "keys";
