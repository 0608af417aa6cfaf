//! A disk whose syncs hang while a file says so.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use waypost::disk::{Access, Disk, DiskFile, DiskLock, Entry, SystemDisk};

/// The machine's disk, but that no sync ends while the file `flag` is there.
#[derive(Clone, Debug)]
pub struct HangingDisk {
    flag: Arc<PathBuf>,
}

impl HangingDisk {
    /// Hangs while `flag` is there.
    pub fn new(flag: PathBuf) -> Self {
        Self { flag: Arc::new(flag) }
    }

    fn over(&self, file: Box<dyn DiskFile>) -> Box<dyn DiskFile> {
        Box::new(HangingFile { file, flag: Arc::clone(&self.flag) })
    }
}

impl Disk for HangingDisk {
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
        Ok(self.over(SystemDisk.create(path)?))
    }

    fn open(&self, path: &Path, access: Access) -> io::Result<Box<dyn DiskFile>> {
        Ok(self.over(SystemDisk.open(path, access)?))
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
struct HangingFile {
    file: Box<dyn DiskFile>,
    flag: Arc<PathBuf>,
}

impl DiskFile for HangingFile {
    fn read_at(&self, into: &mut [u8], offset: u64) -> io::Result<usize> {
        self.file.read_at(into, offset)
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        self.file.write_at(bytes, offset)
    }

    fn sync(&self) -> io::Result<()> {
        while self.flag.exists() {
            thread::sleep(Duration::from_millis(1));
        }
        self.file.sync()
    }

    fn set_length(&self, length: u64) -> io::Result<()> {
        self.file.set_length(length)
    }

    fn length(&self) -> io::Result<u64> {
        self.file.length()
    }
}
