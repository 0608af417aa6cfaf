//! What the journal keeps for Kafka: before it is configured, while it is away, from processes that
//! are gone, and to be sent again.

use std::fs;

use serde_json::Value;

use crate::kafka::Broker;
use crate::node::Node;
use crate::refusals::{is_exact, waypost};
use crate::route::{Route, Topics};

#[test]
fn kafka_configured_later_gets_what_was_kept_or_what_comes_from_now_on() {
    let broker = Broker::shared();
    for (start, is_old_there) in [("oldest", true), ("now", false)] {
        let topics = Topics::new();
        for topic in topics.names() {
            broker.create_topic(&topic, 3, &[]);
        }
        let mut route = Route::start(&topics, "", "");
        let old = route.click(100);
        assert!(route.node.terminate().success());
        let file = route.node.configuration();
        let settings = fs::read_to_string(&file).unwrap();
        let brokers = format!("[kafka]\nbrokers = [\"{}\"]\nstart = \"{start}\"", broker.plain());
        fs::write(&file, settings.replace("[kafka]", &brokers)).unwrap();
        route.node.restart();
        let new = route.click(50);
        route.wait_until_shipped(150);
        let mut values = broker.values(&route.topic);
        let (_, all) = waypost(&route.node, &["journal", "cat"]);
        assert_eq!(all.lines().count(), 150, "kept all the same");
        let old_values: Vec<_> = values.extract_if(.., |value| old.has_asked(value)).collect();
        is_exact(&new, &values);
        match is_old_there {
            true => is_exact(&old, &old_values),
            false => assert_eq!(old_values.len(), 0),
        }
    }
}

#[test]
fn a_directory_of_a_process_that_is_gone_is_shipped_by_another_and_deleted() {
    let broker = Broker::shared();
    let topics = Topics::new();
    for topic in topics.names() {
        broker.create_topic(&topic, 3, &[]);
    }
    let shared = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let journal = format!("directory = {:?}", shared.path());
    // Nobody answers there, so that nothing of it is shipped.
    let mut gone = Route::start(&topics, "brokers = [\"127.0.0.1:1\"]", &journal);
    let settings = format!("brokers = [\"{}\"]", broker.plain());
    let heir = Route::start(&topics, &settings, &journal);
    let left = gone.click(200);
    let own = heir.click(100);
    heir.wait_until_shipped(100);
    assert_eq!(directories(&heir.node).len(), 2);
    gone.node.kill();
    heir.wait_for("waypost_kafka_acknowledged_total", |count| count == 300.0);
    let begun = std::time::Instant::now();
    while directories(&heir.node).len() > 1 {
        assert!(begun.elapsed().as_secs() < 20, "{}", heir.node.told());
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    // And its own goes on.
    let more = heir.click(50);
    heir.wait_until_shipped(150);
    let mut values = broker.values(&heir.topic);
    let lefts: Vec<_> = values.extract_if(.., |value| left.has_asked(value)).collect();
    let owns: Vec<_> = values.extract_if(.., |value| own.has_asked(value)).collect();
    is_exact(&left, &lefts);
    is_exact(&own, &owns);
    is_exact(&more, &values);
}

#[test]
fn replaying_sends_the_same_bytes_again_and_nothing_else() {
    let broker = Broker::shared();
    let route = Route::to(&broker, "");
    let judge = route.click(60);
    route.wait_until_shipped(60);
    let (code, kept) = waypost(&route.node, &["journal", "cat", "--positions"]);
    assert_eq!(code, 0);
    let lines: Vec<_> = kept.lines().map(|line| line.split_once('\t').unwrap()).collect();
    let (from, to) = (lines[10].0, lines[19].0);
    let (code, told) = waypost(&route.node, &["journal", "replay", "--from", from, "--to", to]);
    assert_eq!(code, 0, "{told}");
    assert!(told.contains("10 events were sent again"), "{told}");
    let mut values = broker.values(&route.topic);
    let verdict = judge.judge(values.iter().map(String::as_str));
    assert_eq!((verdict.missing, verdict.spurious, verdict.duplicates), (0, 0, 10), "{verdict}");
    values.sort();
    for (at, (_, event)) in lines.iter().enumerate() {
        let copies = values.iter().filter(|value| value == event).count();
        assert_eq!(copies, 1 + usize::from((10..20).contains(&at)), "{at}: {event}");
    }
    let (code, told) = waypost(&route.node, &["journal", "replay", "--from", "nowhere"]);
    assert_eq!(code, 2, "{told}");
    assert!(told.contains("\"nowhere\" is no journal position"), "{told}");
}

#[test]
fn a_journal_at_its_bound_deletes_nothing_that_kafka_has_not_and_takes_events_again() {
    let mut broker = Broker::start();
    let topics = Topics::new();
    for topic in topics.names() {
        broker.create_topic(&topic, 3, &[]);
    }
    let settings = format!("brokers = [\"{}\"]", broker.plain());
    let small = "retention_size = \"4MiB\"";
    let route = Route::start(&topics, &settings, small);
    broker.kill();
    // The bound is looked at with each segment.
    let mut judges = Vec::new();
    while !route.is_degraded("journal_full") {
        assert!(judges.len() < 200, "{}", route.node.told());
        judges.push(route.click(100));
    }
    let count = |name: &str| ledger(&route)[name].as_u64().unwrap();
    let (journalled, refused) = (count("journalled"), count("in_progress"));
    let (late, speed) = route.clicked(70);
    assert!(speed.longest() < std::time::Duration::from_millis(2_100), "{speed}");
    assert_eq!((count("journalled"), count("in_progress")), (journalled, refused + 70));
    broker.restart();
    route.wait_for("waypost_events_direct_total", |count| count == (refused + 70) as f64);
    route.wait_until_shipped(journalled as usize);
    route.wait_for_degraded("journal_full", false);
    judges.push(route.click(100));
    route.wait_until_shipped(journalled as usize + 100);
    assert_eq!((count("journalled"), count("in_progress")), (journalled + 100, 0));
    let mut values = broker.values(&route.topic);
    judges.push(late);
    for judge in &judges {
        let theirs: Vec<_> = values.extract_if(.., |value| judge.has_asked(value)).collect();
        is_exact(judge, &theirs);
    }
    assert_eq!(values.len(), 0, "nothing is invented");
}

fn directories(node: &Node) -> Vec<String> {
    let (_, told) = waypost(node, &["journal", "inspect", "--json"]);
    let told: Value = serde_json::from_str(told.lines().next().unwrap()).unwrap();
    let directories = told["directories"].as_array().unwrap();
    directories.iter().map(|of| of["directory"].to_string()).collect()
}

fn ledger(route: &Route) -> Value {
    let (_, body) = route.node.ask_admin("/v1/ledger");
    let ledger: Value = serde_json::from_str(&body).unwrap();
    assert_eq!(ledger["balances"], true, "{ledger}");
    ledger
}
