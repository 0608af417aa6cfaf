//! What a later segment repeats of an earlier one: rightly, when a sync failed; or with no right.

use std::time::Duration;

use waypost::journal::{Config, Contradiction, DirectoryId, Fault, Why};

use crate::disk::{CrashDisk, Failure, Lies};
use crate::hand::{Hand, Reading, inspect, read, seam, segment, written};
use crate::layout::{self, Forged, Head};
use crate::process::config;

const SEGMENT: u64 = 9_000;

#[test]
fn what_a_failed_sync_left_is_repeated_with_the_same_sequences_and_bytes() {
    let disk = CrashDisk::new(Lies::default());
    let mut hand = Hand::start(&disk, &config(SEGMENT));
    hand.append(5);
    disk.fail_next(Failure::Sync);
    hand.append_together(4);
    hand.append(2);
    let (directory, first, second) = (hand.journal.directory(), hand.segment(1), hand.segment(2));
    assert_eq!(hand.metric("failures_total{step=\"sync\"}"), 1);
    hand.kill();
    let report = inspect(&seam(&disk), directory);
    assert_eq!(report.faults, []);
    assert_eq!(report.segments[1].predecessor, 1, "it names whose end it repeats");
    assert_eq!(report.segments[1].sequences, Some((6, 11)));
    let expected = Reading { sequences: (1..=11).collect(), ..Reading::default() };
    assert_eq!(read(&seam(&disk), directory), expected);
    // What the first segment still shows of them is the same but for the checksum.
    let (one, other) = (disk.bytes(&first), disk.bytes(&second));
    for span in layout::frames(&one).into_iter().skip(5) {
        let frame = &one[span];
        let again = layout::frames(&other).into_iter();
        let mut again =
            again.filter(|span| layout::sequence(&other[span.clone()]) == layout::sequence(frame));
        assert_eq!(frame[8..48], other[again.next().unwrap()][8..48]);
    }
}

#[test]
fn a_failed_sync_is_never_repeated_on_the_same_segment() {
    let disk = CrashDisk::new(Lies::default());
    let mut hand = Hand::start(&disk, &config(SEGMENT));
    hand.append(5);
    disk.fail(Some(Failure::Sync));
    for _ in 0..4 {
        hand.try_append(&crate::process::body(hand.journal.next_sequence())).unwrap();
    }
    for _ in 0..50 {
        hand.crew.write();
    }
    assert_eq!(hand.journal.durable(), 6, "nothing is said to be durable");
    disk.fail(None);
    hand.rest();
    assert_eq!(hand.journal.durable(), 10);
    let directory = hand.journal.directory();
    hand.kill();
    // Power is cut: whatever was synced after it had failed is gone, and nothing is missed.
    let cut = disk.after_power_cut(|| crate::disk::Fate::Lost);
    let expected = Reading { sequences: (1..=9).collect(), ..Reading::default() };
    assert_eq!(read(&seam(&cut), directory), expected);
}

#[test]
fn after_a_first_failure_the_next_segment_is_tried_at_once_and_then_when_it_is_time() {
    let retry = Duration::from_secs(1);
    for (failure, step) in [(Failure::Sync, "sync"), (Failure::Write, "write")] {
        let disk = CrashDisk::new(Lies::default());
        let mut hand = Hand::start(&disk, &Config { retry, ..config(SEGMENT) });
        let failures = format!("failures_total{{step={step:?}}}");
        // The next segment is prepared from here on.
        hand.append(1);
        // Twice, since what was durable in between makes a failure the first again.
        for round in 1..=2 {
            disk.fail_next(failure);
            hand.append(1);
            assert_eq!(hand.metric(&failures), 3 * round - 2, "no time has passed");
            disk.fail(Some(failure));
            let next = hand.journal.next_sequence();
            hand.try_append(&crate::process::body(next)).unwrap();
            while hand.crew.write() {}
            assert_eq!(hand.metric(&failures), 3 * round, "one more, and no third");
            disk.fail(None);
            for wait in [retry - Duration::from_millis(1), Duration::from_millis(1)] {
                hand.rest();
                assert_eq!(hand.journal.durable(), next);
                hand.clock.pass(wait);
            }
            hand.rest();
            assert_eq!(hand.journal.durable(), next + 1);
        }
        let directory = hand.journal.directory();
        hand.kill();
        let expected = Reading { sequences: (1..=5).collect(), ..Reading::default() };
        assert_eq!(read(&seam(&disk), directory), expected);
        assert_eq!(inspect(&seam(&disk), directory).faults, []);
    }
}

/// A journal of 20 frames in segment 1, and a forged second one.
fn forged(
    sequences: impl IntoIterator<Item = u64>,
    predecessor: u64,
    alter: impl Fn(&mut Forged),
) -> (CrashDisk, DirectoryId, Vec<u8>) {
    let (disk, directory) = written(SEGMENT, 20);
    let forged: Vec<_> = sequences
        .into_iter()
        .map(|sequence| {
            let mut forged = Forged::genuine(sequence);
            alter(&mut forged);
            forged
        })
        .collect();
    let head = Head { directory, number: 2, first: forged[0].sequence, predecessor };
    let bytes = layout::segment(head, &forged, SEGMENT as usize);
    disk.delete(&segment(directory, 2));
    disk.place(&segment(directory, 2), &bytes);
    (disk, directory, bytes)
}

#[test]
fn an_overlap_is_accepted_when_it_is_named_and_the_bytes_agree() {
    let (disk, directory, _) = forged(18..=25, 1, |_| {});
    let expected = Reading { sequences: (1..=25).collect(), ..Reading::default() };
    assert_eq!(read(&seam(&disk), directory), expected);
    assert_eq!(inspect(&seam(&disk), directory).faults, []);
    let hand = Hand::start(&disk, &config(SEGMENT));
    assert_eq!(hand.journal.next_sequence(), 26);
}

#[test]
fn any_other_overlap_is_refused_kept_counted_and_told() {
    let altered = |forged: &mut Forged| {
        if forged.sequence == 19 {
            forged.body[0] ^= 1;
        }
    };
    let unnamed = forged(18..=25, 0, |_| {});
    let other_bytes = forged(18..=25, 1, altered);
    for ((disk, directory, bytes), sequence, why) in
        [(unnamed, 18, Why::Unnamed), (other_bytes, 19, Why::OtherBytes)]
    {
        let reading = read(&seam(&disk), directory);
        let expected = Reading { sequences: (1..=20).collect(), refused: 1, ..Reading::default() };
        assert_eq!(reading, expected, "{why:?}");
        let contradiction = Contradiction { sequence, earlier: 1, why };
        let report = inspect(&seam(&disk), directory);
        assert_eq!(report.faults, [Fault::Refused { segment: 2, contradiction }]);
        assert_eq!(report.frames, 20);

        // No sequence of it is given again, and serving goes on.
        let mut hand = Hand::start(&disk, &config(SEGMENT));
        assert_eq!(hand.journal.next_sequence(), 26, "{why:?}");
        hand.append(3);
        assert_eq!(hand.metric("refused_segments"), 1);
        hand.kill();
        let expected: Vec<_> = (1..=20).chain(26..=28).collect();
        let reading = read(&seam(&disk), directory);
        assert_eq!((reading.sequences, reading.skipped), (expected, 0), "{why:?}");
        assert_eq!(disk.bytes(&segment(directory, 2)), bytes, "{why:?}: it is kept");
        assert_eq!(inspect(&seam(&disk), directory).lost, 0);
    }
}

#[test]
fn a_reader_that_begins_late_refuses_what_one_from_the_beginning_does() {
    let (disk, directory, _) = forged(18..=25, 0, |_| {});
    let path = std::path::Path::new(crate::process::FOLDER).join(directory.to_string());
    let mut reader = waypost::journal::Reader::outside(seam(&disk), directory, &path, 20);
    assert_eq!(reader.read().unwrap().unwrap().sequence, 20);
    assert_eq!(reader.read().unwrap(), None);
    assert_eq!(reader.refused(), 1);
}
