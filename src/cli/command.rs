//! The commands, and how they end.

use std::fmt::Display;
use std::process::ExitCode;
use std::sync::Arc;

use clap::{Parser, Subcommand};

use super::check::CheckArgs;
use super::dev::DevArgs;
use super::domain::DomainArgs;
use super::journal::JournalArgs;
use super::key::KeyArgs;
use super::link::LinkArgs;
use super::output;
use super::serve::ServeArgs;
use super::store::StoreArgs;
use super::topics::TopicsArgs;
use crate::clock::{Clock, SystemClock};
use crate::disk::{Disk, SystemDisk};

/// The public HTTPS edge for tracked links: it redirects clicks, serves open pixels and records
/// every event on stable storage before it answers.
#[derive(Debug, Parser)]
#[command(name = "waypost", version, max_term_width = 100)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Try everything on this machine: no certificate, DNS or configuration needed.
    Dev(DevArgs),
    /// Run a node from a configuration file, until SIGTERM or Ctrl-C.
    Serve(ServeArgs),
    /// Check a configuration file and say everything that is wrong with it.
    Check(CheckArgs),
    /// Make, list and refuse the keys that seal links.
    Key(KeyArgs),
    /// Mint links and pixels, and show what a link says.
    Link(Box<LinkArgs>),
    /// List, add, remove and check customers' hostnames.
    Domain(Box<DomainArgs>),
    /// Read the journal of events, or send it again.
    Journal(JournalArgs),
    /// Make and check the topics that events go to.
    Topics(TopicsArgs),
    /// Write all records of the store as text, and read them.
    Store(StoreArgs),
}

/// Runs the command that the arguments name.
pub fn main() -> ExitCode {
    let disk: Arc<dyn Disk> = Arc::new(SystemDisk);
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    match Arguments::parse().command {
        Command::Dev(dev) => ended(dev.run(&disk, &clock).map(|()| 0)),
        Command::Serve(serve) => ended(serve.run(&disk, &clock).map(|()| 0)),
        Command::Check(check) => ended(check.run(&disk, &clock).map(|()| 0)),
        Command::Key(key) => ended(key.run(&disk, &*clock).map(|()| 0)),
        Command::Link(link) => ended(link.run(&disk, &clock)),
        Command::Domain(domain) => ended(domain.run(&disk, &clock)),
        Command::Journal(journal) => ended(journal.run(&disk, &clock)),
        Command::Topics(topics) => ended(topics.run(&disk)),
        Command::Store(store) => ended(store.run(&disk, &clock)),
    }
}

/// Exit 2 and the reason on standard error when a command could not do its work.
fn ended(result: Result<u8, impl Display>) -> ExitCode {
    match result {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            output::tell(format_args!("waypost: {error}"));
            ExitCode::from(2)
        }
    }
}
