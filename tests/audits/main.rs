//! Audits that nobody asks for, over a whole node.

#![allow(clippy::disallowed_methods, reason = "a test starts processes and reads clocks and files")]
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod browser;
#[path = "../chromium/mod.rs"]
mod chromium;
#[path = "../customers/mod.rs"]
mod customers;
#[path = "../dns/mod.rs"]
mod dns;
mod fetching;
mod front;
mod house;
mod lasting;
#[path = "../node/mod.rs"]
mod node;
mod page;
mod remembered;
mod schedule;
#[path = "../schema/mod.rs"]
mod schema;
mod start;
#[path = "../strace/mod.rs"]
mod strace;
#[path = "../unbound/mod.rs"]
mod unbound;
