//! A configuration file as it was read, with all that is known to be wrong with it so far.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use super::document::{self, Value, Written};
use super::problems::{Problem, Problems};
use super::settings::Settings;
use crate::disk::{Access, Disk};
use crate::kafka::Password;

/// Settings that may not be fit to be served. What others find wrong is added with its line, so
/// that everything is told at once.
#[derive(Clone, Debug, Default)]
pub struct Draft {
    /// The settings; keys that could not be read have their defaults.
    pub settings: Settings,
    file: PathBuf,
    document: BTreeMap<String, Written>,
    problems: Vec<Problem>,
}

impl Draft {
    /// Reads a file. The error is the file's own: it cannot be read at all.
    pub fn read(disk: &dyn Disk, file: &Path) -> io::Result<Self> {
        let bytes = disk.read(file, MAX_FILE)?;
        Ok(match std::str::from_utf8(&bytes) {
            Ok(text) => Self::parse(text, file),
            Err(error) => {
                let Problems { file, problems } =
                    Problems::not_utf8(file, &bytes, error.valid_up_to());
                Self { file, problems, ..Self::default() }
            }
        })
    }

    /// Reads the text of a file.
    pub(super) fn parse(text: &str, file: &Path) -> Self {
        let (document, mut problems) = document::read(text);
        let base = file.parent().unwrap_or_else(|| Path::new(""));
        let (settings, found) = Settings::of(&mut document.clone(), base);
        problems.extend(found);
        Self { settings, file: file.to_owned(), document, problems }
    }

    /// Adds what is wrong with a key: `section.key`, in the `table`-th of an array of tables. A
    /// key that could not be read has been told of already.
    pub fn object(&mut self, key: &str, table: usize, reason: String) {
        if self.problems.iter().any(|problem| problem.key == key && problem.line != 0)
            && !key.starts_with("tls.certificate.")
            && !key.starts_with("acme.issuer.")
        {
            return;
        }
        let (line, value) = self.written(key, table);
        self.problems.push(Problem { line, key: key.to_owned(), value, reason });
    }

    /// Adds the files that are named, are needed to start and cannot be read.
    pub fn object_to_missing_files(&mut self, disk: &dyn Disk) {
        let settings = &self.settings;
        let password = match &settings.kafka.password {
            Some(Password::File(file)) => Some(file.clone()),
            _ => None,
        };
        let named = [
            ("admin.token_file", settings.admin.token_file.clone()),
            ("admin.chain", settings.admin.chain.clone()),
            ("admin.key", settings.admin.key.clone()),
            ("events.address_key_file", settings.events.address_key_file.clone()),
            ("kafka.ca", settings.kafka.ca.clone()),
            ("kafka.certificate", settings.kafka.certificate.clone()),
            ("kafka.key", settings.kafka.key.clone()),
            ("kafka.password_file", password),
        ];
        for (key, file) in named {
            let Some(file) = file else { continue };
            if let Err(error) = disk.open(&file, Access::Read) {
                self.object(key, 0, format!("{} cannot be read: {error}", file.display()));
            }
        }
    }

    /// The settings, when nothing is wrong with them.
    pub fn finish(self) -> Result<Settings, Problems> {
        let Self { settings, file, mut problems, .. } = self;
        if problems.is_empty() {
            return Ok(settings);
        }
        problems.sort();
        problems.dedup();
        Err(Problems { file, problems })
    }

    /// Line and text of a key: of its section when it is not there, 0 when neither is.
    fn written(&self, key: &str, table: usize) -> (usize, String) {
        let (mut line, mut within, mut text) = (0, Some(&self.document), String::new());
        for name in key.split('.') {
            let Some(written) = within.and_then(|entries| entries.get(name)) else {
                return (line, String::new());
            };
            (line, text) = (written.line, written.text.clone());
            within = match &written.value {
                Value::Table(entries) => Some(entries),
                Value::List(items) => items.get(table).and_then(|item| {
                    let Value::Table(entries) = &item.value else { return None };
                    line = item.line;
                    Some(entries)
                }),
                _ => None,
            };
        }
        (line, text)
    }
}

const MAX_FILE: u64 = 16 << 20;
