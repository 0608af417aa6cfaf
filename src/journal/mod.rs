//! Opaque frames, durable and in order.

mod config;

pub use config::{Config, Sync};
