//! How many domains have a finding, by rule and severity: pure.
//!
//! A round counts all domains anew, in the order of names; domains that change meanwhile count by
//! what they changed to, those behind the round's place once it comes there. So the counts are right
//! as soon as the first round is through, and whatever they miss is mended by the next one.

use std::collections::{BTreeMap, BTreeSet};

use crate::audit::Mark;

/// The counts.
#[derive(Clone, Debug, Default)]
pub(super) struct Tally {
    counts: BTreeMap<Mark, i64>,
    /// What the round has counted so far, and up to which name.
    round: BTreeMap<Mark, i64>,
    place: String,
    /// Whether a round was through.
    is_whole: bool,
}

impl Tally {
    /// A domain changed.
    pub(super) fn changed(&mut self, name: &str, before: &BTreeSet<Mark>, now: &BTreeSet<Mark>) {
        let (went, came) = (before.difference(now), now.difference(before));
        for (mark, by) in went.map(|mark| (mark, -1)).chain(came.map(|mark| (mark, 1))) {
            *self.counts.entry(*mark).or_default() += by;
            if name <= self.place.as_str() {
                *self.round.entry(*mark).or_default() += by;
            }
        }
    }

    /// The round has come to a domain.
    pub(super) fn passed(&mut self, name: &str, marks: &BTreeSet<Mark>) {
        name.clone_into(&mut self.place);
        for mark in marks {
            *self.round.entry(*mark).or_default() += 1;
        }
    }

    /// Where the round is.
    pub(super) fn place(&self) -> &str {
        &self.place
    }

    /// The round has come to the end, and the next one begins.
    pub(super) fn through(&mut self) {
        // Rules that nobody has any more are told as 0 once, and not forgotten.
        let mut whole: BTreeMap<Mark, i64> = self.counts.keys().map(|mark| (*mark, 0)).collect();
        whole.append(&mut self.round);
        self.counts = whole;
        self.place.clear();
        self.is_whole = true;
    }

    /// The counts; none before the first round is through.
    pub(super) fn counts(&self) -> impl Iterator<Item = (Mark, i64)> {
        let counts = self.is_whole.then_some(&self.counts);
        counts.into_iter().flatten().map(|(mark, count)| (*mark, *count))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::audit::{Severity, rules};

    fn marks(bits: u8) -> BTreeSet<Mark> {
        let some = rules().take(5).enumerate().filter(|(at, _)| bits & (1 << at) != 0);
        some.map(|(_, rule)| Mark { rule: rule.id, severity: Severity::Weak }).collect()
    }

    fn name(number: u8) -> String {
        format!("d{:02}", number % 20)
    }

    #[derive(Clone, Debug)]
    enum Act {
        /// A domain becomes this, nothing when it goes.
        Change(u8, u8),
        /// The round passes so many domains.
        Pass(usize),
    }

    fn act() -> impl Strategy<Value = Act> {
        prop_oneof![
            (any::<u8>(), any::<u8>()).prop_map(|(name, bits)| Act::Change(name, bits)),
            (1_usize..6).prop_map(Act::Pass),
        ]
    }

    proptest! {
        #[test]
        fn after_a_round_the_counts_are_those_of_all_domains(
            acts in prop::collection::vec(act(), 1..120)
        ) {
            let mut all: BTreeMap<String, BTreeSet<Mark>> = BTreeMap::new();
            let mut tally = Tally::default();
            // A domain that nobody told the tally of.
            all.insert("d07".to_owned(), marks(3));
            let mut is_through = false;
            for act in acts {
                match act {
                    Act::Change(number, bits) => {
                        let before = all.remove(&name(number)).unwrap_or_default();
                        let now = marks(bits);
                        tally.changed(&name(number), &before, &now);
                        if !now.is_empty() {
                            all.insert(name(number), now);
                        }
                    }
                    Act::Pass(count) => {
                        let place = tally.place().to_owned();
                        let behind = all.iter().filter(|(name, _)| **name > place);
                        let page: Vec<_> = behind.take(count).collect();
                        let is_end = page.len() < count;
                        for (name, marks) in page {
                            tally.passed(name, marks);
                        }
                        if is_end {
                            tally.through();
                            is_through = true;
                        }
                    }
                }
                let mut truth: BTreeMap<Mark, i64> = BTreeMap::new();
                for mark in all.values().flatten() {
                    *truth.entry(*mark).or_default() += 1;
                }
                let told: BTreeMap<_, _> =
                    tally.counts().filter(|(_, count)| *count != 0).collect();
                prop_assert_eq!(told, if is_through { truth } else { BTreeMap::new() });
            }
        }
    }
}
