//! The real side of the seam: librdkafka's producer.

use std::fmt;
use std::sync::Arc;

use rdkafka::ClientContext;
use rdkafka::config::{FromClientConfigAndContext, RDKafkaLogLevel};
use rdkafka::error::KafkaError;
use rdkafka::message::{Header, Message, OwnedHeaders};
use rdkafka::producer::{BaseRecord, DeliveryResult, ProducerContext, ThreadedProducer};
use rdkafka::statistics::Statistics;
use rdkafka::types::RDKafkaErrorCode;

use super::client;
use super::config::{Compression, Config};
use super::publish::{Batches, Hear, Manner, News, OpenError, Publish, Record, Session};
use super::verdict::{Reason, Verdict};
use crate::disk::Disk;

/// The brokers that the settings name.
#[derive(Clone, Debug)]
pub struct Cluster {
    config: Config,
    disk: Arc<dyn Disk>,
}

impl Cluster {
    /// The brokers of `config`; the password's file is read from `disk`.
    pub fn new(config: Config, disk: Arc<dyn Disk>) -> Self {
        Self { config, disk }
    }
}

impl Publish for Cluster {
    fn open(&self, manner: Manner, hear: Hear) -> Result<Box<dyn Session>, OpenError> {
        let mut client = client::configuration(&self.config, &*self.disk)?;
        let (linger, queue) = match manner {
            Manner::Bulk { queue } => (self.config.linger, queue),
            Manner::Prompt { queue } => (std::time::Duration::ZERO, queue),
        };
        let compression = match self.config.compression {
            Compression::None => "none",
            Compression::Lz4 => "lz4",
            Compression::Zstd => "zstd",
        };
        client
            // All in-sync replicas, and no copies while the session lasts.
            .set("enable.idempotence", "true")
            // As many as keep order in an idempotent session: the next batch is compressed while the
            // broker works on those before it.
            .set("max.in.flight.requests.per.connection", "5")
            .set("acks", "all")
            .set("message.timeout.ms", "0")
            .set("compression.type", compression)
            .set("linger.ms", (linger.as_secs_f64() * 1_000.0).to_string())
            .set("batch.size", self.config.batch.to_string())
            // As the Java producer does, so that its records fall into the same partitions.
            .set("partitioner", "murmur2_random")
            .set("queue.buffering.max.messages", "0")
            .set("queue.buffering.max.kbytes", (queue >> 10).max(1).to_string())
            // A topic that is missing is reported soon: what is reported is sent again anyway.
            .set("topic.metadata.propagation.max.ms", "3000")
            .set("retry.backoff.ms", "50")
            .set("statistics.interval.ms", "2000");
        let context = Context { hear };
        let producer = ThreadedProducer::from_config_and_context(&client, context)
            .map_err(|error| OpenError::Client(error.to_string()))?;
        Ok(Box::new(Producer { producer }))
    }
}

struct Producer {
    producer: ThreadedProducer<Context>,
}

impl Session for Producer {
    fn send(&self, record: &Record<'_>, tag: usize) -> Result<(), Verdict> {
        let mut headers = OwnedHeaders::new_with_capacity(record.headers.len());
        for (name, value) in record.headers {
            headers = headers.insert(Header { key: name, value: Some(*value) });
        }
        let millis = i64::try_from(record.time.micros() / 1_000).unwrap_or(i64::MAX);
        let mut sent: BaseRecord<'_, [u8], [u8], usize> =
            BaseRecord::with_opaque_to(record.topic, tag)
                .payload(record.value)
                .timestamp(millis)
                .headers(headers);
        // None, and not an empty one, which would always be of the same partition.
        sent.key = record.key;
        self.producer.send(sent).map_err(|(error, _)| verdict(&error))
    }
}

impl fmt::Debug for Producer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Producer")
    }
}

fn verdict(error: &KafkaError) -> Verdict {
    let code = error.rdkafka_error_code();
    code.map_or(Verdict::Retry(Reason::Refused), Verdict::of)
}

/// Hears librdkafka on its polling thread.
struct Context {
    hear: Hear,
}

impl ClientContext for Context {
    fn log(&self, level: RDKafkaLogLevel, _: &str, told: &str) {
        trace(level, told);
    }

    fn stats(&self, statistics: Statistics) {
        let is_up = |state: &str| state == "UP";
        if statistics.brokers.values().any(|broker| broker.nodeid >= 0 && is_up(&broker.state)) {
            (self.hear)(News::Reachable);
        }
        for topic in statistics.topics.values() {
            let whole = |value: i64| u64::try_from(value).unwrap_or_default();
            let batches = Batches {
                count: whole(topic.batchcnt.cnt),
                records: whole(topic.batchcnt.sum),
                bytes: whole(topic.batchsize.sum),
            };
            if batches.count > 0 {
                (self.hear)(News::Batches(batches));
            }
        }
    }

    fn error(&self, error: KafkaError, told: &str) {
        let verdict = verdict(&error);
        let is_over = match error.rdkafka_error_code() {
            Some(RDKafkaErrorCode::AllBrokersDown) => true,
            _ => matches!(verdict, Verdict::Fatal | Verdict::Retry(Reason::Authentication)),
        };
        if is_over {
            (self.hear)(News::Unreachable(told, verdict));
        } else {
            // One broker of several, or a question that is asked again.
            tracing::debug!(error = told, "kafka");
        }
    }
}

impl ProducerContext for Context {
    type DeliveryOpaque = usize;

    fn delivery(&self, result: &DeliveryResult<'_>, tag: usize) {
        let outcome = match result {
            Ok(message) if message.offset() >= 0 => Ok(()),
            // librdkafka takes the success of a later batch as that of the ones before it. But a
            // broker that does not know the producer yet takes any first batch: the one before it
            // may have been refused. Only a place in the log proves that a record is there.
            Ok(_) => Err(Verdict::Retry(Reason::Unproven)),
            Err((error, _)) => Err(verdict(error)),
        };
        (self.hear)(News::Settled { tag, outcome });
    }
}

/// What librdkafka tells of itself. The errors that matter come as [`ClientContext::error`] too.
pub(super) fn trace(level: RDKafkaLogLevel, told: &str) {
    match level {
        RDKafkaLogLevel::Emerg | RDKafkaLogLevel::Alert | RDKafkaLogLevel::Critical => {
            tracing::error!(told, "kafka");
        }
        _ => tracing::debug!(told, "kafka"),
    }
}
