//! The way from the journal to Kafka, when one is configured.

use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use super::build::ServeError;
use super::node::World;
use crate::clock::Clock;
use crate::config::Settings;
use crate::drain::Drain;
use crate::journal::Journal;
use crate::kafka::topics::{self, TopicsError};
use crate::kafka::{self, Cluster, Publish};
use crate::metrics::{Degraded, Metrics};
use crate::shipper::{Direct, Shipper, Shipping};

/// What goes on between the journal and Kafka.
#[derive(Debug)]
pub(super) struct Kafka {
    /// Once there is a journal to ship.
    shipping: OnceLock<Shipping>,
    publish: Arc<dyn Publish>,
    direct: Direct,
    drain: Drain,
    /// Its end tells the watch over the topics to end.
    _watched: Sender<()>,
}

impl Kafka {
    /// Begins the second path and the watch over the topics; `None` when no broker is named.
    pub(super) fn start(
        settings: &Settings,
        world: &World,
        metrics: &Metrics,
    ) -> Result<Option<Self>, ServeError> {
        if !settings.kafka.is_configured() {
            return Ok(None);
        }
        let drain = Drain::new();
        let publish: Arc<dyn Publish> =
            Arc::new(Cluster::new(settings.kafka.clone(), Arc::clone(&world.disk)));
        let direct = Direct::new(Arc::clone(&publish), settings.kafka.topics.clone());
        keep_open(&direct, &drain);
        let (watched, over) = channel();
        let watch = Watch {
            config: settings.kafka.clone(),
            world: world.clone(),
            degraded: metrics.degraded.clone(),
            over,
        };
        drain.thread("kafka-topics", move || watch.run()).map_err(ServeError::Thread)?;
        Ok(Some(Self { shipping: OnceLock::new(), publish, direct, drain, _watched: watched }))
    }

    /// Starts to ship `journal`.
    pub(super) fn ship(
        &self,
        settings: &Settings,
        world: &World,
        journal: &Arc<Journal>,
        metrics: &Metrics,
    ) -> Result<(), ServeError> {
        let shipper = Shipper {
            config: settings.shipper.clone(),
            topics: settings.kafka.topics.clone(),
            publish: Arc::clone(&self.publish),
            journal: Arc::clone(journal),
            folder: settings.journal.directory.clone(),
            disk: Arc::clone(&world.disk),
            clock: Arc::clone(&world.clock),
            linger: settings.kafka.linger,
        };
        let shipping = shipper.start(metrics, &self.drain)?;
        self.shipping.get_or_init(|| shipping);
        Ok(())
    }

    /// The second path, for reactors.
    pub(super) fn direct(&self) -> &Direct {
        &self.direct
    }

    /// Ships what is durable by now and settles what took the second path, until `deadline` at
    /// most. What is left of the journal is shipped by the next process.
    pub(super) async fn end(self, deadline: Instant, clock: &dyn Clock) {
        let Self { shipping, publish: _, direct, drain, _watched } = self;
        drop(_watched);
        drain.begin();
        if let Some(shipping) = shipping.into_inner() {
            shipping.end(deadline);
        }
        while direct.settle_now() > 0 && clock.now() < deadline {
            tokio::time::sleep(SETTLE_EVERY).await;
        }
        let lost = direct.settle_last();
        if lost > 0 {
            tracing::error!(events = lost, "Kafka did not say in time whether it has them");
        }
        let left = deadline.saturating_duration_since(clock.now()) + LAST_WORDS;
        if drain.finished(left).await > 0 {
            tracing::warn!("the connection to Kafka did not end in time: it is left");
        }
    }
}

/// Begins the second path's sessions, the first one now.
fn keep_open(direct: &Direct, drain: &Drain) {
    direct.mend();
    let (direct, ending) = (direct.clone(), drain.clone());
    drain.spawn(async move {
        loop {
            tokio::select! {
                () = ending.ending() => return,
                () = tokio::time::sleep(MEND_EVERY) => direct.mend(),
            }
        }
    });
}

/// Looks at the topics until they are as asked, so that what is wrong is told before it hurts.
#[derive(Debug)]
struct Watch {
    config: kafka::Config,
    world: World,
    degraded: Degraded,
    over: Receiver<()>,
}

impl Watch {
    fn run(self) {
        loop {
            let wait = match topics::check(&self.config, &*self.world.disk, WITHIN) {
                Ok(findings) if findings.iter().all(|finding| finding.state.is_fine()) => {
                    self.degraded.end(REASON);
                    return;
                }
                Ok(findings) => {
                    self.degraded.begin(REASON);
                    for finding in findings.iter().filter(|finding| !finding.state.is_fine()) {
                        tracing::error!("{finding}");
                    }
                    AGAIN
                }
                Err(error @ TopicsError::Unreachable { .. }) => {
                    tracing::warn!(%error, "the topics could not be looked at");
                    SOON
                }
                Err(error) => {
                    tracing::error!(%error, "the topics could not be looked at");
                    AGAIN
                }
            };
            if self.over.recv_timeout(wait) != Err(RecvTimeoutError::Timeout) {
                return;
            }
        }
    }
}

/// Why the process is degraded while a topic is not as asked.
const REASON: &str = "kafka_topics";
const WITHIN: Duration = Duration::from_secs(2);
/// How long after topics were found wrong they are looked at again.
const AGAIN: Duration = Duration::from_secs(20);
/// How long after nobody answered.
const SOON: Duration = Duration::from_secs(3);
/// How often it is looked whether the second path is open.
const MEND_EVERY: Duration = Duration::from_secs(1);
const SETTLE_EVERY: Duration = Duration::from_millis(20);
/// How long the connection may take to end once everything is said.
const LAST_WORDS: Duration = Duration::from_millis(800);
