//! Whether content follows the header of an HTTP/2 request that did not end with it.
//!
//! Some clients end a GET with an empty DATA frame instead of a flag on its header (RFC 9113
//! §8.1). It brings nothing, so it is answered as any other; what brings content is refused.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use http::{Request, Version};
use hyper::body::{Body, Incoming};
use tokio::time::{Sleep, sleep};

use super::route::announces_content;

/// What follows a header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Content {
    /// Nothing.
    Absent,
    /// Something, or it was not said in time that there is nothing.
    Present,
}

/// A request of which only the header has come.
#[derive(Debug)]
pub(super) struct Open {
    request: Option<Request<Incoming>>,
    frames: u32,
    patience: Pin<Box<Sleep>>,
}

impl Content {
    /// What the header alone tells; `None` when what follows has to be waited for.
    pub(super) fn of(request: &Request<Incoming>) -> Option<Self> {
        if request.version() != Version::HTTP_2 || request.body().is_end_stream() {
            return Some(Self::Absent);
        }
        announces_content(request.headers()).then_some(Self::Present)
    }
}

impl Open {
    /// Waits at most `patience` for the end.
    pub(super) fn new(request: Request<Incoming>, patience: Duration) -> Box<Self> {
        Box::new(Self { request: Some(request), frames: 0, patience: Box::pin(sleep(patience)) })
    }

    /// The request, once it is known whether it brings content. Not to be polled again then.
    pub(super) fn poll(
        &mut self,
        context: &mut Context<'_>,
    ) -> Poll<Option<(Request<Incoming>, Content)>> {
        let Some(request) = &mut self.request else { return Poll::Ready(None) };
        let content = loop {
            match Pin::new(request.body_mut()).poll_frame(context) {
                Poll::Ready(None) => break Content::Absent,
                // A few empty frames may come before the end, but no flood of them.
                Poll::Ready(Some(Ok(frame)))
                    if frame.data_ref().is_none_or(|data| data.is_empty())
                        && self.frames < MOST_FRAMES =>
                {
                    self.frames += 1;
                }
                Poll::Ready(Some(_)) => break Content::Present,
                Poll::Pending if self.patience.as_mut().poll(context).is_ready() => {
                    break Content::Present;
                }
                Poll::Pending => return Poll::Pending,
            }
        };
        Poll::Ready(self.request.take().map(|request| (request, content)))
    }
}

const MOST_FRAMES: u32 = 8;
