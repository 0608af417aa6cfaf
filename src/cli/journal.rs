//! `waypost journal`: what is kept, at rest or while a node writes.

use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use clap::{Args, Subcommand, ValueEnum};
use serde_json::{Value, json};
use thiserror::Error;

use super::output;
use super::place::{Place, PlaceArgs, PlaceError};
use crate::clock::Clock;
use crate::disk::Disk;
use crate::journal::{
    DirectoryId, Position, PositionError, ReadError, Reader, Report, Stream, directories, inspect,
};
use crate::kafka::Cluster;
use crate::shipper::{Replay, ReplayError, Replayed, dead};

/// Reads the journal: no lock is taken, so a node may be running.
#[derive(Args, Debug)]
pub(super) struct JournalArgs {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Print events as JSON lines, oldest first.
    #[command(after_help = CAT_STATUS)]
    Cat {
        #[command(flatten)]
        place: PlaceArgs,
        /// Start at this position, <directory id>:<sequence>; without it, at the oldest kept.
        #[arg(long, value_name = "POS")]
        from: Option<String>,
        /// The stream: what people did, what became of domains, or of audits.
        #[arg(long, value_enum, default_value = "events")]
        stream: StreamName,
        /// Go on as new events are written, until interrupted.
        #[arg(long)]
        follow: bool,
        /// Print the position before each event, then a tab.
        #[arg(long)]
        positions: bool,
    },
    /// Show directories and segments: numbers, times, sizes, and what verify says of them.
    Inspect {
        #[command(flatten)]
        place: PlaceArgs,
        /// Print one JSON object.
        #[arg(long)]
        json: bool,
    },
    /// Print the events that are too large for Kafka and were set aside, as JSON lines.
    Dead {
        #[command(flatten)]
        place: PlaceArgs,
        /// Print the position, when it was set aside and why before each event, each with a tab.
        #[arg(long)]
        positions: bool,
    },
    /// Send kept events to Kafka again, with the same ids and bytes; a node may be running.
    Replay {
        #[command(flatten)]
        place: PlaceArgs,
        /// Start at this position, <directory id>:<sequence>.
        #[arg(long, value_name = "POS")]
        from: String,
        /// Stop behind this one; without it, behind the last event kept.
        #[arg(long, value_name = "POS")]
        to: Option<String>,
        /// The broker, where no configuration file names one.
        #[arg(long, value_name = "HOST:PORT", conflicts_with = "config")]
        kafka: Option<String>,
    },
    /// Read every frame, and say what is damaged, refused or lost.
    ///
    /// A tail that is not whole is not yet written, since a node may be writing: that and what a
    /// crash left unfinished are told as notes and are no fault.
    #[command(after_help = VERIFY_STATUS)]
    Verify {
        #[command(flatten)]
        place: PlaceArgs,
        /// Print one JSON object.
        #[arg(long)]
        json: bool,
    },
}

/// A stream of the journal.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum StreamName {
    Events,
    Domains,
    Audits,
}

impl StreamName {
    fn stream(self) -> Stream {
        match self {
            Self::Events => Stream::Events,
            Self::Domains => Stream::Domains,
            Self::Audits => Stream::Audits,
        }
    }
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
    /// Nobody said where Kafka is.
    #[error("no broker is named: set kafka.brokers in the file of --config, or use --kafka")]
    NoBroker,
    /// Standard output failed.
    #[error("standard output: {0}")]
    Output(#[from] io::Error),
    /// The place could not be found out.
    #[error(transparent)]
    Place(#[from] PlaceError),
    /// An option names no position.
    #[error("{option}: {source}")]
    Position {
        /// The option.
        option: &'static str,
        /// What it says.
        source: PositionError,
    },
    /// Reading a directory failed.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// Not everything was sent again.
    #[error("after {acknowledged} events: {source}")]
    Replay {
        /// How many are acknowledged.
        acknowledged: u64,
        /// Why it ended.
        source: ReplayError,
    },
    /// `--from` or `--to` names a directory that is not there.
    #[error("{option}: the journal has no directory {wanted}, only {}", listed(there))]
    UnknownDirectory {
        /// The option that names it.
        option: &'static str,
        /// The one that was named.
        wanted: DirectoryId,
        /// Those that are there.
        there: Vec<DirectoryId>,
    },
}

impl JournalArgs {
    /// Runs the command; returns the exit code.
    pub(super) fn run(
        self,
        disk: &Arc<dyn Disk>,
        clock: &Arc<dyn Clock>,
    ) -> Result<u8, JournalError> {
        let mut out = BufWriter::new(io::stdout().lock());
        let result = match self.command {
            Command::Cat { place, from, stream, follow, positions } => {
                let from = from.map(|text| position("--from", &text)).transpose()?;
                let folder = place.resolve(disk)?.journal;
                cat(disk, &folder, from, stream.stream(), (follow, positions), &mut out)
            }
            Command::Inspect { place, json } => {
                show(disk, &place.resolve(disk)?, json, false, &mut out)
            }
            Command::Verify { place, json } => {
                show(disk, &place.resolve(disk)?, json, true, &mut out)
            }
            Command::Dead { place, positions } => {
                dead(disk, &place.resolve(disk)?.journal, positions, &mut out)
            }
            Command::Replay { place, from, to, kafka } => {
                let mut place = place.resolve(disk)?;
                if let Some(broker) = kafka {
                    place.kafka.brokers = vec![broker];
                }
                let from = position("--from", &from)?;
                let to = to.map(|text| position("--to", &text)).transpose()?;
                replay(disk, clock, &place, from, to)
            }
        };
        match result.and_then(|code| Ok(out.flush().map(|()| code)?)) {
            // Whoever read our output has seen enough, as `head` does.
            Err(JournalError::Output(error)) if error.kind() == io::ErrorKind::BrokenPipe => Ok(0),
            result => result,
        }
    }
}

fn position(option: &'static str, text: &str) -> Result<Position, JournalError> {
    text.parse().map_err(|source| JournalError::Position { option, source })
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
    stream: Stream,
    (follow, positions): (bool, bool),
    out: &mut impl Write,
) -> Result<u8, JournalError> {
    let mut directories = found(disk, folder)?;
    if let Some(from) = from {
        let there: Vec<_> = directories.iter().map(|(id, _)| *id).collect();
        if !there.contains(&from.directory) {
            return Err(JournalError::UnknownDirectory {
                option: "--from",
                wanted: from.directory,
                there,
            });
        }
        directories.retain(|(id, _)| *id >= from.directory);
    }
    let (mut skipped, mut refused, mut printed) = (0, 0, 0_u64);
    let last = directories.len() - 1;
    for (index, (id, path)) in directories.into_iter().enumerate() {
        let from = from.filter(|from| from.directory == id).map_or(1, |from| from.sequence);
        let mut reader = Reader::outside(Arc::clone(disk), id, &path, from);
        loop {
            while let Some(stored) = reader.read()? {
                let sequence = stored.sequence;
                if stored.frame.stream != stream {
                    continue;
                }
                if positions {
                    write!(out, "{}\t", Position { directory: id, sequence })?;
                }
                out.write_all(stored.frame.body)?;
                out.write_all(b"\n")?;
                printed += 1;
            }
            let is_over = !(follow && index == last);
            if is_over && !reader.is_in_doubt() {
                break;
            }
            out.flush()?;
            std::thread::sleep(FOLLOW_EVERY);
        }
        // What retention deleted before the first kept segment is no damage.
        skipped += reader.skipped() - reader.deleted();
        refused += reader.refused();
    }
    out.flush()?;
    if skipped > 0 {
        let skipped = output::counted(skipped, "damaged event");
        output::tell(format_args!("{skipped} skipped: see `waypost journal verify`"));
    }
    if refused > 0 {
        let refused = output::counted(refused, "segment");
        output::tell(format_args!("{refused} refused: see `waypost journal verify`"));
    }
    if let Some(from) = from.filter(|_| printed == 0) {
        output::tell(format_args!("there is no event from {from} on"));
    }
    Ok(u8::from(skipped + refused > 0))
}

fn dead(
    disk: &Arc<dyn Disk>,
    folder: &Path,
    positions: bool,
    out: &mut impl Write,
) -> Result<u8, JournalError> {
    let wrong = |source| JournalError::Folder { folder: folder.to_owned(), source };
    for letter in dead::read(&**disk, folder).map_err(wrong)? {
        if positions {
            write!(out, "{}\t{}\t{}\t", letter.position, letter.set_aside, letter.reason)?;
        }
        out.write_all(&letter.body)?;
        out.write_all(b"\n")?;
    }
    Ok(0)
}

fn replay(
    disk: &Arc<dyn Disk>,
    clock: &Arc<dyn Clock>,
    place: &Place,
    from: Position,
    to: Option<Position>,
) -> Result<u8, JournalError> {
    if !place.kafka.is_configured() {
        return Err(JournalError::NoBroker);
    }
    let directories = found(disk, &place.journal)?;
    let named = [("--from", Some(from)), ("--to", to)];
    for (option, wanted) in named.map(|(option, to)| (option, to.map(|to| to.directory))) {
        let Some(wanted) = wanted else { continue };
        let there: Vec<DirectoryId> = directories.iter().map(|(id, _)| *id).collect();
        if !there.contains(&wanted) {
            return Err(JournalError::UnknownDirectory { option, wanted, there });
        }
    }
    let replay = Replay {
        publish: Arc::new(Cluster::new(place.kafka.clone(), Arc::clone(disk))),
        topics: place.kafka.topics.clone(),
        window: place.window,
        disk: Arc::clone(disk),
        clock: Arc::clone(clock),
    };
    let mut sum = Replayed::default();
    for (id, path) in directories {
        if id < from.directory || to.is_some_and(|to| id > to.directory) {
            continue;
        }
        let begin = if id == from.directory { from.sequence } else { 1 };
        let end = to.filter(|to| to.directory == id).map_or(u64::MAX, |to| to.sequence);
        let replayed = replay.run(id, &path, begin, end);
        let acknowledged = sum.acknowledged;
        let replayed = replayed.map_err(|source| JournalError::Replay { acknowledged, source })?;
        sum.acknowledged += replayed.acknowledged;
        sum.too_large += replayed.too_large;
    }
    output::tell(format_args!("{} events were sent again", sum.acknowledged));
    if sum.too_large > 0 {
        output::tell(format_args!("{} events are too large for Kafka", sum.too_large));
    }
    Ok(u8::from(sum.too_large > 0))
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
        remarks(report, &format!("{}: ", report.directory), out)?;
    }
    let sum = |of: fn(&Report) -> u64| reports.iter().map(of).sum::<u64>();
    let frames = output::counted(sum(|report| report.frames), "event");
    let segments = output::counted(sum(|report| report.segments.len() as u64), "segment");
    let (faults, lost) = (sum(|report| report.faults.len() as u64), sum(|report| report.lost));
    let state = match (faults, lost) {
        (0, _) => "all can be read".to_owned(),
        (_, 0) => format!("{}, no event lost", output::counted(faults, "fault")),
        _ => {
            format!("{}, {} lost", output::counted(faults, "fault"), output::counted(lost, "event"))
        }
    };
    writeln!(out, "{frames} in {segments}: {state}")
}

/// What is wrong with a directory, then what looks odd and is not.
fn remarks(report: &Report, before: &str, out: &mut impl Write) -> io::Result<()> {
    for fault in &report.faults {
        writeln!(out, "{before}fault: {fault}")?;
    }
    for note in &report.notes {
        writeln!(out, "{before}note: {note}")?;
    }
    Ok(())
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
    remarks(report, "  ", out)
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
            "unfinished_from": segment.unfinished,
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

fn listed(directories: &[DirectoryId]) -> String {
    let texts: Vec<_> = directories.iter().map(ToString::to_string).collect();
    texts.join(", ")
}

const CAT_STATUS: &str = "Exit status: 0 when all that is kept was printed, 1 when some of it is \
                          damaged or refused, 2 when the journal could not be looked at.";
const VERIFY_STATUS: &str = "Exit status: 0 when all can be read, 1 when something is damaged, \
                             refused or lost, 2 when the journal could not be looked at.";
const FOLLOW_EVERY: Duration = Duration::from_millis(200);
