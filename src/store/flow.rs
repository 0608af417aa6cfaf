//! Events on their way to the journal.

use crate::clock::Timestamp;

/// An event that a change causes, kept until the journal holds it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pending {
    /// Its id, unique for ever.
    pub id: [u8; 16],
    /// Which of the journal's streams it belongs to.
    pub stream: u8,
    /// The time of what it tells.
    pub time: Timestamp,
    /// What its order is kept by.
    pub key: Vec<u8>,
    /// Its bytes.
    pub body: Vec<u8>,
}
