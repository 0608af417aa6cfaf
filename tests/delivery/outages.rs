//! Kafka goes away and comes back.

use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use tokio::sync::watch;

use crate::kafka::Broker;
use crate::route::Route;

#[test]
fn a_broker_that_is_killed_and_comes_back_costs_nothing_but_lag() {
    let mut broker = Broker::start();
    let mut route = Route::to(&broker, "");
    let (_kept, address) = watch::channel(Some(route.node.https()));
    let traffic = route.traffic(CLICKS, address);
    let sending = thread::spawn({
        let traffic = Arc::clone(&traffic);
        move || traffic.run()
    });
    while traffic.answered() < CLICKS / 4 {
        thread::yield_now();
    }
    broker.kill();
    // Everything is answered while there is no broker.
    sending.join().unwrap();
    route.wait_for_degraded("kafka", true);
    assert!(route.metric("waypost_kafka_lag_events") > 0.0);
    assert_eq!(route.metric("waypost_events_late_total"), 0.0);
    // A node that ends now ends in time, and the next one ships what is left.
    let begun = Instant::now();
    assert!(route.node.terminate().success(), "{}", route.node.told());
    assert!(begun.elapsed() < GRACE + Duration::from_secs(1), "{:?}", begun.elapsed());
    route.node.restart();
    broker.restart();
    route.wait_until_shipped(CLICKS);
    route.wait_for_degraded("kafka", false);
    let values = broker.values(&route.topic);
    let verdict = traffic.finish().0.judge(values.iter().map(String::as_str));
    println!("{verdict}");
    assert_eq!((verdict.missing, verdict.spurious), (0, 0), "{verdict}");
    // What the first process had sent and not heard of.
    assert!(verdict.duplicates <= CLICKS / 2, "{verdict}");
    let counts = ["head", "cursor", "settled_acknowledged"]
        .map(|name| route.metric(&format!("waypost_kafka_{name}")) as usize);
    assert_eq!(counts, [CLICKS; 3]);
}

#[test]
fn a_node_that_ends_leaves_nothing_behind_while_kafka_is_up() {
    let broker = Broker::shared();
    // The longest gathering: what was clicked last is not sent yet when the end begins.
    let mut route = Route::to(&broker, "linger = \"1s\"");
    let judge = route.click(300);
    let begun = Instant::now();
    assert!(route.node.terminate().success(), "{}", route.node.told());
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
    let values = broker.values(&route.topic);
    let verdict = judge.judge(values.iter().map(String::as_str));
    assert!(verdict.is_exact(), "{verdict}");
}

const CLICKS: usize = 6_000;
/// The default of shutdown.grace.
const GRACE: Duration = Duration::from_secs(10);
