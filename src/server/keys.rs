//! Looks at the link keys again, so that a key that was made or refused is seen without a
//! restart.

use std::sync::Arc;
use std::time::Duration;

use crate::admin::Readiness;
use crate::clock::Clock;
use crate::drain::Drain;
use crate::token::{Keyring, KeyringError};

/// The link keys of a running node. Without one that opens links it cannot answer, and is not
/// ready. Cloning shares them.
#[derive(Clone, Debug)]
pub(super) struct Keys {
    keyring: Keyring,
    readiness: Readiness,
    clock: Arc<dyn Clock>,
}

impl Keys {
    pub(super) fn new(keyring: Keyring, readiness: Readiness, clock: Arc<dyn Clock>) -> Self {
        let keys = Self { keyring, readiness, clock };
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
        if self.keyring.sealing_key(self.clock.wall()).is_some() {
            self.readiness.end(REASON);
        } else {
            tracing::error!("no link key opens anything: make one with `waypost key new`");
            self.readiness.begin(REASON);
        }
    }
}

const REASON: &str = "keys";
