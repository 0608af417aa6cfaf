//! A whole node as a process, a client that speaks to it, and the judge of what it recorded.
//!
//! [`Node`] starts and kills the process, [`Dev`] that of `waypost dev`; [`Client`] asks it as a browser would and [`Raw`] as
//! nobody should; [`Traffic`] sends the [`Click`]s of a [`Mailing`], through kills and restarts;
//! [`Judge`] compares what was asked with what the journal holds and the traces tell.
//! Every value cleans up after itself.

#![allow(dead_code, unused_imports, reason = "each test uses the part it needs")]
#![allow(clippy::disallowed_methods, reason = "a test reads clocks and files and starts processes")]
#![allow(clippy::unwrap_used, reason = "a test may panic")]
#![allow(unreachable_pub, reason = "a module of tests")]

mod account;
mod authority;
mod click;
mod client;
mod cruel;
mod dev;
mod exchange;
mod hanging;
mod health;
mod judge;
mod line;
mod mailing;
mod process;
mod product;
mod random;
mod raw;
mod requests;
mod rows;
mod speed;
mod traces;
mod traffic;
mod turns;
mod verdict;
mod wire;

pub use authority::{Authority, CertificateFiles};
pub use click::{Click, Kind, Link, Protocol, Visit};
pub use client::{Answer, Client, Session, path_of};
pub use cruel::{
    AnswersEarly, Buffered, CruelDisk, Cruelty, FailsOnce, Hangs, NamesLast, RepeatsSync, SkipsSync,
};
pub use dev::{Dev, Ran, WAYPOST, folder};
pub use exchange::Exchange;
pub use hanging::HangingDisk;
pub use health::{Counted, Health, Ready};
pub use judge::{Hearing, Judge};
pub use line::{Line, Reply};
pub use mailing::Mailing;
pub use process::{NAME, Node, Program, Setup, get, is_long, peak_memory, poll};
pub use product::{Mint, each_recorded, serve_in, serve_on};
pub use random::Random;
pub use raw::Raw;
pub use rows::{check_answer, row};
pub use speed::Speed;
pub use traces::Exceptions;
pub use traffic::{Address, Handshake, Pattern, Traffic};
pub use verdict::Verdict;
