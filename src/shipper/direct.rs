//! Promise P3's second path: an event that the journal does not take in time is handed to Kafka
//! alone, and somebody waits for the acknowledgement.
//!
//! [`Direct`] has a session of its own, in which nothing gathers and nothing of the journal's lag
//! stands before a click. Each reactor has a [`Lane`]. What a lane has taken is *in progress*
//! until Kafka has it or will not have it, however long that takes and whether or not anybody
//! still waits, so that the ledger stays exact: an event that the journal holds too is counted
//! once, by whichever has it first.

use std::collections::HashMap;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::task::{Context, Poll, Waker};

use tokio::sync::Notify;
use uuid::Uuid;

use super::record::Addresser;
use crate::journal::{Claim, Frame};
use crate::kafka::{Hear, Manner, News, OpenError, Publish, Reason, Session, Topics, Verdict};
use crate::metrics::{Account, Unrecorded};

/// The second path of a process. Cloning shares it.
#[derive(Clone, Debug)]
pub struct Direct {
    inner: Arc<Inner>,
}

struct Inner {
    publish: Arc<dyn Publish>,
    addresser: Addresser,
    session: RwLock<Option<Box<dyn Session>>>,
    /// The session takes nothing any more, or is not let in.
    is_broken: AtomicBool,
    lanes: Mutex<Vec<Lane>>,
}

impl Direct {
    /// A second path that takes nothing before [`Direct::mend`] has begun a session.
    pub fn new(publish: Arc<dyn Publish>, topics: Topics) -> Self {
        Self {
            inner: Arc::new(Inner {
                publish,
                addresser: Addresser::new(topics),
                session: RwLock::new(None),
                is_broken: AtomicBool::new(true),
                lanes: Mutex::default(),
            }),
        }
    }

    /// A lane for one thread; `account` is told of what goes through it.
    pub fn lane(&self, account: Account) -> Lane {
        let mut lanes = self.inner.lanes();
        let lane = Lane {
            inner: Arc::new(LaneInner {
                index: lanes.len(),
                account,
                told: Notify::new(),
                news: Mutex::default(),
                waiters: Mutex::default(),
            }),
            direct: self.clone(),
        };
        lanes.push(lane.clone());
        lane
    }

    /// Begins a session when there is none that takes anything: to be called now and then. It does
    /// not wait for a broker, but blocks on files.
    pub fn mend(&self) {
        if self.inner.is_broken.swap(false, Ordering::AcqRel)
            && let Err(error) = self.begin()
        {
            tracing::warn!(%error, "the second path stays closed");
            self.inner.is_broken.store(true, Ordering::Release);
        }
    }

    /// Settles what became known, when the lanes' threads have ended; returns how many events are
    /// still on their way.
    pub fn settle_now(&self) -> usize {
        let lanes = self.inner.lanes().clone();
        lanes.iter().map(Lane::settle_now).sum()
    }

    /// Settles what became known last; what did not is counted unrecorded, each traced by its id,
    /// unless the journal has it. Returns how many were not known. To be called when nothing is
    /// sent any more.
    pub fn settle_last(&self) -> usize {
        let lanes = self.inner.lanes().clone();
        lanes.iter().map(Lane::settle_last).sum()
    }

    fn begin(&self) -> Result<(), OpenError> {
        let inner = Arc::downgrade(&self.inner);
        let hear: Hear = Arc::new(move |news| {
            if let Some(inner) = inner.upgrade() {
                inner.hear(&news);
            }
        });
        let session = self.inner.publish.open(Manner::Prompt { queue: QUEUE }, hear)?;
        let mut held = self.inner.session.write().unwrap_or_else(PoisonError::into_inner);
        // Dropped outside the lock: what it still holds is then told as failed.
        let old = held.replace(session);
        drop(held);
        drop(old);
        Ok(())
    }
}

impl Inner {
    /// On the session's thread.
    fn hear(&self, news: &News<'_>) {
        match *news {
            News::Settled { tag, outcome } => {
                if outcome == Err(Verdict::Fatal) {
                    self.is_broken.store(true, Ordering::Release);
                }
                let (index, ticket) = (tag >> TICKET_BITS, tag & TICKETS);
                let lane = self.lanes().get(index).cloned();
                if let Some(lane) = lane {
                    lane.hear(ticket, outcome);
                }
            }
            News::Unreachable(_, Verdict::Fatal | Verdict::Retry(Reason::Authentication)) => {
                self.is_broken.store(true, Ordering::Release);
            }
            News::Unreachable(..) | News::Reachable | News::Batches(_) => {}
        }
    }

    fn lanes(&self) -> MutexGuard<'_, Vec<Lane>> {
        self.lanes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Inner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Direct").field("publish", &self.publish).finish_non_exhaustive()
    }
}

/// Takes events of one thread. Cloning shares it.
#[derive(Clone, Debug)]
pub struct Lane {
    inner: Arc<LaneInner>,
    direct: Direct,
}

#[derive(Debug)]
struct LaneInner {
    index: usize,
    account: Account,
    told: Notify,
    /// What the session told and nobody looked at yet.
    news: Mutex<Vec<(usize, Result<(), Verdict>)>>,
    waiters: Mutex<Waiters>,
}

#[derive(Debug, Default)]
struct Waiters {
    next: usize,
    list: HashMap<usize, Waiter>,
    /// Of those that are settled and still waited for: whether Kafka has them.
    settled: HashMap<usize, bool>,
}

#[derive(Debug)]
struct Waiter {
    id: [u8; 16],
    standing: Standing,
    /// `None` when nobody waits any more.
    waker: Option<Waker>,
    is_left: bool,
}

/// What the journal has of an event.
#[derive(Clone, Debug)]
pub enum Standing {
    /// It is on its way to the disk.
    Queued(Claim),
    /// Nothing, and why.
    Refused(Unrecorded),
}

impl Lane {
    /// Hands an event to Kafka, at once or not at all. An error is final: the session takes
    /// nothing, and nothing is counted.
    pub fn send(&self, frame: &Frame<'_>, standing: Standing) -> Result<Acknowledged, Verdict> {
        let inner = &self.direct.inner;
        if inner.is_broken.load(Ordering::Acquire) {
            return Err(Verdict::Retry(Reason::SessionEnded));
        }
        let mut waiters = self.inner.waiters();
        let ticket = waiters.next;
        let tag = (self.inner.index << TICKET_BITS) | (ticket & TICKETS);
        let held = inner.session.read().unwrap_or_else(PoisonError::into_inner);
        let Some(session) = held.as_ref() else {
            return Err(Verdict::Retry(Reason::SessionEnded));
        };
        inner.addresser.send(&**session, frame, tag)?;
        drop(held);
        waiters.next = (ticket + 1) & TICKETS;
        let waiter = Waiter { id: frame.id, standing, waker: None, is_left: false };
        waiters.list.insert(ticket, waiter);
        drop(waiters);
        Ok(Acknowledged { lane: self.clone(), ticket })
    }

    /// Settles what the session tells, and wakes those who wait. Runs until dropped, on the
    /// thread that sends.
    pub async fn settle(&self) {
        loop {
            self.inner.told.notified().await;
            self.settle_now();
        }
    }

    /// On the session's thread.
    fn hear(&self, ticket: usize, outcome: Result<(), Verdict>) {
        self.inner.news.lock().unwrap_or_else(PoisonError::into_inner).push((ticket, outcome));
        self.inner.told.notify_one();
    }

    fn settle_now(&self) -> usize {
        let news = {
            let mut news = self.inner.news.lock().unwrap_or_else(PoisonError::into_inner);
            std::mem::take(&mut *news)
        };
        let mut waiters = self.inner.waiters();
        for (ticket, outcome) in news {
            let Some(waiter) = waiters.list.remove(&ticket) else { continue };
            waiter.count(&self.inner.account, outcome);
            if !waiter.is_left {
                waiters.settled.insert(ticket, outcome.is_ok());
            }
            if let Some(waker) = waiter.waker {
                waker.wake();
            }
        }
        waiters.list.len()
    }

    fn settle_last(&self) -> usize {
        self.settle_now();
        let left = std::mem::take(&mut self.inner.waiters().list);
        for waiter in left.values() {
            waiter.count(&self.inner.account, Err(Verdict::Retry(Reason::SessionEnded)));
        }
        left.len()
    }
}

impl Waiter {
    /// Counts an event that Kafka has or will not have, unless the journal counts it.
    fn count(&self, account: &Account, outcome: Result<(), Verdict>) {
        match (outcome, &self.standing) {
            (Ok(()), Standing::Refused(_)) => account.direct(),
            // Once: the journal has it before, or does not count it after.
            (Ok(()), Standing::Queued(claim)) if claim.disown() => account.direct(),
            (_, Standing::Queued(_)) => {}
            (Err(_), Standing::Refused(reason)) => unrecorded(account, self.id, *reason),
        }
    }
}

/// Counts an event that nothing has recorded, and traces its id.
fn unrecorded(account: &Account, id: [u8; 16], reason: Unrecorded) {
    account.unrecorded(reason);
    let event = Uuid::from_bytes(id);
    tracing::warn!(%event, reason = reason.name(), "answered without a record");
}

impl LaneInner {
    fn waiters(&self) -> MutexGuard<'_, Waiters> {
        self.waiters.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Resolves when Kafka has the event (true), or will not have it. Dropping it changes nothing but
/// who hears of it.
#[derive(Debug)]
#[must_use = "until this resolves nothing may be said of the event"]
pub struct Acknowledged {
    lane: Lane,
    ticket: usize,
}

impl Future for Acknowledged {
    type Output = bool;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<bool> {
        let mut waiters = self.lane.inner.waiters();
        match waiters.list.get_mut(&self.ticket) {
            Some(waiter) => {
                waiter.waker = Some(context.waker().clone());
                Poll::Pending
            }
            None => Poll::Ready(waiters.settled.get(&self.ticket).copied().unwrap_or(false)),
        }
    }
}

impl Drop for Acknowledged {
    fn drop(&mut self) {
        let mut waiters = self.lane.inner.waiters();
        waiters.settled.remove(&self.ticket);
        if let Some(waiter) = waiters.list.get_mut(&self.ticket) {
            (waiter.waker, waiter.is_left) = (None, true);
        }
    }
}

/// Bytes of events on the second path: what may be late when both disk and Kafka fail.
const QUEUE: usize = 16 << 20;
/// A tag is a lane's index above a ticket.
const TICKET_BITS: u32 = 40;
const TICKETS: usize = (1 << TICKET_BITS) - 1;
