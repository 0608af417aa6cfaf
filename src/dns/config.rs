//! What an operator may set of the DNS.

use std::net::SocketAddr;
use std::time::Duration;

/// The settings of asking the DNS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// The resolvers; empty for those of `/etc/resolv.conf`.
    pub servers: Vec<SocketAddr>,
    /// How long one attempt may take.
    pub timeout: Duration,
    /// How many times a question is tried before it has failed, on another server each time.
    pub tries: usize,
    /// Replies that are remembered.
    pub cache: u64,
    /// The longest that records are remembered, whatever they allow.
    pub longest: Duration,
    /// The longest that an absence is remembered.
    pub longest_absence: Duration,
    /// Questions in flight at a time.
    pub in_flight: usize,
    /// Questions a second to each of a zone's own servers.
    pub server_rate: u32,
    /// The port of zones' own servers.
    pub zone_port: u16,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            servers: Vec::new(),
            timeout: Duration::from_secs(2),
            tries: 2,
            cache: 65_536,
            longest: Duration::from_secs(3_600),
            longest_absence: Duration::from_secs(30),
            in_flight: 256,
            server_rate: 20,
            zone_port: 53,
        }
    }
}

impl Config {
    /// What cannot be served, as (key, reason); empty when all is well.
    pub fn problems(&self) -> Vec<(&'static str, String)> {
        let mut problems = Vec::new();
        if self.servers.len() > 8 {
            problems.push(("servers", "expected at most 8 resolvers".to_owned()));
        }
        if !(Duration::from_millis(10)..=Duration::from_secs(30)).contains(&self.timeout) {
            problems.push(("timeout", "expected 10ms to 30s".to_owned()));
        }
        if !(1..=10).contains(&self.tries) {
            problems.push(("tries", "expected 1 to 10".to_owned()));
        }
        if self.cache > 10_000_000 {
            problems.push(("cache", "expected at most 10000000".to_owned()));
        }
        for (key, time) in [("longest", self.longest), ("longest_absence", self.longest_absence)] {
            if time > Duration::from_secs(86_400) {
                problems.push((key, "expected at most 1d".to_owned()));
            }
        }
        if !(1..=65_536).contains(&self.in_flight) {
            problems.push(("in_flight", "expected 1 to 65536".to_owned()));
        }
        if !(1..=10_000).contains(&self.server_rate) {
            problems.push(("server_rate", "expected 1 to 10000".to_owned()));
        }
        if self.zone_port == 0 {
            problems.push(("zone_port", "expected 1 to 65535".to_owned()));
        }
        problems
    }
}
