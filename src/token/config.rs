//! What an operator may set of links.

use std::path::PathBuf;
use std::time::Duration;

/// The links' settings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// The folder of link keys.
    pub keys: PathBuf,
    /// How often the folder is looked at for a change.
    pub reload: Duration,
    /// Scheme, host pattern, port and path before the click prefix of printed links, such as
    /// `https://{host}` or `http://{host}:8080/mail`.
    pub base: String,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            keys: PathBuf::from("keys"),
            reload: Duration::from_secs(2),
            base: "https://{host}".to_owned(),
        }
    }
}

impl Config {
    /// What cannot be served, as (key, reason); empty when all is well.
    pub fn problems(&self) -> Vec<(&'static str, String)> {
        let mut problems = Vec::new();
        if !(Duration::from_millis(100)..=Duration::from_secs(3_600)).contains(&self.reload) {
            problems.push(("reload", "expected 100ms to 1h".to_owned()));
        }
        let scheme = ["http://{host}", "https://{host}"].iter().any(|s| self.base.starts_with(s));
        let rest = self.base.split_once("{host}").map_or("", |(_, rest)| rest);
        let starts = rest.is_empty() || rest.starts_with([':', '/']);
        let port = rest.strip_prefix(':').map(|rest| rest.split('/').next().unwrap_or_default());
        // No sign, and none of the other forms that a number may have.
        let is_port = |port: &str| {
            port.bytes().all(|byte| byte.is_ascii_digit()) && port.parse::<u16>().is_ok()
        };
        if !port.is_none_or(is_port) {
            let reason = "expected a port from 0 to 65535 behind {host}:".to_owned();
            problems.push(("base", reason));
        } else if !scheme || !starts || rest.contains(['?', '#', '{', ' ']) {
            let reason = "expected http:// or https://, then {host}, then a port and path if any, \
                          such as https://{host}/mail";
            problems.push(("base", reason.to_owned()));
        }
        problems
    }
}
