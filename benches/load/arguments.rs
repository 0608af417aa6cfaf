//! What may be asked for, and what of it can be done.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::{Args, Parser, ValueEnum};
use waypost::hostname::Hostname;

use crate::node::{Handshake, Mailing, Pattern, Protocol, Random};
use crate::plant::Fault;

/// Sends clicks, opens and probes to a node, and judges what it recorded. Exits with 1 when an
/// event is missing or spurious or an answer was wrong, with 2 when nothing could be judged.
#[derive(Debug, Parser)]
#[command(name = "load")]
pub(crate) struct Arguments {
    #[command(flatten)]
    node: NodeArguments,
    #[command(flatten)]
    load: LoadArguments,
    /// Put a fault of this kind among the recorded events before they are judged: the exit code
    /// must then be 1.
    #[arg(long, value_name = "KIND")]
    plant: Option<Fault>,
    /// Compare this client with wrk: warm HTTP/1.1 against Debian's nginx, five interleaved pairs
    /// of --seconds each (2 without it); exits with 1 when the median of their rates' ratios is
    /// not within --within.
    #[arg(long, conflicts_with_all = ["https", "plant", "rate", "requests"])]
    wrk: bool,
    /// Percent by which this client may be faster or slower than wrk.
    #[arg(long, value_name = "PERCENT", default_value_t = 10.0, value_parser = percent)]
    within: f64,
    /// What `cargo bench` says to every bench.
    #[arg(long, hide = true)]
    pub(crate) bench: bool,
}

#[derive(Args, Debug)]
#[command(next_help_heading = "The node")]
struct NodeArguments {
    /// Where a running node answers HTTPS; every host is dialled there. Without it the program
    /// starts a node of its own, under `serve`, and ends it.
    #[arg(long, value_name = "ADDRESS", requires_all = ["ca", "keys", "name"])]
    https: Option<SocketAddr>,
    /// Hosts to ask for.
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    host: Vec<String>,
    /// A file of hosts to ask for, one a line.
    #[arg(long, value_name = "FILE")]
    hosts: Option<PathBuf>,
    /// The certificate to trust, in PEM.
    #[arg(long, value_name = "FILE", requires = "https")]
    ca: Option<PathBuf>,
    /// The folder of the node's link keys, to mint with.
    #[arg(long, value_name = "FOLDER", requires = "https")]
    keys: Option<PathBuf>,
    /// The node's name, as its events carry it (`node.name`).
    #[arg(long, value_name = "NAME", requires = "https")]
    name: Option<String>,
    /// The node's journal, where its events are read.
    #[arg(long, value_name = "FOLDER", requires = "https", conflicts_with = "events")]
    journal: Option<PathBuf>,
    /// A file of events, one JSON object a line, as something further on keeps them.
    #[arg(long, value_name = "FILE", requires = "https")]
    events: Option<PathBuf>,
    /// What the node traces, text or JSON: tells of unrecorded and late events.
    #[arg(long, value_name = "FILE", requires = "https")]
    traces: Option<PathBuf>,
    /// Seconds to wait, after the last answer, for events that are not there yet.
    #[arg(long, value_name = "SECONDS", default_value_t = 10.0, value_parser = seconds)]
    settle: f64,
}

#[derive(Args, Debug)]
#[command(next_help_heading = "The load")]
struct LoadArguments {
    /// Requests in all [default: 20000, unless --seconds is given].
    #[arg(long, value_name = "COUNT", value_parser = count, conflicts_with = "seconds")]
    requests: Option<usize>,
    /// How long to send.
    #[arg(long, value_name = "SECONDS", value_parser = seconds)]
    seconds: Option<f64>,
    /// Requests each second, whatever the answers do (an open loop); without it each connection
    /// asks again as soon as it was answered (a closed loop).
    #[arg(long, value_name = "RATE", value_parser = rate)]
    rate: Option<f64>,
    /// What a connection is for: one request after a full (cold) or a resumed handshake, or all
    /// requests (warm).
    #[arg(long, value_name = "KIND", default_value = "warm")]
    handshake: Connections,
    /// The protocol.
    #[arg(long, value_name = "KIND", default_value = "mixed")]
    protocol: Protocols,
    /// Connections at once.
    #[arg(long, value_name = "COUNT", default_value_t = 64, value_parser = count)]
    connections: usize,
    /// Requests in progress on one warm HTTP/2 connection.
    #[arg(long, value_name = "COUNT", default_value_t = 8, value_parser = count)]
    streams: usize,
    /// Clicks that are drawn and minted before the first is sent: about a kilobyte each.
    #[arg(long, value_name = "COUNT", default_value_t = 200_000)]
    stock: usize,
    /// Threads of this client.
    #[arg(long, value_name = "COUNT", default_value_t = 2, value_parser = count)]
    threads: usize,
    /// The seed that clicks are drawn from, to send the same again; by chance without it.
    #[arg(long, value_name = "NUMBER")]
    seed: Option<u64>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Connections {
    Cold,
    Resumed,
    Warm,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Protocols {
    #[value(name = "h1")]
    Http1,
    #[value(name = "h2")]
    Http2,
    Mixed,
}

/// What is to be done.
#[derive(Debug)]
pub(crate) struct Plan {
    /// The running node; `None` for one of our own.
    pub(crate) node: Option<RunningNode>,
    pub(crate) hosts: Vec<String>,
    pub(crate) mailing: Mailing,
    pub(crate) pattern: Pattern,
    /// How long to send; `None` to send what the pattern counts.
    pub(crate) length: Option<Duration>,
    pub(crate) settle: Duration,
    pub(crate) plant: Option<Fault>,
    pub(crate) wrk: bool,
    /// Percent by which it may differ.
    pub(crate) within: f64,
}

/// A node that somebody else runs.
#[derive(Debug)]
pub(crate) struct RunningNode {
    pub(crate) https: SocketAddr,
    pub(crate) ca: PathBuf,
    pub(crate) keys: PathBuf,
    pub(crate) name: String,
    pub(crate) recorded: Recorded,
    pub(crate) traces: Option<PathBuf>,
}

/// Where events are read.
#[derive(Debug)]
pub(crate) enum Recorded {
    Journal(PathBuf),
    Events(PathBuf),
}

impl Plan {
    /// Checks what was asked for. The error names the flag.
    pub(crate) fn of(arguments: Arguments) -> Result<Self, String> {
        let Arguments { node, load, plant, wrk, within, .. } = arguments;
        let hosts = hosts(&node)?;
        let settle = Duration::from_secs_f64(node.settle);
        let node = running(node)?;
        let seed = load.seed.unwrap_or_else(|| Random::by_chance().next());
        let protocols: &[Protocol] = match load.protocol {
            _ if wrk => &[Protocol::Http1],
            Protocols::Http1 => &[Protocol::Http1],
            Protocols::Http2 => &[Protocol::Http2],
            Protocols::Mixed => &[Protocol::Http1, Protocol::Http2],
        };
        let mailing = Mailing::new(seed, &hosts, protocols);
        let (connections, lanes) = (load.connections, mailing.lanes());
        let handshake = match load.handshake {
            Connections::Cold => Handshake::Cold,
            Connections::Resumed => Handshake::Resumed,
            Connections::Warm if connections < lanes => {
                return Err(format!(
                    "--connections {connections}: expected at least {lanes}, one warm connection \
                     for each host and protocol"
                ));
            }
            Connections::Warm => Handshake::Warm,
        };
        let count = match (load.requests, load.seconds) {
            (Some(count), _) => count,
            (None, Some(_)) => usize::MAX,
            (None, None) => DEFAULT_REQUESTS,
        };
        let length = load.seconds.map(Duration::from_secs_f64);
        let due = load.rate.zip(load.seconds).map(|(rate, seconds)| (rate * seconds) as usize);
        let pattern = Pattern {
            handshake,
            connections,
            streams: load.streams,
            threads: load.threads.min(connections),
            rate: load.rate,
            count,
            stock: load.stock.min(due.unwrap_or(usize::MAX)),
            ..Pattern::default()
        };
        Ok(Self { node, hosts, mailing, pattern, length, settle, plant, wrk, within })
    }
}

fn running(node: NodeArguments) -> Result<Option<RunningNode>, String> {
    let (Some(https), Some(ca), Some(keys), Some(name)) =
        (node.https, node.ca, node.keys, node.name)
    else {
        return Ok(None);
    };
    let recorded = match (node.journal, node.events) {
        (Some(folder), _) => Recorded::Journal(folder),
        (_, Some(file)) => Recorded::Events(file),
        (None, None) => {
            return Err(
                "--https: expected --journal or --events too, to read what was recorded".to_owned()
            );
        }
    };
    for (flag, path, is_folder) in [("--ca", &ca, false), ("--keys", &keys, true)] {
        exists(flag, path, is_folder)?;
    }
    match &recorded {
        Recorded::Journal(folder) => exists("--journal", folder, true)?,
        Recorded::Events(file) => exists("--events", file, false)?,
    }
    if let Some(file) = &node.traces {
        exists("--traces", file, false)?;
    }
    Ok(Some(RunningNode { https, ca, keys, name, recorded, traces: node.traces }))
}

/// Found out now: after an hour of load it would be late to learn that nothing can be judged.
fn exists(flag: &str, path: &Path, is_folder: bool) -> Result<(), String> {
    let shown = path.display();
    let metadata = fs::metadata(path).map_err(|error| format!("{flag} {shown}: {error}"))?;
    match (metadata.is_dir(), is_folder) {
        (true, false) => Err(format!("{flag} {shown}: a folder, expected a file")),
        (false, true) => Err(format!("{flag} {shown}: a file, expected a folder")),
        _ => Ok(()),
    }
}

fn hosts(node: &NodeArguments) -> Result<Vec<String>, String> {
    let mut hosts = Vec::new();
    let mut add = |place: String, text: &str| {
        let host = Hostname::parse(text).map_err(|error| format!("{place}: {text:?}: {error}"))?;
        hosts.push(host.to_string());
        Ok::<_, String>(())
    };
    for text in &node.host {
        add("--host".to_owned(), text)?;
    }
    if let Some(file) = &node.hosts {
        let place = format!("--hosts {}", file.display());
        let text = fs::read_to_string(file).map_err(|error| format!("{place}: {error}"))?;
        let lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
        for (index, line) in lines {
            add(format!("{place}: line {}", index + 1), line.trim())?;
        }
    }
    match (hosts.is_empty(), node.https) {
        (true, Some(_)) => Err("--https: expected --host or --hosts too".to_owned()),
        (true, None) => Ok(vec![OWN_HOST.to_owned()]),
        (false, _) => Ok(hosts),
    }
}

fn seconds(text: &str) -> Result<f64, String> {
    let seconds: f64 = text.parse().map_err(|_| "expected a number of seconds".to_owned())?;
    let is_good = (0.0..=1e6).contains(&seconds);
    if is_good { Ok(seconds) } else { Err("expected 0 to 1000000 seconds".into()) }
}

fn percent(text: &str) -> Result<f64, String> {
    let percent: f64 = text.parse().map_err(|_| "expected a number".to_owned())?;
    let is_good = (0.0..=1e6).contains(&percent);
    if is_good { Ok(percent) } else { Err("expected 0 to 1000000 percent".into()) }
}

fn rate(text: &str) -> Result<f64, String> {
    let rate: f64 = text.parse().map_err(|_| "expected a number".to_owned())?;
    let is_good = (0.01..=1e6).contains(&rate);
    if is_good { Ok(rate) } else { Err("expected 0.01 to 1000000 requests a second".into()) }
}

fn count(text: &str) -> Result<usize, String> {
    let count: usize = text.parse().map_err(|_| "expected a whole number".to_owned())?;
    if count > 0 { Ok(count) } else { Err("expected at least 1".into()) }
}

const DEFAULT_REQUESTS: usize = 20_000;
const OWN_HOST: &str = "trk.example.com";
