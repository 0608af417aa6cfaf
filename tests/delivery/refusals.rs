//! Kafka lets nobody in, lacks a topic, or takes one event never.

use std::fs;
use std::process::Command;

use crate::kafka::{Broker, PASSWORD, USER};
use crate::node::{Click, Judge, NAME, Node, Protocol, Random};
use crate::route::{HOST, Route, Topics};
use waypost::clock::{Clock, SystemClock};

#[test]
fn a_wrong_password_loses_nothing_and_the_right_one_needs_no_restart() {
    let broker = Broker::shared();
    let topics = Topics::new();
    for topic in topics.names() {
        broker.create_topic(&topic, 3, &[]);
    }
    let folder = tempfile::tempdir().unwrap();
    let password = folder.path().join("password");
    fs::write(&password, "guess\n").unwrap();
    let settings = format!(
        "brokers = [\"{}\"]\nsecurity = \"tls\"\nca = {:?}\nsasl = \"plain\"\n\
         username = \"{USER}\"\npassword_file = {password:?}",
        broker.secure(),
        broker.ca(),
    );
    let route = Route::start(&topics, &settings, "");
    let judge = route.click(200);
    route.wait_for_degraded("kafka", true);
    assert_eq!(route.metric("waypost_kafka_acknowledged_total"), 0.0);
    route.wait_until_told("SASL authentication error");
    assert!(!route.node.told().contains("guess"), "{}", route.node.told());
    fs::write(&password, PASSWORD).unwrap();
    route.wait_until_shipped(200);
    route.wait_for_degraded("kafka", false);
    is_exact(&judge, &broker.values(&route.topic));
}

#[test]
fn a_certificate_of_our_own_opens_a_door_that_asks_for_one() {
    let broker = Broker::shared();
    let topics = Topics::new();
    for topic in topics.names() {
        broker.create_topic(&topic, 3, &[]);
    }
    let folder = tempfile::tempdir().unwrap();
    let ours = broker.authority().issue("edge.example", folder.path());
    let settings = format!(
        "brokers = [\"{}\"]\nsecurity = \"tls\"\nca = {:?}\ncertificate = {:?}\nkey = {:?}\n\
         compression = \"lz4\"",
        broker.mutual(),
        broker.ca(),
        ours.chain,
        ours.key,
    );
    let route = Route::start(&topics, &settings, "");
    let judge = route.click(50);
    route.wait_until_shipped(50);
    is_exact(&judge, &broker.values(&route.topic));
}

#[test]
fn topics_that_are_missing_are_told_of_and_never_made_by_the_broker() {
    let broker = Broker::shared();
    let topics = Topics::new();
    let settings = format!("brokers = [\"{}\"]", broker.plain());
    let route = Route::start(&topics, &settings, "");
    let judge = route.click(100);
    route.wait_for_degraded("kafka_topics", true);
    route.wait_for_degraded("kafka", true);
    let told = route.node.told();
    for topic in topics.names() {
        assert!(told.contains(&format!("topic {topic} is missing")), "{told}");
    }
    let (code, told) = topics_command(&route.node, "check");
    assert_eq!(code, 1, "{told}");
    assert!(told.contains("`waypost topics create`"), "{told}");
    assert!(!broker.topics().contains(&route.topic), "a broker made it by itself");
    let (code, told) = topics_command(&route.node, "create");
    assert_eq!(code, 0, "{told}");
    assert!(told.contains(&format!("topic {}: made", route.topic)), "{told}");
    assert!(told.contains(&format!("topic {}: fine, 3 partitions, 1 replicas", route.topic)));
    route.wait_until_shipped(100);
    is_exact(&judge, &broker.values(&route.topic));
    // It is only made once, and nothing is changed.
    let (code, told) = topics_command(&route.node, "create");
    assert_eq!((code, told.contains("made")), (0, false), "{told}");
}

#[test]
fn a_topic_with_too_few_partitions_is_told_of() {
    let broker = Broker::shared();
    let topics = Topics::new();
    let [events, domains, audits] = topics.names();
    broker.create_topic(&events, 2, &[]);
    broker.create_topic(&domains, 3, &[]);
    broker.create_topic(&audits, 4, &[]);
    let route = Route::start(&topics, &format!("brokers = [\"{}\"]", broker.plain()), "");
    let (code, told) = topics_command(&route.node, "check");
    assert_eq!(code, 1, "{told}");
    assert!(told.contains(&format!("topic {events} has 2 partitions")), "{told}");
    assert!(told.contains(&format!("topic {domains}: fine")), "{told}");
    assert!(told.contains(&format!("topic {audits}: fine, 4 partitions")), "{told}");
    // Events go there all the same.
    route.click(20);
    route.wait_until_shipped(20);
}

#[test]
fn a_topic_that_is_deleted_stops_the_events_until_it_is_made_again() {
    let broker = Broker::shared();
    let route = Route::to(&broker, "");
    route.click(50);
    route.wait_until_shipped(50);
    broker.delete_topic(&route.topic);
    let mut random = Random::from_environment();
    let clicks = (50..150).map(|serial| Click::random(&mut random, serial, HOST, Protocol::Http1));
    let judge = click_each(&route, &clicks.collect::<Vec<_>>());
    route.wait_for_degraded("kafka", true);
    broker.create_topic(&route.topic, 3, &[]);
    route.wait_until_shipped(150);
    let values = broker.values(&route.topic);
    let verdict = judge.judge(values.iter().map(String::as_str));
    assert_eq!((verdict.missing, verdict.spurious), (0, 0), "{verdict}");
}

#[test]
fn an_event_that_is_too_large_is_set_aside_and_the_others_go_on() {
    let broker = Broker::shared();
    let topics = Topics::new();
    for topic in topics.names() {
        // Any two events together are too large, and one of ours is.
        broker.create_topic(&topic, 1, &[("max.message.bytes", "2000")]);
    }
    let settings = format!(
        "brokers = [\"{}\"]\ncompression = \"none\"\n\n[events]\nuser_agent = \"8KiB\"",
        broker.plain()
    );
    let mut route = Route::start(&topics, &settings, "");
    let mut random = Random::from_environment();
    let mut clicks: Vec<_> =
        (0..40).map(|serial| Click::random(&mut random, serial, HOST, Protocol::Http1)).collect();
    clicks[20].visit.user_agent = Some("x".repeat(4_000));
    let judge = click_each(&route, &clicks);
    route.wait_until_shipped(40);
    assert_eq!(route.metric("waypost_kafka_dead_letters_total{reason=\"too_large\"}"), 1.0);
    for _ in 0..2 {
        assert_eq!(route.metric("waypost_kafka_set_aside"), 1.0);
        assert_eq!(route.metric("waypost_kafka_settled_acknowledged"), 39.0);
        assert_eq!(route.metric("waypost_kafka_cursor"), 40.0);
        route.node.terminate();
        route.node.restart();
    }
    let dead = waypost(&route.node, &["journal", "dead"]);
    let values = broker.values(&route.topic);
    assert_eq!((dead.1.lines().count(), values.len()), (1, 39), "{}", dead.1);
    let all = values.iter().map(String::as_str).chain(dead.1.lines());
    let verdict = judge.judge(all);
    assert!(verdict.is_exact(), "{verdict}");
}

/// Sends clicks one after the other on one connection.
fn click_each(route: &Route, clicks: &[Click]) -> Judge {
    let mut judge = Judge::new(NAME);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let client = route.node.client();
        let mut session = client.connect(route.node.https(), HOST, Protocol::Http1).await.unwrap();
        for click in clicks {
            let token = route.node.mint().token(click);
            judge.asked(click, SystemClock.wall());
            assert!(session.click(click, &token).await.unwrap().is_right(click));
            judge.answered(&click.link.message, SystemClock.wall());
        }
    });
    judge
}

pub fn is_exact(judge: &Judge, values: &[String]) {
    let verdict = judge.judge(values.iter().map(String::as_str));
    assert!(verdict.is_exact(), "{verdict}");
}

fn topics_command(node: &Node, command: &str) -> (i32, String) {
    waypost(node, &["topics", command])
}

/// Runs the product beside a node; its exit code and all it said.
pub fn waypost(node: &Node, arguments: &[&str]) -> (i32, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_waypost"))
        .args(arguments)
        .arg("--config")
        .arg(node.configuration())
        .output()
        .unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap(), text(output.stdout) + &text(output.stderr))
}
