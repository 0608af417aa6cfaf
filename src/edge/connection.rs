//! One connection, from its acceptance to its end.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::time::Instant;

use super::admission::{Newcomer, Place};
use super::client::Client;
use super::door::Reactor;
use super::handshake::shake;
use super::measures::{Standing, State};
use super::stream::Stream;
use super::{http1, http2};

/// A connection that was accepted.
#[derive(Debug)]
pub(super) struct Opened {
    pub(super) tcp: TcpStream,
    pub(super) address: IpAddr,
    pub(super) is_secure: bool,
    pub(super) place: Place,
    pub(super) newcomer: Newcomer,
    pub(super) standing: Standing,
}

/// Serves a connection to its end.
///
/// What only lasts for a while (the handshake, hyper's connection) is boxed, so that a connection
/// that is idle for hours keeps no room for it.
pub(super) async fn serve(reactor: Arc<Reactor>, opened: Opened) {
    let Opened { tcp, address, is_secure, place, newcomer, mut standing } = opened;
    let now = Instant::now();
    let (stream, tls) = if is_secure {
        let shaken = Box::pin(shake(&reactor, tcp, now)).await;
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

/// How long a connection without a request may go on once the drain has begun: as long as a
/// request takes that is on its way.
pub(super) const LAST_CALL: Duration = Duration::from_secs(1);
