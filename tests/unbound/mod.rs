//! Debian's unbound between a node and the zones: a resolver that remembers for an hour what is not
//! there.

#![allow(clippy::disallowed_methods, reason = "a test starts processes and reads clocks")]
#![allow(clippy::unwrap_used, reason = "a test may panic")]
#![allow(unreachable_pub, reason = "a module of tests")]

use std::fs::{self, File};
use std::net::{SocketAddr, UdpSocket};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use tempfile::TempDir;
use waypost::clock::SystemClock;
use waypost::disk::SystemDisk;
use waypost::dns::{Answer, Config, Kind, Lookup, Name, Question, Resolver};
use waypost::metrics::Metrics;

use crate::customers::missing;
use crate::dns::DnsServer;

/// Unbound, which asks the tests' own DNS server for everything. Killed when dropped.
pub struct Unbound {
    child: Child,
    /// Where it answers.
    pub address: SocketAddr,
    folder: TempDir,
}

impl Unbound {
    /// `None` when the program is missing.
    pub fn start(dns: &DnsServer) -> Option<Self> {
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
                missing("unbound", &error);
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
    pub fn ask(&self, name: &str, kind: Kind) -> Option<Answer> {
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
