//! One connection, from its acceptance to its end.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::time::{Instant, timeout};

use super::admission::{Newcomer, Place};
use super::client::Client;
use super::door::Reactor;
use super::handshake::shake;
use super::measures::{Deadline, Standing, State};
use super::stream::Stream;
use super::{http1, http2, proxy};

/// A connection that was accepted.
#[derive(Debug)]
pub(super) struct Opened {
    pub(super) tcp: TcpStream,
    /// The socket's peer.
    pub(super) address: IpAddr,
    pub(super) is_secure: bool,
    pub(super) place: Place,
    /// `None` while only a proxy's header will tell whose it is.
    pub(super) newcomer: Option<Newcomer>,
    pub(super) standing: Standing,
}

/// Serves a connection to its end.
///
/// What only lasts for a while (the handshake, hyper's connection) is boxed, so that a connection
/// that is idle for hours keeps no room for it.
pub(super) async fn serve(reactor: Arc<Reactor>, opened: Opened) {
    let Opened { mut tcp, mut address, is_secure, place, newcomer, mut standing } = opened;
    let newcomer = match newcomer {
        Some(newcomer) => newcomer,
        None => {
            let visitor = Box::pin(behind(&reactor, &mut tcp, address)).await;
            let Some((visitor, newcomer)) = visitor else { return };
            address = visitor;
            newcomer
        }
    };
    let now = Instant::now();
    let (stream, tls) = if is_secure {
        let shaken = Box::pin(shake(&reactor, tcp, now, &mut standing)).await;
        let Some((stream, tls)) = shaken else { return };
        (Stream::Tls(stream), Some(tls))
    } else {
        (Stream::Plain(tcp), None)
    };
    let is_http2 = tls.as_ref().is_some_and(|tls| tls.is_http2);
    standing.set(if is_http2 { State::Http2 } else { State::Http1 });
    let client = Arc::new(Client::new(reactor, address, tls, newcomer));
    let now = Instant::now();
    if is_http2 {
        Box::pin(http2::serve(client, stream, now)).await;
    } else {
        http1::serve(client, stream, now, &mut standing).await;
    }
    drop(place);
}

/// Who stands behind a proxy's connection, by its header; `None` when it has no right one, or none
/// in time.
async fn behind(
    reactor: &Reactor,
    tcp: &mut TcpStream,
    proxy: IpAddr,
) -> Option<(IpAddr, Newcomer)> {
    let read = tokio::select! {
        read = timeout(reactor.door.config.header, proxy::read(tcp)) => read,
        () = reactor.last_call() => return None,
    };
    let visitor = match read {
        Ok(Ok(visitor)) => visitor.unwrap_or(proxy),
        Ok(Err(error)) => {
            reactor.tally.unproxied();
            tracing::debug!(%proxy, %error, "a proxy's connection is closed");
            return None;
        }
        Err(_) => {
            reactor.tally.closed(Deadline::Proxy);
            return None;
        }
    };
    Some((visitor, reactor.newcomer(visitor)?))
}

/// How long a connection without a request may go on once the drain has begun: as long as a
/// request takes that is on its way.
pub(super) const LAST_CALL: Duration = Duration::from_secs(1);
