//! The front of certification: who comes for a name, and who is worked on next.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore, mpsc};

use super::challenges::Challenges;
use super::docket::Docket;
use super::failure::{Failure, FailureKind};
use super::flights::{Boarding, Flights, Landing, Outcome};
use super::issuer::{ExternalSecret, Issuer};
use super::measures::Measures;
use super::overdue::Overdue;
use super::preflight::Preflight;
use super::turn::{Queue, Turn};
use super::underway::Underway;
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
            overdue: Overdue::default(),
            underway: Underway::default(),
            measures,
            clock: parts.clock,
        };
        let desk = Desk {
            porter: parts.porter,
            work: Arc::new(work),
            flights,
            room: Arc::new(Semaphore::new(config.orders)),
            background: Arc::new(Semaphore::new(config.orders.div_ceil(2))),
            asking: Arc::new(Semaphore::new(ASKING)),
            freed: Arc::default(),
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

/// For whose sake a name is worked on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sake {
    /// A visitor who waits.
    Visitor,
    /// An order that is kept.
    Order,
    /// A certificate that grows old.
    Renewal,
}

/// A place that somebody else may have when this is dropped.
struct Left<'a>(&'a Notify, #[expect(dead_code, reason = "held")] OwnedSemaphorePermit);

impl Drop for Left<'_> {
    fn drop(&mut self) {
        self.0.notify_one();
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
    /// Places of questions about renewals.
    asking: Arc<Semaphore>,
    /// Told when somebody has left a place in the background.
    freed: Arc<Notify>,
    drain: Drain,
}

impl Desk {
    async fn run(&self, visits: mpsc::Receiver<Landing>) {
        // What somebody does for one of these holds up none of the others.
        tokio::join!(self.work.prepare(), self.visited(visits), self.take_turns());
    }

    async fn visited(&self, mut visits: mpsc::Receiver<Landing>) {
        let room = Arc::new(Semaphore::new(TAKEN_UP));
        loop {
            // Never closed. With all places taken visits wait where they are counted.
            let place = Arc::clone(&room).acquire_owned().await.ok();
            let Some(landing) = visits.recv().await else { return };
            let own = self.clone();
            self.drain.spawn(async move {
                let _place = place;
                let outcome = own.obtain(&landing, Sake::Visitor).await;
                landing.land(outcome);
            });
        }
    }

    async fn take_turns(&self) {
        let mut tick = tokio::time::interval(TICK);
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut ticks = 0_u64;
        loop {
            tokio::select! {
                _ = tick.tick() => {
                    if ticks.is_multiple_of(TELL_EVERY) {
                        self.work.tell().await;
                    }
                    ticks += 1;
                }
                () = self.freed.notified() => {}
            }
            self.take_turn().await;
        }
    }

    async fn take_turn(&self) {
        let places = self.background.available_permits();
        if places > 0 && self.work.has_waiting().await {
            let mut turn = Turn::new(places, self.work.room().await);
            for queue in Queue::ALL {
                let names = self.work.claim(queue, turn.limit(queue)).await;
                turn.took(names.len());
                let sake = if queue.is_renewal() { Sake::Renewal } else { Sake::Order };
                names.iter().for_each(|name| self.begin(name, sake));
            }
        }
        for name in self.work.questions(self.asking.available_permits()).await {
            // Somebody is at work on it.
            let Boarding::First(landing, _) = self.flights.board(&name) else { continue };
            let Ok(place) = Arc::clone(&self.asking).try_acquire_owned() else { return };
            let own = self.clone();
            self.drain.spawn(async move {
                let _left = Left(&own.freed, place);
                tokio::select! {
                    () = own.work.ask(&name) => landing.land(Ok(())),
                    () = own.drain.ending() => {}
                }
            });
        }
    }

    /// Begins with a name whose turn has come, unless somebody is at work on it.
    fn begin(&self, name: &Hostname, sake: Sake) {
        let Boarding::First(landing, _) = self.flights.board(name) else { return };
        let Ok(place) = Arc::clone(&self.background).try_acquire_owned() else { return };
        let own = self.clone();
        self.drain.spawn(async move {
            let _left = Left(&own.freed, place);
            let outcome = own.obtain(&landing, sake).await;
            landing.land(outcome);
        });
    }

    async fn obtain(&self, landing: &Landing, sake: Sake) -> Outcome {
        let name = landing.name();
        if sake == Sake::Renewal && !self.work.is_to_renew(name).await {
            return Ok(());
        }
        let permit = match self.porter.admit(name).await {
            Ok(permit) => permit,
            Err(why) => {
                if sake != Sake::Visitor {
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

/// Visitors' names that are taken up at the same time: looked at, or waiting for their order.
const TAKEN_UP: usize = 1_024;
/// Visitors' names that may wait to be taken up.
const WAITING: usize = 4_096;
const TICK: Duration = Duration::from_secs(1);
/// Ticks between two counts.
const TELL_EVERY: u64 = 5;
/// Questions about renewals at the same time.
const ASKING: usize = 4;
