//! A directory of the journal while it is shipped.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use super::courier::Event;
use super::dead::DeadLetters;
use super::shipping::Shipper;
use crate::journal::{Cursor, DirectoryId, Reader};

/// What is read, and what is kept of how far it is shipped.
#[derive(Debug)]
pub(super) struct Directory {
    pub(super) id: DirectoryId,
    pub(super) place: Place,
    pub(super) cursor: Cursor,
    pub(super) dead: DeadLetters,
}

/// Where the frames are.
#[derive(Debug)]
pub(super) struct Place {
    id: DirectoryId,
    path: PathBuf,
    reader: Option<Reader>,
}

impl Directory {
    /// Our own directory, or one that was adopted.
    pub(super) fn open(shipper: &Shipper, id: DirectoryId) -> io::Result<Self> {
        let adopted = shipper.journal.adopted().into_iter().find(|(of, _)| *of == id);
        let path = adopted.map_or_else(|| shipper.journal.path().to_owned(), |(_, path)| path);
        let cursor = Cursor::open(Arc::clone(&shipper.disk), &path, id)?;
        let dead = DeadLetters::open(Arc::clone(&shipper.disk), &shipper.folder, id)?;
        Ok(Self { id, place: Place { id, path, reader: None }, cursor, dead })
    }
}

impl Place {
    /// What the last look found, which was no frame.
    pub(super) fn nothing(&self) -> Event {
        match &self.reader {
            // Nothing is being written below the durable position, nor by a process that is gone:
            // the next look passes over what cannot be read.
            Some(reader) if reader.is_in_doubt() => Event::Passed { next: reader.position() },
            Some(reader) => Event::NoFrame { next: reader.position() },
            None => Event::Woken,
        }
    }

    /// Frames that were passed over since they cannot be read.
    pub(super) fn skipped(&self) -> u64 {
        self.reader.as_ref().map_or(0, Reader::skipped)
    }

    /// A reader whose next frame is the first from `from` on.
    pub(super) fn reader(&mut self, shipper: &Shipper, from: u64) -> &mut Reader {
        if self.reader.as_ref().is_some_and(|reader| reader.position() != from) {
            self.reader = None;
        }
        let (id, path) = (self.id, &self.path);
        self.reader.get_or_insert_with(|| {
            if id == shipper.journal.directory() {
                shipper.journal.reader(from)
            } else {
                Reader::outside(Arc::clone(&shipper.disk), id, path, from)
            }
        })
    }
}
