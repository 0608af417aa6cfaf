//! Sets of sequences that are kept as runs: what is missing in a directory may be one frame or a
//! billion.

use std::collections::BTreeMap;

/// Runs of sequences, each with the segment that it belongs to.
#[derive(Debug, Default)]
pub(super) struct Missing {
    /// By the first of a run: its last, and the segment.
    runs: BTreeMap<u64, (u64, u64)>,
}

/// A run of sequences.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Run {
    pub(super) segment: u64,
    pub(super) first: u64,
    pub(super) last: u64,
}

impl Missing {
    /// Adds the sequences from `from` up to, and not with, `to`, all higher than those here.
    pub(super) fn add(&mut self, from: u64, to: u64, segment: u64) {
        if from >= to {
            return;
        }
        if let Some(mut run) = self.runs.last_entry()
            && *run.get() == (from - 1, segment)
        {
            run.get_mut().0 = to - 1;
            return;
        }
        self.runs.insert(from, (to - 1, segment));
    }

    /// Takes one sequence out; whether it was here.
    pub(super) fn remove(&mut self, sequence: u64) -> bool {
        let Some((first, (last, segment))) = self.runs.range(..=sequence).next_back() else {
            return false;
        };
        let (first, last, segment) = (*first, *last, *segment);
        if last < sequence {
            return false;
        }
        self.runs.remove(&first);
        if first < sequence {
            self.runs.insert(first, (sequence - 1, segment));
        }
        if sequence < last {
            self.runs.insert(sequence + 1, (last, segment));
        }
        true
    }

    /// The runs below a sequence, and those from it on.
    pub(super) fn split(self, at: u64) -> (Vec<Run>, Vec<Run>) {
        let (mut below, mut above) = (Vec::new(), Vec::new());
        for (first, (last, segment)) in self.runs {
            if first < at {
                below.push(Run { segment, first, last: last.min(at - 1) });
            }
            if last >= at {
                above.push(Run { segment, first: first.max(at), last });
            }
        }
        (below, above)
    }
}

impl Run {
    /// How many sequences it has.
    pub(super) fn count(&self) -> u64 {
        self.last - self.first + 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_grow_are_pierced_and_split() {
        let run = |segment, first, last| Run { segment, first, last };
        let mut missing = Missing::default();
        missing.add(5, 5, 1);
        missing.add(5, 8, 1);
        missing.add(8, 9, 1);
        missing.add(9, 20, 2);
        assert!(!missing.remove(4) && !missing.remove(20));
        assert!(missing.remove(12) && !missing.remove(12));
        assert!(missing.remove(9) && missing.remove(19));
        let (below, above) = missing.split(15);
        assert_eq!(below, [run(1, 5, 8), run(2, 10, 11), run(2, 13, 14)]);
        assert_eq!(above, [run(2, 15, 18)]);
        assert_eq!(below.iter().map(Run::count).sum::<u64>(), 8);
    }

    #[test]
    fn a_billion_missing_sequences_are_one_run() {
        let mut missing = Missing::default();
        missing.add(1, 1_000_000_000, 3);
        assert!(missing.remove(500));
        assert_eq!(missing.split(u64::MAX).0.len(), 2);
    }
}
