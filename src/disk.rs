//! Files behind a seam, so that a test can lose, tear or refuse any write.
//!
//! [`Disk`] is what the product may ask of a file system, and no more: everything durable is
//! built from [`DiskFile::sync`] and [`Disk::sync_directory`], whose promises are those of
//! `fdatasync(2)` and of `fsync(2)` on a directory. All calls block.

use std::fmt;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::{DirBuilderExt, FileExt, OpenOptionsExt};
use std::path::Path;
use std::sync::OnceLock;
use std::time::UNIX_EPOCH;

/// A file system.
pub trait Disk: fmt::Debug + Send + Sync + 'static {
    /// Makes a directory and its parents, readable by this user only, and puts the names that it
    /// made on stable storage. One that exists is fine.
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

    /// Removes the name of a file, or of an empty directory.
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
        let directory = parent(path);
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

/// A file that is read from its beginning on, a buffer at a time.
#[derive(Debug)]
pub struct Reading {
    file: Box<dyn DiskFile>,
    at: u64,
}

impl Reading {
    /// Begins to read a file.
    pub fn begin(disk: &dyn Disk, path: &Path) -> io::Result<Self> {
        Ok(Self { file: disk.open(path, Access::Read)?, at: 0 })
    }
}

impl io::Read for Reading {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let count = self.file.read_at(into, self.at)?;
        self.at += count as u64;
        Ok(count)
    }
}

/// The directory that holds a name.
fn parent(path: &Path) -> &Path {
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    parent.unwrap_or_else(|| Path::new("."))
}

/// An open file.
pub trait DiskFile: fmt::Debug + Send + Sync {
    /// Reads at `offset` until `into` is full or the file ends; returns the count of bytes.
    fn read_at(&self, into: &mut [u8], offset: u64) -> io::Result<usize>;

    /// Writes all of `bytes` at `offset`.
    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()>;

    /// Writes whole blocks at `offset`, where it can be done past the memory that the system
    /// keeps of the file: what is written once and read seldom is not copied there first.
    fn write_blocks(&self, blocks: &Blocks, offset: u64) -> io::Result<()> {
        self.write_at(blocks.bytes(), offset)
    }

    /// Puts what was written, and the length, on stable storage. After a failure nothing written
    /// since the last success may be trusted, whatever a later call says.
    fn sync(&self) -> io::Result<()>;

    /// Cuts the file, or extends it with zeros.
    fn set_length(&self, length: u64) -> io::Result<()>;

    /// The file's length in bytes.
    fn length(&self) -> io::Result<u64>;
}

/// Bytes that begin in memory where a disk wants its blocks to begin.
#[derive(Debug, Default)]
pub struct Blocks {
    memory: Vec<u8>,
    start: usize,
}

impl Blocks {
    /// The bytes.
    pub fn bytes(&self) -> &[u8] {
        &self.memory[self.start..]
    }

    /// The bytes, to be changed in place.
    pub fn bytes_mut(&mut self) -> &mut [u8] {
        &mut self.memory[self.start..]
    }

    /// Forgets the bytes, and makes room for `room` new ones.
    pub fn begin(&mut self, room: usize) {
        self.memory.clear();
        let whole = room.next_multiple_of(BLOCK) + BLOCK;
        // What a burst took is given back.
        if self.memory.capacity() < whole || self.memory.capacity() > 4 * whole.max(KEPT) {
            self.memory = Vec::with_capacity(whole);
        }
        // The allocation may still be moved by too much being added: then the blocks are no
        // longer aligned, which costs speed and nothing else.
        self.start = self.memory.as_ptr().align_offset(BLOCK).min(BLOCK);
        self.memory.resize(self.start, 0);
    }

    /// Adds bytes.
    pub fn extend(&mut self, bytes: &[u8]) {
        self.memory.extend_from_slice(bytes);
    }

    /// Fills up with zeros to `length` bytes.
    pub fn fill(&mut self, length: usize) {
        self.memory.resize(self.start + length, 0);
    }

    fn is_aligned(&self) -> bool {
        self.bytes().as_ptr().align_offset(BLOCK) == 0 && self.bytes().len().is_multiple_of(BLOCK)
    }
}

/// Bytes of a block: what every disk of today writes as a whole.
pub const BLOCK: usize = 4_096;
/// Memory that [`Blocks`] keeps between uses.
const KEPT: usize = 1 << 20;

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
        let mut missing: Vec<_> = path.ancestors().take_while(|above| !above.is_dir()).collect();
        // A relative path ends in the folder that the process stands in.
        missing.retain(|above| !above.as_os_str().is_empty());
        while let Some(path) = missing.pop() {
            match fs::DirBuilder::new().mode(0o700).create(path) {
                // Another was faster.
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists && path.is_dir() => {}
                made => made?,
            }
            self.sync_directory(parent(path))?;
        }
        Ok(())
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
        Ok(SystemFile::boxed(file))
    }

    fn open(&self, path: &Path, access: Access) -> io::Result<Box<dyn DiskFile>> {
        let write = access == Access::Write;
        Ok(SystemFile::boxed(OpenOptions::new().read(true).write(write).open(path)?))
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        match fs::remove_file(path) {
            Err(error) if error.kind() == io::ErrorKind::IsADirectory => fs::remove_dir(path),
            removed => removed,
        }
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::rename(from, to)
    }

    fn lock(&self, path: &Path) -> io::Result<Option<DiskLock>> {
        let mut options = OpenOptions::new();
        let file = match options.write(true).create(true).truncate(false).mode(0o600).open(path) {
            // What is there can be locked all the same.
            Err(error) if error.kind() == io::ErrorKind::ReadOnlyFilesystem => File::open(path)?,
            opened => opened?,
        };
        match file.try_lock() {
            Ok(()) => Ok(Some(DiskLock::new(file))),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(error),
        }
    }
}

#[derive(Debug)]
struct SystemFile {
    file: File,
    /// The same file past the system's memory; none where the file system has no such way.
    direct: OnceLock<Option<File>>,
}

impl SystemFile {
    fn boxed(file: File) -> Box<dyn DiskFile> {
        Box::new(Self { file, direct: OnceLock::new() })
    }

    fn direct(&self) -> Option<&File> {
        let open = || {
            // By descriptor: the name may have become another file's.
            let path = format!("/proc/self/fd/{}", self.file.as_raw_fd());
            OpenOptions::new().write(true).custom_flags(libc::O_DIRECT).open(path).ok()
        };
        self.direct.get_or_init(open).as_ref()
    }
}

impl DiskFile for SystemFile {
    fn read_at(&self, into: &mut [u8], offset: u64) -> io::Result<usize> {
        let mut done = 0;
        while done < into.len() {
            match self.file.read_at(&mut into[done..], offset + done as u64) {
                Ok(0) => break,
                Ok(count) => done += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(done)
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        self.file.write_all_at(bytes, offset)
    }

    fn write_blocks(&self, blocks: &Blocks, offset: u64) -> io::Result<()> {
        if blocks.is_aligned()
            && offset.is_multiple_of(BLOCK as u64)
            && let Some(direct) = self.direct()
        {
            match direct.write_all_at(blocks.bytes(), offset) {
                // The disk's blocks are larger than ours.
                Err(error) if error.kind() == io::ErrorKind::InvalidInput => {}
                written => return written,
            }
        }
        self.write_at(blocks.bytes(), offset)
    }

    fn sync(&self) -> io::Result<()> {
        self.file.sync_data()
    }

    fn set_length(&self, length: u64) -> io::Result<()> {
        self.file.set_len(length)
    }

    fn length(&self) -> io::Result<u64> {
        Ok(self.file.metadata()?.len())
    }
}
