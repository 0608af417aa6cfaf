//! One rule, and the list of all.

use super::super::Who;
use super::{bimi, caa, dkim, dmarc, spf};

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

impl PartialEq for Rule {
    fn eq(&self, other: &Self) -> bool {
        self.id == other.id
    }
}

impl Eq for Rule {}

/// Every rule, in the order of ids.
pub fn rules() -> impl Iterator<Item = &'static Rule> {
    [spf::ALL, dkim::ALL, dmarc::ALL, bimi::ALL, caa::ALL].into_iter().flatten().copied()
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
