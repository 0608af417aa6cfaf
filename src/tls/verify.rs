//! What a certificate must hold before it is published.

use rustls::client::verify_server_name;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::server::ParsedCertificate;
use rustls::sign::CertifiedKey;
use thiserror::Error;
use x509_parser::prelude::{FromDer, X509Certificate};

use crate::clock::Timestamp;
use crate::hostname::Hostname;

/// A chain and its key that may be published.
#[derive(Debug)]
pub(super) struct Verified {
    pub(super) key: CertifiedKey,
    pub(super) not_after: Timestamp,
}

/// Why a certificate may not be published: always the fault of whoever put it there.
#[derive(Clone, Debug, Error)]
pub enum Unusable {
    /// The chain holds no certificate.
    #[error("holds no certificate in PEM")]
    NoCertificate,
    /// The chain is not PEM, or its leaf is no X.509 certificate.
    #[error("holds what is no certificate: {0}")]
    Malformed(String),
    /// The key is no private key that we can sign with.
    #[error("the private key cannot be used: {0}")]
    Key(String),
    /// The key is another one than the certificate's.
    #[error("the private key is not the one that the certificate is for")]
    OtherKey,
    /// The certificate does not cover a name that it shall be served for.
    #[error("does not cover {0}")]
    NotFor(Hostname),
    /// The certificate is not valid any more.
    #[error("expired at {0}")]
    Expired(Timestamp),
    /// The certificate is not valid yet.
    #[error("is not valid before {0}")]
    NotYet(Timestamp),
}

/// Reads a chain and its key in PEM and checks them for `hosts` at `now`.
pub(super) fn verify(
    chain: &[u8],
    key: &[u8],
    hosts: &[Hostname],
    now: Timestamp,
    provider: &CryptoProvider,
) -> Result<Verified, Unusable> {
    let chain = CertificateDer::pem_slice_iter(chain)
        .collect::<Result<Vec<_>, _>>()
        .map_err(|error| Unusable::Malformed(error.to_string()))?;
    let key =
        PrivateKeyDer::from_pem_slice(key).map_err(|error| Unusable::Key(error.to_string()))?;
    verify_der(chain, key, hosts, now, provider)
}

/// Checks a chain, leaf first, and its key for `hosts` at `now`.
pub(super) fn verify_der(
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
    hosts: &[Hostname],
    now: Timestamp,
    provider: &CryptoProvider,
) -> Result<Verified, Unusable> {
    let leaf = chain.first().ok_or(Unusable::NoCertificate)?;
    covers(leaf, hosts)?;
    let not_after = valid(leaf, now)?;
    let key = CertifiedKey::from_der(chain, key, provider).map_err(|error| match error {
        rustls::Error::InconsistentKeys(_) => Unusable::OtherKey,
        error => Unusable::Key(error.to_string()),
    })?;
    Ok(Verified { key, not_after })
}

fn covers(leaf: &CertificateDer<'_>, hosts: &[Hostname]) -> Result<(), Unusable> {
    let parsed = ParsedCertificate::try_from(leaf)
        .map_err(|error| Unusable::Malformed(error.to_string()))?;
    for host in hosts {
        let name = ServerName::try_from(host.as_str());
        let covered = name.is_ok_and(|name| verify_server_name(&parsed, &name).is_ok());
        if !covered {
            return Err(Unusable::NotFor(host.clone()));
        }
    }
    Ok(())
}

/// The end of the validity period, when `now` lies in it.
fn valid(leaf: &CertificateDer<'_>, now: Timestamp) -> Result<Timestamp, Unusable> {
    let (_, parsed) =
        X509Certificate::from_der(leaf).map_err(|error| Unusable::Malformed(error.to_string()))?;
    let seconds = |time: x509_parser::time::ASN1Time| {
        Timestamp::from_seconds(u64::try_from(time.timestamp()).unwrap_or_default())
    };
    let (from, to) = (seconds(parsed.validity().not_before), seconds(parsed.validity().not_after));
    if now < from {
        return Err(Unusable::NotYet(from));
    }
    if now > to {
        return Err(Unusable::Expired(to));
    }
    Ok(to)
}
