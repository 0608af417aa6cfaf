//! The claim on a data folder: one node at a time, before anything of it is touched or bound.
//!
//! A node that ends lets go of the folder first and still answers for a while. The one that comes
//! after takes the folder then, and has the operator's door once the old one is gone.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::build::ServeError;
use super::node::World;
use crate::admin::{BindError, Door, NodeFile};
use crate::config::Settings;
use crate::disk::DiskLock;
use crate::metrics::Degraded;

/// Holds the data folder until it is let go of or the process ends.
#[derive(Debug)]
pub(super) struct Claim {
    data: PathBuf,
    lock: Option<DiskLock>,
    /// Until when what the node before this one holds is waited for.
    patience: Instant,
}

impl Claim {
    /// Takes the folder. A node that ends is waited for; one that runs on is not. A disk that
    /// cannot even keep a lock still lets the node answer: then only the operator's socket tells
    /// two nodes apart.
    pub(super) async fn take(
        settings: &Settings,
        world: &World,
        degraded: &Degraded,
    ) -> Result<Self, ServeError> {
        let data = settings.node.data.clone();
        let file = |source| ServeError::File { path: data.clone(), source };
        world.disk.create_directory(&data).map_err(file)?;
        let begun = world.clock.now();
        let patience = begun + settings.store.wait;
        let lock = loop {
            match world.disk.lock(&data.join(LOCK)) {
                Ok(Some(lock)) => break Some(lock),
                Ok(None) => {}
                Err(error) => {
                    let folder = data.display();
                    tracing::warn!(%error, %folder, "the data folder is not locked");
                    degraded.begin(REASON);
                    break None;
                }
            }
            // A node that runs on tells where it is; one that ends no longer does.
            let runs_on = NodeFile::read(&*world.disk, &data).ok().flatten().is_some();
            let until = if runs_on { patience.min(begun + SIGNAL) } else { patience };
            if world.clock.now() >= until {
                return Err(ServeError::InUse(data));
            }
            tokio::time::sleep(AGAIN).await;
        };
        Ok(Self { data, lock, patience })
    }

    /// Binds the operator's door; `None` while the node before this one still has it.
    pub(super) fn door(
        &self,
        settings: &Settings,
        world: &World,
        degraded: &Degraded,
    ) -> Result<Option<Door>, ServeError> {
        let socket = NodeFile::socket_path(&self.data);
        match Door::bind(&settings.admin, &socket, Arc::clone(&world.disk), degraded) {
            Ok(door) => Ok(Some(door)),
            // With the folder ours, who answers there has let go of it and ends.
            Err(BindError::InUse(_)) if self.lock.is_some() => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// The operator's door, if need be once the node before this one has ended; links are answered
    /// meanwhile.
    pub(super) async fn door_in_time(
        &self,
        door: Option<Door>,
        settings: &Settings,
        world: &World,
        degraded: &Degraded,
    ) -> Result<Door, ServeError> {
        if let Some(door) = door {
            return Ok(door);
        }
        loop {
            tokio::time::sleep(AGAIN).await;
            let is_late = world.clock.now() >= self.patience;
            match self.door(settings, world, degraded) {
                Ok(Some(door)) => return Ok(door),
                Ok(None) if is_late => return Err(ServeError::InUse(self.data.clone())),
                // Its address may be free a moment after its socket.
                Err(ServeError::Admin(error)) if error.is_in_use() && !is_late => {}
                Err(error) => return Err(error),
                Ok(None) => {}
            }
        }
    }

    /// Lets go of the folder, so that the next node may have it.
    pub(super) fn let_go(self, world: &World) {
        // First of all, since it tells the next one that this one ends.
        if let Err(error) = NodeFile::remove(&*world.disk, &self.data) {
            tracing::warn!(%error, "node.json could not be removed");
        }
        drop(self.lock);
    }
}

/// The data folder takes nothing.
pub(super) const REASON: &str = "data_folder";
const LOCK: &str = "lock";
const AGAIN: Duration = Duration::from_millis(50);
/// How long a node may take from a signal to letting go; its successor may be started meanwhile.
const SIGNAL: Duration = Duration::from_secs(1);
