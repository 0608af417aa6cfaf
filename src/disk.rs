//! Files behind a seam, so that a test can lose, tear or refuse any write.
//!
//! [`Disk`] is what the product may ask of a file system, and no more: everything durable is
//! built from [`DiskFile::sync`] and [`Disk::sync_directory`], whose promises are those of
//! `fdatasync(2)` and of `fsync(2)` on a directory. All calls block.

use std::fmt;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::{DirBuilderExt, FileExt, OpenOptionsExt};
use std::path::Path;
use std::time::UNIX_EPOCH;

/// A file system.
pub trait Disk: fmt::Debug + Send + Sync + 'static {
    /// Makes a directory and its parents, readable by this user only. One that exists is fine.
    fn create_directory(&self, path: &Path) -> io::Result<()>;

    /// Puts the directory's entries (created, renamed and removed names) on stable storage.
    fn sync_directory(&self, path: &Path) -> io::Result<()>;

    /// The entries of a directory, sorted by name. Names that are not UTF-8 are left out: nothing
    /// of ours has such a name.
    fn list(&self, path: &Path) -> io::Result<Vec<Entry>>;

    /// Makes a new file, open for reading and writing, readable by this user only
    /// ([`io::ErrorKind::AlreadyExists`] when the name is taken).
    fn create(&self, path: &Path) -> io::Result<Box<dyn DiskFile>>;

    /// Opens a file that exists.
    fn open(&self, path: &Path, access: Access) -> io::Result<Box<dyn DiskFile>>;

    /// Removes a file's name.
    fn remove(&self, path: &Path) -> io::Result<()>;

    /// Gives a file another name, replacing what had it, in one step.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;

    /// Takes the exclusive lock on a file, made if missing, until the guard is dropped or the
    /// process ends; `None` when another holds it.
    fn lock(&self, path: &Path) -> io::Result<Option<DiskLock>>;
}

impl dyn Disk {
    /// The whole of a file; [`io::ErrorKind::FileTooLarge`] past `limit` bytes.
    pub fn read(&self, path: &Path, limit: u64) -> io::Result<Vec<u8>> {
        let file = self.open(path, Access::Read)?;
        let length = file.length()?;
        if length > limit {
            let told = format!("{length} bytes, at most {limit} are read");
            return Err(io::Error::new(io::ErrorKind::FileTooLarge, told));
        }
        let mut bytes = vec![0; usize::try_from(length).unwrap_or(usize::MAX)];
        let count = file.read_at(&mut bytes, 0)?;
        bytes.truncate(count);
        Ok(bytes)
    }

    /// Puts `bytes` under `path` on stable storage so that a reader, and a power cut, finds the
    /// old content or the new, never a mixture.
    pub fn write_whole(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        let directory = path.parent().unwrap_or_else(|| Path::new("."));
        let mut name = path.file_name().unwrap_or_default().to_os_string();
        name.push(".new");
        let next = directory.join(name);
        match self.remove(&next) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let file = self.create(&next)?;
        file.write_at(bytes, 0)?;
        file.sync()?;
        drop(file);
        self.rename(&next, path)?;
        self.sync_directory(directory)
    }
}

/// An open file.
pub trait DiskFile: fmt::Debug + Send + Sync {
    /// Reads at `offset` until `into` is full or the file ends; returns the count of bytes.
    fn read_at(&self, into: &mut [u8], offset: u64) -> io::Result<usize>;

    /// Writes all of `bytes` at `offset`.
    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()>;

    /// Puts what was written, and the length, on stable storage. After a failure nothing written
    /// since the last success may be trusted, whatever a later call says.
    fn sync(&self) -> io::Result<()>;

    /// Cuts the file, or extends it with zeros.
    fn set_length(&self, length: u64) -> io::Result<()>;

    /// The file's length in bytes.
    fn length(&self) -> io::Result<u64>;
}

/// What an opened file is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Reading only.
    Read,
    /// Reading and writing.
    Write,
}

/// One name in a directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The name, without the directory.
    pub name: String,
    /// Whether it is a directory.
    pub is_directory: bool,
    /// The length in bytes.
    pub bytes: u64,
    /// When it was last modified, in microseconds since 1970; 0 where the file system keeps none.
    pub modified: u64,
}

/// A lock that ends when it is dropped.
#[derive(Debug)]
#[must_use = "the lock ends when this is dropped"]
pub struct DiskLock {
    _held: Box<dyn Guard>,
}

impl DiskLock {
    /// A lock that ends when `held` is dropped.
    pub fn new(held: impl Guard) -> Self {
        Self { _held: Box::new(held) }
    }
}

/// What a [`Disk`] may put into a [`DiskLock`].
pub trait Guard: fmt::Debug + Send + Sync + 'static {}

impl<T: fmt::Debug + Send + Sync + 'static> Guard for T {}

/// The machine's own file system.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemDisk;

#[expect(clippy::disallowed_methods, reason = "this is the seam's real side")]
impl Disk for SystemDisk {
    fn create_directory(&self, path: &Path) -> io::Result<()> {
        fs::DirBuilder::new().recursive(true).mode(0o700).create(path)
    }

    fn sync_directory(&self, path: &Path) -> io::Result<()> {
        File::open(path)?.sync_all()
    }

    fn list(&self, path: &Path) -> io::Result<Vec<Entry>> {
        let mut entries = Vec::new();
        for entry in fs::read_dir(path)? {
            let entry = entry?;
            let Ok(name) = entry.file_name().into_string() else { continue };
            let metadata = match entry.metadata() {
                Ok(metadata) => metadata,
                // Removed while we were looking.
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                Err(error) => return Err(error),
            };
            let since = metadata.modified()?.duration_since(UNIX_EPOCH).unwrap_or_default();
            entries.push(Entry {
                name,
                is_directory: metadata.is_dir(),
                bytes: metadata.len(),
                modified: u64::try_from(since.as_micros()).unwrap_or(u64::MAX),
            });
        }
        entries.sort_by(|one, other| one.name.cmp(&other.name));
        Ok(entries)
    }

    fn create(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        let mut options = OpenOptions::new();
        let file = options.read(true).write(true).create_new(true).mode(0o600).open(path)?;
        Ok(Box::new(SystemFile(file)))
    }

    fn open(&self, path: &Path, access: Access) -> io::Result<Box<dyn DiskFile>> {
        let write = access == Access::Write;
        Ok(Box::new(SystemFile(OpenOptions::new().read(true).write(write).open(path)?)))
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        fs::remove_file(path)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::rename(from, to)
    }

    fn lock(&self, path: &Path) -> io::Result<Option<DiskLock>> {
        let mut options = OpenOptions::new();
        let file = options.write(true).create(true).truncate(false).mode(0o600).open(path)?;
        match file.try_lock() {
            Ok(()) => Ok(Some(DiskLock::new(file))),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(error),
        }
    }
}

#[derive(Debug)]
struct SystemFile(File);

impl DiskFile for SystemFile {
    fn read_at(&self, into: &mut [u8], offset: u64) -> io::Result<usize> {
        let mut done = 0;
        while done < into.len() {
            match self.0.read_at(&mut into[done..], offset + done as u64) {
                Ok(0) => break,
                Ok(count) => done += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(done)
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        self.0.write_all_at(bytes, offset)
    }

    fn sync(&self) -> io::Result<()> {
        self.0.sync_data()
    }

    fn set_length(&self, length: u64) -> io::Result<()> {
        self.0.set_len(length)
    }

    fn length(&self) -> io::Result<u64> {
        Ok(self.0.metadata()?.len())
    }
}
