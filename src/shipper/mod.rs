//! The shipper: brings what the journal holds to Kafka, at least once, whatever fails.
//!
//! ```text
//! journal::Reader ─→ Frame ─record→ kafka::Session ─report→ window ─settled prefix→ cursor ─→ trim
//! ```
//!
//! Two cores are pure: the [`window`] keeps an account of every frame between the cursor and the
//! frame read last, the [`courier`] decides what to do next. The [`driver`] is one thread around
//! them. What Kafka will never take goes into a file of [dead letters](dead). [`Direct`] is promise
//! P3's second path: single events, past a journal that does not take them in time.
//!
//! # What it promises
//!
//! - A frame is settled only when every in-sync replica of its partition has it, or when it lies,
//!   synced, among the dead letters. The cursor never passes a frame that is not settled, and the
//!   journal deletes nothing above the cursor.
//! - Copies are byte-identical, and number at most what was under way, plus what was acknowledged
//!   since the cursor was last put on disk, plus what took the second path.
//! - Frames of one key keep their order within one directory and one session.
//! - What is under way is bounded in bytes. Kafka being slow or away is nothing but lag.
//!
//! Directories are brought one after the other, those of processes that are gone first, oldest
//! first; such a one is deleted when all of it is settled.

mod config;
mod courier;
pub mod dead;
mod direct;
mod directory;
mod driver;
mod health;
mod measures;
mod record;
mod replay;
mod reports;
mod shipping;
#[cfg(test)]
mod tests;
mod window;

pub use config::{Config, Start};
pub use direct::{Acknowledged, Direct, Lane, Standing};
pub use replay::{Replay, ReplayError, Replayed};
pub use shipping::{Shipper, Shipping, StartError};
