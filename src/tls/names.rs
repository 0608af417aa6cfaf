//! The names that the configured files are for.

use std::collections::HashSet;

use super::Config;
use crate::hostname::Hostname;

/// The names that the configured files are for, whether or not those can be served.
#[derive(Clone, Debug, Default)]
pub struct Names {
    hosts: HashSet<Hostname>,
}

impl Names {
    /// Those of a configuration.
    pub fn of(config: &Config) -> Self {
        let hosts = config.certificates.iter().flat_map(|files| files.hosts.iter().cloned());
        Self { hosts: hosts.collect() }
    }

    /// Whether a file is for this name.
    pub fn has(&self, host: &Hostname) -> bool {
        self.hosts.contains(host)
    }
}
