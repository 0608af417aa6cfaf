//! Where a command's texts come from: an argument, a file, or standard input as `-`.

use std::io::{self, Read};
use std::path::{Path, PathBuf};

use thiserror::Error;

use crate::disk::Disk;

/// Why there is no text.
#[derive(Debug, Error)]
pub(in crate::cli) enum SourceError {
    /// A file could not be read.
    #[error("{}: {source}", file.display())]
    File {
        /// The file.
        file: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Standard input could not be read.
    #[error("standard input: {0}")]
    Input(io::Error),
    /// Longer than what is judged.
    #[error("{0} bytes are read at most, and there are more")]
    TooLong(u64),
    /// A record that is no text.
    #[error("standard input is not UTF-8")]
    Utf8,
}

/// The text of an argument; `-` reads standard input.
pub(super) fn text(argument: &str, limit: u64) -> Result<String, SourceError> {
    if argument != STANDARD_INPUT {
        let length = u64::try_from(argument.len()).unwrap_or(u64::MAX);
        return if length > limit {
            Err(SourceError::TooLong(limit))
        } else {
            Ok(argument.to_owned())
        };
    }
    String::from_utf8(input(limit)?).map_err(|_| SourceError::Utf8)
}

/// The bytes of a file; `-` reads standard input.
pub(super) fn bytes(disk: &dyn Disk, file: &Path, limit: u64) -> Result<Vec<u8>, SourceError> {
    if file.as_os_str() == STANDARD_INPUT {
        return input(limit);
    }
    disk.read(file, limit).map_err(|source| SourceError::File { file: file.to_owned(), source })
}

fn input(limit: u64) -> Result<Vec<u8>, SourceError> {
    let mut bytes = Vec::new();
    io::stdin().lock().take(limit + 1).read_to_end(&mut bytes).map_err(SourceError::Input)?;
    let length = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
    if length > limit { Err(SourceError::TooLong(limit)) } else { Ok(bytes) }
}

const STANDARD_INPUT: &str = "-";
