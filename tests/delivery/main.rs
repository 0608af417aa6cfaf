//! Events reach Kafka, at least once, whatever fails: a node as a process, and a real broker.

#![allow(clippy::disallowed_methods, reason = "a test reads clocks and starts threads")]
#![allow(clippy::unwrap_used, reason = "a test may panic")]
#![allow(unreachable_pub, reason = "a module of tests")]

#[path = "../kafka/mod.rs"]
mod kafka;
#[path = "../node/mod.rs"]
mod node;

mod kept;
mod keys;
mod kills;
mod mocked;
mod outages;
mod readers;
mod records;
mod refusals;
mod route;
mod second;
