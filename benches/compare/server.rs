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
    /// Starts a server that presents `identity`, with its files under `folder`; returns when it
    /// answers. The error says why it could not.
    pub(crate) fn start(kind: Kind, identity: &Identity, folder: &Path) -> Result<Self, String> {
        match kind {
            Kind::Bare => bare::start(identity),
            Kind::Nginx => nginx::start(identity, folder),
            Kind::Waypost => product::start(identity, folder),
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
        })
    }
}

const PATIENCE: Duration = Duration::from_secs(10);
