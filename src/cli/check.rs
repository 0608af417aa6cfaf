//! `waypost check`: everything that is wrong with a configuration file, at once.

use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;

use crate::clock::Clock;
use crate::config::{Draft, Settings};
use crate::disk::Disk;
use crate::server::{Objection, World, examine};

/// Checks a configuration file and all files that it names: exit 0 when a node can run from it
/// and leaves nothing out, else 2 with every reason.
#[derive(Args, Debug)]
pub(super) struct CheckArgs {
    /// The configuration file.
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
}

impl CheckArgs {
    /// Checks; returns the exit code.
    pub(super) fn run(self, disk: &Arc<dyn Disk>, clock: &Arc<dyn Clock>) -> u8 {
        let mut draft = match Draft::read(&**disk, &self.config) {
            Ok(draft) => draft,
            Err(error) => {
                eprintln!("waypost: --config {}: {error}", self.config.display());
                return 2;
            }
        };
        draft.object_to_missing_files(&**disk);
        let world = World { disk: Arc::clone(disk), clock: Arc::clone(clock) };
        for Objection { key, table, reason } in examine(&draft.settings, &world) {
            draft.object(key, table, reason);
        }
        match draft.finish() {
            Ok(settings) => {
                println!("{} can be served:", self.config.display());
                summary(&settings);
                0
            }
            Err(error) => {
                eprintln!("{error}");
                2
            }
        }
    }
}

fn summary(settings: &Settings) {
    let addresses = |list: &[std::net::SocketAddr]| {
        let texts: Vec<_> = list.iter().map(ToString::to_string).collect();
        if texts.is_empty() { "none".to_owned() } else { texts.join(", ") }
    };
    println!(
        "  node          {} with data in {}",
        settings.node.name,
        settings.node.data.display()
    );
    println!("  https         {}", addresses(&settings.edge.https));
    println!("  http          {}", addresses(&settings.edge.http));
    println!("  admin         {}", settings.admin.listen);
    let hosts: usize = settings.tls.certificates.iter().map(|files| files.hosts.len()).sum();
    println!("  certificates  {} in files, for {hosts} names", settings.tls.certificates.len());
    println!("  journal       {}", settings.journal.directory.display());
    println!("  link keys     {}", settings.links.keys.display());
}
