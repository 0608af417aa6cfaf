//! The commands of `waypost audit`, and how they end.

use std::io::{self, Write};
use std::path::PathBuf;
use std::sync::Arc;

use clap::{Args, Subcommand};
use thiserror::Error;

use super::domains::DomainsArgs;
use super::record::RecordArgs;
use super::source::SourceError;
use super::spf_check::SpfCheckArgs;
use super::svg::SvgArgs;
use crate::audit::domain::SubjectError;
use crate::audit::{Finding, Severity, UnknownKind};
use crate::cli::place::PlaceError;
use crate::clock::Clock;
use crate::disk::Disk;
use crate::dns::StartError;
use crate::server::AuditorError;

/// Judges domains, or single records of mail authentication. Exit 0 without an error among the
/// findings, 1 with one, 2 when something could not be judged, 3 when DNS did not answer.
#[derive(Args, Debug)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub(in crate::cli) struct AuditArgs {
    #[command(flatten)]
    domains: DomainsArgs,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Judge one record before it is published: no DNS is asked.
    Record(RecordArgs),
    /// Judge images for BIMI before they are published.
    Svg(SvgArgs),
    /// Evaluate SPF for one sender, as a receiver does.
    SpfCheck(SpfCheckArgs),
}

/// Why nothing could be judged.
#[derive(Debug, Error)]
pub(in crate::cli) enum AuditError {
    /// Nobody reads what we print.
    #[error("standard output: {0}")]
    Output(#[from] io::Error),
    /// The system gives no runtime.
    #[error("the runtime could not be started: {0}")]
    Runtime(io::Error),
    /// DNS cannot be asked.
    #[error(transparent)]
    Resolver(#[from] StartError),
    /// The text or file could not be read.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// A text names no domain, or no key.
    #[error(transparent)]
    Subject(#[from] SubjectError),
    /// The configuration could not be read.
    #[error(transparent)]
    Place(#[from] PlaceError),
    /// Roots cannot be used.
    #[error(transparent)]
    Roots(#[from] AuditorError),
    /// A file could not be read or written.
    #[error("{}: {source}", file.display())]
    File {
        /// The file.
        file: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The page could not be made.
    #[error("the page could not be made: {0}")]
    Page(askama::Error),
    /// The text is of no kind.
    #[error("{0}, with --kind")]
    Kind(#[from] UnknownKind),
}

impl AuditArgs {
    /// Runs the command; returns the exit code.
    pub(in crate::cli) fn run(
        self,
        disk: &Arc<dyn Disk>,
        clock: &Arc<dyn Clock>,
    ) -> Result<u8, AuditError> {
        let mut out = io::stdout().lock();
        let code = match self.command {
            None => self.domains.run(disk, clock, &mut out),
            Some(Command::Record(record)) => record.run(&mut out),
            Some(Command::Svg(svg)) => svg.run(&**disk, &mut out),
            Some(Command::SpfCheck(check)) => check.run(&**disk, clock, &mut out),
        }?;
        out.flush()?;
        Ok(code)
    }
}

/// The exit code that findings ask for.
pub(super) fn exit_code<'a>(findings: impl IntoIterator<Item = &'a Finding>) -> u8 {
    let worst = findings.into_iter().map(|finding| finding.severity).max();
    match worst {
        Some(Severity::Error) => 1,
        Some(Severity::Unknown) => 3,
        Some(Severity::Weak | Severity::Note) | None => 0,
    }
}
