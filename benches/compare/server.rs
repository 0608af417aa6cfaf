//! A server under measurement: started, asked, and ended when its value goes.

use std::fmt;
use std::net::SocketAddr;
use std::path::Path;

use clap::ValueEnum;

use crate::identity::{DESTINATION, HOST, Identity};
use crate::nginx::{Nginx, Site};
use crate::running::Running;
use crate::{bare, waypost as product};

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

impl Server {
    /// Starts a server; returns when it answers. The error says why it could not.
    pub(crate) fn start(kind: Kind, ground: Ground<'_>) -> Result<Self, String> {
        let Ground { identity, folder, path, before, journal } = ground;
        match (kind, before) {
            (Kind::Bare, _) => bare::start(identity, path),
            (Kind::Nginx, _) => {
                let (chain, key) = (&identity.chain, &identity.key);
                let site = Site { host: HOST, destination: DESTINATION, chain, key };
                let Nginx { child, address } = Nginx::start(&site, folder)?;
                Ok(Self::new(kind, child, address, path.to_owned()))
            }
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
        self.child.process()
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
