//! The front of the house of certificates: one question, by hostname.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use moka::future::Cache;
use prometheus_client::metrics::gauge::Gauge;
use rustls::ServerConfig;
use thiserror::Error;

use super::authority::{Issued, ThrowawayAuthority};
use super::files::Files;
use super::protocol::Protocol;
use super::record::Record;
use super::shelf::Shelf;
use super::tickets::Tickets;
use super::{AuthorityError, Config, FilesError, Remaining};
use crate::clock::Clock;
use crate::disk::Disk;
use crate::drain::Drain;
use crate::hostname::Hostname;
use crate::metrics::{Degraded, Metrics};
use crate::store::{Due, SealedFile, Store, StoreError};

/// The certificates that we can serve. Cloning shares them.
#[derive(Clone)]
pub struct Certificates {
    held: Arc<Held>,
}

struct Held {
    files: Files,
    authority: Option<ThrowawayAuthority>,
    /// Certificates in the store.
    shelf: Shelf,
    /// Ready configurations of certificates that our own authority made. Loads are coalesced: a
    /// thousand visitors of a new name make one certificate.
    cache: Cache<Hostname, Issued>,
    clock: Arc<dyn Clock>,
    protocol: Protocol,
    tickets: Tickets,
    reload: Duration,
    earliest: Gauge,
    degraded: Degraded,
}

/// Why no certificate was found.
#[derive(Clone, Debug, Error)]
pub enum Miss {
    /// We hold none for this name.
    #[error("no certificate is held for {0}")]
    Unknown(Hostname),
    /// Whether we hold one cannot be known now: our fault, worth a retry.
    #[error("no certificate could be looked up: {0}")]
    Store(StoreError),
    /// The authority of ours did not issue one: our fault, worth a retry.
    #[error("no certificate could be issued: {0}")]
    Authority(Arc<AuthorityError>),
}

/// Why certificates cannot be served at start.
#[derive(Debug, Error)]
pub enum StartError {
    /// The cryptography library refused the protocol settings: our fault.
    #[error("the TLS settings are refused: {0}")]
    Protocol(#[from] rustls::Error),
    /// There are files and none can be served: the operator's fault, all of them told.
    #[error("no certificate can be served: {}", told(.0))]
    Files(Vec<FilesError>),
}

fn told(errors: &[FilesError]) -> String {
    errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}

impl Certificates {
    /// Reads the configured files, and uses `authority` for its names. All other certificates and
    /// the keys of session tickets are in the store that is attached later; `earlier` is where the
    /// keys were before. Blocks.
    ///
    /// Files that cannot be served are left out until they are mended, which
    /// [`Certificates::require_one`] is for.
    pub fn open(
        config: &Config,
        authority: Option<ThrowawayAuthority>,
        earlier: SealedFile,
        disk: Arc<dyn Disk>,
        clock: Arc<dyn Clock>,
        metrics: &Metrics,
    ) -> Result<Self, StartError> {
        let tickets = Tickets::open(earlier, clock.wall())?;
        let protocol = Protocol::new(config.oldest, Some(tickets.clone()))?;
        let files = Files::open(&config.certificates, protocol.clone(), disk, Arc::clone(&clock));
        let earliest = Gauge::default();
        metrics.register(|registry| {
            let help = "When the first certificate kept in files expires, in seconds since 1970";
            registry.register("certificate_earliest_not_after_seconds", help, earliest.clone());
        });
        let (cache, shelf) = (Cache::new(config.cache), Shelf::new(config.cache));
        let reload = config.reload;
        let degraded = metrics.degraded.clone();
        let held = Held {
            files,
            authority,
            shelf,
            cache,
            clock,
            protocol,
            tickets,
            reload,
            earliest,
            degraded,
        };
        held.judge();
        Ok(Self { held: Arc::new(held) })
    }

    /// Refuses to go on when certificates are configured and not one of them can be served: a
    /// node that answers no name over TLS is set up wrongly. One that answers some goes on.
    pub fn require_one(&self) -> Result<(), StartError> {
        let refused = self.held.files.refused();
        let is_none = self.held.authority.is_none() && self.held.files.is_empty();
        if is_none && !refused.is_empty() { Err(StartError::Files(refused)) } else { Ok(()) }
    }

    /// Looks at the files again every [`Config::reload`], and at the ticket keys then and when one
    /// is to be destroyed, until the drain begins.
    pub fn watch(&self, drain: &Drain) {
        let (held, ending) = (Arc::clone(&self.held), drain.clone());
        drain.spawn(async move {
            loop {
                tokio::select! {
                    () = ending.ending() => return,
                    () = tokio::time::sleep(held.pause()) => {}
                }
                held.tickets.keep(held.clock.wall()).await;
                let reading = Arc::clone(&held);
                let read = tokio::task::spawn_blocking(move || reading.reload());
                if let Err(error) = read.await {
                    tracing::error!(%error, "the reading of certificates ended by a panic");
                }
            }
        });
    }

    /// Looks at the files now; returns how many certificates were taken up. Blocks.
    pub fn reload(&self) -> usize {
        self.held.reload()
    }

    /// The configuration to answer `host` with. A name that nothing is held for is a miss: nobody
    /// is asked.
    pub async fn find(&self, host: &Hostname) -> Result<Arc<ServerConfig>, Miss> {
        if let Some(config) = self.held.files.find(host) {
            return Ok(config);
        }
        let held = &self.held;
        if let Some(authority) = held.authority.as_ref().filter(|a| a.serves(host)) {
            return held.issued(authority, host).await;
        }
        let kept = held.shelf.find(host, &held.protocol, held.clock.wall()).await;
        kept.map_err(Miss::Store)?.ok_or_else(|| Miss::Unknown(host.clone()))
    }

    /// The configuration to answer `host` with when no other one can be had, and what is kept for
    /// it has expired. Whether it has is for each client to say: our own clock may be wrong, for
    /// all names at once.
    pub async fn find_expired(&self, host: &Hostname) -> Option<Arc<ServerConfig>> {
        let held = &self.held;
        held.shelf.find_expired(host, &held.protocol, held.clock.wall()).await
    }

    /// Looks for certificates and the keys of session tickets in `store` too, from now on.
    pub fn attach(&self, store: Arc<dyn Store>) {
        self.held.tickets.attach(Arc::clone(&store));
        self.held.shelf.attach(store);
    }

    /// Takes up the keys of sessions from before a restart, at most for `within`: a store that
    /// answers later gives them later.
    pub async fn take_up(&self, within: Duration) {
        let taking = self.held.tickets.keep(self.held.clock.wall());
        if tokio::time::timeout(within, taking).await.is_err() {
            tracing::warn!("no session is resumed from before the start until the store answers");
        }
    }

    /// Keeps a certificate in the store and serves it for `host` from then on, in place of an
    /// older one; one that may not be served changes nothing.
    pub async fn publish(
        &self,
        host: &Hostname,
        record: &Record,
        due: Due,
    ) -> Result<(), StoreError> {
        let held = &self.held;
        held.shelf.put(host, (record, due), &held.protocol, held.clock.wall()).await
    }

    /// Keeps another schedule for a certificate that is kept.
    pub async fn reschedule(
        &self,
        host: &Hostname,
        record: &Record,
        due: Due,
    ) -> Result<(), StoreError> {
        self.held.shelf.schedule(host, (record, due), self.held.clock.wall()).await
    }

    /// Forgets the certificate that is kept for `host`.
    pub async fn withdraw(&self, host: &Hostname) -> Result<(), StoreError> {
        self.held.shelf.remove(host).await
    }

    /// How long the certificates in the store have still to live.
    pub async fn remaining(&self) -> Result<Remaining, StoreError> {
        self.held.shelf.remaining(self.held.clock.wall()).await
    }

    /// The certificate that is kept for `host` in the store.
    pub async fn kept(&self, host: &Hostname) -> Result<Option<Record>, StoreError> {
        self.held.shelf.kept(host).await
    }

    /// Whether a certificate for `host` is held, or issued on demand.
    pub fn serves(&self, host: &Hostname) -> bool {
        let authority = self.held.authority.as_ref();
        self.held.files.serves(host) || authority.is_some_and(|a| a.serves(host))
    }
}

impl fmt::Debug for Certificates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Certificates").field("files", &self.held.files).finish_non_exhaustive()
    }
}

impl Held {
    async fn issued(
        &self,
        authority: &ThrowawayAuthority,
        host: &Hostname,
    ) -> Result<Arc<ServerConfig>, Miss> {
        if let Some(issued) = self.cache.get(host).await {
            if self.clock.wall() < issued.renew_at {
                return Ok(issued.config);
            }
            self.cache.invalidate(host).await;
        }
        let issue = async { authority.issue(host, &self.protocol, self.clock.wall()) };
        let issued = self.cache.try_get_with_by_ref(host, issue).await;
        issued.map(|issued| issued.config).map_err(Miss::Authority)
    }

    /// Until something is to be looked at again.
    fn pause(&self) -> Duration {
        let change = self.tickets.next_change(self.clock.wall());
        // When keys could not be changed, that is tried again, and not at once.
        change.max(SHORTEST_PAUSE).min(self.reload)
    }

    fn reload(&self) -> usize {
        let replaced = self.files.reload();
        self.judge();
        replaced
    }

    fn judge(&self) {
        let earliest = self.files.earliest_not_after();
        let seconds = earliest.unwrap_or_default().seconds();
        self.earliest.set(i64::try_from(seconds).unwrap_or(i64::MAX));
        let has_expired = earliest.is_some_and(|end| end < self.clock.wall());
        if has_expired || !self.files.refused().is_empty() {
            self.degraded.begin(REASON);
        } else {
            self.degraded.end(REASON);
        }
    }
}

const SHORTEST_PAUSE: Duration = Duration::from_millis(100);
/// Some name's certificate has expired, or lies there unfit to be served.
const REASON: &str = "certificates";
