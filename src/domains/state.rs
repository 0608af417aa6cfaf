//! The states of a domain.

/// Where a domain stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum State {
    /// Known, and its CNAME was not seen yet.
    New = 1,
    /// Its CNAME leads to the target; it is admitted, and has no certificate yet.
    Pointed = 2,
    /// It has no CNAME, and the target's own addresses: admitted as if it had.
    Flattened = 3,
    /// A certificate has been ordered.
    Issuing = 4,
    /// A certificate is held, and the name leads to us.
    Active = 5,
    /// It led to us, and does not any more: nothing is renewed, links go on.
    Detached = 6,
    /// It leads somewhere else, in a circle, or nowhere.
    Misdirected = 7,
    /// The servers of its zone disagree.
    Split = 8,
    /// It leads to us, and may not be certified: CAA, or a guard of ours.
    Blocked = 9,
    /// An order failed; it is tried again.
    Failing = 10,
    /// It was removed; nobody else may claim it for a while.
    Removed = 11,
}

impl State {
    /// Every state.
    pub const ALL: [Self; 11] = [
        Self::New,
        Self::Pointed,
        Self::Flattened,
        Self::Issuing,
        Self::Active,
        Self::Detached,
        Self::Misdirected,
        Self::Split,
        Self::Blocked,
        Self::Failing,
        Self::Removed,
    ];

    /// Its name, in JSON, events and metrics.
    pub const fn name(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Pointed => "pointed",
            Self::Flattened => "flattened",
            Self::Issuing => "issuing",
            Self::Active => "active",
            Self::Detached => "detached",
            Self::Misdirected => "misdirected",
            Self::Split => "split",
            Self::Blocked => "blocked",
            Self::Failing => "failing",
            Self::Removed => "removed",
        }
    }

    /// The state of a number, as the store counts it.
    pub fn of(number: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|state| *state as u8 == number)
    }

    /// The state of a name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.name() == name)
    }

    /// Whether the name has led to us: then one answer without the CNAME changes nothing.
    pub const fn is_established(self) -> bool {
        matches!(
            self,
            Self::Pointed | Self::Flattened | Self::Issuing | Self::Active | Self::Failing
        )
    }

    /// Whether the name is let in without asking anybody.
    pub const fn is_admitted(self) -> bool {
        self.is_established() || matches!(self, Self::Detached)
    }
}
