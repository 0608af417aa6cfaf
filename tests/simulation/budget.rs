//! What may go wrong in one run.

use crate::random::Random;

/// One thing that goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Fault {
    /// The next sync of a file fails.
    Sync,
    /// The next write fails after a part of its bytes.
    Write,
    /// The next making of a file fails.
    Create,
    /// The next sync of a directory fails.
    SyncDirectory,
    /// The writer's call of the disk hangs for a while.
    HangWriter,
    /// The keeper's does.
    HangKeeper,
    /// The disk is full for a while.
    Fill,
    /// A process is killed.
    Kill,
    /// The power is cut, between two turns.
    CutPower,
    /// The power fails in the middle of a turn.
    Fuse,
    /// A process ends in order.
    Close,
    /// A second process starts beside the first.
    Second,
    /// The wall clock jumps.
    Jump,
}

/// How often each may still happen.
#[derive(Clone, Debug)]
pub(crate) struct Budget(Vec<(Fault, usize)>);

impl Budget {
    /// Draws a budget. Each kind is left out of many runs, so that each is also seen without the
    /// others.
    pub(crate) fn draw(random: &mut Random, has_power_cuts: bool) -> Self {
        let mut faults = Vec::new();
        for (fault, most) in MOST {
            let is_cut = matches!(fault, Fault::CutPower | Fault::Fuse);
            if random.below(2) == 0 && (has_power_cuts || !is_cut) {
                faults.push((fault, 1 + random.below(most)));
            }
        }
        Self(faults)
    }

    /// Spends one fault, if any is left.
    pub(crate) fn spend(&mut self, random: &mut Random) -> Option<Fault> {
        if self.0.is_empty() {
            return None;
        }
        let at = random.below(self.0.len());
        let (fault, left) = &mut self.0[at];
        let fault = *fault;
        *left -= 1;
        if *left == 0 {
            self.0.swap_remove(at);
        }
        Some(fault)
    }
}

const MOST: [(Fault, usize); 13] = [
    (Fault::Sync, 4),
    (Fault::Write, 3),
    (Fault::Create, 3),
    (Fault::SyncDirectory, 3),
    (Fault::HangWriter, 3),
    (Fault::HangKeeper, 2),
    (Fault::Fill, 2),
    (Fault::Kill, 3),
    (Fault::CutPower, 3),
    (Fault::Fuse, 3),
    (Fault::Close, 2),
    (Fault::Second, 2),
    (Fault::Jump, 3),
];
