//! Promises P1 to P3 while the disk under a whole node loses power, is full, fails or hangs.
//!
//! Each row sends clicks while the fault lasts and judges what was recorded. What a row claims to
//! see is proven by its control: the same row over a disk that lies, run in a process of its own,
//! must report loss. Rows that need root say SKIPPED without it.

#![allow(clippy::disallowed_methods, reason = "a test reads clocks and files and starts processes")]
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod full;
mod hang;
mod mount;
#[path = "../node/mod.rs"]
mod node;
mod power;
mod restart;
mod row;
mod sync;
mod unopened;
