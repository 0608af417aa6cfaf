//! Three brokers and a controller of their own.

use std::fs;
use std::path::Path;

use rdkafka::admin::TopicReplication;
use tempfile::TempDir;

use super::ports;
use super::server::Server;
use super::topic;

/// A cluster without protection. Killed when dropped.
pub struct Cluster {
    brokers: Vec<Server>,
    ports: Vec<u16>,
    _controller: Server,
    _folder: TempDir,
}

impl Cluster {
    /// A new cluster that is ready. Ports that somebody else took meanwhile are exchanged.
    pub fn start() -> Self {
        (0..5).find_map(|_| Self::try_start()).expect("no cluster started")
    }

    fn try_start() -> Option<Self> {
        let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        let ports = ports::free(BROKERS + 1);
        let (door, ports) = (ports[BROKERS], ports[..BROKERS].to_vec());
        let server = |name: &str, node: usize, own: &str, port: u16| {
            let file = folder.path().join(name).with_extension("properties");
            fs::write(&file, properties(&folder.path().join(name), node, door) + own).unwrap();
            Server::format(&file, &[port], &[])
        };
        let own = format!("process.roles=controller\nlisteners=CONTROLLER://127.0.0.1:{door}\n");
        let mut controller = server("controller", CONTROLLER, &own, door);
        let mut brokers = Vec::new();
        for (index, port) in ports.iter().enumerate() {
            let own = format!(
                "process.roles=broker\nlisteners=PLAIN://127.0.0.1:{port}\n\
                 inter.broker.listener.name=PLAIN\n"
            );
            brokers.push(server(&format!("broker-{}", index + 1), index + 1, &own, *port));
        }
        controller.spawn();
        brokers.iter_mut().for_each(Server::spawn);
        let is_ready = controller.is_ready() && brokers.iter_mut().all(Server::is_ready);
        is_ready.then_some(Self { brokers, ports, _controller: controller, _folder: folder })
    }

    /// All its brokers, separated by commas.
    pub fn bootstrap(&self) -> String {
        let addresses: Vec<_> = self.ports.iter().map(|port| format!("127.0.0.1:{port}")).collect();
        addresses.join(",")
    }

    /// Makes a topic with three replicas, two of which must have what is acknowledged.
    pub fn create_topic(&self, name: &str, partitions: i32) {
        let replicas = TopicReplication::Fixed(3);
        let settings = [("min.insync.replicas", "2")];
        topic::create(&self.bootstrap(), name, partitions, replicas, &settings);
    }

    /// The broker (1 to 3) that leads a partition; `None` while none does.
    pub fn leader(&self, topic: &str, partition: i32) -> Option<usize> {
        usize::try_from(topic::leader(&self.bootstrap(), topic, partition)).ok()
    }

    /// Ends a broker (1 to 3) at once, as `kill -9` does.
    pub fn kill(&mut self, broker: usize) {
        self.brokers[broker - 1].kill();
    }

    /// Starts it again with its data; returns when it answers.
    pub fn restart(&mut self, broker: usize) {
        self.brokers[broker - 1].restart();
    }

    /// The values of everything in a topic now.
    pub fn values(&self, topic: &str) -> Vec<String> {
        let records = topic::read(&self.bootstrap(), topic);
        records.into_iter().map(|record| record.value).collect()
    }
}

fn properties(folder: &Path, node: usize, controller: u16) -> String {
    format!(
        "node.id={node}\n\
         controller.quorum.voters={CONTROLLER}@127.0.0.1:{controller}\n\
         controller.listener.names=CONTROLLER\n\
         listener.security.protocol.map=PLAIN:PLAINTEXT,CONTROLLER:PLAINTEXT\n\
         log.dirs={}\n\
         auto.create.topics.enable=false\n\
         offsets.topic.replication.factor=3\n\
         # One that was killed is found to be gone rather soon.\n\
         broker.session.timeout.ms=6000\n\
         broker.heartbeat.interval.ms=500\n",
        folder.display()
    )
}

const BROKERS: usize = 3;
const CONTROLLER: usize = 100;
