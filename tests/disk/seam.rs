//! What a process may ask of the disk.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use waypost::disk::{Access, BLOCK, Disk, DiskFile, DiskLock, Entry};

use super::machine::{CrashDisk, Failure};
use super::names::Node;

impl Disk for CrashDisk {
    fn create_directory(&self, path: &Path) -> io::Result<()> {
        let mut made: Vec<_> = Vec::new();
        for path in path.ancestors() {
            if self.ask()?.names.find(path).is_some() {
                break;
            }
            made.push(path);
        }
        for path in made.into_iter().rev() {
            let mut machine = self.ask()?;
            machine.names.make(path, Node::Directory);
            self.changed(machine)?;
            self.sync_directory(path.parent().unwrap())?;
        }
        Ok(())
    }

    fn sync_directory(&self, path: &Path) -> io::Result<()> {
        let mut machine = self.ask()?;
        if machine.names.find(path) != Some(Node::Directory) {
            return Err(io::ErrorKind::NotFound.into());
        }
        if machine.fails(Failure::SyncDirectory) {
            return Err(io::Error::other("EIO"));
        }
        if machine.lies.skips_directory_sync {
            return Ok(());
        }
        machine.names.sync(path);
        self.changed(machine)
    }

    fn list(&self, path: &Path) -> io::Result<Vec<Entry>> {
        let machine = self.ask()?;
        if machine.names.find(path) != Some(Node::Directory) {
            return Err(io::ErrorKind::NotFound.into());
        }
        let mut entries: Vec<_> = machine
            .names
            .iter()
            .filter(|(name, _)| name.parent() == Some(path))
            .map(|(name, node)| {
                let name = name.file_name().unwrap().to_str().unwrap().to_owned();
                let (is_directory, bytes, modified) = match node {
                    Node::Directory => (true, 0, machine.wall),
                    Node::File(index) => {
                        let file = &machine.files[index];
                        (false, file.seen.len() as u64, file.modified)
                    }
                };
                Entry { name, is_directory, bytes, modified }
            })
            .collect();
        entries.sort_by(|one, other| one.name.cmp(&other.name));
        let segments = entries.iter().filter(|entry| entry.name.ends_with(".segment")).count();
        if machine.lies.hides_newest && segments > 2 {
            let mut kept = segments - 2;
            entries.retain(|entry| {
                let is_segment = entry.name.ends_with(".segment");
                let is_kept = !is_segment || kept > 0;
                kept = kept.saturating_sub(usize::from(is_segment));
                is_kept
            });
        }
        Ok(entries)
    }

    fn create(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        let mut machine = self.ask()?;
        if machine.fails(Failure::Create) || machine.room_for(1) == 0 {
            return Err(io::ErrorKind::StorageFull.into());
        }
        if machine.names.find(path).is_some() {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        if machine.names.find(path.parent().unwrap()) != Some(Node::Directory) {
            return Err(io::ErrorKind::NotFound.into());
        }
        let index = machine.make_file(path);
        self.changed(machine)?;
        Ok(Box::new(CrashFile { disk: self.clone(), index }))
    }

    fn open(&self, path: &Path, _access: Access) -> io::Result<Box<dyn DiskFile>> {
        let machine = self.ask()?;
        let index = machine.file(path).ok_or(io::ErrorKind::NotFound)?;
        Ok(Box::new(CrashFile { disk: self.clone(), index }))
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        let mut machine = self.ask()?;
        machine.file(path).ok_or(io::ErrorKind::NotFound)?;
        machine.names.remove(path);
        self.changed(machine)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut machine = self.ask()?;
        machine.file(from).ok_or(io::ErrorKind::NotFound)?;
        machine.names.rename(from, to);
        self.changed(machine)
    }

    fn lock(&self, path: &Path) -> io::Result<Option<DiskLock>> {
        let mut machine = self.ask()?;
        if machine.locks.contains_key(path) && !machine.lies.shares_locks {
            return Ok(None);
        }
        if machine.file(path).is_none() {
            machine.make_file(path);
        }
        machine.locks.insert(path.to_owned(), self.process);
        let unlock = Unlock { disk: self.clone(), path: path.to_owned() };
        self.changed(machine)?;
        Ok(Some(DiskLock::new(unlock)))
    }
}

impl fmt::Debug for CrashDisk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CrashDisk")
    }
}

#[derive(Debug)]
struct Unlock {
    disk: CrashDisk,
    path: PathBuf,
}

impl Drop for Unlock {
    fn drop(&mut self) {
        let mut machine = self.disk.lock();
        if machine.locks.get(&self.path) == Some(&self.disk.process) {
            machine.locks.remove(&self.path);
        }
    }
}

#[derive(Debug)]
struct CrashFile {
    disk: CrashDisk,
    index: usize,
}

impl DiskFile for CrashFile {
    fn read_at(&self, into: &mut [u8], offset: u64) -> io::Result<usize> {
        let mut machine = self.disk.ask()?;
        if machine.fails(Failure::Read) {
            return Err(io::Error::other("EIO"));
        }
        let end = offset + into.len() as u64;
        let is_spoilt = |(file, block): &(usize, u64)| {
            *file == self.index && *block < end && offset < block + BLOCK as u64
        };
        if machine.spoilt.iter().any(is_spoilt) {
            return Err(io::Error::other("EIO"));
        }
        let seen = &machine.files[self.index].seen;
        let rest = seen.get(offset as usize..).unwrap_or_default();
        let count = rest.len().min(into.len());
        into[..count].copy_from_slice(&rest[..count]);
        Ok(count)
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        let mut machine = self.disk.ask()?;
        let offset = offset as usize;
        let mut count = bytes.len();
        if machine.fails(Failure::Write) {
            count = machine.part(count.saturating_sub(1));
        }
        let length = machine.files[self.index].seen.len();
        let growth = (offset + count).saturating_sub(length);
        count -= growth - machine.room_for(growth);
        let wall = machine.wall;
        let content = &mut machine.files[self.index];
        content.modified = wall;
        content.write(offset, &bytes[..count]);
        self.disk.changed(machine)?;
        if count < bytes.len() { Err(io::ErrorKind::StorageFull.into()) } else { Ok(()) }
    }

    fn sync(&self) -> io::Result<()> {
        self.disk.hanging.pass();
        let mut machine = self.disk.ask()?;
        if machine.fails(Failure::Sync) {
            let fates = machine.fates();
            machine.files[self.index].fail_sync(fates);
            return Err(io::Error::other("EIO"));
        }
        if !machine.lies.skips_sync {
            machine.files[self.index].sync();
        }
        self.disk.changed(machine)
    }

    fn set_length(&self, length: u64) -> io::Result<()> {
        let mut machine = self.disk.ask()?;
        machine.files[self.index].set_length(length as usize);
        self.disk.changed(machine)
    }

    fn length(&self) -> io::Result<u64> {
        Ok(self.disk.ask()?.files[self.index].seen.len() as u64)
    }
}
