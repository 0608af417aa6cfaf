//! What a node must know again after a restart, and how it is kept from who reads the disk.
//!
//! # The seam
//!
//! [`Store`] speaks of what several nodes will need, not of keys and values: get, put if the
//! version is still this one, claim what is due with a lease that ends, take from a budget, walk
//! in pages. Every call is asynchronous, ends in bounded time and may fail; whatever a handshake
//! needs is held in memory too, so that a failing store stops no click. [`LocalStore`] answers it
//! from one file of this machine. `tests/store` holds any implementation to the contract.
//!
//! # In the file (redb)
//!
//! ```text
//! records  (kind, name)        → frame            see `frame`
//! due      (kind and lane, time, name) → nothing   one entry for each record that is due some time
//! counts   (kind, state)       → how many         kept as records change
//! pending  event id            → frame            events that the journal does not hold yet
//! budgets  name                → frame            when the budget is whole again
//! about    text                → number           the format
//! ```
//!
//! One thread writes: it takes all changes that wait, makes them in one transaction and syncs
//! once. Since every commit keeps redb's table of free pages, opening after a crash reads a few
//! pages and not the whole file. Nothing reads all records but a walk in pages.
//!
//! # Events
//!
//! A transition of a record and the event that tells it are one change. The event waits in
//! `pending` until the journal says that it is durable there; what is pending at start is
//! appended again, under the same id and with the same bytes. So a crash between the two files
//! neither loses an event nor makes a second one.

mod budget;
mod config;
mod contract;
mod flow;
mod frame;
mod kind;
mod local;
mod measures;
mod seal;
mod tables;
mod transfer;
mod writer;

pub use config::Config;
pub use contract::{
    Change, Content, Draw, Due, Expected, Item, Lane, Page, PutError, Store, StoreError, Stored,
    Taken, Working,
};
pub use flow::Pending;
pub use kind::Kind;
pub use local::{LocalStore, OpenError};
pub use seal::{SealError, SealKey, SealedFile};
pub use transfer::{ImportError, Imported, export, import};
