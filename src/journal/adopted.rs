//! Directories of processes that are gone: held by their locks, read, and deleted once everything
//! in them is acknowledged further on.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::cursor;
use super::directory::{self, DirectoryId, Held, SegmentFile};
use super::salvage;
use super::segment::HeaderFault;
use crate::disk::Disk;

/// The adopted directories, oldest first. Cloning shares them.
#[derive(Clone, Debug)]
pub(super) struct Adopted {
    held: Arc<Mutex<Vec<Held>>>,
}

impl Adopted {
    pub(super) fn new(held: Vec<Held>) -> Self {
        Self { held: Arc::new(Mutex::new(held)) }
    }

    /// Adopts what has become free in the journal's folder; `own` is never free.
    pub(super) fn look(&self, disk: &dyn Disk, folder: &Path, own: DirectoryId) -> io::Result<()> {
        let known: Vec<_> = self.list().into_iter().map(|(id, _)| id).chain([own]).collect();
        let free = directory::free(disk, folder, &known)?;
        let mut held = self.lock();
        held.extend(free);
        held.sort_by_key(|held| held.id);
        Ok(())
    }

    pub(super) fn list(&self) -> Vec<(DirectoryId, PathBuf)> {
        self.lock().iter().map(|held| (held.id, held.path.clone())).collect()
    }

    /// Deletes a directory with all that we wrote into it. What we did not write, or cannot read,
    /// stays, and the directory with it: then it stays adopted too.
    pub(super) fn discard(&self, disk: &dyn Disk, id: DirectoryId) -> io::Result<()> {
        let Some((_, path)) = self.list().into_iter().find(|(of, _)| *of == id) else {
            return Ok(());
        };
        for file in directory::segments(disk, id, &path)? {
            if is_ours(disk, id, &file)? {
                remove(disk, &file.path)?;
                // One by one, so that no power cut brings one back whose successor is gone.
                disk.sync_directory(&path)?;
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
        self.lock().retain(|held| held.id != id);
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Held>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether we surely wrote a segment: it is begun, or holds a frame of ours, or is blank.
fn is_ours(disk: &dyn Disk, id: DirectoryId, file: &SegmentFile) -> io::Result<bool> {
    match file.header {
        Ok(_) => Ok(true),
        Err(HeaderFault::Foreign { .. } | HeaderFault::Unknown) => Ok(false),
        Err(HeaderFault::Blank) if directory::is_blank(disk, &file.path)? => Ok(true),
        Err(_) => Ok(salvage::first(disk, id, file)?.is_some()),
    }
}

fn remove(disk: &dyn Disk, path: &Path) -> io::Result<()> {
    match disk.remove(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}
