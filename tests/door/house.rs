//! A whole door with a journal behind it, on ports that the kernel chose.

use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use rustls::pki_types::CertificateDer;
use serde_json::Value;
use tempfile::TempDir;
use waypost::clock::{Clock, SystemClock};
use waypost::disk::{Access, Disk, DiskFile, DiskLock, Entry, SystemDisk};
use waypost::drain::Drain;
use waypost::edge::{self, Door, Holdings, Sockets};
use waypost::event::Encoder;
use waypost::hostname::Hostname;
use waypost::journal::{self, Journal};
use waypost::metrics::Metrics;
use waypost::store::{SealKey, SealedFile};
use waypost::tls::{self, Certificates, ThrowawayAuthority};
use waypost::token::{Action, Claims, Keyring};

/// The door under test. Everything but the journal's threads runs on the test's own runtime.
pub(crate) struct House {
    pub(crate) https: SocketAddr,
    pub(crate) http: SocketAddr,
    pub(crate) keyring: Keyring,
    pub(crate) metrics: Metrics,
    pub(crate) drain: Drain,
    pub(crate) root: CertificateDer<'static>,
    pub(crate) disk: Arc<StickyDisk>,
    pub(crate) folder: TempDir,
    branch: Drain,
    journal: Journal,
}

pub(crate) const HOST: &str = "a.example";
pub(crate) const OTHER_HOST: &str = "b.example";
pub(crate) const CHALLENGE: &str = "abcdefghijklmnop";
/// A challenge whose answering panics.
pub(crate) const PANIC: &str = "panic-panic-panic";

impl House {
    /// A door with default settings but ports and what `set` changes.
    pub(crate) fn open(set: impl FnOnce(&mut edge::Config)) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let sticky = Arc::new(StickyDisk::default());
        let disk: Arc<dyn Disk> = sticky.clone();
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let (metrics, drain) = (Metrics::new(), Drain::new());
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        let mut config =
            edge::Config { https: vec![any], http: vec![any], ..edge::Config::default() };
        set(&mut config);

        let keyring = Keyring::load(Arc::clone(&disk), &folder.path().join("keys")).unwrap();
        keyring.create(clock.wall()).unwrap();
        let names = [HOST, OTHER_HOST].map(host).to_vec();
        let authority =
            ThrowawayAuthority::open(&*disk, &folder.path().join("ca"), names, clock.wall());
        let authority = authority.unwrap();
        let root = authority.certificate().clone();
        let tickets = SealedFile {
            path: folder.path().join("tickets"),
            purpose: "tickets",
            key: SealKey::load_or_make(&*disk, &folder.path().join("seal.key")).unwrap(),
            disk: Arc::clone(&disk),
        };
        let certificates = Certificates::open(
            &tls::Config::default(),
            Some(authority),
            tickets,
            Arc::clone(&disk),
            Arc::clone(&clock),
            &metrics,
        );
        let journal = Journal::open(
            &journal::Config {
                directory: folder.path().join("journal"),
                // A large one takes long to prepare where many tests share a disk.
                segment: 1 << 20,
                ..journal::Config::default()
            },
            disk,
            Arc::clone(&clock),
            &metrics,
            &drain,
        )
        .unwrap();
        let holdings = Holdings {
            certificates: certificates.unwrap(),
            keyring: keyring.clone(),
            encoder: Arc::new(Encoder::new(Default::default(), None, "node-1")),
            clock,
            challenges: Arc::new(|host, token| {
                assert!(token != PANIC, "as it shall");
                (host.as_str() == HOST && token == CHALLENGE).then(|| format!("{token}.thumbprint"))
            }),
            visits: Arc::new(|_| None),
            platform: None,
        };
        let (mut sockets, bound) = Sockets::bind(&config, 1).unwrap();
        let door = Door::new(config, holdings, ANSWER_WITHIN, &metrics);
        let branch = drain.branch();
        door.watch(&branch);
        let appender = journal.appender(metrics.ledger.open());
        let (settling, ending) = (appender.clone(), branch.clone());
        // Settles for as long as anybody else is at work.
        #[expect(clippy::disallowed_methods, reason = "it lasts as long as the test")]
        tokio::spawn(async move { settling.settle().await });
        door.reactor(appender, None, ending).serve(sockets.pop().unwrap()).unwrap();
        let (https, http) = (bound.https[0], bound.http[0]);
        Self { https, http, keyring, metrics, drain, root, disk: sticky, folder, branch, journal }
    }

    /// The path of a click link.
    pub(crate) fn click(&self, on: &str, url: &str) -> String {
        format!("/c/{}", self.seal(&self.keyring, on, Action::Click { url }))
    }

    /// The path of an open pixel.
    pub(crate) fn pixel(&self, on: &str) -> String {
        format!("/o/{}", self.seal(&self.keyring, on, Action::Open))
    }

    pub(crate) fn seal(&self, keyring: &Keyring, on: &str, action: Action<'_>) -> String {
        let mut claims = Claims::new(action);
        claims.message = Some("message-1");
        keyring.seal(&claims, &host(on), SystemClock.wall()).unwrap()
    }

    /// All events, once those of answers that could not wait for the disk are durable too.
    pub(crate) async fn events(&self) -> Vec<Value> {
        self.until("events_in_progress", 0).await;
        let (mut reader, mut events) = (self.journal.reader(0), Vec::new());
        while let Some(stored) = reader.read().unwrap() {
            events.push(serde_json::from_slice(stored.frame.body).unwrap());
        }
        events
    }

    /// The value of a metric, given as `name{label="value"}`; 0 when it is not there.
    pub(crate) fn metric(&self, name: &str) -> u64 {
        let (text, name) = (self.metrics.text(), format!("waypost_{name} "));
        let value = text.lines().find_map(|line| line.strip_prefix(&name));
        value.map_or(0, |value| value.parse().unwrap())
    }

    /// Waits until a metric has a value.
    pub(crate) async fn until(&self, name: &str, value: u64) {
        let reached = async {
            while self.metric(name) != value {
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        };
        let reached = tokio::time::timeout(PATIENCE, reached).await;
        assert!(reached.is_ok(), "{name} is {}, expected {value}", self.metric(name));
    }

    /// Drains the door; every task must end and the ledger balance.
    pub(crate) async fn close(self) {
        self.drain.begin();
        assert_eq!(self.branch.finished(PATIENCE).await, 0, "a task outlasts the drain");
        let counts = self.metrics.ledger.counts();
        assert!(counts.balances(), "{counts:?}");
        self.journal.close();
        assert_eq!(self.drain.finished(PATIENCE).await, 0, "a thread outlasts the journal");
    }
}

pub(crate) fn host(name: &str) -> Hostname {
    Hostname::parse(name).unwrap()
}

/// How long an answer waits for the disk in these tests.
pub(crate) const ANSWER_WITHIN: Duration = Duration::from_millis(400);
/// How long a test waits for what must happen.
pub(crate) const PATIENCE: Duration = Duration::from_secs(10);

/// The machine's disk, whose syncs can be made to hang.
#[derive(Clone, Debug, Default)]
pub(crate) struct StickyDisk {
    stuck: Arc<(Mutex<bool>, Condvar)>,
}

impl StickyDisk {
    /// Makes every sync hang, or lets all go on.
    pub(crate) fn stick(&self, is_stuck: bool) {
        *self.stuck.0.lock().unwrap() = is_stuck;
        self.stuck.1.notify_all();
    }
}

impl Disk for StickyDisk {
    fn create_directory(&self, path: &Path) -> io::Result<()> {
        SystemDisk.create_directory(path)
    }
    fn sync_directory(&self, path: &Path) -> io::Result<()> {
        SystemDisk.sync_directory(path)
    }
    fn list(&self, path: &Path) -> io::Result<Vec<Entry>> {
        SystemDisk.list(path)
    }
    fn create(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        let file = SystemDisk.create(path)?;
        Ok(Box::new(StickyFile { file, stuck: Arc::clone(&self.stuck) }))
    }
    fn open(&self, path: &Path, access: Access) -> io::Result<Box<dyn DiskFile>> {
        let file = SystemDisk.open(path, access)?;
        Ok(Box::new(StickyFile { file, stuck: Arc::clone(&self.stuck) }))
    }
    fn remove(&self, path: &Path) -> io::Result<()> {
        SystemDisk.remove(path)
    }
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        SystemDisk.rename(from, to)
    }
    fn lock(&self, path: &Path) -> io::Result<Option<DiskLock>> {
        SystemDisk.lock(path)
    }
}

#[derive(Debug)]
struct StickyFile {
    file: Box<dyn DiskFile>,
    stuck: Arc<(Mutex<bool>, Condvar)>,
}

impl DiskFile for StickyFile {
    fn read_at(&self, into: &mut [u8], offset: u64) -> io::Result<usize> {
        self.file.read_at(into, offset)
    }
    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        self.file.write_at(bytes, offset)
    }
    fn sync(&self) -> io::Result<()> {
        let stuck = self.stuck.0.lock().unwrap();
        drop(self.stuck.1.wait_while(stuck, |stuck| *stuck).unwrap());
        self.file.sync()
    }
    fn set_length(&self, length: u64) -> io::Result<()> {
        self.file.set_length(length)
    }
    fn length(&self) -> io::Result<u64> {
        self.file.length()
    }
}
