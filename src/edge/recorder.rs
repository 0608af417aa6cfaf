//! Events on their way to where they are recorded, and when their answers may be given. Stepped:
//! no timer, no thread and no clock inside, so that a simulation moves it as a reactor does.
//!
//! ```text
//! journal takes it ─→ durable in time ─────────────────────────────→ recorded
//!                └──→ not in time ─┐
//! journal refuses it ──────────────┴→ second path ─→ acknowledged ─→ recorded
//!                                                └─→ not in time ──→ late
//! ```
//!
//! Without a second path an event that is not durable in time is late at once, and one that the
//! journal refuses is unrecorded. An event that is late, or on the second path, stays in progress
//! in the ledger until it is known what became of it.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use uuid::Uuid;

use super::patience::{Patience, Wait};
use super::second::{Handed, SecondPath};
use crate::journal::{Appender, Durable, Frame, Refused};
use crate::metrics::Unrecorded;
use crate::shipper::Lane;

/// Records the events of one reactor.
#[derive(Debug)]
pub struct Recorder {
    appender: Appender,
    patience: Patience,
    second: Option<SecondPath>,
}

/// An event on its way to be recorded. It must be given back with [`Recorder::leave`] unless it
/// was polled until it was ready.
#[derive(Debug)]
pub struct Recording {
    id: Uuid,
    /// On its way to the disk; none when the journal refused it.
    durable: Option<Durable>,
    wait: Option<Wait>,
    /// With a second path only.
    handed: Option<Handed>,
}

/// What an answer may say of its event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It is durable, or in Kafka.
    Recorded,
    /// It is not yet, and the answer must not wait longer.
    Late,
    /// It will not be.
    Unrecorded,
}

impl Recorder {
    /// A recorder whose answers wait at most `within`, at most a sixteenth (or a millisecond)
    /// less, for their events to be durable.
    pub fn new(appender: Appender, within: Duration) -> Self {
        Self { appender, patience: Patience::new(within), second: None }
    }

    /// The same, with a second path for what is left of the two seconds after `within`.
    #[must_use]
    pub fn with_second_path(self, lane: Lane, within: Duration) -> Self {
        Self { second: Some(SecondPath::new(lane, within)), ..self }
    }

    /// Counts an event as received and queues it; `None` when nothing takes it, which is counted
    /// and traced.
    pub fn record(&self, frame: &Frame<'_>) -> Option<Recording> {
        let id = Uuid::from_bytes(frame.id);
        let account = self.appender.account();
        account.received();
        let (wait, second) = (None, self.second.as_ref());
        let reason = match self.appender.append(frame) {
            Ok(durable) => {
                let handed = second.map(|_| Handed::keep(frame));
                return Some(Recording { id, durable: Some(durable), wait, handed });
            }
            Err(Refused::QueueFull) => Unrecorded::QueueFull,
            Err(Refused::JournalFull) => Unrecorded::JournalFull,
            Err(Refused::TooLarge) => Unrecorded::TooLarge,
            Err(Refused::Unopened) => Unrecorded::Unopened,
        };
        if let Some(handed) = second.and_then(|second| second.hand_over(frame, reason)) {
            return Some(Recording { id, durable: None, wait, handed: Some(handed) });
        }
        account.unrecorded(reason);
        tracing::warn!(event = %id, reason = reason.name(), "answered without a record");
        None
    }

    /// Ready when the event is recorded, or when the answer must not wait longer: then it is
    /// counted late, and may still be recorded.
    pub fn poll(&self, recording: &mut Recording, context: &mut Context<'_>) -> Poll<Outcome> {
        let outcome = match self.try_poll(recording, context) {
            Poll::Ready(outcome) => outcome,
            Poll::Pending => return Poll::Pending,
        };
        if outcome == Outcome::Late {
            self.appender.account().late();
            tracing::warn!(event = %recording.id, reason = "late", "answered before its record");
        }
        self.leave(recording);
        Poll::Ready(outcome)
    }

    /// Nobody waits for the event any more. It is recorded all the same.
    pub fn leave(&self, recording: &mut Recording) {
        if let Some(wait) = recording.wait.take() {
            self.patience.leave(wait);
        }
        if let (Some(second), Some(handed)) = (&self.second, &mut recording.handed) {
            second.leave(handed);
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

    /// Ticks while answers wait, and settles what takes the second path. Runs until dropped, on
    /// the reactor's thread.
    pub(super) async fn run(&self) {
        match &self.second {
            Some(second) => {
                tokio::join!(self.patience.run(), second.run());
            }
            None => self.patience.run().await,
        }
    }

    /// Waits for one pace and ticks.
    pub(super) async fn pass(&self) {
        match &self.second {
            Some(second) => {
                tokio::join!(self.patience.pass(), second.pass());
            }
            None => self.patience.pass().await,
        }
    }

    fn try_poll(&self, recording: &mut Recording, context: &mut Context<'_>) -> Poll<Outcome> {
        let Recording { durable, wait, handed, .. } = recording;
        if let Some(durable) = durable {
            if Pin::new(&mut *durable).poll(context).is_ready() {
                return Poll::Ready(Outcome::Recorded);
            }
            let is_first = handed.as_ref().is_none_or(Handed::is_kept);
            if is_first {
                let held = wait.get_or_insert_with(|| self.patience.enter(context));
                if !self.patience.is_over(held, context) {
                    return Poll::Pending;
                }
            }
            let (Some(second), Some(handed)) = (&self.second, handed) else {
                return Poll::Ready(Outcome::Late);
            };
            if is_first && !second.send(handed, durable.claim()) {
                return Poll::Ready(Outcome::Late);
            }
            // What Kafka will not take, the disk still may.
            return second.poll(handed, context).map(|outcome| match outcome {
                Outcome::Unrecorded => Outcome::Late,
                outcome => outcome,
            });
        }
        match (&self.second, handed) {
            (Some(second), Some(handed)) => second.poll(handed, context),
            // Nothing else makes a recording without the journal.
            _ => Poll::Ready(Outcome::Unrecorded),
        }
    }
}
