//! The audit: what it makes of records, of zones and of images.
#![allow(clippy::unwrap_used, reason = "a test may panic")]
#![allow(clippy::disallowed_methods, reason = "a test reads its cases as they lie there")]

mod bounds;
mod certificates;
mod check_host;
mod commands;
mod corners;
mod discovery;
#[path = "../dns/mod.rs"]
mod dns;
mod domain;
mod expected;
mod held;
mod keys;
mod known;
mod mark;
mod marks;
mod over_dns;
mod records;
mod scene;
mod silence;
mod site;
mod waypost;
mod wrong;
mod zone;
