//! Disks that lie, fail or hang: what a check must see before its silence proves anything.

use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use waypost::disk::{Access, Blocks, Disk, DiskFile, DiskLock, Entry, SystemDisk};

/// The machine's disk, but for what a [`Cruelty`] does to files under one folder.
#[derive(Debug)]
pub struct CruelDisk<C> {
    folder: PathBuf,
    cruelty: Arc<C>,
}

/// What is done otherwise than the machine's disk does it.
pub trait Cruelty: fmt::Debug + Send + Sync + 'static {
    fn create(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        SystemDisk.create(path)
    }

    fn sync_directory(&self, path: &Path) -> io::Result<()> {
        SystemDisk.sync_directory(path)
    }

    fn write(&self, file: &Arc<dyn DiskFile>, bytes: &[u8], offset: u64) -> io::Result<()> {
        file.write_at(bytes, offset)
    }

    fn write_blocks(&self, file: &Arc<dyn DiskFile>, to: &Blocks, offset: u64) -> io::Result<()> {
        file.write_blocks(to, offset)
    }

    fn sync(&self, file: &dyn DiskFile) -> io::Result<()> {
        file.sync()
    }
}

/// Says "written" at once, and writes [`DELAY`] later: what a killed process then loses.
#[derive(Debug)]
pub struct AnswersEarly {
    later: Mutex<Sender<Write>>,
}

#[derive(Debug)]
struct Write {
    due: Instant,
    file: Arc<dyn DiskFile>,
    bytes: Vec<u8>,
    offset: u64,
}

/// Says "synced" and does nothing: what a power cut then takes.
#[derive(Clone, Copy, Debug)]
pub struct SkipsSync;

/// Gives a new segment its name only when the directory is synced, which is all that a file
/// system promises; or not even then, as if that sync were skipped.
#[derive(Clone, Copy, Debug)]
pub struct NamesLast {
    pub skips: bool,
}

/// Has no way past the system's memory, as some file systems: what fails, fails at the sync.
#[derive(Clone, Copy, Debug)]
pub struct Buffered;

/// The same, and repeats a sync that failed; the second one says yes to what the first one lost.
#[derive(Clone, Copy, Debug)]
pub struct RepeatsSync;

/// Fails one sync, and never again.
#[derive(Debug)]
pub struct FailsOnce {
    syncs: AtomicUsize,
    at: usize,
}

/// Does nothing more while a file of this name exists.
#[derive(Clone, Debug)]
pub struct Hangs {
    pub while_exists: PathBuf,
}

impl AnswersEarly {
    pub fn new() -> Self {
        let (later, writes) = channel::<Write>();
        thread::spawn(move || {
            for write in writes {
                thread::sleep(write.due.saturating_duration_since(Instant::now()));
                write.file.write_at(&write.bytes, write.offset).expect("the late write");
            }
        });
        Self { later: later.into() }
    }
}

impl Cruelty for AnswersEarly {
    fn write(&self, file: &Arc<dyn DiskFile>, bytes: &[u8], offset: u64) -> io::Result<()> {
        let (due, file) = (Instant::now() + DELAY, Arc::clone(file));
        let write = Write { due, file, bytes: bytes.to_vec(), offset };
        self.later.lock().unwrap().send(write).map_err(io::Error::other)
    }

    fn write_blocks(&self, file: &Arc<dyn DiskFile>, to: &Blocks, offset: u64) -> io::Result<()> {
        self.write(file, to.bytes(), offset)
    }

    fn sync(&self, _: &dyn DiskFile) -> io::Result<()> {
        Ok(())
    }
}

impl Cruelty for SkipsSync {
    fn sync(&self, _: &dyn DiskFile) -> io::Result<()> {
        Ok(())
    }
}

impl Cruelty for NamesLast {
    fn create(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        let is_segment = path.extension().is_some_and(|extension| extension == "segment");
        SystemDisk.create(&if is_segment { unnamed(path) } else { path.to_owned() })
    }

    fn sync_directory(&self, path: &Path) -> io::Result<()> {
        if self.skips {
            return Ok(());
        }
        for entry in fs::read_dir(path)? {
            let unnamed = entry?.path();
            if unnamed.extension().is_some_and(|extension| extension == UNNAMED) {
                fs::rename(&unnamed, unnamed.with_extension(""))?;
            }
        }
        SystemDisk.sync_directory(path)
    }
}

impl Cruelty for Buffered {
    fn write_blocks(&self, file: &Arc<dyn DiskFile>, to: &Blocks, offset: u64) -> io::Result<()> {
        file.write_at(to.bytes(), offset)
    }
}

impl Cruelty for RepeatsSync {
    fn write_blocks(&self, file: &Arc<dyn DiskFile>, to: &Blocks, offset: u64) -> io::Result<()> {
        file.write_at(to.bytes(), offset)
    }

    fn sync(&self, file: &dyn DiskFile) -> io::Result<()> {
        file.sync().or_else(|_| file.sync())
    }
}

impl FailsOnce {
    /// Fails the sync with this number, counted from 1.
    pub fn at(number: usize) -> Self {
        Self { syncs: AtomicUsize::new(0), at: number }
    }
}

impl Cruelty for FailsOnce {
    fn sync(&self, file: &dyn DiskFile) -> io::Result<()> {
        if self.syncs.fetch_add(1, Ordering::Relaxed) + 1 == self.at {
            return Err(io::Error::other("the device failed"));
        }
        file.sync()
    }
}

impl Hangs {
    fn hang(&self) {
        while self.while_exists.exists() {
            thread::sleep(Duration::from_millis(5));
        }
    }
}

impl Cruelty for Hangs {
    fn create(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        self.hang();
        SystemDisk.create(path)
    }

    fn sync(&self, file: &dyn DiskFile) -> io::Result<()> {
        self.hang();
        file.sync()
    }
}

impl<C: Cruelty> CruelDisk<C> {
    /// A disk that is cruel to what is under `folder`.
    pub fn new(folder: &Path, cruelty: C) -> Self {
        Self { folder: folder.to_owned(), cruelty: Arc::new(cruelty) }
    }

    fn over(&self, path: &Path, file: Box<dyn DiskFile>) -> Box<dyn DiskFile> {
        if !path.starts_with(&self.folder) {
            return file;
        }
        Box::new(CruelFile { file: file.into(), cruelty: Arc::clone(&self.cruelty) })
    }
}

impl<C: Cruelty> Disk for CruelDisk<C> {
    fn create_directory(&self, path: &Path) -> io::Result<()> {
        SystemDisk.create_directory(path)
    }

    fn sync_directory(&self, path: &Path) -> io::Result<()> {
        match path.starts_with(&self.folder) {
            true => self.cruelty.sync_directory(path),
            false => SystemDisk.sync_directory(path),
        }
    }

    fn list(&self, path: &Path) -> io::Result<Vec<Entry>> {
        SystemDisk.list(path)
    }

    fn create(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        match path.starts_with(&self.folder) {
            true => Ok(self.over(path, self.cruelty.create(path)?)),
            false => SystemDisk.create(path),
        }
    }

    fn open(&self, path: &Path, access: Access) -> io::Result<Box<dyn DiskFile>> {
        Ok(self.over(path, SystemDisk.open(path, access)?))
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        SystemDisk.remove(path)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        SystemDisk.rename(from, to)
    }

    fn lock(&self, path: &Path) -> io::Result<Option<DiskLock>> {
        SystemDisk.lock(path)
    }
}

#[derive(Debug)]
struct CruelFile<C> {
    file: Arc<dyn DiskFile>,
    cruelty: Arc<C>,
}

impl<C: Cruelty> DiskFile for CruelFile<C> {
    fn read_at(&self, into: &mut [u8], offset: u64) -> io::Result<usize> {
        self.file.read_at(into, offset)
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        self.cruelty.write(&self.file, bytes, offset)
    }

    fn write_blocks(&self, blocks: &Blocks, offset: u64) -> io::Result<()> {
        self.cruelty.write_blocks(&self.file, blocks, offset)
    }

    fn sync(&self) -> io::Result<()> {
        self.cruelty.sync(&*self.file)
    }

    fn set_length(&self, length: u64) -> io::Result<()> {
        self.file.set_length(length)
    }

    fn length(&self) -> io::Result<u64> {
        self.file.length()
    }
}

fn unnamed(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".");
    name.push(UNNAMED);
    name.into()
}

const DELAY: Duration = Duration::from_millis(20);
const UNNAMED: &str = "unnamed";
