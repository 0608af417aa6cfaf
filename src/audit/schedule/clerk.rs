//! Writes down what audits found, counts it, and goes the rounds: one task, so that nothing is
//! counted while it changes.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::Instant;

use super::auditing::{Audited, Outcome};
use super::event;
use super::measures::Measures;
use super::round::stretch;
use super::step::{Pace, spread, step};
use super::tally::Tally;
use crate::audit::{Config, Kept, Mark, Standing};
use crate::clock::Clock;
use crate::domains::Register;
use crate::event::Ids;
use crate::store::{
    Change, Content, Due, Expected, Kind, Lane, PutError, Store, StoreError, Stored,
};

/// The clerk.
pub(super) struct Clerk {
    pub(super) config: Config,
    pub(super) node: String,
    /// The platform's own name.
    pub(super) own: String,
    /// What audits are judged by.
    pub(super) stamp: u32,
    pub(super) store: Arc<dyn Store>,
    pub(super) register: Register,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) measures: Measures,
    pub(super) ids: Ids,
    pub(super) tally: Tally,
    /// Records that this round has made.
    pub(super) made: u64,
}

/// One change of a record, and what it changes in the counts.
struct Entry {
    change: Change,
    before: BTreeSet<Mark>,
    after: BTreeSet<Mark>,
    standing: Option<Standing>,
}

impl Clerk {
    /// Writes what comes, until nothing can come any more.
    pub(super) async fn run(
        mut self,
        mut audited: mpsc::Receiver<Audited>,
        mut removed: mpsc::Receiver<Stored>,
    ) {
        let mut batch = Vec::with_capacity(BATCH);
        let mut next = Instant::now() + FIRST_STRETCH;
        loop {
            tokio::select! {
                count = audited.recv_many(&mut batch, BATCH) => {
                    if count == 0 {
                        return;
                    }
                    self.keep(std::mem::take(&mut batch)).await;
                }
                Some(stored) = removed.recv() => {
                    let before = Kept::marks_in(&stored.content.bytes);
                    self.tally.changed(&stored.name, &before, &BTreeSet::new());
                }
                () = tokio::time::sleep_until(next) => {
                    next = Instant::now() + match self.go_on().await {
                        Ok(wait) => wait,
                        Err(error) => {
                            tracing::debug!(%error, "the round through the domains waits");
                            AGAIN
                        }
                    };
                }
            }
            self.measures.findings(&self.tally);
        }
    }

    /// Keeps results, in one transaction.
    async fn keep(&mut self, batch: Vec<Audited>) {
        let entries: Vec<Entry> = batch.iter().map(|audited| self.entry(audited)).collect();
        let changes = entries.iter().map(|entry| entry.change.clone()).collect();
        let made = match self.store.put(changes).await {
            Ok(made) => made,
            Err(error) => return self.lost(&error, batch.len()),
        };
        for ((audited, entry), made) in batch.into_iter().zip(entries).zip(made) {
            match made {
                Ok(_) => self.kept(audited, entry),
                Err(PutError::Conflict) => self.keep_again(audited).await,
                Err(error) => {
                    let name = audited.stored.name;
                    tracing::error!(name, %error, "what an audit found is not kept");
                    self.measures.failed.inc();
                }
            }
        }
    }

    /// Keeps a result whose record has changed with its domain since it was claimed. Where somebody
    /// else has audited it meanwhile ours goes: two looks at the same time are no second look.
    async fn keep_again(&mut self, audited: Audited) {
        let Audited { stored, outcome, waited_for } = audited;
        let checked = |stored: &Stored| Some(Kept::decode(&stored.content.bytes)?.checked_at);
        let claimed = checked(&stored);
        let stored = match self.store.get(Kind::Audit, &stored.name).await {
            Ok(Some(stored)) if checked(&stored) == claimed => stored,
            // Or the domain was removed.
            Ok(_) => return,
            Err(error) => return self.lost(&error, 1),
        };
        let audited = Audited { stored, outcome, waited_for };
        let entry = self.entry(&audited);
        match self.store.put(vec![entry.change.clone()]).await {
            Ok(made) if made.first().is_some_and(Result::is_ok) => self.kept(audited, entry),
            // It is due again when its lease ends.
            Ok(_) => drop(self.measures.failed.inc()),
            Err(error) => self.lost(&error, 1),
        }
    }

    /// What an outcome makes of its record.
    fn entry(&mut self, audited: &Audited) -> Entry {
        let Audited { stored, outcome, .. } = audited;
        let before = Kept::marks_in(&stored.content.bytes);
        let now = self.clock.wall();
        let spread = spread(&stored.name, now);
        let (content, event, after, standing) = match outcome {
            Outcome::Gone => (None, None, BTreeSet::new(), None),
            Outcome::Nameless => {
                let due = now.plus(Pace::new(&self.config, false, spread).longest());
                let due = Some(Due { at: due, lane: Lane::Patient });
                let content = Content { due, ..stored.content.clone() };
                (Some(content), None, before.clone(), None)
            }
            Outcome::Report { report, is_active } => {
                let former = Kept::decode(&stored.content.bytes);
                if former.is_none() && !stored.content.bytes.is_empty() {
                    let name = &stored.name;
                    tracing::warn!(name, "what was kept of its audits cannot be read: begun anew");
                }
                let pace = Pace::new(&self.config, *is_active, spread);
                let stepped = step(former.as_ref(), (report, self.stamp), &pace, now);
                let event = stepped.transition.map(|transition| {
                    let ids = &mut self.ids;
                    event::event(&stored.name, &stepped.kept, &transition, &self.node, ids, now)
                });
                let standing = Standing::of(&stepped.kept);
                let (bytes, state) = (stepped.kept.encode().into(), standing as u8);
                let content = Content { bytes, state, due: Some(stepped.due) };
                (Some(content), event, stepped.kept.marks(), Some(standing))
            }
        };
        let (name, expected) = (stored.name.clone(), Expected::Version(stored.version));
        let change = Change { kind: Kind::Audit, name, expected, content, event };
        Entry { change, before, after, standing }
    }

    /// A change was made.
    fn kept(&mut self, audited: Audited, entry: Entry) {
        self.tally.changed(&entry.change.name, &entry.before, &entry.after);
        entry.standing.into_iter().for_each(|standing| self.measures.made(standing));
        if entry.change.event.is_some() {
            self.measures.events.inc();
            self.register.tell();
        }
        if let Some(waiting) = audited.waited_for {
            waiting.send(()).ok();
        }
    }

    fn lost(&self, error: &StoreError, count: usize) {
        tracing::warn!(%error, count, "what audits found is not kept: they are made again");
        self.measures.failed.inc_by(count as u64);
        // A store that answers late may have taken them, with their events.
        self.register.tell();
    }

    /// Goes one stretch on; returns when the next one is to begin.
    async fn go_on(&mut self) -> Result<Duration, StoreError> {
        let place = self.tally.place().to_owned();
        let domains = self.store.page(Kind::Domain, &place, STRETCH).await?;
        let audits = self.store.page(Kind::Audit, &place, STRETCH).await?;
        let now = self.clock.wall();
        let config = (&self.config, self.own.as_str());
        let stretch = stretch(&domains, &audits, config, &mut self.made, now);
        for (name, marks) in &stretch.passed {
            self.tally.passed(name, marks);
        }
        match &stretch.reached {
            Some(reached) => self.tally.passed(reached, &BTreeSet::new()),
            None => {
                self.tally.through();
                self.made = 0;
            }
        }
        let is_end = stretch.reached.is_none();
        if !stretch.changes.is_empty() {
            let made = self.store.put(stretch.changes.clone()).await?;
            for (change, made) in stretch.changes.iter().zip(made) {
                // Whoever was faster counts for himself; the others are mended the next time.
                if made.is_ok() && change.content.is_none() {
                    let passed = stretch.passed.iter().find(|(name, _)| *name == change.name);
                    let before = passed.map(|(_, marks)| marks.clone()).unwrap_or_default();
                    self.tally.changed(&change.name, &before, &BTreeSet::new());
                }
            }
        }
        Ok(if is_end { ROUND } else { NEXT_STRETCH })
    }
}

/// Results that are written in one transaction.
const BATCH: usize = 64;
/// Domains of one stretch of a round.
const STRETCH: usize = 500;
/// How long after a start the first round begins: nothing of it is urgent.
const FIRST_STRETCH: Duration = Duration::from_secs(5);
/// Between two stretches: so a million domains are counted in some minutes, beside all else.
const NEXT_STRETCH: Duration = Duration::from_millis(250);
const AGAIN: Duration = Duration::from_secs(5);
/// Between two rounds.
const ROUND: Duration = Duration::from_secs(86_400);
