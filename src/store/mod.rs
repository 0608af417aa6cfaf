//! What a node must know again after a restart, and how it is kept from who reads the disk.

mod config;
mod seal;

pub use config::Config;
pub use seal::{SealError, SealKey, SealedFile};
