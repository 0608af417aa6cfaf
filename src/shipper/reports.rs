//! What a session tells, kept until the shipper looks.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;

use crate::kafka::{Batches, Hear, News, Verdict};

/// The news of one session. Cloning shares it.
#[derive(Clone, Debug, Default)]
pub(super) struct Reports {
    inner: Arc<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    pile: Mutex<Pile>,
    told: Notify,
    /// For those who wait on a thread.
    any: Condvar,
}

/// What was told since the last look.
#[derive(Debug, Default)]
pub(super) struct Pile {
    /// Tags and what became of their records, in the order of reports.
    pub(super) settled: Vec<(u64, Result<(), Verdict>)>,
    /// Whether a broker is connected, when that was told.
    pub(super) is_reachable: bool,
    /// That none is, and what was heard; all of it, since librdkafka tells each cause once.
    pub(super) unreachable: Vec<(String, Verdict)>,
    pub(super) batches: Vec<Batches>,
}

impl Reports {
    /// What to give to a session.
    pub(super) fn hear(&self) -> Hear {
        let inner = Arc::clone(&self.inner);
        Arc::new(move |news| {
            let mut pile = inner.lock();
            let is_first = pile.is_empty();
            match news {
                News::Settled { tag, outcome } => pile.settled.push((tag as u64, outcome)),
                News::Reachable => pile.is_reachable = true,
                News::Unreachable(told, verdict) => {
                    pile.unreachable.push((told.to_owned(), verdict));
                }
                News::Batches(batches) => pile.batches.push(batches),
            }
            drop(pile);
            // One wake-up for all that is told until the next look.
            if is_first {
                inner.told.notify_one();
                inner.any.notify_all();
            }
        })
    }

    /// Takes what was told since the last look; `None` when nothing was.
    pub(super) fn take(&self) -> Option<Pile> {
        let mut pile = self.inner.lock();
        (!pile.is_empty()).then(|| std::mem::take(&mut *pile))
    }

    /// Resolves when something was told since the last look.
    pub(super) async fn told(&self) {
        while self.inner.lock().is_empty() {
            self.inner.told.notified().await;
        }
    }

    /// Waits until something was told since the last look, at most `longest`.
    pub(super) fn wait(&self, longest: Duration) {
        let pile = self.inner.lock();
        let told = self.inner.any.wait_timeout_while(pile, longest, |pile| pile.is_empty());
        drop(told);
    }
}

impl Inner {
    fn lock(&self) -> MutexGuard<'_, Pile> {
        self.pile.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Pile {
    fn is_empty(&self) -> bool {
        self.settled.is_empty()
            && !self.is_reachable
            && self.unreachable.is_empty()
            && self.batches.is_empty()
    }
}
