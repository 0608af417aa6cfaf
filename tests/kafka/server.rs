//! One process of Kafka's, with a file of properties.

use std::fs::{self, OpenOptions};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use super::jars::{fast_java, java};

/// A broker, a controller, or both. Killed when dropped.
pub(super) struct Server {
    properties: PathBuf,
    /// What it must answer on before it is ready.
    ports: Vec<u16>,
    is_fast: bool,
    running: Option<Child>,
}

impl Server {
    /// A server that does not run yet, with its properties in a file and its folder formatted;
    /// `scram` names who may log in.
    pub(super) fn format(properties: &Path, ports: &[u16], scram: &[String]) -> Self {
        let mut format = java(&[]);
        format.args(["kafka.tools.StorageTool", "format", "-t", "MkU3OEVBNTcwNTJENDM2Qk"]);
        format.args(scram.iter().flat_map(|user| ["--add-scram", user]));
        let output = format.arg("-c").arg(properties).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let (properties, ports) = (properties.to_owned(), ports.to_vec());
        Self { properties, ports, is_fast: false, running: None }
    }

    /// The same, its code compiled for speed.
    pub(super) fn fast(mut self) -> Self {
        self.is_fast = true;
        self
    }

    /// Starts the process and returns at once.
    pub(super) fn spawn(&mut self) {
        let log = OpenOptions::new().create(true).append(true).open(self.log()).unwrap();
        let java = if self.is_fast { fast_java } else { java };
        let child = java(&["-Xms256m", "-Xmx512m"])
            .arg("kafka.Kafka")
            .arg(&self.properties)
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap();
        self.running = Some(child);
    }

    /// Waits until it answers; false when it ends before.
    pub(super) fn is_ready(&mut self) -> bool {
        let child = self.running.as_mut().expect("the server runs");
        let begun = Instant::now();
        let answers = |port: &u16| TcpStream::connect(("127.0.0.1", *port)).is_ok();
        while !self.ports.iter().all(answers) {
            if child.try_wait().unwrap().is_some() || begun.elapsed() > PATIENCE {
                self.running = None;
                return false;
            }
            sleep(Duration::from_millis(20));
        }
        true
    }

    /// Starts it again after [`Server::kill`], with the same ports and data; returns when it
    /// answers.
    pub(super) fn restart(&mut self) {
        self.spawn();
        assert!(self.is_ready(), "{}", self.told());
    }

    /// Ends it at once, as `kill -9` does.
    pub(super) fn kill(&mut self) {
        let mut child = self.running.take().expect("the server runs");
        child.kill().unwrap();
        child.wait().unwrap();
    }

    pub(super) fn signal(&self, signal: Signal) {
        let child = self.running.as_ref().expect("the server runs");
        kill_process(Pid::from_child(child), signal).unwrap();
    }

    pub(super) fn told(&self) -> String {
        fs::read_to_string(self.log()).unwrap_or_default()
    }

    fn log(&self) -> PathBuf {
        self.properties.with_extension("log")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(mut child) = self.running.take() {
            drop(child.kill());
            drop(child.wait());
        }
    }
}

const PATIENCE: Duration = Duration::from_secs(60);
