//! What is deleted, and what never is.

use std::sync::Arc;
use std::time::Duration;

use waypost::journal::{Config, Keep, Refused};

use crate::clock::Standing;
use crate::disk::{CrashDisk, Fate, Lies, fates};
use crate::hand::{Hand, read, seam, segment, written};
use crate::process::{body, config, faults};

const SEGMENT: u64 = 2_000;
const HOUR: Duration = Duration::from_secs(3_600);
const DAY: Duration = Duration::from_secs(86_400);

#[test]
fn without_anything_further_on_the_oldest_segments_go_and_their_frames_are_counted() {
    let disk = CrashDisk::new(Lies::default());
    let mut hand = Hand::start(&disk, &Config { retention_size: 5 * SEGMENT, ..config(SEGMENT) });
    for _ in 0..200 {
        hand.append(1);
        hand.look();
        assert!(hand.metric("kept_bytes") <= 5 * SEGMENT);
        let kept = read(&seam(&disk), hand.journal.directory());
        let next = hand.journal.next_sequence();
        let first = next - kept.sequences.len() as u64;
        assert_eq!(kept.sequences, (first..next).collect::<Vec<_>>(), "no gap, the newest kept");
        assert_eq!(hand.metric("deleted_frames_total"), first - 1);
        assert_eq!(kept.skipped, first - 1);
    }
    assert!(hand.metric("deleted_frames_total") > 100);
    assert_eq!(faults(&disk), []);
}

#[test]
fn nothing_above_the_cursor_is_deleted_and_at_the_bound_new_events_are_refused() {
    let disk = CrashDisk::new(Lies::default());
    let bound =
        Config { retention_size: 5 * SEGMENT, keep: Keep::Unacknowledged, ..config(SEGMENT) };
    let clock = Arc::new(Standing::new());
    let mut hand = Hand::start_at(&disk, &bound, &clock);
    let directory = hand.journal.directory();
    let refused = loop {
        let body = body(hand.journal.next_sequence());
        match hand.try_append(&body) {
            Ok(_) => {
                hand.rest();
                hand.look();
            }
            Err(refused) => break refused,
        }
    };
    assert_eq!(refused, Refused::JournalFull);
    let full = hand.journal.next_sequence();
    // Neither time nor a restart changes that.
    hand.pass(400 * DAY);
    hand.pass(2 * HOUR);
    assert_eq!(hand.try_append(b"no"), Err(Refused::JournalFull));
    hand.kill();
    let mut hand = Hand::start_at(&disk, &bound, &clock);
    hand.look();
    assert_eq!(hand.try_append(b"no"), Err(Refused::JournalFull));
    assert_eq!(read(&seam(&disk), directory).sequences, (1..full).collect::<Vec<_>>());
    assert_eq!(hand.metric("deleted_frames_total"), 0);
    // Only whole segments before the cursor go, and only as many as the bound asks.
    hand.journal.acknowledged(15);
    hand.look();
    assert_eq!(hand.try_append(b"no"), Err(Refused::JournalFull), "none is whole yet");
    hand.journal.acknowledged(50);
    hand.look();
    hand.append(1);
    let kept = read(&seam(&disk), directory).sequences;
    assert!((2..=50).contains(&kept[0]), "{kept:?}");
    assert_eq!(kept, (kept[0]..=full).collect::<Vec<_>>());
    assert_eq!(hand.metric("deleted_frames_total"), kept[0] - 1);
}

#[test]
fn age_is_kept_on_the_clock_and_a_clock_that_steps_deletes_nothing() {
    let disk = CrashDisk::new(Lies::default());
    let clock = Arc::new(Standing::new());
    let mut hand =
        Hand::start_at(&disk, &Config { retention_age: 30 * DAY, ..config(SEGMENT) }, &clock);
    let directory = hand.journal.directory();
    hand.append(40);
    let count = |disk: &CrashDisk| read(&seam(disk), directory).sequences.len();
    hand.pass(30 * DAY);
    assert_eq!(count(&disk), 40, "not yet");
    // A machine that wakes with a wrong clock, which is mended within the hour.
    clock.jump(400 * 86_400);
    for _ in 0..6 {
        hand.pass(HOUR / 7);
        assert_eq!(count(&disk), 40, "after a step forward");
    }
    clock.jump(-400 * 86_400);
    hand.look();
    assert_eq!(count(&disk), 40, "after a step back");
    hand.pass(HOUR / 2);
    hand.pass(HOUR / 2 + Duration::from_secs(1));
    assert!(count(&disk) < 20, "the clock kept still: what is old goes");
    assert_eq!(hand.metric("deleted_frames_total"), 40 - count(&disk) as u64);
    assert!(count(&disk) > 0, "the segment that is written stays");
    // A clock that is set forward for good is believed after an hour.
    hand.append(20);
    let before = count(&disk);
    clock.jump(40 * 86_400);
    hand.pass(HOUR);
    assert_eq!(count(&disk), before);
    hand.pass(HOUR);
    assert!(count(&disk) < before);
}

/// Named by what broke: one segment that retention could not read kept all behind it, and at the
/// bound every event was refused.
#[test]
fn segments_that_were_left_over_stop_no_retention() {
    type Leave = fn(&CrashDisk, &Hand);
    let leave: [(&str, Leave); 5] = [
        ("a prepared segment of another length", |_, _| {}),
        ("a segment that was being filled", |disk, hand| {
            disk.damage(&hand.segment(4), |bytes| bytes.truncate(700));
        }),
        ("an empty file", |disk, hand| disk.damage(&hand.segment(4), Vec::clear)),
        ("a torn beginning", |disk, hand| {
            disk.damage(&hand.segment(4), |bytes| bytes[600..620].fill(7));
        }),
        ("a damaged header", |disk, hand| {
            disk.damage(&hand.segment(1), |bytes| bytes[20] ^= 1);
        }),
    ];
    for (name, leave) in leave {
        let disk = CrashDisk::new(Lies::default());
        let mut hand = Hand::start(&disk, &config(SEGMENT));
        hand.append(40);
        assert!(disk.paths().contains(&hand.segment(4)), "{name}: it was prepared");
        leave(&disk, &hand);
        let (first, fourth) = (hand.segment(1), hand.segment(4));
        hand.kill();
        let larger = 2 * SEGMENT;
        let bound = Config { retention_size: 4 * larger, ..config(larger) };
        let mut hand = Hand::start(&disk, &bound);
        hand.append(300);
        hand.look();
        assert!(!disk.paths().contains(&first), "{name}");
        assert_eq!(disk.paths().contains(&fourth), name == "a torn beginning", "{name}");
        let kept = read(&seam(&disk), hand.journal.directory()).sequences;
        assert_eq!(kept.last(), Some(&340), "{name}");
        assert_eq!(hand.metric("deleted_frames_total"), 340 - kept.len() as u64, "{name}");
        assert!(hand.metric("kept_bytes") <= 4 * larger, "{name}");
    }
}

#[test]
fn a_deleted_segment_does_not_come_back_without_its_successor() {
    let disk = CrashDisk::new(Lies::default());
    let mut hand = Hand::start(&disk, &config(SEGMENT));
    hand.append(100);
    let directory = hand.journal.directory();
    hand.kill();
    disk.remember();
    let mut hand = Hand::start(&disk, &Config { retention_size: 4 * SEGMENT, ..config(SEGMENT) });
    hand.append(1);
    hand.look();
    assert!(!disk.paths().contains(&segment(directory, 3)));
    let moments = disk.moments();
    assert!(moments.len() > 10);
    for (at, moment) in moments.iter().enumerate() {
        let cut = |way| match way {
            0 => moment.disk().after_power_cut(|| Fate::Lost),
            1 => moment.disk().after_power_cut(|| Fate::Kept),
            _ => moment.disk().after_power_cut(fates(at as u64 * 7 + way)),
        };
        for way in 0..5 {
            assert_eq!(faults(&cut(way)), [], "moment {at}, way {way}");
        }
    }
}

#[test]
fn a_start_deletes_nothing_before_what_a_crash_left_is_repeated() {
    let (disk, directory) = written(SEGMENT, 44);
    // Everything is far too much, and the last batch stands in one place only.
    let bound = Config { retention_size: 0, ..config(SEGMENT) };
    let cut = disk.after_kill();
    let seam = seam(&cut);
    let clock: Arc<dyn waypost::clock::Clock> = Arc::new(Standing::new());
    let metrics = waypost::metrics::Metrics::new();
    let (journal, mut crew) =
        waypost::journal::Journal::at_rest(&bound, seam, clock, &metrics).unwrap();
    assert_eq!(journal.durable(), 44, "the last frame is proven by nothing");
    while journal.durable() == 44 {
        crew.keep();
        crew.retain();
        let kept = read(&crate::hand::seam(&cut), directory).sequences;
        assert_eq!(kept.last(), Some(&44));
        crew.write();
    }
    crew.keep();
    crew.retain();
    assert_eq!(read(&crate::hand::seam(&cut), directory).sequences, [44]);
}

/// Each start begins a segment, of which hardly anything is then used.
#[test]
fn a_process_that_is_restarted_for_ever_takes_no_room() {
    let disk = CrashDisk::new(Lies::default());
    let large = 409_600;
    let bound = Config { retention_size: 6 * large, ..config(large) };
    for restart in 0..100 {
        let mut hand = Hand::start(&disk, &bound);
        // Half of the processes record something before they end.
        hand.append(restart % 2);
        hand.look();
        hand.look();
        assert!(hand.metric("kept_bytes") <= 3 * large, "restart {restart}");
        assert_eq!(hand.metric("deleted_frames_total"), 0, "restart {restart}");
        let kept = read(&seam(&disk), hand.journal.directory()).sequences;
        assert_eq!(kept, (1..=restart.div_ceil(2)).collect::<Vec<_>>());
        assert_eq!(faults(&disk), []);
        hand.kill();
    }
    assert!(disk.paths().len() < 60, "{} files", disk.paths().len());
}
