//! Waits of one length, many at a time.
//!
//! Every answer waits for the disk, and no longer than a set time. A timer of the runtime for each
//! would be made, put into its wheel and taken out again for nearly nothing, since the disk is
//! nearly always faster. Here the waits of one reactor share one ticking, which stops when
//! nobody waits.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Context, Waker};
use std::time::Duration;

use tokio::sync::Notify;

/// The waits of one reactor.
#[derive(Debug)]
pub(super) struct Patience {
    step: Duration,
    steps: u64,
    now: AtomicU64,
    waits: Mutex<Waits>,
    rouse: Notify,
}

#[derive(Debug, Default)]
struct Waits {
    slots: Vec<Option<(u64, Waker)>>,
    free: Vec<usize>,
}

/// A place among those who wait. It must be given back with [`Patience::leave`].
#[derive(Debug)]
pub(super) struct Wait {
    slot: usize,
    due: u64,
}

impl Patience {
    /// Waits that end after `within`, at most one sixteenth (or a millisecond) earlier.
    pub(super) fn new(within: Duration) -> Self {
        let step = (within / 16).max(Duration::from_millis(1));
        let steps = u64::try_from(within.as_nanos() / step.as_nanos()).unwrap_or(u64::MAX).max(1);
        Self { step, steps, now: AtomicU64::new(0), waits: Mutex::default(), rouse: Notify::new() }
    }

    /// Begins a wait of the task that is being polled.
    pub(super) fn enter(&self, context: &Context<'_>) -> Wait {
        let due = self.now.load(Ordering::Relaxed) + self.steps;
        let mut waits = self.lock();
        let held = Some((due, context.waker().clone()));
        let slot = match waits.free.pop() {
            Some(slot) => {
                waits.slots[slot] = held;
                slot
            }
            None => {
                waits.slots.push(held);
                waits.slots.len() - 1
            }
        };
        if waits.slots.len() == waits.free.len() + 1 {
            self.rouse.notify_one();
        }
        Wait { slot, due }
    }

    /// Whether the wait is over; if not, the task is woken when it is.
    pub(super) fn is_over(&self, wait: &Wait, context: &Context<'_>) -> bool {
        if self.now.load(Ordering::Relaxed) >= wait.due {
            return true;
        }
        if let Some((_, waker)) = &mut self.lock().slots[wait.slot] {
            waker.clone_from(context.waker());
        }
        false
    }

    /// Ends a wait.
    pub(super) fn leave(&self, wait: Wait) {
        let mut waits = self.lock();
        waits.slots[wait.slot] = None;
        waits.free.push(wait.slot);
        if waits.free.len() == waits.slots.len() && waits.slots.len() > KEPT {
            *waits = Waits::default();
        }
    }

    /// How long one tick stands for.
    pub(super) fn pace(&self) -> Duration {
        self.step
    }

    /// Lets one pace of time pass.
    pub(super) fn tick(&self) {
        let now = self.now.fetch_add(1, Ordering::Relaxed) + 1;
        for (due, waker) in self.lock().slots.iter().flatten() {
            if *due <= now {
                // Only queues the task: nothing of it runs under our lock.
                waker.wake_by_ref();
            }
        }
    }

    /// Ticks while somebody waits. Runs until dropped.
    pub(super) async fn run(&self) {
        loop {
            while self.is_empty() {
                self.rouse.notified().await;
            }
            self.pass().await;
        }
    }

    /// Waits for one pace and ticks.
    pub(super) async fn pass(&self) {
        tokio::time::sleep(self.step).await;
        self.tick();
    }

    fn is_empty(&self) -> bool {
        let waits = self.lock();
        waits.free.len() == waits.slots.len()
    }

    fn lock(&self) -> MutexGuard<'_, Waits> {
        self.waits.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Slots that are kept for the next waits when nobody waits any more.
const KEPT: usize = 4_096;

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::task::Poll;

    use super::*;

    async fn wait(patience: &Patience) {
        let mut held = None;
        poll_fn(|context| {
            let wait = held.get_or_insert_with(|| patience.enter(context));
            if patience.is_over(wait, context) { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
        held.map(|wait| patience.leave(wait)).unwrap();
    }

    #[tokio::test]
    async fn a_wait_ends_after_its_time_and_its_slot_is_used_again() {
        let within = Duration::from_millis(64);
        let patience = Patience::new(within);
        tokio::select! {
            () = patience.run() => panic!("it ends only with the reactor"),
            () = async {
                for _ in 0..5 {
                    let began = tokio::time::Instant::now();
                    tokio::join!(wait(&patience), wait(&patience));
                    let took = began.elapsed();
                    assert!(took >= within * 14 / 16, "{took:?}");
                    assert!(took < Duration::from_secs(5), "{took:?}");
                }
            } => {}
        }
        assert!(patience.is_empty());
        assert_eq!(patience.lock().slots.len(), 2, "slots are used again");
    }
}
