//! What an operator may set of the shipper.

/// The shipper's settings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// Bytes of events on their way to Kafka.
    pub window: usize,
    /// Where to begin in a journal of which nothing was ever shipped.
    pub start: Start,
}

/// Where to begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    /// With the oldest event that is kept.
    Oldest,
    /// With what is recorded from now on.
    Now,
}

impl Default for Config {
    fn default() -> Self {
        Self { window: 16 << 20, start: Start::Oldest }
    }
}

impl Config {
    /// What cannot be served, as (key, reason); empty when all is well.
    pub fn problems(&self) -> Vec<(&'static str, String)> {
        let mut problems = Vec::new();
        if !(1 << 20..=1 << 30).contains(&self.window) {
            problems.push(("window", "expected 1MiB to 1GiB".to_owned()));
        }
        problems
    }
}
