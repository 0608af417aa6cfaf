//! The orders that wait or are in progress, in the store.

use std::sync::Arc;
use std::time::Duration;

use super::progress::{Progress, State};
use crate::clock::Timestamp;
use crate::hostname::Hostname;
use crate::store::{Change, Content, Due, Expected, Item, Kind, Lane, PutError, Store, StoreError};

/// The orders that are kept.
#[derive(Clone, Debug)]
pub(super) struct Docket {
    pub(super) store: Arc<dyn Store>,
}

/// One order, by whoever works on it.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) name: Hostname,
    pub(super) progress: Progress,
    /// Whether somebody wants it now, whatever came of it before.
    pub(super) is_hasty: bool,
    /// Whether a certificate is held, whose own schedule says when it is taken up again.
    pub(super) is_renewal: bool,
    lane: Lane,
    expected: Expected,
}

impl Docket {
    /// The order of a name; a new one when there is none.
    pub(super) async fn open(&self, name: &Hostname) -> Result<Entry, StoreError> {
        let stored = match self.store.get(Kind::Order, name.as_str()).await {
            Err(StoreError::Damaged { .. }) => return Ok(Entry::new(name, Expected::Damaged)),
            stored => stored?,
        };
        Ok(match stored {
            None => Entry::new(name, Expected::Absent),
            Some(stored) => Entry {
                progress: Progress::decode(&stored.content.bytes),
                is_hasty: stored.content.state == State::Queued as u8,
                lane: stored.content.due.map_or(Lane::Prompt, |due| due.lane),
                ..Entry::new(name, Expected::Version(stored.version))
            },
        })
    }

    /// Keeps how far an order has come; it is taken up again at `due`.
    pub(super) async fn keep(
        &self,
        entry: &mut Entry,
        state: State,
        due: Timestamp,
    ) -> Result<(), StoreError> {
        let due = (!entry.is_renewal).then_some(Due { at: due, lane: entry.lane });
        let bytes = entry.progress.encode();
        self.put(entry, Some(Content { bytes, state: state as u8, due })).await
    }

    /// Forgets an order that is done.
    pub(super) async fn close(&self, entry: &mut Entry) -> Result<(), StoreError> {
        if entry.expected == Expected::Absent {
            return Ok(());
        }
        self.put(entry, None).await
    }

    /// Takes names whose turn has come, at most `limit`.
    pub(super) async fn claim(
        &self,
        (kind, lane): (Kind, Lane),
        now: Timestamp,
        lease: Duration,
        limit: usize,
    ) -> Result<Vec<Hostname>, StoreError> {
        if limit == 0 {
            return Ok(Vec::new());
        }
        let claimed = self.store.claim(kind, lane, now, lease, limit).await?;
        Ok(claimed.iter().filter_map(|stored| Hostname::parse(&stored.name).ok()).collect())
    }

    /// How many there are, by state.
    pub(super) async fn counts(&self) -> Result<Vec<(State, u64)>, StoreError> {
        let counts = self.store.counts(Kind::Order).await?;
        let count = |state: State| (state, counts.get(&(state as u8)).copied().unwrap_or(0));
        Ok(State::ALL.into_iter().map(count).collect())
    }

    /// The names that were being worked on when the process before this one ended.
    pub(super) async fn interrupted(&self) -> Result<Vec<Hostname>, StoreError> {
        let counts = self.store.counts(Kind::Order).await?;
        let in_progress = State::InProgress as u8;
        let count = counts.get(&in_progress).copied().unwrap_or(0);
        let (mut names, mut after) = (Vec::new(), String::new());
        for _ in 0..MOST_PAGES {
            if names.len() as u64 >= count {
                break;
            }
            let page = self.store.page(Kind::Order, &after, PAGE).await?;
            let Some(last) = page.items.last() else { break };
            last.name().clone_into(&mut after);
            names.extend(page.items.iter().filter_map(|item| match item {
                Item::Record(stored) if stored.content.state == in_progress => {
                    Hostname::parse(&stored.name).ok()
                }
                _ => None,
            }));
        }
        Ok(names)
    }

    async fn put(&self, entry: &mut Entry, content: Option<Content>) -> Result<(), StoreError> {
        for _ in 0..TRIES {
            let name = entry.name.to_string();
            let change = Change {
                kind: Kind::Order,
                name: name.clone(),
                expected: entry.expected,
                content: content.clone(),
                event: None,
            };
            let made = self.store.put(vec![change]).await?.pop();
            match made.unwrap_or(Err(PutError::Conflict)) {
                Ok(version) if content.is_some() => {
                    entry.expected = Expected::Version(version);
                    return Ok(());
                }
                Ok(_) => {
                    entry.expected = Expected::Absent;
                    return Ok(());
                }
                // Only this node's one worker on the name changes what it holds; others touch
                // when it is due.
                Err(PutError::Conflict) => match self.store.get(Kind::Order, &name).await? {
                    None if content.is_none() => return Ok(()),
                    None => entry.expected = Expected::Absent,
                    Some(stored) => entry.expected = Expected::Version(stored.version),
                },
                Err(PutError::Damaged) => entry.expected = Expected::Damaged,
                Err(PutError::TooLarge) => break,
            }
        }
        Err(StoreError::Busy)
    }
}

impl Entry {
    fn new(name: &Hostname, expected: Expected) -> Self {
        let (progress, lane) = (Progress::default(), Lane::Prompt);
        Self { name: name.clone(), progress, is_hasty: true, is_renewal: false, lane, expected }
    }
}

/// Records that are read at once, and how many times: whoever has a million orders waiting does
/// without.
const PAGE: usize = 1_000;
const MOST_PAGES: usize = 100;
/// Readings of a record that somebody else keeps touching.
const TRIES: usize = 5;
