//! Looks at names that are due, at a rate.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Semaphore;

use super::Register;
use super::measures::Measures;
use crate::drain::Drain;

/// The poller.
#[derive(Clone, Debug)]
pub struct Poller {
    register: Register,
    measures: Measures,
}

impl Poller {
    pub(super) fn new(register: Register, measures: Measures) -> Self {
        Self { register, measures }
    }

    /// Looks at what is due and counts the states, until the drain begins.
    pub fn start(&self, drain: &Drain) {
        let (own, ending) = (self.clone(), drain.clone());
        let looks = drain.clone();
        drain.spawn(async move {
            tokio::select! {
                () = ending.ending() => {}
                () = own.run(&looks) => {}
            }
        });
    }

    async fn run(&self, drain: &Drain) {
        let rate = self.register.inner.config.poll_rate;
        let room = Arc::new(Semaphore::new(AT_A_TIME));
        let looks = self.register.looker().is_some() && rate > 0;
        let mut ticks: u32 = 0;
        loop {
            if ticks.is_multiple_of(COUNT_EVERY) {
                self.count().await;
            }
            ticks = ticks.wrapping_add(1);
            if looks {
                let wanted = (rate as usize).min(room.available_permits());
                self.look_at(wanted, &room, drain).await;
            }
            tokio::time::sleep(TICK).await;
        }
    }

    async fn look_at(&self, wanted: usize, room: &Arc<Semaphore>, drain: &Drain) {
        let names = match self.register.claim(wanted).await {
            Ok(names) => names,
            Err(error) => {
                tracing::debug!(%error, "nothing can be looked at now");
                return;
            }
        };
        for name in names {
            // There are as many places as names, since nobody else takes any.
            let Ok(place) = Arc::clone(room).try_acquire_owned() else { return };
            let (register, ending) = (self.register.clone(), drain.clone());
            self.measures.looks.inc();
            drain.spawn(async move {
                let _place = place;
                let looked = tokio::select! {
                    looked = register.look(&name) => looked,
                    () = ending.ending() => return,
                };
                if let Err(error) = looked {
                    tracing::debug!(%name, %error, "a look came to nothing");
                }
            });
        }
    }

    async fn count(&self) {
        if let Ok(counts) = self.register.counts().await {
            self.measures.count(&counts);
        }
    }
}

/// Names that are looked at at the same time: each takes a few questions.
const AT_A_TIME: usize = 128;
const TICK: Duration = Duration::from_secs(1);
/// Ticks between two counts of the states.
const COUNT_EVERY: u32 = 5;
