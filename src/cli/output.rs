//! Standard output and standard error, which may be full or closed.

use std::fmt::Display;
use std::io::{self, ErrorKind, Write};

/// Prints a line at once. Whoever closed our output has seen enough, as `head` has.
pub(super) fn line(text: impl Display) -> Result<(), OutputError> {
    let mut out = io::stdout().lock();
    match writeln!(out, "{text}").and_then(|()| out.flush()) {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        result => result.map_err(OutputError),
    }
}

/// Tells a line on standard error. There is nowhere to tell that it could not be told.
pub(super) fn tell(text: impl Display) {
    drop(writeln!(io::stderr(), "{text}"));
}

/// Writes over the line on which a terminal's cursor is.
pub(super) fn tell_over(text: impl Display) {
    drop(write!(io::stderr(), "\r{text}{CLEAR}"));
}

/// A count and its noun.
pub(super) fn counted(count: u64, noun: &str) -> String {
    if count == 1 { format!("1 {noun}") } else { format!("{count} {noun}s") }
}

/// Why something could not be printed.
#[derive(Debug, thiserror::Error)]
#[error("standard output: {0}")]
pub(super) struct OutputError(io::Error);

/// Clears the terminal's line from the cursor on (ECMA-48, erase in line).
const CLEAR: &str = "\u{1b}[K";
