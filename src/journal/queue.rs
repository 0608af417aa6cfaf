//! The bounded queue between those who append and the one who writes.
//!
//! A frame gets its sequence here, under the lock, so that order in the queue is order in the
//! journal. The writer is woken when as many frames wait as it asked for, and not for each.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use thiserror::Error;
use tokio::sync::Notify;

use super::frame::{self, BODY_LIMIT, Frame, KEY_LIMIT};

/// Why a frame was not taken. The caller's fault only when it is too large; otherwise later is
/// better.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum Refused {
    /// The journal is at its size bound and everything in it is still needed.
    #[error("the journal is at its size bound")]
    JournalFull,
    /// Too many bytes wait for the disk, or the journal is closed.
    #[error("the journal's queue is full")]
    QueueFull,
    /// The journal has not been opened yet.
    #[error("the journal has not been opened yet")]
    Unopened,
    /// The key or the body is larger than a frame takes.
    #[error("the frame is too large: at most 8 KiB of key and 256 KiB of body")]
    TooLarge,
}

#[derive(Debug)]
pub(super) struct Queue {
    waiting: Mutex<Waiting>,
    enough: Condvar,
    limit: usize,
    /// The first sequence that is not durable.
    durable: AtomicU64,
    /// Set when nobody waits for the disk any more.
    is_abandoned: AtomicBool,
    /// One for each appender: told once for each batch that holds frames of it.
    appenders: Mutex<Vec<Arc<Notify>>>,
    /// Told of every batch.
    pub(super) published: Notify,
}

#[derive(Debug)]
struct Waiting {
    batch: Batch,
    next: u64,
    /// The writer sleeps until this many frames wait; `usize::MAX` while it does not sleep.
    wake_at: usize,
    /// Frames that were refused since the queue was full.
    refused: u64,
    is_full: bool,
    is_open: bool,
    is_closed: bool,
}

/// What is seen of the queue at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Sight {
    /// The sequence that the next frame gets.
    pub(super) next: u64,
    /// The first sequence that is not durable.
    pub(super) durable: u64,
    /// Frames that were refused so far since the queue was full.
    pub(super) refused: u64,
    /// Whether more than half of the room is taken.
    pub(super) is_crowded: bool,
    /// Whether the journal is at its size bound.
    pub(super) is_full: bool,
}

/// Frames that were taken from the queue together.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Batch {
    /// Whole frames, unstamped.
    pub(super) bytes: Vec<u8>,
    /// How many they are.
    pub(super) count: usize,
    /// Which appenders they came from, by index.
    pub(super) from: Vec<usize>,
}

impl Queue {
    /// An empty queue that takes nothing before [`Queue::open`].
    pub(super) fn new(limit: usize) -> Self {
        let waiting = Waiting {
            batch: Batch::default(),
            next: FIRST,
            wake_at: usize::MAX,
            refused: 0,
            is_full: false,
            is_open: false,
            is_closed: false,
        };
        Self {
            waiting: Mutex::new(waiting),
            enough: Condvar::new(),
            limit,
            durable: AtomicU64::new(FIRST),
            is_abandoned: AtomicBool::new(false),
            appenders: Mutex::default(),
            published: Notify::new(),
        }
    }

    /// Says where a journal stands: the first frame gets the sequence `next`, those before
    /// `durable` are durable.
    pub(super) fn place(&self, next: u64, durable: u64) {
        self.durable.store(durable, Ordering::Release);
        self.lock().next = next;
    }

    /// Takes frames from now on.
    pub(super) fn open(&self) {
        self.lock().is_open = true;
    }

    /// Adds an appender; returns its index.
    pub(super) fn join(&self, told: Arc<Notify>) -> usize {
        let mut appenders = self.appenders.lock().unwrap_or_else(PoisonError::into_inner);
        appenders.push(told);
        appenders.len() - 1
    }

    /// Takes a frame and gives it its sequence.
    pub(super) fn push(&self, frame: &Frame<'_>, appender: usize) -> Result<u64, Refused> {
        if frame.key.len() > KEY_LIMIT || frame.body.len() > BODY_LIMIT {
            return Err(Refused::TooLarge);
        }
        let mut waiting = self.lock();
        if !waiting.is_open {
            return Err(Refused::Unopened);
        }
        if waiting.is_full {
            return Err(Refused::JournalFull);
        }
        let size = frame::size(frame.key.len(), frame.body.len());
        if waiting.is_closed || waiting.batch.bytes.len() + size > self.limit {
            waiting.refused += 1;
            return Err(Refused::QueueFull);
        }
        let sequence = waiting.next;
        waiting.next += 1;
        frame::encode(frame, sequence, &mut waiting.batch.bytes);
        waiting.batch.count += 1;
        if !waiting.batch.from.contains(&appender) {
            waiting.batch.from.push(appender);
        }
        if waiting.batch.count == waiting.wake_at {
            waiting.wake_at = usize::MAX;
            drop(waiting);
            self.enough.notify_one();
        }
        Ok(sequence)
    }

    /// Waits for frames, or until the queue is closed.
    ///
    /// When the last batch had `last` > 1 frames, and the first one since came within `gather`,
    /// traffic is dense: then the wait goes on until as many have come again, or `gather` has
    /// passed. Thin traffic never waits, nor does the first click after a burst.
    pub(super) fn wait(&self, last: usize, gather: Duration) {
        let mut waiting = self.lock();
        let mut is_dense = last > 1;
        while waiting.batch.count == 0 && !waiting.is_closed {
            waiting.wake_at = 1;
            if is_dense {
                let waited = self.enough.wait_timeout(waiting, gather);
                let (held, outcome) = waited.unwrap_or_else(PoisonError::into_inner);
                waiting = held;
                is_dense = !outcome.timed_out();
            } else {
                waiting = self.enough.wait(waiting).unwrap_or_else(PoisonError::into_inner);
            }
        }
        if waiting.batch.count < last && is_dense && !waiting.is_closed {
            waiting.wake_at = last;
            let waited = self.enough.wait_timeout(waiting, gather);
            waiting = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        waiting.wake_at = usize::MAX;
    }

    /// Takes all frames that wait, leaving `emptied` in their place to be filled. `None` when
    /// none waits.
    pub(super) fn take(&self, emptied: Batch) -> Option<Batch> {
        let mut waiting = self.lock();
        (waiting.batch.count > 0).then(|| std::mem::replace(&mut waiting.batch, emptied))
    }

    /// Whether the queue is closed and empty.
    pub(super) fn is_over(&self) -> bool {
        let waiting = self.lock();
        waiting.is_closed && waiting.batch.count == 0
    }

    /// Publishes that all sequences before `durable` are durable, and tells the appenders in
    /// `from`, each with one wake-up.
    pub(super) fn publish(&self, durable: u64, from: &[usize]) {
        self.durable.store(durable, Ordering::Release);
        let appenders = self.appenders.lock().unwrap_or_else(PoisonError::into_inner);
        for index in from {
            if let Some(told) = appenders.get(*index) {
                told.notify_one();
            }
        }
        drop(appenders);
        self.published.notify_waiters();
    }

    /// The first sequence that is not durable.
    pub(super) fn durable(&self) -> u64 {
        self.durable.load(Ordering::Acquire)
    }

    /// Says whether the journal is at its size bound.
    pub(super) fn set_full(&self, is_full: bool) {
        self.lock().is_full = is_full;
    }

    /// Takes nothing more; what waits is still written.
    pub(super) fn close(&self) {
        self.lock().is_closed = true;
        self.enough.notify_all();
    }

    /// Says that nobody waits for the disk any more: a writer that cannot write gives up.
    pub(super) fn abandon(&self) {
        self.is_abandoned.store(true, Ordering::Release);
        self.close();
    }

    /// Whether the queue was closed.
    pub(super) fn is_closed(&self) -> bool {
        self.lock().is_closed
    }

    /// Whether the queue was abandoned.
    pub(super) fn is_abandoned(&self) -> bool {
        self.is_abandoned.load(Ordering::Acquire)
    }

    /// The sequence that the next frame gets, and the bytes that wait.
    pub(super) fn level(&self) -> (u64, usize) {
        let waiting = self.lock();
        (waiting.next, waiting.batch.bytes.len())
    }

    /// What is seen now.
    pub(super) fn sight(&self) -> Sight {
        // Before the lock: what is durable then was queued then.
        let durable = self.durable();
        let waiting = self.lock();
        let (next, refused, is_full) = (waiting.next, waiting.refused, waiting.is_full);
        let is_crowded = waiting.batch.bytes.len() > self.limit / 2;
        Sight { next, durable, refused, is_crowded, is_full }
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The sequence of the first frame of all.
const FIRST: u64 = 1;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Timestamp;
    use crate::journal::Stream;

    fn open(limit: usize) -> Queue {
        let queue = Queue::new(limit);
        queue.open();
        queue
    }

    #[test]
    fn a_queue_takes_nothing_before_it_is_opened_and_counts_from_where_it_was_placed() {
        let queue = Queue::new(1_000);
        assert_eq!(queue.push(&frame(b"early"), 0), Err(Refused::Unopened));
        queue.place(7, 5);
        assert_eq!(queue.push(&frame(b"early"), 0), Err(Refused::Unopened));
        queue.open();
        assert_eq!(queue.push(&frame(b"first"), 0), Ok(7));
        assert_eq!(queue.durable(), 5);
    }

    fn frame(body: &[u8]) -> Frame<'_> {
        let time = Timestamp::from_seconds(1);
        Frame { stream: Stream::Events, time, id: [0; 16], key: b"", body }
    }

    #[test]
    fn a_full_queue_refuses_and_takes_again_when_emptied() {
        let queue = open(200);
        assert_eq!(queue.push(&frame(&[1; 40]), 0), Ok(1));
        assert_eq!(queue.push(&frame(&[1; 40]), 0), Ok(2));
        assert_eq!(queue.push(&frame(&[1; 40]), 0), Err(Refused::QueueFull));
        let batch = queue.take(Batch::default()).unwrap();
        assert_eq!((batch.count, batch.from.len()), (2, 1));
        assert_eq!(queue.push(&frame(&[1; 40]), 0), Ok(3));
    }

    #[test]
    fn what_is_too_large_is_refused_and_takes_no_sequence() {
        let queue = open(1 << 30);
        let body = vec![0; BODY_LIMIT + 1];
        assert_eq!(queue.push(&frame(&body), 0), Err(Refused::TooLarge));
        assert_eq!(queue.push(&frame(&body[1..]), 0), Ok(1));
    }

    #[test]
    fn a_closed_queue_gives_what_it_holds_and_then_ends() {
        let queue = open(1_000);
        queue.push(&frame(b"last"), 0).unwrap();
        queue.close();
        assert_eq!(queue.push(&frame(b"late"), 0), Err(Refused::QueueFull));
        assert!(!queue.is_over());
        queue.wait(9, Duration::MAX);
        assert_eq!(queue.take(Batch::default()).unwrap().count, 1);
        queue.wait(9, Duration::MAX);
        assert!(queue.take(Batch::default()).is_none());
        assert!(queue.is_over());
    }

    #[test]
    fn dense_traffic_gathers_until_as_many_came_as_last_time() {
        let queue = Arc::new(open(1 << 20));
        let writer = {
            let queue = Arc::clone(&queue);
            let name = std::thread::Builder::new();
            // Without the wake-up at the third frame this would wait for an hour.
            name.spawn(move || {
                queue.wait(3, Duration::from_secs(3_600));
                queue.take(Batch::default())
            })
        };
        for body in [b"1", b"2", b"3"] {
            queue.push(&frame(body), 0).unwrap();
        }
        assert_eq!(writer.unwrap().join().unwrap().unwrap().count, 3);
    }
}
