//! `waypost domain`: the customers' hostnames.
//!
//! While a node runs it has the store, and is asked over its socket; otherwise the store is opened
//! here, and the DNS asked from here.

use std::io::{self, BufRead, BufReader, BufWriter, Write};
use std::path::PathBuf;
use std::sync::Arc;

use clap::{Args, Subcommand};
use serde_json::{Value, json};
use thiserror::Error;

use super::door::{DoorError, NodeDoor, segment};
use super::output;
use super::place::{PlaceArgs, PlaceError};
use super::registrar::{Own, OwnError};
use super::table;
use crate::clock::Clock;
use crate::config::Settings;
use crate::disk::{Disk, Reading};
use crate::domains::{Addition, FileError, State, names};
use crate::hostname::{Hostname, HostnameError};
use crate::token::{DAYS, DEFAULT_DAYS};

/// Lists, adds, removes and checks customers' hostnames; with a node running, or without.
#[derive(Args, Debug)]
pub(super) struct DomainArgs {
    #[command(subcommand)]
    command: Command,
    #[command(flatten)]
    place: PlaceArgs,
    /// Print one JSON object.
    #[arg(long, global = true)]
    json: bool,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// List all domains with their states, in the order of names.
    List {
        /// Only those in this state.
        #[arg(long, value_name = "STATE")]
        state: Option<String>,
    },
    /// Show one domain: its state, why, who must act, what to paste, and what its last audit found.
    Show {
        /// The hostname.
        domain: String,
    },
    /// Add a domain, or tell more of one that is there; with --file, many.
    Add {
        /// The hostname.
        #[arg(required_unless_present = "file")]
        domain: Option<String>,
        /// The domain whose mail it is; assumed to be the name without its first label.
        #[arg(long, value_name = "DOMAIN")]
        sending: Option<String>,
        /// The platform's account.
        #[arg(long, value_name = "ACCOUNT")]
        account: Option<String>,
        /// A DKIM key of its own: selector and public key, as the audit expects it.
        #[arg(long, value_name = "KEY")]
        dkim: Option<String>,
        /// A file of names, one a line, `-` for standard input.
        #[arg(long, value_name = "FILE", conflicts_with_all = ["domain", "sending", "account", "dkim"])]
        file: Option<PathBuf>,
    },
    /// Remove a domain: it is let in and looked at no more; its links go on.
    Remove {
        /// The hostname.
        domain: String,
    },
    /// Print a link to the domain's page, for its customer: how it stands, what to publish, and a
    /// button that has it checked. Whoever has the link can see the page until it ends.
    Link {
        /// The hostname.
        domain: String,
        /// Days until the link ends.
        #[arg(long = "for", value_name = "DAYS", default_value_t = DEFAULT_DAYS,
              value_parser = clap::value_parser!(u32).range(i64::from(*DAYS.start())..=i64::from(*DAYS.end())))]
        days: u32,
    },
    /// Ask the DNS now, past everything that was remembered: expected, found, why, who must act,
    /// what to paste. Exit 0 when all is well, 1 when somebody must act, 3 when DNS did not answer.
    Check {
        /// The hostname.
        domain: String,
    },
}

/// Why a domain command ended.
#[derive(Debug, Error)]
pub(super) enum DomainError {
    /// The node could not be asked.
    #[error(transparent)]
    Door(#[from] DoorError),
    /// A file could not be read.
    #[error("--file {}: {source}", file.display())]
    File {
        /// The file.
        file: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A file names something else, and nothing more of it was added.
    #[error("--file {}: {source}", file.display())]
    Line {
        /// The file.
        file: PathBuf,
        /// What is wrong.
        source: FileError,
    },
    /// An argument is no hostname.
    #[error("{0:?} {1}")]
    Name(String, HostnameError),
    /// Standard output failed.
    #[error("standard output: {0}")]
    Output(#[from] io::Error),
    /// The store could not be used from here.
    #[error(transparent)]
    Own(#[from] OwnError),
    /// The place could not be found out.
    #[error(transparent)]
    Place(#[from] PlaceError),
    /// The node, or the register here, refused.
    #[error("{0}")]
    Refused(String),
    /// What is told of a name cannot be kept.
    #[error("--{0}")]
    Told(String),
    /// There is no such state.
    #[error("--state {0:?}: expected one of {states}", states = states())]
    State(String),
}

impl DomainArgs {
    /// Runs the command; returns the exit code.
    pub(super) fn run(
        self,
        disk: &Arc<dyn Disk>,
        clock: &Arc<dyn Clock>,
    ) -> Result<u8, DomainError> {
        let mut out = BufWriter::new(io::stdout().lock());
        let result = self.answer(disk, clock, &mut out);
        match result.and_then(|code| Ok(out.flush().map(|()| code)?)) {
            // Whoever read our output has seen enough, as `head` does.
            Err(DomainError::Output(error)) if error.kind() == io::ErrorKind::BrokenPipe => Ok(0),
            result => result,
        }
    }

    fn answer(
        self,
        disk: &Arc<dyn Disk>,
        clock: &Arc<dyn Clock>,
        out: &mut impl Write,
    ) -> Result<u8, DomainError> {
        let Self { command, place, json } = self;
        let command = command.read(disk)?;
        let settings = place.settings(disk)?;
        let registrar = match Registrar::find(&settings, disk, clock)? {
            Some(registrar) => registrar,
            None => {
                if command.needs_store() {
                    Own::require(&settings, disk)?;
                }
                Registrar::Own(Box::new(Own::open(&settings, disk, clock)?))
            }
        };
        match command {
            Wanted::List(state) => list(&registrar, state, json, out),
            Wanted::Show(name) => shown(&registrar.ask(&Asked::Show(&name))?, json, out),
            Wanted::Remove(name) => shown(&registrar.ask(&Asked::Remove(&name))?, json, out),
            Wanted::Check(name) => {
                let report = registrar.ask(&Asked::Check(&name))?;
                shown(&report, json, out)?;
                Ok(verdict(&report))
            }
            Wanted::Link(name, days) => {
                let link = registrar.ask(&Asked::Link(&name, days))?;
                match json {
                    true => writeln!(out, "{link}")?,
                    false => writeln!(out, "{}", link["url"].as_str().unwrap_or_default())?,
                }
                Ok(0)
            }
            Wanted::Add(additions) => add(&registrar, &additions, json, out),
            Wanted::File(file, text) => {
                let mut count = Count::default();
                let mut batch = Vec::new();
                for line in names(text) {
                    batch.push(
                        line.map_err(|source| DomainError::Line { file: file.clone(), source })?,
                    );
                    if batch.len() == BATCH {
                        count.add(&registrar.ask(&Asked::Add(&batch))?);
                        batch.clear();
                        output::tell(format_args!("{} names so far", count.sum()));
                    }
                }
                if !batch.is_empty() {
                    count.add(&registrar.ask(&Asked::Add(&batch))?);
                }
                count.tell(json, out)
            }
        }
    }
}

/// A command whose arguments are right.
enum Wanted {
    List(Option<State>),
    Show(Hostname),
    Link(Hostname, u32),
    Add(Vec<Addition>),
    File(PathBuf, Box<dyn BufRead>),
    Remove(Hostname),
    Check(Hostname),
}

impl Wanted {
    /// Whether it asks for what is kept: then a folder without a store is the wrong folder.
    fn needs_store(&self) -> bool {
        matches!(self, Self::List(_) | Self::Show(_) | Self::Remove(_) | Self::Link(..))
    }
}

impl Command {
    fn read(self, disk: &Arc<dyn Disk>) -> Result<Wanted, DomainError> {
        Ok(match self {
            Self::List { state: None } => Wanted::List(None),
            Self::List { state: Some(name) } => {
                let state = State::named(&name).ok_or(DomainError::State(name))?;
                Wanted::List(Some(state))
            }
            Self::Show { domain } => Wanted::Show(hostname(&domain)?),
            Self::Remove { domain } => Wanted::Remove(hostname(&domain)?),
            Self::Check { domain } => Wanted::Check(hostname(&domain)?),
            Self::Link { domain, days } => Wanted::Link(hostname(&domain)?, days),
            Self::Add { file: Some(file), .. } => {
                let text: Box<dyn BufRead> = if file.as_os_str() == "-" {
                    Box::new(BufReader::new(io::stdin()))
                } else {
                    let wrong = |source| DomainError::File { file: file.clone(), source };
                    let reading = Reading::begin(&**disk, &file).map_err(wrong)?;
                    Box::new(BufReader::with_capacity(BLOCK, reading))
                };
                Wanted::File(file, text)
            }
            Self::Add { domain, sending, account, dkim, file: None } => {
                let name = hostname(&domain.unwrap_or_default())?;
                let sending = match sending {
                    None => None,
                    Some(text) => Some(hostname(&text)?.to_string()),
                };
                let addition = Addition { name, sending, account, dkim };
                match addition.problem() {
                    None => Wanted::Add(vec![addition]),
                    Some(problem) => return Err(DomainError::Told(problem)),
                }
            }
        })
    }
}

/// Who knows the domains.
pub(super) enum Registrar {
    /// The node that runs.
    Node(NodeDoor),
    /// This command itself.
    Own(Box<Own>),
}

/// What is asked of it.
pub(super) enum Asked<'a> {
    List { after: &'a str, state: Option<State> },
    Show(&'a Hostname),
    Add(&'a [Addition]),
    Remove(&'a Hostname),
    Check(&'a Hostname),
    Link(&'a Hostname, u32),
}

impl Registrar {
    /// The node that runs, or else the store that one left; none is made.
    pub(super) fn find(
        settings: &Settings,
        disk: &Arc<dyn Disk>,
        clock: &Arc<dyn Clock>,
    ) -> Result<Option<Self>, DomainError> {
        if let Some(door) = NodeDoor::find(&settings.node.data) {
            return Ok(Some(Self::Node(door)));
        }
        if Own::require(settings, disk).is_err() {
            return Ok(None);
        }
        Ok(Some(Self::Own(Box::new(Own::open(settings, disk, clock)?))))
    }

    pub(super) fn ask(&self, asked: &Asked<'_>) -> Result<Value, DomainError> {
        match self {
            Self::Own(own) => {
                if let Asked::Link(name, days) = asked {
                    return Ok(own.link(name, *days)?);
                }
                own.ask(asked).map_err(|error| DomainError::Refused(error.to_string()))
            }
            Self::Node(door) => {
                let (method, path, body) = request(asked);
                let answer = door.ask(method, &path, &body)?;
                if answer.status == 200 {
                    return Ok(answer.body);
                }
                let told = answer.body["error"].as_str().unwrap_or("the node refused").to_owned();
                Err(DomainError::Refused(told))
            }
        }
    }
}

fn request(asked: &Asked<'_>) -> (&'static str, String, String) {
    let none = String::new();
    let one = |name: &Hostname| format!("/v1/domains/{}", segment(name.as_str()));
    match asked {
        Asked::List { after, state } => {
            let state = state.map(|state| format!("&state={}", state.name())).unwrap_or_default();
            let after = segment(after);
            ("GET", format!("/v1/domains?limit={PAGE}&after={after}{state}"), none)
        }
        Asked::Show(name) => ("GET", one(name), none),
        Asked::Remove(name) => ("DELETE", one(name), none),
        Asked::Check(name) => ("POST", format!("{}/check", one(name)), none),
        Asked::Link(name, days) => {
            ("POST", format!("{}/link", one(name)), json!({ "days": days }).to_string())
        }
        Asked::Add(additions) => {
            let lines = additions.iter().map(|addition| {
                let line = json!({
                    "domain": addition.name.as_str(),
                    "sending": addition.sending,
                    "account": addition.account,
                    "dkim": addition.dkim,
                });
                format!("{line}\n")
            });
            ("POST", "/v1/domains".to_owned(), lines.collect())
        }
    }
}

fn list(
    registrar: &Registrar,
    state: Option<State>,
    as_json: bool,
    out: &mut impl Write,
) -> Result<u8, DomainError> {
    let mut after = String::new();
    let mut count = 0_u64;
    if as_json {
        write!(out, "{{\"domains\":[")?;
    }
    // Page by page: a million domains are never in memory, here or there.
    loop {
        let page = registrar.ask(&Asked::List { after: &after, state })?;
        for domain in page["domains"].as_array().into_iter().flatten() {
            match (as_json, count) {
                (true, 0) => write!(out, "{domain}")?,
                (true, _) => write!(out, ",\n{domain}")?,
                (false, 0) => writeln!(out, "{}\n{}", table::HEAD, table::row(domain))?,
                (false, _) => writeln!(out, "{}", table::row(domain))?,
            }
            count += 1;
        }
        out.flush()?;
        match page["next"].as_str() {
            Some(next) => after = next.to_owned(),
            None => break,
        }
    }
    if as_json {
        writeln!(out, "]}}")?;
    } else if count == 0 {
        writeln!(out, "no domains: add one with `waypost domain add`")?;
    }
    Ok(0)
}

fn shown(domain: &Value, as_json: bool, out: &mut impl Write) -> Result<u8, DomainError> {
    if as_json {
        writeln!(out, "{domain}")?;
    } else {
        write!(out, "{}", table::sheet(domain))?;
    }
    Ok(0)
}

/// The exit code of a check.
fn verdict(report: &Value) -> u8 {
    if report["answered"] == false {
        return 3;
    }
    u8::from(report["who"] != "nobody")
}

fn add(
    registrar: &Registrar,
    additions: &[Addition],
    as_json: bool,
    out: &mut impl Write,
) -> Result<u8, DomainError> {
    let mut count = Count::default();
    count.add(&registrar.ask(&Asked::Add(additions))?);
    count.tell(as_json, out)
}

/// What additions did.
#[derive(Default)]
struct Count {
    new: u64,
    changed: u64,
    same: u64,
    refused: u64,
}

impl Count {
    fn add(&mut self, told: &Value) {
        for (count, key) in [
            (&mut self.new, "new"),
            (&mut self.changed, "changed"),
            (&mut self.same, "same"),
            (&mut self.refused, "refused"),
        ] {
            *count += told[key].as_u64().unwrap_or_default();
        }
    }

    fn sum(&self) -> u64 {
        self.new + self.changed + self.same + self.refused
    }

    fn tell(&self, as_json: bool, out: &mut impl Write) -> Result<u8, DomainError> {
        let Self { new, changed, same, refused } = self;
        if as_json {
            let told = json!({ "new": new, "changed": changed, "same": same, "refused": refused });
            writeln!(out, "{told}")?;
        } else {
            writeln!(out, "{new} new, {changed} changed, {same} as they were, {refused} refused")?;
            if *refused > 0 {
                writeln!(
                    out,
                    "refused: another account has the name, or had it until a while ago"
                )?;
            }
        }
        Ok(u8::from(*refused > 0))
    }
}

fn hostname(text: &str) -> Result<Hostname, DomainError> {
    Hostname::parse(text).map_err(|error| DomainError::Name(text.to_owned(), error))
}

fn states() -> String {
    State::ALL.map(State::name).join(", ")
}

const BATCH: usize = 1_000;
pub(super) const PAGE: usize = 500;
const BLOCK: usize = 256 << 10;
