//! Records of audits, as far as they come and go with their domains. What stands in them is the
//! business of who audits; nothing at all is a domain that was never audited.

use std::time::Duration;

use tokio::sync::mpsc;

use super::register::decoded;
use super::{Domain, Register, RegisterError, State};
use crate::clock::Timestamp;
use crate::hostname::Hostname;
use crate::store::{Change, Content, Due, Expected, Kind, Lane, StoreError, Stored};

/// What happens to a domain's record of audits when the domain changes.
#[derive(Debug, Default)]
pub(super) struct Beside {
    pub(super) change: Option<Change>,
    /// The record that goes.
    removed: Option<Stored>,
}

impl Register {
    /// A domain that is listed; `None` when it is not, or was removed.
    pub async fn domain(&self, name: &Hostname) -> Result<Option<Domain>, StoreError> {
        let stored = self.store().get(Kind::Domain, name.as_str()).await?;
        let domain = stored.as_ref().map(decoded).transpose()?;
        Ok(domain.filter(|domain| domain.state != State::Removed))
    }

    /// Says that an event has come to wait in the store.
    pub fn tell(&self) {
        self.inner.told.notify_one();
    }

    /// Has each record of audits told that goes with its domain. Only the first call counts.
    pub fn tell_removed_audits(&self, to: mpsc::Sender<Stored>) {
        self.inner.removed_audits.get_or_init(|| to);
    }

    /// What is to be done with the record of a domain that is becoming this: it goes with the
    /// domain, and what has changed is audited soon.
    pub(super) async fn beside(&self, domain: &Domain) -> Result<Beside, RegisterError> {
        let is_removed = domain.state == State::Removed;
        if !self.is_audited(&domain.name) && !is_removed {
            return Ok(Beside::default());
        }
        let name = domain.name.as_str();
        let (stored, expected) = match self.store().get(Kind::Audit, name).await {
            Ok(None) if is_removed => return Ok(Beside::default()),
            Ok(None) => (None, Expected::Absent),
            Ok(Some(stored)) => {
                let version = stored.version;
                (Some(stored), Expected::Version(version))
            }
            Err(StoreError::Damaged { .. }) => (None, Expected::Damaged),
            Err(error) => return Err(error.into()),
        };
        let now = self.inner.clock.wall();
        if is_removed {
            let change = record(name, expected, None);
            return Ok(Beside { change: Some(change), removed: stored });
        }
        let content = match stored {
            None => never_audited(now),
            Some(stored) => {
                let soon = Due { at: now.plus(SETTLED), lane: Lane::Patient };
                if stored.content.due.is_some_and(|due| due.at <= soon.at) {
                    return Ok(Beside::default());
                }
                Content { due: Some(soon), ..stored.content }
            }
        };
        Ok(Beside { change: Some(record(name, expected, Some(content))), removed: None })
    }

    /// The name that all others lead to is the platform's own, and no customer's.
    fn is_audited(&self, name: &Hostname) -> bool {
        let config = &self.inner.config;
        config.audit_rate > 0 && config.target.as_ref() != Some(name)
    }

    /// The change was made.
    pub(super) fn went(&self, beside: Beside) {
        if let (Some(stored), Some(to)) = (beside.removed, self.inner.removed_audits.get()) {
            // With too many of them on their way, a later count finds that it is gone.
            to.try_send(stored).ok();
        }
    }

    /// The record of a name that is new: at once, names of files one after the other at the rate
    /// of audits, so that a million of them do not come due at once. `None` when nothing is audited.
    pub(super) fn first_audit(
        &self,
        domain: &Domain,
        place: Option<u64>,
        now: Timestamp,
    ) -> Option<Change> {
        let rate = u64::from(self.inner.config.audit_rate);
        let each = self.is_audited(&domain.name).then(|| 1_000_000 / rate.max(1))?;
        let wait = Duration::from_micros(place.unwrap_or_default().saturating_mul(each));
        let content = never_audited(now.plus(wait));
        Some(record(domain.name.as_str(), Expected::Absent, Some(content)))
    }
}

fn record(name: &str, expected: Expected, content: Option<Content>) -> Change {
    Change { kind: Kind::Audit, name: name.to_owned(), expected, content, event: None }
}

fn never_audited(at: Timestamp) -> Content {
    let due = Some(Due { at, lane: Lane::Patient });
    Content { bytes: Vec::new().into(), state: NEVER, due }
}

/// The state of a record of audits before the first one.
const NEVER: u8 = 1;
/// How long after a change a domain is audited: it often takes several steps.
const SETTLED: Duration = Duration::from_secs(600);
