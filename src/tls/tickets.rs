//! The keys of session tickets (RFC 5077, RFC 8446 section 4.6.1), kept over restarts.
//!
//! A key seals for twelve hours and opens for twenty-four, so that each ticket lives for twelve
//! at least; then it is destroyed, and with it what a recorded session could tell. In the store
//! they lie sealed. A ticket is a key's name, a nonce, and the state of the session under
//! AES-256-GCM-SIV: its nonces may be random, whatever the number of tickets.
//!
//! A handshake looks in memory alone. While the store cannot be used, keys are made there, and
//! brought to the store when it can be.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use arc_swap::ArcSwap;
use rustls::server::ProducesTickets;
use tokio::sync::Mutex;

use super::ring::Ring;
use crate::clock::Timestamp;
use crate::store::{Change, Content, Expected, Kind, SealedFile, Store, StoreError};

/// The ticket keys. Cloning shares them.
#[derive(Clone)]
pub(super) struct Tickets {
    inner: Arc<Inner>,
}

struct Inner {
    ring: ArcSwap<Ring>,
    /// Whether a key of this process has sealed: then it must not be dropped for another.
    has_sealed: AtomicBool,
    /// Whether the store holds what is here.
    is_kept: AtomicBool,
    /// Absent until the node has opened it.
    store: OnceLock<Arc<dyn Store>>,
    /// Where earlier versions kept the keys, until they are in the store. Held while keys change.
    earlier: Mutex<Option<SealedFile>>,
}

impl Tickets {
    /// A new key in memory, besides those in the file of an earlier version. Blocks.
    pub(super) fn open(earlier: SealedFile, now: Timestamp) -> Result<Self, rustls::Error> {
        let (ring, earlier) = match earlier.read() {
            Ok(None) => (Ring::default(), None),
            Ok(Some(content)) => (Ring::decode(&content), Some(earlier)),
            Err(error) => {
                tracing::warn!(%error, "no session is resumed from before the start");
                (Ring::default(), Some(earlier))
            }
        };
        let has_sealed = AtomicBool::new(ring.len() > 0);
        let ring = ring.turned(now).unwrap_or(ring);
        if ring.len() == 0 {
            return Err(rustls::Error::FailedToGetRandomBytes);
        }
        let inner = Inner {
            ring: ArcSwap::from_pointee(ring),
            has_sealed,
            is_kept: AtomicBool::new(false),
            store: OnceLock::new(),
            earlier: Mutex::new(earlier),
        };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// Keeps the keys in `store` from now on.
    pub(super) fn attach(&self, store: Arc<dyn Store>) {
        // Once, at the start.
        self.inner.store.set(store).unwrap_or_default();
    }

    /// Takes up the keys of the store, destroys those that open nothing more, makes one when none
    /// seals for long, and keeps what is there. Without the store that happens in memory alone.
    pub(super) async fn keep(&self, now: Timestamp) {
        let mut earlier = self.inner.earlier.lock().await;
        let is_kept = self.inner.is_kept.load(Ordering::Relaxed);
        if is_kept && self.inner.ring.load().turned(now).is_none() {
            return;
        }
        let brought = match self.inner.store.get() {
            Some(store) => self.brought(&**store, now).await,
            None => Err(StoreError::Closed),
        };
        match brought {
            Ok(()) => {
                self.inner.is_kept.store(true, Ordering::Relaxed);
                forget(earlier.take()).await;
            }
            Err(error) => {
                tracing::warn!(%error, "the ticket keys are not kept over a restart");
                self.inner.is_kept.store(false, Ordering::Relaxed);
                if let Some(next) = self.inner.ring.load().turned(now) {
                    self.inner.ring.store(Arc::new(next));
                }
            }
        }
    }

    /// How long until [`Tickets::keep`] has something to do.
    pub(super) fn next_change(&self, now: Timestamp) -> Duration {
        let turn = self.inner.ring.load().next_turn(now);
        if self.inner.is_kept.load(Ordering::Relaxed) { turn } else { turn.min(RETRY) }
    }

    /// Makes the store hold what is here, and this what the store holds.
    async fn brought(&self, store: &dyn Store, now: Timestamp) -> Result<(), StoreError> {
        for _ in 0..TRIES {
            let (stored, expected) = stored(store).await?;
            let own = self.inner.ring.load();
            // A key that nobody has used needs not be kept beside one that seals.
            let is_spare = !self.inner.has_sealed.load(Ordering::Relaxed) && stored.seals(now);
            let both = if is_spare { stored.with(&Ring::default()) } else { stored.with(&own) };
            let next = both.turned(now).unwrap_or(both);
            if next.len() == 0 {
                return Err(StoreError::Unavailable("no ticket key could be made".to_owned()));
            }
            let is_same = next.holds(&stored) && stored.holds(&next);
            if !is_same && !put(store, expected, &next).await? {
                // Another node was faster.
                continue;
            }
            self.inner.ring.store(Arc::new(next));
            return Ok(());
        }
        Err(StoreError::Busy)
    }
}

async fn forget(earlier: Option<SealedFile>) {
    let Some(file) = earlier else { return };
    let removed = tokio::task::spawn_blocking(move || file.disk.remove(&file.path)).await;
    if !matches!(removed, Ok(Ok(()))) {
        tracing::warn!(?removed, "the file of the earlier ticket keys could not be removed");
    }
}

async fn stored(store: &dyn Store) -> Result<(Ring, Expected), StoreError> {
    match store.get(Kind::TicketKeys, NAME).await {
        Ok(Some(stored)) => {
            Ok((Ring::decode(&stored.content.bytes), Expected::Version(stored.version)))
        }
        Ok(None) => Ok((Ring::default(), Expected::Absent)),
        Err(error @ StoreError::Damaged { .. }) => {
            tracing::warn!(%error, "no session is resumed from before the start");
            Ok((Ring::default(), Expected::Damaged))
        }
        Err(error) => Err(error),
    }
}

/// Puts a ring; false when the record has changed meanwhile.
async fn put(store: &dyn Store, expected: Expected, ring: &Ring) -> Result<bool, StoreError> {
    let content = Some(Content { bytes: ring.encode(), state: 0, due: None });
    let change =
        Change { kind: Kind::TicketKeys, name: NAME.to_owned(), expected, content, event: None };
    Ok(store.put(vec![change]).await?.iter().all(Result::is_ok))
}

impl ProducesTickets for Tickets {
    fn enabled(&self) -> bool {
        true
    }

    fn lifetime(&self) -> u32 {
        LIFETIME
    }

    fn encrypt(&self, plain: &[u8]) -> Option<Vec<u8>> {
        let sealed = self.inner.ring.load().seal(plain);
        if !self.inner.has_sealed.load(Ordering::Relaxed) {
            self.inner.has_sealed.store(true, Ordering::Relaxed);
        }
        sealed
    }

    fn decrypt(&self, ticket: &[u8]) -> Option<Vec<u8>> {
        self.inner.ring.load().open(ticket)
    }
}

impl fmt::Debug for Tickets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tickets").field("ring", &self.inner.ring.load()).finish()
    }
}

/// The one record of its kind.
const NAME: &str = "ring";
/// In seconds: what a ticket's key opens it for at the least.
const LIFETIME: u32 = 12 * 3_600;
/// How often a record that others change meanwhile is read again.
const TRIES: usize = 5;
/// How soon a store that failed is asked again.
const RETRY: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tls::cruel::CruelStore;

    const START: Timestamp = Timestamp::from_seconds(1_800_000_000);

    fn hours(hours: u64) -> Timestamp {
        START.plus(Duration::from_secs(hours * 3_600))
    }

    async fn opened(store: &Arc<CruelStore>, now: Timestamp) -> Tickets {
        let tickets = Tickets::open(store.earlier(), now).unwrap();
        tickets.attach(store.clone());
        tickets.keep(now).await;
        tickets
    }

    #[tokio::test]
    async fn a_restart_opens_what_was_sealed_before_it() {
        let store = CruelStore::open();
        let ticket = opened(&store, START).await.encrypt(b"state").unwrap();
        let again = opened(&store, hours(1)).await;
        assert_eq!(again.decrypt(&ticket).unwrap(), b"state");
        assert_eq!(again.encrypt(b"state").unwrap()[..16], ticket[..16], "one key for both");
        assert_eq!(again.next_change(hours(2)), Duration::from_secs(10 * 3_600));
        let late = opened(&store, hours(30)).await;
        assert_eq!(late.decrypt(&ticket), None);
        assert_eq!(late.inner.ring.load().len(), 1, "destroyed on disk too");
        let foreign = opened(&CruelStore::open(), START).await;
        assert_eq!(foreign.decrypt(&ticket), None);
    }

    #[tokio::test]
    async fn without_a_store_sessions_are_resumed_from_memory_and_kept_once_it_answers() {
        let store = CruelStore::open();
        let before = opened(&store, START).await.encrypt(b"before").unwrap();
        store.fails.store(true, Ordering::SeqCst);
        let tickets = opened(&store, hours(1)).await;
        let own = tickets.encrypt(b"own").unwrap();
        assert_eq!(tickets.decrypt(&own).unwrap(), b"own");
        assert_eq!(tickets.decrypt(&before), None);
        assert_eq!(tickets.next_change(hours(1)), RETRY);
        // The time of keys goes on without the store.
        tickets.keep(hours(14)).await;
        let second = tickets.encrypt(b"second").unwrap();
        assert_ne!(second[..16], own[..16]);
        store.fails.store(false, Ordering::SeqCst);
        tickets.keep(hours(14)).await;
        for (ticket, plain) in [(&before, "before"), (&own, "own"), (&second, "second")] {
            assert_eq!(tickets.decrypt(ticket).unwrap(), plain.as_bytes());
        }
        let again = opened(&store, hours(15)).await;
        assert_eq!(again.decrypt(&own).unwrap(), b"own", "kept over a restart");
        assert_eq!(again.decrypt(&second).unwrap(), b"second");
    }

    #[tokio::test]
    async fn the_file_of_an_earlier_version_is_taken_over_once() {
        let store = CruelStore::open();
        let ring = Ring::default().turned(START).unwrap();
        store.earlier().write(&ring.encode()).unwrap();
        let ticket = ring.seal(b"state").unwrap();
        store.fails.store(true, Ordering::SeqCst);
        assert_eq!(opened(&store, START).await.decrypt(&ticket).unwrap(), b"state");
        assert!(store.earlier().read().unwrap().is_some(), "until the store has them");
        store.fails.store(false, Ordering::SeqCst);
        assert_eq!(opened(&store, START).await.decrypt(&ticket).unwrap(), b"state");
        assert!(store.earlier().read().unwrap().is_none());
        assert_eq!(opened(&store, START).await.decrypt(&ticket).unwrap(), b"state");
    }

    #[tokio::test]
    async fn what_was_kept_badly_is_replaced() {
        for content in ["{\"keys\":[1]}", "", "{\"keys\":[]}"] {
            let store = CruelStore::open();
            let content =
                Content { bytes: content.as_bytes().to_vec().into(), state: 0, due: None };
            let change = Change {
                kind: Kind::TicketKeys,
                name: NAME.to_owned(),
                expected: Expected::Absent,
                content: Some(content),
                event: None,
            };
            store.put(vec![change]).await.unwrap().remove(0).unwrap();
            let ticket = opened(&store, START).await.encrypt(b"s").unwrap();
            assert_eq!(opened(&store, START).await.decrypt(&ticket).unwrap(), b"s");
        }
    }
}
