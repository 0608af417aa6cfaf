//! An HTTP/2 connection.
//!
//! It is not pinged: a connection without a request ends after `Config::idle` whether or not its
//! peer would answer a ping, and no answer takes long enough to ask meanwhile.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;

use hyper::rt::Executor;
use hyper::server::conn::http2;
use hyper_util::rt::TokioIo;
use tokio::time::{Instant, sleep_until};

use super::client::Client;
use super::connection::LAST_CALL;
use super::door::Reactor;
use super::measures::Deadline;
use super::pace::{Pace, Step};
use super::stream::{Stream, Watched};
use super::visit::Visit;

/// Serves a connection to its end.
pub(super) async fn serve(client: Arc<Client>, stream: Stream, opened: Instant) {
    let reactor = Arc::clone(&client.reactor);
    let mut pace = Pace::http2(&reactor.door.config, opened);
    let watched = Watched::new(stream, bytes::Bytes::new(), Arc::clone(&client));
    let builder = builder(&reactor);
    let connection = builder.serve_connection(TokioIo::new(watched), Visit(Arc::clone(&client)));
    let mut connection = pin!(connection);
    let mut tick = pin!(sleep_until(Instant::now() + pace.tick()));
    let mut ended = pin!(reactor.ended.notified());
    let (mut is_registered, mut is_closing) = (false, false);
    poll_fn(|context| {
        if !is_registered {
            is_registered = true;
            if ended.as_mut().poll(context).is_ready() {
                context.waker().wake_by_ref();
            }
        }
        if connection.as_mut().poll(context).is_ready() {
            if client.has_stalled_for_good() {
                reactor.tally.closed(Deadline::Write);
            }
            return Poll::Ready(());
        }
        if !is_closing && reactor.is_ending() {
            is_closing = true;
            connection.as_mut().graceful_shutdown();
            tick.as_mut().reset(Instant::now() + LAST_CALL);
            if connection.as_mut().poll(context).is_ready() {
                return Poll::Ready(());
            }
        }
        while tick.as_mut().poll(context).is_ready() {
            let now = Instant::now();
            tick.as_mut().reset(now + pace.tick());
            if is_closing && !client.is_busy() {
                return Poll::Ready(());
            }
            match pace.step(now, client.sight()) {
                Step::Close(deadline) => {
                    reactor.tally.closed(deadline);
                    if deadline != Deadline::Idle {
                        return Poll::Ready(());
                    }
                    // GOAWAY, so that a request that is on its way is sent again elsewhere.
                    is_closing = true;
                    connection.as_mut().graceful_shutdown();
                    if connection.as_mut().poll(context).is_ready() {
                        return Poll::Ready(());
                    }
                }
                Step::Wait | Step::Park => {}
            }
        }
        Poll::Pending
    })
    .await;
}

fn builder(reactor: &Arc<Reactor>) -> http2::Builder<Streams> {
    let mut builder = http2::Builder::new(Streams(Arc::clone(reactor)));
    builder
        .max_concurrent_streams(reactor.door.config.streams)
        .max_header_list_size(LARGEST_HEADER)
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_local_error_reset_streams(MOST_RESETS)
        .max_send_buf_size(SEND_BUFFER);
    builder
}

/// Runs the requests of a connection.
#[derive(Clone)]
struct Streams(Arc<Reactor>);

impl<F: Future<Output = ()> + Send + 'static> Executor<F> for Streams {
    fn execute(&self, stream: F) {
        self.0.drain.spawn(stream);
    }
}

/// As for HTTP/1.1; HPACK's accounting adds 32 bytes a field (RFC 9113 §6.5.2).
const LARGEST_HEADER: u32 = 32 << 10;
/// No content is taken, so there is nothing to give room to.
const STREAM_WINDOW: u32 = 4 << 10;
/// The least that the protocol allows to begin with.
const CONNECTION_WINDOW: u32 = 65_535;
/// A peer that makes us reset streams is not a browser (CVE-2025-8671).
const MOST_RESETS: usize = 64;
/// Larger than any answer of ours.
const SEND_BUFFER: usize = 16 << 10;
