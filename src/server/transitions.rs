//! Brings the events of transitions from the store into the journal.
//!
//! An event waits in the store, made in one step with the transition that it tells. Here it is
//! appended, and forgotten there once the journal holds it for good. What waits at start is
//! appended again: it may be in the journal twice, under one id and with the same bytes.

use std::sync::Arc;
use std::time::Duration;

use crate::domains::{Register, STREAM};
use crate::drain::Drain;
use crate::journal::{Appender, Durable, Frame, Intake, Refused, Stream};
use crate::metrics::Account;
use crate::store::{Pending, Store, StoreError};

/// Follows what comes to wait, until the drain begins.
pub(super) fn follow(register: &Register, store: Arc<dyn Store>, intake: &Intake, drain: &Drain) {
    // An account of its own: the ledger is of what people do.
    let account = Account::default();
    let appender = intake.appender(account.clone());
    let carrier = Carrier { store, appender: appender.clone(), account };
    let (register, ending) = (register.clone(), drain.clone());
    drain.spawn(async move {
        tokio::select! {
            () = ending.ending() => {}
            () = appender.settle() => {}
            () = carrier.run(&register) => {}
        }
    });
}

struct Carrier {
    store: Arc<dyn Store>,
    appender: Appender,
    account: Account,
}

impl Carrier {
    async fn run(&self, register: &Register) {
        loop {
            match self.carry_all().await {
                Ok(()) => register.told().await,
                Err(error) => {
                    tracing::debug!(%error, "events wait in the store");
                    tokio::time::sleep(AGAIN).await;
                }
            }
        }
    }

    async fn carry_all(&self) -> Result<(), StoreError> {
        loop {
            let waiting = self.store.pending([0; 16], AT_A_TIME).await?;
            if waiting.is_empty() {
                return Ok(());
            }
            let mut durable = Vec::new();
            for event in &waiting {
                durable.push(self.append(event).await);
            }
            for durable in durable.into_iter().flatten() {
                durable.await;
            }
            self.store.settle(waiting.into_iter().map(|event| event.id).collect()).await?;
        }
    }

    /// Appends an event, however long that takes; `None` when it is none that the journal takes.
    async fn append(&self, event: &Pending) -> Option<Durable> {
        let stream = if event.stream == STREAM { Stream::Domains } else { Stream::Audits };
        let frame =
            Frame { stream, time: event.time, id: event.id, key: &event.key, body: &event.body };
        loop {
            match self.appender.append(&frame) {
                Ok(durable) => {
                    self.account.received();
                    return Some(durable);
                }
                Err(Refused::TooLarge) => {
                    tracing::error!(id = ?event.id, "an event is larger than the journal takes");
                    return None;
                }
                Err(Refused::Unopened | Refused::JournalFull | Refused::QueueFull) => {
                    tokio::time::sleep(AGAIN).await;
                }
            }
        }
    }
}

const AT_A_TIME: usize = 256;
const AGAIN: Duration = Duration::from_secs(1);
