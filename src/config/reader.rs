//! Takes keys out of a section, and remembers what is wrong with each.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use ipnet::IpNet;

use super::document::{Value, Written};
use super::problems::Problem;
use super::{suggest, units};

/// One section while it is being read.
#[derive(Debug)]
pub(super) struct Section<'a> {
    name: &'static str,
    line: usize,
    left: BTreeMap<String, Written>,
    taken: BTreeMap<&'static str, Written>,
    asked: Vec<&'static str>,
    base: &'a Path,
    problems: Vec<Problem>,
}

/// What a section leaves behind.
#[derive(Debug, Default)]
pub(super) struct Finished {
    pub(super) problems: Vec<Problem>,
    /// Every key that was asked for, with its section.
    pub(super) keys: Vec<String>,
}

impl<'a> Section<'a> {
    /// The section `name` of a document; empty when it is not there.
    pub(super) fn new(
        name: &'static str,
        document: &mut BTreeMap<String, Written>,
        base: &'a Path,
    ) -> Self {
        let mut section = Self::of(name, 0, BTreeMap::new(), base);
        if let Some(written) = document.remove(name) {
            section.line = written.line;
            match written.value {
                Value::Table(table) => section.left = table,
                _ => section.wrong_section(&written, &format!("expected a section [{name}]")),
            }
        }
        section
    }

    /// One table of an array of tables.
    pub(super) fn of(
        name: &'static str,
        line: usize,
        table: BTreeMap<String, Written>,
        base: &'a Path,
    ) -> Self {
        let (taken, asked, problems) = (BTreeMap::new(), Vec::new(), Vec::new());
        Self { name, line, left: table, taken, asked, base, problems }
    }

    /// Reads a key into `place` with `read`, when it is there.
    pub(super) fn take<T>(
        &mut self,
        key: &'static str,
        place: &mut T,
        read: impl FnOnce(&Written, &Path) -> Result<T, String>,
    ) {
        self.asked.push(key);
        let Some(written) = self.left.remove(key) else { return };
        match read(&written, self.base) {
            Ok(value) => *place = value,
            Err(reason) => self.problems.push(self.problem(key, &written, reason)),
        }
        self.taken.insert(key, written);
    }

    /// The tables of `[[section.key]]`, each with its line.
    pub(super) fn tables(&mut self, key: &'static str) -> Vec<(usize, BTreeMap<String, Written>)> {
        let Some(written) = self.left.remove(key) else { return Vec::new() };
        let Value::List(items) = written.value else {
            let reason = format!("expected [[{}.{key}]] tables", self.name);
            self.problems.push(self.problem(key, &written, reason));
            return Vec::new();
        };
        let mut tables = Vec::new();
        for item in items {
            match item.value {
                Value::Table(table) => tables.push((item.line, table)),
                _ => {
                    let reason = format!("expected [[{}.{key}]] tables", self.name);
                    self.problems.push(self.problem(key, &item, reason));
                }
            }
        }
        tables
    }

    /// The table `[section.key]` with its line; empty when it is not there.
    pub(super) fn table(&mut self, key: &'static str) -> (usize, BTreeMap<String, Written>) {
        let Some(written) = self.left.remove(key) else { return (self.line, BTreeMap::new()) };
        let line = written.line;
        if let Value::Table(table) = written.value {
            return (line, table);
        }
        let reason = format!("expected a section [{}.{key}]", self.name);
        self.problems.push(self.problem(key, &written, reason));
        (line, BTreeMap::new())
    }

    /// Refuses a secret that was written into the file, and says where it belongs.
    pub(super) fn no_secret(&mut self, key: &'static str, instead: &str) {
        if let Some(written) = self.left.remove(key) {
            let reason = format!("secrets are read from files: use {}.{instead}", self.name);
            // The value is a secret, so it is not shown.
            let hidden = Written { text: String::new(), ..written };
            self.problems.push(self.problem(key, &hidden, reason));
        }
    }

    /// Says that `key` must be there.
    pub(super) fn needs(&mut self, key: &'static str) {
        if !self.taken.contains_key(key) {
            let (line, key) = (self.line, format!("{}.{key}", self.name));
            let reason = "is missing".to_owned();
            self.problems.push(Problem { line, key, value: String::new(), reason });
        }
    }

    /// Adds what a part says it cannot serve, unless the key itself could not be read.
    pub(super) fn refuse(&mut self, problems: Vec<(&'static str, String)>) {
        let unread: Vec<_> = self.problems.iter().map(|problem| problem.key.clone()).collect();
        for (key, reason) in problems {
            let name = format!("{}.{key}", self.name);
            if unread.contains(&name) {
                continue;
            }
            let problem = match self.taken.get(key) {
                Some(written) => self.problem(key, written, reason),
                None => Problem { line: self.line, key: name, value: String::new(), reason },
            };
            self.problems.push(problem);
        }
    }

    /// Everything that is left over is unknown.
    pub(super) fn finish(mut self, into: &mut Finished) {
        for (key, written) in std::mem::take(&mut self.left) {
            let near = suggest::nearest(&key, self.asked.iter().copied());
            let reason = match near {
                Some(near) => format!("unknown key, did you mean {near}?"),
                None if self.asked.is_empty() => "unknown key".to_owned(),
                None => format!("unknown key; [{}] takes {}", self.name, self.asked.join(", ")),
            };
            self.problems.push(self.problem(&key, &written, reason));
        }
        into.problems.append(&mut self.problems);
        into.keys.extend(self.asked.iter().map(|key| format!("{}.{key}", self.name)));
    }

    fn wrong_section(&mut self, written: &Written, reason: &str) {
        let (line, value) = (written.line, written.text.clone());
        let key = self.name.to_owned();
        self.problems.push(Problem { line, key, value, reason: reason.to_owned() });
    }

    fn problem(&self, key: &str, written: &Written, reason: String) -> Problem {
        let key = format!("{}.{key}", self.name);
        Problem { line: written.line, key, value: written.text.clone(), reason }
    }
}

/// A duration with its unit.
pub(super) fn duration(written: &Written, _: &Path) -> Result<Duration, String> {
    match &written.value {
        Value::Text(text) => units::duration(text),
        _ => units::duration("").map_err(|reason| reason + " in quotes"),
    }
}

/// A size with its unit.
pub(super) fn size(written: &Written, _: &Path) -> Result<u64, String> {
    match &written.value {
        Value::Text(text) => units::size(text),
        _ => units::size("").map_err(|reason| reason + " in quotes"),
    }
}

/// A size that fits into memory.
pub(super) fn bytes(written: &Written, base: &Path) -> Result<usize, String> {
    size(written, base).and_then(|size| usize::try_from(size).map_err(|_| "is too large".into()))
}

/// A text.
pub(super) fn text(written: &Written, _: &Path) -> Result<String, String> {
    match &written.value {
        Value::Text(text) => Ok(text.clone()),
        _ => Err("expected a text in quotes".to_owned()),
    }
}

/// A whole number.
pub(super) fn count(written: &Written, _: &Path) -> Result<u64, String> {
    match written.value {
        Value::Integer(count) if count >= 0 => Ok(count.unsigned_abs()),
        _ => Err("expected a whole number without quotes".to_owned()),
    }
}

/// A file or folder; a relative one is looked for beside the configuration file.
pub(super) fn path(written: &Written, base: &Path) -> Result<PathBuf, String> {
    match text(written, base)?.as_str() {
        "" => Err("expected a path".to_owned()),
        path => Ok(base.join(path)),
    }
}

/// An IP address and port.
pub(super) fn address(written: &Written, base: &Path) -> Result<SocketAddr, String> {
    let text = text(written, base)?;
    let wrong = "expected an address and port, such as 0.0.0.0:443 or [::]:443";
    text.parse().map_err(|_| wrong.to_owned())
}

/// A list, each item read by `item`.
pub(super) fn list<T>(
    written: &Written,
    base: &Path,
    item: impl Fn(&Written, &Path) -> Result<T, String>,
) -> Result<Vec<T>, String> {
    let Value::List(items) = &written.value else {
        return Err("expected a list in brackets".to_owned());
    };
    let read = |written: &Written| {
        item(written, base).map_err(|reason| format!("the item {}: {reason}", written.text))
    };
    items.iter().map(read).collect()
}

/// A text, or a list of texts.
pub(super) fn texts(written: &Written, base: &Path) -> Result<Vec<String>, String> {
    match &written.value {
        Value::Text(text) => Ok(vec![text.clone()]),
        Value::List(_) => list(written, base, text),
        _ => Err("expected a text in quotes, or a list of them in brackets".to_owned()),
    }
}

/// A network.
pub(super) fn network(written: &Written, base: &Path) -> Result<IpNet, String> {
    let wrong = "expected a network such as 10.0.0.0/8 or 2001:db8::/32";
    text(written, base)?.parse().map_err(|_| wrong.to_owned())
}

/// One of several words.
pub(super) fn choice<T: Copy>(
    choices: &'static [(&'static str, T)],
) -> impl FnOnce(&Written, &Path) -> Result<T, String> {
    move |written, _| {
        let found = choices
            .iter()
            .find(|(name, _)| matches!(&written.value, Value::Text(text) if text == name));
        let names = || choices.iter().map(|(name, _)| format!("\"{name}\"")).collect::<Vec<_>>();
        found.map(|(_, value)| *value).ok_or_else(|| format!("expected {}", names().join(" or ")))
    }
}
