//! A certificate as it is kept.
//!
//! ```text
//! offset size
//!      0    4  length of the head
//!      4    H  the head: JSON, whose fields are added and never renamed
//!    4+H    2  certificates in the chain, leaf first
//!           4  length of each, then its DER
//!              the private key: PKCS#8 in DER, to the end
//! ```
//!
//! All integers are little-endian. The store seals the whole and checks it for damage.

use std::fmt;

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer};
use serde::{Deserialize, Serialize};
use x509_parser::extensions::ParsedExtension;
use x509_parser::prelude::{FromDer, X509Certificate};
use x509_parser::time::ASN1Time;
use zeroize::Zeroizing;

use super::Unusable;
use crate::clock::Timestamp;

/// A certificate, its key, and what is to be known without reading it.
#[derive(Clone, PartialEq, Eq)]
pub struct Record {
    /// The chain, leaf first.
    pub chain: Vec<CertificateDer<'static>>,
    /// The private key: PKCS#8 in DER.
    pub(super) key: Zeroizing<Vec<u8>>,
    /// Which of the configured issuers it came from.
    pub issuer: String,
    /// The serial number, in hexadecimal digits.
    pub serial: String,
    /// From when on it is valid.
    pub not_before: Timestamp,
    /// The last second of its validity.
    pub not_after: Timestamp,
    /// What it is called in questions about its renewal (RFC 9773 §4.1); none without an
    /// authority key identifier.
    pub ari: Option<String>,
    /// When it is to be renewed.
    pub schedule: Schedule,
}

/// When a certificate is to be renewed, as far as a restart must not forget it. What the times
/// mean is decided where renewals are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Schedule {
    /// When it is to be renewed.
    pub renew_at: Timestamp,
    /// The window that its issuer last suggested, start and end (RFC 9773 §4.2).
    pub window: Option<(Timestamp, Timestamp)>,
    /// When the issuer is to be asked for a window again; never for one that suggests none.
    pub poll_at: Option<Timestamp>,
    /// After an attempt that failed: when the next may be made at the earliest.
    pub retry_at: Timestamp,
}

impl Record {
    /// A certificate that an issuer gave: its chain and key in PEM, due when it expires. Who may
    /// be served it is not judged here.
    pub fn of(chain: &[u8], key: &[u8], issuer: &str) -> Result<Self, Unusable> {
        let malformed = |error: &dyn fmt::Display| Unusable::Malformed(error.to_string());
        let chain = CertificateDer::pem_slice_iter(chain)
            .collect::<Result<Vec<_>, _>>()
            .map_err(|error| malformed(&error))?;
        let key = PrivatePkcs8KeyDer::from_pem_slice(key);
        let key = key.map_err(|error| Unusable::Key(error.to_string()))?;
        let leaf = chain.first().ok_or(Unusable::NoCertificate)?;
        let (_, leaf) = X509Certificate::from_der(leaf).map_err(|error| malformed(&error))?;
        let seconds = |time: ASN1Time| {
            Timestamp::from_seconds(u64::try_from(time.timestamp()).unwrap_or_default())
        };
        let serial = leaf.raw_serial().iter().map(|byte| format!("{byte:02x}")).collect();
        let (not_before, not_after) =
            (seconds(leaf.validity().not_before), seconds(leaf.validity().not_after));
        let ari = ari(&leaf);
        Ok(Self {
            key: Zeroizing::new(key.secret_pkcs8_der().to_vec()),
            issuer: issuer.to_owned(),
            serial,
            not_before,
            not_after,
            ari,
            schedule: Schedule {
                renew_at: not_after,
                window: None,
                poll_at: None,
                retry_at: Timestamp::default(),
            },
            chain,
        })
    }

    /// The same with another schedule.
    #[must_use]
    pub fn scheduled(self, schedule: Schedule) -> Self {
        Self { schedule, ..self }
    }

    /// The bytes that are kept.
    pub(super) fn encode(&self) -> Zeroizing<Vec<u8>> {
        let head = serde_json::to_vec(&self.head()).unwrap_or_default();
        let chain: usize = self.chain.iter().map(|der| 4 + der.len()).sum();
        let mut bytes = Zeroizing::new(Vec::with_capacity(6 + head.len() + chain + self.key.len()));
        bytes.extend_from_slice(&(head.len() as u32).to_le_bytes());
        bytes.extend_from_slice(&head);
        bytes.extend_from_slice(&(self.chain.len() as u16).to_le_bytes());
        for der in &self.chain {
            bytes.extend_from_slice(&(der.len() as u32).to_le_bytes());
            bytes.extend_from_slice(der);
        }
        bytes.extend_from_slice(&self.key);
        bytes
    }

    /// The record in kept bytes; `None` when they are of another form.
    pub(super) fn decode(bytes: &[u8]) -> Option<Self> {
        let (head, rest) = sized(bytes)?;
        let head: Head = serde_json::from_slice(head).ok()?;
        let (count, mut rest) = rest.split_first_chunk::<2>()?;
        let mut chain = Vec::new();
        for _ in 0..u16::from_le_bytes(*count) {
            let (der, behind) = sized(rest)?;
            chain.push(CertificateDer::from(der.to_vec()));
            rest = behind;
        }
        let time = Timestamp::from_micros;
        Some(Self {
            chain,
            key: Zeroizing::new(rest.to_vec()),
            issuer: head.issuer,
            serial: head.serial,
            not_before: time(head.not_before),
            not_after: time(head.not_after),
            ari: head.ari,
            schedule: Schedule {
                renew_at: time(head.renew_at),
                window: head.window.map(|(start, end)| (time(start), time(end))),
                poll_at: head.poll_at.map(time),
                retry_at: time(head.retry_at),
            },
        })
    }

    fn head(&self) -> Head {
        let schedule = &self.schedule;
        Head {
            issuer: self.issuer.clone(),
            serial: self.serial.clone(),
            not_before: self.not_before.micros(),
            not_after: self.not_after.micros(),
            ari: self.ari.clone(),
            renew_at: schedule.renew_at.micros(),
            window: schedule.window.map(|(start, end)| (start.micros(), end.micros())),
            poll_at: schedule.poll_at.map(Timestamp::micros),
            retry_at: schedule.retry_at.micros(),
        }
    }
}

/// What a certificate is called in questions about its renewal (RFC 9773 §4.1).
fn ari(leaf: &X509Certificate<'_>) -> Option<String> {
    let authority =
        leaf.iter_extensions().find_map(|extension| match extension.parsed_extension() {
            ParsedExtension::AuthorityKeyIdentifier(authority) => authority.key_identifier.as_ref(),
            _ => None,
        })?;
    let encode = |bytes: &[u8]| BASE64_URL_SAFE_NO_PAD.encode(bytes);
    Some(format!("{}.{}", encode(authority.0), encode(leaf.raw_serial())))
}

impl fmt::Debug for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Record")
            .field("issuer", &self.issuer)
            .field("serial", &self.serial)
            .field("not_after", &self.not_after)
            .field("schedule", &self.schedule)
            .finish_non_exhaustive()
    }
}

#[derive(Deserialize, Serialize)]
struct Head {
    issuer: String,
    serial: String,
    not_before: u64,
    not_after: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    ari: Option<String>,
    renew_at: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    window: Option<(u64, u64)>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    poll_at: Option<u64>,
    #[serde(default)]
    retry_at: u64,
}

/// Splits bytes that stand behind their length from what follows.
fn sized(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = bytes.split_first_chunk::<4>()?;
    rest.split_at_checked(u32::from_le_bytes(*length) as usize)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record() -> Record {
        let at = Timestamp::from_seconds;
        Record {
            chain: vec![vec![1; 900].into(), vec![2; 1_100].into()],
            key: Zeroizing::new(vec![3; 138]),
            issuer: "main".to_owned(),
            serial: "00ab".to_owned(),
            not_before: at(1),
            not_after: at(2),
            ari: Some("a.b".to_owned()),
            schedule: Schedule {
                renew_at: at(3),
                window: Some((at(4), at(5))),
                poll_at: Some(at(6)),
                retry_at: at(9),
            },
        }
    }

    #[test]
    fn what_was_kept_is_read_back() {
        let mut other = record();
        assert_eq!(Record::decode(&other.encode()).unwrap(), other);
        other.ari = None;
        other.chain.clear();
        other.schedule.window = None;
        other.schedule.poll_at = None;
        assert_eq!(Record::decode(&other.encode()).unwrap(), other);
    }

    #[test]
    fn a_field_that_a_later_version_adds_is_no_hindrance() {
        let bytes = record().encode();
        let (head, rest) = sized(&bytes).unwrap();
        let mut head = String::from_utf8(head.to_vec()).unwrap();
        head.insert_str(1, "\"later\":[1,2],");
        let later = [&(head.len() as u32).to_le_bytes(), head.as_bytes(), rest].concat();
        assert_eq!(Record::decode(&later).unwrap(), record());
    }

    #[test]
    fn cut_bytes_are_no_record_or_hold_no_whole_key() {
        let bytes = record().encode();
        for end in 0..bytes.len() {
            let Some(cut) = Record::decode(&bytes[..end]) else { continue };
            assert!(cut.key.len() < 138 && cut.chain == record().chain, "{end} bytes");
        }
    }
}
