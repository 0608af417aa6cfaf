//! What an operator may set of Kafka.

use std::path::PathBuf;
use std::time::Duration;

use super::secret::Password;

/// The settings of the connection to Kafka.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// Brokers to begin with, each `host:port`; none when events end in the journal.
    pub brokers: Vec<String>,
    /// Whether connections are encrypted.
    pub security: Security,
    /// The authorities that brokers' certificates are held to, in PEM; without it the system's.
    pub ca: Option<PathBuf>,
    /// Our own certificate in PEM, for brokers that ask for one.
    pub certificate: Option<PathBuf>,
    /// Its private key in PEM.
    pub key: Option<PathBuf>,
    /// How we say who we are.
    pub sasl: Sasl,
    /// Who we are, for SASL.
    pub username: String,
    /// The password, for SASL.
    pub password: Option<Password>,
    /// How batches are compressed.
    pub compression: Compression,
    /// How long a batch may gather before it is sent.
    pub linger: Duration,
    /// Bytes of a batch before compression.
    pub batch: usize,
    /// The topics.
    pub topics: Topics,
    /// Partitions that a topic is made with, and must have at least.
    pub partitions: u32,
    /// Replicas that a topic is made with, and must have at least.
    pub replicas: u32,
}

/// The topic of each of the journal's streams.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Topics {
    /// Clicks, opens and probes.
    pub events: String,
    /// Transitions of domains.
    pub domains: String,
    /// Results of audits.
    pub audits: String,
}

/// Whether connections are encrypted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Security {
    /// Not at all.
    Plaintext,
    /// TLS, with the broker's name checked.
    Tls,
}

/// How we say who we are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sasl {
    /// Not at all, or by our certificate.
    None,
    /// RFC 4616: the password is sent as it is, so only under TLS.
    Plain,
    /// RFC 7677.
    ScramSha256,
    /// SCRAM (RFC 5802) with SHA-512.
    ScramSha512,
}

/// How batches are compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compression {
    /// Not at all.
    None,
    /// LZ4: the least work.
    Lz4,
    /// Zstandard: the fewest bytes.
    Zstd,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            brokers: Vec::new(),
            security: Security::Plaintext,
            ca: None,
            certificate: None,
            key: None,
            sasl: Sasl::None,
            username: String::new(),
            password: None,
            compression: Compression::Zstd,
            linger: Duration::from_millis(5),
            batch: 512 << 10,
            topics: Topics::default(),
            partitions: 12,
            replicas: 3,
        }
    }
}

impl Default for Topics {
    fn default() -> Self {
        let name = |stream: &str| format!("waypost.{stream}");
        Self { events: name("events"), domains: name("domains"), audits: name("audits") }
    }
}

impl Topics {
    /// All three names.
    pub fn names(&self) -> [&str; 3] {
        [&self.events, &self.domains, &self.audits]
    }
}

impl Config {
    /// Whether events go to Kafka at all.
    pub fn is_configured(&self) -> bool {
        !self.brokers.is_empty()
    }

    /// What cannot be served, as (key, reason); empty when all is well.
    pub fn problems(&self) -> Vec<(&'static str, String)> {
        let mut problems = Vec::new();
        for broker in &self.brokers {
            if !is_broker(broker) {
                let reason = format!("\"{broker}\" is no broker, expected host:port");
                problems.push(("brokers", reason));
            }
        }
        problems.extend(self.wrong_security());
        problems.extend(self.topics.problems());
        if self.linger > Duration::from_secs(1) {
            problems.push(("linger", "expected at most 1s: it delays every event".to_owned()));
        }
        if !(16 << 10..=900 << 10).contains(&self.batch) {
            // Brokers take at most 1 MiB unless told otherwise, with the batch's own head.
            problems.push(("batch", "expected 16KiB to 900KiB".to_owned()));
        }
        if !(1..=10_000).contains(&self.partitions) {
            problems.push(("partitions", "expected 1 to 10000".to_owned()));
        }
        if !(1..=100).contains(&self.replicas) {
            problems.push(("replicas", "expected 1 to 100".to_owned()));
        }
        problems
    }

    fn wrong_security(&self) -> Vec<(&'static str, String)> {
        let mut problems = Vec::new();
        if self.security == Security::Plaintext {
            for (key, file) in
                [("ca", &self.ca), ("certificate", &self.certificate), ("key", &self.key)]
            {
                if file.is_some() {
                    problems.push((key, "expected kafka.security = \"tls\" beside it".to_owned()));
                }
            }
            if self.sasl == Sasl::Plain {
                let reason = "\"plain\" sends the password as it is: expected kafka.security = \
                              \"tls\", or scram";
                problems.push(("sasl", reason.to_owned()));
            }
        }
        if self.certificate.is_some() != self.key.is_some() {
            let key = if self.certificate.is_some() { "key" } else { "certificate" };
            problems.push((key, "expected kafka.certificate and kafka.key together".to_owned()));
        }
        let has_user = !self.username.is_empty();
        if self.sasl == Sasl::None && (has_user || self.password.is_some()) {
            let reason = "a name or password is set: expected how it is used";
            problems.push(("sasl", reason.to_owned()));
        }
        if self.sasl != Sasl::None && !has_user {
            problems.push(("username", "expected a name, since kafka.sasl is set".to_owned()));
        }
        if self.sasl != Sasl::None && self.password.is_none() {
            let reason = "expected a file, or kafka.password_variable, since kafka.sasl is set";
            problems.push(("password_file", reason.to_owned()));
        }
        problems
    }
}

impl Topics {
    fn problems(&self) -> Vec<(&'static str, String)> {
        let mut problems = Vec::new();
        let names = [
            ("events_topic", &self.events),
            ("domains_topic", &self.domains),
            ("audits_topic", &self.audits),
        ];
        for (index, (key, name)) in names.into_iter().enumerate() {
            let legal = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-');
            let is_name = (1..=249).contains(&name.len()) && name.bytes().all(legal);
            if !is_name || name == "." || name == ".." {
                let reason = "expected 1 to 249 letters, digits, dots, underscores or hyphens";
                problems.push((key, reason.to_owned()));
            }
            // Dots and underscores are the same in the names of Kafka's metrics, so Kafka itself
            // refuses two topics that differ in nothing else.
            let plain = |name: &str| name.replace('_', ".");
            if names[..index].iter().any(|(_, other)| plain(other) == plain(name)) {
                problems.push((key, "expected a topic of its own: consumers differ".to_owned()));
            }
        }
        problems
    }
}

/// Whether a text is `host:port`, with brackets around an IPv6 address.
fn is_broker(text: &str) -> bool {
    let Some((host, port)) = text.rsplit_once(':') else { return false };
    let is_port = port.parse::<u16>().is_ok_and(|port| port > 0);
    let name = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_');
    let is_address = host
        .strip_prefix('[')
        .and_then(|host| host.strip_suffix(']'))
        .is_some_and(|host| host.parse::<std::net::Ipv6Addr>().is_ok());
    is_port && (is_address || (!host.is_empty() && host.bytes().all(name)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_broker_has_a_host_and_a_port() {
        for good in ["kafka-1.example:9092", "10.0.0.1:1", "[::1]:9092", "kafka_1:65535"] {
            assert!(is_broker(good), "{good}");
        }
        for bad in ["", "kafka", "kafka:", ":9092", "kafka:0", "kafka:65536", "a b:1", "::1:9092"] {
            assert!(!is_broker(bad), "{bad}");
        }
    }
}
