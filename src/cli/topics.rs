//! `waypost topics`: the topics that events go to, made and looked at.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use clap::{Args, Subcommand};
use thiserror::Error;

use super::output::{self, OutputError};
use super::place::{self, PlaceError};
use crate::config::Settings;
use crate::disk::Disk;
use crate::kafka::topics::{self, TopicsError};

/// Makes and checks the topics that the section [kafka] of a configuration file names.
#[derive(Args, Debug)]
pub(super) struct TopicsArgs {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Make those that are missing, with kafka.partitions and kafka.replicas; the others stay.
    Create(WhereArgs),
    /// Say how each is; exit 1 when one is missing or has fewer partitions or replicas than asked.
    Check(WhereArgs),
}

#[derive(Args, Debug)]
struct WhereArgs {
    /// The node's configuration file.
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
}

/// Why the topics could not be made or checked.
#[derive(Debug, Error)]
pub(super) enum TopicsCommandError {
    /// Standard output failed.
    #[error(transparent)]
    Output(#[from] OutputError),
    /// The configuration cannot be served.
    #[error(transparent)]
    Place(#[from] PlaceError),
    /// It names no broker.
    #[error("{}: kafka.brokers names no broker, so events end in the journal", .0.display())]
    NotConfigured(PathBuf),
    /// Kafka did not do it.
    #[error(transparent)]
    Topics(#[from] TopicsError),
}

impl TopicsArgs {
    /// Runs the command; returns the exit code.
    pub(super) fn run(self, disk: &Arc<dyn Disk>) -> Result<u8, TopicsCommandError> {
        let (Command::Create(place) | Command::Check(place)) = &self.command;
        let settings = place::load(&**disk, &place.config)?;
        if !settings.kafka.is_configured() {
            return Err(TopicsCommandError::NotConfigured(place.config.clone()));
        }
        match &self.command {
            Command::Create(_) => {
                for topic in create(&settings, disk)? {
                    output::line(format_args!("topic {topic}: made"))?;
                }
                check(&settings, disk)
            }
            Command::Check(_) => check(&settings, disk),
        }
    }
}

/// Makes the topics that are missing; returns their names.
pub(super) fn create(
    settings: &Settings,
    disk: &Arc<dyn Disk>,
) -> Result<Vec<String>, TopicsError> {
    topics::create(&settings.kafka, &**disk, WITHIN)
}

fn check(settings: &Settings, disk: &Arc<dyn Disk>) -> Result<u8, TopicsCommandError> {
    let findings = topics::check(&settings.kafka, &**disk, WITHIN)?;
    for finding in &findings {
        output::line(finding)?;
    }
    Ok(u8::from(!findings.iter().all(|finding| finding.state.is_fine())))
}

/// How long the brokers may take to answer.
const WITHIN: Duration = Duration::from_secs(10);
