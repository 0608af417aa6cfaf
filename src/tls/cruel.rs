//! A store that fails when it shall, around the real one.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tempfile::TempDir;

use crate::clock::{SystemClock, Timestamp};
use crate::disk::SystemDisk;
use crate::drain::Drain;
use crate::metrics::Metrics;
use crate::store::{
    Change, Config, Draw, Kind, Lane, LocalStore, Page, Pending, PutError, SealKey, SealedFile,
    Store, StoreError, Stored, Taken, Working,
};

/// The store under test.
#[derive(Debug)]
pub(super) struct CruelStore {
    inner: LocalStore,
    pub(super) folder: TempDir,
    /// Whether every call fails.
    pub(super) fails: AtomicBool,
}

impl CruelStore {
    pub(super) fn open() -> Arc<Self> {
        let folder = tempfile::tempdir().unwrap();
        let config = Config { file: folder.path().join("store.redb"), ..Config::default() };
        let (clock, metrics) = (Arc::new(SystemClock), Metrics::new());
        let key = seal_key(folder.path());
        let inner = LocalStore::open(&config, key, clock, &metrics, &Drain::new()).unwrap();
        Arc::new(Self { inner, folder, fails: AtomicBool::new(false) })
    }

    /// Where an earlier version kept the keys of tickets.
    pub(super) fn earlier(&self) -> SealedFile {
        let (path, disk) = (self.folder.path().join("tickets"), Arc::new(SystemDisk));
        SealedFile { path, purpose: "tickets", key: seal_key(self.folder.path()), disk }
    }

    fn refused<T>(&self) -> Option<Working<'_, T>> {
        let fails = self.fails.load(Ordering::SeqCst);
        let error = || StoreError::Unavailable("as it shall".to_owned());
        fails.then(|| Box::pin(async move { Err(error()) }) as Working<'_, T>)
    }
}

fn seal_key(folder: &Path) -> SealKey {
    SealKey::load_or_make(&SystemDisk, &folder.join("seal.key")).unwrap()
}

impl Drop for CruelStore {
    fn drop(&mut self) {
        self.inner.close();
    }
}

impl Store for CruelStore {
    fn get(&self, kind: Kind, name: &str) -> Working<'_, Option<Stored>> {
        self.refused().unwrap_or_else(|| self.inner.get(kind, name))
    }

    fn put(&self, changes: Vec<Change>) -> Working<'_, Vec<Result<u64, PutError>>> {
        self.refused().unwrap_or_else(|| self.inner.put(changes))
    }

    fn claim(
        &self,
        kind: Kind,
        lane: Lane,
        now: Timestamp,
        lease: Duration,
        limit: usize,
    ) -> Working<'_, Vec<Stored>> {
        self.refused().unwrap_or_else(|| self.inner.claim(kind, lane, now, lease, limit))
    }

    fn next_due(&self, kind: Kind, lane: Lane) -> Working<'_, Option<Timestamp>> {
        self.inner.next_due(kind, lane)
    }

    fn due(&self, kind: Kind, lane: Lane, now: Timestamp, limit: usize) -> Working<'_, usize> {
        self.inner.due(kind, lane, now, limit)
    }

    fn take(&self, budget: &str, draw: Draw, now: Timestamp) -> Working<'_, Taken> {
        self.inner.take(budget, draw, now)
    }

    fn page(&self, kind: Kind, after: &str, limit: usize) -> Working<'_, Page> {
        self.inner.page(kind, after, limit)
    }

    fn counts(&self, kind: Kind) -> Working<'_, BTreeMap<u8, u64>> {
        self.inner.counts(kind)
    }

    fn pending(&self, after: [u8; 16], limit: usize) -> Working<'_, Vec<Pending>> {
        self.inner.pending(after, limit)
    }

    fn settle(&self, ids: Vec<[u8; 16]>) -> Working<'_, ()> {
        self.inner.settle(ids)
    }
}
