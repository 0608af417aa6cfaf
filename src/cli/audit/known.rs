//! What a node keeps of the domains that are audited.

use std::sync::Arc;

use serde_json::Value;

use crate::audit::Expect;
use crate::audit::domain::{Subject, SubjectError};
use crate::cli::domain::{Asked, Registrar};
use crate::cli::output;
use crate::clock::Clock;
use crate::config::Settings;
use crate::disk::Disk;
use crate::hostname::Hostname;

/// The tracking names that a node knows, with whose mail they are of and who signs it.
#[derive(Default)]
pub(super) struct Known(Option<Registrar>);

impl Known {
    /// Those of the node that these settings are of. Where there is neither a node nor a store
    /// nothing is known; what cannot be asked is told, and the audit goes on without.
    pub(super) fn of(settings: &Settings, disk: &Arc<dyn Disk>, clock: &Arc<dyn Clock>) -> Self {
        match Registrar::find(settings, disk, clock) {
            Ok(found) => Self(found),
            Err(error) => {
                output::tell(format_args!("audited without what the node keeps: {error}"));
                Self(None)
            }
        }
    }

    /// What is to be audited under a name: a domain whose mail it is, or a tracking name of one.
    pub(super) fn subject(
        &self,
        name: &str,
        expect: &Expect,
        nonce: &str,
    ) -> Result<Subject, SubjectError> {
        let subject = Subject::new(name, expect, nonce)?;
        for tracking in [&subject.domain, &subject.tracking] {
            let Some(domain) = self.show(tracking) else { continue };
            let Some(sending) = domain["sending_domain"].as_str() else { continue };
            let is_ours = *tracking == subject.domain || sending == subject.domain;
            let Some(known) = Subject::new(sending, expect, nonce).ok().filter(|_| is_ours) else {
                continue;
            };
            let known = known.tracked_at(tracking)?;
            return match domain["dkim"].as_str() {
                Some(key) => known.signed_with(key),
                None => Ok(known),
            };
        }
        Ok(subject)
    }

    fn show(&self, name: &str) -> Option<Value> {
        let name = Hostname::parse(name).ok()?;
        self.0.as_ref()?.ask(&Asked::Show(&name)).ok()
    }
}
