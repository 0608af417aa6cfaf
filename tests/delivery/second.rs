//! Promise P3's second path: the disk hangs, and Kafka takes the events instead; or does not.

use std::fs::{self, File};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::kafka::Broker;
use crate::node::{CruelDisk, Hangs, Judge, Program, Setup, serve_on};
use crate::route::{Route, Topics};

#[test]
fn kafka_takes_what_a_hanging_disk_does_not_and_each_event_is_counted_once() {
    let broker = Broker::shared();
    let route = route(&broker, "");
    let (before, _) = route.clicked(100);
    route.wait_until_shipped(100);
    let hanging = Hanging::begin(&route);
    let (during, speed) = route.clicked(400);
    assert!(speed.longest() < Duration::from_millis(2_000), "{speed}");
    assert_eq!(counts(&route), [500, 100, 400, 0, 0]);
    assert_eq!(route.metric("waypost_events_late_total"), 0.0);
    is_there(&during, &broker, &route, 0);
    hanging.end();
    // The journal has them too by now, and ships them: the same bytes, once more, and counted
    // where they were counted.
    route.wait_until_shipped(500);
    assert_eq!(counts(&route), [500, 100, 400, 0, 0]);
    is_there(&during, &broker, &route, 400);
    is_there(&before, &broker, &route, 0);
}

#[test]
fn what_the_journal_refuses_is_in_kafka_before_it_is_answered() {
    let broker = Broker::shared();
    // A queue of a thousand events.
    let route = route(&broker, "queue = \"1MiB\"");
    let hanging = Hanging::begin(&route);
    let (judge, speed) = route.clicked(3_000);
    assert!(speed.longest() < Duration::from_millis(2_000), "{speed}");
    assert_eq!(counts(&route), [3_000, 0, 3_000, 0, 0]);
    is_there(&judge, &broker, &route, 0);
    hanging.end();
    let copies = route.wait_for("waypost_kafka_head", |head| head > 500.0);
    route.wait_until_shipped(copies as usize);
    is_there(&judge, &broker, &route, route.metric("waypost_kafka_head") as usize);
}

#[test]
fn when_both_fail_a_click_is_answered_within_two_seconds_and_counted_late_until_one_is_back() {
    let mut broker = Broker::start();
    let route = route(&broker, "");
    route.clicked(50);
    route.wait_until_shipped(50);
    broker.kill();
    let hanging = Hanging::begin(&route);
    let (judge, speed) = route.clicked(150);
    assert!(speed.longest() < Duration::from_millis(2_100), "{speed}");
    assert_eq!(counts(&route), [200, 50, 0, 0, 150]);
    assert_eq!(route.metric("waypost_events_late_total"), 150.0);
    broker.restart();
    route.wait_for("waypost_events_direct_total", |direct| direct == 150.0);
    assert_eq!(counts(&route), [200, 50, 150, 0, 0]);
    is_there(&judge, &broker, &route, 0);
    hanging.end();
    route.wait_until_shipped(200);
    is_there(&judge, &broker, &route, 150);
}

#[test]
fn a_node_that_ends_while_both_fail_tells_each_event_that_it_could_not_record() {
    let mut broker = Broker::start();
    let mut route = route(&broker, "");
    route.clicked(50);
    route.wait_until_shipped(50);
    broker.kill();
    let _hanging = Hanging::begin(&route);
    let (judge, _) = route.clicked(100);
    assert!(route.node.terminate().success(), "{}", route.node.told());
    broker.restart();
    let values = broker.values(&route.topic);
    let mut hearing = judge.hearing();
    values.iter().for_each(|value| hearing.hear(value));
    let verdict = hearing.verdict(&route.node.exceptions());
    assert!(verdict.is_exact(), "{verdict}");
    assert_eq!((verdict.unrecorded, verdict.late, verdict.late_lost), (100, 100, 0), "{verdict}");
}

#[test]
#[ignore = "the process of rows whose disk hangs"]
fn node_whose_disk_hangs() {
    let configuration = Setup::configuration();
    let hangs = Hangs { while_exists: configuration.with_file_name(FLAG) };
    let journal = configuration.with_file_name("data").join("journal");
    serve_on(Arc::new(CruelDisk::new(&journal, hangs)), &configuration);
}

/// A disk that hangs until this is dropped.
struct Hanging(PathBuf);

impl Hanging {
    fn begin(route: &Route) -> Self {
        let flag = route.node.configuration().with_file_name(FLAG);
        File::create_new(&flag).unwrap();
        Self(flag)
    }

    fn end(self) {}
}

impl Drop for Hanging {
    fn drop(&mut self) {
        drop(fs::remove_file(&self.0));
    }
}

/// A node whose disk can hang, in front of topics of its own.
fn route(broker: &Broker, journal: &str) -> Route {
    let topics = Topics::new();
    for topic in topics.names() {
        broker.create_topic(&topic, 3, &[]);
    }
    let kafka = format!("brokers = [\"{}\"]\n\n[shutdown]\ngrace = \"2s\"", broker.plain());
    let journal = format!("answer_within = \"200ms\"\n{journal}");
    let program = Program::Own("second::node_whose_disk_hangs");
    Route::start_with(program, &topics, &kafka, &journal)
}

/// The ledger: received, journalled, direct, unrecorded, in progress. It balances.
fn counts(route: &Route) -> [u64; 5] {
    let (_, body) = route.node.ask_admin("/v1/ledger");
    let ledger: serde_json::Value = serde_json::from_str(&body).unwrap();
    assert_eq!(ledger["balances"], true, "{ledger}");
    let of = |name: &str| ledger[name].as_u64().unwrap();
    let unrecorded = ledger["unrecorded"].as_object().unwrap().values();
    let unrecorded = unrecorded.map(|count| count.as_u64().unwrap()).sum();
    [of("received"), of("journalled"), of("direct"), unrecorded, of("in_progress")]
}

/// Everything that a judge was told of is in the topic, with so many copies.
fn is_there(judge: &Judge, broker: &Broker, route: &Route, copies: usize) {
    let values = broker.values(&route.topic);
    let verdict = judge.judge(values.iter().map(String::as_str));
    assert_eq!((verdict.missing, verdict.spurious), (0, 0), "{verdict}");
    assert_eq!(verdict.duplicates, copies, "{verdict}");
}

const FLAG: &str = "hang";
