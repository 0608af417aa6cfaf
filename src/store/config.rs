//! What an operator may set of the store.

use std::path::PathBuf;

/// The store's settings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// The key that seals what is secret on disk. Made when it is missing.
    pub seal_key_file: PathBuf,
}

impl Default for Config {
    fn default() -> Self {
        Self { seal_key_file: PathBuf::from("seal.key") }
    }
}
