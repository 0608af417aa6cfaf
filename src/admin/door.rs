//! The door's listeners.

use std::fmt;
use std::io;
use std::net::{SocketAddr, TcpListener as StdTcpListener};
use std::os::unix::net::{UnixListener as StdUnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::serve::Listener;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use rustls::ServerConfig;
use thiserror::Error;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, UnixListener};
use tokio::sync::Semaphore;

use super::access::Rules;
use super::minting::Minting;
use super::reading::Reading;
use super::secure::Secure;
use super::{Config, Readiness, Recent, Sample, routes};
use crate::audit::schedule::Results;
use crate::clock::Clock;
use crate::disk::Disk;
use crate::domains::Porter;
use crate::drain::Drain;
use crate::metrics::{Degraded, Metrics};
use crate::token::Mint;

/// Reads the link keys again; true when something changed. Blocks.
pub type ReloadKeys = Arc<dyn Fn() -> Result<bool, String> + Send + Sync>;

/// What the door shows and changes.
pub struct Parts {
    /// The customers' hostnames.
    pub domains: Porter,
    /// What audits found of them.
    pub audits: Results,
    /// What the process counts.
    pub metrics: Metrics,
    /// Whether it can answer.
    pub readiness: Readiness,
    /// The bearer token.
    pub token: Option<Vec<u8>>,
    /// The last events, which only `dev` keeps.
    pub recent: Option<Recent>,
    /// The sample mail, which only `dev` shows.
    pub sample: Option<Sample>,
    /// Mints links.
    pub mint: Mint,
    /// The clocks.
    pub clock: Arc<dyn Clock>,
    /// Reads the link keys again.
    pub reload_keys: ReloadKeys,
    /// The certificate, needed beyond loopback.
    pub tls: Option<Arc<ServerConfig>>,
}

impl fmt::Debug for Parts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Parts").field("readiness", &self.readiness).finish_non_exhaustive()
    }
}

/// The operator's door, bound. Whoever asks before it serves waits.
#[derive(Debug)]
pub struct Door {
    tcp: TcpListener,
    unix: Option<Unix>,
    address: SocketAddr,
    hosts: Vec<String>,
    deadline: Duration,
}

/// The Unix socket, and where it is.
#[derive(Debug)]
struct Unix {
    listener: UnixListener,
    path: PathBuf,
    disk: Arc<dyn Disk>,
}

/// Why the door could not be bound: the operator's to mend.
#[derive(Debug, Error)]
pub enum BindError {
    /// The address could not be bound.
    #[error("{address} could not be bound: {source}")]
    Address {
        /// The address.
        address: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
    /// Another process answers on the socket.
    #[error("{} is in use: another node runs on this data folder", .0.display())]
    InUse(PathBuf),
    /// The socket could not be made.
    #[error("{} could not be made: {source}", path.display())]
    Socket {
        /// The socket.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

impl BindError {
    /// Whether another process answers there: it may be the one before this, which ends.
    pub fn is_in_use(&self) -> bool {
        match self {
            Self::InUse(_) => true,
            Self::Address { source, .. } | Self::Socket { source, .. } => {
                source.kind() == io::ErrorKind::AddrInUse
            }
        }
    }
}

impl Door {
    /// Binds the address and the socket. Must be called on a runtime. A socket that a full or
    /// failing disk does not take is told, and `degraded`; the address answers all the same.
    pub fn bind(
        config: &Config,
        socket: &Path,
        disk: Arc<dyn Disk>,
        degraded: &Degraded,
    ) -> Result<Self, BindError> {
        // First of all, since it tells whether another node is here.
        let unix = match unix(socket, &*disk) {
            Ok(listener) => Some(Unix { listener, path: socket.to_owned(), disk }),
            Err(error @ BindError::InUse(_)) => return Err(error),
            Err(error) => {
                tracing::warn!(%error, "the operator's door has no socket");
                degraded.begin(REASON);
                None
            }
        };
        let wrong = |source| BindError::Address { address: config.listen, source };
        let tcp = StdTcpListener::bind(config.listen).map_err(wrong)?;
        tcp.set_nonblocking(true).map_err(wrong)?;
        let tcp = TcpListener::from_std(tcp).map_err(wrong)?;
        let address = tcp.local_addr().map_err(wrong)?;
        let (hosts, deadline) = (config.hosts.clone(), config.deadline);
        Ok(Self { tcp, unix, address, hosts, deadline })
    }

    /// Where it was bound.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Answers until the drain begins, then finishes what is in progress.
    pub fn serve(self, mut parts: Parts, drain: &Drain) {
        let Self { tcp, unix, address, hosts, deadline } = self;
        let rules = Arc::new(Rules::new(address, hosts, parts.token.take()));
        let tls = parts.tls.take();
        let (mint, clock) = (parts.mint.clone(), Arc::clone(&parts.clock));
        let minting = Minting::new(mint, clock, deadline, drain.clone());
        let (outside, inside) = routes::routers(parts, minting, rules);
        match tls {
            Some(config) => {
                let (secure, accepting) = Secure::new(tcp, config, deadline, drain.clone());
                drain.spawn(accepting);
                drain.spawn(answer(secure, outside, deadline, drain.clone()));
            }
            None => drain.spawn(answer(tcp, outside, deadline, drain.clone())),
        }
        let Some(Unix { listener, path, disk }) = unix else { return };
        let ending = drain.clone();
        drain.spawn(async move {
            answer(listener, inside, deadline, ending).await;
            if let Err(error) = disk.remove(&path) {
                tracing::debug!(%error, "the socket was gone already");
            }
        });
    }
}

/// Answers each connection of `listener` until the drain begins.
async fn answer<L>(mut listener: L, router: Router, deadline: Duration, drain: Drain)
where
    L: Listener,
{
    let room = Arc::new(Semaphore::new(CONNECTIONS));
    loop {
        let accepted = async {
            // Never closed. The next connection waits in the kernel for one to end.
            let place = Arc::clone(&room).acquire_owned().await.ok();
            (place, listener.accept().await.0)
        };
        let (place, stream) = tokio::select! {
            accepted = accepted => accepted,
            () = drain.ending() => return,
        };
        let (router, ending) = (router.clone(), drain.clone());
        drain.spawn(async move {
            let _place = place;
            converse(stream, router, deadline, &ending).await;
        });
    }
}

/// Answers one connection. A peer that is silent, slow or idle, or does not read what it asked
/// for, is closed after `deadline`.
async fn converse<S>(stream: S, router: Router, deadline: Duration, ending: &Drain)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(deadline)
        .serve_connection(
            TokioIo::new(Reading::new(stream, deadline)),
            TowerToHyperService::new(router),
        );
    let mut connection = pin!(connection);
    let ended = tokio::select! {
        ended = &mut connection => ended,
        () = ending.ending() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "a connection of the operator's door ended early");
    }
}

/// Binds the socket. One that a dead process left is replaced; one that answers is not.
fn unix(path: &Path, disk: &dyn Disk) -> Result<UnixListener, BindError> {
    let wrong = |source| BindError::Socket { path: path.to_owned(), source };
    if UnixStream::connect(path).is_ok() {
        return Err(BindError::InUse(path.to_owned()));
    }
    match disk.remove(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(wrong(error)),
        _ => {}
    }
    // The folder is ours alone (mode 0700), so nobody else reaches the socket.
    let listener = StdUnixListener::bind(path).map_err(wrong)?;
    listener.set_nonblocking(true).map_err(wrong)?;
    UnixListener::from_std(listener).map_err(wrong)
}

/// The operator's door has no socket.
const REASON: &str = "admin_socket";
/// Connections at a time, on each of the address and the socket.
const CONNECTIONS: usize = 256;
