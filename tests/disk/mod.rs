//! A disk in memory that can lose, keep or tear every write that was not synced, and refuse any
//! operation: what a power cut and a failing device do.

#![allow(dead_code, reason = "each test uses the part it needs")]
#![allow(clippy::unwrap_used, reason = "a test may panic")]
#![allow(unreachable_pub, reason = "a module of tests")]

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

use waypost::disk::{Access, Disk, DiskFile, DiskLock, Entry};

/// The disk. Cloning shares it.
#[derive(Clone)]
pub struct CrashDisk {
    state: Arc<Mutex<State>>,
    history: Arc<Mutex<Vec<Moment>>>,
    /// What had been acknowledged, kept by the test.
    pub acknowledged: Arc<AtomicU64>,
}

/// The disk after one step, and what had been acknowledged before it.
#[derive(Clone)]
pub struct Moment {
    state: State,
    pub acknowledged: u64,
}

#[derive(Clone, Default)]
struct State {
    /// What a process sees: names and the files behind them.
    names: BTreeMap<PathBuf, usize>,
    directories: Vec<PathBuf>,
    files: Vec<Content>,
    /// Names that survive a power cut.
    stable_names: BTreeMap<PathBuf, usize>,
    locks: Vec<PathBuf>,
    lies: Lies,
    fail: Option<Failure>,
    failures: u64,
    /// Numbers each process; files and locks of one that crashed are dead.
    era: u64,
}

#[derive(Clone, Default)]
struct Content {
    seen: Vec<u8>,
    stable: Vec<u8>,
    /// Writes since the last sync: offset and length.
    unsynced: Vec<(usize, usize)>,
    /// The length changed since the last sync.
    is_resized: bool,
}

/// What the disk pretends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Lies {
    /// `sync` says yes and does nothing.
    pub skips_sync: bool,
    /// `sync_directory` says yes and does nothing.
    pub skips_directory_sync: bool,
}

/// What becomes of one write that was not synced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    Lost,
    Kept,
    /// Only this many bytes of it arrived.
    Torn(usize),
}

/// Which operation fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// Each sync, and what was written since the last one is lost, as the page cache does.
    Sync,
    /// Each write, after half of its bytes.
    Write,
    /// Each making of a file.
    Create,
}

impl CrashDisk {
    pub fn new(lies: Lies) -> Self {
        let state = State { lies, directories: vec![PathBuf::from("/")], ..State::default() };
        Self::of(state)
    }

    /// Every moment so far at which a crash can fall.
    pub fn moments(&self) -> Vec<Moment> {
        self.history.lock().unwrap().clone()
    }

    /// The disk as a machine finds it that lost power now: each write that was not synced meets
    /// the fate that `fate` names (by its number), names that were not synced likewise.
    pub fn after_power_cut(&self, mut fate: impl FnMut(usize) -> Fate) -> Self {
        let mut state = self.lock().clone();
        state.era += 1;
        state.locks.clear();
        state.fail = None;
        let mut number = 0;
        for content in &mut state.files {
            let mut after = content.stable.clone();
            if content.is_resized {
                let fate = fate(number);
                number += 1;
                if fate != Fate::Lost {
                    after.resize(content.seen.len(), 0);
                }
            }
            for (offset, length) in content.unsynced.drain(..) {
                let count = match fate(number) {
                    Fate::Lost => 0,
                    Fate::Kept => length,
                    Fate::Torn(count) => count.min(length),
                };
                number += 1;
                let end = (offset + count).min(content.seen.len());
                if after.len() < end && count > 0 {
                    after.resize(end, 0);
                }
                if end > offset {
                    after[offset..end].copy_from_slice(&content.seen[offset..end]);
                }
            }
            content.is_resized = false;
            content.seen.clone_from(&after);
            content.stable = after;
        }
        let mut names = state.stable_names.clone();
        for (path, file) in &state.names {
            if !state.stable_names.contains_key(path) {
                if fate(number) == Fate::Kept {
                    names.insert(path.clone(), *file);
                }
                number += 1;
            }
        }
        state.names.clone_from(&names);
        state.stable_names = names;
        Self::of(state)
    }

    /// The disk as the next process finds it after this one was killed: all writes are seen.
    pub fn after_kill(&self) -> Self {
        let mut state = self.lock().clone();
        state.era += 1;
        state.locks.clear();
        state.fail = None;
        Self::of(state)
    }

    /// Makes operations fail from now on, or no more.
    pub fn fail(&self, failure: Option<Failure>) {
        let mut state = self.lock();
        state.fail = failure;
        state.failures = 0;
    }

    /// How many operations failed since [`CrashDisk::fail`].
    pub fn failures(&self) -> u64 {
        self.lock().failures
    }

    /// The bytes of a file, to be changed as damage changes them.
    pub fn damage(&self, path: &Path, change: impl FnOnce(&mut Vec<u8>)) {
        let mut state = self.lock();
        let index = state.names[path];
        let content = &mut state.files[index];
        change(&mut content.seen);
        content.stable = content.seen.clone();
    }

    pub fn paths(&self) -> Vec<PathBuf> {
        self.lock().names.keys().cloned().collect()
    }

    fn of(state: State) -> Self {
        let (history, acknowledged) = (Arc::default(), Arc::default());
        Self { state: Arc::new(Mutex::new(state)), history, acknowledged }
    }

    fn remember(&self) {
        let acknowledged = self.acknowledged.load(Ordering::SeqCst);
        let state = self.lock().clone();
        self.history.lock().unwrap().push(Moment { state, acknowledged });
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }
}

impl Moment {
    /// The disk as it was at this moment.
    pub fn disk(&self) -> CrashDisk {
        CrashDisk::of(self.state.clone())
    }
}

impl Disk for CrashDisk {
    fn create_directory(&self, path: &Path) -> io::Result<()> {
        let mut state = self.lock();
        for parent in path.ancestors() {
            if !state.directories.contains(&parent.to_owned()) {
                state.directories.push(parent.to_owned());
            }
        }
        Ok(())
    }

    fn sync_directory(&self, path: &Path) -> io::Result<()> {
        let mut state = self.lock();
        if state.lies.skips_directory_sync {
            return Ok(());
        }
        let inside = |name: &PathBuf| name.parent() == Some(path);
        let State { names, stable_names, .. } = &mut *state;
        stable_names.retain(|name, _| !inside(name));
        let synced = names.iter().filter(|(name, _)| inside(name));
        stable_names.extend(synced.map(|(name, file)| (name.clone(), *file)));
        drop(state);
        self.remember();
        Ok(())
    }

    fn list(&self, path: &Path) -> io::Result<Vec<Entry>> {
        let state = self.lock();
        if !state.directories.contains(&path.to_owned()) {
            return Err(io::ErrorKind::NotFound.into());
        }
        let name = |path: &Path| path.file_name().unwrap().to_str().unwrap().to_owned();
        let mut entries = Vec::new();
        for directory in state.directories.iter().filter(|d| d.parent() == Some(path)) {
            let name = name(directory);
            entries.push(Entry { name, is_directory: true, bytes: 0, modified: 0 });
        }
        for (file, index) in state.names.iter().filter(|(file, _)| file.parent() == Some(path)) {
            let bytes = state.files[*index].seen.len() as u64;
            entries.push(Entry { name: name(file), is_directory: false, bytes, modified: 0 });
        }
        entries.sort_by(|one, other| one.name.cmp(&other.name));
        Ok(entries)
    }

    fn create(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        let mut state = self.lock();
        if state.fail == Some(Failure::Create) {
            state.failures += 1;
            return Err(io::ErrorKind::StorageFull.into());
        }
        if state.names.contains_key(path) {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        state.files.push(Content::default());
        let index = state.files.len() - 1;
        state.names.insert(path.to_owned(), index);
        drop(state);
        self.remember();
        Ok(Box::new(CrashFile { disk: self.clone(), index }))
    }

    fn open(&self, path: &Path, _access: Access) -> io::Result<Box<dyn DiskFile>> {
        let state = self.lock();
        let index = *state.names.get(path).ok_or(io::ErrorKind::NotFound)?;
        Ok(Box::new(CrashFile { disk: self.clone(), index }))
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        let mut state = self.lock();
        state.names.remove(path).map(drop).ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut state = self.lock();
        let index = state.names.remove(from).ok_or(io::ErrorKind::NotFound)?;
        state.names.insert(to.to_owned(), index);
        Ok(())
    }

    fn lock(&self, path: &Path) -> io::Result<Option<DiskLock>> {
        let mut state = self.lock();
        if state.locks.contains(&path.to_owned()) {
            return Ok(None);
        }
        if !state.names.contains_key(path) {
            state.files.push(Content::default());
            let index = state.files.len() - 1;
            state.names.insert(path.to_owned(), index);
        }
        state.locks.push(path.to_owned());
        let unlock = Unlock { disk: self.clone(), path: path.to_owned(), era: state.era };
        Ok(Some(DiskLock::new(unlock)))
    }
}

impl fmt::Debug for CrashDisk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CrashDisk")
    }
}

#[derive(Debug)]
struct Unlock {
    disk: CrashDisk,
    path: PathBuf,
    era: u64,
}

impl Drop for Unlock {
    fn drop(&mut self) {
        let mut state = self.disk.lock();
        if state.era == self.era {
            let path = &self.path;
            state.locks.retain(|held| held != path);
        }
    }
}

#[derive(Debug)]
struct CrashFile {
    disk: CrashDisk,
    index: usize,
}

impl DiskFile for CrashFile {
    fn read_at(&self, into: &mut [u8], offset: u64) -> io::Result<usize> {
        let state = self.disk.lock();
        let seen = &state.files[self.index].seen;
        let rest = seen.get(offset as usize..).unwrap_or_default();
        let count = rest.len().min(into.len());
        into[..count].copy_from_slice(&rest[..count]);
        Ok(count)
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        let mut state = self.disk.lock();
        let fails = state.fail == Some(Failure::Write);
        state.failures += u64::from(fails);
        let bytes = if fails { &bytes[..bytes.len() / 2] } else { bytes };
        let content = &mut state.files[self.index];
        let end = offset as usize + bytes.len();
        if content.seen.len() < end {
            content.seen.resize(end, 0);
            content.is_resized = true;
        }
        content.seen[offset as usize..end].copy_from_slice(bytes);
        content.unsynced.push((offset as usize, bytes.len()));
        drop(state);
        self.disk.remember();
        if fails { Err(io::ErrorKind::StorageFull.into()) } else { Ok(()) }
    }

    fn sync(&self) -> io::Result<()> {
        let mut state = self.disk.lock();
        let (fails, lies) = (state.fail == Some(Failure::Sync), state.lies.skips_sync);
        state.failures += u64::from(fails);
        let content = &mut state.files[self.index];
        if fails {
            // The kernel marks the pages clean all the same: a later sync will say yes.
            content.unsynced.clear();
            return Err(io::Error::other("EIO"));
        }
        if !lies {
            content.stable.resize(content.seen.len(), 0);
            for (offset, length) in std::mem::take(&mut content.unsynced) {
                let range = offset..offset + length;
                content.stable[range.clone()].copy_from_slice(&content.seen[range]);
            }
            content.is_resized = false;
        }
        drop(state);
        self.disk.remember();
        Ok(())
    }

    fn set_length(&self, length: u64) -> io::Result<()> {
        let mut state = self.disk.lock();
        let content = &mut state.files[self.index];
        content.seen.resize(length as usize, 0);
        content.is_resized = true;
        Ok(())
    }

    fn length(&self) -> io::Result<u64> {
        Ok(self.disk.lock().files[self.index].seen.len() as u64)
    }
}
