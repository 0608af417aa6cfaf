//! What `waypost journal` says of files on a real disk, in which words, and how it exits.

use std::fs;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::Arc;

use serde_json::Value;
use waypost::clock::Clock;
use waypost::disk::SystemDisk;
use waypost::journal::Journal;
use waypost::metrics::Metrics;

use crate::clock::Standing;
use crate::layout::{self, Forged, Head};
use crate::process::{config, frame};

const SEGMENT: u64 = 9_000;
const COUNT: u64 = 100;

/// A data folder with a journal of a hundred events in three segments.
struct Folder {
    folder: tempfile::TempDir,
    directory: PathBuf,
    id: String,
}

impl Folder {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let directory = folder.path().join("journal");
        let config = waypost::journal::Config { directory, ..config(SEGMENT) };
        let clock: Arc<dyn Clock> = Arc::new(Standing::new());
        let metrics = Metrics::new();
        let (journal, mut crew) =
            Journal::at_rest(&config, Arc::new(SystemDisk), clock, &metrics).unwrap();
        let appender = journal.appender(metrics.ledger.open());
        for _ in 0..COUNT {
            let body = line(journal.next_sequence());
            appender.account().received();
            drop(appender.append(&frame(body.as_bytes())).unwrap());
            while crew.write() | crew.keep() {}
        }
        let id = journal.directory().to_string();
        let directory = config.directory.join(&id);
        Self { folder, directory, id }
    }

    fn segment(&self, number: u64) -> PathBuf {
        self.directory.join(format!("{number:010}.segment"))
    }

    fn change(&self, number: u64, change: impl FnOnce(&mut Vec<u8>)) {
        let mut bytes = fs::read(self.segment(number)).unwrap();
        change(&mut bytes);
        fs::write(self.segment(number), bytes).unwrap();
    }

    /// Where the frame of a sequence stands.
    fn span(&self, number: u64, sequence: u64) -> std::ops::Range<usize> {
        let bytes = fs::read(self.segment(number)).unwrap();
        let spans = layout::frames(&bytes).into_iter();
        let mut spans = spans.filter(|span| layout::sequence(&bytes[span.clone()]) == sequence);
        spans.next().unwrap()
    }

    fn run(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_waypost"));
        command.arg("journal").args(arguments).arg("--data").arg(self.folder.path());
        command.output().unwrap()
    }
}

/// The body of an event, of a fixed length.
fn line(sequence: u64) -> String {
    format!("{{\"sequence\":{sequence:>90}}}")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// Something that may happen to a journal, and what is then said of it.
struct Case {
    name: &'static str,
    happens: fn(&Folder),
    /// What `verify` prints; `{id}` stands for the directory.
    verify: &'static [&'static str],
    status: i32,
    /// What `cat` prints on standard error; it then exits with 1.
    cat: &'static str,
    /// How many events `cat` prints.
    events: u64,
}

const CASES: [Case; 13] = [
    Case {
        name: "nothing",
        happens: |_| {},
        verify: &["100 events in 3 segments: all can be read"],
        status: 0,
        cat: "",
        events: 100,
    },
    Case {
        name: "a flipped bit",
        happens: |folder| {
            let span = folder.span(2, 60);
            folder.change(2, |bytes| bytes[span.start + 70] ^= 4);
        },
        verify: &[
            "{id}: fault: segment 2: sequence 60 was durable and cannot be read",
            "{id}: note: segment 2: bytes 1072 to 1240 are no frame",
            "99 events in 3 segments: 1 fault, 1 event lost",
        ],
        status: 1,
        cat: "1 damaged event skipped: see `waypost journal verify`\n",
        events: 99,
    },
    Case {
        name: "a flipped bit in the first event",
        happens: |folder| {
            let span = folder.span(1, 1);
            folder.change(1, |bytes| bytes[span.start + 70] ^= 4);
        },
        verify: &[
            "{id}: fault: segment 1: sequence 1 was durable and cannot be read",
            "{id}: note: segment 1: bytes 64 to 232 are no frame",
            "99 events in 3 segments: 1 fault, 1 event lost",
        ],
        status: 1,
        cat: "1 damaged event skipped: see `waypost journal verify`\n",
        events: 99,
    },
    Case {
        name: "a flipped bit in the first event that retention kept",
        happens: |folder| {
            fs::remove_file(folder.segment(1)).unwrap();
            let span = folder.span(2, 54);
            folder.change(2, |bytes| bytes[span.start + 70] ^= 4);
        },
        verify: &[
            "{id}: fault: segment 2: sequence 54 was durable and cannot be read",
            "{id}: note: segment 2: bytes 64 to 232 are no frame",
            "46 events in 2 segments: 1 fault, 1 event lost",
        ],
        status: 1,
        cat: "1 damaged event skipped: see `waypost journal verify`\n",
        events: 46,
    },
    Case {
        name: "a page of zeros",
        happens: |folder| folder.change(1, |bytes| bytes[4_096..8_192].fill(0)),
        verify: &[
            "{id}: fault: segment 1: sequences 25 to 49 were durable and cannot be read",
            "{id}: note: segment 1: bytes 4096 to 8296 are no frame",
            "75 events in 3 segments: 1 fault, 25 events lost",
        ],
        status: 1,
        cat: "25 damaged events skipped: see `waypost journal verify`\n",
        events: 75,
    },
    Case {
        name: "a damaged header",
        happens: |folder| folder.change(1, |bytes| bytes[30] ^= 1),
        verify: &[
            "{id}: fault: segment 1: the header is damaged, frames are read by their own checksums",
            "100 events in 3 segments: 1 fault, no event lost",
        ],
        status: 1,
        cat: "",
        events: 100,
    },
    Case {
        name: "a copy",
        happens: |folder| {
            fs::copy(folder.segment(1), folder.segment(9)).unwrap();
        },
        verify: &[
            "{id}: fault: segment 9: a copied or renamed file, it was written as segment 1 of \
             directory {id}: kept, not read",
            "100 events in 4 segments: 1 fault, no event lost",
        ],
        status: 1,
        cat: "",
        events: 100,
    },
    Case {
        name: "another version",
        happens: |folder| {
            fs::write(folder.segment(9), b"WAYPSEG2 and what may follow").unwrap();
        },
        verify: &[
            "{id}: fault: segment 9: a format that this version does not know: kept, not read",
            "100 events in 4 segments: 1 fault, no event lost",
        ],
        status: 1,
        cat: "",
        events: 100,
    },
    Case {
        name: "a segment that is gone",
        happens: |folder| fs::remove_file(folder.segment(1)).unwrap(),
        verify: &["47 events in 2 segments: all can be read"],
        status: 0,
        cat: "",
        events: 47,
    },
    Case {
        name: "a contradiction",
        happens: |folder| {
            let directory = folder.id.parse().unwrap();
            let head = Head { directory, number: 9, first: 100, predecessor: 2 };
            let body = line(7).into_bytes();
            let forged = Forged { sequence: 100, behind: 0, body };
            fs::write(folder.segment(9), layout::segment(head, &[forged], 9_000)).unwrap();
        },
        verify: &[
            "{id}: fault: segment 9: it repeats sequence 100 of segment 2 with other bytes: kept, \
             not read",
            "100 events in 4 segments: 1 fault, no event lost",
        ],
        status: 1,
        cat: "1 segment refused: see `waypost journal verify`\n",
        events: 100,
    },
    Case {
        name: "an unfinished tail",
        happens: |folder| {
            let span = folder.span(2, 100);
            folder.change(2, |bytes| bytes[span.start + 40..].fill(0));
        },
        verify: &[
            "{id}: note: segment 2: from byte 7792 on not written whole: a node is writing, or a \
             crash left it",
            "99 events in 3 segments: all can be read",
        ],
        status: 0,
        cat: "",
        events: 99,
    },
    Case {
        name: "a torn beginning",
        happens: |folder| {
            let mut bytes = b"WAYPSEG1".to_vec();
            bytes.resize(9_000, 0);
            fs::write(folder.segment(9), bytes).unwrap();
        },
        verify: &[
            "{id}: note: segment 9: its beginning was not written whole: a crash, nothing of it \
             was acknowledged",
            "100 events in 4 segments: all can be read",
        ],
        status: 0,
        cat: "",
        events: 100,
    },
    Case {
        name: "a damaged cursor",
        happens: |folder| fs::write(folder.directory.join("cursor"), b"anything").unwrap(),
        verify: &[
            "{id}: note: the cursor is damaged: what was acknowledged further on is sent again",
            "100 events in 3 segments: all can be read",
        ],
        status: 0,
        cat: "",
        events: 100,
    },
];

#[test]
fn each_thing_that_may_happen_to_a_journal_is_said_in_clear_words() {
    for case in CASES {
        let name = case.name;
        let folder = Folder::new();
        (case.happens)(&folder);
        let verify = folder.run(&["verify"]);
        let expected: Vec<_> =
            case.verify.iter().map(|line| line.replace("{id}", &folder.id)).collect();
        assert_eq!(text(&verify.stdout).lines().collect::<Vec<_>>(), expected, "{name}");
        assert_eq!(verify.status.code(), Some(case.status), "{name}");

        let inspect = folder.run(&["inspect"]);
        assert_eq!(inspect.status.code(), Some(0), "{name}: it shows, it does not judge");
        for remark in &expected[..expected.len() - 1] {
            let remark = remark.split_once(": ").unwrap().1;
            assert!(text(&inspect.stdout).contains(&format!("  {remark}\n")), "{name}: {remark}");
        }
        let json: Value =
            serde_json::from_slice(&folder.run(&["verify", "--json"]).stdout).unwrap();
        let faults = expected.iter().filter(|line| line.contains(": fault: ")).count();
        assert_eq!(json["faults"], faults, "{name}");
        assert_eq!(json["directories"][0]["events"], case.events, "{name}");

        let cat = folder.run(&["cat"]);
        assert_eq!(text(&cat.stderr), case.cat, "{name}");
        assert_eq!(text(&cat.stdout).lines().count() as u64, case.events, "{name}");
        assert_eq!(cat.status.code(), Some(i32::from(!case.cat.is_empty())), "{name}");
    }
}

#[test]
fn a_position_that_is_none_or_of_another_journal_is_told() {
    let folder = Folder::new();
    let id = &folder.id;
    let no_position = |text: &str| {
        format!(
            "waypost: --from: \"{text}\" is no journal position, expected <directory \
             id>:<sequence> such as 0006471dcf1a2b3c:1, the first\n"
        )
    };
    let zero = format!("{id}:0");
    let past = format!("{id}:18446744073709551616");
    for wrong in ["", "7", "7:1", "x:1", ":", &zero, &past, &format!("{id}:1:2")] {
        let cat = folder.run(&["cat", "--from", wrong]);
        assert_eq!((text(&cat.stdout), text(&cat.stderr)), (String::new(), no_position(wrong)));
        assert_eq!(cat.status.code(), Some(2), "{wrong}");
    }
    let cat = folder.run(&["cat", "--from", "00000000000000aa:1"]);
    let expected =
        format!("waypost: --from: the journal has no directory 00000000000000aa, only {id}\n");
    assert_eq!((text(&cat.stderr), cat.status.code()), (expected, Some(2)));

    let cat = folder.run(&["cat", "--positions", "--from", &format!("{id}:99")]);
    let expected = format!("{id}:99\t{}\n{id}:100\t{}\n", line(99), line(100));
    assert_eq!((text(&cat.stdout), cat.status.code()), (expected, Some(0)));
    let beyond = format!("{id}:101");
    let cat = folder.run(&["cat", "--from", &beyond]);
    let expected = format!("there is no event from {beyond} on\n");
    assert_eq!((text(&cat.stderr), cat.status.code()), (expected, Some(0)));
}

#[test]
fn a_journal_that_is_not_there_is_told_and_none_is_made() {
    let folder = tempfile::tempdir().unwrap();
    for command in ["cat", "inspect", "verify"] {
        let output = Command::new(env!("CARGO_BIN_EXE_waypost"))
            .args(["journal", command, "--data"])
            .arg(folder.path())
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(2), "{command}");
        assert!(text(&output.stderr).contains("holds no journal"), "{}", text(&output.stderr));
    }
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[test]
fn looking_changes_nothing() {
    let folder = Folder::new();
    folder.change(1, |bytes| bytes[500] ^= 1);
    let state = |path: &Path| {
        let mut files: Vec<_> = fs::read_dir(path)
            .unwrap()
            .map(|entry| {
                let entry = entry.unwrap();
                let metadata = entry.metadata().unwrap();
                let mut bytes = vec![0; metadata.len() as usize];
                fs::File::open(entry.path()).unwrap().read_exact_at(&mut bytes, 0).unwrap();
                (entry.file_name(), metadata.modified().unwrap(), bytes)
            })
            .collect();
        files.sort();
        files
    };
    let before = state(&folder.directory);
    for arguments in [&["cat"][..], &["inspect"], &["verify"], &["verify", "--json"]] {
        folder.run(arguments);
    }
    assert_eq!(state(&folder.directory), before);
}
