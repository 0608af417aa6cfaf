//! Sealed link tokens.

mod config;

pub use config::Config;
