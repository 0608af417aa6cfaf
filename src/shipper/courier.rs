//! What to do next with the frames of one directory, decided without a thread, a clock, a file or
//! a socket.
//!
//! The [driver](super::driver) does what [`Courier::step`] asks and hands back how it went;
//! reports of the session come in between by [`Courier::report`]. Rules:
//!
//! - Frames are sent in order. When one must be sent again, nothing more is sent until all that is
//!   in flight is reported; then everything that is not settled is sent again, in order.
//! - The cursor is put on disk at most every [`SYNC_EVERY`], and never past a frame that is not
//!   settled.
//! - A batch that is too large tells nothing of its frames: each is sent alone. One that is too
//!   large alone is set aside.
//! - A session that cannot go on is closed once nothing is in flight, or after [`LINGER`]; what
//!   was not reported is sent again in the next one.

use std::time::{Duration, Instant};

use super::window::{State, Window};
use crate::clock::Timestamp;
use crate::kafka::{Reason, Verdict};

/// What the driver does next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Action {
    /// Begin a session; answer [`Event::Opened`].
    Open,
    /// Drop the session; answer [`Event::Closed`].
    Close,
    /// Read the first frame from this sequence on and tell [`Courier::found`] of it, or answer
    /// [`Event::NoFrame`] or [`Event::Unreadable`].
    Read { from: u64 },
    /// Put the cursor on disk; answer [`Event::Synced`].
    Sync { position: u64 },
    /// Wait for reports, until a time, or for more frames; answer [`Event::Woken`].
    Wait { until: Option<Instant>, frames: bool },
    /// Nothing is left to do.
    Finish,
}

/// What the driver does with the frame that it has just read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Deed {
    /// Send it; answer [`Event::Sent`].
    Send,
    /// Set it aside; answer [`Event::SetAside`].
    SetAside,
    /// Nothing; answer [`Event::Woken`].
    Leave,
}

/// What the driver hands in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Event {
    /// There is a session, or there could be none.
    Opened(bool),
    /// There is none any more, and no report of it will come.
    Closed,
    /// There is no frame before this sequence, and none from there on, yet.
    NoFrame { next: u64 },
    /// There is no frame before this sequence; what stands there is to be asked for again.
    Passed { next: u64 },
    /// Reading failed; worth a retry.
    Unreadable,
    /// The session took the frame, or why not.
    Sent(Result<(), Verdict>),
    /// The frame lies in the file of dead letters, synced, or not.
    SetAside(bool),
    /// The cursor is on disk, or not.
    Synced(bool),
    /// Something may have changed.
    Woken,
}

/// When the directory is left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Leave {
    /// Never: more is written to it.
    Never,
    /// When everything in it is settled.
    Settled,
    /// When everything that was read of it is settled.
    Read,
    /// At once, with the cursor on disk.
    Now,
}

/// The courier of one directory.
#[derive(Debug)]
pub(super) struct Courier {
    window: Window,
    link: Link,
    /// The next sequence to look at.
    place: u64,
    /// The frame that was read, while it is sent or set aside.
    hand: Option<u64>,
    /// The frame that is in flight alone.
    alone: Option<u64>,
    /// A frame that is too large alone.
    doomed: Option<u64>,
    /// Something before `place` is to be sent again.
    is_behind: bool,
    /// Nothing is sent before then.
    pause: Option<Instant>,
    /// The session is closed then: it does not look again by itself.
    renew: Option<Instant>,
    backoff: Duration,
    /// What is on disk.
    cursor: u64,
    /// What is being put there.
    syncing: u64,
    sync_at: Instant,
    /// Whether the last sync was asked for.
    is_ended: bool,
    leave: Leave,
    /// Whether the last look found no frame.
    is_drained: bool,
    /// Frames that could not be read a second time.
    damaged: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Link {
    /// No session; one is begun then.
    Closed { until: Instant },
    /// A session that takes frames.
    Open,
    /// A session that is dropped when nothing is in flight, or then.
    Closing { by: Instant },
}

impl Courier {
    /// A courier that begins at the cursor, with `window` bytes under way at most.
    pub(super) fn new(cursor: u64, window: usize, leave: Leave, now: Instant) -> Self {
        Self {
            window: Window::new(cursor, window),
            link: Link::Closed { until: now },
            place: cursor,
            hand: None,
            alone: None,
            doomed: None,
            is_behind: false,
            pause: None,
            renew: None,
            backoff: BACKOFF,
            cursor,
            syncing: cursor,
            sync_at: now,
            is_ended: false,
            leave,
            is_drained: false,
            damaged: 0,
        }
    }

    /// The courier of the next directory, with the session of this one, which has finished.
    pub(super) fn follow(self, cursor: u64, window: usize, leave: Leave, now: Instant) -> Self {
        let Self { link, renew, backoff, .. } = self;
        Self { link, renew, backoff, ..Self::new(cursor, window, leave, now) }
    }

    /// Says when to finish.
    pub(super) fn leave(&mut self, leave: Leave) {
        self.leave = leave;
    }

    /// When it finishes.
    pub(super) fn leaves(&self) -> Leave {
        self.leave
    }

    /// The frames that are under way.
    pub(super) fn window(&self) -> &Window {
        &self.window
    }

    /// Frames that could be read once and not again.
    pub(super) fn damaged(&self) -> u64 {
        self.damaged
    }

    /// What became of a frame that was sent. Returns the frame's time when it is acknowledged.
    pub(super) fn report(
        &mut self,
        sequence: u64,
        outcome: Result<(), Verdict>,
        now: Instant,
    ) -> Option<Timestamp> {
        let was_alone = self.alone == Some(sequence);
        if was_alone {
            self.alone = None;
        }
        match outcome {
            Ok(()) => {
                let before = self.window.position();
                let time = self.window.settle(sequence);
                if self.window.position() > before {
                    self.backoff = BACKOFF;
                }
                return time;
            }
            Err(Verdict::TooLarge) => {
                self.window.failed(sequence, State::Alone);
                if was_alone {
                    self.doomed = Some(sequence);
                } else {
                    self.is_behind = true;
                }
            }
            Err(verdict) => {
                self.window.failed(sequence, State::Waiting);
                self.is_behind = true;
                self.trouble(verdict, now);
            }
        }
        None
    }

    /// What the session tells of itself.
    pub(super) fn trouble(&mut self, verdict: Verdict, now: Instant) {
        match verdict {
            Verdict::Fatal => self.close(now),
            Verdict::Retry(reason) => {
                if reason == Reason::QueueFull {
                    self.pause = Some(now + QUEUE_FULL);
                } else if reason.needs_new_session() {
                    self.renew.get_or_insert(now + self.backoff);
                } else if self.is_behind {
                    self.pause.get_or_insert(now + BACKOFF);
                }
            }
            Verdict::TooLarge => {}
        }
    }

    /// Takes the frame that was read, at or behind the place that was asked for; says what to do
    /// with it.
    pub(super) fn found(&mut self, sequence: u64, size: usize, time: Timestamp) -> Deed {
        if let Some(doomed) = self.doomed.take_if(|doomed| *doomed != sequence) {
            self.place = doomed;
            self.vanished(doomed + 1);
            return Deed::Leave;
        }
        if self.doomed.is_some() {
            self.hand = Some(sequence);
            return Deed::SetAside;
        }
        if self.place < self.window.next() {
            self.vanished(sequence.min(self.window.next()));
        }
        if sequence >= self.window.next() {
            self.window.admit(sequence, size, time);
        }
        self.place = sequence;
        // A report may have come since it was asked for.
        let may_send = match self.window.state(sequence) {
            State::Waiting => true,
            State::Alone => self.window.in_flight() == 0,
            State::Sent | State::Settled => false,
        };
        if !may_send || self.is_behind || self.link != Link::Open {
            return Deed::Leave;
        }
        self.hand = Some(sequence);
        Deed::Send
    }

    /// Takes what happened, says what to do.
    pub(super) fn step(&mut self, event: Event, now: Instant) -> Action {
        match event {
            Event::Opened(true) => self.link = Link::Open,
            Event::Opened(false) => self.closed(now),
            Event::Closed => {
                let lost = self.window.lose();
                self.is_behind |= lost > 0;
                self.alone = None;
                self.closed(now);
            }
            Event::NoFrame { .. } if self.place < self.window.next() => {
                self.vanished(self.window.next());
            }
            Event::NoFrame { next } => {
                self.pass(next);
                self.is_drained = true;
            }
            Event::Passed { next } if self.place >= self.window.next() => self.pass(next),
            Event::Passed { .. } => {}
            Event::Unreadable => self.pause = Some(now + UNREADABLE),
            Event::Sent(result) => self.was_sent(result, now),
            Event::SetAside(is_done) => self.was_set_aside(is_done, now),
            Event::Synced(true) => {
                self.cursor = self.syncing;
                self.sync_at = now + SYNC_EVERY;
            }
            Event::Synced(false) => self.sync_at = now + UNREADABLE,
            Event::Woken => self.is_drained = false,
        }
        self.next(now)
    }

    fn next(&mut self, now: Instant) -> Action {
        let is_done = self.is_done();
        if self.window.position() > self.cursor
            && !self.is_ended
            && (is_done || self.sync_at <= now)
        {
            self.is_ended = is_done;
            self.syncing = self.window.position();
            return Action::Sync { position: self.syncing };
        }
        if is_done {
            return Action::Finish;
        }
        if self.link == Link::Open && self.renew.is_some_and(|at| at <= now) {
            self.close(now);
        }
        match self.link {
            Link::Closed { until } if until <= now => Action::Open,
            Link::Closed { until } => self.wait(Some(until), false),
            Link::Closing { by } if self.window.in_flight() == 0 || by <= now => Action::Close,
            Link::Closing { by } => self.wait(Some(by), false),
            Link::Open => self.next_frame(now),
        }
    }

    /// What to read, with a session that takes it.
    fn next_frame(&mut self, now: Instant) -> Action {
        if let Some(until) = self.pause {
            if until > now {
                return self.wait(Some(until), false);
            }
            self.pause = None;
        }
        if let Some(doomed) = self.doomed {
            return Action::Read { from: doomed };
        }
        if self.alone.is_some() || (self.is_behind && self.window.in_flight() > 0) {
            return self.wait(None, false);
        }
        if self.is_behind {
            self.place = self.window.first_waiting().unwrap_or_else(|| self.window.next());
            self.is_behind = false;
        }
        while self.place < self.window.next() {
            match self.window.state(self.place) {
                State::Waiting => return Action::Read { from: self.place },
                State::Alone if self.window.in_flight() > 0 => return self.wait(None, false),
                State::Alone => return Action::Read { from: self.place },
                State::Sent | State::Settled => self.place += 1,
            }
        }
        let may_read = matches!(self.leave, Leave::Never | Leave::Settled);
        if !may_read || !self.window.has_room() {
            return self.wait(None, false);
        }
        if self.is_drained {
            return self.wait(None, true);
        }
        Action::Read { from: self.place }
    }

    /// Nothing stands between the frame admitted last and `next`.
    fn pass(&mut self, next: u64) {
        self.window.skip_to(next);
        self.place = self.window.next();
    }

    /// What stood between the place and `to` cannot be read any more.
    fn vanished(&mut self, to: u64) {
        for sequence in self.place..to {
            if matches!(self.window.state(sequence), State::Waiting | State::Alone) {
                self.window.settle(sequence);
                self.damaged += 1;
            }
        }
        self.place = to;
    }

    fn was_sent(&mut self, result: Result<(), Verdict>, now: Instant) {
        let Some(sequence) = self.hand.take() else { return };
        match result {
            Ok(()) => {
                if self.window.state(sequence) == State::Alone {
                    self.alone = Some(sequence);
                }
                self.window.sent(sequence);
                self.place = sequence + 1;
            }
            // Said before anything was sent, so of this frame alone.
            Err(Verdict::TooLarge) => self.doomed = Some(sequence),
            Err(verdict) => {
                self.is_behind = verdict != Verdict::Retry(Reason::QueueFull);
                self.trouble(verdict, now);
            }
        }
    }

    fn was_set_aside(&mut self, is_done: bool, now: Instant) {
        let Some(sequence) = self.hand.take() else { return };
        if !is_done {
            self.pause = Some(now + UNREADABLE);
            return;
        }
        self.doomed = None;
        self.window.settle(sequence);
        self.place = sequence + 1;
        self.is_behind = self.window.first_waiting().is_some();
    }

    /// Whether the directory is to be left.
    fn is_done(&self) -> bool {
        match self.leave {
            Leave::Never => false,
            Leave::Settled => self.is_drained && self.window.is_empty(),
            Leave::Read => self.window.is_empty(),
            Leave::Now => true,
        }
    }

    fn close(&mut self, now: Instant) {
        if self.link == Link::Open {
            self.link = Link::Closing { by: now + LINGER };
        }
        self.renew = None;
    }

    fn closed(&mut self, now: Instant) {
        self.link = Link::Closed { until: now + self.backoff };
        self.backoff = (self.backoff * 2).min(LONGEST_BACKOFF);
        (self.renew, self.pause) = (None, None);
    }

    /// A wait that ends in time for the next sync.
    fn wait(&self, until: Option<Instant>, frames: bool) -> Action {
        let sync = (self.window.position() > self.cursor).then_some(self.sync_at);
        let renew = self.renew.filter(|_| self.link == Link::Open);
        let until = [until, sync, renew].into_iter().flatten().min();
        Action::Wait { until, frames }
    }
}

/// How often the cursor is put on disk at most.
pub(super) const SYNC_EVERY: Duration = Duration::from_millis(100);
/// How long a session that cannot go on may take to report what is in flight.
const LINGER: Duration = Duration::from_secs(2);
/// How long to wait after a failure at first; it doubles until something gets on.
const BACKOFF: Duration = Duration::from_millis(100);
const LONGEST_BACKOFF: Duration = Duration::from_secs(5);
/// How long to wait for a session that holds as much as it may.
const QUEUE_FULL: Duration = Duration::from_millis(5);
/// How long to wait after the disk failed.
const UNREADABLE: Duration = Duration::from_secs(1);
