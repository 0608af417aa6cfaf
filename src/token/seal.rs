//! Sealing and opening: the cipher around a payload.
//!
//! ```text
//! token       base64url without padding of
//!   version   1 byte    1
//!   key id    4 bytes
//!   salt     16 bytes   random
//!   sealed              AES-256-GCM(payload), then its 16-byte tag
//! key         HMAC-SHA256(master, salt)
//! nonce       12 zero bytes: each key seals once
//! associated  version, key id, then the bare host in lower case
//! ```
//!
//! A nonce cannot be misused, since none is chosen: two tokens with one salt would have to meet
//! in 128 random bits.

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::hmac;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use thiserror::Error;

use super::destination::{DestinationError, destination};
use super::key::{Key, KeyId};
use super::payload::{self, Action, Claims, PayloadError};
use crate::hostname::Hostname;

/// Why a link cannot be minted: whoever mints is at fault, but for the last two.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum SealError {
    /// The destination is refused.
    #[error("the destination {0}")]
    Destination(#[from] DestinationError),
    /// No key can seal: there is none, or all are refused.
    #[error("there is no key to seal with: make one with `waypost key new`")]
    NoKey,
    /// A field is refused.
    #[error("{0}")]
    Payload(#[from] PayloadError),
    /// The cipher or the random source failed.
    #[error("the cipher failed")]
    Cipher,
}

/// The parts of a token before its sealed bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Head {
    pub(super) key: KeyId,
    pub(super) salt: [u8; SALT],
}

impl Head {
    /// Reads the parts behind the version; `None` when they are not whole.
    pub(super) fn read(bytes: &[u8]) -> Option<Self> {
        let (_, rest) = bytes.split_first()?;
        let (id, rest) = rest.split_first_chunk()?;
        let (salt, _) = rest.split_first_chunk()?;
        Some(Self { key: KeyId(*id), salt: *salt })
    }
}

/// Seals `claims` for `host` with a given salt.
pub(super) fn seal(
    key: &Key,
    claims: &Claims<'_>,
    host: &Hostname,
    salt: [u8; SALT],
) -> Result<String, SealError> {
    let mut bytes = vec![VERSION];
    bytes.extend_from_slice(&key.id.0);
    bytes.extend_from_slice(&salt);
    let serialised;
    let claims = match claims.action {
        Action::Open => claims,
        Action::Click { url } => {
            serialised = destination(url)?;
            &Claims { action: Action::Click { url: &serialised }, ..claims.clone() }
        }
    };
    payload::encode(claims, &mut bytes)?;
    let (head, plain) = bytes.split_at_mut(HEAD);
    let cipher = cipher(key.hmac(), &salt).ok_or(SealError::Cipher)?;
    let associated = Associated::new(head, host);
    let tag = cipher
        .seal_in_place_separate_tag(zero_nonce(), Aad::from(associated.bytes()), plain)
        .map_err(|_| SealError::Cipher)?;
    bytes.extend_from_slice(tag.as_ref());
    Ok(URL_SAFE_NO_PAD.encode(bytes))
}

/// Decodes a token's text into `buffer` and reads its head; `None` when it is no token of ours.
pub(super) fn head(token: &str, buffer: &mut Vec<u8>) -> Option<Head> {
    if token.len() > MAX_TOKEN {
        return None;
    }
    buffer.clear();
    URL_SAFE_NO_PAD.decode_vec(token, buffer).ok()?;
    if buffer.len() < HEAD + 1 + TAG || *buffer.first()? != VERSION {
        return None;
    }
    Head::read(buffer)
}

/// Opens what [`head`] decoded, in place; `None` when it was not sealed with `key` for `host`.
pub(super) fn open<'a>(
    key: &Key,
    head: &Head,
    host: &Hostname,
    buffer: &'a mut [u8],
) -> Option<Result<Claims<'a>, PayloadError>> {
    let (front, sealed) = buffer.split_at_mut(HEAD);
    let associated = Associated::new(front, host);
    let cipher = cipher(key.hmac(), &head.salt)?;
    let plain = cipher.open_in_place(zero_nonce(), Aad::from(associated.bytes()), sealed).ok()?;
    Some(payload::decode(plain))
}

/// The cipher of one salt.
pub(super) fn cipher(key: &hmac::Key, salt: &[u8; SALT]) -> Option<LessSafeKey> {
    let derived = hmac::sign(key, salt);
    UnboundKey::new(&AES_256_GCM, derived.as_ref()).ok().map(LessSafeKey::new)
}

/// The nonce of a key that seals once.
pub(super) fn zero_nonce() -> Nonce {
    Nonce::assume_unique_for_key([0; 12])
}

/// Version, key id and host, side by side, without an allocation.
pub(super) struct Associated {
    bytes: [u8; 5 + 253],
    length: usize,
}

impl Associated {
    pub(super) fn new(head: &[u8], host: &Hostname) -> Self {
        let host = host.as_str().as_bytes();
        let length = 5 + host.len();
        let mut bytes = [0; 5 + 253];
        bytes[..5].copy_from_slice(&head[..5]);
        bytes[5..length].copy_from_slice(host);
        Self { bytes, length }
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes[..self.length]
    }
}

const VERSION: u8 = 1;
/// Bytes of salt.
pub(super) const SALT: usize = 16;
/// Bytes before the sealed ones.
pub(super) const HEAD: usize = 1 + 4 + SALT;
/// Bytes of the tag behind them.
pub(super) const TAG: usize = 16;
/// The longest text that is looked at; no token that can be minted is longer.
const MAX_TOKEN: usize = 12_000;
