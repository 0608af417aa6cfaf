//! Answers what is asked through the window.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use http::StatusCode;
use tokio::sync::{Semaphore, oneshot};

use super::sheet::{self, Known};
use super::turns::{Standing, Turns};
use super::window::{Call, Calls, Said, Wish};
use crate::audit::schedule::{Demand, Results};
use crate::clock::Clock;
use crate::domains::{Porter, RegisterError};
use crate::drain::Drain;
use crate::edge::{Config, pages};
use crate::hostname::Hostname;

/// What the desk uses.
#[derive(Clone, Debug)]
pub struct Parts {
    /// The customers' hostnames.
    pub porter: Porter,
    /// What audits found.
    pub results: Results,
    /// Audits at once; none when nothing is audited.
    pub demand: Option<Demand>,
    /// The clocks.
    pub clock: Arc<dyn Clock>,
}

/// The desk. Cloning shares it.
#[derive(Clone)]
pub struct Desk {
    inner: Arc<Inner>,
}

struct Inner {
    parts: Parts,
    operator: String,
    turns: Mutex<Turns>,
    drain: Drain,
}

impl Desk {
    /// Answers calls on the current runtime until the drain begins.
    pub fn start(config: &Config, parts: Parts, mut calls: Calls, drain: &Drain) {
        let now = parts.clock.now();
        let turns = Mutex::new(Turns::new(config.check_every, config.checks_per_minute, now));
        let operator = config.operator.clone();
        let desk = Self { inner: Arc::new(Inner { parts, operator, turns, drain: drain.clone() }) };
        let (places, ending) = (Arc::new(Semaphore::new(AT_A_TIME)), drain.clone());
        drain.spawn(async move {
            loop {
                let call = tokio::select! {
                    call = calls.0.recv() => call,
                    () = ending.ending() => return,
                };
                let Some(call) = call else { return };
                // Never closed. With all places taken calls wait at the window.
                let place = Arc::clone(&places).acquire_owned().await.ok();
                let own = desk.clone();
                desk.inner.drain.spawn(async move {
                    let _place = place;
                    own.answer(call).await;
                });
            }
        });
    }

    async fn answer(&self, call: Call) {
        let Call { pass, path, wish, answer } = call;
        let said = match wish {
            Wish::Show => self.show(&pass.name, &path).await,
            Wish::Check => {
                // Whoever has left meanwhile wanted it all the same.
                if let Some(ended) = self.begin(&pass.name) {
                    tokio::time::timeout(WAIT, ended).await.ok();
                }
                Said::See(path)
            }
        };
        answer.send(said).ok();
    }

    /// The page of a name: nothing is asked for it but the store.
    async fn show(&self, name: &Hostname, path: &str) -> Said {
        let Parts { porter, results, demand, clock } = &self.inner.parts;
        let domain = match porter.register().show(name).await {
            Ok(domain) => domain,
            Err(RegisterError::Missing(_)) => {
                return Said::Page(StatusCode::NOT_FOUND, pages::unlisted(name));
            }
            Err(error) => return unavailable(&error),
        };
        let (kept, due) = match results.of(name).await {
            Ok(found) => found,
            Err(error) => return unavailable(&error),
        };
        let known = Known {
            domain: &domain,
            kept: kept.as_ref(),
            due,
            is_audited: demand.is_some(),
            standing: self.turns().standing(name, clock.now()),
            now: clock.wall(),
            operator: &self.inner.operator,
            path,
        };
        match sheet::page(&known) {
            Ok(page) => Said::Page(StatusCode::OK, page),
            Err(error) => {
                tracing::error!(%name, %error, "the page of a name could not be made");
                Said::Page(StatusCode::INTERNAL_SERVER_ERROR, pages::FAILED.to_owned())
            }
        }
    }

    /// Begins to look at a name, unless it is not its turn. The receiver hears of the end.
    fn begin(&self, name: &Hostname) -> Option<oneshot::Receiver<()>> {
        let now = self.inner.parts.clock.now();
        if self.turns().take(name, now) != Standing::Free {
            return None;
        }
        let (ended, heard) = oneshot::channel();
        let turn = Held { desk: self.clone(), name: name.clone(), _ended: ended };
        self.inner.drain.spawn(async move {
            let Held { desk, name, .. } = &turn;
            let ending = desk.inner.drain.clone();
            tokio::select! {
                _ = tokio::time::timeout(LONGEST, desk.check(name)) => {}
                () = ending.ending() => {}
            }
        });
        Some(heard)
    }

    /// Looks at a name past everything that was remembered; what is found is kept.
    async fn check(&self, name: &Hostname) {
        let Parts { porter, demand, .. } = &self.inner.parts;
        porter.forget(name);
        let audited = async {
            if let Some(demand) = demand
                && let Err(error) = demand.audit(name).await
            {
                tracing::warn!(%name, %error, "a demanded audit came to nothing");
            }
        };
        let (looked, ()) = tokio::join!(porter.register().check(name), audited);
        match looked {
            // One that was removed meanwhile is looked at no more.
            Ok(_) | Err(RegisterError::Missing(_)) => {}
            Err(error) => tracing::warn!(%name, %error, "a demanded look came to nothing"),
        }
    }

    fn turns(&self) -> MutexGuard<'_, Turns> {
        self.inner.turns.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A turn that was taken; it ends however the look does.
struct Held {
    desk: Desk,
    name: Hostname,
    _ended: oneshot::Sender<()>,
}

impl Drop for Held {
    fn drop(&mut self) {
        let now = self.desk.inner.parts.clock.now();
        self.desk.turns().end(&self.name, now);
    }
}

fn unavailable(error: &dyn fmt::Display) -> Said {
    tracing::debug!(%error, "a page waits for the store");
    Said::Nothing
}

impl fmt::Debug for Desk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Desk").field("parts", &self.inner.parts).finish_non_exhaustive()
    }
}

/// Calls that are answered at the same time.
const AT_A_TIME: usize = 32;
/// How long whoever had a name looked at waits for the end; after that the page says that it goes
/// on.
const WAIT: Duration = Duration::from_secs(4);
/// The longest that a look takes.
const LONGEST: Duration = Duration::from_secs(30);
