//! A node with customers' hostnames, and a DNS server of its own.

#![allow(dead_code, reason = "each test uses the part it needs")]
#![allow(clippy::disallowed_methods, reason = "a test reads clocks and files and starts processes")]
#![allow(clippy::unwrap_used, reason = "a test may panic")]
#![allow(unreachable_pub, reason = "a module of tests")]

use std::fs;
use std::io::{Read, Write};
use std::net::SocketAddr;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::thread::sleep;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::dns::{DnsServer, a};
use crate::node::{Node, Setup};

/// Where customers' CNAMEs lead to.
pub const TARGET: &str = "trk.aksend.test";

/// A node, and the DNS that it asks: the zones `example.test`, `evil.test` and the target's.
pub struct Customers {
    /// The DNS.
    pub dns: DnsServer,
    /// The node.
    pub node: Node,
}

impl Customers {
    /// With an admission, and further lines for the section `[domains]`.
    pub fn start(admission: &str, domains: &str) -> Self {
        Self::start_with(admission, domains, "")
    }

    /// With further sections.
    pub fn start_with(admission: &str, domains: &str, more: &str) -> Self {
        let dns = dns();
        let resolver = dns.resolver();
        Self::behind(dns, resolver, (admission, domains, more), &[])
    }

    /// With a certificate for a name.
    pub fn with_certificate(admission: &str, domains: &str, name: &str) -> Self {
        let dns = dns();
        let resolver = dns.resolver();
        Self::behind(dns, resolver, (admission, domains, ""), &[name])
    }

    /// With a resolver between the node and the zones.
    pub fn behind(
        dns: DnsServer,
        resolver: SocketAddr,
        (admission, domains, more): (&str, &str, &str),
        hosts: &[&str],
    ) -> Self {
        let port = dns.port();
        // Nothing is asked but what a test is about.
        let audit = if more.contains("[audit]") { "" } else { "[audit]\nrate = 0\n" };
        let more = format!(
            "[dns]\nservers = [\"{resolver}\"]\ntimeout = \"400ms\"\nzone_port = {port}\n\
             server_rate = 10000\n\n[domains]\nadmission = \"{admission}\"\ntarget = \"{TARGET}\"\n\
             authorities = [\"ca.test\"]\n{domains}\n{audit}\n{more}"
        );
        let node = Node::start(&Setup { more, ..Setup::of(hosts) });
        Self { dns, node }
    }

    /// Adds a name through the node's socket.
    pub fn add(&self, name: &str) {
        let (status, answer) =
            self.ask("POST", "/v1/domains", &format!("{{\"domain\":\"{name}\"}}"));
        assert_eq!(status, 200, "{answer}");
    }

    /// Checks a name by command: exit code and report.
    pub fn check(&self, name: &str) -> (i32, Value) {
        let (code, out, err) = self.node.command(&["domain", "check", name, "--json"]);
        (code, serde_json::from_str(&out).unwrap_or_else(|_| panic!("{name}: {out}{err}")))
    }

    /// What the node knows of a name.
    pub fn show(&self, name: &str) -> Value {
        let (status, answer) = self.ask("GET", &format!("/v1/domains/{name}"), "");
        assert_eq!(status, 200, "{answer}");
        answer
    }

    /// Whether the node knows a name.
    pub fn has(&self, name: &str) -> bool {
        self.ask("GET", &format!("/v1/domains/{name}"), "").0 == 200
    }

    /// Waits until a name has this reason.
    pub fn becomes(&self, name: &str, reason: &str) {
        let begun = Instant::now();
        loop {
            let domain = self.show(name);
            if domain["reason"] == reason {
                return;
            }
            assert!(begun.elapsed() < PATIENCE, "not within {PATIENCE:?}: {reason}: {domain:#}");
            sleep(Duration::from_millis(20));
        }
    }

    /// The transitions that the journal holds.
    pub fn transitions(&self) -> Vec<Value> {
        let (code, out, err) = self.node.command(&["journal", "cat", "--stream", "domains"]);
        assert_eq!(code, 0, "{err}");
        out.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// Asks over the node's socket: status and body.
    pub fn ask(&self, method: &str, path: &str, body: &str) -> (u16, Value) {
        let mut stream = UnixStream::connect(self.node.data().join("admin.sock")).unwrap();
        let length = body.len();
        let head = format!(
            "{method} {path} HTTP/1.1\r\nhost: node\r\nconnection: close\r\n\
             content-length: {length}\r\n\r\n{body}"
        );
        stream.write_all(head.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        (status, serde_json::from_str(body).unwrap())
    }

    /// Shakes hands for a name.
    pub fn visit(&self, name: &str) -> std::io::Result<()> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let client = self.node.client();
        runtime.block_on(async { client.tls(self.node.https(), name, &[]).await.map(|_| ()) })
    }

    /// The value of a counter or gauge, 0 when it is not told yet.
    pub fn metric(&self, line: &str) -> u64 {
        let (_, text) = self.node.ask_admin("/metrics");
        let value = text.lines().find_map(|found| found.strip_prefix(line)?.trim().parse().ok());
        value.unwrap_or_default()
    }
}

/// The DNS of the tests' own, with the target and the zones of customers.
pub fn dns() -> DnsServer {
    let dns = DnsServer::start(2);
    for zone in ["aksend.test", "example.test", "evil.test"] {
        dns.zone(zone, 3_600);
    }
    dns.add(TARGET, a([192, 0, 2, 10]));
    dns
}

/// Flips a bit of every place where `content` stands in a file.
pub fn flip(file: &Path, content: &[u8]) {
    let mut bytes = fs::read(file).unwrap();
    let places: Vec<_> =
        (0..bytes.len() - content.len()).filter(|at| bytes[*at..].starts_with(content)).collect();
    assert!(!places.is_empty());
    for at in places {
        bytes[at] ^= 1;
    }
    fs::write(file, bytes).unwrap();
}

/// Kilobytes of a process, by the kernel's word for them.
pub fn memory(process: u32, word: &str) -> u64 {
    let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix(word)).unwrap();
    line.trim_matches([':', ' ', '\t', 'k', 'B']).trim().parse().unwrap()
}

/// Says that a row is not shown because a program is missing; root could have installed it.
pub fn missing(program: &str, error: &std::io::Error) {
    let is_root = rustix::process::geteuid().is_root();
    assert!(!is_root, "{program} cannot be started ({error}): `tests/run` installs it");
    println!("SKIPPED {program} cannot be started: {error}");
}

/// Asks again and again until there is an answer; panics when [`PATIENCE`] ends.
pub fn eventually<T>(what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
    let begun = Instant::now();
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(begun.elapsed() < PATIENCE, "not within {PATIENCE:?}: {what}");
        sleep(Duration::from_millis(20));
    }
}

const PATIENCE: Duration = Duration::from_secs(30);
