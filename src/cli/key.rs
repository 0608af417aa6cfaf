//! `waypost key`: the keys that seal and open links.

use std::sync::Arc;

use clap::{Args, Subcommand};
use serde_json::json;
use thiserror::Error;

use super::output::{self, OutputError};
use super::place::{PlaceArgs, PlaceError};
use crate::clock::{Clock, Timestamp, TimestampError};
use crate::disk::Disk;
use crate::token::{KeyError, Keyring, KeyringError, Later};

/// Makes, lists and refuses link keys. A running node sees a change by itself.
#[derive(Args, Debug)]
pub(super) struct KeyArgs {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Make a new key. It seals from now on; older keys go on opening.
    New {
        #[command(flatten)]
        place: PlaceArgs,
    },
    /// List the keys, oldest first.
    List {
        #[command(flatten)]
        place: PlaceArgs,
        /// Print one JSON object.
        #[arg(long)]
        json: bool,
    },
    /// Refuse a key: every link it sealed is dead from then on.
    Refuse {
        /// The key's id, eight hexadecimal digits, as `key list` shows it.
        id: String,
        #[command(flatten)]
        place: PlaceArgs,
        /// From when on, such as 2026-12-01T00:00:00Z or 2026-12-01; without it, from now on.
        #[arg(long, value_name = "TIME")]
        from: Option<String>,
        /// Let a key that is refused already be refused from a later time on: until then its
        /// links open again.
        #[arg(long, requires = "from")]
        postpone: bool,
    },
}

/// Why a key command ended.
#[derive(Debug, Error)]
pub(super) enum KeyCommandError {
    /// `--from` is no time.
    #[error("--from: {0}")]
    From(#[from] TimestampError),
    /// The id is none.
    #[error(transparent)]
    Id(#[from] KeyError),
    /// The keys could not be read or kept.
    #[error(transparent)]
    Keyring(#[from] KeyringError),
    /// What was done could not be told.
    #[error(transparent)]
    Output(#[from] OutputError),
    /// The key would open again until the time of `--from`.
    #[error("--from: {0}; use --postpone if that is meant")]
    Revived(KeyringError),
    /// The place could not be found out.
    #[error(transparent)]
    Place(#[from] PlaceError),
}

impl KeyArgs {
    /// Runs the command.
    pub(super) fn run(
        self,
        disk: &Arc<dyn Disk>,
        clock: &dyn Clock,
    ) -> Result<(), KeyCommandError> {
        let now = clock.wall();
        match self.command {
            Command::New { place } => {
                let place = place.resolve(disk)?;
                let keyring = Keyring::load(Arc::clone(disk), &place.keys)?;
                output::line(keyring.create(now)?)?;
            }
            Command::List { place, json } => {
                let place = place.resolve(disk)?;
                list(&Keyring::load_existing(Arc::clone(disk), &place.keys)?, json, now)?;
            }
            Command::Refuse { id, place, from, postpone } => {
                let id = id.parse()?;
                let asked = from.as_deref().map(str::parse).transpose()?;
                let place = place.resolve(disk)?;
                let keyring = Keyring::load_existing(Arc::clone(disk), &place.keys)?;
                let later = if postpone { Later::Allowed } else { Later::Refused };
                let from = match keyring.refuse(id, asked.unwrap_or(now), later) {
                    // From now on is what it already is.
                    Err(KeyringError::Refused { already, .. }) if asked.is_none() => already,
                    Err(error @ KeyringError::Refused { .. }) => {
                        return Err(KeyCommandError::Revived(error));
                    }
                    refused => refused.map(|()| asked.unwrap_or(now))?,
                };
                output::line(format_args!("{id} is refused from {from} on"))?;
                if keyring.sealing_key(now).is_none() {
                    output::tell("no key is left to seal with: make one with `waypost key new`");
                }
            }
        }
        Ok(())
    }
}

fn list(keyring: &Keyring, as_json: bool, now: Timestamp) -> Result<(), OutputError> {
    let sealing = keyring.sealing_key(now);
    let state = |id, refused: Option<Timestamp>| match refused {
        Some(from) if from <= now => "refused",
        _ if sealing == Some(id) => "seals and opens",
        _ => "opens",
    };
    let (keys, faults) = (keyring.list(), keyring.faults());
    if as_json {
        let keys = keys.iter().map(|(id, created, refused)| {
            json!({
                "id": id.to_string(),
                "created": created.to_string(),
                "state": state(*id, *refused),
                "refused_from": refused.map(|from| from.to_string()),
            })
        });
        let faults = faults.iter().map(
            |fault| json!({ "file": fault.file.display().to_string(), "reason": fault.reason }),
        );
        let (keys, faults): (Vec<_>, Vec<_>) = (keys.collect(), faults.collect());
        return output::line(json!({ "keys": keys, "unreadable": faults }));
    }
    for fault in &faults {
        output::tell(format_args!("{}: no key: {}", fault.file.display(), fault.reason));
    }
    if keys.is_empty() {
        return output::line("no keys: make one with `waypost key new`");
    }
    output::line(format_args!("{:<8}  {:<27}  {:<15}  refused from", "id", "created", "state"))?;
    for (id, created, refused) in keys {
        let from = refused.map_or_else(|| "-".to_owned(), |from| from.to_string());
        let state = state(id, refused);
        output::line(format_args!("{id:<8}  {created:<27}  {state:<15}  {from}"))?;
    }
    Ok(())
}
