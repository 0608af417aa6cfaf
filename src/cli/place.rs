//! Where a command finds keys and data: a configuration file, a data folder, or the folder that
//! `waypost dev` keeps.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Args;
use thiserror::Error;

use super::output;
use crate::admin::NodeFile;
use crate::config::{Problems, Settings};
use crate::disk::Disk;
use crate::kafka;
use crate::token::LinkForm;

/// The place of a command's keys and data.
#[derive(Args, Clone, Debug, Default)]
pub(super) struct PlaceArgs {
    /// The node's configuration file.
    #[arg(long, value_name = "FILE", conflicts_with = "data", global = true)]
    pub(super) config: Option<PathBuf>,
    /// The node's data folder; without it and --config, .waypost in the current folder.
    #[arg(long, value_name = "DIR", global = true)]
    pub(super) data: Option<PathBuf>,
}

/// What was found there.
#[derive(Clone, Debug)]
pub(super) struct Place {
    /// The folder of link keys.
    pub(super) keys: PathBuf,
    /// The journal's folder.
    pub(super) journal: PathBuf,
    /// What printed links look like.
    pub(super) form: LinkForm,
    /// The connection to Kafka.
    pub(super) kafka: kafka::Config,
    /// Bytes of events on their way there.
    pub(super) window: usize,
}

/// Why a place could not be found out.
#[derive(Debug, Error)]
pub(super) enum PlaceError {
    /// The configuration file cannot be served.
    #[error("{0}")]
    Problems(Problems),
    /// The configuration file could not be read.
    #[error("--config {}: {source}", file.display())]
    Unreadable {
        /// The file.
        file: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

impl PlaceArgs {
    /// Finds out the place; says so on standard error when it is the default.
    pub(super) fn resolve(&self, disk: &Arc<dyn Disk>) -> Result<Place, PlaceError> {
        if let Some(file) = &self.config {
            return Ok(Place::of(&load(&**disk, file)?));
        }
        let data = self.folder();
        let mut place = Place::of(&Settings::dev(&data));
        // A node that runs tells where it can be reached, which its folder alone does not.
        if let Some(node) = NodeFile::read(&**disk, &data).ok().flatten() {
            place.form = node.links;
        }
        Ok(place)
    }

    /// All settings of the node there.
    pub(super) fn settings(&self, disk: &Arc<dyn Disk>) -> Result<Settings, PlaceError> {
        match &self.config {
            Some(file) => load(&**disk, file),
            None => Ok(Settings::dev(&self.folder())),
        }
    }

    fn folder(&self) -> PathBuf {
        self.data.clone().unwrap_or_else(|| {
            output::tell(format_args!(
                "using {DEV_FOLDER} in this folder (name another with --data or --config)"
            ));
            PathBuf::from(DEV_FOLDER)
        })
    }
}

impl Place {
    fn of(settings: &Settings) -> Self {
        Self {
            keys: settings.links.keys.clone(),
            journal: settings.journal.directory.clone(),
            form: settings.link_form(),
            kafka: settings.kafka.clone(),
            window: settings.shipper.window,
        }
    }
}

/// Reads and validates a configuration file.
pub(super) fn load(disk: &dyn Disk, file: &Path) -> Result<Settings, PlaceError> {
    let unreadable = |source| PlaceError::Unreadable { file: file.to_owned(), source };
    Settings::load(disk, file).map_err(unreadable)?.map_err(PlaceError::Problems)
}

/// The folder that `waypost dev` keeps in the current one.
pub(super) const DEV_FOLDER: &str = ".waypost";
