//! The front of certification: who comes for a name, and who is worked on next.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Semaphore, mpsc};

use super::challenges::Challenges;
use super::docket::Docket;
use super::failure::{Failure, FailureKind};
use super::flights::{Boarding, Flights, Landing, Outcome};
use super::issuer::{ExternalSecret, Issuer};
use super::measures::Measures;
use super::preflight::Preflight;
use super::work::Work;
use super::{Config, IssuerConfig};
use crate::clock::Clock;
use crate::dns::Lookup;
use crate::domains::{Porter, Refusal};
use crate::drain::Drain;
use crate::fetch::Client;
use crate::hostname::Hostname;
use crate::metrics::Metrics;
use crate::store::Store;
use crate::tls::Certificates;

/// Certifies names. Cloning shares it.
#[derive(Clone)]
pub struct Certifier {
    flights: Flights,
    visits: mpsc::Sender<Landing>,
    challenges: Challenges,
}

/// What certification uses and does not own.
pub struct Parts {
    /// Who lets names in.
    pub porter: Porter,
    /// What is kept.
    pub store: Arc<dyn Store>,
    /// The DNS.
    pub lookup: Arc<dyn Lookup>,
    /// The ways to the issuers, in their order, and their external accounts.
    pub issuers: Vec<(IssuerConfig, Client, Option<ExternalSecret>)>,
    /// The way to our own port 80.
    pub own: Client,
    /// What is served.
    pub certificates: Certificates,
    /// The clocks.
    pub clock: Arc<dyn Clock>,
}

impl Certifier {
    /// Starts to work on what is due and on whom visitors wait for, until the drain begins.
    pub fn start(config: &Config, parts: Parts, metrics: &Metrics, drain: &Drain) -> Self {
        let (visits, waiting) = mpsc::channel(WAITING);
        let (flights, challenges) = (Flights::default(), Challenges::default());
        let measures = Measures::new(metrics);
        let certifier = Self { flights: flights.clone(), visits, challenges: challenges.clone() };
        let issuer = |(settings, http, secret): (IssuerConfig, Client, _)| Issuer {
            config: settings,
            http,
            secret,
            contact: config.contact.clone(),
            nonces: Arc::default(),
            store: Arc::clone(&parts.store),
            clock: Arc::clone(&parts.clock),
            measures: measures.clone(),
            held: tokio::sync::Mutex::default(),
        };
        let preflight = Preflight {
            register: parts.porter.register().clone(),
            lookup: parts.lookup,
            challenges: challenges.clone(),
            http: parts.own,
            self_probe: config.self_probe,
            http_port: config.http_port,
        };
        let work = Work {
            register: parts.porter.register().clone(),
            issuers: parts.issuers.into_iter().map(issuer).collect(),
            docket: Docket { store: parts.store },
            preflight,
            challenges,
            certificates: parts.certificates,
            measures,
            clock: parts.clock,
        };
        let desk = Desk {
            porter: parts.porter,
            work: Arc::new(work),
            flights,
            room: Arc::new(Semaphore::new(config.orders)),
            background: Arc::new(Semaphore::new(config.orders.div_ceil(2))),
            drain: drain.clone(),
        };
        let ending = drain.clone();
        drain.spawn(async move {
            tokio::select! {
                () = ending.ending() => {}
                () = desk.run(waiting) => {}
            }
        });
        certifier
    }

    /// Has a name certified that a visitor waits for; who comes for the same name waits for the
    /// same order. Ends when that does: the caller bounds its own wait. May be called on any
    /// runtime.
    pub async fn visit(&self, name: &Hostname) -> Outcome {
        let seat = match self.flights.board(name) {
            Boarding::Later(seat) => seat,
            Boarding::First(landing, seat) => {
                if let Err(refused) = self.visits.try_send(landing) {
                    let crowded = "too many visitors wait for certificates";
                    refused.into_inner().land(Err(Failure::new(FailureKind::Node, crowded)));
                }
                seat
            }
        };
        seat.landed().await
    }

    /// The answers to challenges.
    pub fn challenges(&self) -> &Challenges {
        &self.challenges
    }
}

/// Where it is decided who is worked on.
#[derive(Clone)]
struct Desk {
    porter: Porter,
    work: Arc<Work>,
    flights: Flights,
    /// Places for orders.
    room: Arc<Semaphore>,
    /// Places of those that nobody waits for: visitors always find some.
    background: Arc<Semaphore>,
    drain: Drain,
}

impl Desk {
    async fn run(&self, mut visits: mpsc::Receiver<Landing>) {
        let mut tick = tokio::time::interval(TICK);
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        self.work.prepare().await;
        loop {
            tokio::select! {
                landing = visits.recv() => match landing {
                    Some(landing) => self.visited(landing),
                    None => return,
                },
                _ = tick.tick() => self.take_up_due().await,
            }
        }
    }

    fn visited(&self, landing: Landing) {
        let own = self.clone();
        self.drain.spawn(async move {
            let outcome = own.obtain(&landing, true).await;
            landing.land(outcome);
        });
    }

    async fn take_up_due(&self) {
        self.work.count().await;
        let wanted = self.background.available_permits();
        if wanted == 0 {
            return;
        }
        let due = self.work.due(wanted).await;
        let renewals = self.work.expiring(wanted.saturating_sub(due.len())).await;
        for name in due.into_iter().chain(renewals) {
            // Somebody is at work on it.
            let Boarding::First(landing, _) = self.flights.board(&name) else { continue };
            let Ok(place) = Arc::clone(&self.background).try_acquire_owned() else { return };
            let own = self.clone();
            self.drain.spawn(async move {
                let _place = place;
                let outcome = own.obtain(&landing, false).await;
                landing.land(outcome);
            });
        }
    }

    async fn obtain(&self, landing: &Landing, is_waited_for: bool) -> Outcome {
        let name = landing.name();
        let permit = match self.porter.admit(name).await {
            Ok(permit) => permit,
            Err(why) => {
                if !is_waited_for {
                    self.work.refused(name, why).await;
                }
                return Err(refusal(why));
            }
        };
        let ending = self.drain.clone();
        let work = async {
            // Never closed.
            let _place = self.room.acquire().await.ok();
            self.work.obtain(&permit, landing).await
        };
        tokio::select! {
            outcome = work => outcome,
            // What an order has reached is kept.
            () = ending.ending() => Err(Failure::new(FailureKind::Node, "the node ends")),
        }
    }
}

fn refusal(why: Refusal) -> Failure {
    let kind = match why {
        Refusal::Busy | Refusal::Failed => FailureKind::Node,
        Refusal::Budget | Refusal::Cap => FailureKind::Budget,
        _ => FailureKind::NotPointed,
    };
    Failure::new(kind, why)
}

impl fmt::Debug for Certifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Certifier").field("flights", &self.flights).finish_non_exhaustive()
    }
}

impl fmt::Debug for Parts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Parts").field("issuers", &self.issuers.len()).finish_non_exhaustive()
    }
}

/// Visitors' names that may wait to be taken up.
const WAITING: usize = 4_096;
const TICK: Duration = Duration::from_secs(1);
