//! A node that ships a full journal.

use std::path::Path;
use std::sync::Arc;
use std::thread::sleep;
use std::time::{Duration, Instant};

use waypost::clock::{Clock, SystemClock};
use waypost::disk::{Disk, SystemDisk};
use waypost::drain::Drain;
use waypost::journal::{self, Frame, Journal, Stream, Sync};
use waypost::metrics::Metrics;

use crate::PARTITIONS;
use crate::events::Events;
use crate::kafka::Broker;
use crate::node::{Node, Setup};

/// Events a second that a node brings from its journal to a topic of its own.
pub fn rate(broker: &Broker, count: usize, compression: &str) -> f64 {
    let topics = ["events", "domains", "audits"].map(|stream| format!("ours.{stream}"));
    for topic in &topics {
        broker.create_topic(topic, PARTITIONS, &[]);
    }
    // A first start makes its folder; what it then finds in its journal it ships.
    let [events, domains, audits] = &topics;
    let kafka = format!(
        "[kafka]\nbrokers = [\"{}\"]\ncompression = \"{compression}\"\nreplicas = 1\n\
         partitions = {PARTITIONS}\nevents_topic = \"{events}\"\ndomains_topic = \"{domains}\"\n\
         audits_topic = \"{audits}\"",
        broker.plain()
    );
    let journal = "retention_size = \"8GiB\"".to_owned();
    let mut node = Node::start(&Setup { more: kafka, journal, ..Setup::of(&[]) });
    node.kill();
    fill(&node.data().join("journal"), count);
    node.restart();
    let acknowledged = || metric(&node, "waypost_kafka_acknowledged_total");
    let before = loop {
        let count = acknowledged();
        if count > 0.0 {
            break count;
        }
        sleep(Duration::from_millis(1));
    };
    let begun = Instant::now();
    while metric(&node, "waypost_kafka_lag_events") > 0.0 || acknowledged() < count as f64 {
        sleep(Duration::from_millis(5));
    }
    let rate = (count as f64 - before) / begun.elapsed().as_secs_f64();
    drop(node);
    for topic in &topics {
        broker.delete_topic(topic);
    }
    rate
}

fn metric(node: &Node, name: &str) -> f64 {
    let (_, text) = node.ask_admin("/metrics");
    let value = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    value.unwrap().parse().unwrap()
}

/// Appends `count` events to the journal in `folder`.
fn fill(folder: &Path, count: usize) {
    let disk: Arc<dyn Disk> = Arc::new(SystemDisk);
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let config = journal::Config {
        directory: folder.to_owned(),
        sync: Sync::Os,
        queue: 256 << 20,
        ..journal::Config::default()
    };
    let (drain, metrics) = (Drain::new(), Metrics::new());
    let journal = Journal::open(&config, disk, Arc::clone(&clock), &metrics, &drain).unwrap();
    let appender = journal.appender(metrics.ledger.open());
    let (mut events, mut body) = (Events::new(), Vec::new());
    for _ in 0..count {
        let (id, key) = events.next(&mut body);
        let (stream, time, key) = (Stream::Events, clock.wall(), key.as_bytes());
        let frame = Frame { stream, time, id, key, body: &body };
        appender.account().received();
        appender.settle_now();
        while appender.append(&frame).is_err() {
            sleep(Duration::from_millis(1));
        }
    }
    journal.close();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    assert_eq!(runtime.block_on(drain.finished(Duration::from_secs(60))), 0);
}
