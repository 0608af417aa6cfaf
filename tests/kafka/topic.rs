//! Topics: made, read from the beginning, deleted.

use std::time::{Duration, Instant};

use rdkafka::ClientConfig;
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::message::{Headers, Message};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};

use super::broker::Broker;

/// A record as it was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    pub partition: i32,
    pub offset: i64,
    pub key: Option<Vec<u8>>,
    pub value: String,
    pub headers: Vec<(String, String)>,
    pub millis: i64,
}

impl Broker {
    /// Makes a topic with settings of its own.
    pub fn create_topic(&self, name: &str, partitions: i32, settings: &[(&str, &str)]) {
        let mut topic = NewTopic::new(name, partitions, TopicReplication::Fixed(1));
        for (key, value) in settings {
            topic = topic.set(key, value);
        }
        let made = wait_for(self.admin().create_topics(&[topic], &options())).unwrap();
        assert!(made.iter().all(Result::is_ok), "{made:?}");
    }

    /// Deletes a topic.
    pub fn delete_topic(&self, name: &str) {
        let deleted = wait_for(self.admin().delete_topics(&[name], &options())).unwrap();
        assert!(deleted.iter().all(Result::is_ok), "{deleted:?}");
    }

    /// The names of all topics.
    pub fn topics(&self) -> Vec<String> {
        let metadata = consumer(&self.plain()).fetch_metadata(None, PATIENCE).unwrap();
        metadata.topics().iter().map(|topic| topic.name().to_owned()).collect()
    }

    /// Everything in a topic now, partition by partition.
    pub fn records(&self, topic: &str) -> Vec<Record> {
        read(&self.plain(), topic)
    }

    /// The values of [`Broker::records`].
    pub fn values(&self, topic: &str) -> Vec<String> {
        self.records(topic).into_iter().map(|record| record.value).collect()
    }

    fn admin(&self) -> AdminClient<DefaultClientContext> {
        client(&self.plain()).create().unwrap()
    }
}

/// Everything in a topic of a cluster now, partition by partition.
pub fn read(bootstrap: &str, topic: &str) -> Vec<Record> {
    let consumer = consumer(bootstrap);
    let metadata = consumer.fetch_metadata(Some(topic), PATIENCE).unwrap();
    let partitions = metadata.topics()[0].partitions().len();
    let mut assignment = TopicPartitionList::new();
    let mut left = Vec::new();
    for partition in 0..i32::try_from(partitions).unwrap() {
        let (low, high) = consumer.fetch_watermarks(topic, partition, PATIENCE).unwrap();
        if high > low {
            assignment.add_partition_offset(topic, partition, Offset::Beginning).unwrap();
            left.push((partition, high));
        }
    }
    consumer.assign(&assignment).unwrap();
    let mut records = Vec::new();
    let begun = Instant::now();
    while !left.is_empty() {
        assert!(begun.elapsed() < PATIENCE, "{} read, {left:?} left", records.len());
        let Some(message) = consumer.poll(Duration::from_millis(200)) else { continue };
        let message = message.unwrap();
        let next = message.offset() + 1;
        left.retain(|(partition, high)| *partition != message.partition() || *high > next);
        records.push(record(&message));
    }
    records.sort_by_key(|record| (record.partition, record.offset));
    records
}

fn consumer(bootstrap: &str) -> BaseConsumer {
    client(bootstrap).set("group.id", "tests").set("enable.auto.commit", "false").create().unwrap()
}

fn client(bootstrap: &str) -> ClientConfig {
    let mut client = ClientConfig::new();
    client.set("bootstrap.servers", bootstrap);
    client
}

fn record(message: &impl Message) -> Record {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    let headers = message.headers().into_iter().flat_map(|headers| headers.iter());
    Record {
        partition: message.partition(),
        offset: message.offset(),
        key: message.key().map(<[u8]>::to_vec),
        value: text(message.payload().unwrap_or_default()),
        headers: headers
            .map(|header| (header.key.to_owned(), text(header.value.unwrap_or_default())))
            .collect(),
        millis: message.timestamp().to_millis().unwrap_or(-1),
    }
}

fn options() -> AdminOptions {
    AdminOptions::new().operation_timeout(Some(PATIENCE))
}

fn wait_for<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future)
}

const PATIENCE: Duration = Duration::from_secs(30);
