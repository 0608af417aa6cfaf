//! Requests, one after the other along redirects, under one deadline.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::header::{ACCEPT_ENCODING, CONTENT_ENCODING, HOST, LOCATION};
use http::{HeaderValue, Method, Request, Response, StatusCode, Uri};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper_util::client::legacy;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use url::Url;

use super::connector::Connector;
use super::{Codings, FetchError, Policy, Ports, Redirects, Resolve, RootsError, coding};

/// A client for one purpose. Cloning shares its connections.
#[derive(Clone)]
pub struct Client {
    inner: Arc<Inner>,
}

struct Inner {
    policy: Policy,
    http: legacy::Client<Connector, Full<Bytes>>,
}

impl Client {
    /// A client that does what `policy` allows.
    pub fn new(policy: Policy, resolve: Arc<dyn Resolve>) -> Result<Self, RootsError> {
        let connector = Connector::new(&policy, resolve)?;
        let http = legacy::Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(IDLE)
            .pool_max_idle_per_host(policy.idle)
            .http2_max_header_list_size(HEADER)
            .build(connector);
        Ok(Self { inner: Arc::new(Inner { policy, http }) })
    }

    /// Sends a request and reads the whole answer, whatever its status. Ends in `Policy::total`.
    pub async fn send(&self, request: Request<Bytes>) -> Result<Response<Bytes>, FetchError> {
        let total = self.inner.policy.total;
        let sent = tokio::time::timeout(total, self.inner.follow(request)).await;
        sent.unwrap_or(Err(FetchError::TimedOut("in all")))
    }
}

impl Inner {
    async fn follow(&self, mut request: Request<Bytes>) -> Result<Response<Bytes>, FetchError> {
        let mut left = match self.policy.redirects {
            Redirects::None => 0,
            Redirects::AtMost(count) => count,
        };
        loop {
            let (method, uri) = (request.method().clone(), request.uri().clone());
            self.check(&uri)?;
            let headers = request.headers().clone();
            let answer = self.ask(request).await?;
            let is_followed = self.policy.redirects != Redirects::None
                && matches!(method, Method::GET | Method::HEAD)
                && MOVED.contains(&answer.status());
            if !is_followed {
                return self.whole(answer).await;
            }
            left = left.checked_sub(1).ok_or(FetchError::Redirected)?;
            let next = next(&uri, answer.headers().get(LOCATION))?;
            request = Request::new(Bytes::new());
            (*request.method_mut(), *request.uri_mut()) = (method, next);
            *request.headers_mut() = headers;
            request.headers_mut().remove(HOST);
        }
    }

    fn check(&self, uri: &Uri) -> Result<(), FetchError> {
        let is_fine = match uri.scheme_str() {
            Some("https") => true,
            Some("http") => self.policy.is_plain_allowed,
            _ => false,
        };
        let has_credentials = uri.authority().is_some_and(|to| to.as_str().contains('@'));
        let is_reached = match self.policy.ports {
            Ports::Any => true,
            Ports::Https(_) => uri.port().is_none_or(|port| port == 443),
        };
        if is_fine && is_reached && !has_credentials && uri.host().is_some() {
            return Ok(());
        }
        Err(FetchError::Url(uri.to_string()))
    }

    async fn ask(&self, request: Request<Bytes>) -> Result<Response<Incoming>, FetchError> {
        let mut request = request.map(Full::new);
        let accepted = match self.policy.codings {
            Codings::Identity => "identity",
            Codings::Gzip => coding::GZIP,
        };
        request.headers_mut().insert(ACCEPT_ENCODING, HeaderValue::from_static(accepted));
        // A new connection is bounded by itself.
        let within = self.policy.connect + self.policy.step;
        let answered = tokio::time::timeout(within, self.http.request(request)).await;
        let answered = answered.map_err(|_| FetchError::TimedOut("the header"))?;
        answered.map_err(|error| FetchError::of(&error, error.is_connect()))
    }

    /// Reads the content, as far as it may go.
    async fn whole(&self, answer: Response<Incoming>) -> Result<Response<Bytes>, FetchError> {
        let (parts, mut body) = answer.into_parts();
        let mut encodings = parts.headers.get_all(CONTENT_ENCODING).iter();
        let is_packed = match (encodings.next(), encodings.next()) {
            (None, _) => false,
            (Some(only), None) if only.as_bytes().eq_ignore_ascii_case(b"identity") => false,
            (Some(only), None) if self.takes(only) => true,
            (Some(other), _) => {
                let told = String::from_utf8_lossy(other.as_bytes()).into_owned();
                return Err(FetchError::Encoded(told));
            }
        };
        let most = self.policy.content;
        let mut content = BytesMut::new();
        loop {
            let frame = tokio::time::timeout(self.policy.step, body.frame()).await;
            let frame = frame.map_err(|_| FetchError::TimedOut("the content"))?;
            let Some(frame) = frame else { break };
            let frame = frame.map_err(|error| FetchError::of(&error, false))?;
            let Ok(piece) = frame.into_data() else { continue };
            if content.len() + piece.len() > most {
                return Err(FetchError::TooLarge(most));
            }
            content.extend_from_slice(&piece);
        }
        let content = if is_packed { coding::unpack(&content, most)? } else { content.freeze() };
        Ok(Response::from_parts(parts, content))
    }

    /// Whether content that is packed so was asked for.
    fn takes(&self, coding: &HeaderValue) -> bool {
        self.policy.codings == Codings::Gzip
            && coding.as_bytes().eq_ignore_ascii_case(coding::GZIP.as_bytes())
    }
}

/// Where a redirect leads to.
fn next(from: &Uri, location: Option<&HeaderValue>) -> Result<Uri, FetchError> {
    let location = location.and_then(|location| location.to_str().ok());
    let base = Url::parse(&from.to_string()).map_err(|_| FetchError::Redirected)?;
    let next = location.and_then(|location| base.join(location).ok());
    let mut next = next.ok_or(FetchError::Redirected)?;
    next.set_fragment(None);
    next.as_str().parse().map_err(|_| FetchError::Redirected)
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").field("policy", &self.inner.policy).finish_non_exhaustive()
    }
}

const MOVED: [StatusCode; 5] = [
    StatusCode::MOVED_PERMANENTLY,
    StatusCode::FOUND,
    StatusCode::SEE_OTHER,
    StatusCode::TEMPORARY_REDIRECT,
    StatusCode::PERMANENT_REDIRECT,
];
/// How long a connection may lie unused: shorter than servers and their balancers allow.
const IDLE: Duration = Duration::from_secs(50);
/// Bytes of an answer's header.
const HEADER: u32 = 16 << 10;
