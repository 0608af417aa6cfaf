//! A disk that costs nothing.

use std::io;
use std::path::Path;

use waypost::disk::{Access, Disk, DiskFile, DiskLock, Entry};

/// A disk that takes everything and keeps nothing.
#[derive(Debug)]
pub(crate) struct Nowhere;

impl Disk for Nowhere {
    fn create_directory(&self, _: &Path) -> io::Result<()> {
        Ok(())
    }

    fn sync_directory(&self, _: &Path) -> io::Result<()> {
        Ok(())
    }

    fn list(&self, _: &Path) -> io::Result<Vec<Entry>> {
        Ok(Vec::new())
    }

    fn create(&self, _: &Path) -> io::Result<Box<dyn DiskFile>> {
        Ok(Box::new(Self))
    }

    fn open(&self, _: &Path, _: Access) -> io::Result<Box<dyn DiskFile>> {
        Err(io::ErrorKind::NotFound.into())
    }

    fn remove(&self, _: &Path) -> io::Result<()> {
        Ok(())
    }

    fn rename(&self, _: &Path, _: &Path) -> io::Result<()> {
        Ok(())
    }

    fn lock(&self, _: &Path) -> io::Result<Option<DiskLock>> {
        Ok(Some(DiskLock::new(())))
    }
}

impl DiskFile for Nowhere {
    fn read_at(&self, _: &mut [u8], _: u64) -> io::Result<usize> {
        Ok(0)
    }

    fn write_at(&self, _: &[u8], _: u64) -> io::Result<()> {
        Ok(())
    }

    fn sync(&self) -> io::Result<()> {
        Ok(())
    }

    fn set_length(&self, _: u64) -> io::Result<()> {
        Ok(())
    }

    fn length(&self) -> io::Result<u64> {
        Ok(0)
    }
}
