//! A node with customers' pages, and who asks for them.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::Request;
use http_body_util::Empty;
use serde_json::Value;
use waypost::clock::{Clock, SystemClock};
use waypost::disk::SystemDisk;
use waypost::hostname::Hostname;
use waypost::token::{Keyring, Pass};

use crate::customers::Customers;
use crate::dns::{DnsServer, a, cname, txt};
use crate::node::{Answer, Node, Protocol, Session, Setup};

/// The platform's own host; browsers know where it is.
pub(crate) const PLATFORM: &str = "pages.localhost";
/// A customer's name.
pub(crate) const NAME: &str = "trk.one.example.test";

/// A node with customers' pages.
pub(crate) struct Front {
    pub(crate) customers: Customers,
}

impl Front {
    /// With lines for `[edge]`, and the longest that a question may take.
    pub(crate) fn start(edge: &str, timeout: &str) -> Self {
        let dns = Self::zones(0);
        dns.change(|records| records.ttl = 0);
        let resolver = dns.resolver();
        Self::behind(dns, resolver, edge, timeout)
    }

    /// The zones, whose absences may be remembered for so many seconds.
    pub(crate) fn zones(negative_ttl: u32) -> DnsServer {
        let dns = DnsServer::start(2);
        for zone in ["localhost", "example.test"] {
            dns.zone(zone, negative_ttl);
        }
        dns.add(PLATFORM, a([127, 0, 0, 1]));
        dns.add("spf.example.test", txt(&["v=spf1 ip4:198.51.100.0/24 -all"]));
        dns
    }

    /// With a resolver between the node and the zones.
    pub(crate) fn behind(dns: DnsServer, resolver: SocketAddr, edge: &str, timeout: &str) -> Self {
        let port = dns.port();
        // One audit a second: what the tests look at is demanded.
        let more = format!(
            "[dns]\nservers = [\"{resolver}\"]\ntimeout = \"{timeout}\"\nzone_port = {port}\n\
             server_rate = 10000\n\n[domains]\nadmission = \"registered\"\ntarget = \"{PLATFORM}\"\n\
             poll_rate = 0\nauthorities = [\"ca.test\"]\n\n[audit]\nrate = 1\n[audit.expect]\n\
             spf_include = \"spf.example.test\"\nspf = \"v=spf1 include:spf.example.test -all\"\n"
        );
        let edge = format!("operator = \"Example <Mail>\"\n{edge}");
        let node = Node::start(&Setup { more, edge, ..Setup::of(&[PLATFORM, NAME]) });
        Self { customers: Customers { dns, node } }
    }

    /// Publishes what the platform asks for, for the mail of `domain`.
    pub(crate) fn publish(&self, domain: &str) {
        let dns = &self.customers.dns;
        dns.add(domain, txt(&["v=spf1 include:spf.example.test -all"]));
        let dmarc = "v=DMARC1; p=reject; rua=mailto:report@example.test";
        dns.add(&format!("_dmarc.{domain}"), txt(&[dmarc]));
        dns.add(&format!("trk.{domain}"), cname(PLATFORM));
    }

    /// The path of the page of a name, as the command tells it.
    pub(crate) fn link(&self, name: &str) -> String {
        let (code, out, err) = self.customers.node.command(&["domain", "link", name]);
        assert_eq!(code, 0, "{err}");
        let path = out.trim().strip_prefix("https://pages.localhost").expect("on the platform");
        path.to_owned()
    }

    /// A pass with the node's own keys.
    pub(crate) fn pass(&self, pass: &Pass, host: &str) -> String {
        let keys = Keyring::load(Arc::new(SystemDisk), &self.customers.node.data().join("keys"));
        let host = Hostname::parse(host).unwrap();
        keys.unwrap().seal_pass(pass, &host, SystemClock.wall()).unwrap()
    }

    /// A file with what a browser is to trust.
    pub(crate) fn root(&self, folder: &Path) -> std::path::PathBuf {
        self.customers.node.authority().file(folder)
    }

    /// Asks over TLS.
    pub(crate) fn ask(&self, asked: &Asked<'_>) -> Answer {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let node = &self.customers.node;
        runtime.block_on(async {
            let client = node.client();
            let mut session =
                client.connect(node.https(), asked.host, asked.protocol).await.unwrap();
            session.send(asked.request(&session)).await.unwrap()
        })
    }

    /// Asks for a page over HTTP/1.1.
    pub(crate) fn get(&self, path: &str) -> (u16, String) {
        let answer = self.ask(&Asked::of("GET", path));
        (answer.status.as_u16(), String::from_utf8(answer.body.to_vec()).unwrap())
    }

    /// Presses the button, as a browser does.
    pub(crate) fn press(&self, path: &str) -> Answer {
        let path = format!("{path}/check");
        self.ask(&Asked {
            fields: &[("origin", "null"), ("sec-fetch-site", "same-origin")],
            ..Asked::of("POST", &path)
        })
    }

    /// The last audit of a name; null when there was none.
    pub(crate) fn audit(&self, name: &str) -> Value {
        let (status, mut answer) =
            self.customers.ask("GET", &format!("/v1/domains/{name}/audit"), "");
        assert_eq!(status, 200, "{answer}");
        answer["audit"].take()
    }
}

/// What is asked for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Asked<'a> {
    pub(crate) method: &'a str,
    pub(crate) host: &'a str,
    pub(crate) path: &'a str,
    pub(crate) fields: &'a [(&'a str, &'a str)],
    pub(crate) protocol: Protocol,
}

impl<'a> Asked<'a> {
    pub(crate) fn of(method: &'a str, path: &'a str) -> Self {
        Self { method, host: PLATFORM, path, fields: &[], protocol: Protocol::Http1 }
    }

    fn request(&self, session: &Session) -> Request<Empty<Bytes>> {
        let mut request = Request::builder().method(self.method);
        request = match session {
            Session::Http1(_) => request.uri(self.path).header("host", self.host),
            Session::Http2(_) => request.uri(format!("https://{}{}", self.host, self.path)),
        };
        for (name, value) in self.fields {
            request = request.header(*name, *value);
        }
        request.body(Empty::new()).unwrap()
    }
}

/// Long enough for anything that is bounded.
pub(crate) const DAY: Duration = Duration::from_secs(86_400);
