//! The journal against a model with reopening as an operation, against a disk that loses, keeps
//! or tears every write that was not synced, and against files that are damaged, copied, of
//! another version, or contradict each other.
//!
//! ```text
//! model       appends, kills, cuts, failures, hangs and second processes, against a list
//! power       the power is cut at every point
//! damage      bytes that are cut off, flipped, zeroed, unreadable
//! strange     segments that are not ours
//! overlap     what a later segment repeats, rightly or not
//! adoption    directories of processes that are gone
//! retention   what is deleted, and what never is
//! outside     readers beside a writer
//! told        what `waypost journal` says
//! ```

#![allow(clippy::disallowed_methods, reason = "a test reads clocks and files")]
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod adoption;
#[path = "../simulation/clock.rs"]
mod clock;
mod damage;
#[path = "../disk/mod.rs"]
mod disk;
mod hand;
mod layout;
mod model;
mod outside;
mod overlap;
mod power;
mod process;
mod retention;
mod strange;
mod told;
