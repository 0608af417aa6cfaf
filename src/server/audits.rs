//! The audit, put together from the settings: for commands, and for nodes, which go on auditing.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use thiserror::Error;

use super::certification;
use super::node::World;
use super::web::{Reached, Web};
use crate::audit::Platform;
use crate::audit::domain::{Auditor, Files};
use crate::audit::schedule::{Demand, Schedule};
use crate::clock::Clock;
use crate::config::Settings;
use crate::disk::Disk;
use crate::dns::Lookup;
use crate::domains::Register;
use crate::drain::Drain;
use crate::fetch::{Roots, RootsError};
use crate::metrics::Metrics;
use crate::store::Store;

/// Why nothing can be audited as the settings have it: the operator's to mend.
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
    let files = files(settings, &lookup)?;
    Ok(Auditor::new(platform, lookup, files, clock))
}

/// The one auditor of a node, which all who audit share. Roots that cannot be used are told and
/// left out, since a restart asks for no more than running does.
pub(super) fn of_node(settings: &Settings, world: &World, lookup: Arc<dyn Lookup>) -> Auditor {
    let clock = || Arc::clone(&world.clock);
    auditor(settings, Arc::clone(&lookup), &*world.disk, clock()).unwrap_or_else(|error| {
        tracing::error!(%error, "audits do not judge whether mark certificates are trusted");
        let files = files(settings, &lookup).unwrap_or_default();
        Auditor::new(settings.platform(), lookup, files, clock())
    })
}

/// Begins to audit what is due, beside serving.
pub(super) fn start(
    settings: &Settings,
    world: &World,
    (auditor, register, store): (&Auditor, &Register, Arc<dyn Store>),
    metrics: &Metrics,
    drain: &Drain,
) -> Option<Demand> {
    if settings.domains.audit_rate == 0 {
        return None;
    }
    let kept = (register.clone(), store);
    let node = (settings.node.name.as_str(), Arc::clone(&world.clock));
    Schedule::start(&settings.audit, auditor.clone(), kept, node, metrics, drain)
}

/// The web, when it is to be asked.
fn files(
    settings: &Settings,
    lookup: &Arc<dyn Lookup>,
) -> Result<Option<Arc<dyn Files>>, RootsError> {
    if !settings.audit.fetch {
        return Ok(None);
    }
    let web = Web::new(Arc::clone(lookup), &Reached::default())?;
    Ok(Some(Arc::new(web)))
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
