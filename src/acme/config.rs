//! What an operator may set of certification authorities.

use std::path::PathBuf;
use std::time::Duration;

/// The settings of certification.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// Whom the authorities may write to, such as `mailto:ops@example.com`.
    pub contact: Vec<String>,
    /// The authorities, in the order in which they are asked; none: nothing is certified.
    pub issuers: Vec<IssuerConfig>,
    /// What our own look at our port 80 decides.
    pub self_probe: SelfProbe,
    /// The port that the authorities prove names at, for our own look at it.
    pub http_port: u16,
    /// Orders that are worked on at the same time.
    pub orders: usize,
    /// Whether the target's own name is certified too.
    pub own_name: bool,
}

/// One certification authority.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IssuerConfig {
    /// What it is called here: in the store, metrics and reports.
    pub name: String,
    /// The URL of its directory (RFC 8555 §7.1.1).
    pub directory: String,
    /// A PEM file of the roots that its server is trusted by; without it the public ones.
    pub roots: Option<PathBuf>,
    /// The domains that CAA records name it by.
    pub caa: Vec<String>,
    /// The profile that is ordered.
    pub profile: Option<String>,
    /// The key id of an external account (RFC 8555 §7.3.4).
    pub eab_key_id: Option<String>,
    /// The file with that account's MAC key, in base64url.
    pub eab_key_file: Option<PathBuf>,
    /// Between the authority's look at us and the first question what came of it.
    pub poll_first: Duration,
    /// The longest between two questions what became of an order.
    pub poll_longest: Duration,
    /// How long one answer may take.
    pub timeout: Duration,
    /// How long an order may take in all.
    pub patience: Duration,
    /// New orders in three hours.
    pub orders: u32,
    /// Certificates of one registrable domain in a week.
    pub per_domain: u32,
    /// Certificates of one name in a week.
    pub per_name: u32,
}

/// What our own look at our port 80 decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SelfProbe {
    /// There is none.
    Off,
    /// It is told of: behind many balancers nobody reaches himself.
    Warn,
    /// Without it nothing is ordered.
    Require,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            contact: Vec::new(),
            issuers: Vec::new(),
            self_probe: SelfProbe::Warn,
            http_port: 80,
            own_name: true,
            orders: 16,
        }
    }
}

impl Default for IssuerConfig {
    fn default() -> Self {
        Self {
            name: "letsencrypt".to_owned(),
            directory: "https://acme-v02.api.letsencrypt.org/directory".to_owned(),
            roots: None,
            caa: vec!["letsencrypt.org".to_owned()],
            profile: None,
            eab_key_id: None,
            eab_key_file: None,
            poll_first: Duration::from_millis(500),
            poll_longest: Duration::from_secs(5),
            timeout: Duration::from_secs(30),
            patience: Duration::from_secs(120),
            orders: 300,
            per_domain: 50,
            per_name: 5,
        }
    }
}

impl Config {
    /// Every setting that cannot be served: its key and the reason.
    pub fn problems(&self) -> Vec<(&'static str, String)> {
        let mut problems = Vec::new();
        if let Some(odd) = self.contact.iter().find(|contact| !contact.starts_with("mailto:")) {
            problems.push(("contact", format!("{odd:?}: expected mailto: and an address")));
        }
        if !(1..=1_000).contains(&self.orders) {
            problems.push(("orders", "expected 1 to 1000".to_owned()));
        }
        if self.http_port == 0 {
            problems.push(("http_port", "expected 1 to 65535".to_owned()));
        }
        let mut names: Vec<_> = self.issuers.iter().map(|issuer| &issuer.name).collect();
        names.sort_unstable();
        if let Some(twice) = names.windows(2).find(|pair| pair[0] == pair[1]) {
            problems.push(("issuer", format!("two are called {:?}", twice[0])));
        }
        problems
    }
}

impl IssuerConfig {
    /// Every setting that cannot be served: its key and the reason.
    pub fn problems(&self) -> Vec<(&'static str, String)> {
        let mut problems = Vec::new();
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
        if !(1..=64).contains(&self.name.len()) || !self.name.bytes().all(plain) {
            let wanted = "expected 1 to 64 letters, digits, dots, hyphens or underscores";
            problems.push(("name", wanted.to_owned()));
        }
        let is_url = self.directory.parse::<http::Uri>().is_ok_and(|url| url.host().is_some());
        if !self.directory.starts_with("https://") || !is_url {
            problems.push(("directory", "expected an https:// URL".to_owned()));
        }
        if self.eab_key_id.is_some() != self.eab_key_file.is_some() {
            let key = if self.eab_key_id.is_some() { "eab_key_file" } else { "eab_key_id" };
            problems.push((key, "is missing: an external account has an id and a key".to_owned()));
        }
        let (millisecond, hour) = (Duration::from_millis(1), Duration::from_secs(3_600));
        for (key, wait, most) in [
            ("poll_first", self.poll_first, hour),
            ("poll_longest", self.poll_longest, hour),
            ("timeout", self.timeout, hour / 6),
            ("patience", self.patience, hour),
        ] {
            if !(millisecond..=most).contains(&wait) {
                problems.push((key, format!("expected 1ms to {}m", most.as_secs() / 60)));
            }
        }
        for (key, count) in
            [("orders", self.orders), ("per_domain", self.per_domain), ("per_name", self.per_name)]
        {
            if !(1..=10_000_000).contains(&count) {
                problems.push((key, "expected 1 to 10000000".to_owned()));
            }
        }
        if self.poll_first > self.poll_longest {
            problems.push(("poll_longest", "expected at least poll_first".to_owned()));
        }
        problems
    }
}
