//! Dead letters: frames that Kafka will never take, kept so that nothing is lost without a trace.
//!
//! One file for each directory of the journal, `<journal>/<directory id>.dead`, beside the
//! directories, since it outlives its own. It is only appended to, by the process that holds the
//! directory's lock, and each letter is synced before the cursor may pass its frame. A letter that
//! was not written whole is overwritten by the next; a frame is never set aside twice. Nobody
//! deletes the file but an operator, while no node runs. All integers are little-endian.
//!
//! ```text
//! offset size
//!      0    8  magic "WAYPDED1"
//!      8    8  directory id
//!     16       letters, each padded with zeros to a multiple of 8 bytes
//! ```
//!
//! ```text
//! offset size
//!      0    4  magic "WPD1"
//!      4    4  CRC32C of bytes 8.. to the end of the body
//!      8    4  length of the body, B
//!     12    2  length of the key, K
//!     14    1  stream, as in the journal
//!     15    1  reason: 1 too large
//!     16    8  sequence
//!     24    8  time of what it tells, µs since 1970
//!     32   16  id
//!     48    8  time at which it was set aside, µs since 1970
//!     56    K  key
//!   56+K    B  body
//! ```

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::clock::Timestamp;
use crate::disk::{Access, Disk};
use crate::journal::{DirectoryId, Position, Stored, Stream};

/// A frame that was set aside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeadLetter {
    /// Where it stood in the journal.
    pub position: Position,
    /// Its stream.
    pub stream: Stream,
    /// The wall time of what it tells.
    pub time: Timestamp,
    /// Its id.
    pub id: [u8; 16],
    /// When it was set aside.
    pub set_aside: Timestamp,
    /// Why, as a word.
    pub reason: &'static str,
    /// Its key; may be empty.
    pub key: Vec<u8>,
    /// Its bytes.
    pub body: Vec<u8>,
}

/// The dead letters of one directory, to be added to.
#[derive(Debug)]
pub(super) struct DeadLetters {
    disk: Arc<dyn Disk>,
    path: PathBuf,
    directory: DirectoryId,
    sequences: BTreeSet<u64>,
    /// Bytes of whole letters, with the head; 0 when there is no file.
    end: u64,
    /// A sync failed: what the file holds is uncertain, and it is written anew.
    is_doubtful: bool,
}

/// All dead letters in the journal's folder, by directory and in the order in which they were set
/// aside. Takes no lock: a letter that is being written is not yet there.
pub fn read(disk: &dyn Disk, folder: &Path) -> io::Result<Vec<DeadLetter>> {
    let mut letters = Vec::new();
    for entry in disk.list(folder)? {
        let name = entry.name.strip_suffix(SUFFIX).and_then(|name| name.parse().ok());
        if let Some(directory) = name.filter(|_| !entry.is_directory) {
            let bytes = disk.read(&folder.join(&entry.name), u64::MAX)?;
            letters.extend(parse(&bytes, directory)?.0);
        }
    }
    Ok(letters)
}

impl DeadLetters {
    /// Those of a directory; none when there is no file yet.
    pub(super) fn open(
        disk: Arc<dyn Disk>,
        folder: &Path,
        directory: DirectoryId,
    ) -> io::Result<Self> {
        let path = folder.join(format!("{directory}{SUFFIX}"));
        let (letters, end) = match disk.read(&path, u64::MAX) {
            Ok(bytes) => parse(&bytes, directory)?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => (Vec::new(), 0),
            Err(error) => return Err(error),
        };
        let sequences = letters.iter().map(|letter| letter.position.sequence).collect();
        let end = end as u64;
        Ok(Self { disk, path, directory, sequences, end, is_doubtful: false })
    }

    /// Puts a frame that is too large on stable storage, unless it is there.
    pub(super) fn add(&mut self, stored: &Stored<'_>, wall: Timestamp) -> io::Result<()> {
        if self.sequences.contains(&stored.sequence) && !self.is_doubtful {
            return Ok(());
        }
        let mut letter = Vec::new();
        encode(stored, wall, &mut letter);
        let written = self.append(&letter);
        // Whether a second sync of the same file would tell the truth is not known.
        self.is_doubtful = written.is_err();
        written?;
        self.sequences.insert(stored.sequence);
        Ok(())
    }

    /// How many there are before a sequence.
    pub(super) fn count_before(&self, sequence: u64) -> u64 {
        self.sequences.range(..sequence).count() as u64
    }

    fn append(&mut self, letter: &[u8]) -> io::Result<()> {
        let head = || {
            let mut head = FILE_MAGIC.to_vec();
            head.extend_from_slice(&self.directory.number().to_le_bytes());
            head
        };
        if self.end == 0 || self.is_doubtful {
            let mut whole = match self.end {
                0 => head(),
                end => {
                    let mut bytes = self.disk.read(&self.path, u64::MAX)?;
                    bytes.truncate(usize::try_from(end).unwrap_or(usize::MAX));
                    bytes
                }
            };
            whole.extend_from_slice(letter);
            self.disk.write_whole(&self.path, &whole)?;
            self.end = whole.len() as u64;
            return Ok(());
        }
        let file = self.disk.open(&self.path, Access::Write)?;
        file.write_at(letter, self.end)?;
        file.set_length(self.end + letter.len() as u64)?;
        file.sync()?;
        self.end += letter.len() as u64;
        Ok(())
    }
}

fn encode(stored: &Stored<'_>, wall: Timestamp, out: &mut Vec<u8>) {
    let frame = &stored.frame;
    let mut head = [0; HEAD];
    head[0..4].copy_from_slice(MAGIC);
    head[8..12].copy_from_slice(&(frame.body.len() as u32).to_le_bytes());
    head[12..14].copy_from_slice(&(frame.key.len() as u16).to_le_bytes());
    head[14] = frame.stream as u8;
    head[15] = TOO_LARGE;
    head[16..24].copy_from_slice(&stored.sequence.to_le_bytes());
    head[24..32].copy_from_slice(&frame.time.micros().to_le_bytes());
    head[32..48].copy_from_slice(&frame.id);
    head[48..56].copy_from_slice(&wall.micros().to_le_bytes());
    out.extend_from_slice(&head);
    out.extend_from_slice(frame.key);
    out.extend_from_slice(frame.body);
    let sum = crc32c::crc32c(&out[8..]);
    out[4..8].copy_from_slice(&sum.to_le_bytes());
    out.resize(out.len().next_multiple_of(ALIGN), 0);
}

/// The whole letters of a file, and where they end. A file that is not ours is an error: it is
/// not to be overwritten.
fn parse(bytes: &[u8], directory: DirectoryId) -> io::Result<(Vec<DeadLetter>, usize)> {
    let is_ours = bytes.starts_with(FILE_MAGIC)
        && bytes.get(8..FILE_HEAD) == Some(&directory.number().to_le_bytes());
    if !is_ours {
        let told = format!("the dead letters of {directory} are in no form that we know");
        return Err(io::Error::new(io::ErrorKind::InvalidData, told));
    }
    let mut letters = Vec::new();
    let mut end = FILE_HEAD;
    while let Some((letter, length)) = bytes.get(end..).and_then(|rest| letter(rest, directory)) {
        letters.push(letter);
        end += length;
    }
    Ok((letters, end))
}

fn letter(bytes: &[u8], directory: DirectoryId) -> Option<(DeadLetter, usize)> {
    let head = bytes.get(..HEAD)?;
    if !head.starts_with(MAGIC) {
        return None;
    }
    let key_length = usize::from(u16::from_le_bytes(array(head, 12)));
    let body_length = u32::from_le_bytes(array(head, 8)) as usize;
    let whole = bytes.get(..HEAD + key_length + body_length)?;
    if crc32c::crc32c(&whole[8..]) != u32::from_le_bytes(array(head, 4)) {
        return None;
    }
    let (key, body) = whole[HEAD..].split_at(key_length);
    let time = |at| Timestamp::from_micros(u64::from_le_bytes(array(head, at)));
    let letter = DeadLetter {
        position: Position { directory, sequence: u64::from_le_bytes(array(head, 16)) },
        stream: Stream::of(head[14])?,
        time: time(24),
        id: array(head, 32),
        set_aside: time(48),
        reason: if head[15] == TOO_LARGE { "too_large" } else { "unknown" },
        key: key.to_vec(),
        body: body.to_vec(),
    };
    Some((letter, whole.len().next_multiple_of(ALIGN)))
}

fn array<const N: usize>(bytes: &[u8], at: usize) -> [u8; N] {
    let mut array = [0; N];
    array.copy_from_slice(&bytes[at..at + N]);
    array
}

const SUFFIX: &str = ".dead";
const FILE_MAGIC: &[u8; 8] = b"WAYPDED1";
const FILE_HEAD: usize = 16;
const MAGIC: &[u8; 4] = b"WPD1";
const HEAD: usize = 56;
const ALIGN: usize = 8;
const TOO_LARGE: u8 = 1;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disk::SystemDisk;
    use crate::journal::Frame;

    const FOLDER_ID: &str = "0006471dcf1a2b3c";

    fn stored(sequence: u64, body: &[u8]) -> Stored<'_> {
        let time = Timestamp::from_seconds(3);
        let frame = Frame { stream: Stream::Audits, time, id: [7; 16], key: b"key", body };
        Stored { sequence, behind: 0, frame }
    }

    fn open(folder: &Path) -> DeadLetters {
        DeadLetters::open(Arc::new(SystemDisk), folder, FOLDER_ID.parse().unwrap()).unwrap()
    }

    fn bodies(folder: &Path) -> Vec<(u64, Vec<u8>)> {
        let letters = read(&SystemDisk, folder).unwrap();
        assert!(letters.iter().all(|letter| letter.reason == "too_large" && letter.key == b"key"));
        letters.into_iter().map(|letter| (letter.position.sequence, letter.body)).collect()
    }

    #[test]
    fn a_letter_is_read_back_and_a_frame_is_set_aside_once() {
        let folder = tempfile::tempdir().unwrap();
        let wall = Timestamp::from_seconds(9);
        assert_eq!(bodies(folder.path()), []);
        let mut letters = open(folder.path());
        letters.add(&stored(4, b"four"), wall).unwrap();
        letters.add(&stored(9, b"nine!"), wall).unwrap();
        letters.add(&stored(4, b"four"), wall).unwrap();
        open(folder.path()).add(&stored(9, b"nine!"), wall).unwrap();
        assert_eq!(bodies(folder.path()), [(4, b"four".to_vec()), (9, b"nine!".to_vec())]);
        assert_eq!((letters.count_before(9), letters.count_before(10)), (1, 2));
    }

    #[test]
    fn a_letter_that_was_cut_anywhere_is_overwritten_by_the_next() {
        let folder = tempfile::tempdir().unwrap();
        let disk: &dyn Disk = &SystemDisk;
        let wall = Timestamp::from_seconds(9);
        open(folder.path()).add(&stored(4, b"four"), wall).unwrap();
        let path = folder.path().join(format!("{FOLDER_ID}.dead"));
        let whole = disk.read(&path, u64::MAX).unwrap();
        let mut letters = open(folder.path());
        letters.add(&stored(5, b"fifth"), wall).unwrap();
        let both = disk.read(&path, u64::MAX).unwrap();
        for cut in whole.len()..both.len() {
            disk.write_whole(&path, &both[..cut]).unwrap();
            open(folder.path()).add(&stored(6, b"six"), wall).unwrap();
            let found = bodies(folder.path());
            let expected = [(4, b"four".to_vec()), (6, b"six".to_vec())];
            // The zeros behind a letter are not needed to read it.
            let is_whole = cut >= both.len() - (both.len() - whole.len() - HEAD - 3 - 5);
            assert!(is_whole || found == expected, "cut at {cut}: {found:?}");
        }
    }

    #[test]
    fn a_file_of_another_form_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(format!("{FOLDER_ID}.dead"));
        (&SystemDisk as &dyn Disk).write_whole(&path, b"WAYPDED2 something newer").unwrap();
        let id = FOLDER_ID.parse().unwrap();
        assert!(DeadLetters::open(Arc::new(SystemDisk), folder.path(), id).is_err());
    }
}
