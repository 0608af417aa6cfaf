//! Directories of processes that are gone.

use std::sync::Arc;
use std::time::Duration;

use waypost::journal::{Config, Keep};

use crate::clock::Standing;
use crate::disk::{CrashDisk, Lies};
use crate::hand::{Hand, Reading, inspect, read, seam, segment};
use crate::layout::{self, Forged, Head};
use crate::process::{config, faults};

const SEGMENT: u64 = 2_000;

fn all(count: u64) -> Reading {
    Reading { sequences: (1..=count).collect(), ..Reading::default() }
}

#[test]
fn two_processes_each_have_a_directory_and_neither_touches_the_others() {
    let disk = CrashDisk::new(Lies::default());
    let (mut one, mut other) =
        (Hand::start(&disk, &config(SEGMENT)), Hand::start(&disk, &config(SEGMENT)));
    assert_ne!(one.journal.directory(), other.journal.directory());
    assert!(other.journal.adopted().is_empty(), "it is not free");
    for _ in 0..30 {
        one.append(1);
        other.append(2);
    }
    assert_eq!(read(&seam(&disk), one.journal.directory()), all(30));
    assert_eq!(read(&seam(&disk), other.journal.directory()), all(60));
    assert_eq!(faults(&disk), []);
}

#[test]
fn a_dead_process_s_directory_is_adopted_read_counted_and_kept() {
    let disk = CrashDisk::new(Lies::default());
    let (mut old, mut other) =
        (Hand::start(&disk, &config(SEGMENT)), Hand::start(&disk, &config(SEGMENT)));
    old.append(50);
    other.append(10);
    let (dead, alive) = (old.journal.directory(), other.journal.directory());
    old.kill();
    other.kill();
    let mut new = Hand::start(&disk, &config(SEGMENT));
    assert_eq!(new.journal.directory(), alive, "the newest that is free is gone on with");
    let adopted: Vec<_> = new.journal.adopted().iter().map(|(id, _)| *id).collect();
    assert_eq!(adopted, [dead]);
    new.append(10);
    assert_eq!(read(&seam(&disk), dead), all(50));
    assert_eq!(read(&seam(&disk), alive), all(20));

    // All of it counts toward the bound but what was prepared in vain.
    new.look();
    let bytes = |id| inspect(&seam(&disk), id).segments.iter().map(|one| one.bytes).sum::<u64>();
    new.look();
    assert_eq!(new.metric("kept_bytes"), bytes(dead) + bytes(alive));
    let unused = inspect(&seam(&disk), dead).segments.iter().any(|one| one.sequences.is_none());
    assert!(!unused, "a segment that nobody will begin is removed");
}

#[test]
fn the_size_bound_takes_the_oldest_directory_first_and_counts_every_frame() {
    let disk = CrashDisk::new(Lies::default());
    let (mut old, mut other) =
        (Hand::start(&disk, &config(SEGMENT)), Hand::start(&disk, &config(SEGMENT)));
    old.append(50);
    other.append(50);
    let (dead, alive) = (old.journal.directory(), other.journal.directory());
    old.kill();
    other.kill();
    let bound = Config { retention_size: 5 * SEGMENT, ..config(SEGMENT) };
    let mut new = Hand::start(&disk, &bound);
    new.append(20);
    new.look();
    assert_eq!(read(&seam(&disk), dead), Reading::default(), "all of it went, its last one too");
    let kept = read(&seam(&disk), alive);
    assert_eq!(kept.sequences.last(), Some(&70));
    assert_eq!(new.metric("kept_bytes"), 5 * SEGMENT);
    assert_eq!(new.metric("deleted_frames_total"), 120 - kept.sequences.len() as u64);
    assert_eq!(faults(&disk), []);
}

#[test]
fn age_takes_an_adopted_directory_too() {
    let disk = CrashDisk::new(Lies::default());
    let clock = Arc::new(Standing::new());
    let age = Duration::from_secs(86_400);
    let config = Config { retention_age: age, ..config(SEGMENT) };
    let mut old = Hand::start_at(&disk, &config, &clock);
    let other = Hand::start_at(&disk, &config, &clock);
    old.append(20);
    let dead = old.journal.directory();
    old.kill();
    other.kill();
    let mut new = Hand::start_at(&disk, &config, &clock);
    for hour in 0..24 {
        assert_eq!(read(&seam(&disk), dead), all(20), "{hour} hours");
        new.pass(Duration::from_secs(3_600));
    }
    new.pass(Duration::from_secs(1));
    assert_eq!(read(&seam(&disk), dead), Reading::default());
    assert_eq!(new.metric("deleted_frames_total"), 20);
}

#[test]
fn what_is_not_acknowledged_of_an_adopted_directory_is_never_deleted() {
    let disk = CrashDisk::new(Lies::default());
    let bound =
        Config { retention_size: 6 * SEGMENT, keep: Keep::Unacknowledged, ..config(SEGMENT) };
    let (mut old, other) = (Hand::start(&disk, &bound), Hand::start(&disk, &bound));
    old.append(50);
    let dead = old.journal.directory();
    old.kill();
    other.kill();
    let mut new = Hand::start(&disk, &bound);
    let mut taken = 0;
    while new.try_append(&crate::process::body(new.journal.next_sequence())).is_ok() {
        new.rest();
        new.look();
        taken += 1;
        assert!(taken < 500, "the bound holds");
    }
    assert_eq!(read(&seam(&disk), dead), all(50));
    // What its cursor has passed may go, though it is another directory's.
    let path = segment(dead, 1);
    let mut cursor =
        waypost::journal::Cursor::open(seam(&disk), path.parent().unwrap(), dead).unwrap();
    cursor.advance(30).unwrap();
    new.look();
    assert_eq!(new.metric("deleted_frames_total"), 15, "a whole segment, and no more than needed");
    let body = crate::process::body(new.journal.next_sequence());
    assert!(new.try_append(&body).is_ok(), "there is room again");
    new.rest();
    cursor.advance(51).unwrap();
    for _ in 0..60 {
        new.look();
        if new.try_append(&crate::process::body(new.journal.next_sequence())).is_err() {
            break;
        }
        new.rest();
    }
    assert_eq!(read(&seam(&disk), dead), Reading::default(), "its last segment too");
    assert_eq!(new.metric("deleted_frames_total"), 50);
}

/// Named by what broke: a segment went when the header of the next one said that it repeats it, of
/// which a crash had left less.
#[test]
fn what_a_crash_left_goes_when_all_of_it_is_repeated_and_that_was_durable() {
    let genuine = |sequence| Forged::genuine(sequence);
    let other_bytes = Forged { body: b"other".to_vec(), ..genuine(2) };
    let proof = |behind| Forged { behind, ..genuine(4) };
    let whole = || vec![genuine(1), genuine(2), genuine(3)];
    for (name, repeated, goes) in [
        ("cut off", vec![genuine(1)], false),
        ("with a hole", vec![genuine(1), genuine(3), proof(0)], false),
        ("with other bytes", vec![genuine(1), other_bytes, genuine(3), proof(0)], false),
        ("perhaps never synced", whole().into_iter().chain([proof(3)]).collect(), false),
        ("whole and durable", whole().into_iter().chain([proof(0)]).collect(), true),
    ] {
        let disk = CrashDisk::new(Lies::default());
        let mut old = Hand::start(&disk, &config(SEGMENT));
        let other = Hand::start(&disk, &config(SEGMENT));
        old.append_together(3);
        let directory = old.journal.directory();
        let (first, second) = (segment(directory, 1), segment(directory, 2));
        old.kill();
        other.kill();
        let head = Head { directory, number: 2, first: 1, predecessor: 1 };
        disk.delete(&second);
        disk.place(&second, &layout::segment(head, &repeated, SEGMENT as usize));
        let before = read(&seam(&disk), directory);
        let mut new = Hand::start(&disk, &config(SEGMENT));
        assert_eq!(new.journal.adopted().len(), 1, "{name}");
        new.append(1);
        new.look();
        assert_eq!(!disk.paths().contains(&first), goes, "{name}");
        assert!(disk.paths().contains(&second), "{name}");
        let after = read(&seam(&disk), directory);
        assert_eq!((&after.sequences, after.altered), (&before.sequences, 0), "{name}");
        assert_eq!(new.metric("deleted_frames_total"), 0, "{name}: nothing is gone");
    }
}
