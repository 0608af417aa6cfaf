//! `waypost check`: everything that is wrong with a configuration file, at once.

use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;

use super::place;
use crate::config::Settings;
use crate::disk::Disk;

/// Checks a configuration file: exit 0 when a node can run from it, else 2 with every reason.
#[derive(Args, Debug)]
pub(super) struct CheckArgs {
    /// The configuration file.
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
}

impl CheckArgs {
    /// Checks; returns the exit code.
    pub(super) fn run(self, disk: &Arc<dyn Disk>) -> u8 {
        match place::load(&**disk, &self.config) {
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
    let kafka = match settings.kafka.brokers.as_slice() {
        [] => "none: events end in the journal".to_owned(),
        brokers => brokers.join(", "),
    };
    println!("  kafka         {kafka}");
    println!("  link keys     {}", settings.links.keys.display());
}
