//! Bytes that are cut off, flipped, zeroed or unreadable: what is lost is counted, and everything
//! else is read.

use std::sync::Arc;

use waypost::disk::Disk;
use waypost::journal::{DirectoryId, Fault};

use crate::disk::CrashDisk;
use crate::hand::{Hand, Reading, inspect, read, seam, segment, written};
use crate::layout;
use crate::process::config;

/// Two blocks and a little.
const SEGMENT: u64 = 9_000;
/// Frames that fill two segments and begin a third.
const COUNT: u64 = 190;

/// The sequences of a segment's frames, and where each ends.
fn ends(bytes: &[u8]) -> Vec<(u64, usize)> {
    let frames = layout::frames(bytes).into_iter();
    frames.map(|span| (layout::sequence(&bytes[span.clone()]), span.end)).collect()
}

/// Everything but `lost` is read, as it was appended, and the count is exact.
fn expect(disk: &Arc<dyn Disk>, directory: DirectoryId, lost: &[u64], told: &str) {
    let kept: Vec<_> = (1..=COUNT).filter(|sequence| !lost.contains(sequence)).collect();
    let expected = Reading { sequences: kept, skipped: lost.len() as u64, ..Reading::default() };
    assert_eq!(read(disk, directory), expected, "{told}");
    let report = inspect(disk, directory);
    assert_eq!(report.lost, lost.len() as u64, "{told}: {:?}", report.faults);
    assert_eq!(report.frames, COUNT - lost.len() as u64, "{told}");
    assert_eq!(report.faults.is_empty(), lost.is_empty(), "{told}: {:?}", report.faults);
}

#[test]
fn a_segment_that_is_cut_at_any_byte_keeps_every_frame_before_the_cut() {
    let (whole, directory) = written(SEGMENT, COUNT);
    let path = segment(directory, 1);
    let ends = ends(&whole.bytes(&path));
    assert!(ends.len() > 40 && ends.len() < 80, "{}", ends.len());
    for length in 64..=SEGMENT as usize {
        let disk = whole.after_kill();
        disk.damage(&path, |bytes| bytes.truncate(length));
        let lost = ends.iter().filter(|(_, end)| *end > length).map(|(sequence, _)| *sequence);
        expect(&seam(&disk), directory, &lost.collect::<Vec<_>>(), &format!("{length} bytes"));
    }
    for length in 0..64 {
        let disk = whole.after_kill();
        disk.damage(&path, |bytes| bytes.truncate(length));
        let reading = read(&seam(&disk), directory);
        let first = ends.len() as u64 + 1;
        assert_eq!(reading.sequences, (first..=COUNT).collect::<Vec<_>>(), "{length} bytes");
        assert_eq!(reading.skipped, ends.len() as u64, "{length} bytes");
    }
}

#[test]
fn a_last_segment_that_is_cut_at_any_byte_is_recovered_and_no_sequence_given_twice() {
    let (whole, directory) = written(SEGMENT, COUNT);
    let path = segment(directory, 3);
    let ends = ends(&whole.bytes(&path));
    let first = ends[0].0;
    for length in (0..64).chain((64..ends.last().unwrap().1 + 20).step_by(7)) {
        let disk = whole.after_kill();
        disk.damage(&path, |bytes| bytes.truncate(length));
        let kept = ends.iter().filter(|(_, end)| *end <= length).count() as u64;
        let mut hand = Hand::start(&disk, &config(SEGMENT));
        let next = hand.journal.next_sequence();
        assert_eq!(next, first + kept, "{length} bytes: what is gone was proven by nothing");
        hand.append(3);
        let expected = Reading { sequences: (1..next + 3).collect(), ..Reading::default() };
        assert_eq!(read(&seam(&disk), directory), expected, "{length} bytes");
        assert_eq!(hand.metric("damaged_frames_total"), 0, "{length} bytes");
    }
}

#[test]
fn each_flipped_bit_of_a_frame_costs_that_frame_and_no_other() {
    let (whole, directory) = written(SEGMENT, COUNT);
    let path = segment(directory, 2);
    let (span, sequence) = victim(&whole.bytes(&path));
    for bit in 0..span.len() * 8 {
        let disk = whole.after_kill();
        disk.damage(&path, |bytes| bytes[span.start + bit / 8] ^= 1 << (bit % 8));
        expect(&seam(&disk), directory, &[sequence], &format!("bit {bit}"));
    }
}

/// The control: a check that cannot see an altered frame proves nothing.
#[test]
fn a_journal_that_skips_the_checksum_is_found_out() {
    let (whole, directory) = written(SEGMENT, COUNT);
    let path = segment(directory, 2);
    let (span, _) = victim(&whole.bytes(&path));
    let mut found = 0;
    for bit in 0..span.len() * 8 {
        let disk = whole.after_kill();
        disk.damage(&path, |bytes| {
            bytes[span.start + bit / 8] ^= 1 << (bit % 8);
            // A frame whose checksum always fits is one whose checksum is not looked at.
            let frame = &mut bytes[span.clone()];
            layout::stamp(frame, layout::number_of(directory), 2);
        });
        let reading = read(&seam(&disk), directory);
        found += u64::from(reading.altered > 0);
    }
    // Those of the magic, the lengths and the padding are seen by other means.
    assert!(found > span.len() as u64 * 4, "{found} of {}", span.len() * 8);
}

/// A frame in the middle of a segment.
fn victim(bytes: &[u8]) -> (std::ops::Range<usize>, u64) {
    let frames = layout::frames(bytes);
    let span = frames[frames.len() / 2].clone();
    (span.clone(), layout::sequence(&bytes[span]))
}

#[test]
fn a_page_of_zeros_costs_the_frames_in_it_and_no_other() {
    let (whole, directory) = written(SEGMENT, COUNT);
    for number in [1, 2] {
        let path = segment(directory, number);
        let bytes = whole.bytes(&path);
        for page in (0..SEGMENT as usize).step_by(4_096) {
            let end = (page + 4_096).min(bytes.len());
            let disk = whole.after_kill();
            disk.damage(&path, |bytes| bytes[page..end].fill(0));
            let frames = layout::frames(&bytes).into_iter();
            let lost = frames.filter(|span| {
                // What was zero before is not changed.
                let within = span.start.max(page)..span.end.min(end);
                !within.is_empty() && bytes[within].iter().any(|byte| *byte != 0)
            });
            let lost: Vec<_> = lost.map(|span| layout::sequence(&bytes[span])).collect();
            assert!(!lost.is_empty());
            expect(&seam(&disk), directory, &lost, &format!("page {page} of segment {number}"));
        }
    }
}

#[test]
fn a_first_page_of_zeros_hides_no_segment_from_recovery() {
    let (whole, directory) = written(SEGMENT, COUNT);
    let disk = whole.after_kill();
    let path = segment(directory, 3);
    let bytes = whole.bytes(&path);
    let ends = ends(&bytes);
    disk.damage(&path, |bytes| bytes[..4_096].fill(0));
    let lost = ends.iter().filter(|(_, end)| *end <= 4_096 + 100).count() as u64;
    let hand = Hand::start(&disk, &config(SEGMENT));
    assert_eq!(hand.journal.next_sequence(), COUNT + 1);
    let damaged = hand.metric("damaged_frames_total");
    assert!((lost - 1..=lost).contains(&damaged), "{damaged} of {lost}");
    let report = inspect(&seam(&disk), directory);
    assert_eq!(report.lost, damaged);
    assert!(report.faults.contains(&Fault::HeaderDamaged { segment: 3 }), "{:?}", report.faults);
}

#[test]
fn a_block_that_the_disk_does_not_give_stops_no_start_and_costs_no_other_frame() {
    let (whole, directory) = written(SEGMENT, COUNT);
    let path = segment(directory, 3);
    let ends = ends(&whole.bytes(&path));
    for block in (0..SEGMENT).step_by(4_096) {
        let disk = whole.after_kill();
        disk.spoil(&path, block);
        let mut hand = Hand::start(&disk, &config(SEGMENT));
        // The block may be given another time, and no sequence is given twice.
        assert!(hand.journal.next_sequence() > COUNT, "block {block}");
        hand.append(2);
        hand.kill();
        let report = inspect(&seam(&disk), directory);
        assert!(report.faults.contains(&Fault::Unreadable { segment: 3 }), "{:?}", report.faults);
        disk.heal_blocks();
        let reading = read(&seam(&disk), directory);
        assert!((1..=ends.last().unwrap().0).all(|one| reading.sequences.contains(&one)));
        assert_eq!((reading.altered, reading.refused), (0, 0));
    }
}

#[test]
fn every_frame_of_a_segment_with_a_damaged_header_is_read() {
    let (whole, directory) = written(SEGMENT, COUNT);
    let path = segment(directory, 2);
    for bit in 0..64 * 8 {
        let disk = whole.after_kill();
        disk.damage(&path, |bytes| bytes[bit / 8] ^= 1 << (bit % 8));
        let seam = seam(&disk);
        let report = inspect(&seam, directory);
        // A version that we do not know is one that we cannot read.
        if report.faults[0] == (Fault::Unknown { segment: 2 }) {
            assert_eq!(bit / 8, 7, "the version stands in the eighth byte");
            continue;
        }
        assert_eq!(report.faults, [Fault::HeaderDamaged { segment: 2 }], "bit {bit}");
        assert_eq!(read(&seam, directory).sequences, (1..=COUNT).collect::<Vec<_>>());
    }
}

/// What is damaged is not carried into the next segment either.
#[test]
fn a_flipped_bit_in_the_last_batch_costs_its_frame_and_no_sequence() {
    let disk = CrashDisk::new(Default::default());
    let mut hand = Hand::start(&disk, &config(SEGMENT));
    hand.append(10);
    hand.append_together(6);
    let (directory, path) = (hand.journal.directory(), hand.segment(1));
    hand.kill();
    let spans = layout::frames(&disk.bytes(&path));
    disk.damage(&path, |bytes| bytes[spans[12].start + 60] ^= 1);
    let before = read(&seam(&disk), directory);
    assert_eq!(before.sequences, [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 14, 15, 16]);
    let mut hand = Hand::start(&disk, &config(SEGMENT));
    assert_eq!(hand.journal.next_sequence(), 17);
    hand.append(1);
    let after = read(&seam(&disk), directory);
    assert_eq!(after.sequences, [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 14, 15, 16, 17]);
    assert_eq!(after.skipped, 0, "nothing proves that it was durable");
    assert_eq!(inspect(&seam(&disk), directory).faults, []);
}
