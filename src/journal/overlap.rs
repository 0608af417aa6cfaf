//! What a later segment repeats of an earlier one, and whether it may.

use std::collections::HashMap;

use thiserror::Error;

/// The sequences that were met so far, each where it stood first.
#[derive(Debug, Default)]
pub(super) struct Overlap {
    met: HashMap<u64, (Option<u32>, u64)>,
}

/// Why a segment is refused: it says of a sequence what an earlier one says otherwise, or what it
/// has no right to say.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[error("it repeats sequence {sequence} of segment {earlier} {why}")]
pub struct Contradiction {
    /// The sequence.
    pub sequence: u64,
    /// The earlier segment that holds it.
    pub earlier: u64,
    /// What is wrong.
    pub why: Why,
}

/// What is wrong with a repetition.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum Why {
    /// The bytes are not the same.
    #[error("with other bytes")]
    OtherBytes,
    /// The later segment does not name the earlier one, or one before it, as predecessor.
    #[error("without naming it")]
    Unnamed,
}

impl Overlap {
    /// Remembers what segment `number` holds.
    pub(super) fn meet(&mut self, sequence: u64, digest: Option<u32>, number: u64) {
        self.met.entry(sequence).or_insert((digest, number));
    }

    /// Adds what another has met, which comes after.
    pub(super) fn join(&mut self, other: Self) {
        for (sequence, met) in other.met {
            self.met.entry(sequence).or_insert(met);
        }
    }

    /// Whether a segment may hold this, which names `predecessor` (0 for none) as the first whose
    /// end it may repeat. One whose header cannot be read is taken at its bytes.
    pub(super) fn judge(
        &self,
        sequence: u64,
        digest: Option<u32>,
        predecessor: Option<u64>,
    ) -> Result<(), Contradiction> {
        let Some((before, earlier)) = self.met.get(&sequence) else { return Ok(()) };
        let is_named = predecessor.is_none_or(|named| named != 0 && named <= *earlier);
        let differs = before.zip(digest).is_some_and(|(before, now)| before != now);
        let why = match (is_named, differs) {
            (false, _) => Why::Unnamed,
            (true, true) => Why::OtherBytes,
            (true, false) => return Ok(()),
        };
        Err(Contradiction { sequence, earlier: *earlier, why })
    }

    /// Forgets what no segment can repeat any more.
    pub(super) fn forget_before(&mut self, sequence: u64) {
        self.met.retain(|met, _| *met >= sequence);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_repetition_is_accepted_when_it_names_the_earlier_segment_and_the_bytes_agree() {
        let mut overlap = Overlap::default();
        overlap.meet(5, Some(55), 3);
        overlap.meet(6, None, 3);
        for (sequence, digest, predecessor, why) in [
            (5, Some(55), Some(3), None),
            (5, Some(55), Some(1), None),
            (5, Some(55), None, None),
            (5, None, Some(3), None),
            (4, Some(44), Some(0), None),
            (6, Some(66), Some(3), None),
            (5, Some(55), Some(0), Some(Why::Unnamed)),
            (5, Some(55), Some(4), Some(Why::Unnamed)),
            (5, Some(56), Some(3), Some(Why::OtherBytes)),
            (5, Some(56), None, Some(Why::OtherBytes)),
        ] {
            let judged = overlap.judge(sequence, digest, predecessor);
            let expected = why.map(|why| Contradiction { sequence, earlier: 3, why });
            assert_eq!(judged.err(), expected, "{sequence} {digest:?} {predecessor:?}");
        }
        overlap.forget_before(6);
        assert_eq!(overlap.judge(5, Some(56), Some(0)), Ok(()));
    }

    #[test]
    fn what_stood_first_is_what_must_be_named() {
        let mut overlap = Overlap::default();
        overlap.meet(5, Some(55), 3);
        overlap.meet(5, Some(55), 4);
        assert!(overlap.judge(5, Some(55), Some(4)).is_err());
        assert!(overlap.judge(5, Some(55), Some(3)).is_ok());
    }
}
