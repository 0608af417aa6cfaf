//! Reading the keys again when a link names one that we do not have.
//!
//! It may be a key that was made a moment ago, or a forged link; so the readings are few, and all
//! who wait share one.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::{Notify, watch};

use crate::drain::Drain;
use crate::token::Keyring;

/// The one reader of keys on demand. Cloning shares it.
#[derive(Clone, Debug)]
pub(super) struct Rereading {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    keyring: Keyring,
    asked: Notify,
    begun: AtomicU64,
    finished: watch::Sender<u64>,
}

impl Rereading {
    pub(super) fn new(keyring: Keyring) -> Self {
        let finished = watch::Sender::new(0);
        let (asked, begun) = (Notify::new(), AtomicU64::new(0));
        Self { shared: Arc::new(Shared { keyring, asked, begun, finished }) }
    }

    /// Waits until the keys were read, by a reading that began after this call; gives up after a
    /// bounded time.
    pub(super) async fn again(&self) {
        let mut finished = self.shared.finished.subscribe();
        let wanted = self.shared.begun.load(Ordering::Acquire) + 1;
        self.shared.asked.notify_one();
        let read = finished.wait_for(|count| *count >= wanted);
        if tokio::time::timeout(LONGEST_WAIT, read).await.is_err() {
            tracing::warn!("the link keys could not be read again in time");
        }
    }

    /// Reads when asked, until the drain begins.
    pub(super) fn start(&self, drain: &Drain) {
        let (shared, ending) = (Arc::clone(&self.shared), drain.clone());
        drain.spawn(async move {
            tokio::select! {
                () = ending.ending() => {}
                () = shared.read_when_asked() => {}
            }
        });
    }
}

impl Shared {
    async fn read_when_asked(&self) {
        loop {
            self.asked.notified().await;
            let count = self.begun.fetch_add(1, Ordering::AcqRel) + 1;
            let keyring = self.keyring.clone();
            match tokio::task::spawn_blocking(move || keyring.reload()).await {
                Ok(Ok(_)) => {}
                Ok(Err(error)) => tracing::warn!(%error, "link keys not read, the old ones stay"),
                Err(error) => tracing::error!(%error, "the reading of link keys ended by a panic"),
            }
            self.finished.send_replace(count);
            tokio::time::sleep(PAUSE).await;
        }
    }
}

/// Between two readings: two a second at most.
const PAUSE: Duration = Duration::from_millis(500);
/// A reading that was just missed and the next one, on a disk that is not stuck.
const LONGEST_WAIT: Duration = Duration::from_secs(1);
