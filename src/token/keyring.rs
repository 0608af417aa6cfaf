//! The keys of a folder: several open, one seals.

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arc_swap::ArcSwap;
use thiserror::Error;

use super::key::{Key, KeyError, KeyId};
use super::payload::Claims;
use super::seal::{self, SALT, SealError};
use crate::clock::Timestamp;
use crate::disk::Disk;
use crate::hostname::Hostname;

/// The keys in a folder, one file each (`<id>.json`). Cloning shares them.
#[derive(Clone)]
pub struct Keyring {
    disk: Arc<dyn Disk>,
    folder: PathBuf,
    keys: Arc<ArcSwap<BTreeMap<KeyId, Key>>>,
}

impl Keyring {
    /// Reads the keys of a folder, made if missing.
    pub fn load(disk: Arc<dyn Disk>, folder: &Path) -> Result<Self, KeyringError> {
        disk.create_directory(folder)
            .map_err(|source| KeyringError::Folder { folder: folder.to_owned(), source })?;
        Self::load_existing(disk, folder)
    }

    /// Reads the keys of a folder that is there: a mistyped name makes none.
    pub fn load_existing(disk: Arc<dyn Disk>, folder: &Path) -> Result<Self, KeyringError> {
        let keys = read(&*disk, folder)?;
        let keys = Arc::new(ArcSwap::from_pointee(keys));
        Ok(Self { disk, folder: folder.to_owned(), keys })
    }

    /// Reads the folder again; true when a key came, went or was refused. When a file cannot be
    /// read, all keys stay as they were. A key whose file is gone opens nothing any more.
    pub fn reload(&self) -> Result<bool, KeyringError> {
        let keys = read(&*self.disk, &self.folder)?;
        let state = |keys: &BTreeMap<KeyId, Key>| -> Vec<_> {
            keys.values().map(|key| (key.id, key.created, key.refused_from)).collect()
        };
        let changed = state(&keys) != state(&self.keys.load());
        if changed {
            self.keys.store(Arc::new(keys));
        }
        Ok(changed)
    }

    /// Makes a new key, which seals from now on, and keeps it in the folder.
    pub fn create(&self, now: Timestamp) -> Result<KeyId, KeyringError> {
        let key = Key::random(now)
            .map_err(|source| KeyringError::Key { file: self.folder.clone(), source })?;
        self.keep(&key)?;
        self.reload()?;
        Ok(key.id)
    }

    /// Refuses a key from a time on.
    pub fn refuse(&self, id: KeyId, from: Timestamp) -> Result<(), KeyringError> {
        let path = self.path(id);
        let unreadable = |source| KeyringError::File { file: path.clone(), source };
        let bytes = match self.disk.read(&path, MAX_FILE) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(KeyringError::Unknown { id, folder: self.folder.clone() });
            }
            bytes => bytes.map_err(unreadable)?,
        };
        let wrong = |source| KeyringError::Key { file: path.clone(), source };
        let mut key = Key::parse(&bytes).map_err(wrong)?;
        key.refused_from = Some(from);
        self.keep(&key)?;
        self.reload().map(drop)
    }

    /// Every key's id, making and refusal, oldest first.
    pub fn list(&self) -> Vec<(KeyId, Timestamp, Option<Timestamp>)> {
        let keys = self.keys.load();
        let mut list: Vec<_> =
            keys.values().map(|key| (key.id, key.created, key.refused_from)).collect();
        list.sort_by_key(|(id, created, _)| (*created, *id));
        list
    }

    /// The key that seals at `now`: the newest that is not refused, those that are to be refused
    /// later only when there is no other.
    pub fn sealing_key(&self, now: Timestamp) -> Option<KeyId> {
        let keys = self.keys.load();
        let open = keys.values().filter(|key| !key.is_refused(now));
        open.max_by_key(|key| (key.refused_from.is_none(), key.created, key.id)).map(|key| key.id)
    }

    /// Mints a token for `host`.
    pub fn seal(
        &self,
        claims: &Claims<'_>,
        host: &Hostname,
        now: Timestamp,
    ) -> Result<String, SealError> {
        let mut salt = [0; SALT];
        aws_lc_rs::rand::fill(&mut salt).map_err(|_| SealError::Cipher)?;
        self.seal_with_salt(claims, host, now, salt)
    }

    /// Mints a token with a given salt, as vectors need it. A salt must never seal two tokens.
    pub fn seal_with_salt(
        &self,
        claims: &Claims<'_>,
        host: &Hostname,
        now: Timestamp,
        salt: [u8; SALT],
    ) -> Result<String, SealError> {
        let id = self.sealing_key(now).ok_or(SealError::NoKey)?;
        let keys = self.keys.load();
        seal::seal(keys.get(&id).ok_or(SealError::NoKey)?, claims, host, salt)
    }

    /// Opens a token that was sealed for `host`. What it returns borrows from `buffer`, whose
    /// content does not matter.
    pub fn open<'a>(
        &self,
        token: &str,
        host: &Hostname,
        now: Timestamp,
        buffer: &'a mut Vec<u8>,
    ) -> Result<Claims<'a>, OpenError> {
        let head = seal::head(token, buffer).ok_or(OpenError::Malformed)?;
        let keys = self.keys.load();
        let key = keys.get(&head.key).ok_or(OpenError::UnknownKey(head.key))?;
        if key.is_refused(now) {
            return Err(OpenError::RefusedKey(head.key));
        }
        let claims = seal::open(key, &head, host, buffer).ok_or(OpenError::Forged)?;
        claims.map_err(|_| OpenError::Malformed)
    }

    fn keep(&self, key: &Key) -> Result<(), KeyringError> {
        let file = self.path(key.id);
        let wrong = |source| KeyringError::File { file: file.clone(), source };
        self.disk.write_whole(&file, &key.file()).map_err(wrong)
    }

    fn path(&self, id: KeyId) -> PathBuf {
        self.folder.join(format!("{id}{SUFFIX}"))
    }
}

impl fmt::Debug for Keyring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keyring").field("folder", &self.folder).finish_non_exhaustive()
    }
}

/// Why a token opens nothing. Told to operators; whoever sent it learns only that nothing is here.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum OpenError {
    /// Changed, or sealed for another host or with another key.
    #[error("the token was changed, or was sealed for another host")]
    Forged,
    /// Not a token of a version that we know.
    #[error("this is no token")]
    Malformed,
    /// Sealed with a key that is refused.
    #[error("the token's key {0} is refused")]
    RefusedKey(KeyId),
    /// Sealed with a key that we do not hold, or not yet.
    #[error("the token's key {0} is not among the keys")]
    UnknownKey(KeyId),
}

/// Why keys could not be read or kept: the operator's to mend.
#[derive(Debug, Error)]
pub enum KeyringError {
    /// A file could not be read or written.
    #[error("the key file {}: {source}", file.display())]
    File {
        /// The file.
        file: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The folder could not be read or made.
    #[error("the key folder {}: {source}", folder.display())]
    Folder {
        /// The folder.
        folder: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A file holds no key.
    #[error("the key file {}: {source}", file.display())]
    Key {
        /// The file.
        file: PathBuf,
        /// What is wrong with it.
        source: KeyError,
    },
    /// There is no folder of keys.
    #[error(
        "there is no key folder {}: make a key with `waypost key new`, or start `waypost dev`",
        .0.display()
    )]
    Missing(PathBuf),
    /// There is no such key.
    #[error("there is no key {id} in {}", folder.display())]
    Unknown {
        /// The id that was asked for.
        id: KeyId,
        /// The folder of keys.
        folder: PathBuf,
    },
}

fn read(disk: &dyn Disk, folder: &Path) -> Result<BTreeMap<KeyId, Key>, KeyringError> {
    let wrong = |source: io::Error| match source.kind() {
        io::ErrorKind::NotFound => KeyringError::Missing(folder.to_owned()),
        _ => KeyringError::Folder { folder: folder.to_owned(), source },
    };
    let mut keys = BTreeMap::new();
    for entry in disk.list(folder).map_err(wrong)? {
        let Some(name) = entry.name.strip_suffix(SUFFIX).filter(|_| !entry.is_directory) else {
            continue;
        };
        let file = folder.join(&entry.name);
        let bytes = disk
            .read(&file, MAX_FILE)
            .map_err(|source| KeyringError::File { file: file.clone(), source })?;
        let key = Key::parse(&zeroize::Zeroizing::new(bytes))
            .and_then(|key| {
                let expected: KeyId = name.parse()?;
                if key.id == expected { Ok(key) } else { Err(KeyError::Id(key.id.to_string())) }
            })
            .map_err(|source| KeyringError::Key { file, source })?;
        keys.insert(key.id, key);
    }
    Ok(keys)
}

const SUFFIX: &str = ".json";
const MAX_FILE: u64 = 4_096;
