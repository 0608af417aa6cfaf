//! A node that is killed over a large journal answers again at once.

use std::fs::{self, File};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustix::fs::{Advice, fadvise};
use waypost::clock::{Clock, SystemClock};
use waypost::disk::{Disk, SystemDisk};
use waypost::drain::Drain;
use waypost::journal::{Config, Frame, Journal, Refused, Stream, Sync};
use waypost::metrics::Metrics;

use crate::node::{Node, Pattern, Setup, is_long};
use crate::row::{HOST, Row};

#[test]
fn a_node_that_was_killed_over_a_large_journal_answers_within_two_seconds() {
    let size = if is_long() { LONG } else { SHORT };
    let mut node = Node::start(&Setup::of(&[HOST]));
    assert!(node.terminate().success());
    let journal = node.data().join("journal");
    fill(&journal, size);
    node.restart();
    let row = Row::start(&node, Pattern { rate: Some(1_000.0), ..Pattern::default() });
    row.go_on(Duration::from_millis(500));
    node.kill();
    forget(&journal);
    let begun = Instant::now();
    node.restart();
    row.moved(&node);
    let before = row.traffic.answered();
    crate::node::poll("a click is answered", || (row.traffic.answered() > before).then_some(()));
    let took = begun.elapsed();
    println!("{} MiB of journal, answering {took:?} after SIGKILL", size >> 20);
    assert!(took < WITHIN, "{took:?}");
    let outcome = row.end_among_others(&mut node);
    assert_eq!((outcome.verdict.missing, outcome.verdict.spurious), (0, 0), "{}", outcome.verdict);
}

/// Fills a journal with events of nobody.
fn fill(folder: &Path, size: u64) {
    let config = Config { directory: folder.to_owned(), sync: Sync::Os, ..Config::default() };
    let (drain, metrics) = (Drain::new(), Metrics::new());
    let (disk, clock): (Arc<dyn Disk>, Arc<dyn Clock>) =
        (Arc::new(SystemDisk), Arc::new(SystemClock));
    let journal = Journal::open(&config, disk, Arc::clone(&clock), &metrics, &drain).unwrap();
    let appender = journal.appender(metrics.ledger.open());
    let body = format!("{{\"data\":{{\"ballast\":\"{}\"}}}}", "x".repeat(900));
    let time = clock.wall();
    let mut filled = 0;
    while filled < size {
        let body = body.as_bytes();
        let frame = Frame { stream: Stream::Events, time, id: [7; 16], key: b"", body };
        appender.account().received();
        match appender.append(&frame) {
            Ok(_) => filled += body.len() as u64 + 56,
            Err(Refused::QueueFull) => {
                std::thread::sleep(Duration::from_millis(1));
                continue;
            }
            Err(error) => panic!("{error}"),
        }
        if filled % (1 << 20) < 1_000 {
            appender.settle_now();
        }
    }
    journal.close();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let left = runtime.block_on(drain.finished(Duration::from_secs(120)));
    assert_eq!(left, 0, "the journal's threads end");
}

/// Has the system forget what it remembers of a journal, as a restart of the machine would.
fn forget(folder: &Path) {
    for directory in fs::read_dir(folder).unwrap() {
        for file in fs::read_dir(directory.unwrap().path()).unwrap() {
            let file = File::open(file.unwrap().path()).unwrap();
            file.sync_all().unwrap();
            fadvise(&file, 0, None, Advice::DontNeed).unwrap();
        }
    }
}

const SHORT: u64 = 256 << 20;
const LONG: u64 = 1 << 30;
const WITHIN: Duration = Duration::from_secs(2);
