//! What an operator may set of the operator's door.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

/// The operator's door's settings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// Where the operator's door is, besides the Unix socket in the data folder.
    pub listen: SocketAddr,
    /// The file with the bearer token; needed for mutations over TCP.
    pub token_file: Option<PathBuf>,
    /// The chain in PEM; needed beyond loopback.
    pub chain: Option<PathBuf>,
    /// The private key in PEM; needed beyond loopback.
    pub key: Option<PathBuf>,
    /// Names under which the door may be asked, besides its address and `localhost`.
    pub hosts: Vec<String>,
    /// For a TLS handshake, for a request's header, between requests, and for any progress of rows
    /// that are sent or answers that are read.
    pub deadline: Duration,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 9180)),
            token_file: None,
            chain: None,
            key: None,
            hosts: Vec::new(),
            deadline: Duration::from_secs(20),
        }
    }
}

impl Config {
    /// What cannot be served, as (key, reason); empty when all is well.
    pub fn problems(&self) -> Vec<(&'static str, String)> {
        let mut problems = Vec::new();
        if !(Duration::from_millis(100)..=Duration::from_secs(3_600)).contains(&self.deadline) {
            problems.push(("deadline", "expected 100ms to 1h".to_owned()));
        }
        if self.chain.is_some() != self.key.is_some() {
            let key = if self.chain.is_some() { "key" } else { "chain" };
            problems.push((key, "expected admin.chain and admin.key together".to_owned()));
        }
        if !self.listen.ip().is_loopback() {
            if self.chain.is_none() {
                let reason = "an address beyond loopback needs admin.chain and admin.key";
                problems.push(("listen", reason.to_owned()));
            }
            if self.token_file.is_none() {
                let reason = "an address beyond loopback needs admin.token_file";
                problems.push(("listen", reason.to_owned()));
            }
        }
        problems
    }
}
