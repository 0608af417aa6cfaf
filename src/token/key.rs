//! One link key, and the file it is kept in.

use std::fmt;
use std::str::FromStr;

use aws_lc_rs::hmac;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use thiserror::Error;
use zeroize::{Zeroize, Zeroizing};

use crate::clock::Timestamp;

/// A key's name in tokens and files: four bytes, written as eight hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct KeyId(pub [u8; 4]);

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:08x}", u32::from_be_bytes(self.0))
    }
}

impl fmt::Debug for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for KeyId {
    type Err = KeyError;

    fn from_str(text: &str) -> Result<Self, KeyError> {
        let id = u32::from_str_radix(text, 16).ok().map(|id| Self(id.to_be_bytes()));
        id.filter(|id| id.to_string() == text).ok_or_else(|| KeyError::Id(text.to_owned()))
    }
}

/// A link key: seals and opens tokens until it is refused.
pub struct Key {
    /// Its name.
    pub id: KeyId,
    /// When it was made; the newest key that is not refused seals.
    pub created: Timestamp,
    /// From then on it opens nothing and seals nothing.
    pub refused_from: Option<Timestamp>,
    secret: Zeroizing<[u8; SECRET]>,
    /// Prepared once: it is half the cost of opening a token.
    hmac: hmac::Key,
}

impl Key {
    /// A new key of random bytes.
    pub fn random(created: Timestamp) -> Result<Self, KeyError> {
        let (mut id, mut secret) = ([0; 4], Zeroizing::new([0; SECRET]));
        aws_lc_rs::rand::fill(&mut id).map_err(|_| KeyError::Random)?;
        aws_lc_rs::rand::fill(&mut *secret).map_err(|_| KeyError::Random)?;
        Ok(Self::new(KeyId(id), secret, created, None))
    }

    /// A key of given bytes, as vectors need it.
    pub fn new(
        id: KeyId,
        secret: Zeroizing<[u8; SECRET]>,
        created: Timestamp,
        refused_from: Option<Timestamp>,
    ) -> Self {
        let hmac = hmac::Key::new(hmac::HMAC_SHA256, &*secret);
        Self { id, created, refused_from, secret, hmac }
    }

    /// Reads a key file.
    pub fn parse(bytes: &[u8]) -> Result<Self, KeyError> {
        let mut file: KeyFile =
            serde_json::from_slice(bytes).map_err(|error| KeyError::Syntax(error.to_string()))?;
        let decoded = URL_SAFE_NO_PAD.decode(&file.secret).map(Zeroizing::new);
        file.secret.zeroize();
        let secret = decoded.map_err(|_| KeyError::Secret)?;
        let secret = <[u8; SECRET]>::try_from(&secret[..]).map_err(|_| KeyError::Secret)?;
        let created = time("created", &file.created)?;
        let refused_from =
            file.refused_from.as_deref().map(|text| time("refused_from", text)).transpose()?;
        Ok(Self::new(file.id.parse()?, Zeroizing::new(secret), created, refused_from))
    }

    /// The content of the key's file, which holds the secret.
    pub fn file(&self) -> Zeroizing<Vec<u8>> {
        let mut file = KeyFile {
            id: self.id.to_string(),
            secret: URL_SAFE_NO_PAD.encode(*self.secret),
            created: self.created.to_string(),
            refused_from: self.refused_from.map(|time| time.to_string()),
        };
        let mut bytes = Zeroizing::new(serde_json::to_vec_pretty(&file).unwrap_or_default());
        bytes.push(b'\n');
        file.secret.zeroize();
        bytes
    }

    /// Whether it opens nothing at `now`.
    pub fn is_refused(&self, now: Timestamp) -> bool {
        self.refused_from.is_some_and(|from| from <= now)
    }

    /// The same key once more.
    pub(super) fn again(&self) -> Self {
        Self::new(self.id, self.secret.clone(), self.created, self.refused_from)
    }

    /// Whether `other` is this key in the same state.
    pub(super) fn is_as(&self, other: &Self) -> bool {
        let state = |key: &Self| (key.id, key.created, key.refused_from);
        state(self) == state(other) && *self.secret == *other.secret
    }

    pub(super) fn hmac(&self) -> &hmac::Key {
        &self.hmac
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { id, created, refused_from, .. } = self;
        f.debug_struct("Key")
            .field("id", id)
            .field("created", created)
            .field("refused_from", refused_from)
            .finish_non_exhaustive()
    }
}

/// Why there is no key in a file, or a text is no key id.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum KeyError {
    /// The id is not eight hexadecimal digits.
    #[error("{0:?} is no key id, expected eight hexadecimal digits in lower case")]
    Id(String),
    /// The system gave no random bytes.
    #[error("the system gave no random bytes")]
    Random,
    /// The secret is not 32 bytes in base64url.
    #[error("secret: expected 32 bytes in base64url without padding")]
    Secret,
    /// The file is not of its form.
    #[error("{0}")]
    Syntax(String),
    /// A time is not RFC 3339.
    #[error("{0}: expected a time such as 2026-11-23T12:00:00Z")]
    Time(&'static str),
}

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct KeyFile {
    id: String,
    secret: String,
    created: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    refused_from: Option<String>,
}

fn time(name: &'static str, text: &str) -> Result<Timestamp, KeyError> {
    text.parse().map_err(|_| KeyError::Time(name))
}

/// Bytes of a master key.
pub(super) const SECRET: usize = 32;
