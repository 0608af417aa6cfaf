//! Many domains from a file: read as they are needed, told as they are done, and gone on with
//! after a stop.

use std::collections::HashMap;
use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, BufReader, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;

use super::command::AuditError;
use super::domains::exit_code;
use super::sheet;
use crate::audit::domain::{Auditor, Depth, Report, Subject};
use crate::audit::{Severity, escaped};
use crate::cli::progress::Progress;
use crate::clock::Clock;

/// How many domains are audited.
pub(super) struct Bulk {
    pub(super) auditor: Auditor,
    pub(super) depth: Depth,
    pub(super) is_json: bool,
    pub(super) at_once: usize,
    pub(super) nonce: String,
    pub(super) results: Option<PathBuf>,
}

impl Bulk {
    /// Audits each domain of `file`; returns the exit code. To be run by one `block_on` as a whole:
    /// what waits for its turn is forgotten where one ends.
    pub(super) async fn run(
        &self,
        file: &Path,
        clock: &Arc<dyn Clock>,
        out: &mut dyn Write,
    ) -> Result<u8, AuditError> {
        let (mut lines, size) = open(file)?;
        let mut results = match &self.results {
            Some(file) => Results::open(file).map_err(|source| failed(file, source))?,
            None => Results::default(),
        };
        let mut told =
            Told { progress: Progress::new(clock, size, "domain"), count: 0, bad: 0, worst: None };
        let mut audits = FuturesUnordered::new();
        let mut number = 0_u64;
        let mut is_open = true;
        while is_open || !audits.is_empty() {
            while is_open && audits.len() < self.at_once {
                let mut line = String::new();
                let length = lines.read_line(&mut line).map_err(|source| failed(file, source))?;
                is_open = length > 0;
                number += u64::from(is_open);
                told.progress.show(length as u64, told.count);
                let text = line.split('#').next().unwrap_or_default().trim();
                if text.is_empty() {
                    continue;
                }
                match Subject::new(text, &self.auditor.platform().expect, &self.nonce) {
                    Ok(subject) if results.held.contains_key(&subject.domain) => {
                        let worst = results.held.get(&subject.domain).copied().flatten();
                        told.worst = told.worst.max(worst);
                    }
                    Ok(subject) => {
                        // Once, however often it is named.
                        results.held.insert(subject.domain.clone(), None);
                        let subject = subject.to_depth(self.depth);
                        let auditor = &self.auditor;
                        audits.push(async move { auditor.audit(&subject).await.0 });
                    }
                    Err(error) => {
                        told.bad += 1;
                        told.progress.tell(format_args!("line {number}: {error}"));
                    }
                }
            }
            if let Some(report) = audits.next().await {
                self.tell(&report, &mut results, out)?;
                told.count += 1;
                told.worst = told.worst.max(report.worst());
                told.progress.show(0, told.count);
            }
        }
        told.progress.end(told.count);
        Ok(if told.bad > 0 { 2 } else { exit_code(told.worst) })
    }

    fn tell(
        &self,
        report: &Report,
        results: &mut Results,
        out: &mut dyn Write,
    ) -> Result<(), AuditError> {
        if let (Some(file), Some(kept)) = (&mut results.file, &self.results) {
            let line = format!("{}\n", escaped(&report.json().to_string()));
            file.write_all(line.as_bytes()).map_err(|source| failed(kept, source))?;
        }
        if self.is_json {
            writeln!(out, "{}", escaped(&report.json().to_string()))?;
        } else {
            writeln!(out, "{}", sheet::row(report))?;
        }
        Ok(out.flush()?)
    }
}

struct Told {
    progress: Progress,
    count: u64,
    bad: u64,
    worst: Option<Severity>,
}

/// What earlier runs found, and where this one adds to it.
#[derive(Default)]
struct Results {
    /// Domains that were judged or are being, and how bad they were found by earlier runs.
    held: HashMap<String, Option<Severity>>,
    file: Option<File>,
}

impl Results {
    /// Reads which domains a file holds. A last line that a stop cut off is taken away: its
    /// domain is audited again, and so is one that DNS did not answer for.
    fn open(path: &Path) -> io::Result<Self> {
        let mut file =
            OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path)?;
        let (mut held, mut whole) = (HashMap::new(), 0);
        let mut reader = BufReader::new(&mut file);
        let mut line = String::new();
        loop {
            line.clear();
            let length = reader.read_line(&mut line)?;
            let Some(text) = line.strip_suffix('\n') else { break };
            let object: serde_json::Value = serde_json::from_str(text).map_err(|error| {
                let told = format!("it holds what is no result ({error}): it is left as it is");
                io::Error::new(io::ErrorKind::InvalidData, told)
            })?;
            if let Some(domain) = object["domain"].as_str() {
                match object["status"].as_str().and_then(Severity::named) {
                    Some(Severity::Unknown) => held.remove(domain),
                    worst => held.insert(domain.to_owned(), worst),
                };
            }
            whole += length as u64;
        }
        file.set_len(whole)?;
        file.seek(SeekFrom::End(0))?;
        Ok(Self { held, file: Some(file) })
    }
}

type Lines = (Box<dyn BufRead>, Option<u64>);

fn open(file: &Path) -> Result<Lines, AuditError> {
    if file == Path::new("-") {
        return Ok((Box::new(io::stdin().lock()), None));
    }
    #[expect(clippy::disallowed_methods, reason = "a pipe too, which has no offsets")]
    let opened = File::open(file).map_err(|source| failed(file, source))?;
    let metadata = opened.metadata().map_err(|source| failed(file, source))?;
    let size = metadata.is_file().then_some(metadata.len());
    Ok((Box::new(BufReader::new(opened)), size))
}

fn failed(file: &Path, source: io::Error) -> AuditError {
    AuditError::File { file: file.to_owned(), source }
}
