//! A disk that hangs: clicks are answered all the same, and recorded once it goes on.

use std::fs::{self, File};
use std::sync::Arc;
use std::thread::sleep;
use std::time::Duration;

use crate::mount::{Mount, folder, skipped};
use crate::node::{CruelDisk, Handshake, Hangs, Node, Pattern, Program, Setup, serve_on};
use crate::row::{HOST, Lookout, Outcome, Row};

#[test]
fn a_sync_that_hangs_delays_clicks_by_a_second_and_loses_none() {
    let program = Program::Own("hang::node_whose_disk_hangs");
    let mut node = Node::start(&Setup { program, ..setup() });
    let flag = node.configuration().with_file_name(FLAG);
    through_a_hang(
        &mut node,
        || File::create_new(&flag).unwrap(),
        |_| fs::remove_file(&flag).unwrap(),
    );
}

/// Under `serve`, and everything else of the node on the same disk, its standard error too.
#[test]
fn a_whole_file_system_that_hangs_delays_clicks_by_a_second_and_loses_none() {
    if skipped().is_some() {
        return;
    }
    let images = folder();
    let mount = Mount::ext4(&images.path().join("image"), 256, &[]);
    let mut node = Node::start(&Setup { within: Some(mount.point().to_owned()), ..setup() });
    through_a_hang(&mut node, || mount.freeze(), drop);
    drop(node);
}

#[test]
fn a_node_that_ends_while_its_disk_hangs_tells_what_it_could_not_record() {
    let program = Program::Own("hang::node_whose_disk_hangs");
    let mut node = Node::start(&Setup { program, ..setup() });
    let row = Row::start(&node, Pattern { handshake: Handshake::Cold, ..pattern() });
    row.go_on(Duration::from_millis(500));
    let flag = node.configuration().with_file_name(FLAG);
    File::create_new(&flag).unwrap();
    row.go_on(Duration::from_millis(1_500));
    let Outcome { verdict, speed } = row.end(&mut node);
    assert!(verdict.is_exact(), "{verdict}");
    assert_eq!((verdict.ambiguous, verdict.late_lost), (0, 0), "{verdict}");
    assert!(verdict.unrecorded > 0 && verdict.late > 0, "{verdict}");
    assert!(speed.longest() < Duration::from_millis(2_100), "{speed}");
}

#[test]
#[ignore = "the process of rows whose disk hangs"]
fn node_whose_disk_hangs() {
    let configuration = Setup::configuration();
    let hangs = Hangs { while_exists: configuration.with_file_name(FLAG) };
    let journal = configuration.with_file_name("data").join("journal");
    serve_on(Arc::new(CruelDisk::new(&journal, hangs)), &configuration);
}

/// Clicks before, during and after a hang that is long enough for the queue to be full.
fn through_a_hang<T>(node: &mut Node, hang: impl FnOnce() -> T, end: impl FnOnce(T)) {
    let row = Row::start(node, pattern());
    let (health, lookout) = (node.health(), Lookout::start(node));
    row.go_on(Duration::from_secs(1));
    assert!(health.ready().degraded.is_empty());
    let hanging = hang();
    sleep(Duration::from_secs(1));
    let ready = health.ready();
    assert!(ready.degraded.contains("journal_slow"), "within a second: {ready:?}");
    assert_eq!((ready.status, ready.strict), (200, 503));
    assert_eq!(health.metrics()["waypost_degraded{reason=\"journal_slow\"}"], 1.0);
    health.ready_when("the queue is full", |ready| ready.degraded.contains("journal_queue_full"));
    let before = node.resident();
    row.go_on(Duration::from_secs(1));
    let grown = node.resident().saturating_sub(before);
    assert!(grown < 4 << 10, "memory is flat once the queue is full: {grown} kB more");
    end(hanging);
    let ready = health.ready_when("all is well again", |ready| ready.degraded.is_empty());
    assert_eq!((ready.status, ready.strict), (200, 200));
    assert_eq!(health.metrics()["waypost_degraded{reason=\"journal_slow\"}"], 0.0);
    row.go_on(Duration::from_millis(500));
    let exceptions = row.settle(node);
    assert!(!exceptions.late.is_empty());
    assert!(exceptions.unrecorded.values().all(|reason| reason == "queue_full"));
    let reasons = lookout.end();
    assert_eq!(reasons.len(), 2, "{reasons:?}");
    let outcome = row.end(node);
    outcome.is_good();
    assert!(outcome.verdict.unrecorded > 0 && outcome.verdict.late > 0, "{}", outcome.verdict);
}

fn setup() -> Setup {
    // A queue that is soon full.
    let journal = "segment = \"1MiB\"\nretention_size = \"1GiB\"\nqueue = \"1MiB\"".to_owned();
    Setup { journal, ..Setup::of(&[HOST]) }
}

/// As many connections as clicks come while one waits.
fn pattern() -> Pattern {
    Pattern { rate: Some(200.0), connections: 500, streams: 2, ..Pattern::default() }
}

const FLAG: &str = "hang";
