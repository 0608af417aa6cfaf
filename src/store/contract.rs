//! The seam to what is kept.

use std::collections::BTreeMap;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use thiserror::Error;
use zeroize::Zeroizing;

use super::{Kind, Pending};
use crate::clock::Timestamp;

/// A call on its way.
pub type Working<'a, T> = Pin<Box<dyn Future<Output = Result<T, StoreError>> + Send + 'a>>;

/// What is kept, on this node or for several. Every call ends in bounded time.
pub trait Store: fmt::Debug + Send + Sync + 'static {
    /// The record of a name; `None` when there is none.
    fn get(&self, kind: Kind, name: &str) -> Working<'_, Option<Stored>>;

    /// Makes changes, each by itself: one that conflicts does not stop the others. A change is
    /// durable, with its event, when this says so. Answers in the order of `changes`, each with
    /// the new version (0 for a removal).
    fn put(&self, changes: Vec<Change>) -> Working<'_, Vec<Result<u64, PutError>>>;

    /// Takes at most `limit` records of a lane that are due at `now`, the longest due first. They are due
    /// again when `lease` has passed, unless who took them puts something else: whoever dies with
    /// a claim loses it. A claim is a new version, so a claimer that was too slow conflicts.
    fn claim(
        &self,
        kind: Kind,
        lane: Lane,
        now: Timestamp,
        lease: Duration,
        limit: usize,
    ) -> Working<'_, Vec<Stored>>;

    /// When the next record of a lane is due; `None` when none ever is.
    fn next_due(&self, kind: Kind, lane: Lane) -> Working<'_, Option<Timestamp>>;

    /// How many records of a lane are due, counted up to `limit`.
    fn due(&self, kind: Kind, lane: Lane, now: Timestamp, limit: usize) -> Working<'_, usize>;

    /// Takes from a budget, all or nothing.
    fn take(&self, budget: &str, draw: Draw, now: Timestamp) -> Working<'_, Taken>;

    /// At most `limit` records in the order of names, those behind `after`.
    fn page(&self, kind: Kind, after: &str, limit: usize) -> Working<'_, Page>;

    /// How many records there are, by state.
    fn counts(&self, kind: Kind) -> Working<'_, BTreeMap<u8, u64>>;

    /// At most `limit` events that are not settled, the oldest ids first, those behind `after`.
    fn pending(&self, after: [u8; 16], limit: usize) -> Working<'_, Vec<Pending>>;

    /// Forgets events that the journal holds.
    fn settle(&self, ids: Vec<[u8; 16]>) -> Working<'_, ()>;
}

/// A record as it was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stored {
    /// Its name.
    pub name: String,
    /// Its version: rises with every change.
    pub version: u64,
    /// What it holds.
    pub content: Content,
}

/// What a record holds.
#[derive(Clone, PartialEq, Eq)]
pub struct Content {
    /// Its bytes, whose form is the business of who put them.
    pub bytes: Zeroizing<Vec<u8>>,
    /// The state that it is counted under.
    pub state: u8,
    /// When it is due for work.
    pub due: Option<Due>,
}

/// When a record is due for work, and how urgent that is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Due {
    /// When.
    pub at: Timestamp,
    /// In which queue.
    pub lane: Lane,
}

/// The queues of what is due. A million patient records hold up no prompt one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Lane {
    /// Somebody waits for it.
    Prompt = 0,
    /// Nobody does: bulk work.
    Patient = 1,
    /// Only a question whether there is anything to do.
    Idle = 2,
}

impl fmt::Debug for Content {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The bytes may be a private key.
        f.debug_struct("Content")
            .field("bytes", &self.bytes.len())
            .field("state", &self.state)
            .field("due", &self.due)
            .finish()
    }
}

/// One change of one record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// The record's kind.
    pub kind: Kind,
    /// Its name.
    pub name: String,
    /// What it must be now.
    pub expected: Expected,
    /// What it is to hold; `None` removes it.
    pub content: Option<Content>,
    /// The event that tells of the change.
    pub event: Option<Pending>,
}

/// What a record must be for a change to happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expected {
    /// There is none.
    Absent,
    /// It has this version.
    Version(u64),
    /// It is there and damaged: this mends it.
    Damaged,
}

/// Why one change was not made.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum PutError {
    /// It is not as expected: somebody else was faster, or it is not there. Worth reading again.
    #[error("the record has changed meanwhile")]
    Conflict,
    /// The record is damaged: only [`Expected::Damaged`] changes it.
    #[error("the record is damaged")]
    Damaged,
    /// The name or the content is larger than a record may be: the caller's fault.
    #[error("the record is too large")]
    TooLarge,
}

/// What is taken from a budget that fills up evenly.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Draw {
    /// How much the budget holds when it is whole.
    pub capacity: u32,
    /// How long until one more is there.
    pub every: Duration,
    /// How much to take.
    pub amount: u32,
    /// How much must be left for others.
    pub keep: u32,
}

/// What became of a draw.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Taken {
    /// It was taken; so much is left.
    Left(u32),
    /// Not enough was there, and nothing was taken; there will be at this time.
    NotBefore(Timestamp),
}

/// Records in the order of names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Page {
    /// The records.
    pub items: Vec<Item>,
    /// Whether there are more behind the last.
    pub has_more: bool,
}

/// One record of a page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Item {
    /// As it was put.
    Record(Stored),
    /// A record that was damaged on disk, by its name.
    Damaged(String),
}

impl Item {
    /// The record's name.
    pub fn name(&self) -> &str {
        match self {
            Self::Record(stored) => &stored.name,
            Self::Damaged(name) => name,
        }
    }
}

/// Why a call failed.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum StoreError {
    /// Too many calls wait already. Nothing was done; worth a retry.
    #[error("the store is busy")]
    Busy,
    /// The store was let go of: this process ends. Nothing was done.
    #[error("the store is closed")]
    Closed,
    /// The record was damaged on disk: the operator's to mend, from an export or by a new one.
    #[error("the {} {name} is damaged in the store", kind.name())]
    Damaged {
        /// The record's kind.
        kind: Kind,
        /// Its name.
        name: String,
    },
    /// It took too long: it may have been done. Worth looking, then a retry.
    #[error("the store did not answer in time")]
    TimedOut,
    /// The store cannot be used now, such as on a full disk. Nothing was done, unless the disk
    /// failed while it synced. Worth looking, then a retry.
    #[error("the store cannot be used: {0}")]
    Unavailable(String),
}
