//! Keeps what the gate has refused from one process to the next.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::oneshot;

use super::node::World;
use crate::domains::Porter;
use crate::drain::Drain;

/// Reads what was refused before, and writes what is refused now: at most once a second, and for a
/// hundredth of the time at most. Without the file each name would be asked for once more.
pub(super) async fn keep(porter: &Porter, world: &World, data: &Path, drain: &Drain) {
    let keeper = Keeper { porter: porter.clone(), world: world.clone(), file: data.join(FILE) };
    let ending = drain.clone();
    let (told, is_restored) = oneshot::channel::<()>();
    drain.spawn(async move {
        keeper.restore().await;
        drop(told);
        let mut wait = EVERY;
        loop {
            let is_ending = tokio::select! {
                () = tokio::time::sleep(wait) => false,
                () = ending.ending() => true,
            };
            wait = keeper.write().await;
            if is_ending {
                return;
            }
        }
    });
    // The first visits find it, unless the disk hangs: they need not wait for that.
    drop(tokio::time::timeout(PATIENCE, is_restored).await);
}

struct Keeper {
    porter: Porter,
    world: World,
    file: PathBuf,
}

impl Keeper {
    async fn restore(&self) {
        let (disk, file) = (Arc::clone(&self.world.disk), self.file.clone());
        let read = tokio::task::spawn_blocking(move || disk.read(&file, MAX)).await;
        if let Ok(Ok(bytes)) = read {
            self.porter.restore_refusals(&String::from_utf8_lossy(&bytes));
        }
    }

    /// Writes what has changed; returns how long to wait then.
    async fn write(&self) -> Duration {
        let Some(text) = self.porter.changed_refusals() else { return EVERY };
        let (disk, file) = (Arc::clone(&self.world.disk), self.file.clone());
        let begun = self.world.clock.now();
        let write = move || disk.write_whole(&file, text.as_bytes());
        match tokio::task::spawn_blocking(write).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::debug!(%error, "refusals are not kept for the next start"),
            Err(error) => tracing::error!(%error, "writing refusals ended by a panic"),
        }
        let took = self.world.clock.now().saturating_duration_since(begun);
        EVERY.max(took.saturating_mul(SHARE))
    }
}

const FILE: &str = "refused";
/// How long a start waits for the file.
const PATIENCE: Duration = Duration::from_millis(250);
const EVERY: Duration = Duration::from_secs(1);
const SHARE: u32 = 100;
/// As many as are remembered, each with a long name.
const MAX: u64 = 64 << 20;
