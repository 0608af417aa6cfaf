//! How one thread appends, and waits for the disk without a wake-up of its own for each frame.
//!
//! The writer tells an appender once for each batch; the appender's settling task then wakes the
//! tasks that wait here. Both live on one reactor, so those wake-ups cost no system call.

use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use tokio::sync::Notify;

use super::frame::Frame;
use super::queue::{Queue, Refused};
use crate::metrics::Account;

/// Appends frames for one thread. Cloning shares it.
#[derive(Clone, Debug)]
pub struct Appender {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    queue: Arc<Queue>,
    told: Arc<Notify>,
    index: usize,
    account: Account,
    waiters: Mutex<Waiters>,
}

/// Frames that are queued or being written, oldest first, whether or not anybody still waits.
#[derive(Debug, Default)]
struct Waiters {
    slots: VecDeque<Slot>,
    /// How many slots were settled: the ticket of the front.
    settled: u64,
}

#[derive(Debug)]
struct Slot {
    sequence: u64,
    id: [u8; 16],
    waker: Option<Waker>,
    /// Something else has recorded the frame and counted it.
    is_disowned: bool,
}

impl Appender {
    pub(super) fn new(queue: Arc<Queue>, account: Account) -> Self {
        let told = Arc::new(Notify::new());
        let index = queue.join(Arc::clone(&told));
        Self { inner: Arc::new(Inner { queue, told, index, account, waiters: Mutex::default() }) }
    }

    /// Queues a frame, at once or not at all.
    ///
    /// When the frame is durable, its account is told, whether or not the future still waits.
    pub fn append(&self, frame: &Frame<'_>) -> Result<Durable, Refused> {
        // Held over the push, so that slots stand in the order of their sequences.
        let mut waiters = self.inner.lock();
        let sequence = self.inner.queue.push(frame, self.inner.index)?;
        waiters.slots.push_back(Slot { sequence, id: frame.id, waker: None, is_disowned: false });
        let ticket = waiters.settled + waiters.slots.len() as u64 - 1;
        Ok(Durable { inner: Arc::clone(&self.inner), ticket, sequence })
    }

    /// Wakes the tasks whose frames have become durable, batch after batch. Runs until dropped,
    /// on the thread that appends.
    pub async fn settle(&self) {
        loop {
            self.inner.told.notified().await;
            self.inner.settle();
        }
    }

    /// Settles what is durable now; returns how many frames are still in progress.
    pub fn settle_now(&self) -> usize {
        self.inner.settle();
        self.inner.lock().slots.len()
    }

    /// The ids of the frames that are still in progress.
    pub fn in_progress(&self) -> Vec<[u8; 16]> {
        let waiters = self.inner.lock();
        waiters.slots.iter().filter(|slot| !slot.is_disowned).map(|slot| slot.id).collect()
    }

    /// The account that is told of durable frames.
    pub fn account(&self) -> &Account {
        &self.inner.account
    }
}

impl Inner {
    fn settle(&self) {
        let durable = self.queue.durable();
        let mut waiters = self.lock();
        let count = waiters.slots.partition_point(|slot| slot.sequence < durable);
        waiters.settled += count as u64;
        let mut journalled = 0;
        // Woken under the lock: a waking only queues the task, on this thread.
        for slot in waiters.slots.drain(..count) {
            journalled += u64::from(!slot.is_disowned);
            if let Some(waker) = slot.waker {
                waker.wake();
            }
        }
        drop(waiters);
        if journalled > 0 {
            self.account.journalled(journalled);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Waiters> {
        self.waiters.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Resolves when the frame is durable. Dropping it changes nothing but who hears of it.
#[derive(Debug)]
#[must_use = "until this resolves nothing may be said of the frame"]
pub struct Durable {
    inner: Arc<Inner>,
    ticket: u64,
    sequence: u64,
}

impl Durable {
    /// The frame's sequence in its directory.
    pub fn sequence(&self) -> u64 {
        self.sequence
    }

    /// A claim on the frame's place in the ledger.
    pub fn claim(&self) -> Claim {
        Claim { inner: Arc::clone(&self.inner), ticket: self.ticket }
    }
}

/// A claim on the place of a frame in the ledger: whoever records the frame first counts it.
#[derive(Clone, Debug)]
pub struct Claim {
    inner: Arc<Inner>,
    ticket: u64,
}

impl Claim {
    /// Has the journal not count the frame; false when it has counted it already.
    pub fn disown(&self) -> bool {
        let mut waiters = self.inner.lock();
        let place = self.ticket.checked_sub(waiters.settled);
        let slot = place.and_then(|at| usize::try_from(at).ok());
        match slot.and_then(|at| waiters.slots.get_mut(at)) {
            Some(slot) => !std::mem::replace(&mut slot.is_disowned, true),
            None => false,
        }
    }
}

impl Future for Durable {
    type Output = ();

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let mut waiters = self.inner.lock();
        let Some(place) = self.ticket.checked_sub(waiters.settled) else {
            return Poll::Ready(());
        };
        if let Some(slot) = usize::try_from(place).ok().and_then(|at| waiters.slots.get_mut(at)) {
            match &mut slot.waker {
                Some(waker) => waker.clone_from(context.waker()),
                none => *none = Some(context.waker().clone()),
            }
        }
        Poll::Pending
    }
}
