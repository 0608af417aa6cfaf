//! Names in files: one a line, with what is told of each.
//!
//! ```text
//! # a comment
//! trk.example.com
//! go.example.org  sending=example.org  account=acme-7
//! ```

use std::io::{self, BufRead};

use thiserror::Error;

use super::Addition;
use crate::hostname::{Hostname, HostnameError};

/// One line of a file of names.
pub type Line = Result<Addition, FileError>;

/// Why a line names nothing: the fault of whoever wrote it. The other lines are read all the same.
#[derive(Debug, Error)]
pub enum FileError {
    /// The text is no hostname.
    #[error("line {line}: {text:?} {source}")]
    Name {
        /// The line, counted from 1.
        line: u64,
        /// The text.
        text: String,
        /// What is wrong with it.
        source: HostnameError,
    },
    /// A word behind the name is none of the known ones.
    #[error("line {0}: {1:?}: expected sending=DOMAIN, account=NAME or dkim=KEY")]
    Word(u64, String),
    /// What is told of the name cannot be kept.
    #[error("line {0}: {1}")]
    Told(u64, String),
    /// The file cannot be read further.
    #[error("line {0}: {1}")]
    Read(u64, io::Error),
}

/// The names of a file, line by line: a million of them take no memory.
pub fn names(text: impl BufRead) -> impl Iterator<Item = Line> {
    let lines = text.lines().zip(1..);
    lines.filter_map(|(line, number)| match line {
        Ok(line) => parse(&line, number),
        Err(error) => Some(Err(FileError::Read(number, error))),
    })
}

fn parse(line: &str, number: u64) -> Option<Line> {
    let mut words = line.split_whitespace();
    let name = words.next().filter(|word| !word.starts_with('#'))?;
    let name = match Hostname::parse(name) {
        Ok(name) => name,
        Err(source) => {
            return Some(Err(FileError::Name { line: number, text: shortened(name), source }));
        }
    };
    let mut addition = Addition::of(name);
    for word in words {
        let place = match word.split_once('=') {
            Some(("sending", value)) if Hostname::parse(value).is_ok() => {
                (&mut addition.sending, value)
            }
            Some(("account", value)) if !value.is_empty() => (&mut addition.account, value),
            Some(("dkim", value)) if !value.is_empty() => (&mut addition.dkim, value),
            _ => return Some(Err(FileError::Word(number, shortened(word)))),
        };
        *place.0 = Some(place.1.to_owned());
    }
    match addition.problem() {
        None => Some(Ok(addition)),
        Some(problem) => Some(Err(FileError::Told(number, problem))),
    }
}

fn shortened(text: &str) -> String {
    text.chars().take(80).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wrong_line_is_told_and_the_others_are_read() {
        let text = "# names\n\ntrk.Example.com\n a..b\ngo.example.org sending=example.org account=7\n\
                    x.example dkim\n";
        let lines: Vec<_> = names(text.as_bytes()).collect();
        assert_eq!(lines.len(), 4);
        assert_eq!(lines[0].as_ref().unwrap().name.as_str(), "trk.example.com");
        let told = lines[1].as_ref().unwrap_err().to_string();
        assert_eq!(told, "line 4: \"a..b\" has an empty label");
        assert_eq!(lines[2].as_ref().unwrap().sending.as_deref(), Some("example.org"));
        assert_eq!(lines[2].as_ref().unwrap().account.as_deref(), Some("7"));
        assert!(lines[3].as_ref().unwrap_err().to_string().starts_with("line 6: \"dkim\""));
    }
}
