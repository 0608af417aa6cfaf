//! Begins the audits that are due, at a rate.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Semaphore, mpsc};

use super::auditing::{Audited, Memory, audit};
use super::claim::claim;
use super::clerk::Clerk;
use super::demand::Demand;
use super::measures::Measures;
use super::rate::Rate;
use super::tally::Tally;
use crate::audit::Config;
use crate::audit::domain::Auditor;
use crate::clock::Clock;
use crate::domains::Register;
use crate::drain::Drain;
use crate::event::Ids;
use crate::metrics::Metrics;
use crate::store::{Kind, Lane, Store, StoreError, Stored};

/// The schedule of audits. Cloning shares it.
#[derive(Clone)]
pub struct Schedule {
    config: Config,
    auditor: Auditor,
    register: Register,
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    measures: Measures,
    room: Arc<Semaphore>,
}

impl Schedule {
    /// Audits what is due, until the drain begins, and what is demanded; nothing at a rate of 0.
    pub fn start(
        config: &Config,
        auditor: Auditor,
        (register, store): (Register, Arc<dyn Store>),
        (node, clock): (&str, Arc<dyn Clock>),
        metrics: &Metrics,
        drain: &Drain,
    ) -> Option<Demand> {
        if config.rate == 0 {
            return None;
        }
        let measures = Measures::new(metrics);
        let clerk = Clerk {
            config: config.clone(),
            node: node.to_owned(),
            own: auditor.platform().target.clone(),
            stamp: auditor.stamp(),
            store: Arc::clone(&store),
            register: register.clone(),
            clock: Arc::clone(&clock),
            measures: measures.clone(),
            ids: Ids::new(),
            tally: Tally::default(),
            made: 0,
        };
        let room = Arc::new(Semaphore::new(config.at_once));
        let config = config.clone();
        let own = Self { config, auditor, register, store, clock, measures, room };
        let (to_clerk, audited) = mpsc::channel(UNWRITTEN);
        let (gone, removed) = mpsc::channel(REMOVED);
        own.register.tell_removed_audits(gone);
        let demand = Demand {
            auditor: own.auditor.clone(),
            register: own.register.clone(),
            store: Arc::clone(&own.store),
            to_clerk: to_clerk.clone(),
        };
        let (ending, tasks) = (drain.clone(), drain.clone());
        drain.spawn(async move {
            tokio::select! {
                () = ending.ending() => {}
                () = own.run(to_clerk, &tasks) => {}
                () = clerk.run(audited, removed) => {}
            }
        });
        Some(demand)
    }

    async fn run(&self, to_clerk: mpsc::Sender<Audited>, drain: &Drain) {
        let mut rate = Rate::new(self.config.rate, self.clock.now());
        let mut ticks: u32 = 0;
        loop {
            if ticks.is_multiple_of(TELL_EVERY)
                && let Err(error) = self.tell().await
            {
                tracing::debug!(%error, "audits are not counted");
            }
            ticks = ticks.wrapping_add(1);
            let wanted = rate.take(self.room.available_permits(), self.clock.now());
            let claimed = claim(&*self.store, wanted, self.clock.wall()).await;
            let claimed = claimed.unwrap_or_else(|error| {
                tracing::debug!(%error, "audits wait for the store");
                Vec::new()
            });
            rate.give(wanted - claimed.len().min(wanted));
            for stored in claimed {
                self.begin(stored, &to_clerk, drain);
            }
            tokio::time::sleep(TICK).await;
        }
    }

    fn begin(&self, stored: Stored, to_clerk: &mpsc::Sender<Audited>, drain: &Drain) {
        // There are as many places as were looked for.
        let Ok(place) = Arc::clone(&self.room).try_acquire_owned() else { return };
        let (own, to_clerk, ending) = (self.clone(), to_clerk.clone(), drain.clone());
        drain.spawn(async move {
            let _place = place;
            let _counted = Counted::begin(&own.measures);
            let begun = own.clock.now();
            let audited = tokio::select! {
                audited = audit(stored, &own.register, &own.auditor, Memory::Usual) => audited,
                () = ending.ending() => return,
            };
            let took = own.clock.now().saturating_duration_since(begun);
            own.measures.seconds.observe(took.as_secs_f64());
            match audited {
                // The place is held until it is taken up, so that results do not pile up.
                Ok(audited) => drop(to_clerk.send(audited).await),
                Err(error) => {
                    tracing::debug!(%error, "a domain to audit could not be read");
                    own.measures.failed.inc();
                }
            }
        });
    }

    async fn tell(&self) -> Result<(), StoreError> {
        let (store, now) = (&self.store, self.clock.wall());
        let (mut count, mut overdue) = (0, Duration::ZERO);
        for lane in [Lane::Prompt, Lane::Patient] {
            count += store.due(Kind::Audit, lane, now, COUNTED - count).await?;
            let next = store.next_due(Kind::Audit, lane).await?;
            overdue = overdue.max(next.map_or(Duration::ZERO, |next| next.until(now)));
        }
        self.measures.waiting(count, overdue);
        self.measures.domains(&store.counts(Kind::Audit).await?);
        Ok(())
    }
}

/// Held while an audit is being made.
struct Counted<'a>(&'a Measures);

impl<'a> Counted<'a> {
    fn begin(measures: &'a Measures) -> Self {
        measures.in_progress.inc();
        Self(measures)
    }
}

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        self.0.in_progress.dec();
    }
}

impl fmt::Debug for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Schedule").field("config", &self.config).finish_non_exhaustive()
    }
}

const TICK: Duration = Duration::from_millis(250);
/// Ticks between two counts.
const TELL_EVERY: u32 = 20;
/// Domains that are counted as waiting, at most.
const COUNTED: usize = 10_000;
/// Results that wait to be written.
const UNWRITTEN: usize = 64;
/// Records of removed domains that wait to be counted.
const REMOVED: usize = 4_096;
