//! Those who read the journal of a node, from when it is open on.

use std::sync::Arc;

use super::build::ServeError;
use super::feed::Feed;
use super::node::{Node, World};
use super::opening::Opening;
use super::shipping::Kafka;
use crate::config::Settings;
use crate::journal::Journal;

/// What reads the journal, before it does.
pub(super) struct Readers<'a> {
    pub(super) settings: &'a Settings,
    pub(super) world: &'a World,
    pub(super) kafka: Option<&'a Kafka>,
    /// The journal, when it is open by now.
    pub(super) journal: Option<Arc<Journal>>,
    /// Its opening, otherwise.
    pub(super) opening: Opening,
    /// Under `dev`.
    pub(super) feed: Option<Feed>,
}

impl Readers<'_> {
    /// Has them read the journal, if it is open.
    pub(super) fn begin(&mut self, node: &Node) -> Result<(), ServeError> {
        self.journal.clone().map_or(Ok(()), |journal| self.follow(&journal, node))
    }

    fn follow(&mut self, journal: &Arc<Journal>, node: &Node) -> Result<(), ServeError> {
        if let Some(feed) = self.feed.take() {
            feed.follow(journal, &node.admin_drain);
        }
        let ship = |kafka: &Kafka| kafka.ship(self.settings, self.world, journal, &node.metrics);
        self.kafka.map_or(Ok(()), ship)
    }

    /// Has them read the journal if it is still being opened, once it is. Runs until dropped.
    pub(super) async fn follow_in_the_end(&mut self, node: &Node) {
        if self.journal.is_none()
            && let Some(journal) = self.opening.in_the_end().await
            && let Err(error) = self.follow(&journal, node)
        {
            // Events are kept; the next start ships them.
            tracing::error!("{error}");
            node.metrics.degraded.begin(REASON);
        }
        std::future::pending().await
    }
}

/// What is in the journal does not leave for Kafka.
const REASON: &str = "shipper";
