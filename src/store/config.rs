//! What an operator may set of the store.

use std::path::PathBuf;
use std::time::Duration;

/// The store's settings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// The file of all records.
    pub file: PathBuf,
    /// The key that seals what is secret on disk. Made when it is missing.
    pub seal_key_file: PathBuf,
    /// Bytes of the file that are kept in memory.
    pub cache: usize,
    /// How long a call may take.
    pub timeout: Duration,
    /// How long a new process waits for the one before it to let go of the file.
    pub wait: Duration,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            file: PathBuf::from("store.redb"),
            seal_key_file: PathBuf::from("seal.key"),
            cache: 32 << 20,
            timeout: Duration::from_secs(2),
            wait: Duration::from_secs(30),
        }
    }
}

impl Config {
    /// What cannot be served, as (key, reason); empty when all is well.
    pub fn problems(&self) -> Vec<(&'static str, String)> {
        let mut problems = Vec::new();
        if !(1 << 20..=64 << 30).contains(&self.cache) {
            problems.push(("cache", "expected 1MiB to 64GiB".to_owned()));
        }
        if !(Duration::from_millis(10)..=Duration::from_secs(60)).contains(&self.timeout) {
            problems.push(("timeout", "expected 10ms to 1m".to_owned()));
        }
        if self.wait > Duration::from_secs(3_600) {
            problems.push(("wait", "expected at most 1h".to_owned()));
        }
        problems
    }
}
