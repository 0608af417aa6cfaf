//! The two encodings of RSA keys that records hold.

use x509_parser::prelude::FromDer;
use x509_parser::public_key::RSAPublicKey;
use x509_parser::x509::SubjectPublicKeyInfo;

use super::{Encoding, KeyError};

/// Modulus, exponent and encoding of an RSA key.
pub(super) fn rsa(bytes: &[u8]) -> Result<(Vec<u8>, Vec<u8>, Encoding), KeyError> {
    let Ok((rest, info)) = SubjectPublicKeyInfo::from_der(bytes) else {
        let (modulus, exponent) = numbers(bytes, 0)?;
        return Ok((modulus, exponent, Encoding::RsaPublicKey));
    };
    if info.algorithm.algorithm.to_id_string() != RSA {
        return Err(KeyError::OtherAlgorithm);
    }
    let (modulus, exponent) = numbers(&info.subject_public_key.data, rest.len())?;
    Ok((modulus, exponent, Encoding::SubjectPublicKeyInfo))
}

fn numbers(bytes: &[u8], behind: usize) -> Result<(Vec<u8>, Vec<u8>), KeyError> {
    let Ok((rest, key)) = RSAPublicKey::from_der(bytes) else {
        return Err(KeyError::NotRsa(bytes.len()));
    };
    match rest.len() + behind {
        0 => Ok((key.modulus.to_vec(), key.exponent.to_vec())),
        trailing => Err(KeyError::Trailing(trailing)),
    }
}

/// Whether bytes wrap an Ed25519 key (RFC 8410 §4).
pub(super) fn is_ed25519(bytes: &[u8]) -> bool {
    SubjectPublicKeyInfo::from_der(bytes)
        .is_ok_and(|(_, info)| info.algorithm.algorithm.to_id_string() == ED25519)
}

/// rsaEncryption (RFC 8017 §A.1).
const RSA: &str = "1.2.840.113549.1.1.1";
/// id-Ed25519 (RFC 8410 §3).
const ED25519: &str = "1.3.101.112";
