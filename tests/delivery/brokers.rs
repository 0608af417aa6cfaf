//! Three brokers, of which some are gone.

use std::time::{Duration, Instant};

use crate::kafka::Cluster;
use crate::node::{is_long, poll};
use crate::route::{Route, Topics};
use crate::trial::Trial;

#[test]
fn leaders_that_are_killed_every_ten_seconds_lose_nothing() {
    let mut cluster = Cluster::start();
    let route = route(&cluster);
    let topic = route.topic.clone();
    let trial = Trial::start(route, RATE);
    for _ in 0..if is_long() { 20 } else { 3 } {
        let begun = Instant::now();
        let leader = poll("a partition has a leader", || cluster.leader(&topic, 0));
        cluster.kill(leader);
        poll("another one leads", || cluster.leader(&topic, 0).filter(|new| *new != leader));
        cluster.restart(leader);
        trial.go_on(EVERY.saturating_sub(begun.elapsed()));
    }
    let sessions = trial.route.metric("waypost_kafka_sessions_total");
    let verdict = trial.end(|| cluster.values(&topic));
    // One session knows its copies.
    assert!(sessions > 1.0 || verdict.duplicates == 0, "{verdict}");
    println!("{sessions} sessions");
}

#[test]
fn two_of_three_brokers_that_are_stopped_stop_the_events_and_lose_none() {
    let mut cluster = Cluster::start();
    let route = route(&cluster);
    let topic = route.topic.clone();
    let trial = Trial::start(route, RATE);
    cluster.kill(1);
    cluster.kill(2);
    trial.through_outage(Duration::from_secs(18), "kafka");
    cluster.restart(1);
    cluster.restart(2);
    // How fast replicas catch up is not ours.
    trial.go_on(Duration::from_secs(2));
    trial.end(|| cluster.values(&topic));
}

fn route(cluster: &Cluster) -> Route {
    let topics = Topics::new();
    for topic in topics.names() {
        cluster.create_topic(&topic, 3);
    }
    let brokers = cluster.bootstrap().replace(',', "\", \"");
    let settings = format!("brokers = [\"{brokers}\"]\nwindow = \"1MiB\"");
    Route::start(&topics, &settings, "")
}

/// Clicks a second.
const RATE: f64 = 300.0;
const EVERY: Duration = Duration::from_secs(10);
