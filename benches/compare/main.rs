//! waypost beside its peers: one run, one client, CPU time of the server's processes for each
//! request.
//!
//! `cargo bench --bench compare -- --rounds 5 --seconds 3 --only cold,warm-h1`
//!
//! Each round runs every piece of work against every server in turn, so that whatever else the
//! machine does falls on all of them alike. The yardstick is **bare**: hyper and rustls answering
//! a constant, and nothing else. Absolute figures are of one machine on one day; the ratios to
//! bare are what holds. Servers must agree on TLS version, cipher suite, key exchange and ALPN,
//! or the work is void; a data folder in memory voids every figure of waypost, since a sync
//! costs nothing there.

#![expect(clippy::disallowed_methods, reason = "a bench starts processes, threads and clocks")]

mod bare;
mod client;
mod frames;
mod identity;
mod idle;
mod load;
mod nginx;
mod process;
mod running;
mod server;
mod table;
mod waypost;
#[allow(dead_code, unreachable_pub, reason = "the tests use the rest")]
#[path = "../../tests/node/wire.rs"]
mod wire;
mod work;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::thread;
use std::time::Duration;

use clap::Parser;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use identity::Identity;
use server::{Ground, Kind, Server};
use table::Table;
use work::{Protocol, Work};

/// What a run measures.
#[derive(Debug, Parser)]
#[command(name = "compare")]
struct Arguments {
    /// Interleaved rounds; figures are medians over them.
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// Seconds that each piece of work is measured for, in each round and on each server.
    #[arg(long, default_value_t = 1.0, value_parser = seconds)]
    seconds: f64,
    /// Pieces of work.
    #[arg(long, value_delimiter = ',', default_value = "cold,cold-mlkem,warm-h1,warm-h2,idle")]
    only: Vec<String>,
    /// Servers.
    #[arg(long, value_delimiter = ',', default_value = "bare,nginx,waypost")]
    servers: Vec<Kind>,
    /// Another build of waypost, measured beside this one as `before`.
    #[arg(long)]
    before: Option<PathBuf>,
    /// Lines for the section [journal] of waypost's configuration, such as 'sync = "os"'.
    #[arg(long, default_value = "")]
    journal: String,
    /// Folder for the servers' files, on a real disk; without it, one under the target folder.
    #[arg(long)]
    data: Option<PathBuf>,
    /// What `cargo bench` says to every bench.
    #[arg(long, hide = true)]
    bench: bool,
}

fn main() -> ExitCode {
    if let Some(outcome) = bare::run_if_child() {
        return told(outcome);
    }
    let arguments = Arguments::parse();
    if !arguments.bench {
        println!("compare measures only under `cargo bench --bench compare`");
        return ExitCode::SUCCESS;
    }
    told(compare(&arguments))
}

fn told(outcome: Result<(), String>) -> ExitCode {
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(reason) => {
            eprintln!("compare: {reason}");
            ExitCode::FAILURE
        }
    }
}

fn compare(arguments: &Arguments) -> Result<(), String> {
    let (works, with_idle) = works(&arguments.only)?;
    raise_descriptors()?;
    let root = match &arguments.data {
        Some(folder) => folder.clone(),
        None => Path::new(env!("CARGO_TARGET_TMPDIR")).join("compare"),
    };
    std::fs::create_dir_all(&root).map_err(|error| format!("{}: {error}", root.display()))?;
    let folder = tempfile::tempdir_in(&root).map_err(|error| error.to_string())?;
    let identity = Identity::make(folder.path())?;
    let mut table = Table::new(process::file_system(folder.path())?);
    let before = arguments.before.as_deref();
    let path = waypost::path(&identity, folder.path())?;
    let ground = Ground {
        identity: &identity,
        folder: folder.path(),
        path: &path,
        before,
        journal: &arguments.journal,
    };
    let mut kinds = arguments.servers.clone();
    kinds.extend(before.map(|_| Kind::Before));

    if !works.is_empty() {
        let mut servers = Vec::new();
        for kind in &kinds {
            match Server::start(*kind, ground) {
                Ok(server) => servers.push(server),
                Err(reason) => table.absent(*kind, reason),
            }
        }
        for round in 1..=arguments.rounds {
            for work in &works {
                for server in &servers {
                    eprint!("\rround {round} {work} {:<20}", server.kind);
                    let length = Duration::from_secs_f64(arguments.seconds);
                    table.add(*work, server.kind, load::run(*work, server, &identity, length));
                }
            }
        }
        eprintln!();
    }
    if with_idle {
        for protocol in [Protocol::Http1, Protocol::Http2] {
            eprint!("\ridle {protocol:<30}");
            measure_idle(protocol, &kinds, ground, &mut table);
        }
        eprintln!();
    }
    println!("{table}");
    Ok(())
}

/// Memory is no time: all servers are measured at once.
fn measure_idle(protocol: Protocol, kinds: &[Kind], ground: Ground<'_>, table: &mut Table) {
    thread::scope(|scope| {
        let measuring = kinds.iter().map(|kind| {
            // A fresh process: memory that earlier load left free would hide what idles.
            let measure = || {
                let server = Server::start(*kind, ground)?;
                idle::measure(&server, ground.identity, protocol)
            };
            (*kind, scope.spawn(measure))
        });
        for (kind, measure) in measuring.collect::<Vec<_>>() {
            let panicked = |_| Err("the client panicked".to_owned());
            table.add_idle(protocol, kind, measure.join().unwrap_or_else(panicked));
        }
    });
}

fn works(names: &[String]) -> Result<(Vec<Work>, bool), String> {
    let mut works = Vec::new();
    let mut with_idle = false;
    for name in names {
        match Work::ALL.into_iter().find(|work| work.to_string() == *name) {
            Some(work) => works.push(work),
            None if name == "idle" => with_idle = true,
            None => {
                let known = Work::ALL.map(|work| work.to_string()).join(", ");
                return Err(format!("--only {name}: expected some of {known}, idle"));
            }
        }
    }
    Ok((works, with_idle))
}

/// Thousands of idle connections need descriptors, here and in the children that inherit it.
fn raise_descriptors() -> Result<(), String> {
    let maximum = getrlimit(Resource::Nofile).maximum;
    setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum })
        .map_err(|error| format!("raising the limit of descriptors: {error}"))
}

fn seconds(text: &str) -> Result<f64, String> {
    let seconds: f64 = text.parse().map_err(|_| "expected a number".to_owned())?;
    // Above it a server's header compression table would begin to forget what the client counts.
    if (0.05..=30.0).contains(&seconds) { Ok(seconds) } else { Err("expected 0.05 to 30".into()) }
}
