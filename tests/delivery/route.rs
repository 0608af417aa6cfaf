//! The way of events from a node to topics of its own on a broker.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use tokio::sync::watch;

use crate::kafka::Broker;
use crate::node::{
    Address, Judge, Mailing, NAME, Node, Pattern, Program, Protocol, Random, Setup, Speed, Traffic,
};

/// A node whose events go to topics that no other test uses.
pub struct Route {
    pub node: Node,
    pub topic: String,
}

/// The name that is clicked on.
pub const HOST: &str = "trk.example.com";

impl Route {
    /// A node in front of topics with three partitions, with `settings` for [kafka] and a
    /// journal of small segments.
    pub fn to(broker: &Broker, settings: &str) -> Self {
        let topics = Topics::new();
        for topic in topics.names() {
            broker.create_topic(&topic, 3, &[]);
        }
        Self::start(&topics, &format!("brokers = [\"{}\"]\n{settings}", broker.plain()), "")
    }

    /// A node in front of topics that may be there or not.
    pub fn start(topics: &Topics, settings: &str, journal: &str) -> Self {
        Self::start_with(Program::Product, topics, settings, journal)
    }

    /// The same, run by another program.
    pub fn start_with(program: Program, topics: &Topics, settings: &str, journal: &str) -> Self {
        let partitions = if settings.contains("partitions =") { "" } else { "partitions = 3\n" };
        let setup = Setup {
            program,
            journal: format!("segment = \"1MiB\"\n{journal}"),
            more: format!("[kafka]\n{partitions}replicas = 1\n{}\n{settings}\n", topics.lines()),
            ..Setup::of(&[HOST])
        };
        Self { node: Node::start(&setup), topic: topics.events() }
    }

    /// `count` clicks of all kinds, none of them sent yet.
    pub fn traffic(&self, count: usize, address: Address) -> Arc<Traffic> {
        let seed = Random::from_environment().next();
        let protocols = [Protocol::Http1, Protocol::Http2];
        let mailing = Mailing::new(seed, &[HOST.to_owned()], &protocols);
        let pattern = Pattern { count, ..Pattern::default() };
        Traffic::new(
            (self.node.client(), self.node.mint().clone()),
            mailing,
            pattern,
            address,
            NAME,
        )
    }

    /// Sends `count` clicks from many connections; blocks until each is answered.
    pub fn click(&self, count: usize) -> Judge {
        let (_kept, address) = watch::channel(Some(self.node.https()));
        let traffic = self.traffic(count, address);
        traffic.run();
        traffic.finish().0
    }

    /// The same, and how long they took. The judge passes over what others asked for.
    pub fn clicked(&self, count: usize) -> (Judge, Speed) {
        let (_kept, address) = watch::channel(Some(self.node.https()));
        let traffic = self.traffic(count, address);
        traffic.run();
        let (judge, speed) = traffic.finish();
        (judge.among_others(), speed)
    }

    /// The value of a metric without labels, or with the labels in its name.
    pub fn metric(&self, name: &str) -> f64 {
        let (_, text) = self.node.ask_admin("/metrics");
        let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        line.unwrap_or_else(|| panic!("no {name}\n{text}")).parse().unwrap()
    }

    /// Waits until a metric is as it should be; returns it.
    pub fn wait_for(&self, name: &str, is_right: impl Fn(f64) -> bool) -> f64 {
        let begun = Instant::now();
        loop {
            let value = self.metric(name);
            if is_right(value) {
                return value;
            }
            let told = self.node.told();
            assert!(begun.elapsed() < PATIENCE, "{name} is {value}\n{told}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Waits until everything that is durable is settled, and `events` of it at least.
    pub fn wait_until_shipped(&self, events: usize) {
        self.wait_for("waypost_kafka_head", |head| head >= events as f64);
        self.wait_for("waypost_kafka_lag_events", |lag| lag == 0.0);
    }

    /// Whether `reason` is among those for which the node is degraded; it is ready all the same.
    pub fn is_degraded(&self, reason: &str) -> bool {
        let (status, body) = self.node.ask_admin("/readyz");
        assert_eq!(status, 200, "{body}");
        let told: serde_json::Value = serde_json::from_str(&body).unwrap();
        told["degraded"].as_array().unwrap().iter().any(|of| of == reason)
    }

    /// Waits until the node's traces hold a text.
    pub fn wait_until_told(&self, text: &str) {
        let begun = Instant::now();
        while !self.node.told().contains(text) {
            assert!(begun.elapsed() < PATIENCE, "{text}: {}", self.node.told());
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Waits until `reason` is among the degraded reasons, or no longer.
    pub fn wait_for_degraded(&self, reason: &str, is_degraded: bool) {
        let begun = Instant::now();
        while self.is_degraded(reason) != is_degraded {
            assert!(begun.elapsed() < PATIENCE, "{reason}: {}", self.node.told());
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

/// Names of topics that no other test uses.
pub struct Topics {
    prefix: String,
}

impl Topics {
    pub fn new() -> Self {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        Self { prefix: format!("test-{}", NEXT.fetch_add(1, Ordering::Relaxed)) }
    }

    pub fn events(&self) -> String {
        format!("{}.events", self.prefix)
    }

    pub fn names(&self) -> [String; 3] {
        ["events", "domains", "audits"].map(|stream| format!("{}.{stream}", self.prefix))
    }

    /// Lines for [kafka].
    pub fn lines(&self) -> String {
        let [events, domains, audits] = self.names();
        format!(
            "events_topic = \"{events}\"\ndomains_topic = \"{domains}\"\naudits_topic = \"{audits}\""
        )
    }
}

const PATIENCE: Duration = Duration::from_secs(40);
