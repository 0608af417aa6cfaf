//! Sealing what is secret before it is written.
//!
//! ```text
//! sealed      version 1, 12 bytes of random nonce, AES-256-GCM(content), its 16-byte tag
//! associated  the purpose, so that nothing sealed for one place opens in another
//! ```
//!
//! The key is 32 bytes in a file of its own, written as 64 hexadecimal digits, so that it can be
//! kept apart from the data that it protects: a backup of the data folder alone opens nothing.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use thiserror::Error;
use zeroize::Zeroizing;

use crate::disk::Disk;

/// The key that seals. Cloning shares it.
#[derive(Clone)]
pub struct SealKey {
    cipher: Arc<LessSafeKey>,
}

/// Why nothing can be sealed: the operator's to mend.
#[derive(Debug, Error)]
pub enum SealError {
    /// A file could not be read or written.
    #[error("{}: {source}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The key's file holds something else.
    #[error("{}: expected 64 hexadecimal digits and nothing else", .0.display())]
    Form(PathBuf),
    /// A sealed file was damaged, or sealed by another key.
    #[error("{}: damaged, or sealed by another key", .0.display())]
    Closed(PathBuf),
    /// The system gave no random bytes, or the cipher refused the key.
    #[error("the cipher or the random source failed")]
    Cipher,
}

impl SealKey {
    /// Reads the key, or makes it when its file is missing. Blocks.
    pub fn load_or_make(disk: &dyn Disk, path: &Path) -> Result<Self, SealError> {
        let failed = |source| SealError::File { path: path.to_owned(), source };
        match disk.read(path, MAX_KEY_FILE).map(Zeroizing::new) {
            Ok(text) => {
                let secret = unhex(text.trim_ascii());
                let secret = secret.ok_or_else(|| SealError::Form(path.to_owned()))?;
                Self::new(&secret)
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let mut secret = Zeroizing::new([0; SECRET]);
                aws_lc_rs::rand::fill(&mut *secret).map_err(|_| SealError::Cipher)?;
                disk.write_whole(path, &hex(&secret)).map_err(failed)?;
                Self::new(&secret)
            }
            Err(error) => Err(failed(error)),
        }
    }

    fn new(secret: &[u8; SECRET]) -> Result<Self, SealError> {
        let unbound = UnboundKey::new(&AES_256_GCM, secret).map_err(|_| SealError::Cipher)?;
        Ok(Self { cipher: Arc::new(LessSafeKey::new(unbound)) })
    }

    /// Seals `content`; only [`SealKey::open`] with the same purpose and key opens it.
    pub fn seal(&self, purpose: &str, content: &[u8]) -> Result<Vec<u8>, SealError> {
        let mut nonce = [0; NONCE_LEN];
        aws_lc_rs::rand::fill(&mut nonce).map_err(|_| SealError::Cipher)?;
        let mut sealed = Vec::with_capacity(HEAD + content.len() + TAG);
        sealed.push(VERSION);
        sealed.extend_from_slice(&nonce);
        sealed.extend_from_slice(content);
        let nonce = Nonce::assume_unique_for_key(nonce);
        let tag = self
            .cipher
            .seal_in_place_separate_tag(nonce, Aad::from(purpose), &mut sealed[HEAD..])
            .map_err(|_| SealError::Cipher)?;
        sealed.extend_from_slice(tag.as_ref());
        Ok(sealed)
    }

    /// What was sealed; `None` when it was damaged, or sealed by another key or for something
    /// else.
    pub fn open(&self, purpose: &str, sealed: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        let rest = sealed.strip_prefix(&[VERSION])?;
        let (nonce, content) = rest.split_first_chunk::<NONCE_LEN>()?;
        let nonce = Nonce::assume_unique_for_key(*nonce);
        let mut content = Zeroizing::new(content.to_vec());
        let length = self.cipher.open_in_place(nonce, Aad::from(purpose), &mut content).ok()?.len();
        content.truncate(length);
        Some(content)
    }
}

impl fmt::Debug for SealKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SealKey").finish_non_exhaustive()
    }
}

/// A file whose content is sealed.
#[derive(Clone, Debug)]
pub struct SealedFile {
    /// Where it is.
    pub path: PathBuf,
    /// What it is for.
    pub purpose: &'static str,
    /// What opens it.
    pub key: SealKey,
    /// The disk that it is on.
    pub disk: Arc<dyn Disk>,
}

impl SealedFile {
    /// The content; `None` when there is no such file. Blocks.
    pub fn read(&self) -> Result<Option<Zeroizing<Vec<u8>>>, SealError> {
        match self.disk.read(&self.path, MAX_SEALED_FILE) {
            Ok(sealed) => {
                let content = self.key.open(self.purpose, &sealed);
                content.map(Some).ok_or_else(|| SealError::Closed(self.path.clone()))
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(source) => Err(SealError::File { path: self.path.clone(), source }),
        }
    }

    /// Puts `content` in the place of what was there, durably and in one step. Blocks.
    pub fn write(&self, content: &[u8]) -> Result<(), SealError> {
        let sealed = self.key.seal(self.purpose, content)?;
        let written = self.disk.write_whole(&self.path, &sealed);
        written.map_err(|source| SealError::File { path: self.path.clone(), source })
    }
}

fn hex(secret: &[u8; SECRET]) -> Zeroizing<Vec<u8>> {
    let mut text = Zeroizing::new(Vec::with_capacity(2 * SECRET + 1));
    for byte in secret {
        text.push(DIGITS[usize::from(byte >> 4)]);
        text.push(DIGITS[usize::from(byte & 15)]);
    }
    text.push(b'\n');
    text
}

fn unhex(text: &[u8]) -> Option<Zeroizing<[u8; SECRET]>> {
    if text.len() != 2 * SECRET {
        return None;
    }
    let mut secret = Zeroizing::new([0; SECRET]);
    let digit = |byte: u8| char::from(byte).to_digit(16);
    for (byte, pair) in secret.iter_mut().zip(text.chunks_exact(2)) {
        *byte = u8::try_from(digit(pair[0])? << 4 | digit(pair[1])?).ok()?;
    }
    Some(secret)
}

const VERSION: u8 = 1;
const HEAD: usize = 1 + NONCE_LEN;
const TAG: usize = 16;
const SECRET: usize = 32;
const DIGITS: &[u8; 16] = b"0123456789abcdef";
/// A key with white space around it, and no more.
const MAX_KEY_FILE: u64 = 256;
const MAX_SEALED_FILE: u64 = 1 << 20;

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "a test reads files")]
mod tests {
    use std::fs;

    use super::*;
    use crate::disk::SystemDisk;

    fn key(folder: &Path) -> SealKey {
        SealKey::load_or_make(&SystemDisk, &folder.join("seal.key")).unwrap()
    }

    #[test]
    fn what_was_sealed_opens_with_the_same_file_and_purpose_alone() {
        let (folder, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let sealed = key(folder.path()).seal("tickets", b"secret").unwrap();
        assert!(!sealed.windows(6).any(|window| window == b"secret"));
        assert_eq!(&**key(folder.path()).open("tickets", &sealed).unwrap(), b"secret");
        assert!(key(folder.path()).open("accounts", &sealed).is_none());
        assert!(key(other.path()).open("tickets", &sealed).is_none());
    }

    #[test]
    fn a_change_of_any_bit_is_seen() {
        let folder = tempfile::tempdir().unwrap();
        let key = key(folder.path());
        let sealed = key.seal("tickets", b"secret").unwrap();
        for at in 0..8 * sealed.len() {
            let mut changed = sealed.clone();
            changed[at / 8] ^= 1 << (at % 8);
            assert!(key.open("tickets", &changed).is_none(), "bit {at}");
        }
        for end in 0..sealed.len() {
            assert!(key.open("tickets", &sealed[..end]).is_none(), "{end} bytes");
        }
    }

    #[test]
    fn a_file_that_holds_something_else_is_told_and_left() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("seal.key");
        for text in ["", "0123", &"g".repeat(64), &"0".repeat(65)] {
            fs::write(&path, text).unwrap();
            let error = SealKey::load_or_make(&SystemDisk, &path).unwrap_err();
            assert!(error.to_string().contains("64 hexadecimal digits"), "{error}");
            assert_eq!(fs::read_to_string(&path).unwrap(), text);
        }
    }

    #[test]
    fn a_sealed_file_is_read_back_and_its_damage_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("tickets");
        let disk: Arc<dyn Disk> = Arc::new(SystemDisk);
        let key = key(folder.path());
        let file = SealedFile { path: path.clone(), purpose: "tickets", key, disk };
        assert_eq!(file.read().unwrap(), None);
        file.write(b"one").unwrap();
        file.write(b"another").unwrap();
        assert_eq!(&**file.read().unwrap().unwrap(), b"another");
        fs::write(&path, b"\x01 something else").unwrap();
        let error = file.read().unwrap_err();
        assert!(matches!(error, SealError::Closed(_)), "{error}");
    }
}
