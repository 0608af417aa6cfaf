//! A node from its first breath to its last.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::num::NonZero;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::signal::unix::{SignalKind, signal};

use super::build::{self, Parts, ServeError};
use super::claim::{self, Claim};
use super::feed::{EachEvent, Feed};
use super::hostnames::Hostnames;
use super::keys::Keys;
use super::opening::Opening;
use super::reactors;
use super::readers::Readers;
use super::shipping::Kafka;
use crate::admin::{self, NodeFile, Readiness, Recent, Sample};
use crate::audit::schedule::Results;
use crate::clock::Clock;
use crate::config::Settings;
use crate::disk::Disk;
use crate::domains::Porter;
use crate::drain::Drain;
use crate::edge::{Bound, Door, Sockets};
use crate::hostname::Hostname;
use crate::journal::Intake;
use crate::metrics::{Counts, Metrics};
use crate::token::{Keyring, LinkForm, Mint, Row};

/// The outside world, as the node sees it.
#[derive(Clone, Debug)]
pub struct World {
    /// The file system.
    pub disk: Arc<dyn Disk>,
    /// The clocks.
    pub clock: Arc<dyn Clock>,
}

/// What `dev` adds to a node; all empty under `serve`.
#[derive(Default)]
pub struct Extras {
    /// Names that a throw-away authority answers for.
    pub throwaway: Vec<Hostname>,
    /// Makes the page that shows a sample mail, once addresses are known.
    pub sample: Option<MakeSample>,
    /// Told of each event as it becomes durable.
    pub each_event: Option<EachEvent>,
}

/// Makes the sample page for a node whose addresses are known.
pub type MakeSample = Box<dyn FnOnce(&Running) -> Sample + Send>;

impl fmt::Debug for Extras {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Extras").field("throwaway", &self.throwaway).finish_non_exhaustive()
    }
}

/// A node that answers.
#[derive(Clone, Debug)]
pub struct Running {
    /// Where HTTPS is answered.
    pub https: Vec<SocketAddr>,
    /// Where plain HTTP is answered.
    pub http: Vec<SocketAddr>,
    /// Where the operator's door is.
    pub admin: SocketAddr,
    /// The operator's door on this machine.
    pub socket: PathBuf,
    /// The throw-away authority's certificate.
    pub authority_file: Option<PathBuf>,
    /// The keys of links.
    pub keyring: Keyring,
}

/// How a node ended.
#[derive(Clone, Debug)]
pub struct Ended {
    /// The ledger's last balance.
    pub counts: Counts,
}

/// Runs a node until SIGTERM or SIGINT, then ends it in order: no new connections, requests in
/// progress answered, the journal made durable. `ready` is told when everything answers. Blocks.
pub fn serve(
    settings: &Settings,
    world: World,
    extras: Extras,
    ready: impl FnOnce(&Running),
) -> Result<Ended, ServeError> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(ServeError::Thread)?;
    runtime.block_on(Node::run(settings, world, extras, ready))
}

/// What must outlive the serving.
pub(super) struct Node {
    pub(super) metrics: Metrics,
    pub(super) readiness: Readiness,
    pub(super) drain: Drain,
    /// The operator's door goes on to tell why, while the public one ends.
    pub(super) admin_drain: Drain,
    pub(super) journal_drain: Drain,
    pub(super) intake: Intake,
}

/// What the operator's door shows of a node.
struct Shown {
    bound: Bound,
    token: Option<Vec<u8>>,
    keys: Keys,
    porter: Porter,
    audits: Results,
}

impl Node {
    async fn run(
        settings: &Settings,
        world: World,
        extras: Extras,
        ready: impl FnOnce(&Running),
    ) -> Result<Ended, ServeError> {
        // First of all, so that a signal during the start ends the node in order.
        let mut signals = Signals::new().map_err(ServeError::Thread)?;
        let metrics = Metrics::new();
        let claim = Claim::take(settings, &world, &metrics.degraded).await?;
        let admin = claim.door(settings, &world, &metrics.degraded)?;
        let parts = Parts::read(settings, &world, &extras.throwaway, &metrics)?;
        let token = build::admin_token(settings, &world)?;
        let count = reactor_count(settings);
        let (sockets, bound) = Sockets::bind(&settings.edge, count)?;
        let node = Self::over(Intake::new(&settings.journal, &metrics), metrics);
        let mut opening = Opening::begin(settings, &world, &node)?;
        let kafka = Kafka::start(settings, &world, &node.metrics)?;
        let journal = opening.in_time().await?;
        let (readiness, degraded) = (node.readiness.clone(), node.metrics.degraded.clone());
        let clock = Arc::clone(&world.clock);
        let keys = Keys::new(parts.keyring.clone(), readiness, degraded, clock);
        let (drain, grace) = (&node.drain, settings.shutdown.grace);
        let hostnames = Hostnames::start(settings, &world, &parts, &node.metrics, drain)?;
        let holdings = parts.holdings(&world, &hostnames);
        let within = settings.journal.answer_within;
        let door = Door::new(settings.edge.clone(), holdings, within, &node.metrics);
        door.watch(drain);
        parts.certificates.take_up(TAKE_UP).await;
        parts.certificates.watch(drain);
        keys.watch(settings.links.reload, drain);
        node.watch_journal(&world, within);
        hostnames.work(settings, &world, &node.intake, drain).await;
        let direct = kafka.as_ref().map(Kafka::direct);
        let appenders =
            reactors::start(&door, sockets, &node, direct, grace).map_err(ServeError::Thread)?;
        hostnames.audit(settings, &world, &node.metrics, drain);
        let kafka_now = kafka.as_ref();
        let mut readers =
            Readers { settings, world: &world, kafka: kafka_now, journal, opening, feed: None };
        let certificates = parts.certificates.clone();
        let (porter, audits) = (hostnames.porter.clone(), hostnames.results());
        let shown = Shown { bound, token, keys: keys.clone(), porter, audits };
        let serving = async {
            let admin = claim.door_in_time(admin, settings, &world, &node.metrics.degraded).await?;
            node.show(&mut readers, admin, shown, parts, (extras, ready))?;
            readers.follow_in_the_end(&node).await;
            Ok::<(), ServeError>(())
        };
        tokio::select! {
            failed = serving => failed?,
            () = signals.ending(&certificates, &keys) => {}
        }
        node.readiness.begin("draining");
        // From here on the next node may have the folder, while this one still answers.
        hostnames.let_go().await;
        claim.let_go(&world);
        signals.delay(settings.shutdown.delay).await;
        Ok(Ended { counts: node.end(grace, &appenders, kafka, &*world.clock).await })
    }

    fn over(intake: Intake, metrics: Metrics) -> Self {
        Self {
            metrics,
            readiness: Readiness::default(),
            drain: Drain::new(),
            admin_drain: Drain::new(),
            journal_drain: Drain::new(),
            intake,
        }
    }

    /// Tells, for as long as the operator's door does, whether the disk keeps up, and whether the
    /// journal's threads live: without one of them it takes nothing more, and the node answers on.
    fn watch_journal(&self, world: &World, within: Duration) {
        let (intake, degraded) = (self.intake.clone(), self.metrics.degraded.clone());
        let (clock, ending) = (Arc::clone(&world.clock), self.admin_drain.clone());
        let threads = self.journal_drain.clone();
        self.admin_drain.spawn(async move {
            tokio::select! {
                () = intake.watch(&*clock, &degraded, within) => {}
                () = threads.fallen() => degraded.begin("journal_thread"),
                () = ending.ending() => {}
            }
        });
    }

    /// Opens the operator's door, and tells where the node is.
    fn show(
        &self,
        readers: &mut Readers<'_>,
        door: admin::Door,
        shown: Shown,
        parts: Parts,
        (extras, ready): (Extras, impl FnOnce(&Running)),
    ) -> Result<(), ServeError> {
        let (settings, world) = (readers.settings, readers.world);
        let Shown { bound, token, keys, porter, audits } = shown;
        let running = Running {
            https: bound.https,
            http: bound.http,
            admin: door.address(),
            socket: NodeFile::socket_path(&settings.node.data),
            authority_file: parts.authority_file,
            keyring: parts.keyring,
        };
        readers.feed = self.open_admin(
            settings,
            world,
            extras,
            (door, token, keys, (porter, audits)),
            &running,
        )?;
        readers.begin(self)?;
        let file = self.node_file(settings, &running, world);
        self.tell(file, &settings.node.data, &world.disk);
        ready(&running);
        Ok(())
    }

    fn open_admin(
        &self,
        settings: &Settings,
        world: &World,
        extras: Extras,
        (door, token, keys, (domains, audits)): (
            admin::Door,
            Option<Vec<u8>>,
            Keys,
            (Porter, Results),
        ),
        running: &Running,
    ) -> Result<Option<Feed>, ServeError> {
        let is_dev = extras.sample.is_some() || extras.each_event.is_some();
        let recent = Recent::default();
        let tls = match (&settings.admin.chain, &settings.admin.key) {
            (Some(chain), Some(key)) => {
                let config = crate::tls::single(&*world.disk, chain, key, world.clock.wall());
                Some(config.map_err(ServeError::AdminCertificate)?)
            }
            _ => None,
        };
        let links = link_form(settings, running);
        let parts = admin::Parts {
            domains,
            audits,
            metrics: self.metrics.clone(),
            readiness: self.readiness.clone(),
            token,
            recent: is_dev.then(|| recent.clone()),
            sample: extras.sample.map(|sample| sample(running)),
            mint: Mint::new(running.keyring.clone(), links, Row::default()),
            clock: Arc::clone(&world.clock),
            reload_keys: Arc::new(move || keys.reload().map_err(|error| error.to_string())),
            tls,
        };
        door.serve(parts, &self.admin_drain);
        Ok(is_dev.then(|| Feed { recent, each: extras.each_event }))
    }

    /// Writes `node.json`. A disk that does not take it is asked again: the node answers.
    fn tell(&self, file: NodeFile, data: &Path, disk: &Arc<dyn Disk>) {
        let Err(error) = file.write(&**disk, data) else { return };
        tracing::warn!(%error, "node.json could not be written");
        let degraded = self.metrics.degraded.clone();
        degraded.begin(claim::REASON);
        let (data, disk, ending) = (data.to_owned(), Arc::clone(disk), self.drain.clone());
        self.drain.spawn(async move {
            loop {
                tokio::select! {
                    () = ending.ending() => return,
                    () = tokio::time::sleep(RETRY) => {}
                }
                if file.write(&*disk, &data).is_ok() {
                    return degraded.end(claim::REASON);
                }
            }
        });
    }

    fn node_file(&self, settings: &Settings, running: &Running, world: &World) -> NodeFile {
        NodeFile {
            pid: std::process::id(),
            started: world.clock.wall().to_string(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            https: running.https.clone(),
            http: running.http.clone(),
            admin: running.admin,
            socket: running.socket.clone(),
            links: link_form(settings, running),
        }
    }

    async fn end(
        &self,
        grace: Duration,
        appenders: &[crate::journal::Appender],
        kafka: Option<Kafka>,
        clock: &dyn Clock,
    ) -> Counts {
        let deadline = clock.now() + grace;
        tracing::info!("ending: no new connections");
        self.drain.begin();
        let left = self.drain.finished(grace + Duration::from_millis(500)).await;
        if left > 0 {
            tracing::warn!(tasks = left, "tasks outlasted the grace");
        }
        self.intake.close();
        if self.journal_drain.finished(JOURNAL_GRACE).await > 0 {
            tracing::error!("the disk did not take the last events in time");
            self.intake.abandon();
        }
        if let Some(kafka) = kafka {
            kafka.end(deadline, clock).await;
        }
        let lost = reactors::settle(appenders);
        if lost > 0 {
            tracing::error!(events = lost, "answered events were never recorded");
        }
        self.admin_drain.begin();
        if self.admin_drain.finished(ADMIN_GRACE).await > 0 {
            tracing::debug!("the operator's door was left with requests in progress");
        }
        self.metrics.ledger.counts()
    }
}

/// What links look like. A base with port 0 means the port that plain HTTP was given.
fn link_form(settings: &Settings, running: &Running) -> LinkForm {
    let port = running.http.first().map_or(0, SocketAddr::port);
    let mut form = settings.link_form();
    if let Some(front) = form.base.strip_suffix(":0") {
        form.base = format!("{front}:{port}");
    }
    form
}

/// SIGTERM and SIGINT end the node; SIGHUP has it read certificates and keys again.
struct Signals {
    terminate: tokio::signal::unix::Signal,
    interrupt: tokio::signal::unix::Signal,
    hang_up: tokio::signal::unix::Signal,
    /// Taken so that a file past the limit of its size is an error to the journal, as every
    /// other error of the disk, and not this process's end.
    _file_too_large: tokio::signal::unix::Signal,
}

impl Signals {
    fn new() -> io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hang_up: signal(SignalKind::hangup())?,
            _file_too_large: signal(SignalKind::from_raw(libc::SIGXFSZ))?,
        })
    }

    /// Waits for `delay`, or for one more signal to end.
    async fn delay(&mut self, delay: Duration) {
        if !delay.is_zero() {
            tracing::info!(?delay, "ending: no longer ready, answering on for a while");
        }
        tokio::select! {
            () = tokio::time::sleep(delay) => {}
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }

    async fn ending(&mut self, certificates: &crate::tls::Certificates, keys: &Keys) {
        loop {
            tokio::select! {
                _ = self.terminate.recv() => return,
                _ = self.interrupt.recv() => return,
                _ = self.hang_up.recv() => {}
            }
            let (certificates, keys) = (certificates.clone(), keys.clone());
            let read = tokio::task::spawn_blocking(move || {
                let replaced = certificates.reload();
                tracing::info!(replaced, "SIGHUP: certificates were read again");
                if let Err(error) = keys.reload() {
                    tracing::warn!(%error, "SIGHUP: the link keys stay as they were");
                }
            });
            if let Err(error) = read.await {
                tracing::error!(%error, "reading after SIGHUP ended by a panic");
            }
        }
    }
}

fn reactor_count(settings: &Settings) -> usize {
    match settings.node.reactors {
        0 => std::thread::available_parallelism().map_or(1, NonZero::get),
        count => count,
    }
}

/// How long a start waits for the keys of sessions from before it.
const TAKE_UP: Duration = Duration::from_millis(500);
/// How long after a failure `node.json` is written again.
const RETRY: Duration = Duration::from_secs(5);
/// How long the journal may take to make the last events durable.
const JOURNAL_GRACE: Duration = Duration::from_secs(5);
/// How long a request to the operator's door may take to finish.
const ADMIN_GRACE: Duration = Duration::from_secs(1);
