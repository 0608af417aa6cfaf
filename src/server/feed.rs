//! Follows the journal and hands on each event as it becomes durable: what `dev` shows.

use std::sync::Arc;

use crate::admin::Recent;
use crate::drain::Drain;
use crate::journal::{Journal, Position};

/// Told of each durable event.
pub type EachEvent = Box<dyn FnMut(Position, &[u8]) + Send>;

/// Who is shown events.
pub(super) struct Feed {
    pub(super) recent: Recent,
    pub(super) each: Option<EachEvent>,
}

impl Feed {
    /// Follows `journal` from its present end, until it is closed.
    pub(super) fn follow(self, journal: &Arc<Journal>, drain: &Drain) {
        let Self { recent, mut each } = self;
        let journal = Arc::clone(journal);
        let ending = drain.clone();
        let mut reader = journal.reader(journal.durable());
        let directory = journal.directory();
        drain.spawn(async move {
            loop {
                let is_ending = tokio::select! {
                    () = journal.durable_past(reader.position()) => false,
                    () = ending.ending() => true,
                };
                loop {
                    match reader.read() {
                        Ok(Some(stored)) => {
                            recent.push(stored.sequence, stored.frame.body);
                            let position = Position { directory, sequence: stored.sequence };
                            if let Some(each) = &mut each {
                                each(position, stored.frame.body);
                            }
                        }
                        Ok(None) => break,
                        Err(error) => {
                            tracing::warn!(%error, "events are no longer shown");
                            return;
                        }
                    }
                }
                if is_ending {
                    return;
                }
            }
        });
    }
}
