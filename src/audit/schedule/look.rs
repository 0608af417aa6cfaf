//! From a section that held and one that is seen to what becomes of it: pure.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::audit::mark::topic;
use crate::audit::{Mark, Silence, silence};

/// What a look at a section comes to beside what held.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Look {
    /// What was seen holds, and there is nothing to tell.
    Same(Value),
    /// Nothing was seen: what held holds.
    Silent(Value),
    /// It was seen otherwise for the first time.
    Doubtful { had: Value, seen: Value },
    /// It was seen otherwise twice.
    Changed { section: Value, came: Vec<&'static str>, gone: Vec<&'static str> },
}

impl Look {
    /// Compares what is seen with what held, and with a doubt about it.
    pub(super) fn of(had: Option<&Value>, doubted: Option<&Value>, seen: &Value) -> Self {
        // A section's first result is a snapshot too.
        let known = had.map(|had| (had, Silence::of(had)));
        let Some((had, unknown)) = known.filter(|(_, silence)| !silence.is_whole()) else {
            return Self::Same(seen.clone());
        };
        if Silence::of(seen).is_whole() {
            return Self::Silent(had.clone());
        }
        let section = silence::settled(seen, had);
        // And so is that of a rule.
        let marks = |section: &Value| -> BTreeSet<Mark> {
            let marks = Mark::of_section(section).into_iter();
            marks.filter(|mark| !unknown.covers(mark.rule)).collect()
        };
        let (before, now) = (marks(had), marks(&section));
        if before == now {
            Self::Same(section)
        } else if doubted.is_some_and(|doubted| marks(doubted) == now) {
            let rules = |one: &BTreeSet<Mark>, other| -> Vec<_> {
                one.difference(other).map(|mark| mark.rule).collect()
            };
            Self::Changed { section, came: rules(&now, &before), gone: rules(&before, &now) }
        } else {
            Self::Doubtful { had: had.clone(), seen: section }
        }
    }

    /// The same at a section that was judged by other rules: what was seen holds at once. One that
    /// was not seen waits among the older ones.
    pub(super) fn untold(self, older: &mut Vec<String>) -> Self {
        match self {
            Self::Silent(had) => {
                older.push(topic(&had).to_owned());
                Self::Silent(had)
            }
            Self::Same(section)
            | Self::Changed { section, .. }
            | Self::Doubtful { seen: section, .. } => Self::Same(section),
        }
    }
}
