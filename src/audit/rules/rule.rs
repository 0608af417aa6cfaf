//! One rule, and the list of all.

use super::super::Who;
use super::{bimi, dkim, dmarc, extras, spf, tracking};

/// One rule of the audit.
#[derive(Debug)]
pub struct Rule {
    /// Its id, which never changes its meaning.
    pub id: &'static str,
    /// What it asks of a record.
    pub asks: &'static str,
    /// The text that it comes from.
    pub source: &'static str,
    /// Why it matters, in one sentence.
    pub why: &'static str,
    /// Who can act on it.
    pub who: Who,
}

impl Rule {
    /// Whether an error of it stops what the platform does for a domain, rather than something
    /// beside it such as reports and logos.
    pub fn gates(&self) -> bool {
        GATING.contains(&self.id)
    }
}

/// What mail is refused or not believed for, and what keeps links from working.
const GATING: &[&str] = &[
    "S01", "S02", "S04", "S05", "S06", "S07", "S09", "S10", "S11", "S12", "S17", "S19", "S22",
    "S23", "I02", "K01", "K02", "K03", "K04", "K05", "K06", "K07", "K08", "K09", "K10", "K13",
    "D01", "D02", "D03", "D04", "D15", "D16", "T01", "T02", "T03", "T04", "T05", "T06", "X06",
];

impl PartialEq for Rule {
    fn eq(&self, other: &Self) -> bool {
        self.id == other.id
    }
}

impl Eq for Rule {}

/// Every rule, in the order of ids.
pub fn rules() -> impl Iterator<Item = &'static Rule> {
    [spf::ALL, dkim::ALL, dmarc::ALL, bimi::ALL, tracking::ALL, extras::ALL]
        .into_iter()
        .flatten()
        .copied()
}

/// Writes a table of rules: id, what it asks, where that stands, why it matters.
macro_rules! rules {
    ($($id:ident: $asks:literal, $source:literal, $why:literal;)+) => {
        $(
            pub(crate) static $id: $crate::audit::Rule = $crate::audit::Rule {
                id: stringify!($id),
                asks: $asks,
                source: $source,
                why: $why,
                who: $crate::audit::Who::Customer,
            };
        )+
        pub(super) const ALL: &[&$crate::audit::Rule] = &[$(&$id),+];
    };
}
