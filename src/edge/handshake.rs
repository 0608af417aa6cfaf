//! From a fresh connection to an encrypted one with a name.

use std::sync::Arc;

use futures_util::FutureExt;
use rustls::server::Acceptor;
use rustls::{HandshakeKind, ProtocolVersion, ServerConfig};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout_at};
use tokio_rustls::server::TlsStream;
use tokio_rustls::{LazyConfigAcceptor, StartHandshake};

use super::client::Tls;
use super::door::Reactor;
use super::measures::{Deadline, Handshake, Standing, State};
use crate::hostname::Hostname;
use crate::tls::Miss;

/// Shakes hands, in `Config::handshake` and, when a certificate is ordered meanwhile,
/// `Config::order_wait`; how it ended is counted. A client that does not say a name that we serve
/// never sees a certificate.
pub(super) async fn shake(
    reactor: &Reactor,
    tcp: TcpStream,
    opened: Instant,
    standing: &mut Standing,
) -> Option<(Box<TlsStream<TcpStream>>, Tls)> {
    let shaken = tokio::select! {
        result = attempt(reactor, tcp, opened, standing) => result,
        () = reactor.last_call() => Err(Handshake::TimedOut),
    };
    match shaken {
        Ok((stream, tls)) => {
            let result = if tls.is_resumed { Handshake::Resumed } else { Handshake::Full };
            reactor.tally.handshake(result);
            Some((stream, tls))
        }
        Err(result) => {
            reactor.tally.handshake(result);
            None
        }
    }
}

async fn attempt(
    reactor: &Reactor,
    tcp: TcpStream,
    opened: Instant,
    standing: &mut Standing,
) -> Result<(Box<TlsStream<TcpStream>>, Tls), Handshake> {
    let patience = reactor.door.config.handshake;
    let late = |_| {
        reactor.tally.closed(Deadline::Handshake);
        Handshake::TimedOut
    };
    let hello = timeout_at(opened + patience, hello(tcp)).await;
    let (started, sni) = hello.map_err(late)??;
    // Apart, so that a handshake stays below 3,584 bytes: in the next class of sizes jemalloc gives
    // its room to nothing of the connection that follows.
    let found = Box::pin(reactor.door.holdings.certificates.find(&sni)).await;
    let (started, config, deadline) = match found {
        Ok(config) => (started, config, opened + patience),
        Err(miss) => {
            // What a wait needs is large, and few need it.
            let (started, config) = Box::pin(missed(reactor, started, miss, standing)).await?;
            (started, config, Instant::now() + patience)
        }
    };
    let stream = timeout_at(deadline, started.into_stream(config)).await;
    let stream = stream.map_err(late)?.map_err(|_| Handshake::Failed)?;
    let connection = stream.get_ref().1;
    let tls = Tls {
        version: match connection.protocol_version() {
            Some(ProtocolVersion::TLSv1_2) => "1.2",
            _ => "1.3",
        },
        is_resumed: connection.handshake_kind() == Some(HandshakeKind::Resumed),
        is_http2: connection.alpn_protocol() == Some(b"h2"),
        sni,
    };
    Ok((Box::new(stream), tls))
}

/// Reads the hello, and the name in it.
async fn hello(tcp: TcpStream) -> Result<(StartHandshake<TcpStream>, Hostname), Handshake> {
    let started = LazyConfigAcceptor::new(Acceptor::default(), tcp).await;
    let mut started = started.map_err(|_| Handshake::Failed)?;
    let name = started.client_hello().server_name().map(Hostname::parse);
    match name {
        Some(Ok(sni)) => Ok((started, sni)),
        Some(Err(_)) => {
            refuse(&mut started.io, UNRECOGNIZED_NAME).await;
            Err(Handshake::UnknownName)
        }
        None => Err(Handshake::NoName),
    }
}

/// Waits for what there is for a name once whoever certifies has done what can be done.
async fn missed(
    reactor: &Reactor,
    mut started: StartHandshake<TcpStream>,
    miss: Miss,
    standing: &mut Standing,
) -> Result<(StartHandshake<TcpStream>, Arc<ServerConfig>), Handshake> {
    let name = match miss {
        Miss::Unknown(name) => name,
        miss @ (Miss::Authority(_) | Miss::Store(_)) => {
            tracing::error!(%miss, "a handshake has no certificate");
            refuse(&mut started.io, INTERNAL_ERROR).await;
            return Err(Handshake::NoCertificate);
        }
    };
    let Some(mut ordered) = (reactor.door.holdings.visits)(&name) else {
        refuse(&mut started.io, UNRECOGNIZED_NAME).await;
        return Err(Handshake::UnknownName);
    };
    let Some(_waiter) = reactor.door.waiters.enter(&name) else {
        // Nobody more waits, and the order begins all the same.
        ordered.as_mut().now_or_never();
        return last(reactor, started, &name, Handshake::Crowded).await;
    };
    standing.set(State::Waiting);
    let deadline = Instant::now() + reactor.door.config.order_wait;
    let ended = tokio::select! {
        ended = timeout_at(deadline, ordered) => ended,
        () = gone(&started.io) => return Err(Handshake::Failed),
    };
    standing.set(State::Handshake);
    if ended.is_err() {
        return last(reactor, started, &name, Handshake::NoCertificate).await;
    }
    match reactor.door.holdings.certificates.find(&name).await {
        Ok(config) => Ok((started, config)),
        Err(_) => last(reactor, started, &name, Handshake::UnknownName).await,
    }
}

/// What there is for a name that nothing valid could be had for: what has expired, else an alert.
async fn last(
    reactor: &Reactor,
    mut started: StartHandshake<TcpStream>,
    name: &Hostname,
    why: Handshake,
) -> Result<(StartHandshake<TcpStream>, Arc<ServerConfig>), Handshake> {
    if let Some(config) = reactor.door.holdings.certificates.find_expired(name).await {
        return Ok((started, config));
    }
    refuse(&mut started.io, UNRECOGNIZED_NAME).await;
    Err(why)
}

/// Resolves when the client has left. One that sends more is watched no longer: what it sent
/// stands before its end.
async fn gone(tcp: &TcpStream) {
    let mut byte = [0];
    match tcp.peek(&mut byte).await {
        Ok(0) | Err(_) => {}
        Ok(_) => std::future::pending().await,
    }
}

/// Ends a handshake with a fatal alert, in the clear since nothing has been agreed on. (rustls
/// sends none for a hello that was read and not answered.)
async fn refuse(tcp: &mut TcpStream, description: u8) {
    let alert = [ALERT, 3, 3, 0, 2, FATAL, description];
    // A client that is gone need not be told.
    if tcp.write_all(&alert).await.is_ok() {
        tcp.shutdown().await.unwrap_or_default();
    }
}

/// RFC 8446 §6 and §5.1.
const ALERT: u8 = 21;
const FATAL: u8 = 2;
const INTERNAL_ERROR: u8 = 80;
const UNRECOGNIZED_NAME: u8 = 112;
