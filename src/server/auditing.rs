//! The audit, put together from the settings: for commands and for nodes alike.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use thiserror::Error;

use super::certification;
use super::web::{Reached, Web};
use crate::audit::Platform;
use crate::audit::domain::{Auditor, Files};
use crate::clock::Clock;
use crate::config::Settings;
use crate::disk::Disk;
use crate::dns::Lookup;
use crate::fetch::{Roots, RootsError};

/// Why nothing can be audited: the operator's to mend.
#[derive(Debug, Error)]
pub enum AuditorError {
    /// The roots of mark certificates cannot be used.
    #[error("audit.mark_roots {}: {reason}", file.display())]
    MarkRoots {
        /// The file.
        file: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The roots of the web cannot be used.
    #[error("the public roots: {0}")]
    Roots(#[from] RootsError),
}

impl From<AuditorError> for io::Error {
    fn from(error: AuditorError) -> Self {
        Self::new(io::ErrorKind::InvalidData, error)
    }
}

/// An auditor as the settings have it: with what they expect, the roots that they name, and, when
/// they say so, the web. Reads files, so it blocks.
pub fn auditor(
    settings: &Settings,
    lookup: Arc<dyn Lookup>,
    disk: &dyn Disk,
    clock: Arc<dyn Clock>,
) -> Result<Auditor, AuditorError> {
    let mark_roots = mark_roots(disk, &settings.audit.mark_roots)?;
    let platform = Platform { mark_roots, ..settings.platform() };
    let web = match settings.audit.fetch {
        false => None,
        true => Some(Web::new(Arc::clone(&lookup), &Reached::default())?),
    };
    let files = web.map(|web| Arc::new(web) as Arc<dyn Files>);
    Ok(Auditor::new(platform, lookup, files, clock))
}

/// The certificates of files in PEM, as DER. Blocks.
fn mark_roots(disk: &dyn Disk, files: &[PathBuf]) -> Result<Vec<Vec<u8>>, AuditorError> {
    let mut all = Vec::new();
    for file in files {
        let refused = |reason| AuditorError::MarkRoots { file: file.clone(), reason };
        all.extend(authorities(disk, file).map_err(refused)?);
    }
    Ok(all)
}

/// The certificates of a file in PEM, as DER. Blocks.
pub(super) fn authorities(disk: &dyn Disk, file: &Path) -> Result<Vec<Vec<u8>>, String> {
    match certification::roots(disk, file)? {
        Roots::Own(certificates) => Ok(certificates.iter().map(|one| one.to_vec()).collect()),
        Roots::Public => Ok(Vec::new()),
    }
}
