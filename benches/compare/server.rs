//! A server under measurement: started, asked, and ended when its value goes.

use std::fmt;
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, ExitStatus};
use std::thread::sleep;
use std::time::Duration;

use clap::ValueEnum;
use rustix::process::{Pid, Signal, kill_process};
use waypost::clock::{Clock, SystemClock};

use crate::identity::Identity;
use crate::{bare, nginx, waypost as product};

/// Which server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub(crate) enum Kind {
    /// hyper and rustls answering a constant: the yardstick.
    Bare,
    /// Debian's nginx.
    Nginx,
    /// The product.
    Waypost,
    /// Another build of the product, to see what a change did.
    #[value(skip)]
    Before,
}

/// What servers are started with.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ground<'a> {
    pub(crate) identity: &'a Identity,
    /// Where their files go.
    pub(crate) folder: &'a Path,
    /// A click's path: what any server is asked for is as long, since reading it is work too.
    pub(crate) path: &'a str,
    /// The program of [`Kind::Before`].
    pub(crate) before: Option<&'a Path>,
    /// Lines for the section `[journal]` of [`Kind::Waypost`].
    pub(crate) journal: &'a str,
}

/// A running server.
#[derive(Debug)]
pub(crate) struct Server {
    pub(crate) kind: Kind,
    /// Where it answers HTTPS.
    pub(crate) address: SocketAddr,
    /// The path that is asked for.
    pub(crate) path: String,
    /// Where it tells its metrics, if it does.
    pub(crate) metrics: Option<SocketAddr>,
    child: Running,
}

/// A child process that does not outlive this value.
#[derive(Debug)]
pub(crate) struct Running(Child);

impl Server {
    /// Starts a server; returns when it answers. The error says why it could not.
    pub(crate) fn start(kind: Kind, ground: Ground<'_>) -> Result<Self, String> {
        let Ground { identity, folder, path, before, journal } = ground;
        match (kind, before) {
            (Kind::Bare, _) => bare::start(identity, path),
            (Kind::Nginx, _) => nginx::start(identity, folder, path),
            (Kind::Before, Some(program)) => product::start(kind, program, identity, folder, ""),
            (Kind::Waypost | Kind::Before, _) => {
                product::start(kind, Path::new(product::BINARY), identity, folder, journal)
            }
        }
    }

    pub(crate) fn new(kind: Kind, child: Running, address: SocketAddr, path: String) -> Self {
        Self { kind, address, path, metrics: None, child }
    }

    #[must_use]
    pub(crate) fn with_metrics(mut self, address: SocketAddr) -> Self {
        self.metrics = Some(address);
        self
    }

    /// The process, or the first of them.
    pub(crate) fn process(&self) -> u32 {
        self.child.0.id()
    }
}

impl Running {
    pub(crate) fn new(child: Child) -> Self {
        Self(child)
    }

    /// Asks `ready` again and again until it has an answer, the child ends, or [`PATIENCE`] does.
    pub(crate) fn until<T>(&mut self, mut ready: impl FnMut() -> Option<T>) -> Result<T, Unready> {
        let begun = SystemClock.now();
        loop {
            if let Some(answer) = ready() {
                return Ok(answer);
            }
            if let Ok(Some(status)) = self.0.try_wait() {
                return Err(Unready::Ended(status));
            }
            if begun.elapsed() > PATIENCE {
                return Err(Unready::Late);
            }
            sleep(Duration::from_millis(5));
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Asked, not killed: nginx's first process then ends its workers.
        if let Some(process) = i32::try_from(self.0.id()).ok().and_then(Pid::from_raw)
            && kill_process(process, Signal::TERM).is_ok()
        {
            let begun = SystemClock.now();
            while begun.elapsed() < PATIENCE {
                if !matches!(self.0.try_wait(), Ok(None)) {
                    return;
                }
                sleep(Duration::from_millis(5));
            }
        }
        if let Err(error) = self.0.kill().and_then(|()| self.0.wait()) {
            eprintln!("a server could not be ended: {error}");
        }
    }
}

/// Why a server did not come up.
#[derive(Debug)]
pub(crate) enum Unready {
    /// It ended.
    Ended(ExitStatus),
    /// It lives, but does not answer.
    Late,
}

impl fmt::Display for Unready {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ended(status) => write!(f, "it ended before it answered ({status})"),
            Self::Late => write!(f, "it did not answer within {PATIENCE:?}"),
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Bare => "bare",
            Self::Nginx => "nginx",
            Self::Waypost => "waypost",
            Self::Before => "before",
        })
    }
}

const PATIENCE: Duration = Duration::from_secs(10);
