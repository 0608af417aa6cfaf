//! A customer who looked a minute too early, with Debian's unbound between us and the zones: it
//! remembers "no such name" for an hour, and the customer does not wait for that.

#![allow(clippy::disallowed_methods, reason = "a test starts processes and reads clocks")]
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod customers;
mod dns;
mod node;

use std::fs::{self, File};
use std::net::{SocketAddr, UdpSocket};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use customers::{Customers, TARGET, dns, eventually};
use dns::{DnsServer, cname};
use tempfile::TempDir;
use waypost::clock::SystemClock;
use waypost::disk::SystemDisk;
use waypost::dns::{Answer, Config, Kind, Lookup, Name, Question, Resolver};
use waypost::metrics::Metrics;

/// Unbound, which asks the tests' own DNS server for everything. Killed when dropped.
struct Unbound {
    child: Child,
    address: SocketAddr,
    folder: TempDir,
}

impl Unbound {
    fn start(dns: &DnsServer) -> Option<Self> {
        for _ in 0..10 {
            let unbound = Self::try_start(dns)?;
            if unbound.is_answering() {
                return Some(unbound);
            }
        }
        panic!("unbound does not answer");
    }

    fn try_start(dns: &DnsServer) -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let port = UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let mut text = format!(
            "server:\n interface: 127.0.0.1\n port: {port}\n username: \"\"\n chroot: \"\"\n\
             directory: {:?}\n pidfile: \"\"\n use-syslog: no\n do-daemonize: no\n\
             do-not-query-localhost: no\n access-control: 127.0.0.0/8 allow\n\
             module-config: \"iterator\"\n local-zone: \"test.\" nodefault\n\
             cache-max-negative-ttl: 3600\nremote-control:\n control-enable: no\n",
            folder.path()
        );
        for zone in ["test", "example.test", "aksend.test", "evil.test"] {
            let port = dns.port();
            text += &format!("stub-zone:\n name: {zone:?}\n stub-addr: 127.0.0.2@{port}\n");
        }
        let file = folder.path().join("unbound.conf");
        fs::write(&file, text).unwrap();
        let told = File::create(folder.path().join("told")).unwrap();
        let started = Command::new("unbound")
            .args(["-d", "-p", "-c"])
            .arg(&file)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(told)
            .spawn();
        match started {
            Ok(child) => {
                let address = SocketAddr::from(([127, 0, 0, 1], port));
                Some(Self { child, address, folder })
            }
            Err(error) => {
                customers::missing("unbound", &error);
                None
            }
        }
    }

    fn is_answering(&self) -> bool {
        let begun = Instant::now();
        while begun.elapsed() < Duration::from_secs(5) {
            if self.ask("trk.aksend.test", Kind::A).is_some() {
                return true;
            }
        }
        eprintln!("{}", fs::read_to_string(self.folder.path().join("told")).unwrap_or_default());
        false
    }

    /// What it says; nothing of ours remembers it.
    fn ask(&self, name: &str, kind: Kind) -> Option<Answer> {
        let config = Config {
            servers: vec![self.address],
            timeout: Duration::from_millis(300),
            ..Config::default()
        };
        let clock = Arc::new(SystemClock);
        let resolver = Resolver::new(config, &SystemDisk, clock, &Metrics::new()).unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let question = Question::new(&Name::parse(name).unwrap(), kind);
        runtime.block_on(resolver.ask(&question)).ok().map(|reply| reply.answer)
    }
}

impl Drop for Unbound {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

#[test]
fn who_looked_too_early_is_let_in_within_a_poll_and_at_once_after_a_check() {
    let dns = dns();
    dns.zone("test", 3_600);
    let Some(unbound) = Unbound::start(&dns) else { return };
    // What is a minute by default is a second here.
    let polls = "poll_first = \"1s\"\nrefusal_first = \"1s\"\nquestions_per_domain = 1000\n";
    let customers = Customers::behind(dns, unbound.address, ("cname", polls, ""), &[]);
    let (polled, checked, visited) =
        ("polled.example.test", "checked.example.test", "visited.example.test");
    for name in [polled, checked] {
        customers.add(name);
        customers.becomes(name, "no_name");
    }
    drop(customers.visit(visited));
    let refused = "waypost_domain_visits_total{result=\"not_pointed\"}";
    eventually("a visit too early is refused", || (customers.metric(refused) > 0).then_some(()));
    for name in [polled, checked, visited] {
        assert_eq!(unbound.ask(name, Kind::Cname), Some(Answer::NoName));
    }
    // The customers mend it. The resolver will not know for an hour.
    for name in [polled, visited] {
        customers.dns.add(name, cname(TARGET));
    }
    let begun = Instant::now();
    customers.becomes(polled, "cname");
    println!("let in {:?} after it was mended, at one look a second", begun.elapsed());
    assert_eq!(unbound.ask(polled, Kind::Cname), Some(Answer::NoName), "it still does not know");
    eventually("the visitor comes again and is let in", || {
        drop(customers.visit(visited));
        customers.has(visited).then_some(())
    });
    customers.dns.add(checked, cname(TARGET));
    let begun = Instant::now();
    let (code, report) = customers.check(checked);
    println!("let in by a check in {:?}", begun.elapsed());
    assert_eq!((code, &report["state"]), (0, &"pointed".into()), "{report:#}");
}
