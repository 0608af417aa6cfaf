//! A node as a process: started, asked, killed, started again.

use std::env;
use std::fs::{self, DirEntry, OpenOptions};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::thread::sleep;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tempfile::TempDir;

use super::authority::Authority;
use super::client::Client;
use super::product::Mint;
use super::traces::Exceptions;

/// What a node is to be.
#[derive(Clone, Debug, Default)]
pub struct Setup {
    /// The names it has certificates for.
    pub hosts: Vec<String>,
    /// Lines for the section `[node]`.
    pub node: String,
    /// Lines for the section `[edge]`.
    pub edge: String,
    /// Lines for the section `[admin]`.
    pub admin: String,
    /// Lines for the section `[journal]`.
    pub journal: String,
    /// Further sections.
    pub more: String,
    /// What runs it.
    pub program: Program,
    /// Where its folder is made; without it, under the target folder, which is on a disk where
    /// /tmp may be memory.
    pub within: Option<PathBuf>,
}

/// What runs a node.
#[derive(Clone, Copy, Debug, Default)]
pub enum Program {
    /// `waypost serve`.
    #[default]
    Product,
    /// This test binary again, with only this ignored test of it, which finds the configuration
    /// by [`Setup::configuration`].
    Own(&'static str),
}

/// A node in a folder of its own, with certificates of its own authority. Killed when dropped.
pub struct Node {
    folder: PathBuf,
    program: Program,
    authority: Arc<Authority>,
    mint: Mint,
    /// Whether the operator's door answers without TLS.
    is_plain: bool,
    running: Option<Running>,
    /// Removed at last.
    _held: Option<TempDir>,
}

struct Running {
    child: Child,
    addresses: Addresses,
}

#[derive(Clone, Debug)]
struct Addresses {
    https: Vec<SocketAddr>,
    http: Vec<SocketAddr>,
    admin: SocketAddr,
}

/// Whether the long forms of tests are asked for.
pub fn is_long() -> bool {
    env::var_os("WAYPOST_LONG").is_some()
}

impl Setup {
    /// A node for these names.
    pub fn of(hosts: &[&str]) -> Self {
        Self { hosts: hosts.iter().map(|host| (*host).to_owned()).collect(), ..Self::default() }
    }

    /// In a process that [`Program::Own`] started: the configuration file.
    pub fn configuration() -> PathBuf {
        env::var(CONFIGURATION).expect("started by a test").into()
    }
}

impl Node {
    /// Starts a node; returns once it is ready.
    pub fn start(setup: &Setup) -> Self {
        let usual = Path::new(env!("CARGO_TARGET_TMPDIR"));
        let within = setup.within.as_deref().unwrap_or(usual);
        let folder = tempfile::tempdir_in(within).unwrap();
        let authority = Authority::new();
        let configuration = configuration(setup, &authority, folder.path());
        fs::write(folder.path().join("waypost.toml"), configuration).unwrap();
        let mint = Mint::new(&folder.path().join("data/keys"));
        if setup.within.is_some() {
            // What was written here is no part of what is tested, and there to stay.
            rustix::fs::syncfs(fs::File::open(folder.path()).unwrap()).unwrap();
        }
        let program = setup.program;
        let is_plain = !setup.admin.contains("chain =");
        let (path, held) = (folder.path().to_owned(), Some(folder));
        let authority = Arc::new(authority);
        let running = None;
        let mut node =
            Self { folder: path, program, authority, mint, is_plain, running, _held: held };
        node.restart();
        node
    }

    /// Starts the node that is found in a copy of a file system: what lay under `from` lies under
    /// `to` there. Runs the product.
    pub fn revive(&self, from: &Path, to: &Path) -> Self {
        let folder = to.join(self.folder.strip_prefix(from).unwrap());
        let file = folder.join("waypost.toml");
        let text = fs::read_to_string(&file).unwrap();
        fs::write(&file, text.replace(from.to_str().unwrap(), to.to_str().unwrap())).unwrap();
        let (authority, mint) = (Arc::clone(&self.authority), self.mint.clone());
        let (program, is_plain, running) = (Program::Product, self.is_plain, None);
        let mut node = Self { folder, program, authority, mint, is_plain, running, _held: None };
        node.restart();
        node
    }

    /// Starts the node again in the same folder, after [`Node::kill`] or [`Node::terminate`];
    /// returns once it is ready.
    pub fn restart(&mut self) {
        self.spawn();
        let addresses = self.ready();
        self.running.as_mut().unwrap().addresses = addresses;
    }

    /// Asks the node to end and starts the next one beside it, as a deployment without a pause
    /// does; `meanwhile` both run. Returns how the old one ended.
    pub fn restart_overlapped(&mut self, meanwhile: impl FnOnce()) -> ExitStatus {
        self.signal();
        let mut old = Old(self.running.take().expect("the node runs").child);
        self.spawn();
        meanwhile();
        let status = poll("the old one ends", || old.0.try_wait().unwrap());
        let addresses = self.ready();
        self.running.as_mut().unwrap().addresses = addresses;
        status
    }

    /// Starts the node again and kills it after `wait`, while it still starts or just has.
    pub fn restart_and_kill(&mut self, wait: Duration) {
        self.spawn();
        sleep(wait);
        self.kill();
    }

    /// Ends the node at once, as `kill -9` does.
    pub fn kill(&mut self) {
        let mut running = self.running.take().expect("the node runs");
        // One that has died already need not be killed.
        drop(running.child.kill());
        running.child.wait().unwrap();
    }

    /// Whether the process has ended by itself, or by somebody else's hand.
    pub fn has_died(&mut self) -> bool {
        let running = self.running.as_mut().expect("the node runs");
        running.child.try_wait().unwrap().is_some()
    }

    /// Asks the node to end, as an operator does.
    pub fn signal(&self) {
        let running = self.running.as_ref().expect("the node runs");
        kill_process(Pid::from_child(&running.child), Signal::TERM).unwrap();
    }

    /// Starts the node in the same folder, which must fail; returns its status and all it said.
    pub fn fail_to_start(&mut self) -> (ExitStatus, String) {
        self.spawn();
        let running = self.running.as_mut().expect("just started");
        let status = poll("the node ends", || running.child.try_wait().unwrap());
        self.running = None;
        (status, self.told())
    }

    /// Asks the node to end, as an operator does, and waits for it.
    pub fn terminate(&mut self) -> ExitStatus {
        self.signal();
        let running = self.running.as_mut().expect("the node runs");
        let status = poll("the node ends", || running.child.try_wait().unwrap());
        self.running = None;
        status
    }

    /// Where HTTPS is answered.
    pub fn https(&self) -> SocketAddr {
        self.addresses().https[0]
    }

    /// Where plain HTTP is answered.
    pub fn http(&self) -> SocketAddr {
        self.addresses().http[0]
    }

    /// Where the operator's door is.
    pub fn admin(&self) -> SocketAddr {
        self.addresses().admin
    }

    /// Stops the node at once, as a machine does that loses power; returns when all of it stands
    /// still.
    pub fn stop(&self) {
        let running = self.running.as_ref().expect("the node runs");
        kill_process(Pid::from_child(&running.child), Signal::STOP).unwrap();
        let tasks = format!("/proc/{}/task", running.child.id());
        poll("the node stands still", || {
            let mut tasks = fs::read_dir(&tasks).unwrap();
            let is_still = |task: DirEntry| {
                let stat = fs::read_to_string(task.path().join("stat")).unwrap_or_default();
                stat.rsplit_once(") ").is_none_or(|(_, rest)| rest.starts_with('T'))
            };
            tasks.all(|task| is_still(task.unwrap())).then_some(())
        });
    }

    /// Lets it go on.
    pub fn resume(&self) {
        let running = self.running.as_ref().expect("the node runs");
        kill_process(Pid::from_child(&running.child), Signal::CONT).unwrap();
    }

    /// The process.
    pub fn process(&self) -> u32 {
        self.running.as_ref().expect("the node runs").child.id()
    }

    /// The operator's door on this machine.
    pub fn socket(&self) -> PathBuf {
        self.data().join("admin.sock")
    }

    /// The data folder.
    pub fn data(&self) -> PathBuf {
        self.folder.join("data")
    }

    /// The configuration file.
    pub fn configuration(&self) -> PathBuf {
        self.folder.join("waypost.toml")
    }

    /// The authority of its certificates.
    pub fn authority(&self) -> &Authority {
        &self.authority
    }

    /// Mints links that this node opens.
    pub fn mint(&self) -> &Mint {
        &self.mint
    }

    /// A client that trusts this node's certificates.
    pub fn client(&self) -> Client {
        Client::new(self.authority.root())
    }

    /// Runs `waypost` with these arguments and this node's configuration: its status, standard
    /// output and standard error.
    pub fn command(&self, arguments: &[&str]) -> (i32, String, String) {
        let output = Command::new(env!("CARGO_BIN_EXE_waypost"))
            .args(arguments)
            .arg("--config")
            .arg(self.configuration())
            .output()
            .unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
    }

    /// What the operator's door answers to a GET: status and body.
    pub fn ask_admin(&self, path: &str) -> (u16, String) {
        get(self.admin(), path).unwrap_or_else(|| panic!("{path}\n{}", self.told()))
    }

    /// Everything that was recorded, one JSON object a line. The node may run.
    pub fn events(&self) -> String {
        let mut events = String::new();
        self.each_event(|event| events.extend([event, "\n"]));
        events
    }

    /// Tells of everything that was recorded, event by event. The node may run.
    pub fn each_event(&self, mut each: impl FnMut(&str)) {
        let mut child = Command::new(env!("CARGO_BIN_EXE_waypost"))
            .args(["journal", "cat", "--config"])
            .arg(self.configuration())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        for line in BufReader::new(child.stdout.take().unwrap()).lines() {
            each(&line.unwrap());
        }
        // With 1 it has printed what there is, and something is damaged: the judge's to find.
        let status = child.wait().unwrap();
        assert!(matches!(status.code(), Some(0 | 1)), "journal cat: {status}");
    }

    /// What the node's traces tell of events that were not recorded before they were answered.
    pub fn exceptions(&self) -> Exceptions {
        Exceptions::read(&self.told())
    }

    /// What the node said on standard error, since it was first started.
    pub fn told(&self) -> String {
        fs::read_to_string(self.traces()).unwrap_or_default()
    }

    fn spawn(&mut self) {
        assert!(self.running.is_none(), "the node still runs");
        let mut command = match self.program {
            Program::Product => {
                let mut command = Command::new(env!("CARGO_BIN_EXE_waypost"));
                command.arg("serve").arg("--config").arg(self.configuration());
                command
            }
            Program::Own(test) => {
                let mut command = Command::new(env::current_exe().unwrap());
                command.args(["--ignored", "--exact", test, "--nocapture"]);
                command.env(CONFIGURATION, self.configuration());
                command
            }
        };
        let traces = OpenOptions::new().create(true).append(true).open(self.traces()).unwrap();
        let stdin = Stdio::null();
        let child = command.stdin(stdin).stdout(Stdio::null()).stderr(traces).spawn().unwrap();
        // From here on the child is killed whatever happens.
        let unknown = SocketAddr::from(([0; 4], 0));
        let addresses = Addresses { https: vec![], http: vec![], admin: unknown };
        self.running = Some(Running { child, addresses });
    }

    fn traces(&self) -> PathBuf {
        self.folder.join("traces")
    }

    fn addresses(&self) -> &Addresses {
        &self.running.as_ref().expect("the node runs").addresses
    }

    /// Waits until the process that was just started says where it listens, and that it is ready.
    fn ready(&mut self) -> Addresses {
        let (file, told, is_plain) = (self.data().join("node.json"), self.traces(), self.is_plain);
        let child = &mut self.running.as_mut().unwrap().child;
        poll("the node is ready", || {
            if let Some(status) = child.try_wait().unwrap() {
                let told = fs::read_to_string(&told).unwrap_or_default();
                panic!("the node ended with {status}\n{told}");
            }
            // The file of a process that was killed is still there.
            let addresses = addresses(&file, child.id())?;
            let is_ready = !is_plain || get(addresses.admin, "/readyz")?.0 == 200;
            is_ready.then_some(addresses)
        })
    }
}

/// A process that was asked to end. Killed when dropped.
struct Old(Child);

impl Drop for Old {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        if let Some(mut running) = self.running.take() {
            drop(running.child.kill());
            drop(running.child.wait());
        }
        if std::thread::panicking() {
            eprintln!("the node said:\n{}", self.told());
        }
    }
}

fn configuration(setup: &Setup, authority: &Authority, folder: &Path) -> String {
    let Setup { hosts, node, edge, admin, journal, more, .. } = setup;
    let data = folder.join("data");
    let http = if edge.contains("http = ") { "" } else { "http = [\"127.0.0.1:0\"]" };
    let mut text = format!(
        "[node]\ndata = {data:?}\nname = \"{NAME}\"\n{node}\n\n\
         [edge]\nhttps = [\"127.0.0.1:0\"]\n{http}\n{edge}\n\n\
         [admin]\nlisten = \"127.0.0.1:0\"\n{admin}\n\n\
         [journal]\n{journal}\n\n{more}\n"
    );
    if !more.contains("[domains]") {
        // Nobody out there is asked anything.
        text += "\n[domains]\nadmission = \"registered\"\ntarget = \"\"\n";
    }
    for host in hosts {
        let files = authority.issue(host, folder);
        let (chain, key) = (files.chain, files.key);
        text += &format!(
            "\n[[tls.certificate]]\nhosts = [{host:?}]\nchain = {chain:?}\nkey = {key:?}\n"
        );
    }
    text
}

/// What `node.json` tells of the process `process`; `None` while there is no such file.
fn addresses(file: &Path, process: u32) -> Option<Addresses> {
    let told: Value = serde_json::from_slice(&fs::read(file).ok()?).ok()?;
    if told["pid"] != process {
        return None;
    }
    let address = |value: &Value| value.as_str()?.parse().ok();
    let addresses = |value: &Value| value.as_array()?.iter().map(address).collect::<Option<_>>();
    Some(Addresses {
        https: addresses(&told["https"])?,
        http: addresses(&told["http"])?,
        admin: address(&told["admin"])?,
    })
}

/// A GET over plain HTTP: status and body. `None` when nobody answers.
pub fn get(address: SocketAddr, path: &str) -> Option<(u16, String)> {
    let mut stream = TcpStream::connect(address).ok()?;
    stream.set_read_timeout(Some(PATIENCE)).ok()?;
    let request = format!("GET {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    let (head, body) = answer.split_once("\r\n\r\n")?;
    Some((head.split(' ').nth(1)?.parse().ok()?, body.to_owned()))
}

/// The most memory that a process had so far, in kB.
pub fn peak_memory(process: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

/// Asks again and again until there is an answer; panics when [`PATIENCE`] ends.
pub fn poll<T>(what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
    let begun = Instant::now();
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(begun.elapsed() < PATIENCE, "not within {PATIENCE:?}: {what}");
        sleep(Duration::from_millis(2));
    }
}

/// The name that every node gives itself in its events.
pub const NAME: &str = "node-under-test";
const CONFIGURATION: &str = "WAYPOST_TEST_CONFIGURATION";
const PATIENCE: Duration = Duration::from_secs(20);
