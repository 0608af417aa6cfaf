//! Topics: looked at before they are needed, made only when asked.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rdkafka::ClientContext;
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::config::{FromClientConfigAndContext, RDKafkaLogLevel};
use rdkafka::error::KafkaError;
use rdkafka::metadata::MetadataTopic;
use rdkafka::producer::{DeliveryResult, Producer, ProducerContext, ThreadedProducer};
use rdkafka::types::RDKafkaErrorCode as Code;
use thiserror::Error;

use super::client;
use super::config::Config;
use super::producer::trace;
use super::publish::OpenError;
use super::verdict::{Reason, Verdict};
use crate::disk::Disk;

/// Why topics could not be looked at or made.
#[derive(Debug, Error)]
pub enum TopicsError {
    /// The client could not be made: the operator's to mend.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// No broker answered, or they do not let us in. Worth a retry.
    #[error("kafka.brokers {brokers}: {told}")]
    Unreachable {
        /// The brokers that were tried.
        brokers: String,
        /// What was heard.
        told: String,
    },
    /// A topic could not be made.
    #[error("topic {topic}: {told}")]
    Refused {
        /// The topic.
        topic: String,
        /// What the broker said.
        told: String,
    },
}

/// What was found of one topic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The topic.
    pub topic: String,
    /// How it is.
    pub state: State,
}

/// How a topic is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
    /// As asked, or with more.
    Fine {
        /// Its partitions.
        partitions: usize,
        /// The fewest replicas that one of them has.
        replicas: usize,
    },
    /// Not there.
    Missing,
    /// It has fewer partitions than asked.
    FewPartitions {
        /// What it has.
        has: usize,
        /// What is asked.
        asked: u32,
    },
    /// A partition has fewer replicas than asked.
    FewReplicas {
        /// What it has.
        has: usize,
        /// What is asked.
        asked: u32,
    },
    /// We may not see it.
    NotAllowed,
}

impl State {
    /// Whether nothing is to be done.
    pub const fn is_fine(&self) -> bool {
        matches!(self, Self::Fine { .. })
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let topic = &self.topic;
        match self.state {
            State::Fine { partitions, replicas } => {
                write!(f, "topic {topic}: fine, {partitions} partitions, {replicas} replicas")
            }
            State::Missing => {
                write!(f, "topic {topic} is missing: make it with `waypost topics create`")
            }
            State::FewPartitions { has, asked } => write!(
                f,
                "topic {topic} has {has} partitions, kafka.partitions asks for {asked}: add some, \
                 which changes the partition of a key, or ask for fewer"
            ),
            State::FewReplicas { has, asked } => write!(
                f,
                "topic {topic} has {has} replicas, kafka.replicas asks for {asked}: reassign its \
                 partitions, or ask for fewer"
            ),
            State::NotAllowed => write!(
                f,
                "topic {topic}: we may not see it; the user needs Describe and Write on it"
            ),
        }
    }
}

/// Looks at the three topics. Blocks at most about `within`.
pub fn check(
    config: &Config,
    disk: &dyn Disk,
    within: Duration,
) -> Result<Vec<Finding>, TopicsError> {
    let client = client::configuration(config, disk)?;
    let observer = Observer::default();
    let producer = ThreadedProducer::from_config_and_context(&client, observer.clone())
        .map_err(|error| OpenError::Client(error.to_string()))?;
    let unreachable = |error: &KafkaError| {
        let told = observer.told().unwrap_or_else(|| error.to_string());
        TopicsError::Unreachable { brokers: config.brokers.join(","), told }
    };
    let mut findings = Vec::new();
    for name in config.topics.names() {
        let mut left = within;
        // In slices, so that a refusal is told at once.
        let metadata = loop {
            let slice = left.min(SLICE);
            match producer.client().fetch_metadata(Some(name), slice) {
                Ok(metadata) => break metadata,
                Err(error) if left <= SLICE || observer.is_refused() => {
                    return Err(unreachable(&error));
                }
                Err(_) => left -= slice,
            }
        };
        let state = metadata
            .topics()
            .iter()
            .find(|topic| topic.name() == name)
            .map_or(State::Missing, |topic| state(topic, config));
        findings.push(Finding { topic: name.to_owned(), state });
    }
    Ok(findings)
}

fn state(topic: &MetadataTopic, config: &Config) -> State {
    match topic.error().map(Code::from) {
        None => {}
        Some(Code::TopicAuthorizationFailed) => return State::NotAllowed,
        Some(_) => return State::Missing,
    }
    let partitions = topic.partitions();
    let replicas = partitions.iter().map(|partition| partition.replicas().len()).min();
    let replicas = replicas.unwrap_or_default();
    if partitions.len() < config.partitions as usize {
        return State::FewPartitions { has: partitions.len(), asked: config.partitions };
    }
    if replicas < config.replicas as usize {
        return State::FewReplicas { has: replicas, asked: config.replicas };
    }
    State::Fine { partitions: partitions.len(), replicas }
}

/// Makes those of the three topics that are missing; returns their names. Those that are there
/// stay as they are. Blocks at most about `within`.
pub fn create(
    config: &Config,
    disk: &dyn Disk,
    within: Duration,
) -> Result<Vec<String>, TopicsError> {
    let missing: Vec<_> = check(config, disk, within)?
        .into_iter()
        .filter(|finding| finding.state == State::Missing)
        .map(|finding| finding.topic)
        .collect();
    if missing.is_empty() {
        return Ok(missing);
    }
    let client = client::configuration(config, disk)?;
    let admin = AdminClient::from_config_and_context(&client, Observer::default())
        .map_err(|error| OpenError::Client(error.to_string()))?;
    let count = |count: u32| i32::try_from(count).unwrap_or(i32::MAX);
    // All replicas but one have a record before it is acknowledged, so that one may be lost.
    let in_sync = config.replicas.saturating_sub(1).max(1).to_string();
    let topic = |name| {
        let replicas = TopicReplication::Fixed(count(config.replicas));
        NewTopic::new(name, count(config.partitions), replicas).set("min.insync.replicas", &in_sync)
    };
    let topics: Vec<_> = missing.iter().map(|name| topic(name)).collect();
    let options = AdminOptions::new().request_timeout(Some(within)).operation_timeout(Some(within));
    let unreachable =
        |told: String| TopicsError::Unreachable { brokers: config.brokers.join(","), told };
    let runtime = tokio::runtime::Builder::new_current_thread().build();
    let runtime = runtime.map_err(|error| OpenError::Client(error.to_string()))?;
    let made = runtime.block_on(admin.create_topics(&topics, &options));
    for result in made.map_err(|error| unreachable(error.to_string()))? {
        match result {
            Ok(_) | Err((_, Code::TopicAlreadyExists)) => {}
            Err((topic, code)) => {
                return Err(TopicsError::Refused { topic, told: code.to_string() });
            }
        }
    }
    Ok(missing)
}

/// Remembers what a client was told last, since its calls only say that they took too long.
#[derive(Clone, Debug, Default)]
struct Observer {
    last: Arc<Mutex<Option<(String, Verdict)>>>,
}

impl Observer {
    fn told(&self) -> Option<String> {
        self.lock().as_ref().map(|(told, _)| told.clone())
    }

    /// Whether waiting is of no use.
    fn is_refused(&self) -> bool {
        matches!(*self.lock(), Some((_, Verdict::Retry(Reason::Authentication))))
    }

    fn lock(&self) -> MutexGuard<'_, Option<(String, Verdict)>> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ClientContext for Observer {
    fn log(&self, level: RDKafkaLogLevel, _: &str, told: &str) {
        trace(level, told);
    }

    fn error(&self, error: KafkaError, told: &str) {
        let Some(code) = error.rdkafka_error_code() else { return };
        let mut last = self.lock();
        // That all brokers are down says less than what was said before.
        if code != Code::AllBrokersDown || last.is_none() {
            *last = Some((told.to_owned(), Verdict::of(code)));
        }
    }
}

impl ProducerContext for Observer {
    type DeliveryOpaque = ();

    fn delivery(&self, _: &DeliveryResult<'_>, (): ()) {}
}

const SLICE: Duration = Duration::from_millis(500);
