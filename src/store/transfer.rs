//! All records as lines of text, and back: what a lost disk is mended from.
//!
//! ```text
//! {"waypost_store":1}
//! {"kind":"domain","name":"trk.example.com","state":1,"due":0,"patient":false,"sealed":false,"content":"<base64>"}
//! …
//! {"budget":"orders/letsencrypt","whole_at":1795608000000000}
//! …
//! {"records":N,"crc32c":C}
//! ```
//!
//! What is sealed stays sealed, so an export gives away no private key; it is imported where the
//! same `seal_key_file` is. The last line counts the records and holds the checksum of all lines
//! before it, so that an export that was cut is not taken for a whole one.

use std::io::{self, BufRead, Write};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use thiserror::Error;
use zeroize::Zeroizing;

use super::contract::{
    Change, Content, Draw, Due, Expected, Lane, PutError, Store, StoreError, Taken,
};
use super::{Kind, LocalStore, frame, tables};
use crate::clock::Timestamp;

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Line {
    kind: String,
    name: String,
    state: u8,
    due: u64,
    #[serde(default)]
    patient: bool,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    idle: bool,
    sealed: bool,
    content: String,
}

/// What may be taken again of a budget is told by when it is whole.
#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Budget {
    budget: String,
    whole_at: u64,
}

#[derive(Deserialize, Serialize)]
struct Last {
    records: u64,
    crc32c: u32,
}

/// What an import did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Imported {
    /// Records that were put.
    pub put: u64,
    /// Records whose names were there already, and were left.
    pub left: u64,
}

/// Why an import ended early. What was put before stays; importing again leaves it.
#[derive(Debug, Error)]
pub enum ImportError {
    /// The text cannot be read.
    #[error("line {0}: {1}")]
    Read(u64, io::Error),
    /// A line is none of an export.
    #[error("line {0}: {1}")]
    Line(u64, String),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Writes all records to `out`; returns how many, and the names of those that are damaged, which
/// are left out.
pub async fn export(
    store: &LocalStore,
    out: &mut impl Write,
) -> Result<(u64, Vec<String>), io::Error> {
    let mut sum = 0;
    let mut line = |text: String, out: &mut dyn Write| {
        sum = crc32c::crc32c_append(sum, text.as_bytes());
        out.write_all(text.as_bytes()).map(|()| sum)
    };
    let mut crc32c = line(FIRST.to_owned(), out)?;
    let (mut records, mut damaged) = (0, Vec::new());
    for kind in Kind::ALL {
        let mut after = String::new();
        loop {
            let (lines, broken, last) =
                lines(store, kind, after).await.map_err(io::Error::other)?;
            damaged.extend(broken);
            for text in lines {
                records += 1;
                crc32c = line(text, out)?;
            }
            let Some(last) = last else { break };
            after = last;
        }
    }
    let budgets = store.read(|transaction, _| tables::budgets(transaction)).await;
    for (budget, whole_at) in budgets.map_err(io::Error::other)? {
        records += 1;
        let text = serde_json::to_string(&Budget { budget, whole_at }).map_err(io::Error::other)?;
        crc32c = line(text + "\n", out)?;
    }
    let last = serde_json::to_string(&Last { records, crc32c }).map_err(io::Error::other)?;
    writeln!(out, "{last}")?;
    Ok((records, damaged))
}

/// Lines, damaged names, and where to go on.
type Lines = (Vec<String>, Vec<String>, Option<String>);

async fn lines(store: &LocalStore, kind: Kind, after: String) -> Result<Lines, StoreError> {
    let reading = move |transaction: &_, tools: &tables::Tools| {
        let (mut lines, mut damaged, mut last) = (Vec::new(), Vec::new(), None);
        tables::each_frame(transaction, kind, &after, |name, found| {
            match (frame::body(kind, name, found), frame::head(kind, name, found)) {
                (Some((body, sealed)), Some(head)) => {
                    let line = Line {
                        kind: kind.name().to_owned(),
                        name: name.to_owned(),
                        state: head.state,
                        due: head.due.map_or(0, |due| due.at.micros()),
                        patient: head.due.is_some_and(|due| due.lane == Lane::Patient),
                        idle: head.due.is_some_and(|due| due.lane == Lane::Idle),
                        sealed,
                        content: STANDARD.encode(body),
                    };
                    // A struct of texts and numbers is always written.
                    lines.push(serde_json::to_string(&line).unwrap_or_default() + "\n");
                }
                _ => {
                    tools.measures.damage(kind, name);
                    damaged.push(name.to_owned());
                }
            }
            last = (lines.len() == PAGE).then(|| name.to_owned());
            last.is_none()
        })?;
        Ok((lines, damaged, last))
    };
    store.read(reading).await
}

/// Puts the records of an export; `told` hears of each thousand. Names that are there are left as
/// they are, and of each budget what has been taken stays taken.
pub async fn import(
    store: &LocalStore,
    text: impl BufRead,
    now: Timestamp,
    mut told: impl FnMut(&Imported),
) -> Result<Imported, ImportError> {
    let mut imported = Imported::default();
    let (mut sum, mut number, mut is_whole) = (0, 0, false);
    let mut batch = Vec::new();
    for line in text.lines() {
        number += 1;
        let line = line.map_err(|error| ImportError::Read(number, error))? + "\n";
        let wrong = |reason: &str| ImportError::Line(number, reason.to_owned());
        if number == 1 {
            if line != FIRST {
                return Err(wrong("expected the first line of an export of this version"));
            }
        } else if let Ok(last) = serde_json::from_str::<Last>(&line) {
            if last.crc32c != sum || last.records != number - 2 {
                return Err(wrong("the export was changed, or lines are missing"));
            }
            is_whole = true;
            continue;
        } else if let Ok(budget) = serde_json::from_str::<Budget>(&line) {
            restore(store, &budget, now, &mut imported).await?;
        } else {
            batch.push(change(store, &line).map_err(|reason| ImportError::Line(number, reason))?);
        }
        sum = crc32c::crc32c_append(sum, line.as_bytes());
        if batch.len() == PAGE {
            put(store, &mut batch, &mut imported).await?;
            told(&imported);
        }
    }
    put(store, &mut batch, &mut imported).await?;
    if !is_whole {
        return Err(ImportError::Line(number, "the export ends early: it was cut".to_owned()));
    }
    Ok(imported)
}

fn change(store: &LocalStore, line: &str) -> Result<Change, String> {
    let line: Line = serde_json::from_str(line).map_err(|error| error.to_string())?;
    let kind = Kind::of(&line.kind).ok_or_else(|| format!("unknown kind {:?}", line.kind))?;
    let body = STANDARD.decode(&line.content).map_err(|error| format!("content: {error}"))?;
    let bytes = if line.sealed {
        let purpose = frame::purpose(kind, &line.name);
        let opened = store.tools().key.open(&purpose, &body);
        opened.ok_or("it was sealed by another key: import with the same store.seal_key_file")?
    } else {
        Zeroizing::new(body)
    };
    let lane = match (line.patient, line.idle) {
        (_, true) => Lane::Idle,
        (true, _) => Lane::Patient,
        _ => Lane::Prompt,
    };
    let at = Timestamp::from_micros(line.due);
    let due = (line.due > 0).then_some(Due { at, lane });
    let content = Some(Content { bytes, state: line.state, due });
    Ok(Change { kind, name: line.name, expected: Expected::Absent, content, event: None })
}

/// Takes from a budget what had been taken from it; of one that has been used here too the fuller
/// use counts, since neither knows of the other's.
async fn restore(
    store: &LocalStore,
    budget: &Budget,
    now: Timestamp,
    imported: &mut Imported,
) -> Result<(), StoreError> {
    let whole_at = Timestamp::from_micros(budget.whole_at);
    let every = now.until(whole_at);
    let draw = Draw { capacity: 1, every, amount: 1, keep: 0 };
    if every == Duration::ZERO {
        imported.put += 1;
        return Ok(());
    }
    let Taken::NotBefore(whole_here) = store.take(&budget.budget, draw, now).await? else {
        imported.put += 1;
        return Ok(());
    };
    let more = whole_here.until(whole_at);
    if more == Duration::ZERO {
        imported.left += 1;
        return Ok(());
    }
    let capacity = every.as_micros().div_ceil(more.as_micros().max(1));
    let capacity = u32::try_from(capacity).unwrap_or(u32::MAX);
    store.take(&budget.budget, Draw { capacity, every: more, amount: 1, keep: 0 }, now).await?;
    imported.put += 1;
    Ok(())
}

async fn put(
    store: &LocalStore,
    batch: &mut Vec<Change>,
    imported: &mut Imported,
) -> Result<(), ImportError> {
    for made in store.put(std::mem::take(batch)).await? {
        match made {
            Ok(_) => imported.put += 1,
            Err(PutError::Conflict | PutError::Damaged | PutError::TooLarge) => imported.left += 1,
        }
    }
    Ok(())
}

const FIRST: &str = "{\"waypost_store\":1}\n";
/// Records in one transaction.
const PAGE: usize = 1_000;
