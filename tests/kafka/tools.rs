//! Kafka's own command-line tools.

use super::broker::Broker;
use super::jars::java;

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
}

fn consumed(line: &str) -> Consumed {
    let mut parts = line.splitn(5, '\t').map(str::to_owned);
    let mut next = || parts.next().unwrap_or_else(|| panic!("{line}"));
    Consumed { time: next(), partition: next(), headers: next(), key: next(), value: next() }
}
