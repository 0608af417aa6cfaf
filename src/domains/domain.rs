//! One domain as it is kept.

use serde::{Deserialize, Serialize};

use super::attempt::{KeptAttempt, KeptCertified};
use super::{Attempt, Certified, Reason, State};
use crate::clock::Timestamp;
use crate::hostname::Hostname;

/// A customer's hostname.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Domain {
    /// The name.
    pub name: Hostname,
    /// Where it stands.
    pub state: State,
    /// Why.
    pub reason: Reason,
    /// What was found, in words.
    pub detail: String,
    /// The domain whose mail it is; assumed to be the name without its first label unless told.
    pub sending: Option<String>,
    /// The platform's account.
    pub account: Option<String>,
    /// The selector and public key of a DKIM key of its own, as the audit expects it.
    pub dkim: Option<String>,
    /// How we came to know it.
    pub origin: Origin,
    /// Since when we know it.
    pub added: Timestamp,
    /// Since when it is in its state.
    pub since: Timestamp,
    /// When somebody last vouched for something.
    pub checked: Option<Timestamp>,
    /// When asking last failed, and why; none once it went well again.
    pub trouble: Option<(Timestamp, String)>,
    /// Where one more CAA record lets our authority certify, when CAA forbids it.
    pub issue_at: Option<String>,
    /// Looks since the state last changed.
    pub looks: u32,
    /// Since when answers lack the CNAME, and how many they are.
    pub absent: Option<(Timestamp, u32)>,
    /// Whether its first result has been told.
    pub is_told: bool,
    /// The certificate that is held.
    pub certificate: Option<Certified>,
    /// The last orders, the newest last.
    pub orders: Vec<Attempt>,
}

/// How we came to know a name.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Origin {
    /// A file names it.
    File,
    /// An operator, or the platform through the operator's door.
    Operator,
    /// Somebody visited it.
    Visit,
}

impl Domain {
    /// A name that was just added.
    pub fn new(name: Hostname, origin: Origin, now: Timestamp) -> Self {
        Self {
            name,
            state: State::New,
            reason: Reason::Added,
            detail: String::new(),
            sending: None,
            account: None,
            dkim: None,
            origin,
            added: now,
            since: now,
            checked: None,
            trouble: None,
            issue_at: None,
            looks: 0,
            absent: None,
            is_told: false,
            certificate: None,
            orders: Vec::new(),
        }
    }

    /// The domain whose mail it is, and whether that is assumed.
    pub fn sending_domain(&self) -> (String, bool) {
        match &self.sending {
            Some(told) => (told.clone(), false),
            None => {
                let name = self.name.as_str();
                let parent = name.split_once('.').map_or(name, |(_, parent)| parent);
                (parent.to_owned(), true)
            }
        }
    }

    /// The bytes that are kept.
    pub(super) fn encode(&self) -> Vec<u8> {
        let kept = Kept {
            reason: self.reason.code().to_owned(),
            detail: self.detail.clone(),
            sending: self.sending.clone(),
            account: self.account.clone(),
            dkim: self.dkim.clone(),
            origin: self.origin,
            added: self.added.micros(),
            since: self.since.micros(),
            checked: self.checked.map(Timestamp::micros),
            trouble: self.trouble.as_ref().map(|(time, why)| (time.micros(), why.clone())),
            issue_at: self.issue_at.clone(),
            looks: self.looks,
            absent: self.absent.map(|(since, count)| (since.micros(), count)),
            is_told: self.is_told,
            certificate: self.certificate.as_ref().map(KeptCertified::from),
            orders: self.orders.iter().map(KeptAttempt::from).collect(),
        };
        // Texts and numbers are always written.
        serde_json::to_vec(&kept).unwrap_or_default()
    }

    /// The domain in kept bytes; `None` when they are of a later version's form.
    pub(super) fn decode(name: &str, state: u8, bytes: &[u8]) -> Option<Self> {
        let kept: Kept = serde_json::from_slice(bytes).ok()?;
        Some(Self {
            name: Hostname::parse(name).ok()?,
            state: State::of(state)?,
            reason: Reason::of(&kept.reason)?,
            detail: kept.detail,
            sending: kept.sending,
            account: kept.account,
            dkim: kept.dkim,
            origin: kept.origin,
            added: Timestamp::from_micros(kept.added),
            since: Timestamp::from_micros(kept.since),
            checked: kept.checked.map(Timestamp::from_micros),
            trouble: kept.trouble.map(|(time, why)| (Timestamp::from_micros(time), why)),
            issue_at: kept.issue_at,
            looks: kept.looks,
            absent: kept.absent.map(|(since, count)| (Timestamp::from_micros(since), count)),
            is_told: kept.is_told,
            certificate: kept.certificate.map(Certified::from),
            orders: kept.orders.into_iter().map(Attempt::from).collect(),
        })
    }
}

/// The form on disk: JSON, whose fields are added and never renamed. What is usual is left out.
#[derive(Deserialize, Serialize)]
struct Kept {
    reason: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    detail: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    sending: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    account: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    dkim: Option<String>,
    origin: Origin,
    added: u64,
    since: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    checked: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    trouble: Option<(u64, String)>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    issue_at: Option<String>,
    #[serde(default)]
    looks: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    absent: Option<(u64, u32)>,
    #[serde(default)]
    is_told: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    certificate: Option<KeptCertified>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    orders: Vec<KeptAttempt>,
}
