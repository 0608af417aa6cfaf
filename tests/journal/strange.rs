//! Segments that are not ours: copied, renamed, foreign, of another version, or nothing at all.

use std::path::{Path, PathBuf};

use waypost::journal::{DirectoryId, Fault};

use crate::disk::CrashDisk;
use crate::hand::{Hand, Reading, inspect, read, seam, segment, written};
use crate::process::{FOLDER, config};

const SEGMENT: u64 = 2_000;
const COUNT: u64 = 40;

/// A way to put a strange file there, and what is then told.
struct Case {
    name: &'static str,
    /// Puts it there; returns its path.
    place: fn(&CrashDisk, DirectoryId) -> PathBuf,
    told: fn(DirectoryId) -> Vec<Fault>,
    /// Sequences that are not there any more.
    lost: fn(&[u64]) -> Vec<u64>,
}

fn nothing(_: &[u64]) -> Vec<u64> {
    Vec::new()
}

const CASES: [Case; 7] = [
    Case {
        name: "a copy under a later number",
        place: |disk, directory| {
            let path = segment(directory, 77);
            disk.place(&path, &disk.bytes(&segment(directory, 2)));
            path
        },
        told: |directory| vec![Fault::Foreign { segment: 77, directory, original: 2 }],
        lost: nothing,
    },
    Case {
        name: "a segment that was renamed",
        place: |disk, directory| {
            let (from, to) = (segment(directory, 2), segment(directory, 77));
            disk.place(&to, &disk.bytes(&from));
            disk.delete(&from);
            to
        },
        told: |directory| {
            vec![
                Fault::Foreign { segment: 77, directory, original: 2 },
                Fault::Lost { segment: 1, first: 16, last: 29 },
            ]
        },
        lost: |second| second.to_vec(),
    },
    Case {
        name: "a segment of another directory",
        place: |disk, directory| {
            let (_, other) = (written(SEGMENT, 3), written(SEGMENT, 3).0);
            let foreign =
                other.paths().into_iter().find(|path| path.ends_with("0000000001.segment"));
            let path = segment(directory, 77);
            let mut bytes = other.bytes(&foreign.unwrap());
            // Another machine's directory has another id.
            bytes[8] ^= 0x10;
            let sum = crc32c::crc32c(&bytes[..60]);
            bytes[60..64].copy_from_slice(&sum.to_le_bytes());
            disk.place(&path, &bytes);
            path
        },
        told: |directory| {
            let id = crate::layout::number_of(directory) ^ 0x10;
            let directory = format!("{id:016x}").parse().unwrap();
            vec![Fault::Foreign { segment: 77, directory, original: 1 }]
        },
        lost: nothing,
    },
    Case {
        name: "a segment of another version",
        place: |disk, directory| {
            let mut bytes = disk.bytes(&segment(directory, 2));
            bytes[..8].copy_from_slice(b"WAYPSEG2");
            let path = segment(directory, 77);
            disk.place(&path, &bytes);
            path
        },
        told: |_| vec![Fault::Unknown { segment: 77 }],
        lost: nothing,
    },
    Case {
        name: "a file that is anything",
        place: |disk, directory| {
            let path = segment(directory, 77);
            disk.place(&path, &[b'x'; 5_000]);
            path
        },
        told: |_| vec![Fault::HeaderDamaged { segment: 77 }],
        lost: nothing,
    },
    Case {
        name: "a file with another name",
        place: |disk, directory| {
            let path = Path::new(FOLDER).join(format!("{directory}/0000000002.segment.bak"));
            disk.place(&path, &disk.bytes(&segment(directory, 2)));
            path
        },
        told: |_| Vec::new(),
        lost: nothing,
    },
    Case {
        name: "a file beside the directories",
        place: |disk, _| {
            let path = Path::new(FOLDER).join("notes");
            disk.place(&path, b"mine");
            path
        },
        told: |_| Vec::new(),
        lost: nothing,
    },
];

#[test]
fn what_is_not_ours_is_kept_and_counted_and_serving_goes_on() {
    for case in CASES {
        let name = case.name;
        let (disk, directory) = written(SEGMENT, COUNT);
        let second = read(&seam(&disk), directory).sequences[15..29].to_vec();
        let strange = (case.place)(&disk, directory);
        let (bytes, lost) = (disk.bytes(&strange), (case.lost)(&second));
        let kept = (1..=COUNT).filter(|sequence| !lost.contains(sequence)).collect();
        let skipped = lost.len() as u64;
        let expected = Reading { sequences: kept, skipped, ..Reading::default() };
        assert_eq!(read(&seam(&disk), directory), expected, "{name}");
        let report = inspect(&seam(&disk), directory);
        assert_eq!(report.faults, (case.told)(directory), "{name}");
        assert_eq!(report.lost, skipped, "{name}");

        let mut hand = Hand::start(&disk, &config(SEGMENT));
        // What another version wrote tells us nothing of what it gave: a new directory is begun.
        let is_known = name != "a segment of another version";
        assert_eq!(hand.journal.directory() == directory, is_known, "{name}");
        let next = if is_known { COUNT + 1 } else { 1 };
        assert_eq!(hand.journal.next_sequence(), next, "{name}");
        hand.append(60);
        hand.look();
        let told = (case.told)(directory);
        let refused = told.iter().filter(|fault| !matches!(fault, Fault::Lost { .. })).count();
        assert_eq!(hand.metric("refused_segments"), refused as u64, "{name}");
        hand.kill();
        // The size bound takes all that it may.
        let bound = waypost::journal::Config { retention_size: 4 * SEGMENT, ..config(SEGMENT) };
        let mut hand = Hand::start(&disk, &bound);
        hand.append(60);
        hand.look();
        assert!(!disk.paths().contains(&segment(directory, 3)), "{name}: retention goes on");
        assert_eq!(disk.bytes(&strange), bytes, "{name}: it is kept, as it was");
        let last = read(&seam(&disk), hand.journal.directory()).sequences.last().copied();
        assert_eq!(last, Some(next + 119), "{name}");
    }
}
