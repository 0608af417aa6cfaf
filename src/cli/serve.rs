//! `waypost serve`: a node from a configuration file.

use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;
use thiserror::Error;

use super::place::{self, PlaceError};
use super::trace;
use crate::clock::Clock;
use crate::disk::Disk;
use crate::server::{self, Extras, ServeError, World};

/// Runs a node until SIGTERM or SIGINT. SIGHUP has it read certificates and keys again.
#[derive(Args, Debug)]
pub(super) struct ServeArgs {
    /// The configuration file; config/waypost.toml tells every key.
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
}

/// Why a node could not be run.
#[derive(Debug, Error)]
pub(super) enum ServeCommandError {
    /// The configuration cannot be served.
    #[error(transparent)]
    Place(#[from] PlaceError),
    /// The node could not start.
    #[error(transparent)]
    Serve(#[from] ServeError),
}

impl ServeArgs {
    /// Runs the node.
    pub(super) fn run(
        self,
        disk: &Arc<dyn Disk>,
        clock: &Arc<dyn Clock>,
    ) -> Result<(), ServeCommandError> {
        let settings = place::load(&**disk, &self.config)?;
        let _tracing = trace::begin(&settings.trace).map_err(ServeError::Thread)?;
        let world = World { disk: Arc::clone(disk), clock: Arc::clone(clock) };
        let ended = server::serve(&settings, world, Extras::default(), |running| {
            let (https, http, admin) = (&running.https, &running.http, running.admin);
            tracing::info!(?https, ?http, %admin, "answering");
        })?;
        let counts = ended.counts;
        tracing::info!(received = counts.received, journalled = counts.journalled, "ended");
        Ok(())
    }
}
