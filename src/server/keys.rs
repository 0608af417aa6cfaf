//! Looks at the link keys again, so that a key that was made or refused is seen without a
//! restart.

use std::time::Duration;

use crate::drain::Drain;
use crate::token::Keyring;

/// Reads the keys again every `every`, until the drain begins.
pub(super) fn watch(keyring: Keyring, every: Duration, drain: &Drain) {
    let ending = drain.clone();
    drain.spawn(async move {
        loop {
            tokio::select! {
                () = ending.ending() => return,
                () = tokio::time::sleep(every) => {}
            }
            let reading = keyring.clone();
            match tokio::task::spawn_blocking(move || reading.reload()).await {
                Ok(Ok(false)) => {}
                Ok(Ok(true)) => tracing::info!("the link keys changed"),
                Ok(Err(error)) => tracing::warn!(%error, "the link keys stay as they were"),
                Err(error) => tracing::error!(%error, "the reading of keys ended by a panic"),
            }
        }
    });
}
