//! The keys of session tickets as a pure core: `now` is given, nothing is read or written.
//!
//! ```text
//! ticket  name of the key 16, nonce 12, state of the session under AES-256-GCM-SIV, tag 16
//! kept    {"keys":[{"name":[…],"created":µs,"secret":[…]}]}, newest first
//! ```

use std::fmt;
use std::time::Duration;

use aws_lc_rs::aead::{AES_256_GCM_SIV, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use serde::{Deserialize, Serialize};
use zeroize::{Zeroize, Zeroizing};

use crate::clock::Timestamp;

/// Some keys, the newest first: that one seals, all open.
#[derive(Default)]
pub(super) struct Ring {
    keys: Vec<Key>,
}

/// One key, and what it is made of.
struct Key {
    name: [u8; NAME],
    created: Timestamp,
    secret: Zeroizing<[u8; SECRET]>,
    cipher: LessSafeKey,
}

impl Ring {
    /// The keys of a content that was kept; none of what is no such content.
    pub(super) fn decode(content: &[u8]) -> Self {
        let kept = serde_json::from_slice(content).unwrap_or_else(|error| {
            tracing::warn!(%error, "the kept ticket keys are of no known form");
            Kept { keys: Vec::new() }
        });
        let key = |kept: &KeptKey| {
            let secret = Zeroizing::new(kept.secret);
            Key::new(kept.name, Timestamp::from_micros(kept.created), secret)
        };
        Self { keys: kept.keys.iter().filter_map(key).collect() }
    }

    /// What is to be kept.
    pub(super) fn encode(&self) -> Zeroizing<Vec<u8>> {
        let kept = |key: &Key| KeptKey {
            name: key.name,
            created: key.created.micros(),
            secret: *key.secret,
        };
        let kept = Kept { keys: self.keys.iter().map(kept).collect() };
        Zeroizing::new(serde_json::to_vec(&kept).unwrap_or_default())
    }

    /// Without the keys that open nothing more, and with a new one when none seals for long;
    /// `None` when that changes nothing, or no key could be made.
    pub(super) fn turned(&self, now: Timestamp) -> Option<Self> {
        // Nothing is as old as its key says when the wall clock was set back.
        let is_over = |key: &Key, after: Duration| key.created.until(now) >= after;
        let has_expired = self.keys.iter().any(|key| is_over(key, OPENS));
        if self.seals(now) && !has_expired {
            return None;
        }
        let mut keys: Vec<Key> =
            self.keys.iter().filter(|key| !is_over(key, OPENS)).filter_map(Key::again).collect();
        if !self.seals(now) {
            keys.insert(0, Key::random(now)?);
        }
        Some(Self { keys })
    }

    /// These keys and others, each once.
    pub(super) fn with(&self, other: &Self) -> Self {
        let mut keys: Vec<Key> = self.keys.iter().filter_map(Key::again).collect();
        let more = other.keys.iter().filter(|key| !self.has(key));
        keys.extend(more.filter_map(Key::again));
        keys.sort_by_key(|key| std::cmp::Reverse(key.created));
        keys.truncate(MOST);
        Self { keys }
    }

    /// Whether every key of `other` is here.
    pub(super) fn holds(&self, other: &Self) -> bool {
        other.keys.iter().all(|key| self.has(key))
    }

    /// Whether a key is young enough to seal.
    pub(super) fn seals(&self, now: Timestamp) -> bool {
        self.keys.iter().any(|key| key.created.until(now) < SEALS)
    }

    /// How many keys there are.
    pub(super) fn len(&self) -> usize {
        self.keys.len()
    }

    /// How long until [`Ring::turned`] has something to do: the newest key is to seal no more, or
    /// another one is to be destroyed.
    pub(super) fn next_turn(&self, now: Timestamp) -> Duration {
        let age = |key: &Key| key.created.until(now);
        let seals = self.keys.iter().map(|key| SEALS.saturating_sub(age(key))).max();
        let opens = self.keys.iter().map(|key| OPENS.saturating_sub(age(key))).min();
        seals.into_iter().chain(opens).min().unwrap_or_default()
    }

    /// A ticket around `plain`; `None` without a key or random bytes.
    pub(super) fn seal(&self, plain: &[u8]) -> Option<Vec<u8>> {
        let key = self.keys.first()?;
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

    /// What a ticket of one of these keys holds.
    pub(super) fn open(&self, ticket: &[u8]) -> Option<Vec<u8>> {
        let (name, rest) = ticket.split_first_chunk::<NAME>()?;
        let (nonce, content) = rest.split_first_chunk::<NONCE_LEN>()?;
        let key = self.keys.iter().find(|key| key.name == *name)?;
        let mut plain = content.to_vec();
        let nonce = Nonce::assume_unique_for_key(*nonce);
        let length = key.cipher.open_in_place(nonce, Aad::from(name), &mut plain).ok()?.len();
        plain.truncate(length);
        Some(plain)
    }

    fn has(&self, key: &Key) -> bool {
        self.keys.iter().any(|known| known.name == key.name)
    }
}

impl fmt::Debug for Ring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ring").field("keys", &self.keys.len()).finish()
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

const NAME: usize = 16;
const SECRET: usize = 32;
const HEAD: usize = NAME + NONCE_LEN;
const TAG: usize = 16;
const SEALS: Duration = Duration::from_secs(12 * 3_600);
const OPENS: Duration = Duration::from_secs(24 * 3_600);
/// Keys at a time: two in all order, more after starts without a store.
const MOST: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    const START: Timestamp = Timestamp::from_seconds(1_800_000_000);

    fn hours(hours: u64) -> Timestamp {
        START.plus(Duration::from_secs(hours * 3_600))
    }

    fn made(at: Timestamp) -> Ring {
        Ring::default().turned(at).unwrap()
    }

    #[test]
    fn a_ticket_opens_until_its_key_is_destroyed_and_never_after() {
        let ring = made(START);
        let first = ring.seal(b"state").unwrap();
        assert!(ring.turned(hours(11)).is_none());
        let same = ring.seal(b"state").unwrap();
        assert_eq!(same[..NAME], first[..NAME], "it seals for twelve hours");
        assert_ne!(same[NAME..], first[NAME..], "each ticket has its own nonce");
        let ring = ring.turned(hours(13)).unwrap();
        let second = ring.seal(b"state").unwrap();
        assert_ne!(second[..NAME], first[..NAME]);
        assert!(ring.turned(hours(23)).is_none());
        assert_eq!(ring.open(&first).unwrap(), b"state");
        let ring = ring.turned(hours(24)).unwrap();
        assert_eq!(ring.open(&first), None);
        assert_eq!(ring.open(&second).unwrap(), b"state");
        let kept = Ring::decode(&ring.encode());
        assert_eq!(kept.len(), 1, "destroyed on disk too");
        assert_eq!(kept.open(&second).unwrap(), b"state");
    }

    #[test]
    fn the_next_turn_is_known_so_that_no_key_outlives_its_day() {
        let ring = made(START);
        let hour = Duration::from_secs(3_600);
        assert_eq!(ring.next_turn(hours(2)), 10 * hour, "until it seals no more");
        let ring = ring.turned(hours(12)).unwrap();
        assert_eq!(ring.next_turn(hours(13)), 11 * hour, "until the first is destroyed");
        assert_eq!(ring.next_turn(hours(25)), Duration::ZERO);
        let ring = ring.turned(hours(25)).unwrap();
        assert_eq!(ring.next_turn(hours(25)), 11 * hour);
    }

    #[test]
    fn a_clock_that_was_set_back_destroys_nothing() {
        let ring = made(hours(100));
        let ticket = ring.seal(b"state").unwrap();
        assert!(ring.turned(START).is_none());
        assert_eq!(ring.open(&ticket).unwrap(), b"state");
    }

    #[test]
    fn two_rings_become_one_whose_newest_key_seals() {
        let (old, new) = (made(START), made(hours(1)));
        let both = old.with(&new);
        assert_eq!(both.len(), 2);
        assert!(both.holds(&old) && both.holds(&new) && !old.holds(&both));
        assert_eq!(both.with(&old).len(), 2, "each once");
        let ticket = old.seal(b"state").unwrap();
        assert_eq!(both.open(&ticket).unwrap(), b"state");
        assert_eq!(both.seal(b"s").unwrap()[..NAME], new.seal(b"s").unwrap()[..NAME]);
        let many = (0..100).map(|hour| made(hours(hour))).fold(Ring::default(), |a, b| a.with(&b));
        assert_eq!(many.len(), MOST);
        assert_eq!(many.seal(b"s").unwrap()[..NAME], many.keys[0].name);
    }

    #[test]
    fn a_changed_ticket_opens_nothing() {
        let ring = made(START);
        let ticket = ring.seal(b"state").unwrap();
        for at in 0..8 * ticket.len() {
            let mut changed = ticket.clone();
            changed[at / 8] ^= 1 << (at % 8);
            assert_eq!(ring.open(&changed), None, "bit {at}");
        }
        assert_eq!(ring.open(&ticket[..NAME + 3]), None);
        assert_eq!(ring.open(&[]), None);
    }
}
