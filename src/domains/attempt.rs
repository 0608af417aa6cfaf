//! What an order came to, as it is kept with its domain.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::Who;
use crate::clock::Timestamp;

/// One order at one certification authority.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attempt {
    /// When it began.
    pub at: Timestamp,
    /// How long it took.
    pub took: Duration,
    /// The authority, as it is called here.
    pub issuer: String,
    /// `issued`, or a short stable word for what went wrong.
    pub outcome: String,
    /// Who must act.
    pub who: Who,
    /// What was said, the authority's own words where it said something.
    pub detail: String,
}

/// The certificate that is held for a domain, as it is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Certified {
    /// Its serial number in lower-case hexadecimal.
    pub serial: String,
    /// When it expires.
    pub not_after: Timestamp,
    /// The authority, as it is called here.
    pub issuer: String,
}

impl Attempt {
    /// As one object.
    pub(super) fn object(&self) -> Value {
        json!({
            "time": self.at.to_string(),
            "took_ms": u64::try_from(self.took.as_millis()).unwrap_or(u64::MAX),
            "issuer": self.issuer,
            "outcome": self.outcome,
            "who": self.who.name(),
            "detail": self.detail,
        })
    }
}

impl Certified {
    /// As one object.
    pub(super) fn object(&self) -> Value {
        json!({
            "serial": self.serial,
            "not_after": self.not_after.to_string(),
            "issuer": self.issuer,
        })
    }
}

/// An attempt on disk.
#[derive(Deserialize, Serialize)]
pub(super) struct KeptAttempt {
    at: u64,
    took: u64,
    issuer: String,
    outcome: String,
    who: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    detail: String,
}

/// A certificate on disk.
#[derive(Deserialize, Serialize)]
pub(super) struct KeptCertified {
    serial: String,
    not_after: u64,
    issuer: String,
}

impl From<&Attempt> for KeptAttempt {
    fn from(attempt: &Attempt) -> Self {
        Self {
            at: attempt.at.micros(),
            took: u64::try_from(attempt.took.as_micros()).unwrap_or(u64::MAX),
            issuer: attempt.issuer.clone(),
            outcome: attempt.outcome.clone(),
            who: attempt.who.name().to_owned(),
            detail: attempt.detail.clone(),
        }
    }
}

impl From<KeptAttempt> for Attempt {
    fn from(kept: KeptAttempt) -> Self {
        Self {
            at: Timestamp::from_micros(kept.at),
            took: Duration::from_micros(kept.took),
            issuer: kept.issuer,
            outcome: kept.outcome,
            who: Who::named(&kept.who).unwrap_or(Who::Nobody),
            detail: kept.detail,
        }
    }
}

impl From<&Certified> for KeptCertified {
    fn from(certified: &Certified) -> Self {
        Self {
            serial: certified.serial.clone(),
            not_after: certified.not_after.micros(),
            issuer: certified.issuer.clone(),
        }
    }
}

impl From<KeptCertified> for Certified {
    fn from(kept: KeptCertified) -> Self {
        let (serial, issuer) = (kept.serial, kept.issuer);
        Self { serial, not_after: Timestamp::from_micros(kept.not_after), issuer }
    }
}
