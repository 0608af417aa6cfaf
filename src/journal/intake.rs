//! Where frames go in, before the journal behind it has been opened and after.

use std::sync::Arc;

use super::appender::Appender;
use super::config::Config;
use super::measures::Measures;
use super::queue::{Queue, Sight};
use crate::metrics::{Account, Metrics};

/// The journal as those see it who append. It is there before the disk is: until the journal is
/// opened behind it, it refuses every frame. Cloning shares it.
#[derive(Clone, Debug)]
pub struct Intake {
    queue: Arc<Queue>,
    measures: Measures,
}

impl Intake {
    /// An intake with nothing behind it.
    pub fn new(config: &Config, metrics: &Metrics) -> Self {
        Self { queue: Arc::new(Queue::new(config.queue)), measures: Measures::new(metrics) }
    }

    /// An appender for one thread; `account` is told of its durable frames.
    pub fn appender(&self, account: Account) -> Appender {
        Appender::new(Arc::clone(&self.queue), account)
    }

    /// Takes nothing more. What was taken is still made durable; then the threads end.
    pub fn close(&self) {
        self.queue.close();
    }

    /// Takes nothing more, and gives up what a failing disk does not take.
    pub fn abandon(&self) {
        self.queue.abandon();
    }

    /// Whether it was closed: nothing need be opened behind it any more.
    pub fn is_closed(&self) -> bool {
        self.queue.is_closed()
    }

    pub(super) fn queue(&self) -> &Arc<Queue> {
        &self.queue
    }

    pub(super) fn measures(&self) -> &Measures {
        &self.measures
    }

    pub(super) fn sight(&self) -> Sight {
        self.queue.sight()
    }
}
