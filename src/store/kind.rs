//! The kinds of records.

/// What a record is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum Kind {
    /// A hostname of a customer.
    Domain = 1,
    /// A certificate with its private key; secret.
    Certificate = 2,
    /// An order at a certification authority that is in progress; secret.
    Order = 3,
    /// An account at a certification authority; secret.
    Account = 4,
    /// The keys of session tickets; secret.
    TicketKeys = 5,
    /// The last result of an audit.
    Audit = 6,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Self; 6] = [
        Self::Domain,
        Self::Certificate,
        Self::Order,
        Self::Account,
        Self::TicketKeys,
        Self::Audit,
    ];

    /// Its name, in exports and traces.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Domain => "domain",
            Self::Certificate => "certificate",
            Self::Order => "order",
            Self::Account => "account",
            Self::TicketKeys => "ticket-keys",
            Self::Audit => "audit",
        }
    }

    /// The kind of a name.
    pub fn of(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }

    /// Whether the content is sealed on disk.
    pub const fn is_secret(self) -> bool {
        matches!(self, Self::Certificate | Self::Order | Self::Account | Self::TicketKeys)
    }
}
