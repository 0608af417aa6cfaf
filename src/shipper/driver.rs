//! The shipper's thread: does what the [courier](super::courier) decides, and nothing else.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use tokio::sync::watch;

use super::courier::{Action, Courier, Deed, Event, Leave};
use super::directory::Directory;
use super::health::Health;
use super::measures::Measures;
use super::record::Addresser;
use super::reports::Reports;
use super::shipping::Shipper;
use crate::journal::DirectoryId;
use crate::kafka::{Manner, Reason, Session, Verdict};
use crate::metrics::Degraded;

/// The thread's state.
pub(super) struct Driver {
    of: Shipper,
    addresser: Addresser,
    health: Health,
    measures: Measures,
    session: Option<Box<dyn Session>>,
    reports: Reports,
    ending: watch::Receiver<Option<Instant>>,
    /// Adopted directories that are shipped.
    finished: BTreeSet<DirectoryId>,
    /// When free directories were last looked for.
    looked: Instant,
}

impl Driver {
    pub(super) fn new(
        of: Shipper,
        measures: Measures,
        degraded: Degraded,
        ending: watch::Receiver<Option<Instant>>,
    ) -> Self {
        let now = of.clock.now();
        Self {
            addresser: Addresser::new(of.topics.clone()),
            health: Health::new(degraded, now),
            measures,
            session: None,
            reports: Reports::default(),
            ending,
            finished: BTreeSet::new(),
            looked: now,
            of,
        }
    }

    /// Ships directory after directory, until the end.
    pub(super) async fn run(mut self, mut own: Directory) {
        let window = self.of.config.window;
        self.stand_at(&own);
        let mut courier = Courier::new(1, window, Leave::Never, self.of.clock.now());
        loop {
            let now = self.of.clock.now();
            if let Some(mut adopted) = self.next_adopted() {
                let cursor = adopted.cursor.position();
                courier = courier.follow(cursor, window, Leave::Settled, now);
                let left = self.ship(&mut courier, &mut adopted).await;
                if left == Leave::Now {
                    return;
                }
                self.finish(&adopted, courier.window().position());
            } else {
                courier = courier.follow(own.cursor.position(), window, Leave::Never, now);
                let left = self.ship(&mut courier, &mut own).await;
                // But for that, directories were adopted meanwhile.
                if left != Leave::Read {
                    return;
                }
            }
        }
    }

    /// Ships one directory until the courier has finished with it; returns when that was.
    async fn ship(&mut self, courier: &mut Courier, directory: &mut Directory) -> Leave {
        let mut event = Event::Woken;
        loop {
            self.heed_ending(courier);
            event = match courier.step(event, self.of.clock.now()) {
                Action::Open => Event::Opened(self.open()),
                Action::Close => {
                    self.session = None;
                    // What the old session still tells is of no use.
                    self.reports = Reports::default();
                    Event::Closed
                }
                Action::Read { from } => {
                    self.hear(courier);
                    let carried = self.carry(courier, directory, from);
                    carried.unwrap_or_else(|| directory.place.nothing())
                }
                Action::Sync { position } => Event::Synced(self.sync(directory, position)),
                Action::Wait { until, frames } => {
                    if !self.hear(courier) {
                        self.look_around(courier, directory);
                        self.wait(until, frames.then(|| courier.window().next())).await;
                        self.hear(courier);
                    }
                    Event::Woken
                }
                Action::Finish => {
                    self.look_around(courier, directory);
                    return courier.leaves();
                }
            };
        }
    }

    /// Reads a frame, and sends it or sets it aside as the courier decides; `None` when there is
    /// none.
    fn carry(&self, courier: &mut Courier, directory: &mut Directory, from: u64) -> Option<Event> {
        let clock = &self.of.clock;
        let Directory { place, dead, .. } = directory;
        let stored = match place.reader(&self.of, from).read() {
            Ok(stored) => stored?,
            Err(error) => {
                tracing::warn!(%error, "the journal could not be read: trying again");
                return Some(Event::Unreadable);
            }
        };
        let (sequence, time) = (stored.sequence, stored.frame.time);
        let size = stored.frame.key.len() + stored.frame.body.len();
        Some(match courier.found(sequence, size, time) {
            Deed::Send => {
                let Some(session) = &self.session else { return Some(Event::Woken) };
                let tag = usize::try_from(sequence).unwrap_or(usize::MAX);
                let sent = self.addresser.send(&**session, &stored.frame, tag);
                if let Err(verdict) = sent {
                    self.measures.retry(verdict);
                }
                Event::Sent(sent)
            }
            Deed::SetAside => {
                let added = dead.add(&stored, clock.wall());
                match &added {
                    Ok(()) => {
                        tracing::error!(sequence, size, "too large for Kafka: set aside");
                        self.measures.set_aside();
                    }
                    Err(error) => tracing::error!(%error, "a dead letter could not be kept"),
                }
                Event::SetAside(added.is_ok())
            }
            Deed::Leave => Event::Woken,
        })
    }

    fn open(&mut self) -> bool {
        self.reports = Reports::default();
        // What the window holds, and room for the last frame.
        let queue = self.of.config.window.saturating_mul(2);
        match self.of.publish.open(Manner::Bulk { queue }, self.reports.hear()) {
            Ok(session) => {
                self.session = Some(session);
                self.measures.sessions.inc();
                true
            }
            Err(error) => {
                self.health.trouble(&error.to_string(), Verdict::Retry(Reason::Authentication));
                false
            }
        }
    }

    /// Tells the courier what the session told; false when nothing was.
    fn hear(&mut self, courier: &mut Courier) -> bool {
        let Some(pile) = self.reports.take() else { return false };
        let (now, wall) = (self.of.clock.now(), self.of.clock.wall());
        let mut acknowledged = 0;
        for (sequence, outcome) in pile.settled {
            if let Err(verdict) = outcome {
                self.measures.retry(verdict);
                self.health.trouble("a record was refused", verdict);
            }
            if let Some(time) = courier.report(sequence, outcome, now) {
                acknowledged += 1;
                self.measures.seconds.observe(time.until(wall).as_secs_f64());
            }
        }
        if acknowledged > 0 {
            self.measures.acknowledged.inc_by(acknowledged);
            self.health.acknowledged(now);
        }
        if pile.is_reachable {
            self.health.reachable(courier.window().is_empty());
        }
        for (told, verdict) in pile.unreachable {
            self.health.trouble(&told, verdict);
            courier.trouble(verdict, now);
        }
        pile.batches.into_iter().for_each(|batches| self.measures.batched(batches));
        true
    }

    fn sync(&self, directory: &mut Directory, position: u64) -> bool {
        match directory.cursor.advance(position) {
            Ok(()) => {
                if directory.id == self.of.journal.directory() {
                    self.of.journal.acknowledged(position);
                }
                true
            }
            Err(error) => {
                tracing::warn!(%error, directory = %directory.id, "the cursor stays where it was");
                false
            }
        }
    }

    /// Waits for reports, until a time, or for frames from a sequence on; and never so long that
    /// the rest is not looked after.
    async fn wait(&mut self, until: Option<Instant>, frames: Option<u64>) {
        let now = self.of.clock.now();
        let deadline = *self.ending.borrow();
        let until = [until, deadline].into_iter().flatten().min();
        let longest = until.map_or(LOOK_EVERY, |until| until.saturating_duration_since(now));
        let (journal, linger) = (&self.of.journal, self.of.linger);
        let frames = async {
            match frames {
                Some(from) => {
                    // One look for many batches of the journal.
                    tokio::time::sleep(linger).await;
                    journal.durable_past(from).await;
                }
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = self.reports.told() => {}
            () = frames => {}
            () = tokio::time::sleep(longest.min(LOOK_EVERY)) => {}
            _ = self.ending.changed() => {}
        }
    }

    /// Says when to finish, once the end has begun.
    fn heed_ending(&self, courier: &mut Courier) {
        if let Some(deadline) = *self.ending.borrow() {
            let is_over = deadline <= self.of.clock.now();
            courier.leave(if is_over { Leave::Now } else { Leave::Settled });
        }
    }

    /// Tells how far everything is, and looks for directories that have become free.
    fn look_around(&mut self, courier: &mut Courier, directory: &Directory) {
        let now = self.of.clock.now();
        let window = courier.window();
        let (in_flight, oldest) = (window.in_flight(), window.oldest());
        let skipped = courier.damaged() + directory.place.skipped();
        self.health.look(in_flight, now);
        self.measures.stand(|standing| {
            (standing.in_flight, standing.oldest) = (in_flight as u64, oldest);
            standing.skipped = skipped;
        });
        let is_own = directory.id == self.of.journal.directory();
        if is_own {
            self.stand_at(directory);
        }
        if is_own && courier.leaves() == Leave::Never && now >= self.looked + ADOPT_EVERY {
            self.looked = now;
            if let Err(error) = self.of.journal.adopt() {
                tracing::warn!(%error, "the journal's folder could not be looked at");
            }
            if self.has_adopted() {
                courier.leave(Leave::Read);
            }
        }
    }

    /// Tells how far our own directory is.
    fn stand_at(&self, own: &Directory) {
        let cursor = own.cursor.position();
        let head = self.of.journal.durable().max(cursor);
        let dead = own.dead.count_before(cursor);
        self.measures.stand(|standing| {
            (standing.head, standing.cursor, standing.dead) = (head - 1, cursor - 1, dead);
        });
    }

    fn has_adopted(&self) -> bool {
        self.of.journal.adopted().iter().any(|(id, _)| !self.finished.contains(id))
    }

    /// The oldest adopted directory that is not shipped.
    fn next_adopted(&mut self) -> Option<Directory> {
        loop {
            let adopted = self.of.journal.adopted();
            let mut left = adopted.iter().filter(|(id, _)| !self.finished.contains(id));
            let next = left.next().map(|(id, _)| *id);
            let count = left.count() as u64 + u64::from(next.is_some());
            self.measures.stand(|standing| standing.adopted = count);
            match Directory::open(&self.of, next?) {
                Ok(directory) => {
                    tracing::info!(directory = %directory.id, "shipping an adopted directory");
                    return Some(directory);
                }
                Err(error) => {
                    tracing::error!(%error, "an adopted directory cannot be shipped: it is kept");
                    self.finished.extend(next);
                }
            }
        }
    }

    /// An adopted directory has nothing left; `end` is the sequence behind its last frame.
    fn finish(&mut self, directory: &Directory, end: u64) {
        self.finished.insert(directory.id);
        if directory.cursor.position() < end {
            tracing::warn!(directory = %directory.id, "kept an adopted directory: its cursor is not on disk");
            return;
        }
        if let Err(error) = self.of.journal.discard(directory.id) {
            tracing::warn!(%error, directory = %directory.id, "kept an adopted directory");
        }
    }
}

/// How often the rest is looked after at least.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// How often directories that have become free are looked for.
const ADOPT_EVERY: Duration = Duration::from_secs(5);
