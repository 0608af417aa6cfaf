//! Kafka's own command-line tools.

use std::path::Path;

use super::broker::Broker;
use super::jars::{fast_java, java};

/// What the console consumer printed of one record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Consumed {
    pub time: String,
    pub partition: String,
    pub headers: String,
    pub key: String,
    pub value: String,
}

impl Broker {
    /// The first `count` records of a topic, as Kafka's console consumer prints them.
    pub fn console(&self, topic: &str, count: usize) -> Vec<Consumed> {
        let mut command = java(&["-Xmx128m"]);
        command.arg("org.apache.kafka.tools.consumer.ConsoleConsumer");
        command.args(["--bootstrap-server", &self.plain(), "--topic", topic, "--from-beginning"]);
        command.args(["--max-messages", &count.to_string(), "--timeout-ms", "30000"]);
        for what in ["timestamp", "partition", "headers", "key"] {
            command.args(["--formatter-property", &format!("print.{what}=true")]);
        }
        let output = command.output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let text = String::from_utf8(output.stdout).unwrap();
        text.lines().map(consumed).collect()
    }

    /// Events a second that Kafka's producer tool sends, warm, with our batches. The payload's
    /// lines are sent by chance.
    pub fn perf(&self, topic: &str, count: usize, payload: &Path, compression: &str) -> f64 {
        let mut command = fast_java(&["-Xms256m", "-Xmx512m"]);
        command.arg("org.apache.kafka.tools.ProducerPerformance");
        command.args(["--bootstrap-server", &self.plain(), "--topic", topic]);
        command.args(["--num-records", &(count + WARM).to_string(), "--throughput", "-1"]);
        command.args(["--warmup-records", &WARM.to_string(), "--payload-file"]).arg(payload);
        let compression = format!("compression.type={compression}");
        command.args(["--command-property", "acks=all", "enable.idempotence=true", &compression]);
        command.args(["batch.size=524288", "linger.ms=5", "buffer.memory=67108864"]);
        let output = command.output().unwrap();
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success(), "{text}{}", String::from_utf8_lossy(&output.stderr));
        let last = text.lines().rev().find(|line| line.contains("records/sec")).unwrap();
        let rate = last.split(',').find_map(|part| part.trim().split_once(" records/sec"));
        rate.unwrap().0.parse().unwrap()
    }
}

/// Records that the tool sends before it measures.
const WARM: usize = 100_000;

fn consumed(line: &str) -> Consumed {
    let mut parts = line.splitn(5, '\t').map(str::to_owned);
    let mut next = || parts.next().unwrap_or_else(|| panic!("{line}"));
    Consumed { time: next(), partition: next(), headers: next(), key: next(), value: next() }
}
