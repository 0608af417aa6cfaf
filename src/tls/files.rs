//! Certificates in files, looked at again and again.
//!
//! What is compared is content, not modification times: a file behind a changed symbolic link
//! (as Kubernetes mounts secrets) keeps its name and its times.

use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arc_swap::ArcSwap;
use aws_lc_rs::digest::{SHA256, digest};
use rustls::ServerConfig;
use rustls::crypto::CryptoProvider;
use thiserror::Error;
use zeroize::Zeroizing;

use super::CertificateFiles;
use super::protocol::{Protocol, provider};
use super::verify::{Unusable, Verified, verify};
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
    /// What is served, and the content that it came from; nothing while the pair has never been
    /// fit to be served.
    served: Option<Served>,
    /// Why what lies there now is not served.
    refused: Option<FilesError>,
}

#[derive(Clone, Debug)]
struct Served {
    content: [u8; 32],
    config: Arc<ServerConfig>,
    not_after: Timestamp,
}

/// Why a pair of files cannot be served.
#[derive(Clone, Debug, Error)]
pub enum FilesError {
    /// A file cannot be read: the operator's or the machine's fault, worth a retry.
    #[error("{}: {error}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        error: Arc<io::Error>,
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
    /// Reads all files. A pair that cannot be served is told and left out, and the others are
    /// served: one customer's expired certificate closes nobody else's name.
    pub(super) fn open(
        files: &[CertificateFiles],
        protocol: Protocol,
        disk: Arc<dyn Disk>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        let opened = Self {
            disk,
            clock,
            protocol,
            provider: provider(),
            serving: ArcSwap::default(),
            pairs: Mutex::default(),
        };
        let pairs = files.iter().map(|files| {
            let (served, refused) = match opened.read(files, None) {
                Ok(served) => (served, None),
                Err(error) => {
                    tracing::error!(%error, hosts = ?files.hosts, "certificate left out");
                    (None, Some(error))
                }
            };
            Pair { files: files.clone(), served, refused }
        });
        let pairs: Vec<_> = pairs.collect();
        opened.publish(&pairs);
        *opened.pairs.lock().unwrap_or_else(PoisonError::into_inner) = pairs;
        opened
    }

    /// The configuration for `host`, if a file names it.
    pub(super) fn find(&self, host: &Hostname) -> Option<Arc<ServerConfig>> {
        self.serving.load().get(host).cloned()
    }

    /// Whether a file names `host`.
    pub(super) fn serves(&self, host: &Hostname) -> bool {
        self.serving.load().contains_key(host)
    }

    /// Whether nothing is served.
    pub(super) fn is_empty(&self) -> bool {
        self.serving.load().is_empty()
    }

    /// When the first certificate expires; `None` without any.
    pub(super) fn earliest_not_after(&self) -> Option<Timestamp> {
        self.lock().iter().filter_map(|pair| Some(pair.served.as_ref()?.not_after)).min()
    }

    /// Why each pair that lies there unfit is not served, whether or not an older one is.
    pub(super) fn refused(&self) -> Vec<FilesError> {
        self.lock().iter().filter_map(|pair| pair.refused.clone()).collect()
    }

    /// Looks at all files again; returns how many certificates were taken up. Blocks. What cannot
    /// be served is told once and changes nothing.
    pub(super) fn reload(&self) -> usize {
        let mut pairs = self.lock();
        let mut replaced = 0;
        for pair in pairs.iter_mut() {
            match self.read(&pair.files, pair.served.as_ref().map(|served| &served.content)) {
                Ok(None) => pair.refused = None,
                Ok(Some(served)) => {
                    tracing::info!(
                        chain = %pair.files.chain.display(),
                        not_after = %served.not_after,
                        "certificate taken up"
                    );
                    pair.served = Some(served);
                    pair.refused = None;
                    replaced += 1;
                }
                Err(error) => {
                    let told = pair.refused.as_ref().map(ToString::to_string);
                    if told.as_ref() != Some(&error.to_string()) {
                        let is_served = pair.served.is_some();
                        tracing::warn!(%error, is_served, "certificate not taken up");
                    }
                    pair.refused = Some(error);
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
        let pair = load(&*self.disk, files)?;
        let content = content(&pair.chain, &pair.key);
        if known == Some(&content) {
            return Ok(None);
        }
        let verified = pair.verify(files, self.clock.wall(), &self.provider)?;
        let config = self.protocol.serving(verified.key);
        Ok(Some(Served { content, config, not_after: verified.not_after }))
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Pair>> {
        self.pairs.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn publish(&self, pairs: &[Pair]) {
        let mut serving = HashMap::new();
        for pair in pairs {
            let Some(served) = &pair.served else { continue };
            for host in &pair.files.hosts {
                serving.insert(host.clone(), Arc::clone(&served.config));
            }
        }
        self.serving.store(Arc::new(serving));
    }
}

/// The bytes of a pair of files.
#[derive(Debug)]
pub(super) struct Loaded {
    chain: Vec<u8>,
    key: Zeroizing<Vec<u8>>,
}

/// Reads a pair of files.
pub(super) fn load(disk: &dyn Disk, files: &CertificateFiles) -> Result<Loaded, FilesError> {
    let (chain, key) = (bytes(disk, &files.chain)?, bytes(disk, &files.key)?);
    Ok(Loaded { chain, key: Zeroizing::new(key) })
}

/// Reads one file.
pub(super) fn bytes(disk: &dyn Disk, path: &Path) -> Result<Vec<u8>, FilesError> {
    let read = disk.read(path, LARGEST_FILE);
    read.map_err(|error| FilesError::Read { path: path.to_owned(), error: Arc::new(error) })
}

impl Loaded {
    /// Checks that it may be served for the names of `files`.
    pub(super) fn verify(
        &self,
        files: &CertificateFiles,
        now: Timestamp,
        provider: &CryptoProvider,
    ) -> Result<Verified, FilesError> {
        verify(&self.chain, &self.key, &files.hosts, now, provider)
            .map_err(|error| FilesError::Unusable { path: files.chain.clone(), error })
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
