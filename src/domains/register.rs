//! The register of domains: everything that is kept, and each transition with its event.

use std::fmt;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use dashmap::DashMap;
use serde_json::Value;
use thiserror::Error;
use tokio::sync::{Notify, mpsc};

use super::auditing::Beside;
use super::certification::Haste;
use super::judge::{is_ordered, judge};
use super::{
    Admission, Config, Domain, Judged, Known, Listed, Looker, Origin, Reason, Sight, State, event,
    view,
};
use crate::clock::{Clock, Timestamp};
use crate::event::Ids;
use crate::hostname::Hostname;
use crate::store::{
    Change, Content, Due, Expected, Item, Kind, Lane, Pending, PutError, Store, StoreError, Stored,
};

/// Says whether a certificate is held for a name.
pub type IsCertified = Arc<dyn Fn(&Hostname) -> bool + Send + Sync>;

/// The register. Cloning shares it.
#[derive(Clone)]
pub struct Register {
    pub(super) inner: Arc<Inner>,
}

pub(super) struct Inner {
    pub(super) store: Arc<dyn Store>,
    pub(super) config: Config,
    pub(super) clock: Arc<dyn Clock>,
    looker: Option<Looker>,
    is_certified: IsCertified,
    node: String,
    ids: Mutex<Ids>,
    /// Names that are being looked at; a look is not begun twice.
    looking: DashMap<Hostname, ()>,
    /// Told when an event waits in the store.
    pub(super) told: Notify,
    /// Told of each record of audits that goes with its domain.
    pub(super) removed_audits: OnceLock<mpsc::Sender<Stored>>,
}

/// Why a call failed.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum RegisterError {
    /// Somebody else changes the same name again and again. Worth a retry.
    #[error("{0} is being changed by somebody else")]
    Contended(Hostname),
    /// There is no such domain.
    #[error("{0} is not listed")]
    Missing(Hostname),
    /// Nothing is asked of the DNS here.
    #[error("domains.target is empty here, so nothing is asked of the DNS")]
    NoTarget,
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Register {
    /// A register over `store`. Without a `looker` nothing is asked of the DNS.
    pub fn new(
        config: Config,
        store: Arc<dyn Store>,
        looker: Option<Looker>,
        is_certified: IsCertified,
        node: &str,
        clock: Arc<dyn Clock>,
    ) -> Self {
        let node = node.to_owned();
        let inner = Inner {
            store,
            config,
            clock,
            looker,
            is_certified,
            node,
            ids: Mutex::default(),
            looking: DashMap::new(),
            told: Notify::new(),
            removed_audits: OnceLock::new(),
        };
        Self { inner: Arc::new(inner) }
    }

    /// The domain of a name.
    pub async fn show(&self, name: &Hostname) -> Result<Value, RegisterError> {
        let (domain, stored) = self.read(name).await?;
        Ok(view::object(&domain, due(&stored), &self.inner.config))
    }

    /// At most `limit` domains behind `after`, in `state` if one is given. A page may be shorter
    /// than `limit`, even empty, and have a next one.
    pub async fn list(
        &self,
        after: &str,
        limit: usize,
        state: Option<State>,
    ) -> Result<Listed, RegisterError> {
        let page = self.inner.store.page(Kind::Domain, after, limit).await?;
        let next = page.has_more.then(|| page.items.last().map(|item| item.name().to_owned()));
        let domains = page.items.iter().filter_map(|item| self.listed(item, state));
        Ok(Listed { domains: domains.collect(), next: next.flatten() })
    }

    /// Removes a name: it is no longer let in or looked at, and its links go on. It is kept from
    /// other accounts for a while, since whoever claims it next would speak in the old one's name.
    pub async fn remove(&self, name: &Hostname) -> Result<Value, RegisterError> {
        let now = self.inner.clock.wall();
        let due = now.plus(self.inner.config.quarantine);
        let removed = self.update(name, |domain, _| {
            if domain.state == State::Removed {
                return None;
            }
            let from = domain.state;
            (domain.state, domain.reason) = (State::Removed, Reason::Removed);
            (domain.since, domain.absent, domain.is_told) = (now, None, true);
            Some((due, Some(Some(from))))
        });
        let domain = removed.await?.ok_or_else(|| RegisterError::Missing(name.clone()))?;
        Ok(view::object(&domain, Some(due), &self.inner.config))
    }

    /// Looks at a name now, past everything that was remembered, and says what was seen. A name
    /// that is not listed is told of as if a visit brought it, and not kept.
    pub async fn check(&self, name: &Hostname) -> Result<Value, RegisterError> {
        let looker = self.inner.looker.as_ref().ok_or(RegisterError::NoTarget)?;
        looker.forget(name);
        let sight = looker.look(name).await;
        let now = self.inner.clock.wall();
        match self.apply(name, &sight).await {
            Ok((domain, due)) if is_ordered(&domain) => {
                // Somebody has mended something: that is worth another order now.
                self.want(&domain, Haste::Now).await?;
                Ok(view::report(&domain, Some(due), &sight, &self.inner.config))
            }
            Ok((domain, due)) => Ok(view::report(&domain, Some(due), &sight, &self.inner.config)),
            Err(RegisterError::Missing(_)) => {
                let sight = match self.inner.config.admission {
                    Admission::Cname => looker.beside(name, sight).await,
                    Admission::Registered => sight,
                };
                let new = Domain::new(name.clone(), Origin::Visit, now);
                let judged = self.judged(&new, &sight, now);
                let mut report = view::report(&judged.domain, None, &sight, &self.inner.config);
                report["listed"] = Value::Bool(false);
                Ok(report)
            }
            Err(error) => Err(error),
        }
    }

    /// Judges a listed domain by what was seen; a transition is made with its event. Returns the
    /// domain as it is now, and when it is looked at again.
    pub async fn apply(
        &self,
        name: &Hostname,
        sight: &Sight,
    ) -> Result<(Domain, Timestamp), RegisterError> {
        let now = self.inner.clock.wall();
        let (mut next, mut wish) = (now, None);
        let judged = self.update(name, |domain, _| {
            if domain.state == State::Removed {
                return None;
            }
            let judged = self.judged(domain, sight, now);
            (next, wish) = (judged.due, self.wish(&judged));
            *domain = judged.domain;
            Some((judged.due, judged.told))
        });
        let domain = judged.await?.ok_or_else(|| RegisterError::Missing(name.clone()))?;
        if let Some(haste) = wish {
            self.want(&domain, haste).await?;
        }
        Ok((domain, next))
    }

    /// Keeps a name that a visit brought, with what was seen of it.
    pub(super) async fn admit(&self, name: &Hostname, sight: &Sight) -> Result<(), RegisterError> {
        let now = self.inner.clock.wall();
        let new = Domain::new(name.clone(), Origin::Visit, now);
        let judged = self.judged(&new, sight, now);
        let event = judged.told.map(|from| self.event(&judged.domain, from, now));
        let mut changes = vec![change(&judged.domain, Expected::Absent, prompt(judged.due), event)];
        if self.wish(&judged).is_some() {
            changes.push(wanted(&judged.domain, now));
        }
        changes.extend(self.first_audit(&judged.domain, None, now));
        self.put(changes).await?.or_else(|error| match error {
            // Another visit was faster.
            PutError::Conflict => Ok(0),
            _ => Err(RegisterError::Contended(name.clone())),
        })?;
        Ok(())
    }

    /// What the register knows of a name.
    pub(super) async fn known(&self, name: &Hostname) -> Result<Known, StoreError> {
        Ok(match self.state(name).await? {
            None => Known::Unknown,
            Some(State::Removed) => Known::Removed,
            Some(state) if state.is_admitted() => Known::Admitted,
            Some(_) => Known::Listed,
        })
    }

    /// Takes names that are due, at most `limit`: those that somebody waits for first.
    pub(super) async fn claim(&self, limit: usize) -> Result<Vec<Hostname>, StoreError> {
        let (store, now) = (&self.inner.store, self.inner.clock.wall());
        let mut claimed = store.claim(Kind::Domain, Lane::Prompt, now, LEASE, limit).await?;
        if claimed.len() < limit {
            let room = limit - claimed.len();
            claimed.extend(store.claim(Kind::Domain, Lane::Patient, now, LEASE, room).await?);
        }
        let mut names = Vec::new();
        for stored in claimed {
            if stored.content.state == State::Removed as u8 {
                self.forget(&stored).await?;
            } else if let Ok(name) = Hostname::parse(&stored.name) {
                names.push(name);
            }
        }
        Ok(names)
    }

    /// Looks at a name that was claimed, unless somebody does already.
    pub(super) async fn look(&self, name: &Hostname) -> Result<(), RegisterError> {
        let looker = self.inner.looker.as_ref().ok_or(RegisterError::NoTarget)?;
        let Some(_looking) = Looking::begin(&self.inner, name) else { return Ok(()) };
        let sight = looker.look(name).await;
        match self.apply(name, &sight).await {
            // Removed meanwhile.
            Ok(_) | Err(RegisterError::Missing(_)) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Whether a name leads to us as far as is known, one answer without us notwithstanding.
    pub async fn is_established(&self, name: &Hostname) -> Result<bool, StoreError> {
        Ok(self.state(name).await?.is_some_and(State::is_established))
    }

    async fn state(&self, name: &Hostname) -> Result<Option<State>, StoreError> {
        let stored = self.inner.store.get(Kind::Domain, name.as_str()).await?;
        Ok(stored.and_then(|stored| State::of(stored.content.state)))
    }

    /// How many domains there are, by state.
    pub async fn counts(&self) -> Result<Vec<(State, u64)>, StoreError> {
        let counts = self.inner.store.counts(Kind::Domain).await?;
        let count = |state: State| (state, counts.get(&(state as u8)).copied().unwrap_or(0));
        Ok(State::ALL.into_iter().map(count).collect())
    }

    /// Resolves when an event has come to wait in the store since the last call.
    pub async fn told(&self) {
        self.inner.told.notified().await;
    }

    /// What looks at names.
    pub(super) fn looker(&self) -> Option<&Looker> {
        self.inner.looker.as_ref()
    }

    pub(super) fn store(&self) -> &Arc<dyn Store> {
        &self.inner.store
    }

    /// Changes a domain by what `change` makes of it: when it is due, and the event to tell.
    /// Reads again when somebody else was faster. `None` when there is no such domain, or `change`
    /// wants nothing.
    pub(super) async fn update(
        &self,
        name: &Hostname,
        mut make: impl FnMut(&mut Domain, Option<Timestamp>) -> Option<Move>,
    ) -> Result<Option<Domain>, RegisterError> {
        for _ in 0..TRIES {
            let Some(stored) = self.inner.store.get(Kind::Domain, name.as_str()).await? else {
                return Ok(None);
            };
            let mut domain = decoded(&stored)?;
            let Some((due, told)) = make(&mut domain, due(&stored)) else { return Ok(None) };
            let lane = match domain.origin {
                Origin::File if !domain.state.is_established() => Lane::Patient,
                _ => Lane::Prompt,
            };
            let event = told.map(|from| self.event(&domain, from, self.inner.clock.wall()));
            let due = Some(Due { at: due, lane });
            let mut beside = match event {
                Some(_) => self.beside(&domain).await?,
                None => Beside::default(),
            };
            let change = change(&domain, Expected::Version(stored.version), due, event);
            let changes = [change].into_iter().chain(beside.change.take()).collect();
            match self.put(changes).await? {
                Ok(_) => {
                    self.went(beside);
                    return Ok(Some(domain));
                }
                Err(PutError::Conflict) => {}
                Err(PutError::Damaged | PutError::TooLarge) => {
                    let (kind, name) = (Kind::Domain, name.to_string());
                    return Err(StoreError::Damaged { kind, name }.into());
                }
            }
        }
        Err(RegisterError::Contended(name.clone()))
    }

    pub(super) async fn put_one(
        &self,
        change: Change,
    ) -> Result<Result<u64, PutError>, StoreError> {
        self.put(vec![change]).await
    }

    /// Makes changes at once, of which the first is the one that counts.
    pub(super) async fn put(
        &self,
        changes: Vec<Change>,
    ) -> Result<Result<u64, PutError>, StoreError> {
        let tells = changes.iter().any(|change| change.event.is_some());
        let made = self.inner.store.put(changes).await?;
        let made = made.into_iter().next().unwrap_or(Err(PutError::Conflict));
        if tells && made.is_ok() {
            self.inner.told.notify_one();
        }
        Ok(made)
    }

    async fn read(&self, name: &Hostname) -> Result<(Domain, Stored), RegisterError> {
        let stored = self.inner.store.get(Kind::Domain, name.as_str()).await?;
        let stored = stored.ok_or_else(|| RegisterError::Missing(name.clone()))?;
        Ok((decoded(&stored)?, stored))
    }

    /// Forgets a removed name whose quarantine has passed.
    async fn forget(&self, stored: &Stored) -> Result<(), StoreError> {
        let expected = Expected::Version(stored.version);
        let (kind, name) = (Kind::Domain, stored.name.clone());
        let change = Change { kind, name, expected, content: None, event: None };
        self.inner.store.put(vec![change]).await.map(|_| ())
    }

    fn judged(&self, domain: &Domain, sight: &Sight, now: Timestamp) -> Judged {
        let is_certified = (self.inner.is_certified)(&domain.name);
        judge(domain, sight, is_certified, &self.inner.config, now)
    }

    pub(super) fn event(&self, domain: &Domain, from: Option<State>, now: Timestamp) -> Pending {
        let mut ids = self.inner.ids.lock().unwrap_or_else(PoisonError::into_inner);
        event::event(domain, from, (&self.inner.config, &self.inner.node), &mut ids, now)
    }

    fn listed(&self, item: &Item, state: Option<State>) -> Option<Value> {
        let damaged = |name: &str| serde_json::json!({ "domain": name, "state": "damaged" });
        let Item::Record(stored) = item else {
            return state.is_none().then(|| damaged(item.name()));
        };
        if state.is_some_and(|state| stored.content.state != state as u8) {
            return None;
        }
        Some(match decoded(stored) {
            Ok(domain) => view::object(&domain, due(stored), &self.inner.config),
            Err(_) => damaged(&stored.name),
        })
    }
}

/// When a changed domain is due, and the event to tell: the state that it came from, if it had one.
pub(super) type Move = (Timestamp, Option<Option<State>>);

/// Held while a name is being looked at.
struct Looking<'a> {
    inner: &'a Inner,
    name: &'a Hostname,
}

impl<'a> Looking<'a> {
    /// `None` when somebody looks at it already.
    fn begin(inner: &'a Inner, name: &'a Hostname) -> Option<Self> {
        match inner.looking.entry(name.clone()) {
            dashmap::Entry::Occupied(_) => None,
            dashmap::Entry::Vacant(entry) => {
                entry.insert(());
                Some(Self { inner, name })
            }
        }
    }
}

impl Drop for Looking<'_> {
    fn drop(&mut self) {
        self.inner.looking.remove(self.name);
    }
}

pub(super) fn change(
    domain: &Domain,
    expected: Expected,
    due: Option<Due>,
    event: Option<Pending>,
) -> Change {
    let content = Content { bytes: domain.encode().into(), state: domain.state as u8, due };
    let name = domain.name.to_string();
    Change { kind: Kind::Domain, name, expected, content: Some(content), event }
}

pub(super) fn decoded(stored: &Stored) -> Result<Domain, StoreError> {
    let decoded = Domain::decode(&stored.name, stored.content.state, &stored.content.bytes);
    decoded.ok_or_else(|| StoreError::Damaged { kind: Kind::Domain, name: stored.name.clone() })
}

/// The wish for a certificate, where there is none yet. Its bytes are the business of who works
/// on orders, and empty is a beginning.
pub(super) fn wanted(domain: &Domain, now: Timestamp) -> Change {
    let due = domain.order_due(now);
    let content = Content { bytes: Vec::new().into(), state: ORDER_QUEUED, due };
    let name = domain.name.to_string();
    Change {
        kind: Kind::Order,
        name,
        expected: Expected::Absent,
        content: Some(content),
        event: None,
    }
}

fn due(stored: &Stored) -> Option<Timestamp> {
    stored.content.due.map(|due| due.at)
}

pub(super) fn prompt(at: Timestamp) -> Option<Due> {
    Some(Due { at, lane: Lane::Prompt })
}

impl fmt::Debug for Register {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Register").field("store", &self.inner.store).finish_non_exhaustive()
    }
}

/// The state of an order that nobody has begun with.
pub(super) const ORDER_QUEUED: u8 = 1;
/// Readings of a record that somebody else keeps changing.
const TRIES: usize = 5;
/// How long a look may take before another node may take the name.
const LEASE: Duration = Duration::from_secs(60);
