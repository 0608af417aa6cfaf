//! The certificates in the store, those that are asked for in memory and ready.
//!
//! Loads are coalesced, and a name that the store does not hold is remembered for a moment: a
//! million visits to names that are not there cost a million look-ups in memory.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use moka::future::Cache;
use rustls::ServerConfig;
use rustls::pki_types::PrivateKeyDer;

use super::expiry::{self, Remaining};
use super::protocol::{Protocol, provider};
use super::record::Record;
use super::verify::verify_der;
use crate::clock::Timestamp;
use crate::hostname::Hostname;
use crate::store::{Change, Content, Due, Expected, Kind, PutError, Store, StoreError};

/// The certificates in the store.
pub(super) struct Shelf {
    /// Absent until the node has opened it.
    store: OnceLock<Arc<dyn Store>>,
    ready: Cache<Hostname, Ready>,
    absent: Cache<Hostname, ()>,
    /// Rises with each certificate that is put: a load that began before may bring an older one.
    put: AtomicU64,
}

/// A certificate that may be served until it expires.
#[derive(Clone)]
struct Ready {
    config: Arc<ServerConfig>,
    not_after: Timestamp,
}

impl Shelf {
    /// A shelf that keeps so many configurations ready.
    pub(super) fn new(capacity: u64) -> Self {
        let absent = Cache::builder().max_capacity(capacity).time_to_live(ABSENT).build();
        let (store, put) = (OnceLock::new(), AtomicU64::new(0));
        Self { store, ready: Cache::new(capacity), absent, put }
    }

    /// Looks into `store` from now on.
    pub(super) fn attach(&self, store: Arc<dyn Store>) {
        // Once, at the start.
        self.store.set(store).unwrap_or_default();
    }

    /// The configuration to answer `host` with, if there is a certificate that is valid. Whatever
    /// the store does, what is in memory is found.
    pub(super) async fn find(
        &self,
        host: &Hostname,
        protocol: &Protocol,
        now: Timestamp,
    ) -> Result<Option<Arc<ServerConfig>>, StoreError> {
        if let Some(ready) = self.ready.get(host).await {
            if now < ready.not_after {
                return Ok(Some(ready.config));
            }
            self.ready.invalidate(host).await;
        }
        let Some(store) = self.store.get() else { return Ok(None) };
        if self.absent.contains_key(host) {
            return Ok(None);
        }
        let before = self.put.load(Ordering::Acquire);
        let load = async { load(&**store, host, protocol, now).await };
        let loaded = self.ready.try_get_with_by_ref(host, load).await;
        if self.put.load(Ordering::Acquire) != before {
            self.ready.invalidate(host).await;
        }
        match loaded {
            Ok(ready) => Ok(Some(ready.config)),
            Err(missing) => match &*missing {
                // That it cannot be read now says nothing of a moment later.
                Missing::Failed(error) => Err(error.clone()),
                Missing::Absent => {
                    self.absent.insert(host.clone(), ()).await;
                    Ok(None)
                }
            },
        }
    }

    /// The configuration to answer `host` with when all that is kept has expired by our clock.
    pub(super) async fn find_expired(
        &self,
        host: &Hostname,
        protocol: &Protocol,
        now: Timestamp,
    ) -> Option<Arc<ServerConfig>> {
        let record = self.kept(host).await.ok()??;
        // It may also have come back to life: a clock that was wrong is right again.
        let ready = ready(&record, host, protocol, record.not_after.min(now))?;
        tracing::warn!(%host, until = %record.not_after, "what is kept is served for want of better");
        Some(ready.config)
    }

    /// The certificate that is kept for a name.
    pub(super) async fn kept(&self, host: &Hostname) -> Result<Option<Record>, StoreError> {
        let Some(store) = self.store.get() else { return Err(StoreError::Closed) };
        let stored = store.get(Kind::Certificate, host.as_str()).await?;
        Ok(stored.and_then(|stored| Record::decode(&stored.content.bytes)))
    }

    /// Keeps a certificate and serves it from then on, in place of an older one.
    pub(super) async fn put(
        &self,
        host: &Hostname,
        (record, due): (&Record, Due),
        protocol: &Protocol,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let Some(store) = self.store.get() else { return Err(StoreError::Closed) };
        let Some(ready) = ready(record, host, protocol, now) else {
            let reason = "the certificate may not be served".to_owned();
            return Err(StoreError::Unavailable(reason));
        };
        keep(&**store, host, content(record, due, now)).await?;
        self.put.fetch_add(1, Ordering::AcqRel);
        self.ready.insert(host.clone(), ready).await;
        self.absent.invalidate(host).await;
        Ok(())
    }

    /// Keeps a certificate that is kept already with another schedule.
    pub(super) async fn schedule(
        &self,
        host: &Hostname,
        (record, due): (&Record, Due),
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let Some(store) = self.store.get() else { return Err(StoreError::Closed) };
        keep(&**store, host, content(record, due, now)).await
    }

    /// Forgets a certificate.
    pub(super) async fn remove(&self, host: &Hostname) -> Result<(), StoreError> {
        let Some(store) = self.store.get() else { return Err(StoreError::Closed) };
        keep(&**store, host, None).await?;
        self.ready.invalidate(host).await;
        Ok(())
    }

    /// How long the certificates have still to live.
    pub(super) async fn remaining(&self, now: Timestamp) -> Result<Remaining, StoreError> {
        let Some(store) = self.store.get() else { return Err(StoreError::Closed) };
        Ok(expiry::remaining(&store.counts(Kind::Certificate).await?, now))
    }
}

/// Why a certificate is not served from the store.
enum Missing {
    /// It is not there, or may not be served.
    Absent,
    /// The store failed.
    Failed(StoreError),
}

fn content(record: &Record, due: Due, now: Timestamp) -> Option<Content> {
    let state = expiry::state(record.not_after, now);
    Some(Content { bytes: record.encode(), state, due: Some(due) })
}

async fn load(
    store: &dyn Store,
    host: &Hostname,
    protocol: &Protocol,
    now: Timestamp,
) -> Result<Ready, Missing> {
    let stored = match store.get(Kind::Certificate, host.as_str()).await {
        Ok(stored) => stored.ok_or(Missing::Absent)?,
        // Another one is ordered in its place.
        Err(StoreError::Damaged { .. }) => return Err(Missing::Absent),
        Err(error) => return Err(Missing::Failed(error)),
    };
    let record = Record::decode(&stored.content.bytes).ok_or(Missing::Absent)?;
    ready(&record, host, protocol, now).ok_or(Missing::Absent)
}

/// Verifies a record once more: what lies on a disk may be anything.
fn ready(record: &Record, host: &Hostname, protocol: &Protocol, now: Timestamp) -> Option<Ready> {
    let key = PrivateKeyDer::Pkcs8(record.key.to_vec().into());
    let hosts = [host.clone()];
    match verify_der(record.chain.clone(), key, &hosts, now, &provider()) {
        Ok(verified) => {
            let not_after = verified.not_after;
            Some(Ready { config: protocol.serving(verified.key), not_after })
        }
        Err(error) => {
            tracing::warn!(%host, %error, "a certificate that is kept is not served");
            None
        }
    }
}

/// Puts what there is to be for a name, whatever is there.
async fn keep(
    store: &dyn Store,
    host: &Hostname,
    content: Option<Content>,
) -> Result<(), StoreError> {
    for _ in 0..TRIES {
        let expected = match store.get(Kind::Certificate, host.as_str()).await {
            Ok(None) if content.is_none() => return Ok(()),
            Ok(None) => Expected::Absent,
            Ok(Some(stored)) => Expected::Version(stored.version),
            Err(StoreError::Damaged { .. }) => Expected::Damaged,
            Err(error) => return Err(error),
        };
        let (kind, name) = (Kind::Certificate, host.to_string());
        let change = Change { kind, name, expected, content: content.clone(), event: None };
        match store.put(vec![change]).await?.pop() {
            Some(Ok(_)) => return Ok(()),
            Some(Err(PutError::TooLarge)) => break,
            _ => {}
        }
    }
    Err(StoreError::Busy)
}

impl fmt::Debug for Shelf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shelf").field("ready", &self.ready.entry_count()).finish_non_exhaustive()
    }
}

/// How long a name is known to be without a certificate; a new one of this node ends it at once.
const ABSENT: Duration = Duration::from_secs(10);
const TRIES: usize = 5;
