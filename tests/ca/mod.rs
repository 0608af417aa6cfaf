//! Certification authorities for tests: a real one behind a door that counts and stops, and one
//! that misbehaves.
//!
//! [`Pebble`] is Let's Encrypt's test authority as a process. It stands still for good when orders
//! and authorizations are asked for at the same time, so a [`Door`] in front of it lets those in
//! one after the other, counts all requests, and can hold one up. [`CruelCa`] lives in this process
//! and behaves as each [`Manner`] says.

#![allow(dead_code, unused_imports, reason = "each test uses the part it needs")]
#![allow(clippy::disallowed_methods, reason = "a test reads clocks and files and starts processes")]
#![allow(clippy::unwrap_used, reason = "a test may panic")]
#![allow(unreachable_pub, reason = "a module of tests")]

mod cruel;
mod door;
mod pebble;
mod signing;
mod wire;

pub use cruel::{CruelCa, Manner};
pub use door::{Door, Passed, Side};
pub use pebble::{Faults, Pebble, PebbleSetup};
pub use signing::{Leaf, Signing};
pub use wire::{Identity, listen};
