//! Public keys, decoded from the value of `p=`.

use std::fmt;

use base64::Engine;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use thiserror::Error;

use super::der;

/// A public key. Two are equal when they verify the same signatures, however they were encoded.
#[derive(Clone, PartialEq, Eq)]
pub enum PublicKey {
    /// RSA (RFC 8017): both numbers as big-endian bytes without leading zeros.
    Rsa {
        /// The modulus.
        modulus: Vec<u8>,
        /// The public exponent.
        exponent: Vec<u8>,
    },
    /// Ed25519 (RFC 8032).
    Ed25519([u8; ED25519]),
}

/// How a key was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Encoding {
    /// SubjectPublicKeyInfo of RFC 5280: what everybody publishes.
    SubjectPublicKeyInfo,
    /// RSAPublicKey of RFC 8017: what RFC 6376 §3.6.1 says.
    RsaPublicKey,
    /// The 32 bytes of an Ed25519 key (RFC 8463 §4.2).
    Raw,
}

/// Why a value is no key. The fault of whoever published it.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum KeyError {
    /// Not base64.
    #[error("is not base64")]
    Base64,
    /// Base64 of the URL-safe alphabet.
    #[error("is base64url, with - and _ in place of + and /")]
    Base64Url,
    /// Not an RSA key in either encoding.
    #[error("decodes to {0} bytes that are no RSA key")]
    NotRsa(usize),
    /// An RSA key whose numbers cannot be one.
    #[error("holds an RSA key whose numbers are impossible")]
    Impossible,
    /// A key of another algorithm than the record says.
    #[error("holds a key of another algorithm")]
    OtherAlgorithm,
    /// Bytes behind the key.
    #[error("holds {0} bytes behind the key")]
    Trailing(usize),
    /// Not 32 bytes.
    #[error("decodes to {0} bytes, an Ed25519 key has 32")]
    Length(usize),
    /// A SubjectPublicKeyInfo where 32 bytes are expected.
    #[error("wraps the Ed25519 key, which stands here as its 32 bytes alone")]
    Wrapped,
}

impl PublicKey {
    /// Reads an RSA key from base64; blanks inside are allowed (RFC 6376 §3.6.1).
    pub fn rsa(text: &str) -> Result<(Self, Encoding), KeyError> {
        let bytes = decode(text)?;
        let (modulus, exponent, encoding) = der::rsa(&bytes)?;
        let key = Self::Rsa { modulus: trimmed(&modulus), exponent: trimmed(&exponent) };
        match &key {
            Self::Rsa { modulus, exponent } if is_possible(modulus, exponent) => {
                Ok((key, encoding))
            }
            _ => Err(KeyError::Impossible),
        }
    }

    /// Reads an Ed25519 key from base64.
    pub fn ed25519(text: &str) -> Result<(Self, Encoding), KeyError> {
        let bytes = decode(text)?;
        match <[u8; ED25519]>::try_from(bytes.as_slice()) {
            Ok(key) => Ok((Self::Ed25519(key), Encoding::Raw)),
            Err(_) if der::is_ed25519(&bytes) => Err(KeyError::Wrapped),
            Err(_) => Err(KeyError::Length(bytes.len())),
        }
    }

    /// The strength in bits: of the modulus of an RSA key.
    pub fn bits(&self) -> usize {
        match self {
            Self::Rsa { modulus, .. } => {
                let unused = modulus.first().map_or(0, |byte| byte.leading_zeros());
                modulus.len() * 8 - usize::try_from(unused).unwrap_or_default()
            }
            Self::Ed25519(_) => 8 * ED25519,
        }
    }

    /// The name of the key's type, as `k=` has it.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Rsa { .. } => "rsa",
            Self::Ed25519(_) => "ed25519",
        }
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of {} bits", self.kind(), self.bits())
    }
}

fn decode(text: &str) -> Result<Vec<u8>, KeyError> {
    let bare: String = text.chars().filter(|c| !super::super::piece::is_blank(*c)).collect();
    PADDED_OR_NOT.decode(&bare).map_err(|_| {
        let is_url = bare.contains(['-', '_']) && URL_SAFE.decode(&bare).is_ok();
        if is_url { KeyError::Base64Url } else { KeyError::Base64 }
    })
}

/// Whether numbers can be those of an RSA key: an odd modulus, an odd exponent from 3.
fn is_possible(modulus: &[u8], exponent: &[u8]) -> bool {
    let is_odd = |number: &[u8]| number.last().is_some_and(|byte| byte & 1 == 1);
    is_odd(modulus) && is_odd(exponent) && exponent != [1]
}

fn trimmed(number: &[u8]) -> Vec<u8> {
    number.iter().copied().skip_while(|byte| *byte == 0).collect()
}

const ED25519: usize = 32;
/// Some panels drop the padding, and what verifiers decode with mostly does without.
const CONFIG: GeneralPurposeConfig =
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
const PADDED_OR_NOT: GeneralPurpose = GeneralPurpose::new(&alphabet::STANDARD, CONFIG);
const URL_SAFE: GeneralPurpose = GeneralPurpose::new(&alphabet::URL_SAFE, CONFIG);
