//! What an operator may set of the public door.

use std::net::SocketAddr;
use std::time::Duration;

use ipnet::IpNet;

/// The public door's settings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// Where HTTPS is answered.
    pub https: Vec<SocketAddr>,
    /// Where plain HTTP is answered.
    pub http: Vec<SocketAddr>,
    /// Path prefixes of click links: `c` in `/c/{token}`. The first is printed, all open: what
    /// was mailed under another one is still in somebody's mailbox.
    pub click_prefix: Vec<String>,
    /// Path prefixes of open pixels: `o` in `/o/{token}`, likewise.
    pub open_prefix: Vec<String>,
    /// Path prefixes of the pages of customers' names: `d` in `/d/{pass}`, likewise.
    pub page_prefix: Vec<String>,
    /// How long a name rests before it may be checked again on its page.
    pub check_every: Duration,
    /// Checks on pages in a minute, in all.
    pub checks_per_minute: u32,
    /// Who runs this service, shown on the plain page at `/`.
    pub operator: String,
    /// How long a client may take from the connection to the end of the TLS handshake.
    pub handshake: Duration,
    /// How long a handshake waits for the order of its certificate, on top of that.
    pub order_wait: Duration,
    /// Handshakes that may wait so.
    pub order_waiters: usize,
    /// How many of them may wait for the same name.
    pub order_waiters_per_name: usize,
    /// How long a client may take to its first request, and with the header of each.
    pub header: Duration,
    /// How long a connection may stay open between requests.
    pub idle: Duration,
    /// How long an idle HTTP/1.1 connection keeps its buffers before it is parked.
    pub park: Duration,
    /// How long a client may take to accept an answer's bytes.
    pub write: Duration,
    /// Requests in progress on one HTTP/2 connection.
    pub streams: u32,
    /// Connections in all; past it new ones wait in the kernel's queue.
    pub connections: usize,
    /// Handshakes in progress and connections idle before their first request, for one address.
    pub per_address: usize,
    /// Networks that `per_address` does not hold for.
    pub exempt: Vec<IpNet>,
    /// Networks whose connections begin with a header of the PROXY protocol, which says whose
    /// they are.
    pub proxy: Vec<IpNet>,
    /// `Strict-Transport-Security` with this age on HTTPS answers; zero sends none.
    pub hsts: Duration,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            https: vec![SocketAddr::from(([0, 0, 0, 0], 443))],
            http: vec![SocketAddr::from(([0, 0, 0, 0], 80))],
            click_prefix: vec!["c".to_owned()],
            open_prefix: vec!["o".to_owned()],
            page_prefix: vec!["d".to_owned()],
            check_every: Duration::from_secs(30),
            checks_per_minute: 60,
            operator: String::new(),
            handshake: Duration::from_secs(10),
            order_wait: Duration::from_secs(25),
            order_waiters: 10_000,
            order_waiters_per_name: 250,
            header: Duration::from_secs(10),
            idle: Duration::from_secs(60),
            park: Duration::from_secs(2),
            write: Duration::from_secs(10),
            streams: 100,
            connections: 50_000,
            per_address: 1_024,
            exempt: Vec::new(),
            proxy: Vec::new(),
            hsts: Duration::ZERO,
        }
    }
}

impl Config {
    /// The prefix of click links that are printed from now on.
    pub fn minted_click_prefix(&self) -> &str {
        self.click_prefix.first().map_or("", String::as_str)
    }

    /// The prefix of open pixels that are printed from now on.
    pub fn minted_open_prefix(&self) -> &str {
        self.open_prefix.first().map_or("", String::as_str)
    }

    /// The prefix of pages that are linked to from now on.
    pub fn minted_page_prefix(&self) -> &str {
        self.page_prefix.first().map_or("", String::as_str)
    }

    /// What cannot be served, as (key, reason); empty when all is well.
    pub fn problems(&self) -> Vec<(&'static str, String)> {
        let mut problems = Vec::new();
        if self.https.is_empty() && self.http.is_empty() {
            problems.push(("https", "expected an address in edge.https or edge.http".to_owned()));
        }
        problems.extend(self.prefix_problems());
        let fixed = |address: &&SocketAddr| address.port() != 0;
        if let Some(twice) = self.http.iter().filter(fixed).find(|one| self.https.contains(one)) {
            problems.push(("http", format!("{twice} is in edge.https too")));
        }
        let waits = Duration::from_millis(100)..=Duration::from_secs(300);
        for (key, wait) in [
            ("handshake", self.handshake),
            ("order_wait", self.order_wait),
            ("header", self.header),
            ("write", self.write),
        ] {
            if !waits.contains(&wait) {
                problems.push((key, "expected 100ms to 5m".to_owned()));
            }
        }
        if !(Duration::from_millis(100)..=Duration::from_secs(3_600)).contains(&self.idle) {
            problems.push(("idle", "expected 100ms to 1h".to_owned()));
        }
        if !(Duration::from_millis(10)..=Duration::from_secs(3_600)).contains(&self.park) {
            problems.push(("park", "expected 10ms to 1h".to_owned()));
        }
        if !(Duration::from_secs(1)..=Duration::from_secs(3_600)).contains(&self.check_every) {
            problems.push(("check_every", "expected 1s to 1h".to_owned()));
        }
        if !(1..=6_000).contains(&self.checks_per_minute) {
            problems.push(("checks_per_minute", "expected 1 to 6000".to_owned()));
        }
        if !(1..=1_000).contains(&self.streams) {
            problems.push(("streams", "expected 1 to 1000".to_owned()));
        }
        for (key, count) in [
            ("connections", self.connections),
            ("order_waiters", self.order_waiters),
            ("order_waiters_per_name", self.order_waiters_per_name),
            ("per_address", self.per_address),
        ] {
            if !(1..=10_000_000).contains(&count) {
                problems.push((key, "expected 1 to 10000000".to_owned()));
            }
        }
        if self.hsts > Duration::from_secs(60 * 86_400) {
            let reason = "expected at most 60d: a customer who leaves must not be locked out";
            problems.push(("hsts", reason.to_owned()));
        }
        problems
    }

    fn prefix_problems(&self) -> Vec<(&'static str, String)> {
        let mut problems = Vec::new();
        for (key, prefixes) in [
            ("click_prefix", &self.click_prefix),
            ("open_prefix", &self.open_prefix),
            ("page_prefix", &self.page_prefix),
        ] {
            let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_');
            let is_fine =
                |prefix: &String| (1..=32).contains(&prefix.len()) && prefix.bytes().all(plain);
            if !(1..=MOST_PREFIXES).contains(&prefixes.len()) {
                problems.push((key, format!("expected 1 to {MOST_PREFIXES} prefixes")));
            }
            if let Some(bad) = prefixes.iter().find(|prefix| !is_fine(prefix)) {
                let wanted = "expected 1 to 32 letters, digits, hyphens or underscores";
                problems.push((key, format!("the prefix \"{bad}\": {wanted}")));
            }
        }
        if let Some(twice) = self.open_prefix.iter().find(|open| self.click_prefix.contains(open)) {
            let reason =
                format!("expected other prefixes than edge.click_prefix, which has {twice}");
            problems.push(("open_prefix", reason));
        }
        let mut of_links = self.click_prefix.iter().chain(&self.open_prefix);
        if let Some(twice) = of_links.find(|prefix| self.page_prefix.contains(prefix)) {
            let reason = format!("expected other prefixes than those of links, which have {twice}");
            problems.push(("page_prefix", reason));
        }
        problems
    }
}

/// Each is compared with every request.
const MOST_PREFIXES: usize = 16;
