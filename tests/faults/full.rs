//! A disk that is full: nothing that was acknowledged is lost, and all is well again once there
//! is room, without a restart.

use std::time::Duration;

use rustix::process::{Pid, Resource, Rlimit, getrlimit, prlimit};

use crate::mount::{Mount, folder, skipped};
use crate::node::{Node, Pattern, Setup, poll};
use crate::row::{HOST, Lookout, Row};

#[test]
fn a_full_file_system_loses_nothing_and_recovers_by_itself() {
    if skipped().is_some() {
        return;
    }
    let images = folder();
    let mount = Mount::ext4(&images.path().join("image"), 64, &[]);
    let mut node = Node::start(&Setup { within: Some(mount.point().to_owned()), ..setup() });
    through_a_full_disk(&mut node, || mount.fill(), drop);
    drop(node);
}

#[test]
fn full_memory_loses_nothing_and_recovers_by_itself() {
    if skipped().is_some() {
        return;
    }
    let mount = Mount::memory(24);
    let mut node = Node::start(&Setup { within: Some(mount.point().to_owned()), ..setup() });
    through_a_full_disk(&mut node, || mount.fill(), drop);
    drop(node);
}

#[test]
fn room_that_is_there_again_before_it_is_needed_costs_nothing() {
    if skipped().is_some() {
        return;
    }
    let mount = Mount::memory(24);
    let mut node = Node::start(&Setup { within: Some(mount.point().to_owned()), ..setup() });
    let full = mount.fill();
    let (row, lookout) = (Row::start(&node, pattern()), Lookout::start(&node));
    // The first segment was made before; the first click has the second asked for.
    poll("the second segment is tried", || node.told().contains("was not prepared").then_some(()));
    drop(full);
    row.go_on(Duration::from_secs(3));
    let exceptions = row.settle(&node);
    assert!(exceptions.late.is_empty() && exceptions.unrecorded.is_empty(), "{exceptions:?}");
    let segments = node.health().metrics()["waypost_journal_kept_bytes"] as usize >> 20;
    assert!(segments > 2, "{segments} segments");
    assert_eq!(lookout.end().len(), 0, "never degraded");
    row.end(&mut node).is_good();
    drop(node);
}

#[test]
fn a_limit_of_the_size_of_files_loses_nothing_and_ends_no_process() {
    let mut node = Node::start(&setup());
    let process = i32::try_from(node.process()).ok().and_then(Pid::from_raw);
    let limit = |bytes| {
        let Rlimit { maximum, .. } = getrlimit(Resource::Fsize);
        prlimit(process, Resource::Fsize, Rlimit { current: bytes, maximum }).unwrap();
    };
    through_a_full_disk(&mut node, || limit(Some(64 << 10)), |()| limit(None));
}

/// Clicks before, while and after there is no room, for long enough that the queue is full.
fn through_a_full_disk<T>(node: &mut Node, fill: impl FnOnce() -> T, empty: impl FnOnce(T)) {
    let row = Row::start(node, pattern());
    let (health, lookout) = (node.health(), Lookout::start(node));
    row.go_on(Duration::from_millis(500));
    assert!(health.ready().degraded.is_empty());
    let full = fill();
    // What was prepared before is used up first.
    let ready = health.ready_when("no segment can be made", |ready| {
        ready.degraded.contains("journal_open") || ready.degraded.contains("journal_write")
    });
    assert_eq!((ready.status, ready.strict), (200, 503));
    health.ready_when("the queue is full", |ready| ready.degraded.contains("journal_queue_full"));
    assert_eq!(health.metrics()["waypost_degraded{reason=\"journal_queue_full\"}"], 1.0);
    let before = node.resident();
    row.go_on(Duration::from_secs(1));
    let grown = node.resident().saturating_sub(before);
    assert!(grown < 4 << 10, "memory is flat once the queue is full: {grown} kB more");
    empty(full);
    let ready = health.ready_when("all is well again", |ready| ready.degraded.is_empty());
    assert_eq!((ready.status, ready.strict), (200, 200));
    row.go_on(Duration::from_millis(500));
    let exceptions = row.settle(node);
    assert!(!exceptions.late.is_empty());
    assert!(exceptions.unrecorded.values().all(|reason| reason == "queue_full"));
    let reasons = lookout.end();
    println!("reasons seen: {reasons:?}");
    assert!(reasons.contains("journal_slow"), "{reasons:?}");
    let outcome = row.end(node);
    outcome.is_good();
    assert!(outcome.verdict.unrecorded > 0, "{}", outcome.verdict);
}

fn setup() -> Setup {
    // A queue that is soon full, of a journal that may grow past its disk.
    let journal = "segment = \"1MiB\"\nretention_size = \"1GiB\"\nqueue = \"1MiB\"".to_owned();
    Setup { journal, ..Setup::of(&[HOST]) }
}

/// As many connections as clicks come while one waits.
fn pattern() -> Pattern {
    Pattern { rate: Some(200.0), connections: 500, streams: 2, ..Pattern::default() }
}
