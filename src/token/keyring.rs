//! The keys of a folder: several open, one seals.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arc_swap::ArcSwap;
use thiserror::Error;

use super::folder::{self, Fault, Folder};
use super::key::{Key, KeyError, KeyId};
use super::pass::{self, Pass, PassError};
use super::payload::Claims;
use super::seal::{self, SALT, SealError};
use crate::clock::Timestamp;
use crate::disk::{Access, Disk};
use crate::hostname::Hostname;

/// The keys in a folder, one file each (`<id>.json`). Cloning shares them.
#[derive(Clone)]
pub struct Keyring {
    disk: Arc<dyn Disk>,
    folder: PathBuf,
    found: Arc<ArcSwap<Folder>>,
}

impl Keyring {
    /// Reads the keys of a folder, made if missing. A file that holds no key is left out, and
    /// told by [`Keyring::faults`].
    pub fn load(disk: Arc<dyn Disk>, folder: &Path) -> Result<Self, KeyringError> {
        disk.create_directory(folder)
            .map_err(|source| KeyringError::Folder { folder: folder.to_owned(), source })?;
        Self::load_existing(disk, folder)
    }

    /// Reads the keys of a folder that is there: a mistyped name makes none.
    pub fn load_existing(disk: Arc<dyn Disk>, folder: &Path) -> Result<Self, KeyringError> {
        let found = Folder::read(&*disk, folder, &Folder::default())?;
        let found = Arc::new(ArcSwap::from_pointee(found));
        Ok(Self { disk, folder: folder.to_owned(), found })
    }

    /// Reads the folder again; true when a key came, went, changed or was refused, or a file
    /// became a fault or ceased to be one. A key whose file can no longer be read stays as it was;
    /// one whose file is gone opens nothing any more. When the folder itself cannot be read,
    /// everything stays as it was.
    pub fn reload(&self) -> Result<bool, KeyringError> {
        let last = self.found.load();
        let found = Folder::read(&*self.disk, &self.folder, &last)?;
        let has_changed = !found.is_as(&last);
        if has_changed {
            self.found.store(Arc::new(found));
        }
        Ok(has_changed)
    }

    /// Makes a new key, which seals from now on, and keeps it in the folder.
    pub fn create(&self, now: Timestamp) -> Result<KeyId, KeyringError> {
        let mut drawn = Err(KeyringError::Taken(self.folder.clone()));
        for _ in 0..DRAWS {
            let key = Key::random(now)
                .map_err(|source| KeyringError::Key { file: self.folder.clone(), source })?;
            drawn = self.add(&key).map(|()| key.id);
            if !matches!(drawn, Err(KeyringError::Taken(_))) {
                break;
            }
        }
        let id = drawn?;
        self.reload()?;
        Ok(id)
    }

    /// Refuses a key from a time on. A key that is refused from an earlier time on already would
    /// open again until the later one: that must be `Later::Allowed`.
    pub fn refuse(&self, id: KeyId, from: Timestamp, later: Later) -> Result<(), KeyringError> {
        let path = folder::file(&self.folder, id);
        let unknown = || KeyringError::Unknown { id, folder: self.folder.clone() };
        let key = folder::key(&*self.disk, &path, &id.to_string())?;
        let mut key = key.ok_or_else(unknown)?;
        if let Some(already) = key.refused_from
            && already < from
            && later == Later::Refused
        {
            return Err(KeyringError::Refused { id, already });
        }
        key.refused_from = Some(from);
        self.keep(&key)?;
        self.reload().map(drop)
    }

    /// Every key's id, making and refusal, oldest first.
    pub fn list(&self) -> Vec<(KeyId, Timestamp, Option<Timestamp>)> {
        let found = self.found.load();
        let mut list: Vec<_> =
            found.keys.values().map(|key| (key.id, key.created, key.refused_from)).collect();
        list.sort_by_key(|(id, created, _)| (*created, *id));
        list
    }

    /// The files that hold no key that can be read now.
    pub fn faults(&self) -> Vec<Fault> {
        self.found.load().faults.clone()
    }

    /// The key that seals at `now`: the newest that is not refused, those that are to be refused
    /// later only when there is no other.
    pub fn sealing_key(&self, now: Timestamp) -> Option<KeyId> {
        let found = self.found.load();
        let open = found.keys.values().filter(|key| !key.is_refused(now));
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
        let found = self.found.load();
        seal::seal(found.keys.get(&id).ok_or(SealError::NoKey)?, claims, host, salt)
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
        let found = self.found.load();
        let key = found.keys.get(&head.key).ok_or(OpenError::UnknownKey(head.key))?;
        if key.is_refused(now) {
            return Err(OpenError::RefusedKey(head.key));
        }
        let claims = seal::open(key, &head, host, buffer).ok_or(OpenError::Forged)?;
        claims.map_err(|_| OpenError::Malformed)
    }

    /// Makes a pass to a page on the platform's `host`.
    pub fn seal_pass(
        &self,
        pass: &Pass,
        host: &Hostname,
        now: Timestamp,
    ) -> Result<String, SealError> {
        let mut salt = [0; SALT];
        aws_lc_rs::rand::fill(&mut salt).map_err(|_| SealError::Cipher)?;
        let id = self.sealing_key(now).ok_or(SealError::NoKey)?;
        let found = self.found.load();
        let key = found.keys.get(&id).ok_or(SealError::NoKey)?;
        pass::seal(key, pass, host, salt).ok_or(SealError::Cipher)
    }

    /// Opens a pass that was made for the platform's `host`.
    pub fn open_pass(
        &self,
        text: &str,
        host: &Hostname,
        now: Timestamp,
    ) -> Result<Pass, PassError> {
        let mut buffer = Vec::new();
        let head = pass::head(text, &mut buffer).ok_or(PassError::Malformed)?;
        let found = self.found.load();
        let key = found.keys.get(&head.key).ok_or(PassError::UnknownKey(head.key))?;
        if key.is_refused(now) {
            return Err(PassError::RefusedKey(head.key));
        }
        pass::open(key, &head, host, now, &mut buffer)
    }

    /// Keeps a key under an id that no file has.
    fn add(&self, key: &Key) -> Result<(), KeyringError> {
        let file = folder::file(&self.folder, key.id);
        match self.disk.open(&file, Access::Read) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => self.keep(key),
            _ => Err(KeyringError::Taken(file)),
        }
    }

    fn keep(&self, key: &Key) -> Result<(), KeyringError> {
        let file = folder::file(&self.folder, key.id);
        let wrong = |source| KeyringError::File { file: file.clone(), source };
        self.disk.write_whole(&file, &key.file()).map_err(wrong)
    }
}

impl fmt::Debug for Keyring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keyring").field("folder", &self.folder).finish_non_exhaustive()
    }
}

/// Whether a key that is refused already may be refused from a later time on instead.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Later {
    /// It may: its links open again until then.
    Allowed,
    /// It may not.
    Refused,
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
    /// The key is refused from an earlier time on already.
    #[error("the key {id} is refused from {already} on already: a later time revives its links")]
    Refused {
        /// The key.
        id: KeyId,
        /// From when on it is refused.
        already: Timestamp,
    },
    /// There is a file where a new key would be kept.
    #[error("{} is there already", .0.display())]
    Taken(PathBuf),
    /// There is no such key.
    #[error("there is no key {id} in {}", folder.display())]
    Unknown {
        /// The id that was asked for.
        id: KeyId,
        /// The folder of keys.
        folder: PathBuf,
    },
}

impl KeyringError {
    /// What is wrong, without the file.
    pub(super) fn reason(&self) -> String {
        match self {
            Self::File { source, .. } | Self::Folder { source, .. } => source.to_string(),
            Self::Key { source, .. } => source.to_string(),
            other => other.to_string(),
        }
    }
}

/// How often a new key is drawn whose id is taken: once in four thousand million is rare enough.
const DRAWS: usize = 8;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disk::SystemDisk;
    use crate::token::Action;

    const NOW: Timestamp = Timestamp::from_seconds(1_800_000_000);

    fn later(seconds: u64) -> Timestamp {
        Timestamp::from_seconds(NOW.seconds() + seconds)
    }

    fn write(file: &Path, bytes: &[u8]) {
        (&SystemDisk as &dyn Disk).write_whole(file, bytes).unwrap();
    }

    #[test]
    fn one_bad_file_costs_no_other_key_and_a_good_one_gone_bad_keeps_its_state() {
        let folder = tempfile::tempdir().unwrap();
        let ring = Keyring::load(Arc::new(SystemDisk), folder.path()).unwrap();
        let good = ring.create(NOW).unwrap();
        let host = Hostname::parse("a.example").unwrap();
        let token = ring.seal(&Claims::new(Action::Open), &host, NOW).unwrap();
        let opens = |ring: &Keyring, now| ring.open(&token, &host, now, &mut Vec::new()).is_ok();
        write(&folder.path().join("deadbeef.json"), b"garbage");

        let again = Keyring::load(Arc::new(SystemDisk), folder.path()).unwrap();
        assert!(opens(&again, NOW));
        let faults = again.faults();
        assert_eq!(faults.len(), 1);
        assert!(faults[0].file.ends_with("deadbeef.json") && !faults[0].reason.is_empty());
        // New keys are seen and old ones refused in spite of it.
        let new = again.create(later(1)).unwrap();
        assert!(ring.reload().unwrap());
        assert_eq!((ring.sealing_key(later(1)), ring.faults()), (Some(new), faults));
        again.refuse(good, later(5), Later::Refused).unwrap();
        assert!(ring.reload().unwrap() && !opens(&ring, later(5)) && opens(&ring, NOW));

        // A file that was good stays what it was, refusal included, and is told.
        write(&folder.path().join(format!("{good}.json")), b"{}");
        assert!(ring.reload().unwrap() && !ring.reload().unwrap());
        assert_eq!(ring.faults().len(), 2);
        assert!(opens(&ring, NOW) && !opens(&ring, later(5)));
        for name in ["deadbeef".to_owned(), good.to_string()] {
            SystemDisk.remove(&folder.path().join(format!("{name}.json"))).unwrap();
        }
        assert!(ring.reload().unwrap() && ring.faults().is_empty() && !opens(&ring, NOW));
    }

    #[test]
    fn a_changed_secret_is_seen() {
        let folder = tempfile::tempdir().unwrap();
        let ring = Keyring::load(Arc::new(SystemDisk), folder.path()).unwrap();
        let id = ring.create(NOW).unwrap();
        let other = Key::new(id, zeroize::Zeroizing::new([7; 32]), NOW, None);
        write(&folder.path().join(format!("{id}.json")), &other.file());
        assert!(ring.reload().unwrap() && !ring.reload().unwrap());
    }

    #[test]
    fn a_new_key_overwrites_no_other() {
        let folder = tempfile::tempdir().unwrap();
        let ring = Keyring::load(Arc::new(SystemDisk), folder.path()).unwrap();
        let id = ring.create(NOW).unwrap();
        let file = folder.path().join(format!("{id}.json"));
        let before = (&SystemDisk as &dyn Disk).read(&file, 4_096).unwrap();
        let same = Key::new(id, zeroize::Zeroizing::new([7; 32]), NOW, None);
        assert!(matches!(ring.add(&same), Err(KeyringError::Taken(_))));
        assert_eq!((&SystemDisk as &dyn Disk).read(&file, 4_096).unwrap(), before);
    }

    #[test]
    fn a_refused_key_is_not_revived_by_the_way() {
        let folder = tempfile::tempdir().unwrap();
        let ring = Keyring::load(Arc::new(SystemDisk), folder.path()).unwrap();
        let id = ring.create(NOW).unwrap();
        ring.refuse(id, later(5), Later::Refused).unwrap();
        let revived = ring.refuse(id, later(6), Later::Refused).unwrap_err();
        assert!(revived.to_string().contains("already"), "{revived}");
        assert_eq!(ring.list()[0].2, Some(later(5)));
        for (from, allowed) in [(5, Later::Refused), (4, Later::Refused), (9, Later::Allowed)] {
            ring.refuse(id, later(from), allowed).unwrap();
            assert_eq!(ring.list()[0].2, Some(later(from)));
        }
    }
}
