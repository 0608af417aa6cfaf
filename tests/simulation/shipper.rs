//! What takes events further on: reads each directory of a process, and acknowledges.

use std::io;
use std::sync::Arc;

use waypost::disk::Disk;
use waypost::journal::{Cursor, DirectoryId, Journal, Reader};

use crate::disk::CrashDisk;
use crate::oracle::{FOLDER, Oracle};
use crate::random::Random;

pub(crate) struct Shipper(Vec<Lane>);

/// One directory.
struct Lane {
    directory: DirectoryId,
    reader: Reader,
    cursor: Cursor,
}

impl Shipper {
    pub(crate) fn new(disk: &CrashDisk, journal: &Journal) -> io::Result<Self> {
        let disk: Arc<dyn Disk> = Arc::new(disk.clone());
        let mut lanes = Vec::new();
        for (directory, path) in journal.adopted() {
            let cursor = Cursor::open(Arc::clone(&disk), &path, directory)?;
            let from = cursor.position();
            let reader = Reader::outside(Arc::clone(&disk), directory, &path, from);
            lanes.push(Lane { directory, reader, cursor });
        }
        let directory = journal.directory();
        let path = std::path::Path::new(FOLDER).join(directory.to_string());
        let cursor = Cursor::open(disk, &path, directory)?;
        let reader = journal.reader(cursor.position());
        lanes.push(Lane { directory, reader, cursor });
        Ok(Self(lanes))
    }

    /// Takes some events of one directory, and sometimes acknowledges what was taken of it.
    pub(crate) fn ship(
        &mut self,
        journal: &Journal,
        oracle: &mut Oracle,
        random: &mut Random,
    ) -> Result<u64, String> {
        let count = self.0.len();
        let Lane { directory, reader, cursor } = &mut self.0[random.below(count)];
        let mut shipped = 0;
        for _ in 0..random.below(12) {
            // A disk that refuses to be read is asked again another time.
            let Ok(Some(stored)) = reader.read() else { break };
            oracle.shipped(*directory, stored.sequence, stored.frame.body)?;
            shipped += 1;
        }
        let is_kept = random.below(2) == 0 && cursor.advance(reader.position()).is_ok();
        if is_kept && *directory == journal.directory() {
            journal.acknowledged(reader.position());
        }
        Ok(shipped)
    }
}
