//! The second path of one reactor's events: what is kept for it, and how long it is waited for.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use super::patience::{Patience, Wait};
use super::recorder::Outcome;
use crate::clock::Timestamp;
use crate::journal::{Claim, Frame, Stream};
use crate::metrics::Unrecorded;
use crate::shipper::{Acknowledged, Lane, Standing};

/// The way to Kafka past the journal.
#[derive(Debug)]
pub(super) struct SecondPath {
    lane: Lane,
    patience: Patience,
}

/// An event that may take the second path, or has.
#[derive(Debug)]
pub(super) struct Handed {
    stage: Stage,
    wait: Option<Wait>,
}

#[derive(Debug)]
enum Stage {
    /// A copy, for the case that the disk takes too long.
    Kept(Box<Copy>),
    /// On its way.
    Sent(Acknowledged),
    /// Waited for, or refused.
    Over,
}

/// A frame of our own.
#[derive(Debug)]
struct Copy {
    stream: Stream,
    time: Timestamp,
    id: [u8; 16],
    /// The key, then the body.
    bytes: Vec<u8>,
    key: usize,
}

impl SecondPath {
    /// For answers that have waited `within` for the disk.
    pub(super) fn new(lane: Lane, within: Duration) -> Self {
        let left = LIMIT.saturating_sub(within).max(LEAST);
        Self { lane, patience: Patience::new(left) }
    }

    /// Hands over an event that the journal refuses; `None` when this path takes nothing either.
    pub(super) fn hand_over(&self, frame: &Frame<'_>, reason: Unrecorded) -> Option<Handed> {
        let sent = self.lane.send(frame, Standing::Refused(reason)).ok()?;
        Some(Handed { stage: Stage::Sent(sent), wait: None })
    }

    /// Sends the copy of an event that is on its way to the disk; false when nothing takes it.
    pub(super) fn send(&self, handed: &mut Handed, claim: Claim) -> bool {
        let Stage::Kept(copy) = std::mem::replace(&mut handed.stage, Stage::Over) else {
            return false;
        };
        match self.lane.send(&copy.frame(), Standing::Queued(claim)) {
            Ok(sent) => {
                handed.stage = Stage::Sent(sent);
                true
            }
            Err(_) => false,
        }
    }

    /// Ready when Kafka has the event or will not have it, or when it takes too long.
    pub(super) fn poll(&self, handed: &mut Handed, context: &mut Context<'_>) -> Poll<Outcome> {
        let Handed { stage, wait } = handed;
        let Stage::Sent(acknowledged) = stage else { return Poll::Ready(Outcome::Late) };
        if let Poll::Ready(is_there) = Pin::new(acknowledged).poll(context) {
            let outcome = if is_there { Outcome::Recorded } else { Outcome::Unrecorded };
            return Poll::Ready(outcome);
        }
        let held = wait.get_or_insert_with(|| self.patience.enter(context));
        match self.patience.is_over(held, context) {
            true => Poll::Ready(Outcome::Late),
            false => Poll::Pending,
        }
    }

    /// Nobody waits for the event any more.
    pub(super) fn leave(&self, handed: &mut Handed) {
        handed.stage = Stage::Over;
        if let Some(wait) = handed.wait.take() {
            self.patience.leave(wait);
        }
    }

    /// Ticks while answers wait, and settles what the session tells. Runs until dropped.
    pub(super) async fn run(&self) {
        tokio::join!(self.patience.run(), self.lane.settle());
    }

    /// Waits for one pace and ticks; meanwhile what the session tells is settled.
    pub(super) async fn pass(&self) {
        tokio::select! {
            () = self.patience.pass() => {}
            () = self.lane.settle() => {}
        }
    }
}

impl Handed {
    /// Keeps a copy of an event that the journal has taken.
    pub(super) fn keep(frame: &Frame<'_>) -> Self {
        let Frame { stream, time, id, key, body } = *frame;
        let mut bytes = Vec::with_capacity(key.len() + body.len());
        bytes.extend_from_slice(key);
        bytes.extend_from_slice(body);
        let copy = Copy { stream, time, id, bytes, key: key.len() };
        Self { stage: Stage::Kept(Box::new(copy)), wait: None }
    }

    /// Whether the event has not been sent yet.
    pub(super) fn is_kept(&self) -> bool {
        matches!(self.stage, Stage::Kept(_))
    }
}

impl Copy {
    fn frame(&self) -> Frame<'_> {
        let (key, body) = self.bytes.split_at(self.key);
        let Self { stream, time, id, .. } = *self;
        Frame { stream, time, id, key, body }
    }
}

/// How long a click may wait in all, with room for what the answer itself takes.
const LIMIT: Duration = Duration::from_millis(1_950);
/// How long Kafka is given at least.
const LEAST: Duration = Duration::from_millis(50);
