//! The one thread that changes the file.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Duration;

use redb::{Database, DatabaseError, StorageError};
use tokio::sync::{oneshot, watch};

use super::contract::{Change, Draw, Lane, PutError, StoreError, Stored, Taken};
use super::measures::REASON;
use super::tables::{self, FORMAT, Fault, Tables, Tools};
use super::{Config, Kind};
use crate::clock::{Clock, Timestamp};

/// Whether the file can be used.
#[derive(Clone, Debug)]
pub(super) enum Access {
    /// Another process still holds it, or it is being opened.
    Opening,
    /// It is open.
    Open(Arc<Database>),
    /// It cannot be used now: why. It is tried again.
    Failed(String),
    /// It was let go of.
    Closed,
}

/// A call that changes something, with where its answer goes.
pub(super) enum Job {
    Put(Vec<Change>, Answer<Vec<Result<u64, PutError>>>),
    Claim {
        queue: (Kind, Lane),
        now: Timestamp,
        lease: Duration,
        limit: usize,
        to: Answer<Vec<Stored>>,
    },
    Take {
        budget: String,
        draw: Draw,
        now: Timestamp,
        to: Answer<Taken>,
    },
    Settle(Vec<[u8; 16]>, Answer<()>),
    Close,
}

pub(super) type Answer<T> = oneshot::Sender<Result<T, StoreError>>;

/// Sends the answer of a job once its transaction is durable, or why it is not.
type Told = Box<dyn FnOnce(Result<(), StoreError>)>;

/// The thread's state.
pub(super) struct Writer {
    pub(super) config: Config,
    pub(super) tools: Tools,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) jobs: Receiver<Job>,
    pub(super) access: watch::Sender<Access>,
}

impl Writer {
    /// Opens the file, then makes changes until told to close. A file that fails is opened anew.
    pub(super) fn run(self) {
        let mut has_failed = false;
        loop {
            let Some(database) = self.open(has_failed) else { break };
            let is_closed = self.change(&database);
            has_failed = !is_closed;
            self.access.send_replace(if is_closed {
                Access::Closed
            } else {
                Access::Failed("it failed and is opened anew".to_owned())
            });
            self.let_go(database);
            if is_closed {
                break;
            }
        }
        self.access.send_replace(Access::Closed);
        // Whoever asks from now on is told so.
        for job in self.jobs.try_iter() {
            job.refuse(&StoreError::Closed);
        }
    }

    /// Opens the file, however long that takes; `None` when told to close meanwhile. After a
    /// change that failed the store is well again once one succeeds, not when it can be read.
    fn open(&self, has_failed: bool) -> Option<Arc<Database>> {
        let deadline = self.clock.now() + self.config.wait;
        let mut told = String::new();
        loop {
            let tried =
                catch_unwind(AssertUnwindSafe(|| open(&self.config.file, self.config.cache)));
            let (reason, is_locked) = match tried {
                Ok(Ok(database)) => {
                    let database = Arc::new(database);
                    if !has_failed {
                        self.tools.measures.degraded.end(REASON);
                    }
                    self.access.send_replace(Access::Open(Arc::clone(&database)));
                    return Some(database);
                }
                Ok(Err(Fault::DatabaseAlreadyOpen)) => {
                    ("another process holds the file".to_owned(), true)
                }
                Ok(Err(error)) => (error.to_string(), false),
                Err(_) => ("the file is damaged".to_owned(), false),
            };
            if !is_locked || self.clock.now() >= deadline {
                self.tools.measures.degraded.begin(REASON);
                if reason != told {
                    let file = self.config.file.display();
                    tracing::error!(%file, reason, "the store cannot be opened: tried again");
                    told.clone_from(&reason);
                }
                self.access.send_replace(Access::Failed(reason));
            }
            let pause = if is_locked { LOCKED_PAUSE } else { FAILED_PAUSE };
            match self.jobs.recv_timeout(pause) {
                Ok(Job::Close) | Err(RecvTimeoutError::Disconnected) => return None,
                Ok(job) => job.refuse(&self.unavailable()),
                Err(RecvTimeoutError::Timeout) => {}
            }
        }
    }

    /// Makes changes; true when told to close, false when the file failed.
    fn change(&self, database: &Database) -> bool {
        while let Ok(job) = self.jobs.recv() {
            let mut batch = vec![job];
            let mut size = batch[0].size();
            while size < BATCH
                && let Ok(job) = self.jobs.try_recv()
            {
                size += job.size();
                batch.push(job);
            }
            let closes = batch.iter().any(|job| matches!(job, Job::Close));
            let begun = self.clock.now();
            let made = catch_unwind(AssertUnwindSafe(|| self.transact(database, batch)));
            let took = self.clock.now().saturating_duration_since(begun);
            self.tools.measures.commit_seconds.observe(took.as_secs_f64());
            self.tools.measures.weigh(database);
            if !made.unwrap_or(false) {
                self.tools.measures.failures.inc();
                self.tools.measures.degraded.begin(REASON);
                return false;
            }
            if closes {
                return true;
            }
        }
        true
    }

    /// Makes all changes of a batch in one transaction; false when it failed.
    fn transact(&self, database: &Database, batch: Vec<Job>) -> bool {
        let mut told = Vec::new();
        let made = self.make(database, batch, &mut told);
        match &made {
            Ok(()) => self.tools.measures.degraded.end(REASON),
            Err(fault) => {
                tracing::error!(%fault, "a transaction of the store failed");
                self.tools.measures.degraded.begin(REASON);
            }
        }
        let result = match &made {
            Ok(()) => Ok(()),
            Err(fault) => Err(StoreError::Unavailable(fault.to_string())),
        };
        for tell in told {
            tell(result.clone());
        }
        made.is_ok()
    }

    fn make(
        &self,
        database: &Database,
        batch: Vec<Job>,
        told: &mut Vec<Told>,
    ) -> Result<(), Fault> {
        let mut transaction = database.begin_write()?;
        transaction.set_quick_repair(true);
        let mut tables = Tables::open(&transaction, &self.tools)?;
        let mut failed = Ok(());
        for job in batch {
            // After a fault the others are only told of it.
            let made = if failed.is_ok() { job.make(&mut tables, told) } else { job.skip(told) };
            if failed.is_ok() {
                failed = made;
            }
        }
        failed?;
        tables.finish()?;
        transaction.commit()?;
        Ok(())
    }

    /// Waits for readers to end, so that the lock is free when this returns.
    fn let_go(&self, database: Arc<Database>) {
        let mut database = database;
        for _ in 0..LET_GO_TRIES {
            match Arc::try_unwrap(database) {
                Ok(whole) => {
                    if let Err(error) = whole.close() {
                        tracing::warn!(%error, "the store was not closed in order");
                    }
                    return;
                }
                Err(shared) => database = shared,
            }
            std::thread::sleep(LOCKED_PAUSE / 10);
        }
        tracing::warn!("a reader outlasts the store");
    }

    fn unavailable(&self) -> StoreError {
        match &*self.access.borrow() {
            Access::Failed(reason) => StoreError::Unavailable(reason.clone()),
            Access::Closed => StoreError::Closed,
            Access::Opening | Access::Open(_) => {
                StoreError::Unavailable("another process holds the file".to_owned())
            }
        }
    }
}

impl Job {
    /// How many records it changes.
    fn size(&self) -> usize {
        match self {
            Self::Put(changes, _) => changes.len(),
            Self::Claim { limit, .. } => *limit,
            Self::Settle(ids, _) => ids.len(),
            Self::Take { .. } | Self::Close => 1,
        }
    }

    fn make(self, tables: &mut Tables<'_>, told: &mut Vec<Told>) -> Result<(), Fault> {
        match self {
            Self::Put(changes, to) => {
                let made: Result<Vec<_>, _> =
                    changes.iter().map(|change| tables.change(change)).collect();
                answer(made, to, told)
            }
            Self::Claim { queue, now, lease, limit, to } => {
                answer(tables.claim(queue, now, lease, limit), to, told)
            }
            Self::Take { budget, draw, now, to } => {
                answer(tables.take(&budget, draw, now), to, told)
            }
            Self::Settle(ids, to) => answer(tables.settle(&ids), to, told),
            Self::Close => Ok(()),
        }
    }

    fn skip(self, told: &mut Vec<Told>) -> Result<(), Fault> {
        match self {
            Self::Put(_, to) => promise(to, told),
            Self::Claim { to, .. } => promise(to, told),
            Self::Take { to, .. } => promise(to, told),
            Self::Settle(_, to) => promise(to, told),
            Self::Close => {}
        }
        Ok(())
    }

    /// Answers that nothing was done.
    fn refuse(self, error: &StoreError) {
        let error = error.clone();
        // Who no longer waits need not be told.
        match self {
            Self::Put(_, to) => drop(to.send(Err(error))),
            Self::Claim { to, .. } => drop(to.send(Err(error))),
            Self::Take { to, .. } => drop(to.send(Err(error))),
            Self::Settle(_, to) => drop(to.send(Err(error))),
            Self::Close => {}
        }
    }
}

/// Keeps an answer until the transaction is durable.
fn answer<T: 'static>(
    made: Result<T, Fault>,
    to: Answer<T>,
    told: &mut Vec<Told>,
) -> Result<(), Fault> {
    match made {
        Ok(value) => {
            told.push(Box::new(move |result| drop(to.send(result.map(|()| value)))));
            Ok(())
        }
        Err(fault) => {
            promise(to, told);
            Err(fault)
        }
    }
}

/// Keeps who waits until the failure is known.
fn promise<T: 'static>(to: Answer<T>, told: &mut Vec<Told>) {
    told.push(Box::new(move |result| {
        if let Err(error) = result {
            drop(to.send(Err(error)));
        }
    }));
}

fn open(file: &PathBuf, cache: usize) -> Result<Database, Fault> {
    let opened = Database::builder().set_cache_size(cache).create(file);
    let database = opened.map_err(|error| match error {
        DatabaseError::DatabaseAlreadyOpen => Fault::DatabaseAlreadyOpen,
        error => error.into(),
    })?;
    let format = tables::prepare(&database)?;
    if !matches!(format, 0 | FORMAT) {
        let told = format!("its format is {format}, and this version reads {FORMAT}");
        return Err(StorageError::Io(io::Error::other(told)).into());
    }
    Ok(database)
}

/// Changes in one transaction: more would let who came first wait long.
const BATCH: usize = 10_000;
const LOCKED_PAUSE: Duration = Duration::from_millis(50);
const FAILED_PAUSE: Duration = Duration::from_secs(1);
const LET_GO_TRIES: usize = 1_000;
