//! The folder of keys as it was last read: each file judged for itself.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use super::KeyringError;
use super::key::{Key, KeyError, KeyId};
use crate::disk::Disk;

/// What was found in a folder.
#[derive(Debug, Default)]
pub(super) struct Folder {
    /// The keys, by their ids.
    pub(super) keys: BTreeMap<KeyId, Key>,
    /// The files that hold no key that can be read, with the reason of each.
    pub(super) faults: Vec<Fault>,
}

/// A key file that cannot be read. The other keys are not concerned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The file.
    pub file: PathBuf,
    /// What is wrong with it.
    pub reason: String,
}

impl Folder {
    /// Reads every file of `path`. One that cannot be read is a fault, and when it was read
    /// before, its key stays as it was in `last`: a damaged file kills no link.
    pub(super) fn read(disk: &dyn Disk, path: &Path, last: &Self) -> Result<Self, KeyringError> {
        let wrong = |source: io::Error| match source.kind() {
            io::ErrorKind::NotFound => KeyringError::Missing(path.to_owned()),
            _ => KeyringError::Folder { folder: path.to_owned(), source },
        };
        let mut folder = Self::default();
        for entry in disk.list(path).map_err(wrong)? {
            let Some(name) = entry.name.strip_suffix(SUFFIX).filter(|_| !entry.is_directory) else {
                continue;
            };
            let file = path.join(&entry.name);
            match key(disk, &file, name) {
                Ok(Some(key)) => drop(folder.keys.insert(key.id, key)),
                Ok(None) => {}
                Err(error) => {
                    if let Some(key) = name.parse().ok().and_then(|id| last.keys.get(&id)) {
                        folder.keys.insert(key.id, key.again());
                    }
                    folder.faults.push(Fault { file, reason: error.reason() });
                }
            }
        }
        Ok(folder)
    }

    /// Whether nothing that matters differs from `other`.
    pub(super) fn is_as(&self, other: &Self) -> bool {
        self.faults == other.faults
            && self.keys.len() == other.keys.len()
            && self.keys.values().zip(other.keys.values()).all(|(one, other)| one.is_as(other))
    }
}

/// The file of a key.
pub(super) fn file(folder: &Path, id: KeyId) -> PathBuf {
    folder.join(format!("{id}{SUFFIX}"))
}

/// Reads one key file; `None` when it is gone.
pub(super) fn key(disk: &dyn Disk, file: &Path, name: &str) -> Result<Option<Key>, KeyringError> {
    let bytes = match disk.read(file, MAX_FILE) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        read => Zeroizing::new(
            read.map_err(|source| KeyringError::File { file: file.to_owned(), source })?,
        ),
    };
    let named = |key: Key| {
        let expected: KeyId = name.parse()?;
        if key.id == expected { Ok(Some(key)) } else { Err(KeyError::Id(key.id.to_string())) }
    };
    let wrong = |source| KeyringError::Key { file: file.to_owned(), source };
    Key::parse(&bytes).and_then(named).map_err(wrong)
}

const SUFFIX: &str = ".json";
const MAX_FILE: u64 = 4_096;
