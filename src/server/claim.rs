//! The claim on a data folder: one node at a time, before anything of it is touched or bound.

use crate::config::Settings;
use crate::disk::DiskLock;
use crate::metrics::Degraded;

use super::build::ServeError;
use super::node::World;

/// Holds the data folder until it is dropped or the process ends.
#[derive(Debug)]
pub(super) struct Claim {
    _lock: Option<DiskLock>,
}

impl Claim {
    /// Takes the folder. A disk that cannot even keep a lock still lets the node answer: then
    /// only the operator's socket tells two nodes apart.
    pub(super) fn take(
        settings: &Settings,
        world: &World,
        degraded: &Degraded,
    ) -> Result<Self, ServeError> {
        let data = &settings.node.data;
        let file = |source| ServeError::File { path: data.clone(), source };
        world.disk.create_directory(data).map_err(file)?;
        let lock = match world.disk.lock(&data.join(LOCK)) {
            Ok(Some(lock)) => Some(lock),
            Ok(None) => return Err(ServeError::InUse(data.clone())),
            Err(error) => {
                tracing::warn!(%error, folder = %data.display(), "the data folder is not locked");
                degraded.begin(REASON);
                None
            }
        };
        Ok(Self { _lock: lock })
    }
}

/// The data folder takes nothing.
pub(super) const REASON: &str = "data_folder";
const LOCK: &str = "lock";
