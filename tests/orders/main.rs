//! Certificates from a real authority, over a whole node: obtained before they are needed or at
//! the first visit, and nothing else but right ones.

#![allow(clippy::unwrap_used, reason = "a test may panic")]
#![allow(clippy::disallowed_methods, reason = "a test reads clocks and files and starts processes")]

#[path = "../ca/mod.rs"]
mod ca;
#[path = "../chromium/mod.rs"]
mod chromium;
#[path = "../customers/mod.rs"]
mod customers;
#[path = "../dns/mod.rs"]
mod dns;
#[path = "../node/mod.rs"]
mod node;
#[path = "../unbound/mod.rs"]
mod unbound;

mod browsers;
mod cruel;
mod early;
mod failover;
mod first;
mod house;
mod keys;
mod lasting;
mod moved;
mod own_name;
mod renewal;
mod restart;
