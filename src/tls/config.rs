//! What an operator may set of certificates.

use std::path::PathBuf;
use std::time::Duration;

use crate::hostname::Hostname;

/// The certificates' settings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// Certificates that are kept in files.
    pub certificates: Vec<CertificateFiles>,
    /// The oldest protocol version that is accepted.
    pub oldest: Version,
    /// How often the files are looked at for a change.
    pub reload: Duration,
    /// Ready server configurations kept in memory.
    pub cache: u64,
}

/// One certificate in files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertificateFiles {
    /// The names it is served for; the certificate must cover each.
    pub hosts: Vec<Hostname>,
    /// The chain in PEM, leaf first.
    pub chain: PathBuf,
    /// The private key in PEM.
    pub key: PathBuf,
}

/// A TLS protocol version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Version {
    /// TLS 1.2 (RFC 5246).
    Tls12,
    /// TLS 1.3 (RFC 8446).
    Tls13,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            certificates: Vec::new(),
            oldest: Version::Tls12,
            reload: Duration::from_secs(60),
            cache: 10_000,
        }
    }
}

impl Config {
    /// What cannot be served, as (key, reason); empty when all is well.
    pub fn problems(&self) -> Vec<(&'static str, String)> {
        let mut problems = Vec::new();
        if !(Duration::from_millis(100)..=Duration::from_secs(86_400)).contains(&self.reload) {
            problems.push(("reload", "expected 100ms to 1d".to_owned()));
        }
        if !(1..=10_000_000).contains(&self.cache) {
            problems.push(("cache", "expected 1 to 10000000".to_owned()));
        }
        let mut seen = std::collections::HashSet::new();
        for host in self.certificates.iter().flat_map(|files| &files.hosts) {
            if !seen.insert(host) {
                problems.push(("certificate", format!("{host} is named by two certificates")));
            }
        }
        problems
    }
}
