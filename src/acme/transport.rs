//! How requests reach an authority: what the library does not tell is heard here.
//!
//! instant-acme hides the header of an error and takes any content for a problem document. Here
//! every answer's `Retry-After` and nonce are heard by the task that asked ([`Heard`]), and an
//! answer that is no problem document, such as a balancer's HTML page, becomes a [`Rebuff`].

use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderMap, HeaderValue, Method, Request, Response};
use http_body_util::{BodyExt, Full};
use instant_acme::{BodyWrapper, BytesResponse, Error, HttpClient};
use jiff::fmt::rfc2822::DateTimeParser;
use thiserror::Error;

use super::failure::bounded;
use super::measures::Measures;
use super::nonces::Nonces;
use crate::clock::{Clock, Timestamp};
use crate::fetch::Client;

tokio::task_local! {
    /// What the task's requests brought.
    static HEARD: Arc<Heard>;
}

/// An answer that says no in no way that RFC 8555 knows.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("the authority answers {status}: {words}")]
pub(super) struct Rebuff {
    pub(super) status: u16,
    words: String,
}

/// What one task's requests to one authority brought.
#[derive(Debug, Default)]
pub(super) struct Heard {
    said: Mutex<Said>,
    requests: AtomicU32,
}

#[derive(Debug, Default)]
struct Said {
    /// Of the last answer.
    retry_after: Option<Duration>,
    /// Given by the last answer, and used by nobody yet.
    nonce: Option<String>,
}

impl Heard {
    /// Runs `work`, whose requests are heard by the first of the two that it ends with.
    pub(super) async fn during<T>(self: &Arc<Self>, work: impl Future<Output = T>) -> T {
        HEARD.scope(Arc::clone(self), work).await
    }

    /// How long the last answer asked to wait.
    pub(super) fn retry_after(&self) -> Option<Duration> {
        self.lock().retry_after
    }

    /// Requests that went out.
    pub(super) fn requests(&self) -> u32 {
        self.requests.load(Ordering::Relaxed)
    }

    /// The nonce that the last answer gave, once nobody is to use it any more.
    pub(super) fn take_nonce(&self) -> Option<String> {
        self.lock().nonce.take()
    }

    fn lock(&self) -> MutexGuard<'_, Said> {
        self.said.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The way to one authority.
pub(super) struct Transport {
    pub(super) issuer: Arc<str>,
    pub(super) http: Client,
    pub(super) nonces: Arc<Nonces>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) measures: Measures,
}

impl HttpClient for Transport {
    fn request(
        &self,
        request: Request<BodyWrapper<Bytes>>,
    ) -> Pin<Box<dyn Future<Output = Result<BytesResponse, Error>> + Send>> {
        let heard = HEARD.try_with(Arc::clone).unwrap_or_default();
        *heard.lock() = Said::default();
        // The library asks for a nonce with HEAD, and for nothing else.
        if *request.method() == Method::HEAD
            && let Some(nonce) = self.nonces.take(self.clock.now())
        {
            return Box::pin(std::future::ready(kept(&nonce)));
        }
        heard.requests.fetch_add(1, Ordering::Relaxed);
        let (http, clock, measures) =
            (self.http.clone(), Arc::clone(&self.clock), self.measures.clone());
        let issuer = Arc::clone(&self.issuer);
        let is_question = *request.method() == Method::GET;
        Box::pin(async move {
            let (parts, body) = request.into_parts();
            let body = body.collect().await.map_or_else(|never| match never {}, |b| b.to_bytes());
            let begun = clock.now();
            let sent = http.send(Request::from_parts(parts, body)).await;
            let took = clock.now().saturating_duration_since(begun);
            measures.asked(&issuer, sent.as_ref().map(Response::status), took);
            let mut answer = sent.map_err(|error| Error::Other(Box::new(error)))?;
            hear(&heard, answer.headers(), clock.wall());
            // The library takes no answer about renewal without; what it was is heard above.
            if is_question {
                answer.headers_mut().entry(RETRY_AFTER).or_insert(HeaderValue::from_static("0"));
            }
            understood(answer)
        })
    }
}

/// The answer that a kept nonce stands for.
fn kept(nonce: &str) -> Result<BytesResponse, Error> {
    let answer = Response::builder().header(REPLAY_NONCE, nonce).body(Full::<Bytes>::default());
    Ok(BytesResponse::from(answer?))
}

fn hear(heard: &Heard, headers: &HeaderMap, now: Timestamp) {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let retry_after = text(RETRY_AFTER.as_str()).and_then(|value| wait(value, now));
    let nonce = text(REPLAY_NONCE).map(str::to_owned);
    *heard.lock() = Said { retry_after, nonce };
}

/// Lets through what the library understands: what went well, and problem documents.
fn understood(answer: Response<Bytes>) -> Result<BytesResponse, Error> {
    let status = answer.status();
    let is_refused = status.is_client_error() || status.is_server_error();
    let is_problem = is_refused && is_problem(&answer);
    // The library reads a directory without a look at the status.
    if is_refused && (!is_problem || status.is_server_error()) {
        let words = bounded(&words(&answer, is_problem));
        return Err(Error::Other(Box::new(Rebuff { status: status.as_u16(), words })));
    }
    Ok(BytesResponse::from(answer.map(Full::new)))
}

fn is_problem(answer: &Response<Bytes>) -> bool {
    serde_json::from_slice::<serde_json::Value>(answer.body())
        .is_ok_and(|value| value.get("type").is_some_and(serde_json::Value::is_string))
}

/// What a refusal says, in one line.
fn words(answer: &Response<Bytes>, is_problem: bool) -> String {
    if is_problem {
        let problem = serde_json::from_slice::<serde_json::Value>(answer.body());
        let detail =
            problem.ok().and_then(|problem| Some(problem.get("detail")?.as_str()?.to_owned()));
        return detail.unwrap_or_default();
    }
    let kind = answer.headers().get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
    format!("no problem document ({}, {} bytes)", kind.unwrap_or("no type"), answer.body().len())
}

/// How long `Retry-After` asks to wait: seconds or a date (RFC 9110 §10.2.3), at most
/// [`LONGEST_WAIT`].
fn wait(value: &str, now: Timestamp) -> Option<Duration> {
    let value = value.trim();
    let wait = match value.parse() {
        Ok(seconds) => Duration::from_secs(seconds),
        Err(_) => {
            let date = DATES.parse_timestamp(value).ok()?;
            let micros = u64::try_from(date.as_microsecond()).unwrap_or_default();
            now.until(Timestamp::from_micros(micros))
        }
    };
    Some(wait.min(LONGEST_WAIT))
}

/// A wrong weekday says nothing of the date.
static DATES: DateTimeParser = DateTimeParser::new().relaxed_weekday(true);
const REPLAY_NONCE: &str = "replay-nonce";
/// An authority that asks for more is asked again after this: it may have made a mistake.
const LONGEST_WAIT: Duration = Duration::from_secs(7 * 86_400);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retry_after_is_seconds_or_a_date_and_never_for_ever() {
        let now = Timestamp::from_seconds(946_684_799 - 60);
        let seconds = |count| Some(Duration::from_secs(count));
        for (value, expected) in [
            ("120", seconds(120)),
            (" 0 ", seconds(0)),
            ("Fri, 31 Dec 1999 23:59:59 GMT", seconds(60)),
            ("Fri, 31 Dec 1998 23:59:59 GMT", seconds(0)),
            ("99999999999", Some(LONGEST_WAIT)),
            ("soon", None),
            ("-1", None),
            ("", None),
        ] {
            assert_eq!(wait(value, now), expected, "{value}");
        }
    }

    #[test]
    fn what_is_no_problem_document_is_a_rebuff_with_its_status() {
        let answer = |status: u16, body: &'static str| {
            Response::builder().status(status).body(Bytes::from_static(body.as_bytes())).unwrap()
        };
        let problem = "{\"type\":\"urn:ietf:params:acme:error:malformed\",\"detail\":\"no\"}";
        for (status, body, rebuff) in [
            (200, "<html>", None),
            (400, problem, None),
            (429, problem, None),
            (400, "<html>", Some(400)),
            (429, "", Some(429)),
            (502, "<html>502 Bad Gateway", Some(502)),
            (503, problem, Some(503)),
            (404, "{}", Some(404)),
        ] {
            let told = understood(answer(status, body)).err().map(|error| match error {
                Error::Other(cause) => cause.downcast_ref::<Rebuff>().unwrap().status,
                error => panic!("{error}"),
            });
            assert_eq!(told, rebuff, "{status} {body}");
        }
    }
}
