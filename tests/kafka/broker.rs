//! One broker, which is its own controller.

use std::fs::{self, OpenOptions};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::thread::sleep;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use super::jars::{fast_java, java};
use super::ports;
use crate::node::Authority;

/// A broker with a folder and an authority of its own. Killed when dropped.
pub struct Broker {
    folder: TempDir,
    authority: Authority,
    ports: Ports,
    is_fast: bool,
    running: Option<Child>,
}

#[derive(Clone, Copy, Debug)]
struct Ports {
    plain: u16,
    secure: u16,
    mutual: u16,
    controller: u16,
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

    /// A new broker that is ready. Ports that somebody else took meanwhile are exchanged.
    pub fn start() -> Self {
        Self::begin(false)
    }

    fn begin(is_fast: bool) -> Self {
        for _ in 0..5 {
            let mut broker = Self::stopped();
            broker.is_fast = is_fast;
            if broker.try_start() {
                return broker;
            }
        }
        panic!("no broker started");
    }

    /// A broker whose code is compiled for speed, for measuring.
    pub fn start_fast() -> Self {
        Self::begin(true)
    }

    /// Ends the broker at once, as `kill -9` does.
    pub fn kill(&mut self) {
        let mut child = self.running.take().expect("the broker runs");
        child.kill().unwrap();
        child.wait().unwrap();
    }

    /// Stops the broker's clock: connections stay open and nothing is answered.
    pub fn pause(&self) {
        self.signal(Signal::STOP);
    }

    /// Lets a paused broker go on.
    pub fn resume(&self) {
        self.signal(Signal::CONT);
    }

    /// Starts the broker again after [`Broker::kill`], with the same ports and data.
    pub fn restart(&mut self) {
        assert!(self.try_start(), "{}", self.told());
    }

    /// Where it answers anybody.
    pub fn plain(&self) -> String {
        format!("127.0.0.1:{}", self.ports.plain)
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

    fn signal(&self, signal: Signal) {
        let child = self.running.as_ref().expect("the broker runs");
        kill_process(Pid::from_child(child), signal).unwrap();
    }

    fn stopped() -> Self {
        let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        let authority = Authority::new();
        authority.file(folder.path());
        let files = authority.issue("localhost", folder.path());
        let (key, chain) = (fs::read(files.key).unwrap(), fs::read(files.chain).unwrap());
        fs::write(folder.path().join("broker.pem"), [key, chain].concat()).unwrap();
        let free = ports::free(4);
        let ports = Ports { plain: free[0], secure: free[1], mutual: free[2], controller: free[3] };
        let broker = Self { folder, authority, ports, is_fast: false, running: None };
        fs::write(broker.settings(), broker.properties()).unwrap();
        let scram = |mechanism| format!("{mechanism}=[name={USER},password={PASSWORD}]");
        let output = java(&[])
            .args(["kafka.tools.StorageTool", "format", "-t", "MkU3OEVBNTcwNTJENDM2Qk"])
            .args(["--add-scram", &scram("SCRAM-SHA-256"), "--add-scram", &scram("SCRAM-SHA-512")])
            .arg("-c")
            .arg(broker.settings())
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        broker
    }

    /// Starts the process; false when it ends before it answers.
    fn try_start(&mut self) -> bool {
        let log = OpenOptions::new().create(true).append(true).open(self.log()).unwrap();
        let java = if self.is_fast { fast_java } else { java };
        let child = java(&["-Xms256m", "-Xmx512m"])
            .arg("kafka.Kafka")
            .arg(self.settings())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap();
        let child = self.running.insert(child);
        let begun = Instant::now();
        let answers = |port| TcpStream::connect(("127.0.0.1", port)).is_ok();
        while ![self.ports.plain, self.ports.secure, self.ports.mutual].into_iter().all(answers) {
            if child.try_wait().unwrap().is_some() || begun.elapsed() > PATIENCE {
                self.running = None;
                return false;
            }
            sleep(Duration::from_millis(20));
        }
        true
    }

    fn told(&self) -> String {
        fs::read_to_string(self.log()).unwrap_or_default()
    }

    fn log(&self) -> PathBuf {
        self.folder.path().join("broker.log")
    }

    fn settings(&self) -> PathBuf {
        self.folder.path().join("server.properties")
    }

    fn properties(&self) -> String {
        let Ports { plain, secure, mutual, controller } = self.ports;
        let folder = self.folder.path().display();
        let doors = format!(
            "PLAIN://127.0.0.1:{plain},SECURE://localhost:{secure},MUTUAL://localhost:{mutual}"
        );
        let module = "org.apache.kafka.common.security";
        format!(
            "process.roles=broker,controller\n\
             node.id=1\n\
             controller.quorum.voters=1@127.0.0.1:{controller}\n\
             listeners={doors},CONTROLLER://127.0.0.1:{controller}\n\
             advertised.listeners={doors}\n\
             controller.listener.names=CONTROLLER\n\
             inter.broker.listener.name=PLAIN\n\
             listener.security.protocol.map=PLAIN:PLAINTEXT,SECURE:SASL_SSL,MUTUAL:SSL,CONTROLLER:PLAINTEXT\n\
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

impl Drop for Broker {
    fn drop(&mut self) {
        if let Some(mut child) = self.running.take() {
            drop(child.kill());
            drop(child.wait());
        }
    }
}

/// The user that SCRAM and PLAIN know.
pub const USER: &str = "edge";
/// Its password.
pub const PASSWORD: &str = "brokers-secret";
const PATIENCE: Duration = Duration::from_secs(60);
