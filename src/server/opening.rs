//! Opens the journal at start, and goes on trying while the disk does not let it: links are
//! answered meanwhile.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::Duration;

use tokio::sync::oneshot;

use super::build::ServeError;
use super::node::{Node, World};
use crate::config::Settings;
use crate::drain::Drain;
use crate::journal::{Config, Intake, Journal, OpenError};
use crate::metrics::{Degraded, Metrics};

/// The opening of the journal while it goes on.
#[derive(Debug)]
pub(super) struct Opening {
    opened: oneshot::Receiver<Result<Arc<Journal>, OpenError>>,
    degraded: Degraded,
    /// Its end tells the opening to end.
    _wanted: Sender<()>,
}

impl Opening {
    /// Begins to open the journal behind the node's intake, on a thread of its own: a disk that
    /// hangs holds up nothing else.
    pub(super) fn begin(
        settings: &Settings,
        world: &World,
        node: &Node,
    ) -> Result<Self, ServeError> {
        let (wanted, is_wanted) = channel();
        let (found, opened) = oneshot::channel();
        let attempts = Attempts {
            config: settings.journal.clone(),
            world: world.clone(),
            intake: node.intake.clone(),
            metrics: node.metrics.clone(),
            drain: node.journal_drain.clone(),
            is_wanted,
        };
        let body = move || drop(attempts.run().map(|result| found.send(result)));
        node.journal_drain.thread("journal-opening", body).map_err(ServeError::Thread)?;
        Ok(Self { opened, degraded: node.metrics.degraded.clone(), _wanted: wanted })
    }

    /// The journal, if the disk lets it be opened within a moment; `None` when it is still being
    /// tried. A folder that cannot be a journal's is an error.
    pub(super) async fn in_time(&mut self) -> Result<Option<Arc<Journal>>, ServeError> {
        match tokio::time::timeout(PATIENCE, &mut self.opened).await {
            Ok(Ok(Ok(journal))) => Ok(Some(journal)),
            Ok(Ok(Err(error))) => Err(error.into()),
            Ok(Err(_)) | Err(_) => {
                self.degraded.begin(REASON);
                Ok(None)
            }
        }
    }

    /// The journal, when the disk lets it be opened; `None` when it never will be.
    pub(super) async fn in_the_end(&mut self) -> Option<Arc<Journal>> {
        let journal = (&mut self.opened).await.ok()?.ok()?;
        self.degraded.end(REASON);
        Some(journal)
    }
}

struct Attempts {
    config: Config,
    world: World,
    intake: Intake,
    metrics: Metrics,
    drain: Drain,
    is_wanted: Receiver<()>,
}

impl Attempts {
    /// Tries until it is open; `None` when it is no longer wanted.
    fn run(self) -> Option<Result<Arc<Journal>, OpenError>> {
        let degraded = &self.metrics.degraded;
        let mut told = String::new();
        loop {
            let error = match self.once() {
                Ok(journal) => {
                    if !told.is_empty() {
                        tracing::info!("the journal is open");
                    }
                    return Some(Ok(Arc::new(journal)));
                }
                Err(error) if error.is_lasting() && told.is_empty() => return Some(Err(error)),
                Err(error) => error.to_string(),
            };
            degraded.begin(REASON);
            if error != told {
                tracing::error!("{error}; it is tried again each {:?}", self.config.retry);
                told = error;
            }
            let waited = self.is_wanted.recv_timeout(self.config.retry);
            if waited != Err(RecvTimeoutError::Timeout) || self.intake.is_closed() {
                return None;
            }
        }
    }

    fn once(&self) -> Result<Journal, OpenError> {
        let (disk, clock) = (Arc::clone(&self.world.disk), Arc::clone(&self.world.clock));
        let Self { config, intake, metrics, drain, .. } = self;
        Journal::open_behind(intake, config, disk, clock, metrics, drain)
    }
}

/// The disk does not let the journal be opened.
const REASON: &str = "journal_unopened";
/// How long a start waits for the journal before it answers without: a healthy one takes a part of
/// it, whatever its size.
const PATIENCE: Duration = Duration::from_secs(3);
