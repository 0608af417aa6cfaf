//! A disk whose sync fails once and then says yes: the room that it promised is not there.
//!
//! The file system lies in a sparse file in memory. Its zeros take no room once holes were dug
//! for them, as on a disk that is provisioned thinly; when the memory is full, what is written
//! over them cannot be kept. Past the system's memory the write itself fails. Through it the write
//! succeeds, the first sync fails, and the second says yes, as if nothing had been lost.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use crate::mount::{Filler, Mount, run, skipped, text};
use crate::node::{
    Buffered, CruelDisk, FailsOnce, Node, Pattern, Program, RepeatsSync, Setup, poll, serve_on,
};
use crate::row::{HOST, Lookout, Outcome, Row};

#[test]
fn a_disk_that_cannot_keep_what_is_written_loses_nothing() {
    if let Some((outcome, failures)) = through_failures(Program::Product) {
        outcome.is_good();
        assert!(failures.write > 0, "{failures:?}");
    }
}

#[test]
fn a_sync_that_fails_loses_nothing() {
    if let Some((outcome, failures)) = through_failures(Program::Own("sync::node_without_direct")) {
        outcome.is_good();
        assert!(failures.sync > 0, "{failures:?}");
    }
}

/// The control: a check that cannot see loss proves nothing.
#[test]
fn a_sync_that_is_repeated_is_found_out() {
    if let Some((outcome, _)) = through_failures(Program::Own("sync::node_that_repeats_syncs")) {
        assert!(outcome.verdict.missing > 0, "{}", outcome.verdict);
    }
}

/// The next segment is tried at once: nobody waits for a second since one block was bad.
#[test]
fn a_sync_that_fails_once_delays_nobody() {
    let program = Program::Own("sync::node_whose_sync_fails_once");
    let mut node = Node::start(&Setup { program, ..Setup::of(&[HOST]) });
    let row = Row::start(&node, Pattern { rate: Some(200.0), ..Pattern::default() });
    let failed = "waypost_journal_failures_total{step=\"sync\"}";
    poll("a sync fails", || (node.health().metrics()[failed] > 0.0).then_some(()));
    row.go_on(Duration::from_millis(500));
    assert_eq!(node.health().metrics()[failed], 1.0);
    assert!(node.health().ready().degraded.is_empty());
    let exceptions = row.settle(&node);
    assert!(exceptions.late.is_empty() && exceptions.unrecorded.is_empty(), "{exceptions:?}");
    row.end(&mut node).is_good();
}

#[test]
#[ignore = "the process of a_sync_that_fails_once_delays_nobody"]
fn node_whose_sync_fails_once() {
    let configuration = Setup::configuration();
    let journal = configuration.with_file_name("data").join("journal");
    serve_on(Arc::new(CruelDisk::new(&journal, FailsOnce::at(60))), &configuration);
}

#[test]
#[ignore = "the process of a_sync_that_fails_loses_nothing"]
fn node_without_direct() {
    let configuration = Setup::configuration();
    serve_on(Arc::new(CruelDisk::new(Path::new("/"), Buffered)), &configuration);
}

#[test]
#[ignore = "the process of a_sync_that_is_repeated_is_found_out"]
fn node_that_repeats_syncs() {
    let configuration = Setup::configuration();
    serve_on(Arc::new(CruelDisk::new(Path::new("/"), RepeatsSync)), &configuration);
}

/// Steps of the journal that failed.
#[derive(Debug)]
struct Failures {
    write: usize,
    sync: usize,
}

/// Clicks before, while and after the disk cannot keep what is written; what is read afterwards
/// is what it kept. `None` without root.
fn through_failures(program: Program) -> Option<(Outcome, Failures)> {
    if skipped().is_some() {
        return None;
    }
    let memory = Mount::memory(24);
    let image = memory.point().join("image");
    // Without a journal of its own, which would stop the whole file system at its first failure.
    let mut disk = Mount::ext4(&image, 64, &["-b", "4096", "-O", "^has_journal"]);
    disk.write_page_by_page();
    let folder = disk.point().join("journal");
    let journal = format!("directory = {folder:?}\nsegment = \"1MiB\"\nretention_size = \"1GiB\"");
    let mut node = Node::start(&Setup { journal, program, ..Setup::of(&[HOST]) });
    let row = Row::start(
        &node,
        Pattern { rate: Some(200.0), connections: 500, streams: 2, ..Pattern::default() },
    );
    let (health, lookout) = (node.health(), Lookout::start(&node));
    row.go_on(Duration::from_secs(1));
    let full = withdraw(&memory, &disk, &image);
    row.go_on(Duration::from_secs(3));
    drop(full);
    health.ready_when("all is well again", |ready| ready.degraded.is_empty());
    row.go_on(Duration::from_millis(500));
    let metrics = health.metrics();
    let failed = |step| metrics[&format!("waypost_journal_failures_total{{step=\"{step}\"}}")];
    let failures = Failures { write: failed("write") as usize, sync: failed("sync") as usize };
    row.settle(&node);
    println!("{failures:?}, reasons seen: {:?}", lookout.end());
    let outcome = row.end_and(&mut node, || disk.again());
    drop(node);
    Some((outcome, failures))
}

/// Takes back the room that zeros have, and all the rest.
fn withdraw(memory: &Mount, disk: &Mount, image: &Path) -> Filler {
    let frozen = disk.freeze();
    run("fallocate", &["--dig-holes", text(image)]);
    let full = memory.fill();
    drop(frozen);
    full
}
