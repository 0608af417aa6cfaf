//! Stands at the gate: does what it rules, and asks whom it names.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use dashmap::{DashMap, Entry};
use tokio::sync::{Semaphore, mpsc};

use super::look::{Way, unpublished};
use super::measures::Measures;
use super::{
    Config, Finding, Gate, Glance, Known, Permit, Poller, Refusal, Register, Ruling, Sight,
};
use crate::clock::Clock;
use crate::drain::Drain;
use crate::hostname::Hostname;
use crate::metrics::Metrics;
use crate::store::{Draw, Taken};

/// The porter. Cloning shares it.
#[derive(Clone)]
pub struct Porter {
    inner: Arc<Inner>,
}

struct Inner {
    /// Never held over a wait.
    gate: Mutex<Gate>,
    config: Config,
    register: Register,
    clock: Arc<dyn Clock>,
    /// Names that are being ruled on: a second visit to one finds out with the first.
    ruling: DashMap<Hostname, ()>,
    visits: mpsc::Sender<Hostname>,
    measures: Measures,
}

impl Porter {
    /// A porter for `register`, whose visits are worked on in `drain`, and the poller.
    pub fn start(register: Register, metrics: &Metrics, drain: &Drain) -> (Self, Poller) {
        let (config, clock) = (register.inner.config.clone(), Arc::clone(&register.inner.clock));
        let measures = Measures::new(metrics);
        let (visits, mut waiting) = mpsc::channel::<Hostname>(WAITING);
        let gate = Mutex::new(Gate::new(config.clone(), clock.now()));
        let poller = Poller::new(register.clone(), measures.clone());
        let ruling = DashMap::new();
        let inner = Inner { gate, config, register, clock, ruling, visits, measures };
        let porter = Self { inner: Arc::new(inner) };
        let room = Arc::new(Semaphore::new(AT_A_TIME));
        let (own, ending, tasks) = (porter.clone(), drain.clone(), drain.clone());
        drain.spawn(async move {
            loop {
                let name = tokio::select! {
                    name = waiting.recv() => name,
                    () = ending.ending() => return,
                };
                let Some(name) = name else { return };
                // Never closed. With all places taken visits wait, and then are let go.
                let place = Arc::clone(&room).acquire_owned().await.ok();
                let own = own.clone();
                tasks.spawn(async move {
                    let _place = place;
                    // Counted where it is ruled on.
                    drop(tokio::time::timeout(LONGEST, own.admit(&name)).await);
                });
            }
        });
        (porter, poller)
    }

    /// Whether a visit is refused by what was found a while ago; that is counted. Costs a look-up
    /// in memory, and no place in any queue.
    pub fn refuses(&self, name: &Hostname) -> bool {
        let Glance::Refused(why) = self.gate().glance(name, self.inner.clock.now()) else {
            return false;
        };
        self.inner.measures.visited(Err(why));
        true
    }

    /// Tells of a visit to a name that nothing is held for. Never waits; with too many visits
    /// waiting this one is let go, and counted.
    pub fn visit(&self, name: &Hostname) {
        if self.refuses(name) {
            return;
        }
        if self.inner.visits.try_send(name.clone()).is_err() {
            self.inner.measures.dropped();
        }
    }

    /// Rules on a name; one that leads to us and passes the guards is kept in the register.
    pub async fn admit(&self, name: &Hostname) -> Result<Permit, Refusal> {
        let inner = &self.inner;
        let ruled = match inner.ruling.entry(name.clone()) {
            Entry::Occupied(_) => Err(Refusal::Busy),
            Entry::Vacant(entry) => {
                entry.insert(());
                let _ruling = Ruled { inner, name };
                self.ruled(name).await
            }
        };
        inner.measures.visited(ruled.as_ref().map(|_| ()).map_err(|why| *why));
        inner.measures.refusals.set(i64::try_from(self.gate().remembered()).unwrap_or(i64::MAX));
        ruled
    }

    /// Forgets that a name was ever refused: somebody says that it is right now.
    pub fn forget(&self, name: &Hostname) {
        self.gate().forget(name);
    }

    /// What is refused now, as text for the next process; `None` when it is what it was at the last
    /// call.
    pub fn changed_refusals(&self) -> Option<String> {
        let (now, wall) = (self.inner.clock.now(), self.inner.clock.wall());
        self.gate().changed_refusals(now, wall)
    }

    /// Takes in what the process before this one refused.
    pub fn restore_refusals(&self, text: &str) {
        let (now, wall) = (self.inner.clock.now(), self.inner.clock.wall());
        self.gate().restore_refusals(text, now, wall);
    }

    /// The register.
    pub fn register(&self) -> &Register {
        &self.inner.register
    }

    async fn ruled(&self, name: &Hostname) -> Result<Permit, Refusal> {
        let (clock, register) = (&self.inner.clock, &self.inner.register);
        if let Glance::Refused(why) = self.gate().glance(name, clock.now()) {
            return Err(why);
        }
        // A store that fails lets nobody new in, and is no reason to remember a refusal.
        let known = register.known(name).await.map_err(|_| Refusal::Failed)?;
        let looker = register.looker().ok_or(Refusal::Unlisted);
        let mut sight: Option<Sight> = None;
        let mut ruling = self.gate().rule(name, known, clock.now());
        loop {
            ruling = match ruling {
                Ruling::Permit(permit) => return Ok(permit),
                Ruling::Refused(why) => return Err(why),
                Ruling::Look { is_again } => {
                    let way =
                        if is_again || known == Known::Listed { Way::Zone } else { Way::Resolver };
                    let seen = looker?.look_by(name, way).await;
                    if known == Known::Listed {
                        return self.listed(name, &seen).await;
                    }
                    let ruling = self.gate().saw(name, &seen, &unpublished(), clock.now());
                    sight = Some(seen);
                    ruling
                }
                Ruling::Probe(sibling) => {
                    let seen = sight.as_ref().map_or(&Finding::Target, |seen| &seen.finding);
                    let is_wild = looker?.is_wild(&sibling, seen).await.ok();
                    self.gate().probed(name, is_wild, clock.now())
                }
                Ruling::Draw { domain } => match self.draw(&domain).await {
                    Ok(()) => {
                        let seen = sight.take().unwrap_or_else(unseen);
                        let kept = register.admit(name, &seen).await;
                        kept.map_err(|_| Refusal::Failed)?;
                        Ruling::Permit(self.gate().admit(name))
                    }
                    Err(why) => self.gate().turn_away(name, why, clock.now()),
                },
            };
        }
    }

    /// A listed name that was visited before the poller saw it pointed.
    async fn listed(&self, name: &Hostname, seen: &Sight) -> Result<Permit, Refusal> {
        let applied = self.inner.register.apply(name, seen).await;
        let (domain, _) = applied.map_err(|_| Refusal::Failed)?;
        if domain.state.is_admitted() {
            return Ok(self.gate().admit(name));
        }
        let failed = matches!(seen.finding, Finding::Failed(..) | Finding::Disagreement);
        let why = if failed { Refusal::Failed } else { Refusal::NotPointed };
        self.gate().turn_away(name, why, self.inner.clock.now());
        Err(why)
    }

    /// Takes one name from the budget of its registrable domain and from that of all.
    async fn draw(&self, domain: &str) -> Result<(), Refusal> {
        let config = &self.inner.config;
        let draw = |capacity: u32, period: Duration| {
            let every = period / capacity.max(1);
            Draw { capacity, every, amount: 1, keep: 0 }
        };
        for (budget, draw, why) in [
            (format!("names/{domain}"), draw(config.names_per_domain, WEEK), Refusal::Cap),
            ("names".to_owned(), draw(config.names_in_all, THREE_HOURS), Refusal::Budget),
        ] {
            let now = self.inner.clock.wall();
            match self.inner.register.store().take(&budget, draw, now).await {
                Ok(Taken::Left(_)) => {}
                Ok(Taken::NotBefore(_)) => return Err(why),
                Err(_) => return Err(Refusal::Failed),
            }
        }
        Ok(())
    }

    fn gate(&self) -> MutexGuard<'_, Gate> {
        self.inner.gate.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Held while a name is being ruled on.
struct Ruled<'a> {
    inner: &'a Inner,
    name: &'a Hostname,
}

impl Drop for Ruled<'_> {
    fn drop(&mut self) {
        self.inner.ruling.remove(self.name);
    }
}

fn unseen() -> Sight {
    Sight { finding: Finding::Target, chain: Vec::new(), servers: Vec::new() }
}

impl fmt::Debug for Porter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Porter").field("register", &self.inner.register).finish_non_exhaustive()
    }
}

/// Visits that may wait to be ruled on.
const WAITING: usize = 1_024;
/// Visits that are ruled on at the same time.
const AT_A_TIME: usize = 128;
/// The longest that ruling on a visit takes.
const LONGEST: Duration = Duration::from_secs(30);
const WEEK: Duration = Duration::from_secs(7 * 86_400);
const THREE_HOURS: Duration = Duration::from_secs(3 * 3_600);
