//! Events reach Kafka, at least once, whatever fails: a node as a process, and a real broker.

#![allow(clippy::disallowed_methods, reason = "a test reads clocks and starts threads")]
#![allow(clippy::unwrap_used, reason = "a test may panic")]
#![allow(unreachable_pub, reason = "a module of tests")]

#[path = "../kafka/mod.rs"]
mod kafka;
#[path = "../faults/machine.rs"]
mod machine;
#[allow(dead_code, reason = "its own tests use the rest")]
#[path = "../faults/mount.rs"]
mod mount;
#[path = "../node/mod.rs"]
mod node;
#[allow(dead_code, reason = "its own tests use the rest")]
#[path = "../faults/row.rs"]
mod row;

mod brokers;
mod cuts;
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
mod trial;
