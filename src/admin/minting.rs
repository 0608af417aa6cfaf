//! `POST /v1/links`: rows in, links out, both of them streams.
//!
//! One task takes a piece of the request, mints its whole lines on a thread of its own and hands
//! the answer on before it takes the next. So whoever does not read the answer stalls the reading
//! of the request, and neither is ever held whole. A row that is bad is answered in its place.

use std::num::NonZero;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http::header::{CONTENT_ENCODING, CONTENT_TYPE};
use http::{HeaderValue, StatusCode};
use http_body_util::BodyExt;
use http_body_util::channel::{Channel, Sender};
use serde::Serialize;
use tokio::sync::Semaphore;

use super::routes::failure;
use crate::clock::{Clock, Timestamp};
use crate::drain::Drain;
use crate::token::{Block, Lines, Mint, RowError};

/// Mints for whoever may ask.
#[derive(Clone, Debug)]
pub(super) struct Minting {
    mint: Mint,
    clock: Arc<dyn Clock>,
    /// How long a peer may send nothing.
    deadline: Duration,
    /// Threads that may mint at a time: as many as the machine has cores, and no more, since it
    /// has clicks to answer.
    room: Arc<Semaphore>,
    drain: Drain,
}

impl Minting {
    pub(super) fn new(mint: Mint, clock: Arc<dyn Clock>, deadline: Duration, drain: Drain) -> Self {
        let cores = thread::available_parallelism().map_or(1, NonZero::get);
        Self { mint, clock, deadline, room: Arc::new(Semaphore::new(cores)), drain }
    }

    /// Mints a block on a thread where it holds up nobody.
    async fn answer(&self, block: Block) -> Result<Vec<u8>, Stopped> {
        // Never closed.
        let place = Arc::clone(&self.room).acquire_owned().await.ok();
        let (mint, now) = (self.mint.clone(), self.clock.wall());
        let minting = tokio::task::spawn_blocking(move || {
            let _place = place;
            answer(&mint, &block, now)
        });
        minting.await.map_err(|_| Stopped::Panic)
    }
}

/// Answers each row with a line: `{"line":1,"link_url":"https://…"}`, or `{"line":1,"error":"…"}`.
pub(super) async fn links(State(minting): State<Minting>, request: Request) -> Response {
    let coding = request.headers().get(CONTENT_ENCODING);
    if coding.is_some_and(|coding| coding != "identity") {
        return failure(StatusCode::UNSUPPORTED_MEDIA_TYPE, "rows are taken without a coding");
    }
    if !minting.mint.has_key(minting.clock.wall()) {
        return failure(StatusCode::SERVICE_UNAVAILABLE, &RowError::NoKey.to_string());
    }
    let mut rows = Rows { body: request.into_body(), lines: Lines::default() };
    // Before the head of the answer, so that a client that waits for 100 (Continue) is given it.
    let first = match rows.next(&minting).await {
        Ok(first) => first,
        Err(stopped) => return failure(StatusCode::REQUEST_TIMEOUT, &stopped.to_string()),
    };
    let (out, answer) = Channel::new(1);
    let drain = minting.drain.clone();
    drain.spawn(converse(minting, rows, first, out));
    let kind = HeaderValue::from_static("application/x-ndjson");
    (StatusCode::OK, [(CONTENT_TYPE, kind)], Body::new(answer)).into_response()
}

async fn converse(minting: Minting, mut rows: Rows, first: Option<Block>, mut out: Sender<Bytes>) {
    let mut next: Result<_, Stopped> = Ok(first);
    loop {
        let (line, answered) = match next {
            Ok(None) => return,
            Ok(Some(block)) => (block.first(), minting.answer(block).await),
            Err(stopped) => (rows.lines.next(), Err(stopped)),
        };
        let is_last = answered.is_err();
        let bytes = answered.unwrap_or_else(|stopped| stopped.row(line));
        // The connection is gone when nobody takes it.
        if out.send_data(bytes.into()).await.is_err() || is_last {
            return;
        }
        next = rows.next(&minting).await;
    }
}

/// The rows that a request brings.
struct Rows {
    body: Body,
    lines: Lines,
}

impl Rows {
    /// The next whole lines; `None` after the last.
    async fn next(&mut self, minting: &Minting) -> Result<Option<Block>, Stopped> {
        loop {
            let frame = tokio::select! {
                frame = tokio::time::timeout(minting.deadline, self.body.frame()) => frame,
                () = minting.drain.ending() => return Err(Stopped::Draining),
            };
            match frame.map_err(|_| Stopped::Silent(minting.deadline))? {
                None => return Ok(self.lines.end()),
                Some(frame) => {
                    let frame = frame.map_err(|error| Stopped::Broken(error.to_string()))?;
                    let block = frame.data_ref().and_then(|bytes| self.lines.push(bytes));
                    if block.is_some() {
                        return Ok(block);
                    }
                }
            }
        }
    }
}

/// Why rows are answered no longer, though more may come.
#[derive(Debug, thiserror::Error)]
enum Stopped {
    /// The request's framing is wrong, or its connection was lost.
    #[error("the request broke off: {0}")]
    Broken(String),
    /// The node ends.
    #[error("the node ends: send the rows from this line on again")]
    Draining,
    /// Our fault.
    #[error("the minting ended by a panic")]
    Panic,
    /// Nothing came for too long.
    #[error("nothing came for {0:?}: send the rows from this line on again")]
    Silent(Duration),
}

impl Stopped {
    fn row(&self, line: u64) -> Vec<u8> {
        let mut out = Vec::new();
        Answered { line, error: Some(&self.to_string()), ..Answered::default() }.write(&mut out);
        out
    }
}

fn answer(mint: &Mint, block: &Block, now: Timestamp) -> Vec<u8> {
    let (mut out, mut link) = (Vec::new(), Vec::new());
    for (line, row) in block.lines() {
        link.clear();
        match mint.line(row, now, &mut link) {
            Ok(()) => {
                let link = std::str::from_utf8(&link).ok();
                Answered { line, link_url: link, ..Answered::default() }.write(&mut out);
            }
            Err(RowError::Field { key, value, reason }) => {
                let (key, value) = (Some(key.as_str()), Some(value.as_str()));
                Answered { line, error: Some(&reason), key, value, ..Answered::default() }
                    .write(&mut out);
            }
            Err(RowError::Missing(key)) => {
                let (key, error) = (Some(key), Some("is missing"));
                Answered { line, error, key, ..Answered::default() }.write(&mut out);
            }
            Err(error) => {
                let error = error.to_string();
                Answered { line, error: Some(&error), ..Answered::default() }.write(&mut out);
            }
        }
    }
    out
}

/// One line of the answer.
#[derive(Debug, Default, Serialize)]
struct Answered<'a> {
    line: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    link_url: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    key: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    value: Option<&'a str>,
}

impl Answered<'_> {
    fn write(&self, out: &mut Vec<u8>) {
        // Numbers and texts are always JSON, and memory takes what is written.
        drop(serde_json::to_writer(&mut *out, self));
        out.push(b'\n');
    }
}
