//! The public door.

mod config;

pub use config::Config;
