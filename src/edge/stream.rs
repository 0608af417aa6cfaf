//! A connection's bytes, plain or TLS, with the deadline for a client that does not read.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::{Buf, Bytes};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::Sleep;
use tokio_rustls::server::TlsStream;

use super::client::Client;

/// A connection's bytes.
#[derive(Debug)]
pub(super) enum Stream {
    Plain(TcpStream),
    /// Boxed: it is moved into hyper and back, and larger than a kilobyte.
    Tls(Box<TlsStream<TcpStream>>),
}

impl Stream {
    /// Waits for a byte from the network without taking it, nor a buffer for it. `false` when
    /// there will be none.
    ///
    /// Only after a read of the stream found nothing: what rustls has decrypted already is not
    /// seen here. (`readable` would not do: it may tell of readiness that is long used up.)
    pub(super) async fn wait(&self) -> bool {
        let tcp = match self {
            Self::Plain(tcp) => tcp,
            Self::Tls(tls) => tls.get_ref().0,
        };
        matches!(tcp.peek(&mut [0]).await, Ok(1..))
    }
}

macro_rules! inner {
    ($stream:expr, $inner:ident => $call:expr) => {
        match $stream {
            Stream::Plain($inner) => {
                let $inner = Pin::new($inner);
                $call
            }
            Stream::Tls($inner) => {
                let $inner = Pin::new(&mut **$inner);
                $call
            }
        }
    };
}

impl AsyncRead for Stream {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        inner!(self.get_mut(), inner => inner.poll_read(context, into))
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        inner!(self.get_mut(), inner => inner.poll_write(context, bytes))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        inner!(self.get_mut(), inner => inner.poll_write_vectored(context, slices))
    }

    fn is_write_vectored(&self) -> bool {
        match self {
            Self::Plain(tcp) => tcp.is_write_vectored(),
            Self::Tls(tls) => tls.is_write_vectored(),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        inner!(self.get_mut(), inner => inner.poll_flush(context))
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        inner!(self.get_mut(), inner => inner.poll_shutdown(context))
    }
}

/// A stream that tells its client of reads and stalls, and fails when a stall lasts too long.
#[derive(Debug)]
pub(super) struct Watched {
    stream: Stream,
    /// Read before the stream: what hyper had taken when the connection was parked.
    first: Bytes,
    client: Arc<Client>,
    longest_stall: Duration,
    stall: Option<Pin<Box<Sleep>>>,
}

impl Watched {
    pub(super) fn new(stream: Stream, first: Bytes, client: Arc<Client>) -> Self {
        let longest_stall = client.reactor.door.config.write;
        Self { stream, first, client, longest_stall, stall: None }
    }

    pub(super) fn into_stream(self) -> Stream {
        self.stream
    }

    /// Keeps the time of a stall: it begins when bytes cannot be written, and ends only when
    /// all are. (rustls takes bytes while the network takes none, so a write that succeeds is no
    /// sign of a client that reads.)
    fn watch<T>(
        &mut self,
        context: &mut Context<'_>,
        polled: Poll<io::Result<T>>,
        is_flush: bool,
    ) -> Poll<io::Result<T>> {
        if polled.is_ready() {
            if is_flush && self.stall.is_some() {
                self.stall = None;
                self.client.stalled(false);
            }
            return polled;
        }
        self.client.stalled(true);
        let longest = self.longest_stall;
        let stall = self.stall.get_or_insert_with(|| Box::pin(tokio::time::sleep(longest)));
        if stall.as_mut().poll(context).is_pending() {
            return Poll::Pending;
        }
        self.client.stalled_for_good();
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }
}

impl AsyncRead for Watched {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.first.has_remaining() {
            let count = self.first.len().min(into.remaining());
            into.put_slice(&self.first.split_to(count));
            self.client.read();
            return Poll::Ready(Ok(()));
        }
        let before = into.filled().len();
        let polled = Pin::new(&mut self.stream).poll_read(context, into);
        if into.filled().len() > before {
            self.client.read();
        }
        polled
    }
}

impl AsyncWrite for Watched {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.watch(context, polled, false)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.stream).poll_write_vectored(context, slices);
        self.watch(context, polled, false)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let polled = Pin::new(&mut self.stream).poll_flush(context);
        self.watch(context, polled, true)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let polled = Pin::new(&mut self.stream).poll_shutdown(context);
        self.watch(context, polled, true)
    }
}
