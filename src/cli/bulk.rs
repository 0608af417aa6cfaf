//! Minting in bulk: rows in from a file or standard input, links out, line for line.
//!
//! One piece of the input is read, its whole lines are cut into a block for each core, and the
//! links are printed in the order of the rows before the next piece is read. So memory is flat
//! whatever the length of the file, a slow reader slows the reading, and a row that is typed is
//! answered at once.

use std::fs::File;
use std::io::{self, ErrorKind, IsTerminal, Read, Write};
use std::num::NonZero;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;

use clap::{Args, ValueEnum};
use thiserror::Error;

use super::output;
use super::progress::Progress;
use crate::clock::{Clock, Timestamp};
use crate::token::{Block, Lines, Mint, RowError};

/// What is minted in bulk, and how.
#[derive(Args, Debug)]
pub(super) struct BulkArgs {
    /// Mint a link for each row of this file, one JSON object a line; - is standard input.
    #[arg(long, value_name = "FILE")]
    pub(super) file: Option<PathBuf>,
    /// What a bad row does.
    #[arg(long, value_name = "ACTION", default_value = "stop", requires = "file")]
    bad_rows: BadRows,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum BadRows {
    /// Nothing is minted from the first bad row on.
    Stop,
    /// Each is told on standard error, and an empty line is printed in its place.
    Skip,
}

/// Why minting in bulk ended before the last row.
#[derive(Debug, Error)]
pub(super) enum BulkError {
    /// A bad row.
    #[error("line {line}: {error} (before it: {})", output::counted(*minted, "link"))]
    BadRow {
        /// Its number, counted from 1.
        line: u64,
        /// What is wrong with it.
        error: RowError,
        /// Links that were printed.
        minted: u64,
    },
    /// The file could not be read.
    #[error("--file {}: {source}", file.display())]
    Input {
        /// The file.
        file: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Nobody takes the links.
    #[error("standard output: {source} (after {})", output::counted(*minted, "link"))]
    Output {
        /// What the system said.
        source: io::Error,
        /// Links that were printed before.
        minted: u64,
    },
}

impl BulkArgs {
    /// Mints a link for each row of `file`; returns the exit code.
    pub(super) fn mint(
        &self,
        file: &Path,
        mint: &Mint,
        clock: &Arc<dyn Clock>,
    ) -> Result<u8, BulkError> {
        let input = |source| BulkError::Input { file: file.to_owned(), source };
        let (mut rows, size): (Box<dyn Read>, _) = if file == Path::new("-") {
            if io::stdin().is_terminal() {
                output::tell("reading rows from standard input, one JSON object a line");
            }
            (Box::new(io::stdin().lock()), None)
        } else {
            #[expect(clippy::disallowed_methods, reason = "a pipe too, which has no offsets")]
            let file = File::open(file).map_err(input)?;
            let metadata = file.metadata().map_err(input)?;
            let size = metadata.is_file().then_some(metadata.len());
            (Box::new(file), size)
        };
        let mut run = Run {
            mint,
            bad_rows: self.bad_rows,
            progress: Progress::new(clock, size, "link"),
            cores: thread::available_parallelism().map_or(1, NonZero::get),
            minted: 0,
            bad: 0,
        };
        let (mut lines, mut piece) = (Lines::default(), vec![0; PIECE * run.cores]);
        loop {
            let length = match rows.read(&mut piece) {
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                length => length.map_err(input)?,
            };
            let block = match piece.get(..length) {
                None | Some([]) => lines.end(),
                Some(bytes) => lines.push(bytes),
            };
            run.take(block, clock.wall())?;
            run.progress.show(length as u64, run.minted);
            if length == 0 {
                return Ok(run.end());
            }
        }
    }
}

/// Minting in progress.
struct Run<'a> {
    mint: &'a Mint,
    bad_rows: BadRows,
    progress: Progress,
    cores: usize,
    minted: u64,
    bad: u64,
}

impl Run<'_> {
    /// Mints a block and prints its links.
    fn take(&mut self, block: Option<Block>, now: Timestamp) -> Result<(), BulkError> {
        let Some(block) = block else { return Ok(()) };
        let (mint, bad_rows) = (self.mint, self.bad_rows);
        let parts = block.split(self.cores);
        let minted: Vec<_> = thread::scope(|scope| {
            let minting = |part| scope.spawn(move || Minted::of(mint, part, bad_rows, now));
            let threads: Vec<_> = parts.iter().map(minting).collect();
            let panicked = |panic| std::panic::resume_unwind(panic);
            threads.into_iter().map(|part| part.join().unwrap_or_else(panicked)).collect()
        });
        for part in minted {
            self.print(part)?;
        }
        Ok(())
    }

    fn print(&mut self, part: Minted) -> Result<(), BulkError> {
        let mut out = io::stdout().lock();
        let printed = out.write_all(&part.links).and_then(|()| out.flush());
        printed.map_err(|source| BulkError::Output { source, minted: self.minted })?;
        self.minted += part.count;
        for (line, error) in part.bad {
            if self.bad_rows == BadRows::Stop {
                return Err(BulkError::BadRow { line, error, minted: self.minted });
            }
            self.bad += 1;
            self.progress.tell(format_args!("line {line}: {error}"));
        }
        Ok(())
    }

    /// Tells what was done; returns the exit code.
    fn end(&mut self) -> u8 {
        self.progress.end(self.minted);
        if self.bad == 0 {
            return 0;
        }
        let (bad, rows) = (self.bad, output::counted(self.bad + self.minted, "row"));
        let told = "an empty line stands in the place of each bad one";
        self.progress.tell(format_args!("bad: {bad} of {rows}; {told}"));
        1
    }
}

/// What came of some rows.
struct Minted {
    links: Vec<u8>,
    count: u64,
    bad: Vec<(u64, RowError)>,
}

impl Minted {
    fn of(mint: &Mint, block: &Block, bad_rows: BadRows, now: Timestamp) -> Self {
        let mut minted = Self { links: Vec::new(), count: 0, bad: Vec::new() };
        for (line, row) in block.lines() {
            match mint.line(row, now, &mut minted.links) {
                Ok(()) => minted.count += 1,
                Err(error) => {
                    minted.bad.push((line, error));
                    if bad_rows == BadRows::Stop {
                        return minted;
                    }
                }
            }
            minted.links.push(b'\n');
        }
        minted
    }
}

/// Bytes that are read at a time for each core.
const PIECE: usize = 128 << 10;
