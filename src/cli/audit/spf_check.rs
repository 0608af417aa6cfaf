//! `waypost audit spf-check`: may this client send for this sender?

use std::io::{self, Write};
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;

use super::command::AuditError;
use crate::audit::spf::{Evaluation, Outcome, Request, Step};
use crate::audit::{Answers, Asker, escaped, visible};
use crate::cli::place::load;
use crate::clock::Clock;
use crate::disk::Disk;
use crate::dns::{Config, Resolver};
use crate::metrics::Metrics;

/// Evaluates SPF as a receiver does (RFC 7208) and prints the result word first, then why and
/// how. Exit 0 with any result, 2 when nothing could be asked.
#[derive(Args, Debug)]
pub(super) struct SpfCheckArgs {
    /// The address of the client that sends.
    #[arg(long, value_name = "IP")]
    ip: IpAddr,
    /// The sender, MAIL FROM; empty for the null sender of a bounce.
    #[arg(long, value_name = "ADDR", allow_hyphen_values = true)]
    mail_from: String,
    /// The name that the client gave itself, HELO.
    #[arg(long, value_name = "NAME", allow_hyphen_values = true)]
    helo: String,
    /// The resolver that is asked, and no other; without it, those of the configuration, else of
    /// the system.
    #[arg(long, value_name = "IP:PORT", value_parser = resolver)]
    resolver: Option<SocketAddr>,
    /// The configuration file, for how DNS is asked; without it, the defaults.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Print one JSON object; docs/audit.md tells its fields.
    #[arg(long)]
    json: bool,
}

impl SpfCheckArgs {
    pub(super) fn run(
        self,
        disk: &dyn Disk,
        clock: &Arc<dyn Clock>,
        out: &mut dyn Write,
    ) -> Result<u8, AuditError> {
        let mut config = match &self.config {
            Some(file) => load(disk, file)?.dns,
            None => Config::default(),
        };
        if let Some(resolver) = self.resolver {
            config.servers = vec![resolver];
        }
        let lookup = Resolver::new(config, disk, Arc::clone(clock), &Metrics::new())?;
        let request = Request::new(self.ip, &self.mail_from, &self.helo, clock.wall());
        let mut evaluation = Evaluation::new(request.clone());
        let asker = Asker { lookup: &lookup, clock: &**clock, patience: PATIENCE };
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(AuditError::Runtime)?;
        let mut answers = Answers::new();
        let judging = asker.judge(&mut answers, |answers| evaluation.check(answers));
        let outcome = runtime.block_on(judging);
        if self.json {
            writeln!(out, "{}", escaped(&format!("{:#}", outcome.json())))?;
        } else {
            tell(out, &request, &outcome)?;
        }
        Ok(0)
    }
}

fn tell(out: &mut dyn Write, request: &Request, outcome: &Outcome) -> io::Result<()> {
    writeln!(out, "{}", outcome.verdict)?;
    if let Some(explanation) = &outcome.explanation {
        writeln!(out, "explanation: {}", visible(explanation))?;
    }
    writeln!(out, "reason: {}", visible(&outcome.reason))?;
    let Request { ip, domain, .. } = request;
    writeln!(out, "trace of {} from {ip}:", visible(domain))?;
    let mut last = None;
    for step in &outcome.steps {
        if last != Some((step.depth, &step.domain)) {
            writeln!(out, "{}record of {}", indent(step.depth), visible(&step.domain))?;
            last = Some((step.depth, &step.domain));
        }
        writeln!(out, "{}", line(step))?;
    }
    if outcome.untold > 0 {
        writeln!(out, "  … and {} more terms", outcome.untold)?;
    }
    writeln!(
        out,
        "lookups: {} of 10, void: {} of 2, questions to DNS: {}",
        outcome.lookups, outcome.voids, outcome.questions
    )
}

fn line(step: &Step) -> String {
    let mut line = format!("{}  {}", indent(step.depth), visible(&step.term));
    if let Some(target) = &step.target {
        line.push_str(&format!(" [{}]", visible(target)));
    }
    line.push_str(&format!(": {}", visible(&step.came)));
    match (step.cost, step.is_void) {
        (0, _) => {}
        (_, true) => line.push_str(" (1 lookup, void)"),
        (_, false) => line.push_str(" (1 lookup)"),
    }
    line
}

fn indent(depth: usize) -> String {
    "  ".repeat(depth + 1)
}

/// An address with or without its port.
pub(super) fn resolver(text: &str) -> Result<SocketAddr, String> {
    let with_port = text.parse::<SocketAddr>().ok();
    let alone = || text.parse::<IpAddr>().ok().map(|ip| SocketAddr::new(ip, PORT));
    with_port.or_else(alone).ok_or_else(|| {
        "expected an address and a port, such as 127.0.0.1:53 or [::1]:53".to_owned()
    })
}

/// The least that a receiver should allow (RFC 7208 §4.6.4).
const PATIENCE: Duration = Duration::from_secs(20);
/// The port of DNS.
const PORT: u16 = 53;
