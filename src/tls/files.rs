//! Certificates in files, looked at again and again.
//!
//! What is compared is content, not modification times: a file behind a changed symbolic link
//! (as Kubernetes mounts secrets) keeps its name and its times.

use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::ArcSwap;
use aws_lc_rs::digest::{SHA256, digest};
use rustls::ServerConfig;
use rustls::crypto::CryptoProvider;
use thiserror::Error;
use zeroize::Zeroizing;

use super::CertificateFiles;
use super::protocol::{Protocol, provider};
use super::verify::{Unusable, verify};
use crate::clock::{Clock, Timestamp};
use crate::disk::Disk;
use crate::hostname::Hostname;

/// The certificates of all configured files, ready to be served.
#[derive(Debug)]
pub(super) struct Files {
    disk: Arc<dyn Disk>,
    clock: Arc<dyn Clock>,
    protocol: Protocol,
    provider: Arc<CryptoProvider>,
    serving: ArcSwap<HashMap<Hostname, Arc<ServerConfig>>>,
    /// What was last read of each pair of files. Held during a reload, so that two never mix.
    pairs: Mutex<Vec<Pair>>,
}

#[derive(Debug)]
struct Pair {
    files: CertificateFiles,
    /// What is served, and the content that it came from.
    served: Served,
    /// What was last refused, so that it is told once.
    refused: Option<String>,
}

#[derive(Clone, Debug)]
struct Served {
    content: [u8; 32],
    config: Arc<ServerConfig>,
    not_after: Timestamp,
}

/// Why a pair of files cannot be served.
#[derive(Debug, Error)]
pub enum FilesError {
    /// A file cannot be read: the operator's or the machine's fault, worth a retry.
    #[error("{}: {error}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        error: io::Error,
    },
    /// The files do not hold a certificate that can be served: the operator's fault.
    #[error("{}: {error}", path.display())]
    Unusable {
        /// The file with the chain.
        path: PathBuf,
        /// What is wrong with it.
        error: Unusable,
    },
}

impl Files {
    /// Reads all files; every one that cannot be served is told.
    pub(super) fn open(
        files: &[CertificateFiles],
        protocol: Protocol,
        disk: Arc<dyn Disk>,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, Vec<FilesError>> {
        let opened = Self {
            disk,
            clock,
            protocol,
            provider: provider(),
            serving: ArcSwap::default(),
            pairs: Mutex::default(),
        };
        let (mut pairs, mut errors) = (Vec::new(), Vec::new());
        for files in files {
            match opened.read(files, None) {
                Ok(Some(served)) => {
                    pairs.push(Pair { files: files.clone(), served, refused: None });
                }
                Ok(None) => {}
                Err(error) => errors.push(error),
            }
        }
        if !errors.is_empty() {
            return Err(errors);
        }
        opened.publish(&pairs);
        *opened.pairs.lock().unwrap_or_else(PoisonError::into_inner) = pairs;
        Ok(opened)
    }

    /// The configuration for `host`, if a file names it.
    pub(super) fn find(&self, host: &Hostname) -> Option<Arc<ServerConfig>> {
        self.serving.load().get(host).cloned()
    }

    /// Whether a file names `host`.
    pub(super) fn serves(&self, host: &Hostname) -> bool {
        self.serving.load().contains_key(host)
    }

    /// When the first certificate expires; `None` without any.
    pub(super) fn earliest_not_after(&self) -> Option<Timestamp> {
        let pairs = self.pairs.lock().unwrap_or_else(PoisonError::into_inner);
        pairs.iter().map(|pair| pair.served.not_after).min()
    }

    /// Looks at all files again; returns how many certificates were replaced. Blocks. What cannot
    /// be served is told once and changes nothing.
    pub(super) fn reload(&self) -> usize {
        let mut pairs = self.pairs.lock().unwrap_or_else(PoisonError::into_inner);
        let mut replaced = 0;
        for pair in pairs.iter_mut() {
            match self.read(&pair.files, Some(&pair.served.content)) {
                Ok(None) => pair.refused = None,
                Ok(Some(served)) => {
                    tracing::info!(
                        chain = %pair.files.chain.display(),
                        not_after = %served.not_after,
                        "certificate replaced"
                    );
                    pair.served = served;
                    pair.refused = None;
                    replaced += 1;
                }
                Err(error) => {
                    let told = error.to_string();
                    if pair.refused.as_ref() != Some(&told) {
                        tracing::warn!(error = told, "certificate not replaced, the old one stays");
                        pair.refused = Some(told);
                    }
                }
            }
        }
        if replaced > 0 {
            self.publish(&pairs);
        }
        replaced
    }

    /// Reads a pair; `None` when its content is `known`.
    fn read(
        &self,
        files: &CertificateFiles,
        known: Option<&[u8; 32]>,
    ) -> Result<Option<Served>, FilesError> {
        let chain = self.bytes(&files.chain)?;
        let key = Zeroizing::new(self.bytes(&files.key)?);
        let content = content(&chain, &key);
        if known == Some(&content) {
            return Ok(None);
        }
        let now = self.clock.wall();
        let verified = verify(&chain, &key, &files.hosts, now, &self.provider)
            .map_err(|error| FilesError::Unusable { path: files.chain.clone(), error })?;
        let config = self.protocol.serving(verified.key);
        Ok(Some(Served { content, config, not_after: verified.not_after }))
    }

    fn bytes(&self, path: &Path) -> Result<Vec<u8>, FilesError> {
        let read = self.disk.read(path, LARGEST_FILE);
        read.map_err(|error| FilesError::Read { path: path.to_owned(), error })
    }

    fn publish(&self, pairs: &[Pair]) {
        let mut serving = HashMap::new();
        for pair in pairs {
            for host in &pair.files.hosts {
                serving.insert(host.clone(), Arc::clone(&pair.served.config));
            }
        }
        self.serving.store(Arc::new(serving));
    }
}

fn content(chain: &[u8], key: &[u8]) -> [u8; 32] {
    let mut both = Zeroizing::new(Vec::with_capacity(8 + chain.len() + key.len()));
    both.extend_from_slice(&(chain.len() as u64).to_le_bytes());
    both.extend_from_slice(chain);
    both.extend_from_slice(key);
    let mut content = [0; 32];
    content.copy_from_slice(digest(&SHA256, &both).as_ref());
    content
}

/// A chain of a dozen certificates is 30 kB; more than this is another file put there by mistake.
const LARGEST_FILE: u64 = 1 << 20;
