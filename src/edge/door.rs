//! The door put together: what all reactors share, and what each has of its own.

use std::fmt;
use std::future::Future;
use std::io;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use hyper::server::conn::http1;
use tokio::net::TcpListener;
use tokio::sync::Notify;

use super::admission::{Admission, Newcomer};
use super::answer::Answers;
use super::connection::LAST_CALL;
use super::desk::Window;
use super::listener::{Listener, Sockets};
use super::measures::{Measures, Tally};
use super::recorder::Recorder;
use super::rereading::Rereading;
use super::waiting::Waiters;
use super::{Config, Core, http1 as parked};
use crate::clock::Clock;
use crate::drain::Drain;
use crate::event::{Encoder, Ids};
use crate::hostname::Hostname;
use crate::journal::Appender;
use crate::metrics::Metrics;
use crate::shipper::Lane;
use crate::tls::Certificates;
use crate::token::Keyring;

/// Finds the key authorization for the challenge token of a name (RFC 8555 §8.3). Asked on the
/// reactor's thread, so it must not block.
pub type Challenges = Arc<dyn Fn(&Hostname, &str) -> Option<String> + Send + Sync>;

/// Told of a visit to a name that nothing is held for. Called on the reactor's thread, so it must
/// not block; what it returns ends when there is nothing more to wait for.
pub type Visits =
    Arc<dyn Fn(&Hostname) -> Option<Pin<Box<dyn Future<Output = ()> + Send>>> + Send + Sync>;

/// The platform's own host, on which customers' pages are.
#[derive(Clone, Debug)]
pub struct Platform {
    /// The host.
    pub host: Hostname,
    /// Scheme, host and port of its pages.
    pub origin: String,
    /// Where pages are asked for.
    pub desk: Window,
}

/// What the door uses and does not own.
#[derive(Clone)]
pub struct Holdings {
    /// The certificates, by name.
    pub certificates: Certificates,
    /// The keys of links.
    pub keyring: Keyring,
    /// The form of events.
    pub encoder: Arc<Encoder>,
    /// The clocks.
    pub clock: Arc<dyn Clock>,
    /// The ACME challenges to answer.
    pub challenges: Challenges,
    /// Who is told of visits to names that nothing is held for.
    pub visits: Visits,
    /// The platform's own host, when it has one.
    pub platform: Option<Platform>,
}

/// The public door of a process.
#[derive(Debug)]
pub struct Door {
    pub(super) config: Config,
    pub(super) holdings: Holdings,
    pub(super) core: Core,
    pub(super) admission: Admission,
    pub(super) rereading: Rereading,
    /// Places for handshakes that wait for an order.
    pub(super) waiters: Waiters,
    measures: Measures,
    answer_within: Duration,
    plain: Answers,
    secure: Answers,
}

/// One thread's half of the door. Everything of it runs on the runtime of that thread, which must
/// be a single-threaded one.
#[derive(Debug)]
pub struct Reactor {
    pub(super) door: Arc<Door>,
    pub(super) recorder: Recorder,
    pub(super) drain: Drain,
    pub(super) tally: Arc<Tally>,
    pub(super) http1: http1::Builder,
    /// Never held over a wait.
    pub(super) scratch: Mutex<Scratch>,
    is_ending: AtomicBool,
    /// Tells connections that the drain has begun: this reactor's own, since the process's signal
    /// is behind a lock.
    pub(super) ended: Notify,
}

/// What a request needs for a moment.
#[derive(Debug, Default)]
pub(super) struct Scratch {
    pub(super) ids: Ids,
    /// Where tokens are opened to.
    pub(super) opened: Vec<u8>,
    /// Where events are encoded to.
    pub(super) encoded: Vec<u8>,
}

impl Door {
    /// The door with its settings. An answer waits at most `answer_within` for its record.
    pub fn new(
        config: Config,
        holdings: Holdings,
        answer_within: Duration,
        metrics: &Metrics,
    ) -> Arc<Self> {
        let measures = Measures::default();
        metrics.register(|registry| registry.register_collector(Box::new(measures.clone())));
        let hsts = config.hsts.as_secs();
        let core = Core::new(&config, holdings.keyring.clone());
        Arc::new(Self {
            core: match &holdings.platform {
                Some(platform) => core.with_pages(platform.host.clone()),
                None => core,
            },
            admission: Admission::new(&config),
            waiters: Waiters::new(&config),
            rereading: Rereading::new(holdings.keyring.clone()),
            config,
            holdings,
            measures,
            answer_within,
            plain: Answers::plain(),
            secure: Answers::secure(hsts),
        })
    }

    /// Starts what reactors share, on the current runtime: link keys that a link names and we do
    /// not have are looked for again.
    pub fn watch(&self, drain: &Drain) {
        self.rereading.start(drain);
    }

    /// One more reactor. `lane` is its second path, if there is one; `drain` is a branch of its
    /// own.
    pub fn reactor(
        self: &Arc<Self>,
        appender: Appender,
        lane: Option<Lane>,
        drain: Drain,
    ) -> Arc<Reactor> {
        let recorder = Recorder::new(appender, self.answer_within);
        Arc::new(Reactor {
            recorder: match lane {
                Some(lane) => recorder.with_second_path(lane, self.answer_within),
                None => recorder,
            },
            drain,
            tally: self.measures.tally(),
            http1: parked::builder(),
            scratch: Mutex::default(),
            is_ending: AtomicBool::new(false),
            ended: Notify::new(),
            door: Arc::clone(self),
        })
    }
}

impl Reactor {
    /// Starts to accept, on the current runtime. When the drain begins, listeners close once
    /// nobody waits in them, requests in progress are answered, and connections end.
    pub fn serve(self: &Arc<Self>, sockets: Sockets) -> io::Result<()> {
        let mut listeners = Vec::new();
        for (socket, is_secure) in sockets
            .https
            .into_iter()
            .map(|socket| (socket, true))
            .chain(sockets.http.into_iter().map(|socket| (socket, false)))
        {
            let socket = TcpListener::from_std(socket)?;
            listeners.push(Listener { reactor: Arc::clone(self), socket, is_secure });
        }
        for listener in listeners {
            self.drain.spawn(listener.run());
        }
        let reactor = Arc::clone(self);
        self.drain.spawn(async move {
            tokio::select! {
                () = reactor.recorder.run() => {}
                () = reactor.drain.ending() => {}
            }
            reactor.is_ending.store(true, Ordering::Relaxed);
            reactor.ended.notify_waiters();
            // Answers of open connections may still wait for the disk, and not for ever.
            while reactor.tally.has_open() {
                reactor.recorder.pass().await;
            }
        });
        Ok(())
    }

    /// Counts a newcomer from `address`; `None`, and counted as well, when there are too many.
    pub(super) fn newcomer(&self, address: IpAddr) -> Option<Newcomer> {
        let newcomer = self.door.admission.newcomer(address);
        if newcomer.is_none() {
            self.tally.crowded();
        }
        newcomer
    }

    /// Resolves a while after the drain has begun: what is on its way is still answered, and a
    /// silent peer does not keep the process.
    pub(super) async fn last_call(&self) {
        let ended = self.ended.notified();
        if !self.is_ending() {
            ended.await;
        }
        tokio::time::sleep(LAST_CALL).await;
    }

    /// Whether the drain has begun.
    pub(super) fn is_ending(&self) -> bool {
        self.is_ending.load(Ordering::Relaxed)
    }

    pub(super) fn answers(&self, is_secure: bool) -> &Answers {
        if is_secure { &self.door.secure } else { &self.door.plain }
    }
}

impl fmt::Debug for Holdings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Holdings").field("certificates", &self.certificates).finish_non_exhaustive()
    }
}
