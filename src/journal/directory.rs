//! The directories under the journal's folder, and what lies in one.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use thiserror::Error;

use super::segment::{self, HEADER, Header, HeaderFault};
use crate::clock::Timestamp;
use crate::disk::{Access, Disk, DiskLock};

/// The name of one process's directory: 16 hexadecimal digits that sort by age.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct DirectoryId(pub(super) u64);

impl DirectoryId {
    /// The number that its 16 digits write.
    pub const fn number(self) -> u64 {
        self.0
    }
}

impl fmt::Display for DirectoryId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

impl fmt::Debug for DirectoryId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for DirectoryId {
    type Err = PositionError;

    fn from_str(text: &str) -> Result<Self, PositionError> {
        let id = u64::from_str_radix(text, 16).ok().map(Self);
        id.filter(|id| id.to_string() == text).ok_or_else(|| PositionError(text.to_owned()))
    }
}

/// A place in the journal, written `<directory id>:<sequence>`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    /// The directory.
    pub directory: DirectoryId,
    /// The sequence in it; the first frame has 1.
    pub sequence: u64,
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.directory, self.sequence)
    }
}

impl FromStr for Position {
    type Err = PositionError;

    fn from_str(text: &str) -> Result<Self, PositionError> {
        let wrong = || PositionError(text.to_owned());
        let (directory, sequence) = text.split_once(':').ok_or_else(wrong)?;
        let directory = directory.parse().map_err(|_| wrong())?;
        // The first of all is 1.
        let sequence = sequence.parse().ok().filter(|sequence| *sequence > 0);
        Ok(Self { directory, sequence: sequence.ok_or_else(wrong)? })
    }
}

/// A text that is no position.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error(
    "{0:?} is no journal position, expected <directory id>:<sequence> such as 0006471dcf1a2b3c:1"
)]
pub struct PositionError(String);

/// The directories in the journal's folder, oldest first. A folder that is not there holds none.
pub fn directories(disk: &dyn Disk, folder: &Path) -> io::Result<Vec<(DirectoryId, PathBuf)>> {
    let entries = match disk.list(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let ours = entries.into_iter().filter(|entry| entry.is_directory);
    Ok(ours
        .filter_map(|entry| Some((entry.name.parse().ok()?, folder.join(&entry.name))))
        .collect())
}

/// A directory whose lock we hold.
#[derive(Debug)]
pub(super) struct Held {
    pub(super) id: DirectoryId,
    pub(super) path: PathBuf,
    _lock: DiskLock,
}

/// Takes the lock of every directory that is free. The newest of them, or a new one, is to be
/// written; the others belonged to processes that are gone.
pub(super) fn hold(
    disk: &dyn Disk,
    folder: &Path,
    wall: Timestamp,
) -> io::Result<(Held, Vec<Held>)> {
    disk.create_directory(folder)?;
    let mut free = Vec::new();
    let mut newest = 0;
    for (id, path) in directories(disk, folder)? {
        newest = id.0;
        if let Some(lock) = disk.lock(&path.join(LOCK))? {
            free.push(Held { id, path, _lock: lock });
        }
    }
    if let Some(own) = free.pop() {
        return Ok((own, free));
    }
    // Two processes that start in the same microsecond are told apart by the lock.
    let mut id = DirectoryId(wall.micros().max(newest + 1));
    loop {
        let path = folder.join(id.to_string());
        disk.create_directory(&path)?;
        if let Some(lock) = disk.lock(&path.join(LOCK))? {
            disk.sync_directory(&path)?;
            disk.sync_directory(folder)?;
            return Ok((Held { id, path, _lock: lock }, free));
        }
        id.0 += 1;
    }
}

/// Takes the locks of the directories that are free, but for those of `known`.
pub(super) fn free(disk: &dyn Disk, folder: &Path, known: &[DirectoryId]) -> io::Result<Vec<Held>> {
    let mut free = Vec::new();
    for (id, path) in directories(disk, folder)? {
        if !known.contains(&id)
            && let Some(lock) = disk.lock(&path.join(LOCK))?
        {
            free.push(Held { id, path, _lock: lock });
        }
    }
    Ok(free)
}

/// A file in a directory whose name is that of a segment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct SegmentFile {
    pub(super) number: u64,
    pub(super) path: PathBuf,
    pub(super) bytes: u64,
    pub(super) modified: u64,
    pub(super) header: Result<Header, HeaderFault>,
}

impl SegmentFile {
    /// Whether frames may stand in it: it was begun, in a format that we know. A header that is
    /// damaged or of another file does not speak against a frame, whose own checksum tells.
    pub(super) fn may_hold_frames(&self) -> bool {
        !matches!(self.header, Err(HeaderFault::Blank | HeaderFault::Unknown))
    }
}

/// The segments of a directory by number, each with what its header says.
pub(super) fn segments(
    disk: &dyn Disk,
    id: DirectoryId,
    path: &Path,
) -> io::Result<Vec<SegmentFile>> {
    let mut files = Vec::new();
    for entry in disk.list(path)? {
        let Some(number) = segment::number(&entry.name).filter(|_| !entry.is_directory) else {
            continue;
        };
        let path = path.join(&entry.name);
        let file = match disk.open(&path, Access::Read) {
            Ok(file) => file,
            // Deleted by retention while we were looking.
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(error) => return Err(error),
        };
        let mut header = [0; HEADER];
        let count = file.read_at(&mut header, 0)?;
        let header = Header::decode(&header[..count], id.0, number);
        let (bytes, modified) = (entry.bytes, entry.modified);
        files.push(SegmentFile { number, path, bytes, modified, header });
    }
    files.sort_by_key(|file| file.number);
    Ok(files)
}

pub(super) const LOCK: &str = "lock";
