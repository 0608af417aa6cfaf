//! How far a directory's frames have been acknowledged further on, on disk.
//!
//! ```text
//! offset size
//!      0    8  magic "WAYPCUR1"
//!      8    8  directory id
//!     16    8  the first sequence that is not acknowledged
//!     24    4  CRC32C of bytes 0..24
//! ```
//!
//! It is replaced as a whole, so a crash leaves the old one or the new one. One that is missing
//! or damaged reads as the beginning: frames are then sent again, which consumers expect, and
//! never skipped.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::directory::DirectoryId;
use crate::disk::{Access, Disk};

/// The acknowledged position of one directory.
#[derive(Debug)]
pub struct Cursor {
    disk: Arc<dyn Disk>,
    path: PathBuf,
    directory: DirectoryId,
    position: u64,
    is_damaged: bool,
    is_new: bool,
}

impl Cursor {
    /// Reads the cursor in a directory.
    pub fn open(disk: Arc<dyn Disk>, path: &Path, directory: DirectoryId) -> io::Result<Self> {
        let path = path.join(NAME);
        let mut is_new = false;
        let position = match disk.open(&path, Access::Read) {
            Ok(file) => {
                // One more than a cursor has, so that one that is too long is seen.
                let mut bytes = [0; LENGTH + 1];
                let count = file.read_at(&mut bytes, 0)?;
                decode(&bytes[..count], directory)
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                is_new = true;
                Some(FIRST)
            }
            Err(error) => return Err(error),
        };
        let is_damaged = position.is_none();
        let position = position.unwrap_or(FIRST);
        Ok(Self { disk, path, directory, position, is_damaged, is_new })
    }

    /// Puts the position on stable storage. A position before the present one is ignored: what
    /// was acknowledged stays so.
    pub fn advance(&mut self, position: u64) -> io::Result<()> {
        if position <= self.position {
            return Ok(());
        }
        self.disk.write_whole(&self.path, &encode(self.directory, position))?;
        self.position = position;
        self.is_new = false;
        Ok(())
    }

    /// Whether the file was there and could not be understood, so that it reads as the beginning.
    pub fn is_damaged(&self) -> bool {
        self.is_damaged
    }

    /// Whether nothing of the directory was ever acknowledged further on.
    pub fn is_new(&self) -> bool {
        self.is_new
    }

    /// The first sequence that is not acknowledged.
    pub fn position(&self) -> u64 {
        self.position
    }
}

fn encode(directory: DirectoryId, position: u64) -> [u8; LENGTH] {
    let mut bytes = [0; LENGTH];
    bytes[..8].copy_from_slice(MAGIC);
    bytes[8..16].copy_from_slice(&directory.0.to_le_bytes());
    bytes[16..24].copy_from_slice(&position.to_le_bytes());
    let sum = crc32c::crc32c(&bytes[..24]);
    bytes[24..].copy_from_slice(&sum.to_le_bytes());
    bytes
}

fn decode(bytes: &[u8], directory: DirectoryId) -> Option<u64> {
    let position = u64::from_le_bytes(bytes.get(16..24)?.try_into().ok()?);
    (*bytes == encode(directory, position)).then_some(position)
}

pub(super) const NAME: &str = "cursor";
const MAGIC: &[u8; 8] = b"WAYPCUR1";
const LENGTH: usize = 28;
const FIRST: u64 = 1;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disk::SystemDisk;

    #[test]
    fn a_cursor_survives_reopening_and_never_goes_back() {
        let folder = tempfile::tempdir().unwrap();
        let disk: Arc<dyn Disk> = Arc::new(SystemDisk);
        let open = || Cursor::open(Arc::clone(&disk), folder.path(), DirectoryId(7)).unwrap();
        assert_eq!((open().position(), open().is_new()), (1, true));
        open().advance(40).unwrap();
        open().advance(39).unwrap();
        assert_eq!((open().position(), open().is_new()), (40, false));
        let other = Cursor::open(Arc::clone(&disk), folder.path(), DirectoryId(8)).unwrap();
        assert_eq!(other.position(), 1, "the cursor of another directory is none here");
    }

    #[test]
    fn a_damaged_cursor_starts_over_and_skips_nothing() {
        let bytes = encode(DirectoryId(7), 40);
        for bit in 0..LENGTH * 8 {
            let mut flipped = bytes;
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(decode(&flipped, DirectoryId(7)), None, "bit {bit}");
        }
        for length in (0..LENGTH).chain([LENGTH + 1, 5_000]) {
            let folder = tempfile::tempdir().unwrap();
            let disk: Arc<dyn Disk> = Arc::new(SystemDisk);
            let mut other = bytes.to_vec();
            other.resize(length, 0);
            disk.write_whole(&folder.path().join(NAME), &other).unwrap();
            let cursor = Cursor::open(disk, folder.path(), DirectoryId(7)).unwrap();
            assert_eq!(cursor.position(), FIRST, "{length} bytes");
        }
    }
}
