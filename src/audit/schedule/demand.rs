//! An audit that somebody demands.

use std::fmt;
use std::sync::Arc;

use tokio::sync::{mpsc, oneshot};

use super::auditing::{Audited, Memory, audit};
use crate::audit::domain::Auditor;
use crate::domains::Register;
use crate::hostname::Hostname;
use crate::store::{Kind, Store, StoreError};

/// Audits domains at once. Whoever demands says how many at a time. Cloning shares it.
#[derive(Clone)]
pub struct Demand {
    pub(super) auditor: Auditor,
    pub(super) register: Register,
    pub(super) store: Arc<dyn Store>,
    pub(super) to_clerk: mpsc::Sender<Audited>,
}

impl Demand {
    /// Audits a domain past everything that is remembered of its names, and resolves when the
    /// result is kept, as any other is. Nothing is done for one that is not listed.
    pub async fn audit(&self, name: &Hostname) -> Result<(), StoreError> {
        for _ in 0..TRIES {
            let stored = self.store.get(Kind::Audit, name.as_str()).await?;
            // A record comes with its domain.
            let Some(stored) = stored else { return Ok(()) };
            let mut audited = audit(stored, &self.register, &self.auditor, Memory::Passed).await?;
            let (waited_for, written) = oneshot::channel();
            audited.waited_for = Some(waited_for);
            if self.to_clerk.send(audited).await.is_err() || written.await.is_ok() {
                break;
            }
            // Somebody else's result came between, which may be of what was remembered.
        }
        Ok(())
    }
}

impl fmt::Debug for Demand {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Demand").finish_non_exhaustive()
    }
}

const TRIES: usize = 2;
