//! TLS for the operator's door, with handshakes beside the accepting.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::serve::Listener;
use rustls::ServerConfig;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use crate::drain::Drain;

/// Connections whose handshake is done.
#[derive(Debug)]
pub(super) struct Secure {
    ready: mpsc::Receiver<(TlsStream<TcpStream>, SocketAddr)>,
}

impl Secure {
    /// The listener, and the task that accepts for it. A slow handshake holds up nobody, and ends
    /// after a while.
    pub(super) fn new(
        tcp: TcpListener,
        config: Arc<ServerConfig>,
        deadline: Duration,
        drain: Drain,
    ) -> (Self, impl Future<Output = ()> + Send + 'static) {
        let (done, ready) = mpsc::channel(WAITING);
        let acceptor = TlsAcceptor::from(config);
        let accepting = async move {
            loop {
                let accepted = tokio::select! {
                    accepted = tcp.accept() => accepted,
                    () = drain.ending() => return,
                };
                let (stream, peer) = match accepted {
                    Ok(accepted) => accepted,
                    Err(error) => {
                        tracing::warn!(%error, "the operator's door could not accept");
                        tokio::time::sleep(PAUSE).await;
                        continue;
                    }
                };
                let (acceptor, done) = (acceptor.clone(), done.clone());
                drain.spawn(async move {
                    let handshake = tokio::time::timeout(deadline, acceptor.accept(stream));
                    if let Ok(Ok(stream)) = handshake.await
                        && done.send((stream, peer)).await.is_err()
                    {
                        tracing::debug!("a handshake outlasted the door");
                    }
                });
            }
        };
        (Self { ready }, accepting)
    }
}

impl Listener for Secure {
    type Io = TlsStream<TcpStream>;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        match self.ready.recv().await {
            Some(ready) => ready,
            // The accepting has ended: there will never be another.
            None => std::future::pending().await,
        }
    }

    fn local_addr(&self) -> io::Result<Self::Addr> {
        // The door knows it from before.
        Err(io::ErrorKind::Unsupported.into())
    }
}

const PAUSE: Duration = Duration::from_millis(100);
const WAITING: usize = 16;
