//! A DNS server of the tests' own: on loopback, over UDP and TCP, with faults on order.
//!
//! [`DnsServer`] has several *faces*, each an address of its own on one port, with records and
//! faults of its own: the first is a resolver (it follows CNAMEs everywhere and has no authority),
//! the others are zones' own servers. Every question is noted. It stops when it is dropped.

#![allow(dead_code, unused_imports, reason = "each test uses the part it needs")]
#![allow(clippy::disallowed_methods, reason = "a test starts threads and tasks")]
#![allow(clippy::unwrap_used, reason = "a test may panic")]
#![allow(unreachable_pub, reason = "a module of tests")]

mod answer;
mod records;
mod server;

pub use records::{Held, Kind, Records, a, aaaa, caa, cname, ds, mx, ns, ptr, spf, txt};
pub use server::{Asked, DnsServer, Fault};
