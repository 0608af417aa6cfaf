//! `waypost journal`: what is kept, at rest or while a node writes.

use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use clap::{Args, Subcommand};
use serde_json::{Value, json};
use thiserror::Error;

use super::output;
use super::place::{Place, PlaceArgs, PlaceError};
use crate::disk::Disk;
use crate::journal::{
    DirectoryId, Position, PositionError, ReadError, Reader, Report, directories, inspect,
};

/// Reads the journal: no lock is taken, so a node may be running.
#[derive(Args, Debug)]
pub(super) struct JournalArgs {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Print events as JSON lines, oldest first.
    Cat {
        #[command(flatten)]
        place: PlaceArgs,
        /// Start at this position, <directory id>:<sequence>; without it, at the oldest kept.
        #[arg(long, value_name = "POS")]
        from: Option<String>,
        /// Go on as new events are written, until interrupted.
        #[arg(long)]
        follow: bool,
        /// Print the position before each event, then a tab.
        #[arg(long)]
        positions: bool,
    },
    /// Show directories and segments: numbers, times, sizes.
    Inspect {
        #[command(flatten)]
        place: PlaceArgs,
        /// Print one JSON object.
        #[arg(long)]
        json: bool,
    },
    /// Read every frame; exit 1 when something cannot be read.
    Verify {
        #[command(flatten)]
        place: PlaceArgs,
        /// Print one JSON object.
        #[arg(long)]
        json: bool,
    },
}

/// Why a journal command ended early.
#[derive(Debug, Error)]
pub(super) enum JournalError {
    /// Reading failed.
    #[error("the journal in {} could not be read: {source}", folder.display())]
    Folder {
        /// The journal's folder.
        folder: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The folder holds no journal.
    #[error(
        "{} holds no journal: start `waypost dev` first, or name the place with --data or --config",
        .0.display()
    )]
    Missing(PathBuf),
    /// Standard output failed.
    #[error("standard output: {0}")]
    Output(#[from] io::Error),
    /// The place could not be found out.
    #[error(transparent)]
    Place(#[from] PlaceError),
    /// `--from` is no position.
    #[error("--from: {0}")]
    Position(#[from] PositionError),
    /// Reading a directory failed.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// `--from` names a directory that is not there.
    #[error("--from: the journal has no directory {0}")]
    UnknownDirectory(DirectoryId),
}

impl JournalArgs {
    /// Runs the command; returns the exit code.
    pub(super) fn run(self, disk: &Arc<dyn Disk>) -> Result<u8, JournalError> {
        let mut out = BufWriter::new(io::stdout().lock());
        let result = match self.command {
            Command::Cat { place, from, follow, positions } => {
                let from = from.map(|text| text.parse()).transpose()?;
                cat(disk, &place.resolve(disk)?.journal, from, follow, positions, &mut out)
            }
            Command::Inspect { place, json } => {
                show(disk, &place.resolve(disk)?, json, false, &mut out)
            }
            Command::Verify { place, json } => {
                show(disk, &place.resolve(disk)?, json, true, &mut out)
            }
        };
        match result.and_then(|code| Ok(out.flush().map(|()| code)?)) {
            // Whoever read our output has seen enough, as `head` does.
            Err(JournalError::Output(error)) if error.kind() == io::ErrorKind::BrokenPipe => Ok(0),
            result => result,
        }
    }
}

fn found(disk: &Arc<dyn Disk>, folder: &Path) -> Result<Vec<(DirectoryId, PathBuf)>, JournalError> {
    let wrong = |source| JournalError::Folder { folder: folder.to_owned(), source };
    let found = directories(&**disk, folder).map_err(wrong)?;
    if found.is_empty() {
        return Err(JournalError::Missing(folder.to_owned()));
    }
    Ok(found)
}

fn cat(
    disk: &Arc<dyn Disk>,
    folder: &Path,
    from: Option<Position>,
    follow: bool,
    positions: bool,
    out: &mut impl Write,
) -> Result<u8, JournalError> {
    let mut directories = found(disk, folder)?;
    if let Some(from) = from {
        if !directories.iter().any(|(id, _)| *id == from.directory) {
            return Err(JournalError::UnknownDirectory(from.directory));
        }
        directories.retain(|(id, _)| *id >= from.directory);
    }
    let (mut skipped, mut printed) = (0, 0_u64);
    let last = directories.len() - 1;
    for (index, (id, path)) in directories.into_iter().enumerate() {
        let from = from.filter(|from| from.directory == id).map_or(1, |from| from.sequence);
        let mut reader = Reader::outside(Arc::clone(disk), id, &path, from);
        let mut first = None;
        loop {
            while let Some(stored) = reader.read()? {
                let sequence = stored.sequence;
                if positions {
                    write!(out, "{}\t", Position { directory: id, sequence })?;
                }
                out.write_all(stored.frame.body)?;
                out.write_all(b"\n")?;
                first.get_or_insert(sequence);
                printed += 1;
            }
            if !(follow && index == last) {
                break;
            }
            out.flush()?;
            std::thread::sleep(FOLLOW_EVERY);
        }
        // What retention deleted before the first kept frame is no damage.
        skipped += reader.skipped() - first.map_or(0, |first| first - from);
    }
    out.flush()?;
    if skipped > 0 {
        let skipped = output::counted(skipped, "damaged event");
        output::tell(format_args!("{skipped} skipped: see `waypost journal verify`"));
    }
    if let Some(from) = from.filter(|_| printed == 0) {
        output::tell(format_args!("there is no event from {from} on"));
    }
    Ok(0)
}

fn show(
    disk: &Arc<dyn Disk>,
    place: &Place,
    as_json: bool,
    is_verdict: bool,
    out: &mut impl Write,
) -> Result<u8, JournalError> {
    let folder = &place.journal;
    let wrong = |source| JournalError::Folder { folder: folder.clone(), source };
    let mut reports = Vec::new();
    for (id, path) in found(disk, folder)? {
        reports.push(inspect(disk, id, &path).map_err(wrong)?);
    }
    let faults = reports.iter().map(|report| report.faults.len()).sum::<usize>();
    if as_json {
        let reports: Vec<_> = reports.iter().map(object).collect();
        let whole = json!({ "folder": folder, "directories": reports, "faults": faults });
        writeln!(out, "{whole}")?;
    } else if is_verdict {
        verdict(&reports, out)?;
    } else {
        for report in &reports {
            table(report, out)?;
        }
    }
    Ok(u8::from(is_verdict && faults > 0))
}

fn verdict(reports: &[Report], out: &mut impl Write) -> io::Result<()> {
    for report in reports {
        for fault in &report.faults {
            writeln!(out, "{}: {fault}", report.directory)?;
        }
    }
    let frames = reports.iter().map(|report| report.frames).sum::<u64>();
    let segments = reports.iter().map(|report| report.segments.len()).sum::<usize>();
    let faults = reports.iter().map(|report| report.faults.len()).sum::<usize>();
    let state = match faults {
        0 => "all can be read".to_owned(),
        faults => output::counted(faults as u64, "fault"),
    };
    let events = output::counted(frames, "event");
    let segments = output::counted(segments as u64, "segment");
    writeln!(out, "{events} in {segments}: {state}")
}

fn table(report: &Report, out: &mut impl Write) -> io::Result<()> {
    writeln!(
        out,
        "directory {}  {}  acknowledged before {}",
        report.directory,
        output::counted(report.frames, "event"),
        report.cursor
    )?;
    writeln!(
        out,
        "  {:>10}  {:>12}  {:<24}  {:<27}  state",
        "segment", "bytes", "sequences", "from"
    )?;
    for segment in &report.segments {
        let sequences =
            segment.sequences.map_or_else(nothing, |(first, last)| format!("{first}..{last}"));
        let from = segment.times.map_or_else(nothing, |(first, _)| first.to_string());
        let (number, bytes, state) = (segment.number, segment.bytes, segment.condition.name());
        writeln!(out, "  {number:>10}  {bytes:>12}  {sequences:<24}  {from:<27}  {state}")?;
    }
    for fault in &report.faults {
        writeln!(out, "  fault: {fault}")?;
    }
    Ok(())
}

/// Stands where there is nothing to show.
fn nothing() -> String {
    "-".to_owned()
}

fn object(report: &Report) -> Value {
    let segments = report.segments.iter().map(|segment| {
        json!({
            "number": segment.number,
            "bytes": segment.bytes,
            "state": segment.condition.name(),
            "first": segment.sequences.map(|(first, _)| first),
            "last": segment.sequences.map(|(_, last)| last),
            "from": segment.times.map(|(first, _)| first.to_string()),
            "to": segment.times.map(|(_, last)| last.to_string()),
            "events": segment.frames,
            "predecessor": segment.predecessor,
        })
    });
    json!({
        "directory": report.directory.to_string(),
        "events": report.frames,
        "acknowledged_before": report.cursor,
        "segments": segments.collect::<Vec<_>>(),
        "faults": report.faults.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "notes": report.notes.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "lost": report.lost,
    })
}

const FOLLOW_EVERY: Duration = Duration::from_millis(200);
