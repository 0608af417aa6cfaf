//! `waypost check`: everything that is wrong with a configuration file, at once.

use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;
use thiserror::Error;

use super::output::{self, OutputError};
use super::place::PlaceError;
use crate::clock::Clock;
use crate::config::{Draft, Settings};
use crate::disk::Disk;
use crate::domains::Admission;
use crate::server::{Objection, World, examine};

/// Checks a configuration file and all files that it names: exit 0 when a node can run from it
/// and leaves nothing out, else 2 with every reason.
#[derive(Args, Debug)]
pub(super) struct CheckArgs {
    /// The configuration file.
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
}

/// Why a file was not found good.
#[derive(Debug, Error)]
pub(super) enum CheckError {
    /// Nobody reads what is told.
    #[error(transparent)]
    Output(#[from] OutputError),
    /// It cannot be read, or not be served.
    #[error(transparent)]
    Place(#[from] PlaceError),
}

impl CheckArgs {
    /// Checks, and tells what a node would do.
    pub(super) fn run(
        self,
        disk: &Arc<dyn Disk>,
        clock: &Arc<dyn Clock>,
    ) -> Result<(), CheckError> {
        let file = self.config;
        let mut draft = Draft::read(&**disk, &file)
            .map_err(|source| PlaceError::Unreadable { file: file.clone(), source })?;
        draft.object_to_missing_files(&**disk);
        let world = World { disk: Arc::clone(disk), clock: Arc::clone(clock) };
        for Objection { key, table, reason } in examine(&draft.settings, &world) {
            draft.object(key, table, reason);
        }
        let settings = draft.finish().map_err(PlaceError::Problems)?;
        output::line(format_args!("{} can be served:", file.display()))?;
        Ok(summary(&settings)?)
    }
}

fn summary(settings: &Settings) -> Result<(), OutputError> {
    let addresses = |list: &[std::net::SocketAddr]| {
        let texts: Vec<_> = list.iter().map(ToString::to_string).collect();
        if texts.is_empty() { "none".to_owned() } else { texts.join(", ") }
    };
    let (name, data) = (&settings.node.name, settings.node.data.display());
    let files = settings.tls.certificates.len();
    let hosts: usize = settings.tls.certificates.iter().map(|files| files.hosts.len()).sum();
    let domains = &settings.domains;
    let admission = match domains.admission {
        Admission::Cname => "names whose CNAME leads to",
        Admission::Registered => "listed names, with a CNAME to",
    };
    let target = domains.target.as_ref().map_or("nothing", |target| target.as_str());
    let kafka = match settings.kafka.brokers.as_slice() {
        [] => "none: events end in the journal".to_owned(),
        brokers => brokers.join(", "),
    };
    for (what, told) in [
        ("node", format!("{name} with data in {data}")),
        ("https", addresses(&settings.edge.https)),
        ("http", addresses(&settings.edge.http)),
        ("admin", settings.admin.listen.to_string()),
        ("certificates", format!("{files} in files, for {hosts} names")),
        ("domains", format!("{admission} {target}; {} files of names", domains.files.len())),
        ("store", settings.store.file.display().to_string()),
        ("journal", settings.journal.directory.display().to_string()),
        ("kafka", kafka),
        ("link keys", settings.links.keys.display().to_string()),
    ] {
        output::line(format_args!("  {what:<12}  {told}"))?;
    }
    Ok(())
}
