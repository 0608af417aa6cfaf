//! The power is cut at every point of a run, and of a recovery.

use std::sync::atomic::Ordering;

use crate::disk::{CrashDisk, Failure, Fate, Lies, fates};
use crate::process::{Process, body, config, contents, faults};

/// Appends batches, with a failing sync, write and making of a file on the way; the history of
/// the disk then holds every moment at which a crash could fall.
fn eventful_run(lies: Lies, segment: u64) -> CrashDisk {
    let disk = CrashDisk::new(lies);
    disk.remember();
    let process = Process::start(&disk, &config(segment));
    let mut number = 0;
    for round in 0..14 {
        let failure = match round {
            4 => Some(Failure::Sync),
            7 => Some(Failure::Write),
            10 => Some(Failure::Create),
            _ => None,
        };
        // The later batches are longer than a block, so that one can be torn in its middle.
        let count = if round % 2 == 0 { 4 } else { 40 };
        let bodies: Vec<_> = (number..number + count).map(body).collect();
        number += count;
        disk.fail(failure);
        let last = *process.append(&bodies).last().unwrap();
        if failure.is_some() {
            // Let it fail at least once before the disk heals.
            while process.journal.durable() <= last && disk.failures() == 0 {
                std::thread::yield_now();
            }
        }
        disk.fail(None);
        process.wait_for(last);
        disk.acknowledged.store(last, Ordering::SeqCst);
    }
    process.end();
    disk
}

/// Cuts the power at every moment, in several ways; returns how many cuts lost a frame that had
/// been acknowledged.
fn losses(disk: &CrashDisk, segment: u64) -> usize {
    let mut lost = 0;
    for (at, moment) in disk.moments().iter().enumerate() {
        for way in 0..8 {
            let cut = match way {
                0 => moment.disk().after_power_cut(|| Fate::Lost),
                1 => moment.disk().after_power_cut(|| Fate::Kept),
                2 => moment.disk().after_kill(),
                _ => moment.disk().after_power_cut(fates(at as u64 * 31 + way)),
            };
            let process = Process::start(&cut, &config(segment));
            let found = contents(&cut);
            for ((_, sequence), found) in &found {
                assert_eq!(*found, body(sequence - 1), "moment {at}: nothing is invented");
            }
            let has = |sequence: u64| found.keys().any(|(_, found)| *found == sequence);
            lost += usize::from(!(1..=moment.acknowledged).all(has));
            let fresh = process.append(&[body(process.next() - 1)]);
            assert!(!has(fresh[0]), "moment {at}: no sequence is given twice");
            process.wait_for(fresh[0]);
            process.end();
            let after = contents(&cut);
            assert!(after.keys().any(|(_, found)| *found == fresh[0]), "moment {at}: it goes on");
            if lost == 0 {
                assert_eq!(faults(&cut), [], "moment {at}, way {way}");
            }
        }
    }
    lost
}

#[test]
fn a_power_cut_at_any_point_loses_nothing_that_was_acknowledged() {
    for segment in [1_500, 9_000] {
        let disk = eventful_run(Lies::default(), segment);
        assert!(disk.moments().len() > 60, "only {} moments", disk.moments().len());
        assert_eq!(losses(&disk, segment), 0);
    }
}

#[test]
fn the_crash_disk_sees_a_sync_that_is_skipped() {
    let lies = Lies { skips_sync: true, ..Lies::default() };
    assert!(losses(&eventful_run(lies, 1_500), 1_500) > 0);
}

#[test]
fn the_crash_disk_sees_a_directory_sync_that_is_skipped() {
    let lies = Lies { skips_directory_sync: true, ..Lies::default() };
    assert!(losses(&eventful_run(lies, 1_500), 1_500) > 0);
}
