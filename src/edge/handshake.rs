//! From a fresh connection to an encrypted one with a name.

use std::sync::Arc;

use rustls::server::Acceptor;
use rustls::{HandshakeKind, ProtocolVersion, ServerConfig};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout_at};
use tokio_rustls::server::TlsStream;
use tokio_rustls::{LazyConfigAcceptor, StartHandshake};

use super::client::Tls;
use super::door::Reactor;
use super::measures::{Deadline, Handshake};
use crate::hostname::Hostname;
use crate::tls::Miss;

/// Shakes hands, in `Config::handshake` and, when a certificate is ordered meanwhile,
/// `Config::order_wait`; how it ended is counted. A client that does not say a name that we serve
/// never sees a certificate.
pub(super) async fn shake(
    reactor: &Reactor,
    tcp: TcpStream,
    opened: Instant,
) -> Option<(Box<TlsStream<TcpStream>>, Tls)> {
    let shaken = tokio::select! {
        result = attempt(reactor, tcp, opened) => result,
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
) -> Result<(Box<TlsStream<TcpStream>>, Tls), Handshake> {
    let patience = reactor.door.config.handshake;
    let late = |_| {
        reactor.tally.closed(Deadline::Handshake);
        Handshake::TimedOut
    };
    let hello = timeout_at(opened + patience, hello(tcp)).await;
    let (started, sni) = hello.map_err(late)??;
    let (started, config, deadline) = match reactor.door.holdings.certificates.find(&sni).await {
        Ok(config) => (started, config, opened + patience),
        Err(miss) => {
            let (started, config) = missed(reactor, started, miss).await?;
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
) -> Result<(StartHandshake<TcpStream>, Arc<ServerConfig>), Handshake> {
    let name = match miss {
        Miss::Unknown(name) => name,
        miss @ (Miss::Authority(_) | Miss::Store(_)) => {
            tracing::error!(%miss, "a handshake has no certificate");
            refuse(&mut started.io, INTERNAL_ERROR).await;
            return Err(Handshake::NoCertificate);
        }
    };
    // With all places taken nobody more waits, and the order goes on all the same.
    let place = reactor.door.waiting.try_acquire();
    let ordered = (reactor.door.holdings.visits)(&name);
    if let (Some(ordered), Ok(_place)) = (ordered, place) {
        let wait = reactor.door.config.order_wait;
        if timeout_at(Instant::now() + wait, ordered).await.is_err() {
            refuse(&mut started.io, UNRECOGNIZED_NAME).await;
            return Err(Handshake::NoCertificate);
        }
        if let Ok(config) = reactor.door.holdings.certificates.find(&name).await {
            return Ok((started, config));
        }
    }
    refuse(&mut started.io, UNRECOGNIZED_NAME).await;
    Err(Handshake::UnknownName)
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
