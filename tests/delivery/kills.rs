//! Promise P1 as far as the topic: through kills, over TLS, with SCRAM.

use std::path::PathBuf;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use tokio::sync::watch;
use waypost::disk::{Disk, SystemDisk};
use waypost::journal;

use crate::kafka::{Broker, PASSWORD, USER};
use crate::node::{Node, Random};
use crate::route::{Route, Topics};

#[test]
fn every_acknowledged_click_is_in_the_topic_through_kills() {
    let broker = Broker::shared();
    let topics = Topics::new();
    for topic in topics.names() {
        broker.create_topic(&topic, 3, &[]);
    }
    let password = broker.folder().join("password");
    std::fs::write(&password, format!("{PASSWORD}\n")).unwrap();
    let secure = format!(
        "brokers = [\"{}\"]\nsecurity = \"tls\"\nca = {:?}\nsasl = \"scram-sha-512\"\n\
         username = \"{USER}\"\npassword_file = {password:?}",
        broker.secure(),
        broker.ca(),
    );
    let mut route = Route::start(&topics, &secure, "answer_within = \"1900ms\"");
    let mut random = Random::from_environment();
    let (address, addresses) = watch::channel(Some(route.node.https()));
    let traffic = route.traffic(CLICKS, addresses);
    let sending = thread::spawn({
        let traffic = Arc::clone(&traffic);
        move || traffic.run()
    });
    let mut excused = 0;
    for moment in random.moments(KILLS, CLICKS * 9 / 10) {
        let begun = Instant::now();
        while traffic.answered() < moment && !sending.is_finished() {
            assert!(begun.elapsed() < PATIENCE, "{} of {CLICKS} clicks", traffic.answered());
            thread::yield_now();
        }
        // Later than the first acknowledgement, at no moment of note.
        let acknowledged = || route.metric("waypost_kafka_acknowledged_total");
        while acknowledged() == 0.0 && !sending.is_finished() {
            thread::yield_now();
        }
        thread::sleep(Duration::from_micros(random.below(WITHIN_A_SYNC) as u64));
        address.send_replace(None);
        route.node.kill();
        excused += unsettled(&route.node);
        route.node.restart();
        address.send_replace(Some(route.node.https()));
    }
    sending.join().unwrap();
    let head = route.metric("waypost_kafka_head") as usize;
    route.wait_until_shipped(head);
    let acknowledged = route.metric("waypost_kafka_settled_acknowledged") as usize;
    assert!(route.node.terminate().success(), "{}", route.node.told());
    let values = broker.values(&route.topic);
    let (judge, _) = traffic.finish();
    let verdict = judge.judge(values.iter().map(String::as_str));
    println!("{verdict} excused={excused}");
    assert_eq!((verdict.missing, verdict.spurious), (0, 0), "{verdict}");
    assert!(verdict.acknowledged > CLICKS / 2, "{verdict}");
    // What was under way or not yet at the cursor on disk may be there twice, and nothing else.
    assert!(verdict.duplicates <= excused, "{verdict}, {excused} excused");
    let distinct = verdict.acknowledged + verdict.ambiguous_recorded;
    assert_eq!((distinct, values.len() - verdict.duplicates), (acknowledged, acknowledged));
    // The journal has the same, once.
    let mut hearing = judge.hearing();
    route.node.each_event(|event| hearing.hear(event));
    let recorded = hearing.verdict(&route.node.exceptions());
    assert!(recorded.is_exact(), "{recorded}");
}

/// The frames of a node that is not running which the next process sends, sent before or not.
fn unsettled(node: &Node) -> usize {
    let disk: Arc<dyn Disk> = Arc::new(SystemDisk);
    let directories = journal::directories(&*disk, &node.data().join("journal")).unwrap();
    let unsettled = |(id, path): (_, PathBuf)| {
        let end = journal::end(&*disk, id, &path).unwrap();
        let cursor = journal::Cursor::open(Arc::clone(&disk), &path, id).unwrap().position();
        usize::try_from(end.saturating_sub(cursor)).unwrap()
    };
    directories.into_iter().map(unsettled).sum()
}

const CLICKS: usize = 40_000;
/// Microseconds: some times what passes between two syncs of the cursor.
const WITHIN_A_SYNC: usize = 300_000;
const KILLS: usize = 5;
const PATIENCE: Duration = Duration::from_secs(60);
