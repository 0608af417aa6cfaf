//! From a fresh connection to an encrypted one with a name.

use std::sync::Arc;

use rustls::server::Acceptor;
use rustls::{HandshakeKind, ProtocolVersion, ServerConfig};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout_at};
use tokio_rustls::LazyConfigAcceptor;
use tokio_rustls::server::TlsStream;

use super::client::Tls;
use super::door::Reactor;
use super::measures::{Deadline, Handshake};
use crate::hostname::Hostname;
use crate::tls::Miss;

/// Shakes hands, in all of `Config::handshake`; how it ended is counted. A client that does not
/// say a name that we serve never sees a certificate.
pub(super) async fn shake(
    reactor: &Reactor,
    tcp: TcpStream,
    opened: Instant,
) -> Option<(Box<TlsStream<TcpStream>>, Tls)> {
    let deadline = opened + reactor.door.config.handshake;
    let shaken = tokio::select! {
        result = timeout_at(deadline, attempt(reactor, tcp)) => result.unwrap_or_else(|_| {
            reactor.tally.closed(Deadline::Handshake);
            Err(Handshake::TimedOut)
        }),
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
) -> Result<(Box<TlsStream<TcpStream>>, Tls), Handshake> {
    let started = LazyConfigAcceptor::new(Acceptor::default(), tcp).await;
    let mut started = started.map_err(|_| Handshake::Failed)?;
    let name = started.client_hello().server_name().map(Hostname::parse);
    let Some(name) = name else { return Err(Handshake::NoName) };
    let Ok(sni) = name else {
        refuse(&mut started.io, UNRECOGNIZED_NAME).await;
        return Err(Handshake::UnknownName);
    };
    let config = match reactor.door.holdings.certificates.find(&sni).await {
        Ok(config) => config,
        Err(Miss::Unknown(name)) => match obtained(reactor, &name).await {
            Some(config) => config,
            None => {
                refuse(&mut started.io, UNRECOGNIZED_NAME).await;
                return Err(Handshake::UnknownName);
            }
        },
        Err(miss @ Miss::Authority(_)) => {
            tracing::error!(%miss, "a handshake has no certificate");
            refuse(&mut started.io, INTERNAL_ERROR).await;
            return Err(Handshake::NoCertificate);
        }
    };
    let stream = started.into_stream(config).await.map_err(|_| Handshake::Failed)?;
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

/// What there is for a name once whoever certifies has done what can be done.
async fn obtained(reactor: &Reactor, name: &Hostname) -> Option<Arc<ServerConfig>> {
    let holdings = &reactor.door.holdings;
    (holdings.visits)(name)?.await;
    holdings.certificates.find(name).await.ok()
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
