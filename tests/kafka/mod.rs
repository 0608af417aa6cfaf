//! A real Apache Kafka as a value that cleans up after itself, its own tools, and a reader of
//! topics.
//!
//! [`Broker`] is one combined node with four doors: without protection, TLS with SCRAM or PLAIN,
//! TLS with certificates on both sides. [`Broker::shared`] is for tests that only use topics of
//! their own; a test that stops or starves a broker has one of its own.

#![allow(dead_code, unused_imports, reason = "each test uses the part it needs")]
#![allow(clippy::disallowed_methods, reason = "a test reads clocks and files and starts processes")]
#![allow(clippy::unwrap_used, reason = "a test may panic")]
#![allow(unreachable_pub, reason = "a module of tests")]

mod broker;
mod jars;
mod ports;
mod tools;
mod topic;

pub use broker::{Broker, PASSWORD, USER};
pub use tools::Consumed;
pub use topic::{Record, read};
