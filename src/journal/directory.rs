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
    "{0:?} is no journal position, expected <directory id>:<sequence> such as \
     0006471dcf1a2b3c:1, the first"
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

/// Takes the lock of every directory that is free. The newest of them that can be gone on with,
/// or a new one, is to be written; the others belonged to processes that are gone.
pub(super) fn hold(
    disk: &dyn Disk,
    folder: &Path,
    wall: Timestamp,
) -> io::Result<(Held, Vec<Held>)> {
    disk.create_directory(folder)?;
    let found = directories(disk, folder)?;
    if found.is_empty() {
        sync_above(disk, folder)?;
    }
    let newest = found.last().map_or(0, |(id, _)| id.0);
    let mut free = Vec::new();
    for (id, path) in found {
        if let Some(lock) = disk.lock(&path.join(LOCK))? {
            free.push(Held { id, path, _lock: lock });
        }
    }
    let mut own = None;
    for at in (0..free.len()).rev() {
        if own.is_none() && can_go_on(disk, &free[at])? {
            own = Some(free.remove(at));
        }
    }
    let own = match own {
        Some(own) => own,
        // Two processes that start in the same microsecond are told apart by the lock.
        None => make(disk, folder, wall.micros().max(newest + 1))?,
    };
    // Whoever made these names may have been killed before they were on stable storage.
    disk.sync_directory(&own.path)?;
    disk.sync_directory(folder)?;
    Ok((own, free))
}

/// Whether what a directory holds tells which sequences and numbers were given in it: where all
/// of it was deleted, or another version wrote, nobody knows.
fn can_go_on(disk: &dyn Disk, held: &Held) -> io::Result<bool> {
    let files = segments(disk, held.id, &held.path)?;
    let is_known = files.iter().all(|file| file.header != Err(HeaderFault::Unknown));
    let is_whole = files.first().is_some_and(|first| first.number == 1);
    Ok(is_known && (is_whole || files.iter().any(SegmentFile::may_hold_frames)))
}

/// Puts the names of all folders down to this one on stable storage, whoever made them.
fn sync_above(disk: &dyn Disk, folder: &Path) -> io::Result<()> {
    for above in folder.ancestors().skip(1) {
        let above = if above.as_os_str().is_empty() { Path::new(".") } else { above };
        match disk.sync_directory(above) {
            // We cannot have made anything in a folder that we cannot read.
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {}
            synced => synced?,
        }
    }
    Ok(())
}

/// Makes a directory and takes its lock; its id is the first free one from `id` on.
fn make(disk: &dyn Disk, folder: &Path, mut id: u64) -> io::Result<Held> {
    loop {
        let path = folder.join(DirectoryId(id).to_string());
        disk.create_directory(&path)?;
        if let Some(lock) = disk.lock(&path.join(LOCK))? {
            return Ok(Held { id: DirectoryId(id), path, _lock: lock });
        }
        id += 1;
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
    /// Whether frames may stand in it: it was begun, here, in a format that we know. A header
    /// that is damaged does not speak against a frame, whose own checksum tells.
    pub(super) fn may_hold_frames(&self) -> bool {
        matches!(self.header, Ok(_) | Err(HeaderFault::Damaged | HeaderFault::Torn))
    }

    /// The first sequence, if the header can be read.
    pub(super) fn first(&self) -> Option<u64> {
        self.header.ok().map(|header| header.first)
    }

    /// Whether it says that it may repeat the end of segment `number`.
    pub(super) fn may_repeat(&self, number: u64) -> bool {
        self.predecessor().is_some_and(|named| named != 0 && named <= number)
    }

    /// The first segment whose end it may repeat, 0 for none; `None` if the header cannot be
    /// read.
    pub(super) fn predecessor(&self) -> Option<u64> {
        self.header.ok().map(|header| header.predecessor)
    }
}

/// The first sequence that one of these segments may repeat of an earlier one.
pub(super) fn repeatable<'a>(later: impl IntoIterator<Item = &'a SegmentFile>) -> u64 {
    let begun = later.into_iter().filter(|file| file.may_hold_frames());
    begun.map(|file| file.first().unwrap_or(0)).min().unwrap_or(u64::MAX)
}

/// Reads each segment through whose header is blank: one that is not blank behind it was begun.
pub(super) fn read_blanks(disk: &dyn Disk, files: &mut [SegmentFile]) -> io::Result<()> {
    for file in files.iter_mut().filter(|file| file.header == Err(HeaderFault::Blank)) {
        if !is_blank(disk, &file.path)? {
            file.header = Err(HeaderFault::Torn);
        }
    }
    Ok(())
}

/// Whether a file holds nothing but zeros. One that is gone holds nothing else.
pub(super) fn is_blank(disk: &dyn Disk, path: &Path) -> io::Result<bool> {
    let file = match disk.open(path, Access::Read) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(true),
        Err(error) => return Err(error),
    };
    let mut block = vec![0; READ_AT_ONCE];
    let mut at = 0;
    loop {
        match file.read_at(&mut block, at) {
            Ok(0) => return Ok(true),
            Ok(count) if block[..count].iter().any(|byte| *byte != 0) => return Ok(false),
            Ok(count) => at += count as u64,
            // What cannot be read was not found blank.
            Err(_) => return Ok(false),
        }
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
        // A header that cannot be read is damaged; the other segments can be.
        let count = file.read_at(&mut header, 0).unwrap_or(0);
        let header = Header::decode(&header[..count], id.0, number);
        let (bytes, modified) = (entry.bytes, entry.modified);
        files.push(SegmentFile { number, path, bytes, modified, header });
    }
    files.sort_by_key(|file| file.number);
    Ok(files)
}

pub(super) const LOCK: &str = "lock";
const READ_AT_ONCE: usize = 1 << 20;
