//! Reads our own directory after a crash: how to go on, and what is to be written again.

use std::collections::BTreeMap;
use std::io;

use super::directory::{self, DirectoryId, Held, SegmentFile};
use super::frame;
use super::overlap::Overlap;
use super::queue::Batch;
use super::recovery::{self, Plan, Reading, Repeat, Tally};
use super::scan::{Found, Scan, Unreadable};
use crate::disk::{Access, Disk};

/// What was found in our own directory.
#[derive(Debug)]
pub(super) struct Salvage {
    pub(super) plan: Plan,
    /// What is to be repeated.
    pub(super) batch: Batch,
    /// The numbers of the segments that contradict earlier ones.
    pub(super) refused: Vec<u64>,
}

impl Salvage {
    /// Reads what a crash may have left unfinished. `segment` is the length that prepared
    /// segments have; `cursor` the first sequence that is not acknowledged further on.
    pub(super) fn read(disk: &dyn Disk, own: &Held, segment: u64, cursor: u64) -> io::Result<Self> {
        let mut files = directory::segments(disk, own.id, &own.path)?;
        directory::read_blanks(disk, &mut files)?;
        let (mut reading, mut refused) = (Reading { cursor, ..Reading::default() }, Vec::new());
        let mut below = u64::MAX;
        while let Some(last) = recovery::last_begun(&files, below) {
            let from = recovery::read_from(&files, last);
            let read = read_range(disk, own, &files, from..=last.number)?;
            below = last.number;
            for (file, tally, judged) in read {
                match judged {
                    Ok(()) => reading.accepted.push((file, tally)),
                    Err(beyond) => {
                        reading.beyond = reading.beyond.max(beyond);
                        refused.push(file.number);
                    }
                }
            }
            // A last one that holds nothing, or is refused, leaves the question open.
            let is_last = |(file, tally): &(&SegmentFile, Tally)| {
                file.number == below && (!tally.sequences.is_empty() || tally.has_unreadable)
            };
            if reading.accepted.last().is_some_and(is_last) {
                break;
            }
            reading.accepted.clear();
        }
        let mut plan = recovery::plan(&files, &reading);
        if files.last().is_some_and(|last| last.bytes != segment) {
            // Its length is another setting's.
            plan.spare = None;
        }
        if plan.damaged > 0 {
            let frames = plan.damaged;
            tracing::error!(frames, directory = %own.id, "durable frames are damaged");
        }
        let batch = match plan.repeat {
            Some(repeat) => collect(disk, own, &reading.accepted, repeat)?,
            None => Batch::default(),
        };
        refused.sort_unstable();
        refused.dedup();
        Ok(Self { plan, batch, refused })
    }
}

/// One segment that was read, and whether it is accepted; if not, the first sequence beyond it.
type Judged<'a> = (&'a SegmentFile, Tally, Result<(), u64>);

fn read_range<'a>(
    disk: &dyn Disk,
    own: &Held,
    files: &'a [SegmentFile],
    numbers: std::ops::RangeInclusive<u64>,
) -> io::Result<Vec<Judged<'a>>> {
    let (mut overlap, mut read) = (Overlap::default(), Vec::new());
    for (at, file) in files.iter().enumerate() {
        if !numbers.contains(&file.number) || !file.may_hold_frames() {
            continue;
        }
        let repeatable = directory::repeatable(&files[at + 1..]);
        let (mut tally, mut contradiction) = (Tally::default(), None);
        let mut scan = open(disk, own.id, file, Unreadable::IsDamage)?;
        let mut met = Overlap::default();
        loop {
            match scan.step()? {
                Found::Frame(numbered) => {
                    tally.add(&numbered);
                    let (sequence, digest) = (numbered.sequence, numbered.digest());
                    if sequence >= repeatable {
                        met.meet(sequence, digest, file.number);
                    }
                    if let Err(error) = overlap.judge(sequence, digest, file.predecessor()) {
                        contradiction.get_or_insert(error);
                    }
                }
                Found::Gap { .. } => {}
                Found::End { .. } => break,
            }
        }
        tally.has_unreadable = scan.has_unreadable();
        let judged = match contradiction {
            None => {
                overlap.join(met);
                Ok(())
            }
            Some(contradiction) => {
                let segment = file.number;
                tracing::error!(directory = %own.id, segment, %contradiction, "a segment is refused: kept, not read");
                Err(tally.sequences.iter().max().map_or(0, |last| last + 1))
            }
        };
        read.push((file, tally, judged));
    }
    Ok(read)
}

/// The sequences that are to be repeated, in order, to be written again. Each as it was written
/// first: who reads passes over what comes again.
fn collect(
    disk: &dyn Disk,
    own: &Held,
    accepted: &[(&SegmentFile, Tally)],
    repeat: Repeat,
) -> io::Result<Batch> {
    let mut frames = BTreeMap::new();
    for (file, _) in accepted {
        let mut scan = open(disk, own.id, file, Unreadable::IsDamage)?;
        loop {
            match scan.step()? {
                Found::Frame(numbered) if numbered.sequence >= repeat.from => {
                    let bytes: &mut Vec<u8> = frames.entry(numbered.sequence).or_default();
                    if let Some(frame) = numbered.frame.filter(|_| bytes.is_empty()) {
                        frame::encode(&frame, numbered.sequence, bytes);
                    }
                }
                Found::Frame(_) | Found::Gap { .. } => {}
                Found::End { .. } => break,
            }
        }
    }
    let (mut bytes, mut voids) = (Vec::new(), 0_u64);
    for sequence in repeat.from..repeat.to {
        match frames.get(&sequence).filter(|frame| !frame.is_empty()) {
            Some(frame) => bytes.extend_from_slice(frame),
            None => {
                frame::encode_void(sequence, &mut bytes);
                voids += 1;
            }
        }
    }
    if voids > 0 {
        tracing::warn!(frames = voids, directory = %own.id, "a crash left frames unfinished");
    }
    let count = (repeat.to - repeat.from) as usize;
    Ok(Batch { bytes, count, from: Vec::new() })
}

/// The first sequence that stands in a segment; none when there is no frame of ours in it.
pub(super) fn first(
    disk: &dyn Disk,
    id: DirectoryId,
    file: &SegmentFile,
) -> io::Result<Option<u64>> {
    let mut scan = open(disk, id, file, Unreadable::Fails)?;
    loop {
        match scan.step()? {
            Found::Frame(numbered) => return Ok(Some(numbered.sequence)),
            Found::Gap { .. } => {}
            Found::End { .. } => return Ok(None),
        }
    }
}

/// The first sequence beyond a segment.
pub(super) fn end(disk: &dyn Disk, id: DirectoryId, file: &SegmentFile) -> io::Result<u64> {
    let mut scan = open(disk, id, file, Unreadable::Fails)?;
    let mut end = file.first().unwrap_or(1);
    loop {
        match scan.step()? {
            Found::Frame(numbered) => end = end.max(numbered.sequence + 1),
            Found::Gap { .. } => {}
            Found::End { .. } => return Ok(end),
        }
    }
}

/// Where nothing but zeros begins; none when something else stands behind the last frame.
pub(super) fn blank_from(
    disk: &dyn Disk,
    id: DirectoryId,
    file: &SegmentFile,
) -> io::Result<Option<u64>> {
    let mut scan = open(disk, id, file, Unreadable::Fails)?;
    loop {
        if let Found::End { at, is_clean } = scan.step()? {
            return Ok(is_clean.then_some(at));
        }
    }
}

/// What a segment repeats of an earlier one, by its frames: what its header says is what it was
/// to repeat, and a crash may have left of that anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Repetition {
    /// The first sequence beyond the earlier segment.
    pub(super) end: u64,
    /// Whether everything in the earlier segment is understood, and all that it holds from the
    /// later one's first sequence on stands there too, with the same bytes.
    pub(super) is_whole: bool,
    /// The first sequence that the later one does not prove durable.
    pub(super) proven: u64,
}

impl Repetition {
    pub(super) fn read(
        disk: &dyn Disk,
        id: DirectoryId,
        earlier: &SegmentFile,
        later: &SegmentFile,
    ) -> io::Result<Self> {
        let from = later.first().unwrap_or(u64::MAX);
        let (mut end, mut is_whole) = (earlier.first().unwrap_or(1), true);
        let mut owed = BTreeMap::new();
        let mut scan = open(disk, id, earlier, Unreadable::Fails)?;
        loop {
            match scan.step()? {
                Found::Frame(numbered) => {
                    end = end.max(numbered.sequence + 1);
                    let digest = numbered.digest().filter(|_| numbered.sequence >= from);
                    owed.extend(digest.map(|digest| (numbered.sequence, digest)));
                }
                Found::Gap { .. } => is_whole = false,
                Found::End { is_clean, .. } => {
                    is_whole &= is_clean;
                    break;
                }
            }
        }
        let mut proven = from;
        let mut scan = open(disk, id, later, Unreadable::Fails)?;
        loop {
            match scan.step()? {
                Found::Frame(numbered) => {
                    proven = proven.max(numbered.proven());
                    if owed.get(&numbered.sequence).copied() == numbered.digest() {
                        owed.remove(&numbered.sequence);
                    }
                }
                Found::Gap { .. } => {}
                Found::End { .. } => break,
            }
        }
        Ok(Self { end, is_whole: is_whole && owed.is_empty(), proven })
    }
}

fn open(
    disk: &dyn Disk,
    id: DirectoryId,
    file: &SegmentFile,
    unreadable: Unreadable,
) -> io::Result<Scan> {
    let seed = frame::seed(id.0, file.number);
    Ok(Scan::new(disk.open(&file.path, Access::Read)?, seed, unreadable))
}
