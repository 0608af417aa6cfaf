//! Sockets that accept.

use std::future::poll_fn;
use std::io;
use std::net::{SocketAddr, TcpListener as StdListener};
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use socket2::{Domain, Protocol, Socket, Type};
use thiserror::Error;
use tokio::net::{TcpListener, TcpStream};

use super::Config;
use super::connection::{Opened, serve};
use super::door::Reactor;
use super::measures::State;

/// One reactor's listening sockets. Each reactor has its own for every address, and the kernel
/// spreads connections over them.
#[derive(Debug, Default)]
pub struct Sockets {
    pub(super) https: Vec<StdListener>,
    pub(super) http: Vec<StdListener>,
}

/// The addresses that were bound, ports chosen by the kernel included.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Bound {
    /// Where HTTPS is answered.
    pub https: Vec<SocketAddr>,
    /// Where plain HTTP is answered.
    pub http: Vec<SocketAddr>,
}

/// An address that cannot be listened on: the operator's fault, or another process has it.
#[derive(Debug, Error)]
#[error("{address}: {error}")]
pub struct BindError {
    /// The address.
    pub address: SocketAddr,
    /// What the operating system said.
    pub error: io::Error,
}

impl Sockets {
    /// Binds every configured address once for each of `reactors` reactors.
    pub fn bind(config: &Config, reactors: usize) -> Result<(Vec<Self>, Bound), BindError> {
        let mut sockets: Vec<Self> = std::iter::repeat_with(Self::default).take(reactors).collect();
        let mut bound = Bound::default();
        for address in &config.https {
            let listeners = listen(*address, reactors)?;
            bound.https.push(listeners.0);
            sockets.iter_mut().zip(listeners.1).for_each(|(own, new)| own.https.push(new));
        }
        for address in &config.http {
            let listeners = listen(*address, reactors)?;
            bound.http.push(listeners.0);
            sockets.iter_mut().zip(listeners.1).for_each(|(own, new)| own.http.push(new));
        }
        Ok((sockets, bound))
    }
}

/// One listening socket of one reactor.
#[derive(Debug)]
pub(super) struct Listener {
    pub(super) reactor: Arc<Reactor>,
    pub(super) socket: TcpListener,
    pub(super) is_secure: bool,
}

impl Listener {
    /// Accepts until the drain begins, and then whoever is already in the queue.
    pub(super) async fn run(self) {
        tokio::select! {
            biased;
            () = self.reactor.drain.ending() => {}
            () = self.accept() => {}
        }
        poll_fn(|context| {
            while let Poll::Ready(Ok((tcp, peer))) = self.socket.poll_accept(context) {
                self.open(tcp, peer);
            }
            Poll::Ready(())
        })
        .await;
    }

    async fn accept(&self) {
        let mut pause = SHORTEST_PAUSE;
        loop {
            self.reactor.door.admission.room().await;
            match self.socket.accept().await {
                Ok((tcp, peer)) => {
                    pause = SHORTEST_PAUSE;
                    self.open(tcp, peer);
                }
                Err(error) if is_the_peers(&error) => {}
                Err(error) => {
                    // Without a descriptor left the connection stays in the queue and accept
                    // fails at once: waiting is all that there is to do.
                    self.reactor.tally.accept_error();
                    tracing::warn!(%error, "a connection cannot be accepted");
                    tokio::time::sleep(pause).await;
                    pause = (pause * 2).min(LONGEST_PAUSE);
                }
            }
        }
    }

    fn open(&self, tcp: TcpStream, peer: SocketAddr) {
        let reactor = &self.reactor;
        let place = reactor.door.admission.enter();
        let address = peer.ip().to_canonical();
        let is_proxied = reactor.door.config.proxy.iter().any(|net| net.contains(&address));
        let newcomer = if is_proxied {
            None
        } else {
            let Some(newcomer) = reactor.newcomer(address) else { return };
            Some(newcomer)
        };
        let standing =
            reactor.tally.standing(if self.is_secure { State::Handshake } else { State::Http1 });
        let is_secure = self.is_secure;
        let opened = Opened { tcp, address, is_secure, place, newcomer, standing };
        reactor.drain.spawn(serve(Arc::clone(reactor), opened));
    }
}

/// Listens once for each reactor; port 0 is chosen by the first and shared by the others.
fn listen(
    address: SocketAddr,
    reactors: usize,
) -> Result<(SocketAddr, Vec<StdListener>), BindError> {
    let mut listeners: Vec<StdListener> = Vec::with_capacity(reactors);
    let mut bound = address;
    for _ in 0..reactors {
        let opened = socket(bound).and_then(|socket| {
            bound = socket.local_addr()?;
            Ok(socket)
        });
        listeners.push(opened.map_err(|error| BindError { address, error })?);
    }
    Ok((bound, listeners))
}

fn socket(address: SocketAddr) -> io::Result<StdListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    if address.is_ipv6() {
        // So that 0.0.0.0 and [::] can be listened on side by side, whatever the system's default.
        socket.set_only_v6(true)?;
    }
    socket.set_reuse_address(true)?;
    socket.set_reuse_port(true)?;
    // What is accepted inherits this on Linux, which saves a system call a connection.
    socket.set_tcp_nodelay(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

/// Errors of the one connection that was to be accepted (accept(2)), not of accepting.
fn is_the_peers(error: &io::Error) -> bool {
    use io::ErrorKind::{
        ConnectionAborted, ConnectionRefused, ConnectionReset, HostUnreachable, Interrupted,
        NetworkDown, NetworkUnreachable, TimedOut,
    };
    matches!(
        error.kind(),
        ConnectionAborted
            | ConnectionRefused
            | ConnectionReset
            | HostUnreachable
            | Interrupted
            | NetworkDown
            | NetworkUnreachable
            | TimedOut
    )
}

/// Connections that the kernel keeps for us while we are busy; it may keep fewer (somaxconn).
const BACKLOG: i32 = 4_096;
const SHORTEST_PAUSE: Duration = Duration::from_millis(10);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);
