//! One audit of one domain that is due.

use serde_json::Value;

use crate::audit::Kept;
use crate::audit::domain::{Auditor, Subject};
use crate::domains::{Domain, Register, State};
use crate::hostname::Hostname;
use crate::store::{StoreError, Stored};

/// What came of a record that was due.
#[derive(Debug)]
pub(super) struct Audited {
    /// The record, as it was claimed.
    pub(super) stored: Stored,
    pub(super) outcome: Outcome,
}

/// What came of it.
#[derive(Debug)]
pub(super) enum Outcome {
    /// There is no such domain: the record goes.
    Gone,
    /// It has no name whose records could be asked for.
    Nameless,
    /// A report, as JSON.
    Report { report: Value, is_active: bool },
}

/// Audits the domain of a record.
pub(super) async fn audit(
    stored: Stored,
    register: &Register,
    auditor: &Auditor,
) -> Result<Audited, StoreError> {
    let domain = match Hostname::parse(&stored.name) {
        Ok(name) => register.domain(&name).await?,
        Err(_) => None,
    };
    let Some(domain) = domain else { return Ok(Audited { stored, outcome: Outcome::Gone }) };
    let outcome = match subject(&domain, auditor) {
        None => Outcome::Nameless,
        Some(subject) => {
            let former = Kept::decode(&stored.content.bytes);
            let (report, _) = match former.is_some_and(|former| former.hasty > 0) {
                // What is to confirm an answer is not the same answer.
                true => auditor.anew(&subject).audit(&subject).await,
                false => auditor.audit(&subject).await,
            };
            let is_active = domain.state == State::Active;
            Outcome::Report { report: report.json(), is_active }
        }
    };
    Ok(Audited { stored, outcome })
}

/// What is audited of a tracking name: the domain whose mail it is.
fn subject(domain: &Domain, auditor: &Auditor) -> Option<Subject> {
    let nonce = format!("audit-{}", uuid::Uuid::new_v4().simple());
    let (sending, _) = domain.sending_domain();
    let subject = Subject::new(&sending, &auditor.platform().expect, &nonce).ok()?;
    let subject = subject.tracked_at(domain.name.as_str()).ok()?;
    let Some(key) = &domain.dkim else { return Some(subject) };
    match subject.clone().signed_with(key) {
        Ok(signed) => Some(signed),
        Err(error) => {
            tracing::warn!(name = %domain.name, %error, "audited without its own DKIM key");
            Some(subject)
        }
    }
}
