//! A whole node as a process, a client that speaks to it, and the judge of what it recorded.
//!
//! [`Node`] starts and kills the process, [`Dev`] the one of `waypost dev`; [`Client`] asks it as a
//! browser would and [`Raw`] as nobody should; [`traffic`] sends [`Click`]s through kills and restarts; [`Judge`] compares what
//! was asked with what the journal holds. Every value cleans up after itself.

#![allow(dead_code, unused_imports, reason = "each test uses the part it needs")]
#![allow(clippy::disallowed_methods, reason = "a test reads clocks and files and starts processes")]
#![allow(clippy::unwrap_used, reason = "a test may panic")]
#![allow(unreachable_pub, reason = "a module of tests")]

mod authority;
mod click;
mod client;
mod dev;
mod exchange;
mod hanging;
mod judge;
mod lying;
mod process;
mod product;
mod random;
mod raw;
mod rows;
pub mod traffic;

pub use authority::{Authority, CertificateFiles};
pub use click::{Click, Kind, Link, Protocol, Visit};
pub use client::{Answer, Client, Session};
pub use dev::{Dev, Ran, WAYPOST, folder};
pub use exchange::Exchange;
pub use hanging::HangingDisk;
pub use judge::{Judge, Verdict};
pub use lying::LyingDisk;
pub use process::{NAME, Node, Program, Setup, peak_memory};
pub use product::{Mint, serve_on};
pub use random::Random;
pub use raw::Raw;
pub use rows::{check_answer, row};
