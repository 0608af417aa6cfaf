//! The store in one file of this machine.

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::sync::Arc;
use std::sync::mpsc::{SyncSender, TrySendError, sync_channel};
use std::time::Duration;

use redb::{Database, ReadTransaction, ReadableDatabase};
use thiserror::Error;
use tokio::sync::{Semaphore, oneshot, watch};

use super::contract::{
    Change, Draw, Item, Lane, Page, PutError, Store, StoreError, Stored, Taken, Working,
};
use super::measures::Measures;
use super::tables::{self, Fault, Tools};
use super::writer::{Access, Answer, Job, Writer};
use super::{Config, Kind, Pending, SealKey};
use crate::clock::{Clock, Timestamp};
use crate::drain::Drain;
use crate::metrics::Metrics;

/// The store in one file of this machine, which one process at a time holds. Cloning shares it.
#[derive(Clone)]
pub struct LocalStore {
    inner: Arc<Inner>,
}

struct Inner {
    config: Config,
    tools: Tools,
    jobs: SyncSender<Job>,
    access: watch::Receiver<Access>,
    /// Reads at a time: a disk that hangs must not take a thread for each.
    room: Arc<Semaphore>,
}

/// Why the store's thread could not be started: the machine's fault.
#[derive(Debug, Error)]
#[error("the store's thread could not be started: {0}")]
pub struct OpenError(#[from] io::Error);

impl LocalStore {
    /// Starts the store's thread in `drain`; it ends after [`LocalStore::close`]. The file is
    /// opened there: calls wait for it, within their time.
    pub fn open(
        config: &Config,
        key: SealKey,
        clock: Arc<dyn Clock>,
        metrics: &Metrics,
        drain: &Drain,
    ) -> Result<Self, OpenError> {
        let tools = Tools { key, measures: Measures::new(metrics) };
        let (jobs, waiting) = sync_channel(WAITING);
        let (told, access) = watch::channel(Access::Opening);
        let writer = Writer {
            config: config.clone(),
            tools: tools.clone(),
            clock,
            jobs: waiting,
            access: told,
        };
        drain.thread("store-writer", move || writer.run())?;
        let room = Arc::new(Semaphore::new(READERS));
        let config = config.clone();
        Ok(Self { inner: Arc::new(Inner { config, tools, jobs, access, room }) })
    }

    /// Lets go of the file once what waits is done; every later call fails.
    pub fn close(&self) {
        // A full queue ends when its sender does; one that is gone has let go already.
        if let Err(TrySendError::Full(job)) = self.inner.jobs.try_send(Job::Close) {
            let told = self.inner.jobs.send(job);
            tracing::debug!(?told, "the store was busy while it was closed");
        }
    }

    /// Waits until the file is let go of.
    pub async fn closed(&self) {
        let mut access = self.inner.access.clone();
        // The thread that told is gone: so is its hold on the file.
        access.wait_for(|access| matches!(access, Access::Closed)).await.ok();
    }

    /// Waits until the file is open; why not, when it cannot be.
    pub async fn opened(&self) -> Result<(), StoreError> {
        self.inner.database().await.map(|_| ())
    }

    pub(super) fn tools(&self) -> &Tools {
        &self.inner.tools
    }

    /// Sends a job and waits for its answer.
    async fn change<T>(&self, job: impl FnOnce(Answer<T>) -> Job) -> Result<T, StoreError> {
        let inner = &self.inner;
        let work = async {
            inner.database().await?;
            let (to, answered) = oneshot::channel();
            inner.jobs.try_send(job(to)).map_err(|error| match error {
                TrySendError::Full(_) => StoreError::Busy,
                TrySendError::Disconnected(_) => StoreError::Closed,
            })?;
            // A thread that ended by a panic answers nothing.
            answered.await.unwrap_or(Err(StoreError::Closed))
        };
        tokio::time::timeout(inner.config.timeout, work).await.unwrap_or(Err(StoreError::TimedOut))
    }

    /// Reads beside the runtime.
    pub(super) async fn read<T: Send + 'static>(
        &self,
        read: impl FnOnce(&ReadTransaction, &Tools) -> Result<T, Fault> + Send + 'static,
    ) -> Result<T, StoreError> {
        let inner = &self.inner;
        let work = async {
            let database = inner.database().await?;
            // Never closed.
            let place = Arc::clone(&inner.room).acquire_owned().await.ok();
            let tools = inner.tools.clone();
            let reading = tokio::task::spawn_blocking(move || {
                let _place = place;
                let transaction = database.begin_read().map_err(Fault::from)?;
                let found = read(&transaction, &tools);
                tools.measures.weigh(&database);
                found
            });
            match reading.await {
                Ok(read) => read.map_err(|fault| StoreError::Unavailable(fault.to_string())),
                Err(_) => Err(StoreError::Unavailable("a reading ended by a panic".to_owned())),
            }
        };
        tokio::time::timeout(inner.config.timeout, work).await.unwrap_or(Err(StoreError::TimedOut))
    }
}

impl Inner {
    /// The open file; waits for it while it is being opened.
    async fn database(&self) -> Result<Arc<Database>, StoreError> {
        let mut access = self.access.clone();
        let ready = access.wait_for(|access| !matches!(access, Access::Opening)).await;
        match ready.as_deref() {
            Ok(Access::Open(database)) => Ok(Arc::clone(database)),
            Ok(Access::Failed(reason)) => Err(StoreError::Unavailable(reason.clone())),
            _ => Err(StoreError::Closed),
        }
    }
}

impl Store for LocalStore {
    fn get(&self, kind: Kind, name: &str) -> Working<'_, Option<Stored>> {
        let name = name.to_owned();
        Box::pin(async move {
            let asked = name.clone();
            let found =
                self.read(move |transaction, tools| tables::get(transaction, tools, kind, &asked));
            match found.await? {
                None => Ok(None),
                Some(Item::Record(stored)) => Ok(Some(stored)),
                Some(Item::Damaged(name)) => Err(StoreError::Damaged { kind, name }),
            }
        })
    }

    fn put(&self, changes: Vec<Change>) -> Working<'_, Vec<Result<u64, PutError>>> {
        Box::pin(self.change(|to| Job::Put(changes, to)))
    }

    fn claim(
        &self,
        kind: Kind,
        lane: Lane,
        now: Timestamp,
        lease: Duration,
        limit: usize,
    ) -> Working<'_, Vec<Stored>> {
        let queue = (kind, lane);
        Box::pin(self.change(move |to| Job::Claim { queue, now, lease, limit, to }))
    }

    fn next_due(&self, kind: Kind, lane: Lane) -> Working<'_, Option<Timestamp>> {
        Box::pin(self.read(move |transaction, _| tables::next_due(transaction, (kind, lane))))
    }

    fn due(&self, kind: Kind, lane: Lane, now: Timestamp, limit: usize) -> Working<'_, usize> {
        Box::pin(
            self.read(move |transaction, _| tables::due(transaction, (kind, lane), now, limit)),
        )
    }

    fn take(&self, budget: &str, draw: Draw, now: Timestamp) -> Working<'_, Taken> {
        let budget = budget.to_owned();
        Box::pin(self.change(move |to| Job::Take { budget, draw, now, to }))
    }

    fn page(&self, kind: Kind, after: &str, limit: usize) -> Working<'_, Page> {
        let after = after.to_owned();
        Box::pin(
            self.read(move |transaction, tools| {
                tables::page(transaction, tools, kind, &after, limit)
            }),
        )
    }

    fn counts(&self, kind: Kind) -> Working<'_, BTreeMap<u8, u64>> {
        Box::pin(self.read(move |transaction, _| tables::counts(transaction, kind)))
    }

    fn pending(&self, after: [u8; 16], limit: usize) -> Working<'_, Vec<Pending>> {
        Box::pin(
            self.read(move |transaction, tools| tables::pending(transaction, tools, after, limit)),
        )
    }

    fn settle(&self, ids: Vec<[u8; 16]>) -> Working<'_, ()> {
        Box::pin(self.change(|to| Job::Settle(ids, to)))
    }
}

impl fmt::Debug for LocalStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LocalStore").field("file", &self.inner.config.file).finish_non_exhaustive()
    }
}

/// Changes that may wait for the thread.
const WAITING: usize = 1_024;
const READERS: usize = 16;
