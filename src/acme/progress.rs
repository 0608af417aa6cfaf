//! How far an order has come, as it is kept: what a restart must know to go on with it.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use zeroize::Zeroizing;

use super::failure::{Failure, FailureKind, Scope};
use super::renewal::{back_off, spread};
use crate::clock::Timestamp;
use crate::domains::registrable;
use crate::hostname::Hostname;

/// An order as it is kept. Empty bytes are one that nobody has begun with.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub(super) struct Progress {
    /// Where it was placed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) placed: Option<Placed>,
    /// Failures in a row.
    #[serde(default)]
    pub(super) failures: u32,
    /// Before this time, in microseconds since 1970, nothing is ordered.
    #[serde(default)]
    pub(super) not_before: u64,
    /// Whether the authority itself asked for that: then nobody's haste overrules it.
    #[serde(default)]
    pub(super) is_told: bool,
    /// Authorities that want to be left alone with this name, and until when, in microseconds
    /// since 1970.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) spared: BTreeMap<String, u64>,
}

/// An order that an authority knows.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(super) struct Placed {
    /// The authority, as it is called here.
    pub(super) issuer: String,
    /// Its URL there.
    pub(super) url: String,
    /// The key that is to be certified: kept before the authority sees it, since what it
    /// certifies can be fetched again and the key cannot.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) key: Option<PrivateKey>,
}

/// A private key in PEM. Prints as nothing.
#[derive(Clone)]
pub(super) struct PrivateKey(pub(super) Zeroizing<String>);

/// The states that orders are counted under. The first is what the register of domains puts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum State {
    /// Nobody has begun with it.
    Queued = 1,
    /// It is being worked on, or was when the process ended.
    InProgress = 2,
    /// It failed, and is tried again.
    Waiting = 3,
}

impl State {
    pub(super) const ALL: [Self; 3] = [Self::Queued, Self::InProgress, Self::Waiting];

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::InProgress => "in_progress",
            Self::Waiting => "waiting",
        }
    }
}

impl Progress {
    /// The order in kept bytes. What a later version wrote is begun anew.
    pub(super) fn decode(bytes: &[u8]) -> Self {
        serde_json::from_slice(bytes).unwrap_or_default()
    }

    /// An order of `name` came to nothing; when the next one is made.
    pub(super) fn failed(
        &mut self,
        name: &Hostname,
        failure: &Failure,
        now: Timestamp,
    ) -> Timestamp {
        let is_of_issuer = failure.scope(name, registrable(name).0) == Some(Scope::Issuer);
        let spread = spread(name.as_str());
        // What keeps an authority from all names alike makes no name's own wait longer.
        let own = if failure.is_of_name && !is_of_issuer {
            self.failures = self.failures.saturating_add(1);
            let most = if failure.may_be_of_issuer() { PATIENT } else { u32::MAX };
            back_off(self.failures.min(most), spread)
        } else {
            back_off(1, spread)
        };
        let told = failure.retry_after.unwrap_or_default();
        self.is_told = told > own || failure.kind == FailureKind::Limited;
        let due = now.plus(own.max(told));
        self.not_before = due.micros();
        due
    }

    /// Leaves an authority alone with this name.
    pub(super) fn spare(&mut self, issuer: &str, until: Timestamp) {
        let until = until.micros();
        let kept = self.spared.entry(issuer.to_owned()).or_default();
        *kept = until.max(*kept);
    }

    /// Until when an authority is left alone with this name.
    pub(super) fn spared_until(&self, issuer: &str, now: Timestamp) -> Option<Timestamp> {
        let until = Timestamp::from_micros(*self.spared.get(issuer)?);
        (now < until).then_some(until)
    }

    /// The bytes that are kept.
    pub(super) fn encode(&self) -> Zeroizing<Vec<u8>> {
        // Texts and numbers are always written.
        Zeroizing::new(serde_json::to_vec(self).unwrap_or_default())
    }
}

impl fmt::Debug for PrivateKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PrivateKey")
    }
}

impl Serialize for PrivateKey {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for PrivateKey {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Self(Zeroizing::new(String::deserialize(deserializer)?)))
    }
}

/// Failures in a row after which a name waits no longer for what may be its authority's trouble.
const PATIENT: u32 = 3;
