//! What a domain's audits come to, in one of six words.

use super::mark::severity;
use super::{Kept, Severity};

/// The state that a record of audits is counted under in the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum Standing {
    /// Never audited.
    Waiting = 1,
    /// Nothing was found.
    Clean = 2,
    /// By the worst finding.
    Note = 3,
    /// By the worst finding.
    Weak = 4,
    /// DNS never answered for some of it, and nothing worse is known.
    Unknown = 5,
    /// By the worst finding.
    Error = 6,
}

impl Standing {
    /// Every standing.
    pub const ALL: [Self; 6] =
        [Self::Waiting, Self::Clean, Self::Note, Self::Weak, Self::Unknown, Self::Error];

    /// That of a result.
    pub fn of(kept: &Kept) -> Self {
        match severity(kept.status()) {
            None => Self::Clean,
            Some(Severity::Note) => Self::Note,
            Some(Severity::Weak) => Self::Weak,
            Some(Severity::Unknown) => Self::Unknown,
            Some(Severity::Error) => Self::Error,
        }
    }

    /// Its word, in metrics.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Clean => "clean",
            Self::Note => "note",
            Self::Weak => "weak",
            Self::Unknown => "unknown",
            Self::Error => "error",
        }
    }
}
