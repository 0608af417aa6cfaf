//! The journal behaves as a list for each directory, whatever happens to its processes and its
//! disk.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use crate::disk::{CrashDisk, Failure, Lies, fates};
use crate::process::{Process, config, contents, faults};

#[derive(Clone, Debug)]
enum Operation {
    Append(Vec<usize>),
    Kill,
    PowerCut(u64),
    /// While frames are appended.
    Fail(Failure),
    /// A sync hangs, and comes back or not before the process is killed.
    Hang {
        comes_back: bool,
    },
    Close,
    /// Another process starts, appends and ends, beside this one.
    Second(Vec<usize>),
}

fn operation() -> impl Strategy<Value = Operation> {
    let lengths = || prop::collection::vec(0usize..900, 1..12);
    prop_oneof![
        8 => lengths().prop_map(Operation::Append),
        2 => Just(Operation::Kill),
        2 => any::<u64>().prop_map(Operation::PowerCut),
        1 => Just(Operation::Fail(Failure::Sync)),
        1 => Just(Operation::Fail(Failure::Write)),
        1 => Just(Operation::Fail(Failure::Create)),
        1 => Just(Operation::Fail(Failure::SyncDirectory)),
        1 => any::<bool>().prop_map(|comes_back| Operation::Hang { comes_back }),
        1 => Just(Operation::Close),
        1 => lengths().prop_map(Operation::Second),
    ]
}

type Model = BTreeMap<(waypost::journal::DirectoryId, u64), Vec<u8>>;

fn append(process: &Process, lengths: &[usize], model: &mut Model) {
    append_while(process, lengths, model, || {});
}

/// Appends, does `then`, and waits until all of it is durable.
fn append_while(process: &Process, lengths: &[usize], model: &mut Model, then: impl FnOnce()) {
    let bodies: Vec<_> = lengths.iter().map(|length| vec![*length as u8; *length]).collect();
    let sequences = process.append(&bodies);
    then();
    process.wait_for(*sequences.last().unwrap());
    let directory = process.journal.directory();
    let places = sequences.into_iter().map(|sequence| (directory, sequence));
    model.extend(places.zip(bodies));
}

/// Everything on the disk, and what the process reads of its own, is what the model says.
fn compare(
    disk: &CrashDisk,
    process: &Process,
    model: &Model,
    ambiguous: &BTreeSet<(waypost::journal::DirectoryId, u64)>,
) -> Result<(), TestCaseError> {
    let mut found = contents(disk);
    found.retain(|place, _| !ambiguous.contains(place));
    prop_assert!(found == *model, "{:?}, not {:?}", found.keys(), model.keys());
    let directory = process.journal.directory();
    let mut own = process.journal.reader(1);
    let mut count = 0;
    while let Some(stored) = own.read().unwrap() {
        prop_assert_eq!(&model[&(directory, stored.sequence)], stored.frame.body);
        count += 1;
    }
    prop_assert_eq!(count, model.keys().filter(|(id, _)| *id == directory).count());
    prop_assert_eq!(own.skipped(), 0);
    prop_assert_eq!(faults(disk), vec![]);
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, ..ProptestConfig::default() })]

    #[test]
    fn the_journal_behaves_as_a_list_that_survives_everything(
        // A frame and a little, less than a block, a few blocks, many.
        segment in prop::sample::select(vec![1_500, 4_096, 9_000, 40_960]),
        operations in prop::collection::vec(operation(), 1..24),
    ) {
        let config = config(segment);
        let mut disk = CrashDisk::new(Lies::default());
        let mut process = Process::start(&disk, &config);
        let mut model = Model::new();
        let mut ambiguous = BTreeSet::new();
        for operation in operations {
            match operation {
                Operation::Append(lengths) => append(&process, &lengths, &mut model),
                Operation::Kill => {
                    let after = disk.after_kill();
                    process.end();
                    disk = after;
                    process = Process::start(&disk, &config);
                }
                Operation::PowerCut(seed) => {
                    let after = disk.after_power_cut(fates(seed));
                    process.end();
                    disk = after;
                    process = Process::start(&disk, &config);
                }
                Operation::Fail(failure) => {
                    disk.fail(Some(failure));
                    append_while(&process, &[390; 3], &mut model, || disk.fail(None));
                }
                Operation::Hang { comes_back } => {
                    disk.hang(true);
                    let place = (process.journal.directory(), process.append(&[vec![9; 90]])[0]);
                    disk.wait_for_hang();
                    prop_assert_eq!(process.journal.durable(), place.1, "nothing is durable");
                    if comes_back {
                        disk.hang(false);
                        process.wait_for(place.1);
                        model.insert(place, vec![9; 90]);
                    } else {
                        let after = disk.after_kill();
                        disk.hang(false);
                        process.end();
                        disk = after;
                        process = Process::start(&disk, &config);
                        // It was written, and nobody said anything of it. In a directory that
                        // is recovered it is there for ever, or never.
                        if process.journal.directory() != place.0 {
                            ambiguous.insert(place);
                        } else if contents(&disk).contains_key(&place) {
                            model.insert(place, vec![9; 90]);
                        }
                    }
                }
                Operation::Close => {
                    process.end();
                    disk = disk.after_kill();
                    process = Process::start(&disk, &config);
                }
                Operation::Second(lengths) => {
                    let second = Process::start(&disk.process(), &config);
                    prop_assert_ne!(second.journal.directory(), process.journal.directory());
                    append(&second, &lengths, &mut model);
                    second.end();
                }
            }
            compare(&disk, &process, &model, &ambiguous)?;
        }
        process.end();
    }
}
