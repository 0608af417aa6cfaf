//! Whose turn it is: which click is sent next, and when.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use tokio::sync::Notify;
use tokio::time::sleep_until;

/// Hands out the serials of a mailing, each once.
#[derive(Debug)]
pub(super) struct Turns {
    /// The next turn of each lane.
    lanes: Vec<AtomicUsize>,
    /// The next serial, where lanes do not matter.
    any: AtomicUsize,
    /// The first serial that is not sent.
    end: AtomicUsize,
    /// Seconds between two serials; `None` when answers set the pace.
    every: Option<f64>,
    begun: OnceLock<Instant>,
    stopped: Notify,
}

/// A click that is to be sent.
#[derive(Clone, Copy, Debug)]
pub(super) struct Turn {
    pub(super) serial: usize,
    /// When it is to be sent; `None` for at once.
    pub(super) due: Option<Instant>,
}

impl Turns {
    pub(super) fn new(lanes: usize, count: usize, rate: Option<f64>) -> Self {
        Self {
            lanes: (0..lanes).map(|_| AtomicUsize::new(0)).collect(),
            any: AtomicUsize::new(0),
            end: AtomicUsize::new(count),
            every: rate.map(f64::recip),
            begun: OnceLock::new(),
            stopped: Notify::new(),
        }
    }

    /// The next click of a lane, or of all; `None` when all were sent.
    pub(super) fn take(&self, lane: Option<usize>) -> Option<Turn> {
        let serial = match lane {
            Some(lane) => {
                let turn = self.lanes[lane].fetch_add(1, Ordering::Relaxed);
                turn.saturating_mul(self.lanes.len()).saturating_add(lane)
            }
            None => self.any.fetch_add(1, Ordering::Relaxed),
        };
        let begun = self.begun();
        let due = self.every.map(|every| begun + Duration::from_secs_f64(every * serial as f64));
        self.has(serial).then_some(Turn { serial, due })
    }

    /// Whether nothing is left of a lane, or of all.
    pub(super) fn is_over(&self, lane: Option<usize>) -> bool {
        let next = match lane {
            Some(lane) => self.lanes[lane].load(Ordering::Relaxed).saturating_mul(self.lanes.len()),
            None => self.any.load(Ordering::Relaxed),
        };
        !self.has(next.saturating_add(lane.unwrap_or_default()))
    }

    /// Waits until a turn is due; `None` when all is over before.
    pub(super) async fn wait(&self, turn: Turn) -> Option<Turn> {
        let Some(due) = turn.due.filter(|due| *due > Instant::now()) else { return Some(turn) };
        tokio::select! {
            () = sleep_until(due.into()) => {}
            () = self.stopped() => {}
        }
        // What is sent once it is due is not late by the timer's coarseness.
        self.has(turn.serial).then_some(Turn { due: None, ..turn })
    }

    /// Resolves when [`Turns::stop`] is called, at once when it was.
    pub(super) async fn stopped(&self) {
        let stopped = self.stopped.notified();
        if !self.is_stopped() {
            stopped.await;
        }
    }

    pub(super) fn is_stopped(&self) -> bool {
        !self.has(0)
    }

    /// Whether a serial is to be sent.
    fn has(&self, serial: usize) -> bool {
        serial < self.end.load(Ordering::SeqCst)
    }

    /// Nothing more is sent.
    pub(super) fn stop(&self) {
        self.end.store(0, Ordering::SeqCst);
        self.stopped.notify_waiters();
    }

    /// When the first turn was taken.
    pub(super) fn begun(&self) -> Instant {
        *self.begun.get_or_init(Instant::now)
    }
}
