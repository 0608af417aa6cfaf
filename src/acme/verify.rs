//! What came from an authority, judged before anybody is served it.

use std::sync::Arc;
use std::time::Duration;

use rustls::RootCertStore;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::ServerCertVerifier;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::sign::CertifiedKey;
use thiserror::Error;
use x509_parser::prelude::{FromDer, GeneralName, X509Certificate};

use crate::clock::Timestamp;
use crate::domains::Certified;
use crate::hostname::Hostname;

/// Why a certificate may not be served. Always the authority's fault.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub(super) enum Unfit {
    #[error("what came is no chain of certificates: {0}")]
    Malformed(String),
    #[error("the chain lacks the certificate of who signed it")]
    Incomplete,
    #[error("the chain does not hold: {0}")]
    Chain(String),
    #[error("the certificate is for another key")]
    OtherKey,
    #[error("the certificate is not for this name alone: {0}")]
    Names(String),
    #[error("the certificate is not valid before {0}")]
    NotYet(Timestamp),
    #[error("the certificate expired at {0}")]
    Expired(Timestamp),
    #[error("the certificate is valid for {0:?} only")]
    TooShort(Duration),
}

/// Judges a chain in PEM and its key for `host` at `now`. That each certificate signed the one
/// before is checked up to the last one of the chain; who trusts that one is for visitors to say.
pub(super) fn verify(
    chain: &str,
    key: &str,
    host: &Hostname,
    issuer: &str,
    now: Timestamp,
) -> Result<Certified, Unfit> {
    let malformed = |error: &dyn std::fmt::Display| Unfit::Malformed(error.to_string());
    let certificates = CertificateDer::pem_slice_iter(chain.as_bytes())
        .collect::<Result<Vec<_>, _>>()
        .map_err(|error| malformed(&error))?;
    let Some((leaf, rest)) = certificates.split_first() else {
        return Err(Unfit::Malformed("no certificate".to_owned()));
    };
    let (_, parsed) = X509Certificate::from_der(leaf).map_err(|error| malformed(&error))?;
    names(&parsed, host)?;
    let not_after = validity(&parsed, now)?;
    let Some((anchor, between)) = rest.split_last() else { return Err(Unfit::Incomplete) };
    signed(leaf, between, anchor, host, now)?;
    let provider = aws_lc_rs::default_provider();
    let private = PrivateKeyDer::from_pem_slice(key.as_bytes()).map_err(|e| malformed(&e))?;
    CertifiedKey::from_der(certificates.clone(), private, &provider).map_err(
        |error| match error {
            rustls::Error::InconsistentKeys(_) => Unfit::OtherKey,
            error => Unfit::Malformed(error.to_string()),
        },
    )?;
    let serial = parsed.raw_serial().iter().map(|byte| format!("{byte:02x}")).collect();
    Ok(Certified { serial, not_after, issuer: issuer.to_owned() })
}

/// The name that was ordered, and no other: a second one would be another customer's.
fn names(leaf: &X509Certificate<'_>, host: &Hostname) -> Result<(), Unfit> {
    let names = leaf.subject_alternative_name();
    let names = names.map_err(|error| Unfit::Malformed(error.to_string()))?;
    let names = names.map(|names| names.value.general_names.clone()).unwrap_or_default();
    match names.as_slice() {
        [GeneralName::DNSName(name)] if name.eq_ignore_ascii_case(host.as_str()) => Ok(()),
        names => {
            let told: Vec<_> = names.iter().take(3).map(ToString::to_string).collect();
            Err(Unfit::Names(told.join(", ")))
        }
    }
}

fn validity(leaf: &X509Certificate<'_>, now: Timestamp) -> Result<Timestamp, Unfit> {
    let seconds = |time: x509_parser::time::ASN1Time| {
        Timestamp::from_seconds(u64::try_from(time.timestamp()).unwrap_or_default())
    };
    let validity = leaf.validity();
    let (from, to) = (seconds(validity.not_before), seconds(validity.not_after));
    if now < from {
        return Err(Unfit::NotYet(from));
    }
    if now >= to {
        return Err(Unfit::Expired(to));
    }
    if now.until(to) < SHORTEST {
        return Err(Unfit::TooShort(now.until(to)));
    }
    Ok(to)
}

fn signed(
    leaf: &CertificateDer<'_>,
    between: &[CertificateDer<'static>],
    anchor: &CertificateDer<'static>,
    host: &Hostname,
    now: Timestamp,
) -> Result<(), Unfit> {
    let chain = |error: &dyn std::fmt::Display| Unfit::Chain(error.to_string());
    let mut roots = RootCertStore::empty();
    roots.add(anchor.clone()).map_err(|error| chain(&error))?;
    let provider = Arc::new(aws_lc_rs::default_provider());
    let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider)
        .build()
        .map_err(|error| chain(&error))?;
    let name = ServerName::try_from(host.as_str()).map_err(|error| chain(&error))?;
    let time = UnixTime::since_unix_epoch(Duration::from_secs(now.seconds()));
    let verified = verifier.verify_server_cert(leaf, between, &name, &[], time);
    verified.map(|_| ()).map_err(|error| chain(&error))
}

/// A certificate that ends sooner would be replaced at once, for ever.
const SHORTEST: Duration = Duration::from_secs(3_600);
