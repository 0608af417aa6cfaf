//! One broker, which is its own controller.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use rustix::process::Signal;
use tempfile::TempDir;

use super::ports;
use super::proxy::Proxy;
use super::server::Server;
use crate::node::Authority;

/// A broker with a folder and an authority of its own. Killed when dropped.
pub struct Broker {
    server: Server,
    folder: TempDir,
    authority: Authority,
    ports: Ports,
}

#[derive(Clone, Copy, Debug)]
struct Ports {
    plain: u16,
    secure: u16,
    mutual: u16,
    controller: u16,
    /// The door that is said to be where a proxy is.
    behind: u16,
    proxy: u16,
}

impl Broker {
    /// The broker that tests share while one of them is running.
    pub fn shared() -> Arc<Self> {
        static SHARED: Mutex<Weak<Broker>> = Mutex::new(Weak::new());
        let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
        shared.upgrade().unwrap_or_else(|| {
            let broker = Arc::new(Self::start());
            *shared = Arc::downgrade(&broker);
            broker
        })
    }

    /// A new broker that is ready.
    pub fn start() -> Self {
        Self::begin(|server| server, None)
    }

    /// A broker whose code is compiled for speed, for measuring.
    pub fn start_fast() -> Self {
        Self::begin(Server::fast, None)
    }

    /// A broker that also answers through a proxy, and knows that door by the proxy's address.
    pub fn start_behind(proxy: &Proxy) -> Self {
        let broker = Self::begin(|server| server, Some(proxy.port()));
        proxy.lead_to(broker.ports.behind);
        broker
    }

    /// Ports that somebody else took meanwhile are exchanged.
    fn begin(manner: impl Fn(Server) -> Server, proxy: Option<u16>) -> Self {
        for _ in 0..5 {
            let mut broker = Self::stopped(&manner, proxy);
            broker.server.spawn();
            if broker.server.is_ready() {
                return broker;
            }
        }
        panic!("no broker started");
    }

    /// Ends the broker at once, as `kill -9` does.
    pub fn kill(&mut self) {
        self.server.kill();
    }

    /// Stops the broker's clock: connections stay open and nothing is answered.
    pub fn pause(&self) {
        self.server.signal(Signal::STOP);
    }

    /// Lets a paused broker go on.
    pub fn resume(&self) {
        self.server.signal(Signal::CONT);
    }

    /// Starts the broker again after [`Broker::kill`], with the same ports and data.
    pub fn restart(&mut self) {
        self.server.restart();
    }

    /// Where it answers anybody.
    pub fn plain(&self) -> String {
        format!("127.0.0.1:{}", self.ports.plain)
    }

    /// Where it answers anybody through the proxy.
    pub fn proxied(&self) -> String {
        format!("127.0.0.1:{}", self.ports.proxy)
    }

    /// Where it answers [`USER`] under TLS.
    pub fn secure(&self) -> String {
        format!("localhost:{}", self.ports.secure)
    }

    /// Where it answers whoever has a certificate of [`Broker::authority`], under TLS.
    pub fn mutual(&self) -> String {
        format!("localhost:{}", self.ports.mutual)
    }

    /// Who signed its certificate.
    pub fn authority(&self) -> &Authority {
        &self.authority
    }

    /// The file with what clients are to trust.
    pub fn ca(&self) -> PathBuf {
        self.folder.path().join("root.pem")
    }

    /// A folder for files beside it.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    fn stopped(manner: impl Fn(Server) -> Server, proxy: Option<u16>) -> Self {
        let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        let authority = Authority::new();
        authority.file(folder.path());
        let files = authority.issue("localhost", folder.path());
        let (key, chain) = (fs::read(files.key).unwrap(), fs::read(files.chain).unwrap());
        fs::write(folder.path().join("broker.pem"), [key, chain].concat()).unwrap();
        let free = ports::free(5);
        let [plain, secure, mutual, controller, behind] = free[..] else { panic!("{free:?}") };
        let proxy = proxy.unwrap_or(behind);
        let ports = Ports { plain, secure, mutual, controller, behind, proxy };
        let file = folder.path().join("server.properties");
        fs::write(&file, ports.properties(folder.path())).unwrap();
        let scram = |mechanism| format!("{mechanism}=[name={USER},password={PASSWORD}]");
        let scram = ["SCRAM-SHA-256", "SCRAM-SHA-512"].map(scram);
        let server = Server::format(&file, &[plain, secure, mutual, behind], &scram);
        Self { server: manner(server), folder, authority, ports }
    }
}

impl Ports {
    fn properties(self, folder: &Path) -> String {
        let Self { plain, secure, mutual, controller, behind, proxy } = self;
        let folder = folder.display();
        let doors = format!(
            "PLAIN://127.0.0.1:{plain},SECURE://localhost:{secure},MUTUAL://localhost:{mutual},\
             BEHIND://127.0.0.1"
        );
        let module = "org.apache.kafka.common.security";
        format!(
            "process.roles=broker,controller\n\
             node.id=1\n\
             controller.quorum.voters=1@127.0.0.1:{controller}\n\
             listeners={doors}:{behind},CONTROLLER://127.0.0.1:{controller}\n\
             advertised.listeners={doors}:{proxy}\n\
             controller.listener.names=CONTROLLER\n\
             inter.broker.listener.name=PLAIN\n\
             listener.security.protocol.map=PLAIN:PLAINTEXT,SECURE:SASL_SSL,MUTUAL:SSL,BEHIND:PLAINTEXT,CONTROLLER:PLAINTEXT\n\
             ssl.keystore.type=PEM\n\
             ssl.keystore.location={folder}/broker.pem\n\
             ssl.truststore.type=PEM\n\
             ssl.truststore.location={folder}/root.pem\n\
             listener.name.mutual.ssl.client.auth=required\n\
             sasl.enabled.mechanisms=PLAIN,SCRAM-SHA-256,SCRAM-SHA-512\n\
             listener.name.secure.plain.sasl.jaas.config={module}.plain.PlainLoginModule required user_{USER}=\"{PASSWORD}\";\n\
             listener.name.secure.scram-sha-256.sasl.jaas.config={module}.scram.ScramLoginModule required;\n\
             listener.name.secure.scram-sha-512.sasl.jaas.config={module}.scram.ScramLoginModule required;\n\
             log.dirs={folder}/data\n\
             # As a fresh Kafka has it: nothing of ours may make use of it.\n\
             auto.create.topics.enable=true\n\
             offsets.topic.replication.factor=1\n\
             offsets.topic.num.partitions=1\n\
             transaction.state.log.replication.factor=1\n\
             share.coordinator.state.topic.replication.factor=1\n\
             group.initial.rebalance.delay.ms=0\n\
             # One that was killed may come back at once.\n\
             broker.session.timeout.ms=2000\n\
             broker.heartbeat.interval.ms=400\n\
             delete.topic.enable=true\n\
             num.partitions=1\n"
        )
    }
}

/// The user that SCRAM and PLAIN know.
pub const USER: &str = "edge";
/// Its password.
pub const PASSWORD: &str = "brokers-secret";
