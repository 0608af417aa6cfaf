//! A node, its DNS and a real authority.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};

use serde_json::Value;
use socket2::{Domain, Socket, Type};
use tempfile::TempDir;

use crate::ca::{CruelCa, Faults, Passed, Pebble, PebbleSetup};
use crate::customers::{Customers, TARGET, eventually};
use crate::dns::{DnsServer, a, cname};
use crate::node::{Client, Node, Program, Protocol, Setup};

/// A node that is certified by a real authority.
pub(crate) struct House {
    pub(crate) customers: Customers,
    pub(crate) pebble: Pebble,
    _held: Socket,
}

/// What a house is to be.
pub(crate) struct Plan<'a> {
    pub(crate) faults: Faults,
    /// Further lines of `[[acme.issuer]]`.
    pub(crate) issuer: &'a str,
    /// Lines of `[acme]`.
    pub(crate) acme: &'a str,
    /// Lines of `[domains]`.
    pub(crate) domains: &'a str,
    /// Lines of `[edge]`.
    pub(crate) edge: &'a str,
    /// What runs the node.
    pub(crate) program: Program,
}

impl Default for Plan<'_> {
    fn default() -> Self {
        Self {
            faults: Faults::None,
            issuer: "poll_first = \"4ms\"\npoll_longest = \"1s\"\norders = 10000\nper_domain = 10000",
            acme: "",
            domains: "",
            edge: "",
            program: Program::Product,
        }
    }
}

impl House {
    pub(crate) fn new(plan: &Plan<'_>) -> Self {
        let dns = zones();
        let resolver = dns.resolver();
        Self::behind(dns, resolver, plan)
    }

    /// With a resolver between the node and the zones.
    pub(crate) fn behind(dns: DnsServer, resolver: SocketAddr, plan: &Plan<'_>) -> Self {
        let (held, port) = hold();
        let setup = PebbleSetup {
            dns: dns.resolver(),
            http_port: port,
            faults: plan.faults,
            external: None,
        };
        let pebble = Pebble::start(&setup);
        let own_name = if plan.acme.contains("own_name") { "" } else { LEAVE };
        let acme = format!(
            "[acme]\n{own_name}{}\n{}\n{}",
            if plan.acme.contains("http_port") {
                String::new()
            } else {
                format!("http_port = {port}")
            },
            plan.acme,
            pebble.issuer("pebble", plan.issuer)
        );
        let node =
            node_run_by(plan.program, (&dns, resolver), (port, plan.edge), plan.domains, &acme);
        Self { customers: Customers { dns, node }, pebble, _held: held }
    }

    /// Publishes the CNAME of a name.
    pub(crate) fn publish(&self, name: &str) {
        self.customers.dns.add(name, cname(TARGET));
    }

    pub(crate) fn node(&self) -> &Node {
        &self.customers.node
    }

    /// A client that trusts the authority.
    pub(crate) fn client(&self) -> Client {
        Client::new(self.pebble.root())
    }
}

/// The DNS: the target is this machine.
pub(crate) fn zones() -> DnsServer {
    let dns = DnsServer::start(2);
    for zone in ["aksend.test", "example.test", "evil.test", "blocked.test"] {
        dns.zone(zone, 3_600);
    }
    dns.add(TARGET, a([127, 0, 0, 1]));
    dns
}

/// A node that asks `dns`, answers plain HTTP on `port` and has this section `[acme]`.
pub(crate) fn node(dns: &DnsServer, port: u16, domains: &str, acme: &str) -> Node {
    node_run_by(Program::Product, (dns, dns.resolver()), (port, ""), domains, acme)
}

fn node_run_by(
    program: Program,
    (dns, resolver): (&DnsServer, SocketAddr),
    (port, edge): (u16, &str),
    domains: &str,
    acme: &str,
) -> Node {
    let more = format!(
        "[dns]\nservers = [\"{resolver}\"]\ntimeout = \"2s\"\nzone_port = {}\n\
         server_rate = 10000\n\n[domains]\nadmission = \"cname\"\ntarget = \"{TARGET}\"\n\
         authorities = [\"ca.test\"]\nquestions_per_domain = 100000\nquestions_in_all = 100000\n\
         names_per_domain = 100000\nnames_in_all = 100000\n{domains}\n\n[audit]\nrate = 0\n\n{acme}",
        dns.port()
    );
    // All visitors of a test come from one address.
    let edge = format!("http = [\"127.0.0.1:{port}\"]\nexempt = [\"127.0.0.0/8\"]\n{edge}");
    Node::start(&Setup { more, edge, program, ..Setup::default() })
}

/// A port for plain HTTP that nobody else gets, known before the node is started.
pub(crate) fn hold() -> (Socket, u16) {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket.set_reuse_address(true).unwrap();
    socket.set_reuse_port(true).unwrap();
    socket.bind(&SocketAddr::from((Ipv4Addr::LOCALHOST, 0)).into()).unwrap();
    let port = socket.local_addr().unwrap().as_socket().unwrap().port();
    (socket, port)
}

/// A node that is certified by authorities of the tests' own.
pub(crate) struct CruelHouse {
    pub(crate) customers: Customers,
    pub(crate) authorities: Vec<CruelCa>,
    _folder: TempDir,
    _held: Socket,
}

impl CruelHouse {
    /// With as many authorities, each called `ca0` and so on; `more` are further lines of each.
    pub(crate) fn new(count: usize, more: &str) -> Self {
        Self::run_by(Program::Product, "", count, more)
    }

    /// The same, run by another program, and with further lines of `[acme]`.
    pub(crate) fn run_by(program: Program, lines: &str, count: usize, more: &str) -> Self {
        let (dns, folder, (held, port)) = (zones(), tempfile::tempdir().unwrap(), hold());
        let http = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let authorities: Vec<_> = (0..count).map(|_| CruelCa::start(http)).collect();
        let tables = authorities.iter().enumerate();
        let tables = tables.map(|(at, ca)| ca.issuer(&format!("ca{at}"), folder.path(), more));
        let tables = tables.collect::<String>();
        let acme = format!("[acme]\n{LEAVE}self_probe = \"off\"\n{lines}\n{tables}");
        let asked = (&dns, dns.resolver());
        let node = node_run_by(program, asked, (port, ""), "", &acme);
        Self { customers: Customers { dns, node }, authorities, _folder: folder, _held: held }
    }

    /// Publishes a name and visits it, which nobody answers yet.
    pub(crate) fn visit(&self, name: &str) {
        self.customers.dns.add(name, cname(TARGET));
        self.customers.visit(name).unwrap_err();
    }

    /// Waits until the last order of a name came to this; what is told of the name then.
    pub(crate) fn comes_to(&self, name: &str, outcome: &str) -> Value {
        eventually(&format!("{name} comes to {outcome}"), || {
            let shown = self.customers.has(name).then(|| self.customers.show(name))?;
            let last = shown["orders"].as_array()?.last()?["outcome"].clone();
            (last == outcome).then_some(shown)
        })
    }

    /// Whether a certificate of this authority is served for a name.
    pub(crate) fn is_served(&self, name: &str, authority: usize) -> bool {
        let client = Client::new(self.authorities[authority].root());
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let https = self.customers.node.https();
        runtime.block_on(client.connect(https, name, Protocol::Http1)).is_ok()
    }

    /// Whether anything at all is served for a name: not even an alert tells a certificate.
    pub(crate) fn serves_nothing(&self, name: &str) -> bool {
        let told = self.customers.visit(name).unwrap_err().to_string();
        told.contains("UnrecognisedName")
            || told.contains("unrecognised")
            || told.contains("AccessDenied")
    }
}

/// Orders of the target's own are no part of most tests.
const LEAVE: &str = "own_name = \"leave\"\n";

/// How many orders were placed for each name.
pub(crate) fn orders(passed: &[Passed]) -> BTreeMap<String, usize> {
    let mut orders = BTreeMap::new();
    for placed in passed.iter().filter(|p| p.path == "/order-plz" && p.status == 201) {
        let order: Value = serde_json::from_str(&placed.body).unwrap();
        let name = order["identifiers"][0]["value"].as_str().unwrap();
        *orders.entry(name.to_owned()).or_default() += 1;
    }
    orders
}
