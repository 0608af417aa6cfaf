//! What keeps certificates from growing old, between their orders: their authorities are asked
//! when they suggest a renewal, and a renewal that came to nothing is put off.

use std::time::Duration;

use super::allowance::{Allowance, reserve};
use super::mood::Mood;
use super::renewal::{Advice, Step, Term, spread};
use super::turn::{Queue, Room};
use super::work::Work;
use crate::clock::Timestamp;
use crate::hostname::Hostname;
use crate::store::{Kind, Lane, StoreError};
use crate::tls::{Record, Schedule};

impl Work {
    /// Whether any name waits for its turn.
    pub(super) async fn has_waiting(&self) -> bool {
        let (store, now) = (&self.docket.store, self.clock.wall());
        for queue in Queue::ALL {
            let (kind, lane) = queue.place();
            if matches!(store.due(kind, lane, now, 1).await, Ok(1..)) {
                return true;
            }
        }
        false
    }

    /// Names of a queue whose turn has come, at most `limit`.
    pub(super) async fn claim(&self, queue: Queue, limit: usize) -> Vec<Hostname> {
        self.claimed(queue.place(), limit).await
    }

    /// Names whose authorities are to be asked about their renewal, at most `limit`.
    pub(super) async fn questions(&self, limit: usize) -> Vec<Hostname> {
        self.claimed(QUESTIONS, limit).await
    }

    /// How many orders the authorities still take.
    pub(super) async fn room(&self) -> Room {
        let (now, mut room) = (self.clock.wall(), Room::default());
        for issuer in &self.issuers {
            let mood = issuer.mood().await;
            if mood != Mood::Closed {
                let left = Allowance::left(&*self.docket.store, &issuer.config, now).await;
                let (left, is_doubtful) = (left.unwrap_or_default(), mood == Mood::Doubtful);
                room = room.or(Room::at(left, reserve(&issuer.config), is_doubtful));
            }
        }
        room
    }

    /// Tells what is counted: what waits, what authorities still take, and how long certificates
    /// have to live.
    pub(super) async fn tell(&self) {
        let (store, now, measures) = (&self.docket.store, self.clock.wall(), &self.measures);
        for issuer in &self.issuers {
            if let Ok(left) = Allowance::left(&**store, &issuer.config, now).await {
                measures.left(&issuer.config.name, left, reserve(&issuer.config));
            }
        }
        let mut oldest = self.overdue.oldest();
        for queue in Queue::ALL {
            let (kind, lane) = queue.place();
            let Ok(waiting) = store.due(kind, lane, now, MOST_COUNTED).await else { return };
            measures.waiting(queue.name(), waiting);
            if kind == Kind::Certificate
                && let Ok(Some(due)) = store.next_due(kind, lane).await
            {
                oldest = Some(oldest.map_or(due, |oldest| oldest.min(due)));
            }
        }
        measures.overdue(oldest.map_or(Duration::ZERO, |oldest| oldest.until(now)));
        if let Ok(remaining) = self.certificates.remaining().await {
            measures.remaining(&remaining);
        }
        self.count().await;
    }

    /// Whether a certificate is to be renewed now. One that is not is due again when it says.
    pub(super) async fn is_to_renew(&self, name: &Hostname) -> bool {
        let Ok(Some(held)) = self.held(name).await else { return false };
        let now = self.clock.wall();
        if Term::of(&held).step(&held.schedule, now) == Step::Renew {
            return true;
        }
        let schedule = held.schedule;
        self.schedule(name, held, schedule).await;
        false
    }

    /// Asks the authority of a certificate when it suggests to renew it (RFC 9773).
    pub(super) async fn ask(&self, name: &Hostname) {
        let Ok(Some(held)) = self.held(name).await else { return };
        let (term, before) = (Term::of(&held), held.schedule);
        if term.step(&before, self.clock.wall()) != Step::Ask {
            return self.schedule(name, held, before).await;
        }
        let issuer = self.issuers.iter().find(|issuer| issuer.config.name == held.issuer);
        let (Some(issuer), Some(id)) = (issuer, &held.ari) else {
            // Whoever issued it is not configured now, and may be again.
            let after = term.advised(&before, Advice::None, None, self.clock.wall());
            return self.schedule(name, held, after).await;
        };
        let (advice, wait) = issuer.advice(id).await;
        let now = self.clock.wall();
        let after = term.advised(&before, advice, wait, now);
        self.measures.asked_about(&issuer.config.name, advice);
        if after.renew_at != before.renew_at {
            tracing::info!(%name, from = %before.renew_at, to = %after.renew_at, "a renewal is moved");
        }
        self.schedule(name, held, after).await;
    }

    /// Puts a renewal off until `retry_at`.
    pub(super) async fn put_off(&self, name: &Hostname, retry_at: Timestamp) {
        let Ok(Some(held)) = self.held(name).await else { return };
        if held.schedule.renew_at <= self.clock.wall() {
            self.overdue.late(name, held.schedule.renew_at);
        }
        let schedule = Schedule { retry_at, ..held.schedule };
        self.schedule(name, held, schedule).await;
    }

    /// Puts the renewal of a name off that does not lead to us now. What has expired meanwhile is
    /// forgotten: whoever brings the name back has another one ordered.
    pub(super) async fn left_us(&self, name: &Hostname) {
        let Ok(Some(held)) = self.held(name).await else { return };
        let now = self.clock.wall();
        if now < held.not_after {
            self.overdue.done(name);
            let retry_at = now.plus(AWAY + AWAY.mul_f64(spread(name.as_str()) / 4.0));
            let schedule = Schedule { retry_at, ..held.schedule };
            return self.schedule(name, held, schedule).await;
        }
        self.overdue.done(name);
        match self.certificates.withdraw(name).await {
            Ok(()) => {
                tracing::info!(%name, "an expired certificate of a name that left is forgotten")
            }
            Err(error) => tracing::debug!(%name, %error, "an expired certificate is kept"),
        }
    }

    /// The certificate that is held for a name; a damaged one is none.
    pub(super) async fn held(&self, name: &Hostname) -> Result<Option<Record>, StoreError> {
        match self.certificates.kept(name).await {
            Err(StoreError::Damaged { .. }) => Ok(None),
            held => held,
        }
    }

    async fn claimed(&self, place: (Kind, Lane), limit: usize) -> Vec<Hostname> {
        let (store, now) = (&self.docket.store, self.clock.wall());
        let (kind, lane) = place;
        // Only a look, most of the time: a claim writes.
        if limit == 0 || !matches!(store.due(kind, lane, now, 1).await, Ok(1..)) {
            return Vec::new();
        }
        let claimed = self.docket.claim(place, now, self.lease(), limit).await;
        claimed.unwrap_or_else(|error| {
            tracing::debug!(%error, "nothing can be taken up now");
            Vec::new()
        })
    }

    async fn schedule(&self, name: &Hostname, held: Record, schedule: Schedule) {
        let due = Term::of(&held).due(&schedule, self.clock.wall());
        let kept = self.certificates.reschedule(name, &held.scheduled(schedule), due).await;
        if let Err(error) = kept {
            tracing::warn!(%name, %error, "when a certificate is renewed is not kept");
        }
    }
}

const QUESTIONS: (Kind, Lane) = (Kind::Certificate, Lane::Idle);
/// What waits is counted up to this.
const MOST_COUNTED: usize = 10_000;
/// How long after a look that found a name elsewhere its renewal is tried again.
const AWAY: Duration = Duration::from_secs(6 * 3_600);
