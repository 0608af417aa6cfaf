//! The keys of session tickets (RFC 5077, RFC 8446 section 4.6.1), kept over restarts.
//!
//! A key seals for twelve hours and opens for twenty-four, so that each ticket lives for twelve
//! at least; then it is destroyed, and with it what a recorded session could tell. On disk they
//! lie sealed. A ticket is a key's name, a nonce, and the state of the session under
//! AES-256-GCM-SIV: its nonces may be random, whatever the number of tickets.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwap;
use aws_lc_rs::aead::{AES_256_GCM_SIV, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use rustls::server::ProducesTickets;
use serde::{Deserialize, Serialize};
use zeroize::{Zeroize, Zeroizing};

use crate::clock::Timestamp;
use crate::store::SealedFile;

/// The ticket keys. Cloning shares them.
#[derive(Clone)]
pub(super) struct Tickets {
    inner: Arc<Inner>,
}

struct Inner {
    ring: ArcSwap<Vec<Key>>,
    /// Held while keys change.
    file: Mutex<SealedFile>,
}

/// One key, and what it is made of.
struct Key {
    name: [u8; NAME],
    created: Timestamp,
    secret: Zeroizing<[u8; SECRET]>,
    cipher: LessSafeKey,
}

impl Tickets {
    /// The keys in `file`, as far as they are still of use, and a new one when none seals. A
    /// file that cannot be read is replaced: without the keys in it sessions begin anew, and that
    /// is all. Blocks.
    pub(super) fn open(file: SealedFile, now: Timestamp) -> Result<Self, rustls::Error> {
        let ring = match file.read() {
            Ok(content) => content.map(|content| decode(&content)).unwrap_or_default(),
            Err(error) => {
                tracing::warn!(%error, "no session is resumed from before the start");
                Vec::new()
            }
        };
        let inner = Inner { ring: ArcSwap::from_pointee(ring), file: Mutex::new(file) };
        let tickets = Self { inner: Arc::new(inner) };
        tickets.rotate(now);
        let is_able = !tickets.inner.ring.load().is_empty();
        is_able.then_some(tickets).ok_or(rustls::Error::FailedToGetRandomBytes)
    }

    /// Destroys the keys that open nothing more, makes one when none seals for long, and keeps
    /// what is there. Blocks.
    pub(super) fn rotate(&self, now: Timestamp) {
        let file = self.inner.file.lock().unwrap_or_else(PoisonError::into_inner);
        let ring = self.inner.ring.load();
        // Nothing is as old as its key says when the wall clock was set back.
        let is_over = |key: &Key, after: Duration| key.created.until(now) >= after;
        let has_expired = ring.iter().any(|key| is_over(key, OPENS));
        let seals = ring.iter().any(|key| !is_over(key, SEALS));
        if seals && !has_expired {
            return;
        }
        let mut next: Vec<Key> =
            ring.iter().filter(|key| !is_over(key, OPENS)).filter_map(Key::again).collect();
        if !seals {
            match Key::random(now) {
                Some(key) => next.insert(0, key),
                None => return tracing::error!("no ticket key could be made, the old ones stay"),
            }
        }
        if let Err(error) = file.write(&encode(&next)) {
            tracing::warn!(%error, "the ticket keys are not kept over a restart");
        }
        self.inner.ring.store(Arc::new(next));
    }

    /// How long until [`Tickets::rotate`] has something to do: the newest key is to seal no more,
    /// or another one is to be destroyed.
    pub(super) fn next_change(&self, now: Timestamp) -> Duration {
        let ring = self.inner.ring.load();
        let age = |key: &Key| key.created.until(now);
        let seals = ring.iter().map(|key| SEALS.saturating_sub(age(key))).max();
        let opens = ring.iter().map(|key| OPENS.saturating_sub(age(key))).min();
        seals.into_iter().chain(opens).min().unwrap_or_default()
    }
}

impl ProducesTickets for Tickets {
    fn enabled(&self) -> bool {
        true
    }

    fn lifetime(&self) -> u32 {
        LIFETIME
    }

    fn encrypt(&self, plain: &[u8]) -> Option<Vec<u8>> {
        let ring = self.inner.ring.load();
        // The newest comes first.
        let key = ring.first()?;
        let mut nonce = [0; NONCE_LEN];
        aws_lc_rs::rand::fill(&mut nonce).ok()?;
        let mut ticket = Vec::with_capacity(HEAD + plain.len() + TAG);
        ticket.extend_from_slice(&key.name);
        ticket.extend_from_slice(&nonce);
        ticket.extend_from_slice(plain);
        let (head, content) = ticket.split_at_mut(HEAD);
        let nonce = Nonce::assume_unique_for_key(nonce);
        let aad = Aad::from(&head[..NAME]);
        let tag = key.cipher.seal_in_place_separate_tag(nonce, aad, content).ok()?;
        ticket.extend_from_slice(tag.as_ref());
        Some(ticket)
    }

    fn decrypt(&self, ticket: &[u8]) -> Option<Vec<u8>> {
        let (name, rest) = ticket.split_first_chunk::<NAME>()?;
        let (nonce, content) = rest.split_first_chunk::<NONCE_LEN>()?;
        let ring = self.inner.ring.load();
        let key = ring.iter().find(|key| key.name == *name)?;
        let mut plain = content.to_vec();
        let nonce = Nonce::assume_unique_for_key(*nonce);
        let length = key.cipher.open_in_place(nonce, Aad::from(name), &mut plain).ok()?.len();
        plain.truncate(length);
        Some(plain)
    }
}

impl fmt::Debug for Tickets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tickets").field("keys", &self.inner.ring.load().len()).finish()
    }
}

impl Key {
    fn random(created: Timestamp) -> Option<Self> {
        let (mut name, mut secret) = ([0; NAME], Zeroizing::new([0; SECRET]));
        aws_lc_rs::rand::fill(&mut name).ok()?;
        aws_lc_rs::rand::fill(&mut *secret).ok()?;
        Self::new(name, created, secret)
    }

    fn new(name: [u8; NAME], created: Timestamp, secret: Zeroizing<[u8; SECRET]>) -> Option<Self> {
        let cipher = LessSafeKey::new(UnboundKey::new(&AES_256_GCM_SIV, &*secret).ok()?);
        Some(Self { name, created, secret, cipher })
    }

    fn again(&self) -> Option<Self> {
        Self::new(self.name, self.created, self.secret.clone())
    }
}

#[derive(Deserialize, Serialize)]
struct Kept {
    keys: Vec<KeptKey>,
}

#[derive(Deserialize, Serialize)]
struct KeptKey {
    name: [u8; NAME],
    created: u64,
    secret: [u8; SECRET],
}

impl Drop for KeptKey {
    fn drop(&mut self) {
        self.secret.zeroize();
    }
}

fn encode(ring: &[Key]) -> Zeroizing<Vec<u8>> {
    let keys = ring
        .iter()
        .map(|key| KeptKey { name: key.name, created: key.created.micros(), secret: *key.secret })
        .collect();
    Zeroizing::new(serde_json::to_vec(&Kept { keys }).unwrap_or_default())
}

/// The keys of a content that was kept; none of what is no such content.
fn decode(content: &[u8]) -> Vec<Key> {
    let kept = serde_json::from_slice(content).unwrap_or_else(|error| {
        tracing::warn!(%error, "the kept ticket keys are of no known form");
        Kept { keys: Vec::new() }
    });
    let key = |kept: &KeptKey| {
        let secret = Zeroizing::new(kept.secret);
        Key::new(kept.name, Timestamp::from_micros(kept.created), secret)
    };
    kept.keys.iter().filter_map(key).collect()
}

const NAME: usize = 16;
const SECRET: usize = 32;
const HEAD: usize = NAME + NONCE_LEN;
const TAG: usize = 16;
const SEALS: Duration = Duration::from_secs(12 * 3_600);
const OPENS: Duration = Duration::from_secs(24 * 3_600);
/// In seconds: what a ticket's key opens it for at the least.
const LIFETIME: u32 = 12 * 3_600;

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::disk::SystemDisk;
    use crate::store::SealKey;

    const START: Timestamp = Timestamp::from_seconds(1_800_000_000);

    fn file(folder: &Path) -> SealedFile {
        let key = SealKey::load_or_make(&SystemDisk, &folder.join("seal.key")).unwrap();
        let (path, disk) = (folder.join("tickets"), Arc::new(SystemDisk));
        SealedFile { path, purpose: "tickets", key, disk }
    }

    fn hours(hours: u64) -> Timestamp {
        START.plus(Duration::from_secs(hours * 3_600))
    }

    #[test]
    fn a_ticket_opens_until_its_key_is_destroyed_and_never_after() {
        let folder = tempfile::tempdir().unwrap();
        let tickets = Tickets::open(file(folder.path()), START).unwrap();
        let first = tickets.encrypt(b"state").unwrap();
        tickets.rotate(hours(11));
        let same = tickets.encrypt(b"state").unwrap();
        assert_eq!(same[..NAME], first[..NAME], "it seals for twelve hours");
        assert_ne!(same[NAME..], first[NAME..], "each ticket has its own nonce");
        tickets.rotate(hours(13));
        let second = tickets.encrypt(b"state").unwrap();
        assert_ne!(second[..NAME], first[..NAME]);
        tickets.rotate(hours(23));
        assert_eq!(tickets.decrypt(&first).unwrap(), b"state");
        tickets.rotate(hours(24));
        assert_eq!(tickets.decrypt(&first), None);
        assert_eq!(tickets.decrypt(&second).unwrap(), b"state");
        let kept = decode(&file(folder.path()).read().unwrap().unwrap());
        assert_eq!(kept.len(), 1);
        assert_ne!(kept[0].name[..], first[..NAME], "destroyed on disk too");
    }

    #[test]
    fn the_next_change_is_known_so_that_no_key_outlives_its_day() {
        let folder = tempfile::tempdir().unwrap();
        let tickets = Tickets::open(file(folder.path()), START).unwrap();
        let hour = Duration::from_secs(3_600);
        assert_eq!(tickets.next_change(hours(2)), 10 * hour, "until it seals no more");
        tickets.rotate(hours(12));
        assert_eq!(tickets.next_change(hours(13)), 11 * hour, "until the first is destroyed");
        assert_eq!(tickets.next_change(hours(25)), Duration::ZERO);
        tickets.rotate(hours(25));
        assert_eq!(tickets.next_change(hours(25)), 11 * hour);
    }

    #[test]
    fn a_restart_opens_what_was_sealed_before_it() {
        let (folder, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let tickets = Tickets::open(file(folder.path()), START).unwrap();
        let ticket = tickets.encrypt(b"state").unwrap();
        let again = Tickets::open(file(folder.path()), hours(1)).unwrap();
        assert_eq!(again.decrypt(&ticket).unwrap(), b"state");
        assert_eq!(again.encrypt(b"state").unwrap()[..NAME], ticket[..NAME]);
        let late = Tickets::open(file(folder.path()), hours(30)).unwrap();
        assert_eq!(late.decrypt(&ticket), None);
        let foreign = Tickets::open(file(other.path()), START).unwrap();
        assert_eq!(foreign.decrypt(&ticket), None);
    }

    #[test]
    fn a_clock_that_was_set_back_destroys_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let tickets = Tickets::open(file(folder.path()), hours(100)).unwrap();
        let ticket = tickets.encrypt(b"state").unwrap();
        tickets.rotate(START);
        assert_eq!(tickets.decrypt(&ticket).unwrap(), b"state");
    }

    #[test]
    fn what_was_kept_badly_is_replaced() {
        let folder = tempfile::tempdir().unwrap();
        for content in ["{\"keys\":[1]}", "", "{\"keys\":[]}"] {
            file(folder.path()).write(content.as_bytes()).unwrap();
            let ticket = Tickets::open(file(folder.path()), START).unwrap().encrypt(b"s").unwrap();
            let again = Tickets::open(file(folder.path()), START).unwrap();
            assert_eq!(again.decrypt(&ticket).unwrap(), b"s");
        }
    }

    #[test]
    fn a_changed_ticket_opens_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let tickets = Tickets::open(file(folder.path()), START).unwrap();
        let ticket = tickets.encrypt(b"state").unwrap();
        for at in 0..8 * ticket.len() {
            let mut changed = ticket.clone();
            changed[at / 8] ^= 1 << (at % 8);
            assert_eq!(tickets.decrypt(&changed), None, "bit {at}");
        }
        assert_eq!(tickets.decrypt(&ticket[..NAME + 3]), None);
        assert_eq!(tickets.decrypt(&[]), None);
    }
}
