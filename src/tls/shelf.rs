//! The certificates in the store, those that are asked for in memory and ready.
//!
//! Loads are coalesced, and a name that the store does not hold is remembered for a moment: a
//! million visits to names that are not there cost a million look-ups in memory.

use std::fmt;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use moka::future::Cache;
use rustls::ServerConfig;
use rustls::pki_types::PrivateKeyDer;

use super::protocol::{Protocol, provider};
use super::record::Record;
use super::verify::verify_der;
use crate::clock::Timestamp;
use crate::hostname::Hostname;
use crate::store::{Change, Content, Due, Expected, Kind, Lane, PutError, Store, StoreError};

/// The certificates in the store.
pub(super) struct Shelf {
    /// Absent until the node has opened it.
    store: OnceLock<Arc<dyn Store>>,
    ready: Cache<Hostname, Ready>,
    absent: Cache<Hostname, ()>,
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
        Self { store: OnceLock::new(), ready: Cache::new(capacity), absent }
    }

    /// Looks into `store` from now on.
    pub(super) fn attach(&self, store: Arc<dyn Store>) {
        // Once, at the start.
        self.store.set(store).unwrap_or_default();
    }

    /// The configuration to answer `host` with, if there is a certificate that is valid.
    pub(super) async fn find(
        &self,
        host: &Hostname,
        protocol: &Protocol,
        now: Timestamp,
    ) -> Option<Arc<ServerConfig>> {
        if let Some(ready) = self.ready.get(host).await {
            if now < ready.not_after {
                return Some(ready.config);
            }
            self.ready.invalidate(host).await;
        }
        let store = self.store.get()?;
        if self.absent.contains_key(host) {
            return None;
        }
        let load = async { load(&**store, host, protocol, now).await.ok_or(()) };
        match self.ready.try_get_with_by_ref(host, load).await {
            Ok(ready) => Some(ready.config),
            Err(_) => {
                self.absent.insert(host.clone(), ()).await;
                None
            }
        }
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
        record: &Record,
        protocol: &Protocol,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let Some(store) = self.store.get() else { return Err(StoreError::Closed) };
        let Some(ready) = ready(record, host, protocol, now) else {
            let reason = "the certificate may not be served".to_owned();
            return Err(StoreError::Unavailable(reason));
        };
        keep(&**store, host, record).await?;
        self.ready.insert(host.clone(), ready).await;
        self.absent.invalidate(host).await;
        Ok(())
    }
}

async fn load(
    store: &dyn Store,
    host: &Hostname,
    protocol: &Protocol,
    now: Timestamp,
) -> Option<Ready> {
    let stored = match store.get(Kind::Certificate, host.as_str()).await {
        Ok(stored) => stored?,
        Err(error) => {
            tracing::warn!(%host, %error, "a certificate could not be read");
            return None;
        }
    };
    let record = Record::decode(&stored.content.bytes)?;
    ready(&record, host, protocol, now)
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

async fn keep(store: &dyn Store, host: &Hostname, record: &Record) -> Result<(), StoreError> {
    for _ in 0..TRIES {
        let expected = match store.get(Kind::Certificate, host.as_str()).await {
            Ok(None) => Expected::Absent,
            Ok(Some(stored)) => Expected::Version(stored.version),
            Err(StoreError::Damaged { .. }) => Expected::Damaged,
            Err(error) => return Err(error),
        };
        let due = Some(Due { at: record.schedule.renew_at, lane: Lane::Patient });
        let content = Some(Content { bytes: record.encode(), state: HELD, due });
        let (kind, name) = (Kind::Certificate, host.to_string());
        let change = Change { kind, name, expected, content, event: None };
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

/// The state that every certificate is counted under.
const HELD: u8 = 1;
/// How long a name is known to be without a certificate; a new one of this node ends it at once.
const ABSENT: Duration = Duration::from_secs(10);
const TRIES: usize = 5;
