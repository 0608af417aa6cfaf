//! How much an evaluation may ask (RFC 7208 §4.6.4).

/// Terms that cause lookups: one more is a permerror.
pub(super) const LOOKUPS: usize = 10;

/// Terms that ask for something that does not exist: one more is a permerror.
pub(super) const VOIDS: usize = 2;

/// Addresses that one `mx` or `ptr` term, or one macro p, may look up.
pub(super) const ADDRESSES: usize = 10;

/// The longest explanation that is resolved, in bytes: it has to fit the lines of an SMTP answer.
pub(super) const EXPLANATION: usize = 4_096;

/// The steps of an evaluation that are kept to be told.
pub(super) const STEPS: usize = 1_000;

/// The lookups up to which a survey goes on, to say what else is wrong behind the tenth.
pub(super) const FOLLOWED: usize = 20;
