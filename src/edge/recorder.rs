//! Events on their way to the disk, and when their answers may be given. Stepped: no timer, no
//! thread and no clock inside, so that a simulation moves it as a reactor does.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use uuid::Uuid;

use super::patience::{Patience, Wait};
use crate::journal::{Appender, Durable, Frame, Refused};
use crate::metrics::Unrecorded;

/// Records the events of one reactor.
#[derive(Debug)]
pub struct Recorder {
    appender: Appender,
    patience: Patience,
}

/// An event on its way to the disk. It must be given back with [`Recorder::leave`] unless it was
/// polled until it was ready.
#[derive(Debug)]
pub struct Recording {
    durable: Durable,
    id: Uuid,
    wait: Option<Wait>,
}

/// What an answer may say of its event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It is durable.
    Recorded,
    /// It is not yet, and the answer must not wait longer.
    Late,
}

impl Recorder {
    /// A recorder whose answers wait at most `within`, at most a sixteenth (or a millisecond)
    /// less, for their events to be durable.
    pub fn new(appender: Appender, within: Duration) -> Self {
        Self { appender, patience: Patience::new(within) }
    }

    /// Counts an event as received and queues it; `None` when the journal refuses it, which is
    /// counted and traced.
    pub fn record(&self, frame: &Frame<'_>) -> Option<Recording> {
        let id = Uuid::from_bytes(frame.id);
        let account = self.appender.account();
        account.received();
        let reason = match self.appender.append(frame) {
            Ok(durable) => return Some(Recording { durable, id, wait: None }),
            Err(Refused::QueueFull) => Unrecorded::QueueFull,
            Err(Refused::JournalFull) => Unrecorded::JournalFull,
            Err(Refused::TooLarge) => Unrecorded::TooLarge,
        };
        account.unrecorded(reason);
        tracing::warn!(event = %id, reason = reason.name(), "answered without a record");
        None
    }

    /// Ready when the event is durable, or when the answer must not wait longer: then it is
    /// counted late, and may still be recorded.
    pub fn poll(&self, recording: &mut Recording, context: &mut Context<'_>) -> Poll<Outcome> {
        let Recording { durable, id, wait } = recording;
        let mut outcome = Outcome::Recorded;
        if Pin::new(durable).poll(context).is_pending() {
            let held = wait.get_or_insert_with(|| self.patience.enter(context));
            if !self.patience.is_over(held, context) {
                return Poll::Pending;
            }
            self.appender.account().late();
            tracing::warn!(event = %id, reason = "late", "answered before its record");
            outcome = Outcome::Late;
        }
        self.leave(recording);
        Poll::Ready(outcome)
    }

    /// Nobody waits for the event any more. It is recorded all the same.
    pub fn leave(&self, recording: &mut Recording) {
        if let Some(wait) = recording.wait.take() {
            self.patience.leave(wait);
        }
    }

    /// How often [`Recorder::tick`] is to be called while answers wait.
    pub fn pace(&self) -> Duration {
        self.patience.pace()
    }

    /// Lets one pace of time pass for those who wait.
    pub fn tick(&self) {
        self.patience.tick();
    }

    /// Ticks while answers wait. Runs until dropped, on the reactor's thread.
    pub(super) async fn run(&self) {
        self.patience.run().await;
    }

    /// Waits for one pace and ticks.
    pub(super) async fn pass(&self) {
        self.patience.pass().await;
    }
}
