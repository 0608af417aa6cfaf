//! `waypost audit DOMAIN…`: whole domains, one by one or from a file.

use std::io::{self, IsTerminal, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::{Args, ValueEnum};
use futures_util::StreamExt;
use futures_util::stream;

use super::bulk::Bulk;
use super::command::AuditError;
use super::known::Known;
use super::sheet::{self, Form};
use super::{page, spf_check};
use crate::audit::domain::{Asked, Auditor, Depth, Report, Subject};
use crate::audit::{Severity, escaped};
use crate::cli::place::load;
use crate::clock::Clock;
use crate::config::Settings;
use crate::disk::Disk;
use crate::dns::Resolver;
use crate::metrics::Metrics;
use crate::server::auditor;

/// Which domains are audited, and how they are told.
#[derive(Args, Debug)]
pub(super) struct DomainsArgs {
    /// Domains whose mail the platform sends.
    #[arg(value_name = "DOMAIN", required_unless_present = "file")]
    pub(super) domains: Vec<String>,
    /// Audit each domain of this file, one a line; - is standard input. Each is told when it is
    /// done, in one line.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["domains", "html"])]
    file: Option<PathBuf>,
    /// Add the results of --file to this file, one JSON object a line; domains that it holds
    /// already are left out, so that a run that was stopped goes on.
    #[arg(long, value_name = "FILE", requires = "file")]
    results: Option<PathBuf>,
    /// Print one JSON object a domain; config/audit.schema.json holds its form.
    #[arg(long)]
    json: bool,
    /// Write one page that stands by itself, to be sent.
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
    /// Print each question and the cost.
    #[arg(long, conflicts_with_all = ["json", "file"])]
    trace: bool,
    /// How much is looked at.
    #[arg(long, value_enum, default_value = "full")]
    depth: DepthName,
    /// The tracking name; without it, what audit.expect.tracking says.
    #[arg(long, value_name = "HOST", conflicts_with = "file")]
    tracking: Option<String>,
    /// The domain's own DKIM key, as SELECTOR=KEY.
    #[arg(long, value_name = "SELECTOR=KEY", conflicts_with = "file")]
    dkim: Option<String>,
    /// Fetch nothing: neither images nor mark certificates nor policies.
    #[arg(long)]
    no_fetch: bool,
    /// The resolver that is asked; without it, those of the configuration, else of the system.
    #[arg(long, value_name = "IP:PORT", value_parser = spf_check::resolver)]
    resolver: Option<SocketAddr>,
    /// The configuration file, for what customers are asked to publish, and for what its node
    /// keeps of the domains that are named: tracking name, sending domain, DKIM key; without it,
    /// the defaults.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Domains of a file that are audited at the same time.
    #[arg(long, value_name = "COUNT", default_value = "128", value_parser = clap::value_parser!(u16).range(1..=4096))]
    at_once: u16,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum DepthName {
    /// The records that the platform asks for.
    Core,
    /// Also CAA, wildcards and report addresses.
    Usual,
    /// Also each server of the zone, the images, and the domain's own mail.
    Full,
}

impl DomainsArgs {
    /// Audits; returns the exit code.
    pub(super) fn run(
        self,
        disk: &Arc<dyn Disk>,
        clock: &Arc<dyn Clock>,
        out: &mut dyn Write,
    ) -> Result<u8, AuditError> {
        let mut settings = match &self.config {
            Some(file) => load(&**disk, file)?,
            None => Settings::default(),
        };
        if let Some(resolver) = self.resolver {
            settings.dns.servers = vec![resolver];
        }
        if self.no_fetch {
            settings.audit.fetch = false;
        }
        let dns = settings.dns.clone();
        let lookup = Resolver::new(dns, &**disk, Arc::clone(clock), &Metrics::new())?;
        let auditor = auditor(&settings, Arc::new(lookup), &**disk, Arc::clone(clock))?;
        let known = match &self.config {
            Some(_) if self.file.is_none() => Known::of(&settings, disk, clock),
            _ => Known::default(),
        };
        let subjects = self.subjects(&auditor, &known)?;
        drop(known);
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(AuditError::Runtime)?;
        if let Some(file) = &self.file {
            let bulk = Bulk {
                auditor,
                depth: self.depth.into(),
                is_json: self.json,
                at_once: usize::from(self.at_once),
                nonce: nonce(),
                results: self.results.clone(),
            };
            return runtime.block_on(bulk.run(file, clock, out));
        }
        let reports = runtime.block_on(self.reports(&auditor, &subjects, out))?;
        if let Some(file) = &self.html {
            let page = page::page(&reports, &clock.wall().to_string()).map_err(AuditError::Page)?;
            write(&**disk, file, page.as_bytes())?;
        }
        Ok(exit_code(reports.iter().filter_map(Report::worst).max()))
    }

    /// Audits the domains that were named and tells each, in their order.
    async fn reports(
        &self,
        auditor: &Auditor,
        subjects: &[Subject],
        out: &mut dyn Write,
    ) -> Result<Vec<Report>, AuditError> {
        let mut reports = Vec::new();
        let mut audits = stream::iter(subjects)
            .map(|subject| auditor.audit(subject))
            .buffered(usize::from(self.at_once));
        while let Some((report, asked)) = audits.next().await {
            self.tell(out, &report, &asked, !reports.is_empty())?;
            reports.push(report);
        }
        Ok(reports)
    }

    fn subjects(&self, auditor: &Auditor, known: &Known) -> Result<Vec<Subject>, AuditError> {
        let nonce = nonce();
        let subject = |domain: &String| {
            let expect = &auditor.platform().expect;
            let mut subject = known.subject(domain, expect, &nonce)?.to_depth(self.depth.into());
            if let Some(tracking) = &self.tracking {
                subject = subject.tracked_at(tracking)?;
            }
            if let Some(key) = &self.dkim {
                subject = subject.signed_with(key)?;
            }
            Ok(subject)
        };
        self.domains.iter().map(subject).collect()
    }

    fn tell(
        &self,
        out: &mut dyn Write,
        report: &Report,
        asked: &[Asked],
        is_next: bool,
    ) -> Result<(), AuditError> {
        if self.json {
            if self.domains.len() == 1 {
                writeln!(out, "{}", escaped(&format!("{:#}", report.json())))?;
            } else {
                writeln!(out, "{}", escaped(&report.json().to_string()))?;
            }
        } else if self.html.is_none() || self.trace {
            if is_next {
                writeln!(out)?;
            }
            sheet::write(out, report, form())?;
        }
        if self.trace {
            sheet::write_trace(out, asked)?;
        }
        Ok(out.flush()?)
    }
}

/// The exit code for the worst severity of all.
pub(super) fn exit_code(worst: Option<Severity>) -> u8 {
    match worst {
        Some(Severity::Error) => 1,
        Some(Severity::Unknown) => 3,
        Some(Severity::Weak | Severity::Note) | None => 0,
    }
}

fn form() -> Form {
    let is_terminal = io::stdout().is_terminal();
    let size = if is_terminal { terminal_size::terminal_size() } else { None };
    let width = size.map(|(terminal_size::Width(columns), _)| usize::from(columns));
    Form { width, is_coloured: is_terminal }
}

fn write(disk: &dyn Disk, file: &Path, bytes: &[u8]) -> Result<(), AuditError> {
    disk.write_whole(file, bytes)
        .map_err(|source| AuditError::File { file: file.to_owned(), source })
}

/// A label that nobody has published anything for.
fn nonce() -> String {
    format!("audit-{}", uuid::Uuid::new_v4().simple())
}

impl From<DepthName> for Depth {
    fn from(name: DepthName) -> Self {
        match name {
            DepthName::Core => Self::Core,
            DepthName::Usual => Self::Usual,
            DepthName::Full => Self::Full,
        }
    }
}
