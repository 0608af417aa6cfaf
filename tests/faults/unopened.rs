//! A node that starts on a disk that takes nothing answers, and records once the disk does.

use std::time::Duration;

use crate::mount::{Mount, folder, skipped};
use crate::node::{Node, Pattern, Setup};
use crate::row::{HOST, Lookout, Row};

#[test]
fn a_node_that_starts_on_a_read_only_disk_answers_and_records_when_it_can() {
    if skipped().is_some() {
        return;
    }
    let images = folder();
    let mount = Mount::ext4(&images.path().join("image"), 64, &[]);
    let directory = mount.point().join("journal");
    let journal = format!("directory = {directory:?}\nsegment = \"1MiB\"");
    let mut node = Node::start(&Setup { journal, ..Setup::of(&[HOST]) });
    assert!(node.terminate().success());
    // One that is there could be opened all the same; one that is not cannot be made.
    std::fs::remove_dir_all(&directory).unwrap();
    mount.protect();
    node.restart();
    let (row, lookout) = (Row::start(&node, pattern()), Lookout::start(&node));
    let health = node.health();
    let ready = health.ready_when("told", |ready| ready.degraded.contains("journal_unopened"));
    assert_eq!((ready.status, ready.strict), (200, 503));
    row.go_on(Duration::from_millis(500));
    mount.unprotect();
    let ready = health.ready_when("all is well", |ready| ready.degraded.is_empty());
    assert_eq!((ready.status, ready.strict), (200, 200));
    row.go_on(Duration::from_millis(500));
    let exceptions = row.settle(&node);
    assert!(exceptions.late.is_empty(), "nobody waits for what is not there");
    assert!(exceptions.unrecorded.values().all(|reason| reason == "journal_unopened"));
    assert_eq!(lookout.end().into_iter().collect::<Vec<_>>(), ["journal_unopened"]);
    let outcome = row.end(&mut node);
    outcome.is_good();
    let verdict = &outcome.verdict;
    assert!(verdict.unrecorded > 0 && verdict.acknowledged > 0, "{verdict}");
    drop(node);
}

#[test]
fn a_node_that_starts_on_a_read_only_disk_opens_the_journal_that_is_there() {
    if skipped().is_some() {
        return;
    }
    let images = folder();
    let mount = Mount::ext4(&images.path().join("image"), 64, &[]);
    let directory = mount.point().join("journal");
    let journal = format!("directory = {directory:?}\nsegment = \"1MiB\"");
    let mut node = Node::start(&Setup { journal, ..Setup::of(&[HOST]) });
    assert!(node.terminate().success());
    mount.protect();
    node.restart();
    let (row, lookout) = (Row::start(&node, pattern()), Lookout::start(&node));
    let health = node.health();
    let ready = health.ready_when("told", |ready| ready.degraded.contains("journal_open"));
    assert_eq!((ready.status, ready.strict), (200, 503));
    // Longer than a visitor waits for the disk.
    row.go_on(Duration::from_millis(1_500));
    mount.unprotect();
    let ready = health.ready_when("all is well", |ready| ready.degraded.is_empty());
    assert_eq!((ready.status, ready.strict), (200, 200));
    row.go_on(Duration::from_millis(500));
    let exceptions = row.settle(&node);
    assert!(!exceptions.late.is_empty(), "events wait for the disk");
    assert!(!lookout.end().contains("journal_unopened"));
    let outcome = row.end(&mut node);
    outcome.is_good();
    assert!(outcome.verdict.acknowledged > 0, "{}", outcome.verdict);
    drop(node);
}

/// As many connections as clicks come while one waits.
fn pattern() -> Pattern {
    Pattern { rate: Some(200.0), connections: 500, streams: 2, ..Pattern::default() }
}
