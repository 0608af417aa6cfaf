//! The journal as one thing: opened, appended to, read, closed.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc;

use thiserror::Error;

use super::adopted::Adopted;
use super::config::Config;
use super::crew::Crew;
use super::directory::{self, DirectoryId, Held};
use super::driver::{Driver, Spare};
use super::keeper::Keeper;
use super::measures::Measures;
use super::queue::Queue;
use super::reader::Reader;
use super::retention::Steady;
use super::salvage::Salvage;
use super::segment;
use super::sweeper::Sweeper;
use super::writer::{Action, Event, Settings, Writer};
use super::{Appender, Cursor, Intake};
use crate::clock::Clock;
use crate::disk::{Access, Disk};
use crate::drain::Drain;
use crate::metrics::{Account, Degraded, Metrics};

/// The journal of this process.
#[derive(Debug)]
pub struct Journal {
    disk: Arc<dyn Disk>,
    queue: Arc<Queue>,
    directory: DirectoryId,
    folder: PathBuf,
    path: PathBuf,
    adopted: Adopted,
    needed: Arc<AtomicU64>,
}

/// Why the journal could not be opened: the operator's to mend.
#[derive(Debug, Error)]
#[error("the journal in {} could not be opened: {source}", folder.display())]
pub struct OpenError {
    folder: PathBuf,
    source: io::Error,
}

impl OpenError {
    /// Whether the settings name a folder that cannot be one of ours, so that trying again is no
    /// help. Everything else is the disk's, and may pass.
    pub fn is_lasting(&self) -> bool {
        use io::ErrorKind::{AlreadyExists, InvalidInput, NotADirectory, PermissionDenied};
        let kind = self.source.kind();
        matches!(kind, AlreadyExists | InvalidInput | NotADirectory | PermissionDenied)
    }
}

impl Journal {
    /// Takes the newest free directory, or a new one, recovers it and starts the journal's
    /// threads in `drain`. They end after [`Journal::close`].
    pub fn open(
        config: &Config,
        disk: Arc<dyn Disk>,
        clock: Arc<dyn Clock>,
        metrics: &Metrics,
        drain: &Drain,
    ) -> Result<Self, OpenError> {
        Self::open_behind(&Intake::new(config, metrics), config, disk, clock, metrics, drain)
    }

    /// As [`Journal::open`], behind what frames were given to before: from now on it takes them.
    pub fn open_behind(
        intake: &Intake,
        config: &Config,
        disk: Arc<dyn Disk>,
        clock: Arc<dyn Clock>,
        metrics: &Metrics,
        drain: &Drain,
    ) -> Result<Self, OpenError> {
        let (journal, crew) = Self::behind(intake, config, disk, clock, metrics)?;
        let folder = config.directory.clone();
        crew.start(drain).map_err(|source| OpenError { folder, source })?;
        journal.queue.open();
        Ok(journal)
    }

    /// As [`Journal::open`], but starts no thread: nothing is written but by the crew's turns.
    pub fn at_rest(
        config: &Config,
        disk: Arc<dyn Disk>,
        clock: Arc<dyn Clock>,
        metrics: &Metrics,
    ) -> Result<(Self, Crew), OpenError> {
        let (journal, crew) =
            Self::behind(&Intake::new(config, metrics), config, disk, clock, metrics)?;
        journal.queue.open();
        Ok((journal, crew))
    }

    fn behind(
        intake: &Intake,
        config: &Config,
        disk: Arc<dyn Disk>,
        clock: Arc<dyn Clock>,
        metrics: &Metrics,
    ) -> Result<(Self, Crew), OpenError> {
        let folder = config.directory.clone();
        let wrong = |source| OpenError { folder: folder.clone(), source };
        let (own, adopted) = directory::hold(&*disk, &folder, clock.wall()).map_err(wrong)?;
        let cursor = Cursor::open(Arc::clone(&disk), &own.path, own.id).map_err(wrong)?;
        if cursor.is_damaged() {
            let directory = own.id;
            tracing::warn!(%directory, "the journal's cursor is damaged: starting over");
        }
        let cursor = cursor.position();
        let salvage = Salvage::read(&*disk, &own, config.segment, cursor).map_err(wrong)?;
        let measures = intake.measures().clone();
        measures.damaged.inc_by(salvage.plan.damaged);
        let plan = &salvage.plan;
        let durable = plan.repeat.map_or(plan.next_sequence, |repeat| repeat.from);
        let queue = Arc::clone(intake.queue());
        queue.place(plan.next_sequence, durable);
        let journal = Self {
            disk,
            queue,
            directory: own.id,
            folder: folder.clone(),
            path: own.path.clone(),
            adopted: Adopted::new(adopted),
            needed: Arc::new(AtomicU64::new(cursor)),
        };
        let world = (clock, measures, metrics.degraded.clone());
        let crew = journal.crew(config, own, salvage, world).map_err(wrong)?;
        Ok((journal, crew))
    }

    /// An appender for one thread; `account` is told of its durable frames.
    pub fn appender(&self, account: Account) -> Appender {
        Appender::new(Arc::clone(&self.queue), account)
    }

    /// A reader of this process's directory from a sequence on, below the durable position.
    pub fn reader(&self, from: u64) -> Reader {
        let queue = Arc::clone(&self.queue);
        let limit = Box::new(move || queue.durable());
        Reader::new(Arc::clone(&self.disk), self.directory, &self.path, from, Some(limit))
    }

    /// Resolves when more has become durable than `position`; at once when it has.
    pub async fn durable_past(&self, position: u64) {
        loop {
            let published = self.queue.published.notified();
            if self.queue.durable() > position {
                return;
            }
            published.await;
        }
    }

    /// Says that everything before `sequence` of our directory has been acknowledged further on.
    /// Of adopted ones, their cursors tell.
    pub fn acknowledged(&self, sequence: u64) {
        self.needed.fetch_max(sequence, Ordering::AcqRel);
    }

    /// Adopts the directories of processes that have ended since. Blocks.
    pub fn adopt(&self) -> io::Result<()> {
        self.adopted.look(&*self.disk, &self.folder, self.directory)
    }

    /// Deletes an adopted directory, all of which has been acknowledged further on. Blocks.
    pub fn discard(&self, directory: DirectoryId) -> io::Result<()> {
        self.adopted.discard(&*self.disk, directory)
    }

    /// Takes nothing more. What was taken is still made durable; then the threads end.
    pub fn close(&self) {
        self.queue.close();
    }

    /// Takes nothing more, and gives up what a failing disk does not take.
    pub fn abandon(&self) {
        self.queue.abandon();
    }

    /// The directory that this process writes.
    pub fn directory(&self) -> DirectoryId {
        self.directory
    }

    /// The first sequence that is not durable yet.
    pub fn durable(&self) -> u64 {
        self.queue.durable()
    }

    /// The sequence that the next frame gets.
    pub fn next_sequence(&self) -> u64 {
        self.queue.level().0
    }

    /// Bytes that wait for the disk.
    pub fn waiting(&self) -> usize {
        self.queue.level().1
    }

    /// Its path.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The directories of processes that are gone and that we hold, oldest first.
    pub fn adopted(&self) -> Vec<(DirectoryId, PathBuf)> {
        self.adopted.list()
    }

    /// The writer's and the keeper's hands.
    fn crew(
        &self,
        config: &Config,
        own: Held,
        Salvage { plan, batch, refused }: Salvage,
        (clock, measures, degraded): (Arc<dyn Clock>, Measures, Degraded),
    ) -> io::Result<Crew> {
        let (wanted, asked) = mpsc::channel();
        let (ready, prepared) = mpsc::channel();
        let first = match plan.spare {
            Some(spare) => {
                let path = segment::path(&own.path, spare);
                let file = self.disk.open(&path, Access::Write);
                ready.send((spare, file)).map_err(io::Error::other)?;
                spare
            }
            None => {
                // Asked for now, so that the first click does not wait for it.
                wanted.send(plan.next_number).map_err(io::Error::other)?;
                plan.next_number
            }
        };
        let sweeper = Sweeper {
            disk: Arc::clone(&self.disk),
            clock: Arc::clone(&clock),
            config: config.clone(),
            own: (own.id, own.path.clone()),
            adopted: self.adopted.clone(),
            queue: Arc::clone(&self.queue),
            needed: Arc::clone(&self.needed),
            measures: measures.clone(),
            refused,
            steady: Steady::new(clock.now(), clock.wall()),
            found: BTreeMap::new(),
            repeated: BTreeMap::new(),
            told: BTreeSet::new(),
            trimmed: BTreeSet::new(),
        };
        let keeper = Keeper {
            wanted: asked,
            ready,
            asked: first,
            unfinished: plan.repeat.map_or(first, |repeat| repeat.number),
            start: plan.next_sequence,
            sweeper,
        };
        let Config { segment, sync, retry, .. } = *config;
        let settings = Settings { segment, sync, retry };
        let predecessor = plan.repeat.map_or(0, |repeat| repeat.number);
        let durable = self.queue.durable();
        let mut driver = Driver {
            writer: Writer::new(settings, own.id.0, first, durable, predecessor),
            next: Action::Rest,
            start: Some(plan.next_sequence),
            queue: Arc::clone(&self.queue),
            clock,
            gather: config.gather,
            last: 0,
            sync,
            file: None,
            spare: Spare { wanted, ready: prepared, asked: first, is_ahead: false, arrived: None },
            measures,
            degraded,
            is_failing: false,
        };
        driver.step(Event::Batch(batch));
        Ok(Crew { driver, keeper, own })
    }
}
