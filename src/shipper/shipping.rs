//! The shipper as one thing: started, and ended in time.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use thiserror::Error;
use tokio::sync::watch;

use super::config::{Config, Start};
use super::directory::Directory;
use super::driver::Driver;
use super::measures::Measures;
use crate::clock::Clock;
use crate::disk::Disk;
use crate::drain::Drain;
use crate::journal::{self, Cursor, Journal};
use crate::kafka::{Publish, Topics};
use crate::metrics::Metrics;

/// What the shipper works with.
#[derive(Clone, Debug)]
pub struct Shipper {
    /// Its settings.
    pub config: Config,
    /// The topic of each stream.
    pub topics: Topics,
    /// Where to publish.
    pub publish: Arc<dyn Publish>,
    /// The journal that is shipped.
    pub journal: Arc<Journal>,
    /// The journal's folder, where dead letters go.
    pub folder: PathBuf,
    /// Where cursors and dead letters are kept.
    pub disk: Arc<dyn Disk>,
    /// The clocks.
    pub clock: Arc<dyn Clock>,
    /// How long the journal's batches may gather before they are looked for.
    pub linger: Duration,
}

/// A shipper at work.
#[derive(Debug)]
pub struct Shipping {
    ending: watch::Sender<Option<Instant>>,
}

/// The shipper could not be started: the operator's to mend.
#[derive(Debug, Error)]
#[error("the journal's cursor or dead letters in {}: {source}", folder.display())]
pub struct StartError {
    folder: PathBuf,
    source: io::Error,
}

impl Shipper {
    /// Starts to ship, on a thread of its own in `drain`.
    pub fn start(self, metrics: &Metrics, drain: &Drain) -> Result<Shipping, StartError> {
        let folder = self.folder.clone();
        let wrong = |source| StartError { folder: folder.clone(), source };
        if self.config.start == Start::Now {
            self.skip_what_is_kept().map_err(wrong)?;
        }
        let own = Directory::open(&self, self.journal.directory()).map_err(wrong)?;
        let (ending, ended) = watch::channel(None);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
        let runtime = runtime.map_err(wrong)?;
        let measures = Measures::new(metrics, Arc::clone(&self.clock));
        let driver = Driver::new(self, measures, metrics.degraded.clone(), ended);
        drain.thread("shipper", move || runtime.block_on(driver.run(own))).map_err(wrong)?;
        Ok(Shipping { ending })
    }

    /// Nothing that was kept before Kafka was configured is shipped: its cursors are made to stand
    /// behind it.
    fn skip_what_is_kept(&self) -> io::Result<()> {
        let own = (self.journal.directory(), self.journal.path().to_owned());
        for (id, path) in self.journal.adopted().into_iter().chain([own]) {
            let mut cursor = Cursor::open(Arc::clone(&self.disk), &path, id)?;
            if cursor.is_new() {
                let end = if id == self.journal.directory() {
                    self.journal.next_sequence()
                } else {
                    journal::end(&*self.disk, id, &path)?
                };
                cursor.advance(end)?;
                if id == self.journal.directory() {
                    self.journal.acknowledged(end);
                }
                tracing::info!(directory = %id, position = end, "shipping begins now");
            }
        }
        Ok(())
    }
}

impl Shipping {
    /// Ships everything that is durable by now and ends, at `deadline` at the latest. To be called
    /// when the journal takes nothing more.
    pub fn end(&self, deadline: Instant) {
        self.ending.send_replace(Some(deadline));
    }
}
