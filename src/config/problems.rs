//! What is wrong with a file, all of it.

use std::fmt;
use std::path::{Path, PathBuf};

/// Everything that is wrong with a configuration file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problems {
    /// The file.
    pub file: PathBuf,
    /// Each problem, in the order of lines.
    pub problems: Vec<Problem>,
}

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Problem {
    /// The line, counted from 1; 0 when the key is not in the file.
    pub line: usize,
    /// The key with its section, such as `edge.idle`; empty for a syntax error.
    pub key: String,
    /// The value as written; empty when there is none.
    pub value: String,
    /// What is wrong and what was expected.
    pub reason: String,
}

impl Problems {
    /// The file holds bytes that are no text, from `at` on.
    pub(super) fn not_utf8(file: &Path, bytes: &[u8], at: usize) -> Self {
        let line = 1 + bytes.iter().take(at).filter(|byte| **byte == b'\n').count();
        let reason = format!("the byte {:#04x} is no UTF-8", bytes.get(at).unwrap_or(&0));
        let (key, value) = (String::new(), String::new());
        Self { file: file.to_owned(), problems: vec![Problem { line, key, value, reason }] }
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = self.problems.len();
        let noun = if count == 1 { "problem" } else { "problems" };
        write!(f, "{}: {count} {noun}", self.file.display())?;
        for problem in &self.problems {
            write!(f, "\n{}:{}: ", self.file.display(), problem.line)?;
            match (problem.key.as_str(), problem.value.as_str()) {
                ("", _) => write!(f, "{}", problem.reason)?,
                (key, "") => write!(f, "{key}: {}", problem.reason)?,
                (key, value) => write!(f, "{key} = {value}: {}", problem.reason)?,
            }
        }
        Ok(())
    }
}
