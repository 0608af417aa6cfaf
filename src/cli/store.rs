//! `waypost store`: all records out, and in again. A lost disk must not mean a million orders.

use std::io::{self, BufReader, BufWriter, Write};
use std::sync::Arc;

use clap::{Args, Subcommand};
use thiserror::Error;

use super::door::NodeDoor;
use super::output;
use super::place::{PlaceArgs, PlaceError};
use super::registrar::{Own, OwnError};
use crate::clock::Clock;
use crate::disk::Disk;
use crate::store::{ImportError, Imported, export, import};

/// Writes all records as lines of text, and reads them. No node may run meanwhile.
#[derive(Args, Debug)]
pub(super) struct StoreArgs {
    #[command(subcommand)]
    command: Command,
    #[command(flatten)]
    place: PlaceArgs,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Write all records to standard output. What is secret stays sealed by store.seal_key_file.
    Export,
    /// Read an export from standard input. Names that are there already are left as they are.
    Import,
}

/// Why a store command ended.
#[derive(Debug, Error)]
pub(super) enum StoreCommandError {
    /// Writing failed.
    #[error("the export: {0}")]
    Export(io::Error),
    /// Reading failed.
    #[error("the import: {0}")]
    Import(#[from] ImportError),
    /// The store could not be used from here.
    #[error(transparent)]
    Own(#[from] OwnError),
    /// The place could not be found out.
    #[error(transparent)]
    Place(#[from] PlaceError),
    /// A node has the store.
    #[error("a node runs on this folder and has the store: end it first")]
    Runs,
}

impl StoreArgs {
    /// Runs the command; exit 1 when records were damaged, or left as they were.
    pub(super) fn run(
        self,
        disk: &Arc<dyn Disk>,
        clock: &Arc<dyn Clock>,
    ) -> Result<u8, StoreCommandError> {
        let settings = self.place.settings(disk)?;
        if NodeDoor::find(&settings.node.data).is_some() {
            return Err(StoreCommandError::Runs);
        }
        if matches!(self.command, Command::Export) {
            Own::require(&settings, disk)?;
        }
        let own = Own::open(&settings, disk, clock)?;
        match self.command {
            Command::Export => {
                let mut out = BufWriter::new(io::stdout().lock());
                let exported = own.runtime.block_on(export(&own.store, &mut out));
                let (records, damaged) = exported.map_err(StoreCommandError::Export)?;
                out.flush().map_err(StoreCommandError::Export)?;
                output::tell(format_args!("{records} records"));
                for name in &damaged {
                    output::tell(format_args!("damaged, and left out: {name}"));
                }
                Ok(u8::from(!damaged.is_empty()))
            }
            Command::Import => {
                let text = BufReader::new(io::stdin());
                let told = |so_far: &Imported| {
                    let sum = so_far.put + so_far.left;
                    if sum.is_multiple_of(100_000) {
                        output::tell(format_args!("{sum} records so far"));
                    }
                };
                let imported =
                    own.runtime.block_on(import(&own.store, text, clock.wall(), told))?;
                output::tell(format_args!(
                    "{} records put, {} left as they were",
                    imported.put, imported.left
                ));
                Ok(u8::from(imported.left > 0))
            }
        }
    }
}
