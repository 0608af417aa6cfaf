//! Directories of processes that are gone: held by their locks, read, and deleted once everything
//! in them is acknowledged further on.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::cursor::{self, Cursor};
use super::directory::{self, DirectoryId, Held};
use super::segment::HeaderFault;
use crate::disk::Disk;

/// The adopted directories, oldest first. Cloning shares them.
#[derive(Clone, Debug, Default)]
pub(super) struct Adopted {
    held: Arc<Mutex<Vec<Adoptee>>>,
}

#[derive(Debug)]
struct Adoptee {
    directory: Held,
    /// The first sequence that is still needed further on.
    needed: u64,
}

impl Adopted {
    /// Adopts directories whose locks are held.
    pub(super) fn adopt(&self, disk: &Arc<dyn Disk>, held: Vec<Held>) -> io::Result<()> {
        for directory in held {
            let cursor = Cursor::open(Arc::clone(disk), &directory.path, directory.id)?;
            self.lock().push(Adoptee { needed: cursor.position(), directory });
        }
        self.lock().sort_by_key(|adoptee| adoptee.directory.id);
        Ok(())
    }

    /// Adopts what has become free in the journal's folder; `own` is never free.
    pub(super) fn look(
        &self,
        disk: &Arc<dyn Disk>,
        folder: &Path,
        own: DirectoryId,
    ) -> io::Result<()> {
        let known: Vec<_> = self.list().into_iter().map(|(id, _)| id).chain([own]).collect();
        self.adopt(disk, directory::free(&**disk, folder, &known)?)
    }

    pub(super) fn list(&self) -> Vec<(DirectoryId, PathBuf)> {
        let lock = self.lock();
        lock.iter().map(|of| (of.directory.id, of.directory.path.clone())).collect()
    }

    /// Says that everything before `sequence` has been acknowledged.
    pub(super) fn acknowledged(&self, id: DirectoryId, sequence: u64) {
        if let Some(of) = self.lock().iter_mut().find(|of| of.directory.id == id) {
            of.needed = of.needed.max(sequence);
        }
    }

    /// The first sequence of a directory that is still needed.
    pub(super) fn needed(&self, id: DirectoryId) -> u64 {
        self.lock().iter().find(|of| of.directory.id == id).map_or(1, |of| of.needed)
    }

    /// Deletes a directory with all that we wrote into it. What we did not write, or cannot read,
    /// stays, and the directory with it: then it stays adopted too.
    pub(super) fn discard(&self, disk: &dyn Disk, id: DirectoryId) -> io::Result<()> {
        let Some((_, path)) = self.list().into_iter().find(|(of, _)| *of == id) else {
            return Ok(());
        };
        for file in directory::segments(disk, id, &path)? {
            if matches!(file.header, Ok(_) | Err(HeaderFault::Blank)) {
                remove(disk, &file.path)?;
            }
        }
        let ours = |name: &str| name == directory::LOCK || name.starts_with(cursor::NAME);
        let rest = disk.list(&path)?;
        if rest.iter().any(|entry| !ours(&entry.name)) {
            tracing::warn!(directory = %id, "kept an adopted directory: not all in it is ours");
            return Ok(());
        }
        // The cursor goes after all that it speaks of, the lock last.
        for entry in rest.iter().filter(|entry| entry.name != directory::LOCK) {
            remove(disk, &path.join(&entry.name))?;
        }
        remove(disk, &path.join(directory::LOCK))?;
        remove(disk, &path)?;
        self.lock().retain(|of| of.directory.id != id);
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Adoptee>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn remove(disk: &dyn Disk, path: &Path) -> io::Result<()> {
    match disk.remove(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}
