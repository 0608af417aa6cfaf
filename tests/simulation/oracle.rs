//! What was promised for each request, and whether the disk holds to it.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::sync::Arc;

use waypost::clock::Timestamp;
use waypost::disk::Disk;
use waypost::journal::{self, DirectoryId, Note, Reader};

use crate::disk::CrashDisk;
use crate::door::{Answered, frame};

/// The memory of one run.
#[derive(Default)]
pub(crate) struct Oracle {
    requests: BTreeMap<u64, Request>,
    by_body: HashMap<Vec<u8>, u64>,
    /// What stands at each position, from when it was acknowledged on, here or further on.
    positions: HashMap<(DirectoryId, u64), u64>,
    /// What was taken further on, and how often.
    shipped: BTreeMap<u64, u64>,
    /// How often each thing was seen.
    pub(crate) counts: BTreeMap<&'static str, u64>,
}

struct Request {
    time: Timestamp,
    body: Vec<u8>,
    state: State,
}

/// What is owed for a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Nothing yet: no answer has gone out.
    Open,
    /// It is to be found, once.
    Owed,
    /// It may be found: it was answered as late, or never.
    Free,
    /// It was refused and counted: it is nowhere.
    Refused,
}

/// What may have gone from the disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kept {
    /// Nothing.
    All,
    /// What retention deleted, and counted.
    Recent,
    /// What was taken further on.
    Unshipped,
}

impl Oracle {
    pub(crate) fn asked(&mut self, serial: u64, time: Timestamp, body: Vec<u8>) {
        self.by_body.insert(body.clone(), serial);
        self.requests.insert(serial, Request { time, body, state: State::Open });
    }

    pub(crate) fn answered(&mut self, serial: u64, how: Answered) {
        let (state, name) = match how {
            Answered::Recorded => (State::Owed, "recorded"),
            Answered::Late => (State::Free, "late"),
            Answered::Unrecorded => (State::Refused, "refused"),
        };
        self.saw(name);
        self.set(serial, state);
    }

    /// Nobody will hear the answer.
    pub(crate) fn gone(&mut self, serial: u64) {
        self.set(serial, State::Free);
    }

    /// The process ended: nobody hears any more of what was open.
    pub(crate) fn all_gone(&mut self) {
        for request in self.requests.values_mut() {
            if request.state == State::Open {
                request.state = State::Free;
            }
        }
    }

    fn saw(&mut self, what: &'static str) {
        *self.counts.entry(what).or_default() += 1;
    }

    fn set(&mut self, serial: u64, state: State) {
        self.requests.get_mut(&serial).expect("a request that was asked").state = state;
    }

    /// Events were taken further on.
    pub(crate) fn shipped(
        &mut self,
        directory: DirectoryId,
        sequence: u64,
        body: &[u8],
    ) -> Result<(), String> {
        let serial = self.known(directory, sequence, body)?;
        self.positions.insert((directory, sequence), serial);
        *self.shipped.entry(serial).or_default() += 1;
        Ok(())
    }

    /// Reads everything on the disk as somebody outside does, and holds it against what was
    /// promised. Retention says that it deleted `deleted` frames.
    pub(crate) fn check(
        &mut self,
        disk: &CrashDisk,
        kept: Kept,
        deleted: u64,
    ) -> Result<(), String> {
        let disk: Arc<dyn Disk> = Arc::new(disk.process());
        let (mut found, mut seen) = (BTreeMap::new(), Vec::new());
        let folder = Path::new(FOLDER);
        for (id, path) in journal::directories(&*disk, folder).map_err(told)? {
            let mut reader = Reader::outside(Arc::clone(&disk), id, &path, 1);
            let mut last = 0;
            while let Some(stored) = reader.read().map_err(told)? {
                let sequence = stored.sequence;
                if sequence <= last {
                    return Err(format!("{id}: sequence {sequence} comes after {last}"));
                }
                last = sequence;
                let serial = self.known(id, sequence, stored.frame.body)?;
                let request = &self.requests[&serial];
                if stored.frame != frame(serial, request.time, &request.body) {
                    return Err(format!("{id}:{sequence}: not the frame of request {serial}"));
                }
                if request.state == State::Refused {
                    return Err(format!("{id}:{sequence}: request {serial} was refused"));
                }
                if let Some(other) = found.insert(serial, sequence) {
                    return Err(format!("request {serial} is at {other} and at {id}:{sequence}"));
                }
            }
            let report = journal::inspect(&disk, id, &path).map_err(told)?;
            if !report.faults.is_empty() {
                return Err(format!("{id}: {:?}", report.faults));
            }
            for note in &report.notes {
                self.saw(match note {
                    Note::Cursor => "damaged cursor",
                    Note::Gap { .. } => "gap",
                    Note::Left { .. } => "left",
                    Note::Torn { .. } => "torn",
                    Note::Unfinished { .. } => "unfinished",
                    Note::Void { .. } => "void",
                });
            }
            seen.push(report);
        }
        let owed = self.requests.iter().filter(|(_, request)| request.state == State::Owed);
        let missing = owed.map(|(serial, _)| *serial).filter(|serial| {
            let is_shipped = kept == Kept::Unshipped && self.shipped.contains_key(serial);
            !found.contains_key(serial) && !is_shipped
        });
        let missing: Vec<_> = missing.collect();
        let allowed = if kept == Kept::Recent { deleted } else { 0 };
        if missing.len() as u64 > allowed {
            let (count, first) = (missing.len(), &missing[..missing.len().min(12)]);
            return Err(format!(
                "acknowledged and lost: {count} requests, {first:?}; on disk {seen:?}"
            ));
        }
        Ok(())
    }

    /// The request that a body came from, which is always the same at one position.
    fn known(&mut self, id: DirectoryId, sequence: u64, body: &[u8]) -> Result<u64, String> {
        let serial = self.by_body.get(body);
        let serial = *serial.ok_or_else(|| format!("{id}:{sequence}: nobody asked for this"))?;
        if self.requests[&serial].state == State::Owed {
            self.positions.entry((id, sequence)).or_insert(serial);
        }
        let before = self.positions.get(&(id, sequence)).copied().unwrap_or(serial);
        if before != serial {
            let told = format!("{id}:{sequence}: was request {before}, now request {serial}");
            return Err(told);
        }
        Ok(serial)
    }
}

fn told(error: impl std::fmt::Display) -> String {
    error.to_string()
}

pub(crate) const FOLDER: &str = "/data/journal";
