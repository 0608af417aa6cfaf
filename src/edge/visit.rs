//! One request and its answer.

use std::convert::Infallible;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::{Arc, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Instant;

use http::{Method, Request, StatusCode, Version};
use hyper::body::Incoming;
use hyper::service::Service;

use super::answer::{Answer, leave_content_out};
use super::click::{Redeemed, record};
use super::client::{Client, InFlight};
use super::content::{Content, Open};
use super::desk::{Said, Wish};
use super::door::Scratch;
use super::judge::Judged;
use super::location::Location;
use super::measures::{Page, Panic};
use super::pages::{self, Kind};
use super::recorder::Recording;
use super::route::{Asked, Refusal};
use crate::token::Pass;

/// Answers the requests of one connection.
#[derive(Clone, Debug)]
pub(super) struct Visit(pub(super) Arc<Client>);

impl Service<Request<Incoming>> for Visit {
    type Response = Answer;
    type Error = Infallible;
    type Future = Answering;

    fn call(&self, request: Request<Incoming>) -> Answering {
        let in_flight = self.0.begin();
        let stage = match Content::of(&request) {
            Some(content) => begin(&self.0, request, content, Attempt::First),
            None => Stage::Open(Open::new(request, self.0.reactor.door.config.header)),
        };
        Answering { stage, in_flight }
    }
}

/// A request that is being answered.
///
/// Written by hand, and not as an async block, so that it can be moved (which parking needs) and
/// holds nothing but what the wait needs.
#[derive(Debug)]
pub(super) struct Answering {
    stage: Stage,
    in_flight: InFlight,
}

/// How far an answer is.
enum Stage {
    /// To be judged when it is known whether content follows.
    Open(Box<Open>),
    /// To be given.
    Ready { answer: Option<Answer>, page: Page },
    /// Given when its event is durable, or when that takes too long. Made only then: what waits
    /// for the disk is many times more than what is being answered, and each byte of it has left
    /// the processor's cache by the time it is needed.
    Recording { promised: Option<Promised>, recording: Recording, began: Instant },
    /// The desk is asked.
    Asking(Pin<Box<dyn Future<Output = (Answer, Page)> + Send>>),
    /// Judged again when the keys have been read again.
    Rereading {
        again: Pin<Box<dyn Future<Output = ()> + Send>>,
        request: Option<Box<Request<Incoming>>>,
    },
}

/// An answer that is given once its event is recorded.
#[derive(Debug)]
enum Promised {
    Redirect(Location),
    Pixel,
    /// To a HEAD over HTTP/2.
    BarePixel,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Attempt {
    First,
    /// After the keys were read again.
    Second,
}

impl Future for Answering {
    type Output = Result<Answer, Infallible>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let Self { stage, in_flight } = &mut *self;
        let client = in_flight.client();
        if let Stage::Open(open) = stage
            && let Some((request, content)) = ready!(open.poll(context))
        {
            *stage = begin(client, request, content, Attempt::First);
        }
        if let Stage::Rereading { again, request } = stage {
            ready!(again.as_mut().poll(context));
            if let Some(request) = request.take() {
                *stage = begin(client, *request, Content::Absent, Attempt::Second);
            }
        }
        let answer = match stage {
            Stage::Ready { answer, page } => answer.take().map(|answer| (answer, *page)),
            Stage::Recording { promised, recording, began } => {
                let reactor = &client.reactor;
                let _ = ready!(reactor.recorder.poll(recording, context));
                let now = reactor.door.holdings.clock.now();
                reactor.tally.took(now.saturating_duration_since(*began));
                promised.take().map(|promised| promised.keep(client))
            }
            Stage::Asking(asking) => Some(ready!(asking.as_mut().poll(context))),
            // Judged just above, and never twice.
            Stage::Open(_) | Stage::Rereading { .. } => None,
        };
        // hyper does not poll a future that has resolved.
        let Some((answer, page)) = answer else { return Poll::Pending };
        client.reactor.tally.answered(page, answer.status());
        Poll::Ready(Ok(answer))
    }
}

impl Drop for Answering {
    fn drop(&mut self) {
        if let Stage::Recording { recording, .. } = &mut self.stage {
            self.in_flight.client().reactor.recorder.leave(recording);
        }
    }
}

impl fmt::Debug for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Open(_) => "Open",
            Self::Ready { .. } => "Ready",
            Self::Recording { .. } => "Recording",
            Self::Asking(_) => "Asking",
            Self::Rereading { .. } => "Rereading",
        })
    }
}

impl Promised {
    fn keep(self, client: &Client) -> (Answer, Page) {
        let answers = client.reactor.answers(client.tls.is_some());
        match self {
            Self::Redirect(location) => (answers.redirect(location), Page::Click),
            Self::Pixel => (answers.pixel(), Page::Open),
            Self::BarePixel => {
                let mut pixel = answers.pixel();
                leave_content_out(&mut pixel);
                (pixel, Page::Open)
            }
        }
    }
}

fn begin(
    client: &Arc<Client>,
    request: Request<Incoming>,
    content: Content,
    attempt: Attempt,
) -> Stage {
    // A request that makes us fall takes no other with it, not even on its own connection.
    let begun = catch_unwind(AssertUnwindSafe(|| begun(client, request, content, attempt)));
    begun.unwrap_or_else(|_| {
        client.reactor.tally.fell(Panic::Request);
        let answer = client.reactor.answers(client.tls.is_some()).failed();
        Stage::Ready { answer: Some(answer), page: Page::Refused }
    })
}

fn begun(
    client: &Arc<Client>,
    request: Request<Incoming>,
    content: Content,
    attempt: Attempt,
) -> Stage {
    // hyper leaves the content out itself, but for HTTP/2.
    let is_bare = request.method() == Method::HEAD && request.version() == Version::HTTP_2;
    let mut stage = judge(client, request, content, attempt);
    match &mut stage {
        Stage::Ready { answer: Some(answer), .. } if is_bare => leave_content_out(answer),
        Stage::Recording { promised: Some(promised @ Promised::Pixel), .. } if is_bare => {
            *promised = Promised::BarePixel;
        }
        _ => {}
    }
    stage
}

fn judge(
    client: &Arc<Client>,
    request: Request<Incoming>,
    content: Content,
    attempt: Attempt,
) -> Stage {
    let (reactor, clock) = (&client.reactor, &client.reactor.door.holdings.clock);
    let (began, time) = (clock.now(), clock.wall());
    let version = request.version();
    let asked = Asked {
        method: request.method(),
        uri: request.uri(),
        version,
        headers: request.headers(),
        has_body: content == Content::Present,
        sni: client.tls.as_ref().map(|tls| &tls.sni),
    };
    let mut scratch = reactor.scratch.lock().unwrap_or_else(PoisonError::into_inner);
    let Scratch { ids, opened, encoded } = &mut *scratch;
    let is_bare = *asked.method == Method::HEAD && version == Version::HTTP_2;
    let (host, claims, promised) = match reactor.door.core.judge(&asked, time, opened) {
        Judged::Click { host, claims, location } => (host, claims, Promised::Redirect(location)),
        Judged::Open { host, claims } => (host, claims, Promised::Pixel),
        Judged::UnknownKey if attempt == Attempt::First => {
            let rereading = reactor.door.rereading.clone();
            drop(scratch);
            let again = Box::pin(async move { rereading.again().await });
            return Stage::Rereading { again, request: Some(Box::new(request)) };
        }
        Judged::Page { pass, path, wish } => {
            let client = Arc::clone(client);
            return Stage::Asking(Box::pin(ask(client, pass, path, wish, is_bare)));
        }
        judged => return unrecorded(client, judged, version),
    };
    let (method, headers) = (asked.method, asked.headers);
    let redeemed = Redeemed { host: &host, claims: &claims, method, version, headers, time };
    match record(client, &redeemed, (ids, encoded)) {
        Some(recording) => Stage::Recording { promised: Some(promised), recording, began },
        None => {
            let (answer, page) = promised.keep(client);
            Stage::Ready { answer: Some(answer), page }
        }
    }
}

/// Asks the desk, which is on another thread and answers in bounded time.
async fn ask(
    client: Arc<Client>,
    pass: Pass,
    path: String,
    wish: Wish,
    is_bare: bool,
) -> (Answer, Page) {
    let page = if wish == Wish::Check { Page::Check } else { Page::Sheet };
    let said = match &client.reactor.door.holdings.platform {
        Some(platform) => platform.desk.ask(pass, path, wish).await,
        None => Said::Nothing,
    };
    let mut answer = client.reactor.answers(client.tls.is_some()).said(said);
    if is_bare {
        leave_content_out(&mut answer);
    }
    (answer, page)
}

/// The answers that make no event.
fn unrecorded(client: &Client, judged: Judged<'_>, version: Version) -> Stage {
    let door = &client.reactor.door;
    let answers = client.reactor.answers(client.tls.is_some());
    let (page, answer) = match judged {
        Judged::Challenge { host, token } => {
            let authorization = (door.holdings.challenges)(&host, &token);
            (Page::Challenge, answers.challenge(authorization))
        }
        Judged::Home { host } => {
            let is_platform = door.holdings.platform.as_ref().is_some_and(|own| own.host == host);
            let kind = match is_platform {
                true => Kind::Platform,
                false => Kind::Tracking { is_secure: client.tls.is_some() },
            };
            (Page::Home, answers.home(pages::home(&host, kind, &door.config.operator)))
        }
        Judged::Securely { path } => {
            let origin = door.holdings.platform.as_ref().map_or("", |own| &own.origin);
            (Page::Sheet, answers.elsewhere(StatusCode::FOUND, &format!("{origin}{path}")))
        }
        Judged::Ended => (Page::Sheet, answers.ended()),
        Judged::Robots => (Page::Robots, answers.robots()),
        Judged::Refused(refusal) => {
            if refusal == Refusal::HasBody {
                client.refused_body();
            }
            (Page::Refused, answers.refused(refusal, version))
        }
        _ => (Page::NotFound, answers.not_found()),
    };
    Stage::Ready { answer: Some(answer), page }
}
