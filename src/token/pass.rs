//! Passes: what opens the page of a customer's name to whoever holds its link.
//!
//! ```text
//! pass        base64url without padding of
//!   version   1 byte    1
//!   key id    4 bytes
//!   salt     16 bytes   random
//!   sealed              AES-256-GCM(expiry: seconds since 1970, 8 bytes big endian; then the name),
//!                       then its 16-byte tag
//! key         HMAC-SHA256(HMAC-SHA256(master, LABEL), salt)
//! nonce       12 zero bytes: each key seals once
//! associated  version, key id, then the platform's bare host in lower case
//! ```
//!
//! The label is longer than a salt, so no key of a pass is ever one of a link: neither opens the
//! other.

use aws_lc_rs::aead::Aad;
use aws_lc_rs::hmac;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use thiserror::Error;

use super::key::{Key, KeyId};
use super::seal::{Associated, HEAD, Head, SALT, TAG, cipher, zero_nonce};
use crate::clock::Timestamp;
use crate::hostname::Hostname;

/// What a pass says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pass {
    /// Whose page it opens.
    pub name: Hostname,
    /// From then on it opens nothing. Whole seconds.
    pub until: Timestamp,
}

/// Why a pass opens nothing.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum PassError {
    /// Its time is over.
    #[error("the link has ended")]
    Ended,
    /// Changed, or made for another host or with another key.
    #[error("the link was changed, or was made for another host")]
    Forged,
    /// Not a pass of a version that we know.
    #[error("this is no link to a page")]
    Malformed,
    /// Made with a key that is refused.
    #[error("the link's key {0} is refused")]
    RefusedKey(KeyId),
    /// Made with a key that we do not hold, or not yet.
    #[error("the link's key {0} is not among the keys")]
    UnknownKey(KeyId),
}

/// Seals a pass for the platform's host with a given salt; `None` when the cipher fails.
pub(super) fn seal(key: &Key, pass: &Pass, host: &Hostname, salt: [u8; SALT]) -> Option<String> {
    let mut bytes = vec![VERSION];
    bytes.extend_from_slice(&key.id.0);
    bytes.extend_from_slice(&salt);
    bytes.extend_from_slice(&pass.until.seconds().to_be_bytes());
    bytes.extend_from_slice(pass.name.as_str().as_bytes());
    let (head, plain) = bytes.split_at_mut(HEAD);
    let associated = Associated::new(head, host);
    let tag = cipher(&derived(key), &salt)?
        .seal_in_place_separate_tag(zero_nonce(), Aad::from(associated.bytes()), plain)
        .ok()?;
    bytes.extend_from_slice(tag.as_ref());
    Some(URL_SAFE_NO_PAD.encode(bytes))
}

/// Decodes a pass's text into `buffer` and reads its head; `None` when it is none of ours.
pub(super) fn head(text: &str, buffer: &mut Vec<u8>) -> Option<Head> {
    if text.len() > MAX_PASS {
        return None;
    }
    buffer.clear();
    URL_SAFE_NO_PAD.decode_vec(text, buffer).ok()?;
    if *buffer.first()? != VERSION {
        return None;
    }
    Head::read(buffer)
}

/// Opens what [`head`] decoded, in place.
pub(super) fn open(
    key: &Key,
    head: &Head,
    host: &Hostname,
    now: Timestamp,
    buffer: &mut [u8],
) -> Result<Pass, PassError> {
    let (front, sealed) = buffer.split_at_mut(HEAD.min(buffer.len()));
    if sealed.len() < EXPIRY + 1 + TAG {
        return Err(PassError::Malformed);
    }
    let associated = Associated::new(front, host);
    let cipher = cipher(&derived(key), &head.salt).ok_or(PassError::Forged)?;
    let opened = cipher.open_in_place(zero_nonce(), Aad::from(associated.bytes()), sealed);
    let plain = opened.map_err(|_| PassError::Forged)?;
    let (expiry, name) = plain.split_first_chunk::<EXPIRY>().ok_or(PassError::Malformed)?;
    let name = str::from_utf8(name).ok().and_then(|name| Hostname::parse(name).ok());
    let until = Timestamp::from_seconds(u64::from_be_bytes(*expiry));
    let pass = Pass { name: name.ok_or(PassError::Malformed)?, until };
    if pass.until <= now { Err(PassError::Ended) } else { Ok(pass) }
}

/// The key of all passes that are made with a link key: derived apart from those of links.
fn derived(key: &Key) -> hmac::Key {
    hmac::Key::new(hmac::HMAC_SHA256, hmac::sign(key.hmac(), LABEL).as_ref())
}

const VERSION: u8 = 1;
const LABEL: &[u8] = b"waypost: the page of a customer's name, 1";
/// Bytes of the expiry.
const EXPIRY: usize = 8;
/// The longest text that is looked at; no pass that can be made is longer.
const MAX_PASS: usize = 512;

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::sync::Arc;
    use std::time::Duration;

    use proptest::prelude::*;
    use tempfile::TempDir;

    use super::*;
    use crate::disk::SystemDisk;
    use crate::token::{Action, Claims, Keyring, Later, OpenError};

    const NOW: Timestamp = Timestamp::from_seconds(1_800_000_000);
    const DAY: Duration = Duration::from_secs(86_400);

    fn host(name: &str) -> Hostname {
        Hostname::parse(name).unwrap()
    }

    fn key() -> Key {
        Key::new(KeyId(*b"key1"), zeroize::Zeroizing::new([7; 32]), NOW, None)
    }

    fn ring(folder: &Path) -> Keyring {
        let ring = Keyring::load(Arc::new(SystemDisk), folder).unwrap();
        ring.create(NOW).unwrap();
        ring
    }

    fn house() -> (TempDir, Keyring, Pass) {
        let folder = tempfile::tempdir().unwrap();
        let ring = ring(folder.path());
        (folder, ring, Pass { name: host("trk.example.com"), until: NOW.plus(DAY) })
    }

    #[test]
    fn a_pass_opens_its_page_until_it_ends_and_on_the_platforms_host_alone() {
        let (_folder, ring, pass) = house();
        let platform = host("trk.platform.example");
        let text = ring.seal_pass(&pass, &platform, NOW).unwrap();
        let opened = |on: &str, now| ring.open_pass(&text, &host(on), now);
        assert_eq!(opened("trk.platform.example", NOW), Ok(pass.clone()));
        let last = Timestamp::from_micros(pass.until.micros() - 1);
        assert_eq!(opened("trk.platform.example", last), Ok(pass.clone()));
        assert_eq!(opened("trk.platform.example", pass.until), Err(PassError::Ended));
        for other in ["trk.example.com", "platform.example", "trk.platform.example.net"] {
            assert_eq!(opened(other, NOW), Err(PassError::Forged), "{other}");
            assert_eq!(opened(other, pass.until), Err(PassError::Forged), "{other}");
        }
        let again = ring.seal_pass(&pass, &platform, NOW).unwrap();
        assert_ne!(text, again, "two passes of one page tell nothing of each other");
    }

    #[test]
    fn another_key_opens_no_pass_and_a_refused_one_none_any_more() {
        let (_folder, ours, pass) = house();
        let platform = host("trk.platform.example");
        let text = ours.seal_pass(&pass, &platform, NOW).unwrap();
        let other = tempfile::tempdir().unwrap();
        let id = ours.sealing_key(NOW).unwrap();
        let theirs = ring(other.path()).open_pass(&text, &platform, NOW);
        assert_eq!(theirs, Err(PassError::UnknownKey(id)));
        // A key of the same name with another secret.
        let key = Key::new(id, zeroize::Zeroizing::new([7; 32]), NOW, None);
        let mut buffer = Vec::new();
        let head = head(&text, &mut buffer).unwrap();
        assert_eq!(open(&key, &head, &platform, NOW, &mut buffer), Err(PassError::Forged));
        ours.refuse(id, NOW, Later::Refused).unwrap();
        assert_eq!(ours.open_pass(&text, &platform, NOW), Err(PassError::RefusedKey(id)));
    }

    #[test]
    fn a_pass_is_no_token_of_a_link_and_a_token_no_pass() {
        let (_folder, ring, pass) = house();
        let platform = host("trk.platform.example");
        let text = ring.seal_pass(&pass, &platform, NOW).unwrap();
        let opened = ring.open(&text, &platform, NOW, &mut Vec::new()).err();
        assert_eq!(opened, Some(OpenError::Forged));
        for action in [Action::Open, Action::Click { url: "https://example.com/" }] {
            let token = ring.seal(&Claims::new(action), &platform, NOW).unwrap();
            let opened = ring.open_pass(&token, &platform, NOW).err();
            assert!(matches!(opened, Some(PassError::Forged | PassError::Malformed)), "{opened:?}");
        }
    }

    #[test]
    fn every_bit_counts() {
        let (_folder, ring, pass) = house();
        let platform = host("trk.platform.example");
        let text = ring.seal_pass(&pass, &platform, NOW).unwrap();
        for at in 0..text.len() {
            for bit in 0..8 {
                let mut bytes = text.clone().into_bytes();
                bytes[at] ^= 1 << bit;
                let Ok(changed) = String::from_utf8(bytes) else { continue };
                assert!(ring.open_pass(&changed, &platform, NOW).is_err(), "{at}, {bit}");
            }
            assert!(ring.open_pass(text.get(..at).unwrap(), &platform, NOW).is_err(), "{at}");
        }
        assert!(ring.open_pass(&format!("{text}A"), &platform, NOW).is_err());
    }

    proptest! {
        #[test]
        fn any_text_is_refused_without_a_panic(text in "\\PC{0,200}|[A-Za-z0-9_-]{0,600}") {
            let mut buffer = Vec::new();
            if let Some(head) = head(&text, &mut buffer) {
                let opened = open(&key(), &head, &host("trk.platform.example"), NOW, &mut buffer);
                prop_assert!(opened.is_err());
            }
        }

        #[test]
        fn any_bytes_behind_a_good_head_are_refused_without_a_panic(
            sealed in prop::collection::vec(any::<u8>(), 0..100)
        ) {
            let pass = Pass { name: host("trk.example.com"), until: NOW.plus(DAY) };
            let platform = host("trk.platform.example");
            let text = seal(&key(), &pass, &platform, [9; SALT]).unwrap();
            let mut bytes = URL_SAFE_NO_PAD.decode(text).unwrap();
            bytes.truncate(HEAD);
            bytes.extend(sealed);
            let mut buffer = Vec::new();
            if let Some(head) = head(&URL_SAFE_NO_PAD.encode(bytes), &mut buffer) {
                prop_assert!(open(&key(), &head, &platform, NOW, &mut buffer).is_err());
            }
        }
    }
}
