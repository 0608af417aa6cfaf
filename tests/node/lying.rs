//! A disk that says "written" before it has: what a process that is killed then loses.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use waypost::disk::{Access, Disk, DiskFile, DiskLock, Entry, SystemDisk};

/// The machine's disk, but for files under one folder: a write to them returns at once, is done
/// [`DELAY`] later, and a sync waits for nothing.
pub struct LyingDisk {
    folder: PathBuf,
    later: Arc<Mutex<Sender<Write>>>,
}

struct Write {
    due: Instant,
    file: Arc<dyn DiskFile>,
    bytes: Vec<u8>,
    offset: u64,
}

impl LyingDisk {
    /// Lies about what is under `folder`.
    pub fn new(folder: &Path) -> Self {
        let (later, writes) = channel::<Write>();
        thread::spawn(move || {
            for write in writes {
                thread::sleep(write.due.saturating_duration_since(Instant::now()));
                write.file.write_at(&write.bytes, write.offset).expect("the late write");
            }
        });
        Self { folder: folder.to_owned(), later: Arc::new(Mutex::new(later)) }
    }

    fn over(&self, path: &Path, file: Box<dyn DiskFile>) -> Box<dyn DiskFile> {
        if !path.starts_with(&self.folder) {
            return file;
        }
        Box::new(LyingFile { file: file.into(), later: Arc::clone(&self.later) })
    }
}

impl Disk for LyingDisk {
    fn create_directory(&self, path: &Path) -> io::Result<()> {
        SystemDisk.create_directory(path)
    }

    fn sync_directory(&self, path: &Path) -> io::Result<()> {
        SystemDisk.sync_directory(path)
    }

    fn list(&self, path: &Path) -> io::Result<Vec<Entry>> {
        SystemDisk.list(path)
    }

    fn create(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        Ok(self.over(path, SystemDisk.create(path)?))
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

impl fmt::Debug for LyingDisk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LyingDisk").field("folder", &self.folder).finish_non_exhaustive()
    }
}

#[derive(Debug)]
struct LyingFile {
    file: Arc<dyn DiskFile>,
    later: Arc<Mutex<Sender<Write>>>,
}

impl DiskFile for LyingFile {
    fn read_at(&self, into: &mut [u8], offset: u64) -> io::Result<usize> {
        self.file.read_at(into, offset)
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        let write = Write {
            due: Instant::now() + DELAY,
            file: Arc::clone(&self.file),
            bytes: bytes.to_vec(),
            offset,
        };
        self.later.lock().unwrap().send(write).map_err(io::Error::other)
    }

    fn sync(&self) -> io::Result<()> {
        Ok(())
    }

    fn set_length(&self, length: u64) -> io::Result<()> {
        self.file.set_length(length)
    }

    fn length(&self) -> io::Result<u64> {
        self.file.length()
    }
}

const DELAY: Duration = Duration::from_millis(20);
