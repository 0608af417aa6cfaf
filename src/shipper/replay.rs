//! Sends kept events once more, the same bytes with the same ids, beside a node that may run.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use thiserror::Error;

use super::courier::{Action, Courier, Deed, Event, Leave};
use super::record::Addresser;
use super::reports::{Pile, Reports};
use crate::clock::Clock;
use crate::disk::Disk;
use crate::journal::{DirectoryId, ReadError, Reader};
use crate::kafka::{Manner, OpenError, Publish, Session, Topics, Verdict};

/// Sends kept events again.
#[derive(Debug)]
pub struct Replay {
    /// Where to publish.
    pub publish: Arc<dyn Publish>,
    /// The topic of each stream.
    pub topics: Topics,
    /// Bytes of events under way at most.
    pub window: usize,
    /// The disk that the journal is on.
    pub disk: Arc<dyn Disk>,
    /// The clocks.
    pub clock: Arc<dyn Clock>,
}

/// What was sent again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Replayed {
    /// Events that are acknowledged.
    pub acknowledged: u64,
    /// Events that are too large for Kafka.
    pub too_large: u64,
}

/// Why not everything was sent again. What was acknowledged stays so; the rest can be tried again.
#[derive(Debug, Error)]
pub enum ReplayError {
    /// The client could not be made: the operator's to mend.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The journal could not be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// Nothing was acknowledged for a long time.
    #[error("nothing was acknowledged for {} s: {told}", PATIENCE.as_secs())]
    Stalled {
        /// What was heard.
        told: String,
    },
}

impl Replay {
    /// Sends the events of one directory from a sequence on, up to `to` with it. Blocks until all
    /// are acknowledged.
    pub fn run(
        &self,
        directory: DirectoryId,
        path: &Path,
        from: u64,
        to: u64,
    ) -> Result<Replayed, ReplayError> {
        let now = self.clock.now();
        let mut run = Run {
            reader: Reader::outside(Arc::clone(&self.disk), directory, path, from),
            addresser: Addresser::new(self.topics.clone()),
            session: None,
            reports: Reports::default(),
            replayed: Replayed::default(),
            told: "the brokers do not answer".to_owned(),
            progress: now,
            of: self,
            place: (directory, path),
            to,
        };
        let mut courier = Courier::new(from, self.window, Leave::Settled, now);
        let mut event = Event::Woken;
        loop {
            event = match courier.step(event, self.clock.now()) {
                Action::Open => Event::Opened(run.open()?),
                Action::Close => {
                    run.session = None;
                    run.reports = Reports::default();
                    Event::Closed
                }
                Action::Read { from } => {
                    run.hear(&mut courier);
                    run.carry(&mut courier, from)?.unwrap_or_else(|| run.nothing())
                }
                // How far it came is nobody's but ours.
                Action::Sync { .. } => Event::Synced(true),
                Action::Wait { until, .. } => {
                    run.wait(&mut courier, until)?;
                    Event::Woken
                }
                Action::Finish => return Ok(run.replayed),
            };
        }
    }
}

/// One directory's events while they are sent.
struct Run<'a> {
    of: &'a Replay,
    place: (DirectoryId, &'a Path),
    to: u64,
    reader: Reader,
    addresser: Addresser,
    session: Option<Box<dyn Session>>,
    reports: Reports,
    replayed: Replayed,
    /// What was last heard of trouble.
    told: String,
    progress: Instant,
}

impl Run<'_> {
    fn open(&mut self) -> Result<bool, OpenError> {
        self.reports = Reports::default();
        let queue = self.of.window.saturating_mul(2);
        self.session = Some(self.of.publish.open(Manner::Bulk { queue }, self.reports.hear())?);
        Ok(true)
    }

    fn carry(&mut self, courier: &mut Courier, from: u64) -> Result<Option<Event>, ReadError> {
        if self.reader.position() != from {
            let (directory, path) = self.place;
            self.reader = Reader::outside(Arc::clone(&self.of.disk), directory, path, from);
        }
        if self.reader.position() > self.to {
            return Ok(Some(Event::NoFrame { next: from }));
        }
        let Some(stored) = self.reader.read()? else { return Ok(None) };
        if stored.sequence > self.to {
            return Ok(Some(Event::NoFrame { next: from }));
        }
        let size = stored.frame.key.len() + stored.frame.body.len();
        Ok(Some(match courier.found(stored.sequence, size, stored.frame.time) {
            Deed::Send => {
                let Some(session) = &self.session else { return Ok(Some(Event::Woken)) };
                let tag = usize::try_from(stored.sequence).unwrap_or(usize::MAX);
                Event::Sent(self.addresser.send(&**session, &stored.frame, tag))
            }
            Deed::SetAside => {
                self.replayed.too_large += 1;
                Event::SetAside(true)
            }
            Deed::Leave => Event::Woken,
        }))
    }

    /// What the last look found, which was no frame.
    fn nothing(&self) -> Event {
        let next = self.reader.position();
        if self.reader.is_in_doubt() {
            // It may be a batch that is just being written: a moment, and it is passed over.
            std::thread::sleep(LOOK_EVERY);
            return Event::Passed { next };
        }
        Event::NoFrame { next }
    }

    fn hear(&mut self, courier: &mut Courier) {
        let Some(Pile { settled, unreachable, .. }) = self.reports.take() else { return };
        let now = self.of.clock.now();
        for (sequence, outcome) in settled {
            if let Err(verdict) = outcome {
                self.told = format!("{verdict:?}");
            }
            if courier.report(sequence, outcome, now).is_some() {
                self.replayed.acknowledged += 1;
                self.progress = now;
            }
        }
        for (told, verdict) in unreachable {
            courier.trouble(verdict, now);
            self.told = match verdict {
                Verdict::Retry(reason) => format!("{}: {told}", reason.name()),
                Verdict::Fatal | Verdict::TooLarge => told,
            };
        }
    }

    fn wait(&mut self, courier: &mut Courier, until: Option<Instant>) -> Result<(), ReplayError> {
        let now = self.of.clock.now();
        if now.saturating_duration_since(self.progress) > PATIENCE {
            return Err(ReplayError::Stalled { told: self.told.clone() });
        }
        let longest = until.map_or(LOOK_EVERY, |until| until.saturating_duration_since(now));
        self.reports.wait(longest.min(LOOK_EVERY));
        self.hear(courier);
        Ok(())
    }
}

/// How long nothing may be acknowledged.
const PATIENCE: Duration = Duration::from_secs(30);
const LOOK_EVERY: Duration = Duration::from_millis(100);
