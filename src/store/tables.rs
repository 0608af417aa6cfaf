//! The tables, and what a transaction does to them.

use std::collections::{BTreeMap, HashMap};
use std::ops::Bound;
use std::time::Duration;

use redb::{
    Database, ReadOnlyTable, ReadTransaction, ReadableTable, Table, TableDefinition,
    WriteTransaction,
};

use super::contract::{Change, Draw, Due, Expected, Item, Lane, Page, PutError, Stored, Taken};
use super::frame::{self, Head};
use super::measures::Measures;
use super::{Kind, Pending, SealKey};
use crate::clock::Timestamp;

/// What redb says went wrong.
pub(super) type Fault = redb::Error;

/// What opens records and counts what is done.
#[derive(Clone, Debug)]
pub(super) struct Tools {
    pub(super) key: SealKey,
    pub(super) measures: Measures,
}

/// The tables of one transaction that changes them.
pub(super) struct Tables<'t> {
    records: Table<'t, (u8, &'static str), &'static [u8]>,
    due: Table<'t, (u8, u64, &'static str), ()>,
    counts: Table<'t, (u8, u8), u64>,
    pending: Table<'t, [u8; 16], &'static [u8]>,
    budgets: Table<'t, &'static str, &'static [u8]>,
    about: Table<'t, &'static str, u64>,
    tools: &'t Tools,
    version: u64,
    /// How counts change by this transaction: written once, at its end.
    moved: HashMap<(u8, u8), i64>,
}

/// Makes the tables where they are missing; returns the format, 0 for a new file.
pub(super) fn prepare(database: &Database) -> Result<u64, Fault> {
    let mut transaction = database.begin_write()?;
    transaction.set_quick_repair(true);
    let format;
    {
        transaction.open_table(RECORDS)?;
        transaction.open_table(DUE)?;
        transaction.open_table(COUNTS)?;
        transaction.open_table(PENDING)?;
        transaction.open_table(BUDGETS)?;
        let mut about = transaction.open_table(ABOUT)?;
        format = about.get(FORMAT_KEY)?.map_or(0, |format| format.value());
        if format == 0 {
            about.insert(FORMAT_KEY, FORMAT)?;
        }
    }
    transaction.commit()?;
    Ok(format)
}

impl<'t> Tables<'t> {
    pub(super) fn open(transaction: &'t WriteTransaction, tools: &'t Tools) -> Result<Self, Fault> {
        let about = transaction.open_table(ABOUT)?;
        let version = about.get(VERSION_KEY)?.map_or(0, |version| version.value());
        Ok(Self {
            records: transaction.open_table(RECORDS)?,
            due: transaction.open_table(DUE)?,
            counts: transaction.open_table(COUNTS)?,
            pending: transaction.open_table(PENDING)?,
            budgets: transaction.open_table(BUDGETS)?,
            about,
            tools,
            version,
            moved: HashMap::new(),
        })
    }

    /// Makes one change, or says why not.
    pub(super) fn change(&mut self, change: &Change) -> Result<Result<u64, PutError>, Fault> {
        let (kind, name) = (change.kind, change.name.as_str());
        let size = change.content.as_ref().map_or(0, |content| content.bytes.len());
        if name.len() > LARGEST_NAME || size > LARGEST_CONTENT {
            return Ok(Err(PutError::TooLarge));
        }
        let old = match self.old(kind, name)? {
            Old::Whole(head) if change.expected == Expected::Version(head.version) => Some(head),
            Old::Absent if change.expected == Expected::Absent => None,
            Old::Damaged(head) if change.expected == Expected::Damaged => head,
            Old::Damaged(_) => return Ok(Err(PutError::Damaged)),
            Old::Whole(_) | Old::Absent => return Ok(Err(PutError::Conflict)),
        };
        let version = match &change.content {
            None => {
                self.records.remove((kind as u8, name))?;
                0
            }
            Some(content) => {
                self.version += 1;
                let encoded = frame::encode(kind, name, self.version, content, &self.tools.key);
                // Without random bytes nothing is written in the clear.
                let Some(encoded) = encoded else { return Err(Fault::ValueTooLarge(0)) };
                self.records.insert((kind as u8, name), encoded.as_slice())?;
                self.version
            }
        };
        let new = change.content.as_ref().map(|content| (content.state, content.due));
        self.reindex(kind, name, old, new)?;
        if let Some(event) = &change.event {
            self.pending.insert(event.id, frame::encode_pending(event).as_slice())?;
        }
        self.tools.measures.changes.inc();
        Ok(Ok(version))
    }

    /// Takes what is due.
    pub(super) fn claim(
        &mut self,
        (kind, lane): (Kind, Lane),
        now: Timestamp,
        lease: Duration,
        limit: usize,
    ) -> Result<Vec<Stored>, Fault> {
        let queue = queue(kind, lane);
        let range = (queue, 0, "")..(queue, now.micros() + 1, "");
        let mut entries = Vec::new();
        for entry in self.due.range(range)?.take(limit) {
            let (key, _) = entry?;
            let (_, time, name) = key.value();
            entries.push((time, name.to_owned()));
        }
        let mut claimed = Vec::new();
        for (time, name) in entries {
            let entry = (queue, time, name.as_str());
            let key = (kind as u8, name.as_str());
            self.tools.measures.reads.inc();
            let found = self.records.get(key)?.map(|frame| frame.value().to_vec());
            let Some(found) = found else {
                self.due.remove(entry)?;
                continue;
            };
            let Some(head) = frame::head(kind, &name, &found) else {
                self.tools.measures.damage(kind, &name);
                self.due.remove(entry)?;
                self.due.insert((queue, now.plus(DAY).micros(), name.as_str()), ())?;
                continue;
            };
            if head.due != Some(Due { at: Timestamp::from_micros(time), lane }) {
                // Left by a record that was damaged when it changed.
                self.due.remove(entry)?;
                continue;
            }
            self.version += 1;
            let due = Some(Due { at: now.plus(lease), lane });
            let head = Head { version: self.version, due, ..head };
            let renewed = frame::with_head(kind, &name, head, &found);
            match frame::decode(kind, &name, &renewed, &self.tools.key) {
                Some(stored) => claimed.push(stored),
                None => self.tools.measures.damage(kind, &name),
            }
            self.records.insert(key, renewed.as_slice())?;
            self.due.remove(entry)?;
            self.due.insert((queue, now.plus(lease).micros(), name.as_str()), ())?;
        }
        Ok(claimed)
    }

    /// Takes from a budget: it is kept as the time at which it would be whole again.
    pub(super) fn take(
        &mut self,
        budget: &str,
        draw: Draw,
        now: Timestamp,
    ) -> Result<Taken, Fault> {
        // At worst it is empty: a budget whose record is damaged.
        let whole = |bytes: &[u8]| decode_budget(budget, bytes).unwrap_or(u64::MAX);
        let whole_at = self.budgets.get(budget)?.map(|frame| whole(frame.value()));
        let (after, taken) = draw.from(whole_at.map(Timestamp::from_micros), now);
        if let (Some(after), Taken::Left(_)) = (after, taken) {
            self.budgets.insert(budget, encode_budget(budget, after.micros()).as_slice())?;
        }
        Ok(taken)
    }

    /// Forgets events.
    pub(super) fn settle(&mut self, ids: &[[u8; 16]]) -> Result<(), Fault> {
        for id in ids {
            self.pending.remove(*id)?;
        }
        Ok(())
    }

    /// Writes what is written once for a transaction.
    pub(super) fn finish(mut self) -> Result<(), Fault> {
        self.about.insert(VERSION_KEY, self.version)?;
        for (key, moved) in std::mem::take(&mut self.moved) {
            let count = self.counts.get(key)?.map_or(0, |count| count.value());
            let count = count.saturating_add_signed(moved);
            if count == 0 {
                self.counts.remove(key)?;
            } else {
                self.counts.insert(key, count)?;
            }
        }
        Ok(())
    }

    fn old(&self, kind: Kind, name: &str) -> Result<Old, Fault> {
        self.tools.measures.reads.inc();
        let Some(found) = self.records.get((kind as u8, name))? else { return Ok(Old::Absent) };
        Ok(match frame::head(kind, name, found.value()) {
            Some(head) => Old::Whole(head),
            None => Old::Damaged(frame::guessed(found.value())),
        })
    }

    fn reindex(
        &mut self,
        kind: Kind,
        name: &str,
        old: Option<Head>,
        new: Option<(u8, Option<Due>)>,
    ) -> Result<(), Fault> {
        if let Some(old) = old {
            if let Some(due) = old.due {
                self.due.remove((queue(kind, due.lane), due.at.micros(), name))?;
            }
            *self.moved.entry((kind as u8, old.state)).or_default() -= 1;
        }
        if let Some((state, due)) = new {
            if let Some(due) = due {
                self.due.insert((queue(kind, due.lane), due.at.micros(), name), ())?;
            }
            *self.moved.entry((kind as u8, state)).or_default() += 1;
        }
        Ok(())
    }
}

/// What stands in the place of a record.
enum Old {
    Absent,
    Whole(Head),
    /// The head as it stands there, which may be damaged itself.
    Damaged(Option<Head>),
}

/// One record; `Err` with its name when it is damaged.
pub(super) fn get(
    transaction: &ReadTransaction,
    tools: &Tools,
    kind: Kind,
    name: &str,
) -> Result<Option<Item>, Fault> {
    let records = transaction.open_table(RECORDS)?;
    tools.measures.reads.inc();
    let found = records.get((kind as u8, name))?;
    Ok(found.map(|frame| item(tools, kind, name, frame.value())))
}

/// Records in the order of names.
pub(super) fn page(
    transaction: &ReadTransaction,
    tools: &Tools,
    kind: Kind,
    after: &str,
    limit: usize,
) -> Result<Page, Fault> {
    let mut page = Page::default();
    each_frame(transaction, kind, after, |name, frame| {
        if page.items.len() == limit {
            page.has_more = true;
            return false;
        }
        tools.measures.reads.inc();
        page.items.push(item(tools, kind, name, frame));
        true
    })?;
    Ok(page)
}

/// Calls `each` with the records behind `after` in the order of names, until it says no.
pub(super) fn each_frame(
    transaction: &ReadTransaction,
    kind: Kind,
    after: &str,
    mut each: impl FnMut(&str, &[u8]) -> bool,
) -> Result<(), Fault> {
    let records = transaction.open_table(RECORDS)?;
    let range = (Bound::Excluded((kind as u8, after)), Bound::Excluded((kind as u8 + 1, "")));
    for entry in records.range::<(u8, &str)>(range)? {
        let (key, frame) = entry?;
        if !each(key.value().1, frame.value()) {
            break;
        }
    }
    Ok(())
}

/// How many records there are, by state.
pub(super) fn counts(
    transaction: &ReadTransaction,
    kind: Kind,
) -> Result<BTreeMap<u8, u64>, Fault> {
    let table: ReadOnlyTable<(u8, u8), u64> = transaction.open_table(COUNTS)?;
    let mut counts = BTreeMap::new();
    for entry in table.range((kind as u8, 0)..=(kind as u8, u8::MAX))? {
        let (key, count) = entry?;
        counts.insert(key.value().1, count.value());
    }
    Ok(counts)
}

/// When the next record is due.
pub(super) fn next_due(
    transaction: &ReadTransaction,
    (kind, lane): (Kind, Lane),
) -> Result<Option<Timestamp>, Fault> {
    let due = transaction.open_table(DUE)?;
    let queue = queue(kind, lane);
    let mut entries = due.range((queue, 0, "")..=(queue, u64::MAX, ""))?;
    Ok(match entries.next() {
        Some(entry) => Some(Timestamp::from_micros(entry?.0.value().1)),
        None => None,
    })
}

/// How many records are due, counted up to `limit`.
pub(super) fn due(
    transaction: &ReadTransaction,
    (kind, lane): (Kind, Lane),
    now: Timestamp,
    limit: usize,
) -> Result<usize, Fault> {
    let due = transaction.open_table(DUE)?;
    let queue = queue(kind, lane);
    let range = (queue, 0, "")..(queue, now.micros() + 1, "");
    due.range(range)?
        .take(limit)
        .try_fold(0, |count, entry| entry.map(|_| count + 1).map_err(Fault::from))
}

/// Every budget that is not whole, and when it is whole again; damaged ones are left out.
pub(super) fn budgets(transaction: &ReadTransaction) -> Result<Vec<(String, u64)>, Fault> {
    let table = transaction.open_table(BUDGETS)?;
    let mut budgets = Vec::new();
    for entry in table.iter()? {
        let (name, frame) = entry?;
        let whole_at = decode_budget(name.value(), frame.value());
        budgets.extend(whole_at.map(|whole_at| (name.value().to_owned(), whole_at)));
    }
    Ok(budgets)
}

/// Events that are not settled. One that is damaged is told of and left.
pub(super) fn pending(
    transaction: &ReadTransaction,
    tools: &Tools,
    after: [u8; 16],
    limit: usize,
) -> Result<Vec<Pending>, Fault> {
    let table = transaction.open_table(PENDING)?;
    let mut events = Vec::new();
    let range = (Bound::Excluded(after), Bound::Unbounded);
    for entry in table.range::<[u8; 16]>(range)? {
        let (id, frame) = entry?;
        if events.len() == limit {
            break;
        }
        match frame::decode_pending(id.value(), frame.value()) {
            Some(event) => events.push(event),
            None => {
                tools.measures.damaged.inc();
                tracing::error!(id = ?id.value(), "a pending event is damaged and is not sent");
            }
        }
    }
    Ok(events)
}

/// The number of a queue in the index of what is due.
fn queue(kind: Kind, lane: Lane) -> u8 {
    kind as u8
        | match lane {
            Lane::Prompt => 0,
            Lane::Patient => 0x80,
            Lane::Idle => 0x40,
        }
}

fn item(tools: &Tools, kind: Kind, name: &str, frame: &[u8]) -> Item {
    match frame::decode(kind, name, frame, &tools.key) {
        Some(stored) => Item::Record(stored),
        None => {
            tools.measures.damage(kind, name);
            Item::Damaged(name.to_owned())
        }
    }
}

fn encode_budget(name: &str, whole_at: u64) -> Vec<u8> {
    let mut bytes = whole_at.to_le_bytes().to_vec();
    let sum = crc32c::crc32c_append(crc32c::crc32c(name.as_bytes()), &bytes);
    bytes.extend_from_slice(&sum.to_le_bytes());
    bytes
}

fn decode_budget(name: &str, bytes: &[u8]) -> Option<u64> {
    let (time, rest) = bytes.split_first_chunk::<8>()?;
    let whole_at = u64::from_le_bytes(*time);
    (encode_budget(name, whole_at) == [time, rest].concat()).then_some(whole_at)
}

pub(super) const RECORDS: TableDefinition<'_, (u8, &str), &[u8]> = TableDefinition::new("records");
const DUE: TableDefinition<'_, (u8, u64, &str), ()> = TableDefinition::new("due");
const COUNTS: TableDefinition<'_, (u8, u8), u64> = TableDefinition::new("counts");
const PENDING: TableDefinition<'_, [u8; 16], &[u8]> = TableDefinition::new("pending");
const BUDGETS: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("budgets");
const ABOUT: TableDefinition<'_, &str, u64> = TableDefinition::new("about");
const FORMAT_KEY: &str = "format";
const VERSION_KEY: &str = "version";
/// The format that this writes and reads.
pub(super) const FORMAT: u64 = 1;
/// The longest name of a record; hostnames have 253 bytes.
const LARGEST_NAME: usize = 1_024;
/// The largest content; a chain with its key has 10 kB.
const LARGEST_CONTENT: usize = 1 << 20;
const DAY: Duration = Duration::from_secs(86_400);
