//! An HTTP/1.1 connection, parked while it is idle.
//!
//! hyper keeps two 8 kB buffers and its state for each connection. A connection that has been idle
//! for a while is taken from hyper and waits for its next byte with nothing but its socket and its
//! TLS state; then hyper's half is made anew. To the client nothing happens.

use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use hyper::server::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::time::{Instant, Sleep, sleep_until};

use super::client::Client;
use super::connection::LAST_CALL;
use super::linger::close;
use super::measures::{Deadline, Standing, State};
use super::pace::{Pace, Step};
use super::stream::{Stream, Watched};
use super::visit::Visit;

type Connection = http1::Connection<TokioIo<Watched>, Visit>;

/// hyper's settings. It has no timer of its own, which would cost two allocations a request:
/// [`Pace`] keeps its deadlines.
pub(super) fn builder() -> http1::Builder {
    let mut builder = http1::Builder::new();
    builder.header_read_timeout(None).max_header_size(LARGEST_HEADER).max_buf_size(LARGEST_BUFFER);
    // A client that says "that was all" behind its request still waits for the answer.
    builder.half_close(true);
    builder
}

/// Serves a connection to its end.
pub(super) async fn serve(
    client: Arc<Client>,
    mut stream: Stream,
    opened: Instant,
    standing: &mut Standing,
) {
    let reactor = Arc::clone(&client.reactor);
    let mut pace = Pace::http1(&reactor.door.config, opened);
    let mut first = Bytes::new();
    loop {
        let watched = Watched::new(stream, first, Arc::clone(&client));
        // In a block of its own, so that nothing of hyper's half outlives it.
        let (end, parts) = {
            let visit = Visit(Arc::clone(&client));
            let connection = reactor.http1.serve_connection(TokioIo::new(watched), visit);
            let mut connection = Box::new(connection);
            let end = drive(&mut connection, &client, &mut pace).await;
            (end, (*connection).into_parts())
        };
        let watched = parts.io.into_inner();
        match end {
            End::Parked => {}
            End::Finished { lingers } => return Box::pin(close(watched, lingers)).await,
            End::Expired(deadline) => return reactor.tally.closed(deadline),
        }
        stream = watched.into_stream();
        if !parts.read_buf.is_empty() {
            // Taken together with the last request: the beginning of another one.
            first = parts.read_buf;
            client.read();
            continue;
        }
        // Even empty it would hold the whole buffer.
        drop(parts.read_buf);
        first = Bytes::new();
        standing.set(State::Parked);
        if !wait(&client, &stream, &pace).await {
            return Box::pin(close(stream, false)).await;
        }
        standing.set(State::Http1);
    }
}

/// How hyper's half ended.
enum End {
    /// The connection is at its end.
    Finished { lingers: bool },
    /// The connection is idle and goes on.
    Parked,
    /// A deadline ends it.
    Expired(Deadline),
}

async fn drive(connection: &mut Connection, client: &Client, pace: &mut Pace) -> End {
    let reactor = &client.reactor;
    let requests = client.requests();
    let mut driver = Driver { client, pace, requests, is_ending: false, is_last: false };
    let mut tick = pin!(sleep_until(Instant::now() + driver.pace.tick()));
    let mut ended = pin!(reactor.ended.notified());
    // Only registered: whether it was told is read from a flag, since this is polled often.
    let mut is_registered = false;
    poll_fn(|context| {
        if !is_registered {
            is_registered = true;
            if ended.as_mut().poll(context).is_ready() {
                context.waker().wake_by_ref();
            }
        }
        driver.poll(connection, tick.as_mut(), context)
    })
    .await
}

struct Driver<'a> {
    client: &'a Client,
    pace: &'a mut Pace,
    /// Requests before hyper's half was made.
    requests: u32,
    is_ending: bool,
    /// Whether hyper was told that no other request will be taken.
    is_last: bool,
}

impl Driver<'_> {
    fn poll(
        &mut self,
        connection: &mut Connection,
        mut tick: Pin<&mut Sleep>,
        context: &mut Context<'_>,
    ) -> Poll<End> {
        if let Poll::Ready(result) = connection.poll_without_shutdown(context) {
            return Poll::Ready(self.finished(result));
        }
        if !self.is_ending && self.client.reactor.is_ending() {
            self.is_ending = true;
            tick.as_mut().reset(Instant::now() + LAST_CALL);
        }
        // hyper would close a connection that has not asked yet, with its request on the way.
        if self.is_ending && !self.is_last && self.client.requests() != self.requests {
            self.is_last = true;
            Pin::new(&mut *connection).graceful_shutdown();
            if let Poll::Ready(result) = connection.poll_without_shutdown(context) {
                return Poll::Ready(self.finished(result));
            }
        }
        while tick.as_mut().poll(context).is_ready() {
            let now = Instant::now();
            tick.as_mut().reset(now + self.pace.tick());
            if self.is_ending && !self.client.is_busy() {
                return Poll::Ready(End::Finished { lingers: false });
            }
            match self.pace.step(now, self.client.sight()) {
                Step::Wait => {}
                Step::Close(deadline) => return Poll::Ready(End::Expired(deadline)),
                Step::Park if self.is_ending => {}
                // Nothing was asked since hyper's half was made, so nothing is to be finished.
                Step::Park if self.client.requests() == self.requests => {
                    return Poll::Ready(End::Parked);
                }
                Step::Park => {
                    // An idle connection ends at once and writes nothing.
                    Pin::new(&mut *connection).graceful_shutdown();
                    if let Poll::Ready(result) = connection.poll_without_shutdown(context) {
                        return Poll::Ready(match result {
                            Ok(()) => End::Parked,
                            Err(_) => self.finished(result),
                        });
                    }
                }
            }
        }
        Poll::Pending
    }

    fn finished(&self, result: hyper::Result<()>) -> End {
        if self.client.has_stalled_for_good() {
            return End::Expired(Deadline::Write);
        }
        let is_refused = result.is_err_and(|error| error.is_parse());
        End::Finished { lingers: is_refused || self.client.has_refused_body() }
    }
}

/// Waits for a parked connection's next byte; `false` when it is to be closed instead.
async fn wait(client: &Client, stream: &Stream, pace: &Pace) -> bool {
    let reactor = &client.reactor;
    let ended = reactor.ended.notified();
    if reactor.is_ending() {
        return false;
    }
    let (end, deadline) = pace.end();
    tokio::select! {
        is_there = stream.wait() => is_there,
        () = ended => false,
        () = sleep_until(end) => {
            reactor.tally.closed(deadline);
            false
        }
    }
}

/// A token is at most 16 KiB of text, and what a browser sends beside it fits in as much again.
const LARGEST_HEADER: usize = 32 << 10;
/// hyper reads a header whole into one buffer.
const LARGEST_BUFFER: usize = LARGEST_HEADER + (8 << 10);
