//! Power cuts: what was acknowledged is on stable storage, names and all.
//!
//! The node's file system lies in an image on a second file system, which lies in an image too.
//! What the node writes past the system's memory reaches the second one's memory, which plays the
//! part of a disk's volatile cache: only a sync takes it from there into the outer image. So a
//! copy of the outer image, taken while the node is stopped, holds what had been synced and
//! nothing else. The copy counts only if the device under it saw no write meanwhile.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tempfile::TempDir;
use waypost::clock::{Clock, SystemClock};

use crate::mount::{Mount, folder, run, skipped, text};
use crate::node::{
    CruelDisk, NamesLast, Node, Pattern, Program, Random, Setup, SkipsSync, Verdict, is_long,
    serve_on,
};
use crate::row::{HOST, Row};

#[test]
fn what_was_acknowledged_survives_every_power_cut() {
    let rounds = if is_long() { LONG_ROUNDS } else { 1 };
    for _ in 0..rounds {
        survives(Program::Product, CUTS);
    }
}

/// A file system promises a new name only once its directory is synced. ext4 does more than it
/// promises, so this disk does not.
#[test]
fn a_segment_that_has_its_name_last_survives_every_power_cut() {
    survives(Program::Own("power::node_whose_names_come_last"), CUTS / 4);
}

/// The control: a check that cannot see loss proves nothing.
#[test]
fn a_disk_that_skips_syncs_is_found_out() {
    is_found_out(Program::Own("power::node_that_skips_syncs"));
}

/// The control of names: the same disk, and the sync of the directory is skipped.
#[test]
fn a_disk_that_skips_the_sync_of_a_directory_is_found_out() {
    is_found_out(Program::Own("power::node_that_skips_syncs_of_directories"));
}

fn survives(program: Program, count: usize) {
    let Some(Cuts { verdicts, uncut }) = through_cuts(program, count, |_| false) else { return };
    assert_eq!(verdicts.len(), count);
    for verdict in &verdicts {
        assert_eq!((verdict.missing, verdict.spurious), (0, 0), "{verdict}");
    }
    assert!(verdicts[count - 1].acknowledged > 100, "{}", verdicts[count - 1]);
    assert!(uncut.is_exact(), "{uncut}");
}

fn is_found_out(program: Program) {
    let found = |verdict: &Verdict| verdict.missing > 0;
    let Some(Cuts { verdicts, .. }) = through_cuts(program, CUTS, found) else { return };
    let last = &verdicts[verdicts.len() - 1];
    assert!(last.missing > 0, "{last}");
    assert_eq!(last.spurious, 0, "{last}");
}

#[test]
#[ignore = "the process of a_disk_that_skips_syncs_is_found_out"]
fn node_that_skips_syncs() {
    serve_on(Arc::new(CruelDisk::new(&journal(), SkipsSync)), &Setup::configuration());
}

#[test]
#[ignore = "the process of a_segment_that_has_its_name_last_survives_every_power_cut"]
fn node_whose_names_come_last() {
    let disk = CruelDisk::new(&journal(), NamesLast { skips: false });
    serve_on(Arc::new(disk), &Setup::configuration());
}

#[test]
#[ignore = "the process of a_disk_that_skips_the_sync_of_a_directory_is_found_out"]
fn node_that_skips_syncs_of_directories() {
    let disk = CruelDisk::new(&journal(), NamesLast { skips: true });
    serve_on(Arc::new(disk), &Setup::configuration());
}

fn journal() -> PathBuf {
    Setup::configuration().with_file_name("data").join("journal")
}

/// What came of power cuts.
struct Cuts {
    /// What each left.
    verdicts: Vec<Verdict>,
    /// What the node left itself, which never lost power.
    uncut: Verdict,
}

/// Cuts the power of a node under load `count` times, or until one cut is `enough`, and judges
/// what each left. `None` without root.
fn through_cuts(program: Program, count: usize, enough: impl Fn(&Verdict) -> bool) -> Option<Cuts> {
    if skipped().is_some() {
        return None;
    }
    let machine = Machine::new();
    // The longest wait, so that no answer is given up on as late.
    let journal = "segment = \"1MiB\"\nretention_size = \"1GiB\"\nanswer_within = \"1900ms\"";
    let within = Some(machine.disk.point().to_owned());
    let journal = journal.to_owned();
    let mut node = Node::start(&Setup { within, journal, program, ..Setup::of(&[HOST]) });
    let row = Row::start(&node, Pattern { rate: Some(1_000.0), ..Pattern::default() });
    let mut random = Random::by_chance();
    let mut verdicts = Vec::new();
    while verdicts.len() < count {
        row.go_on(Duration::from_micros(20_000 + random.below(150_000) as u64));
        let verdict = machine.cut(&node, &row);
        println!("cut {}: {verdict}", verdicts.len() + 1);
        let is_enough = enough(&verdict);
        verdicts.push(verdict);
        if is_enough {
            break;
        }
    }
    let outcome = row.end(&mut node);
    drop(node);
    Some(Cuts { verdicts, uncut: outcome.verdict })
}

/// A disk with a volatile cache.
struct Machine {
    /// Where the node lives. Unmounted first.
    disk: Mount,
    /// The cache's stable side.
    stable: Mount,
    folder: TempDir,
}

impl Machine {
    fn new() -> Self {
        let folder = folder();
        let stable = Mount::ext4(&folder.path().join(IMAGE), 512, &[]);
        let disk = Mount::ext4(&stable.point().join(IMAGE), 384, &[]);
        Self { disk, stable, folder }
    }

    /// What the machine would find had it lost power now, once a node has recovered there.
    fn cut(&self, node: &Node, row: &Row) -> Verdict {
        let copy = self.folder.path().join("copy");
        node.stop();
        let until = SystemClock.wall();
        self.copy(&copy);
        node.resume();
        let stable = Mount::image(&copy);
        let disk = Mount::image(&stable.point().join(IMAGE));
        let mut revived = node.revive(self.disk.point(), disk.point());
        assert!(revived.terminate().success(), "{}", revived.told());
        let judge = row.traffic.judge();
        let mut hearing = judge.hearing_until(until);
        revived.each_event(|event| hearing.hear(event));
        let verdict = hearing.verdict(&node.exceptions());
        drop((judge, revived, disk, stable));
        fs::remove_file(&copy).unwrap();
        verdict
    }

    fn copy(&self, to: &Path) {
        let image = self.folder.path().join(IMAGE);
        for _ in 0..ATTEMPTS {
            let before = self.stable.writes();
            run("cp", &["--sparse=always", text(&image), text(to)]);
            if self.stable.writes() == before && before.1 == "0" {
                return;
            }
        }
        panic!("the disk does not come to rest");
    }
}

const IMAGE: &str = "image";
const CUTS: usize = 20;
const LONG_ROUNDS: usize = 10;
const ATTEMPTS: usize = 100;
