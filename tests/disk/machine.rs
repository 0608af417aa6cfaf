//! The disk with the processes that use it, seen by the test.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};

use waypost::disk::BLOCK;

use super::content::{Content, Fate, fates, mix};
use super::names::{Names, Node};

/// The disk as one process has it. Cloning shares it.
#[derive(Clone)]
pub struct CrashDisk {
    pub(super) machine: Arc<Mutex<Machine>>,
    /// Syncs that hang.
    pub(super) hanging: Arc<Hanging>,
    pub(super) process: u64,
    /// What had been acknowledged, kept by the test.
    pub acknowledged: Arc<AtomicU64>,
}

/// The disk after one change, and what had been acknowledged before it.
#[derive(Clone)]
pub struct Moment {
    machine: Machine,
    pub acknowledged: u64,
}

#[derive(Default)]
pub(super) struct Hanging {
    /// Whether syncs hang, and how many do.
    state: Mutex<(bool, usize)>,
    changed: Condvar,
}

#[derive(Clone)]
pub(super) struct Machine {
    pub(super) names: Names,
    pub(super) files: Vec<Content>,
    /// Who holds each.
    pub(super) locks: BTreeMap<PathBuf, u64>,
    pub(super) lies: Lies,
    /// How many more calls of each kind fail.
    faults: BTreeMap<Failure, u32>,
    failures: u64,
    /// Bytes of all files; none is no bound.
    room: Option<u64>,
    /// Changes until the power fails.
    fuse: Option<u64>,
    /// The time that files are stamped with, in microseconds since 1970.
    pub(super) wall: u64,
    processes: u64,
    dead: BTreeSet<u64>,
    chance: u64,
    /// Blocks that cannot be read: the file, and where they begin.
    pub(super) spoilt: Vec<(usize, u64)>,
    history: Option<Vec<Moment>>,
}

/// What the disk pretends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Lies {
    /// `sync` says yes and does nothing.
    pub skips_sync: bool,
    /// `sync_directory` says yes and does nothing.
    pub skips_directory_sync: bool,
    /// `list` leaves out the two segments with the highest numbers.
    pub hides_newest: bool,
    /// `lock` is given to all who ask.
    pub shares_locks: bool,
}

/// Which operation fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Failure {
    /// A sync. Some of what was written since the last one is lost, and a later one says yes.
    Sync,
    /// A write, after a part of its bytes.
    Write,
    /// The making of a file.
    Create,
    /// A sync of a directory.
    SyncDirectory,
    /// A read.
    Read,
}

impl CrashDisk {
    pub fn new(lies: Lies) -> Self {
        let machine = Machine {
            names: Names::new(),
            files: Vec::new(),
            locks: BTreeMap::new(),
            lies,
            faults: BTreeMap::new(),
            failures: 0,
            room: None,
            fuse: None,
            wall: 0,
            processes: 0,
            dead: BTreeSet::new(),
            chance: 1,
            spoilt: Vec::new(),
            history: None,
        };
        Self::of(machine)
    }

    /// Keeps every moment from now on.
    pub fn remember(&self) {
        self.lock().history = Some(Vec::new());
    }

    /// Every moment so far at which a crash can fall.
    pub fn moments(&self) -> Vec<Moment> {
        self.lock().history.clone().unwrap_or_default()
    }

    /// The same disk, as another process has it.
    pub fn process(&self) -> Self {
        let mut machine = self.lock();
        machine.processes += 1;
        let process = machine.processes;
        drop(machine);
        let (machine, hanging) = (Arc::clone(&self.machine), Arc::clone(&self.hanging));
        Self { machine, hanging, process, acknowledged: Arc::default() }
    }

    /// Ends this process: nothing that it still asks is done, and its locks are free.
    pub fn kill(&self) {
        self.lock().kill(self.process);
    }

    /// Cuts the power: all processes end, and each change that was not synced meets a fate.
    pub fn cut_power(&self, mut fate: impl FnMut() -> Fate) {
        let mut machine = self.lock();
        for process in 0..=machine.processes {
            machine.kill(process);
        }
        machine.faults.clear();
        machine.fuse = None;
        machine.files.iter_mut().for_each(|content| content.cut(&mut fate));
        machine.names.cut(&mut fate);
    }

    /// A copy of the disk as a machine finds it that lost power now.
    pub fn after_power_cut(&self, fate: impl FnMut() -> Fate) -> Self {
        let after = Self::of(self.lock().clone());
        after.cut_power(fate);
        after.process()
    }

    /// A copy of the disk as the next process finds it after this one was killed: all changes
    /// are seen.
    pub fn after_kill(&self) -> Self {
        let after = Self::of(self.lock().clone());
        let mut machine = after.lock();
        for process in 0..=machine.processes {
            machine.kill(process);
        }
        machine.faults.clear();
        drop(machine);
        after.process()
    }

    /// Lets the power fail after so many more changes.
    pub fn light_fuse(&self, changes: u64) {
        self.lock().fuse = Some(changes);
    }

    /// Whether the fuse has burnt down.
    pub fn is_dark(&self) -> bool {
        self.lock().fuse == Some(0)
    }

    /// Makes every operation of one kind fail from now on, or none any more.
    pub fn fail(&self, failure: Option<Failure>) {
        let mut machine = self.lock();
        machine.faults = failure.map(|failure| (failure, u32::MAX)).into_iter().collect();
        machine.failures = 0;
    }

    /// Makes the next operation of one kind fail, besides those that are to fail already.
    pub fn fail_next(&self, failure: Failure) {
        *self.lock().faults.entry(failure).or_default() += 1;
    }

    /// How many operations failed since [`CrashDisk::fail`].
    pub fn failures(&self) -> u64 {
        self.lock().failures
    }

    /// Makes every sync of a file hang from now on, or come back.
    pub fn hang(&self, hangs: bool) {
        self.hanging.state.lock().unwrap().0 = hangs;
        self.hanging.changed.notify_all();
    }

    /// Waits until a sync hangs.
    pub fn wait_for_hang(&self) {
        let state = self.hanging.state.lock().unwrap();
        drop(self.hanging.changed.wait_while(state, |(_, hang)| *hang == 0).unwrap());
    }

    /// Leaves room for so many more bytes; none is no bound.
    pub fn leave_room(&self, bytes: Option<u64>) {
        let mut machine = self.lock();
        machine.room = bytes.map(|bytes| machine.used() + bytes);
    }

    /// Seeds what the disk does by chance.
    pub fn seed(&self, seed: u64) {
        self.lock().chance = seed;
    }

    /// Sets the time that files are stamped with, in microseconds since 1970.
    pub fn set_wall(&self, micros: u64) {
        self.lock().wall = micros;
    }

    /// The bytes of a file, to be changed as damage changes them.
    pub fn damage(&self, path: &Path, change: impl FnOnce(&mut Vec<u8>)) {
        let mut machine = self.lock();
        let index = machine.file(path).expect("a file to damage");
        machine.files[index].damage(change);
    }

    /// Makes the block of a file that holds `offset` unreadable.
    pub fn spoil(&self, path: &Path, offset: u64) {
        let mut machine = self.lock();
        let index = machine.file(path).expect("a file to spoil");
        machine.spoilt.push((index, offset - offset % BLOCK as u64));
    }

    /// Makes every block readable again.
    pub fn heal_blocks(&self) {
        self.lock().spoilt.clear();
    }

    /// The bytes of a file.
    pub fn bytes(&self, path: &Path) -> Vec<u8> {
        let machine = self.lock();
        machine.files[machine.file(path).expect("a file")].seen.clone()
    }

    /// Puts a file there, synced.
    pub fn place(&self, path: &Path, bytes: &[u8]) {
        let mut machine = self.lock();
        let index = machine.make_file(path);
        machine.files[index].damage(|content| content.extend_from_slice(bytes));
        machine.names.sync(path.parent().unwrap());
    }

    /// Takes a file away.
    pub fn delete(&self, path: &Path) {
        let mut machine = self.lock();
        machine.names.remove(path);
        machine.names.sync(path.parent().unwrap());
    }

    /// The paths of all files.
    pub fn paths(&self) -> Vec<PathBuf> {
        let machine = self.lock();
        let files = machine.names.iter().filter(|(_, node)| *node != Node::Directory);
        files.map(|(path, _)| path.clone()).collect()
    }

    fn of(machine: Machine) -> Self {
        let process = machine.processes;
        let (machine, hanging) = (Arc::new(Mutex::new(machine)), Arc::default());
        Self { machine, hanging, process, acknowledged: Arc::default() }
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, Machine> {
        self.machine.lock().unwrap()
    }

    /// The machine, if this process may still ask something of it.
    pub(super) fn ask(&self) -> io::Result<MutexGuard<'_, Machine>> {
        let machine = self.lock();
        if machine.fuse == Some(0) || machine.dead.contains(&self.process) {
            return Err(io::Error::other("the process has ended"));
        }
        Ok(machine)
    }

    /// Ends a change: this is a moment at which a crash can fall.
    pub(super) fn changed(&self, mut machine: MutexGuard<'_, Machine>) -> io::Result<()> {
        if machine.history.is_some() {
            let history = machine.history.take();
            let acknowledged = self.acknowledged.load(Ordering::SeqCst);
            let moment = Moment { machine: machine.clone(), acknowledged };
            machine.history = history;
            machine.history.as_mut().unwrap().push(moment);
        }
        if let Some(fuse) = &mut machine.fuse {
            *fuse -= 1;
            if *fuse == 0 {
                return Err(io::Error::other("the power has failed"));
            }
        }
        Ok(())
    }
}

impl Hanging {
    /// Hangs for as long as syncs do.
    pub(super) fn pass(&self) {
        let mut state = self.state.lock().unwrap();
        state.1 += 1;
        self.changed.notify_all();
        state = self.changed.wait_while(state, |(hangs, _)| *hangs).unwrap();
        state.1 -= 1;
    }
}

impl Moment {
    /// The disk as it was at this moment.
    pub fn disk(&self) -> CrashDisk {
        CrashDisk::of(self.machine.clone())
    }
}

impl Machine {
    pub(super) fn file(&self, path: &Path) -> Option<usize> {
        match self.names.find(path) {
            Some(Node::File(index)) => Some(index),
            _ => None,
        }
    }

    pub(super) fn make_file(&mut self, path: &Path) -> usize {
        let index = self.files.len();
        self.files.push(Content::new(self.wall));
        self.names.make(path, Node::File(index));
        index
    }

    /// Whether this call is one that fails.
    pub(super) fn fails(&mut self, failure: Failure) -> bool {
        let Some(left) = self.faults.get_mut(&failure).filter(|left| **left > 0) else {
            return false;
        };
        if *left < u32::MAX {
            *left -= 1;
        }
        self.failures += 1;
        true
    }

    /// How many of `bytes` more find room.
    pub(super) fn room_for(&self, bytes: usize) -> usize {
        let left = self.room.map_or(u64::MAX, |room| room.saturating_sub(self.used()));
        bytes.min(usize::try_from(left).unwrap_or(usize::MAX))
    }

    /// A fate for each change, by chance.
    pub(super) fn fates(&mut self) -> impl FnMut() -> Fate + use<> {
        self.chance = self.chance.wrapping_add(1);
        fates(mix(self.chance))
    }

    /// How much of `bytes` arrives when a write fails.
    pub(super) fn part(&mut self, bytes: usize) -> usize {
        self.chance = self.chance.wrapping_add(1);
        (mix(self.chance) % (bytes as u64 + 1)) as usize
    }

    fn used(&self) -> u64 {
        let file = |node| match node {
            Node::File(index) => self.files[index].seen.len() as u64,
            Node::Directory => 0,
        };
        self.names.iter().map(|(_, node)| file(node)).sum()
    }

    fn kill(&mut self, process: u64) {
        self.dead.insert(process);
        self.locks.retain(|_, holder| *holder != process);
    }
}
