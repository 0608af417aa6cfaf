//! What stands at addresses that strangers' records name: fetched as far as it is safe to.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, USER_AGENT};
use http::{HeaderValue, Request, StatusCode};

use crate::audit::domain::{Document, Fetching, File, Files, Unfetched, Wanted};
use crate::dns::{Lookup, Name};
use crate::fetch::{
    Client, Codings, FetchError, Policy, Ports, Reach, Redirects, Resolve, Resolving, Roots,
    RootsError,
};
use crate::hostname::Hostname;

/// The web, as the audit sees it. Cloning shares it.
#[derive(Clone, Debug)]
pub struct Web {
    images: Client,
    certificates: Client,
    policies: Client,
}

/// What of the web is reached. By default what everybody reaches: public addresses, port 443,
/// servers that the public authorities vouch for.
#[derive(Clone, Debug)]
pub struct Reached {
    /// Which addresses are dialled.
    pub reach: Reach,
    /// The port of https.
    pub port: u16,
    /// Whom servers are trusted by.
    pub roots: Roots,
}

impl Default for Reached {
    fn default() -> Self {
        Self { reach: Reach::Public, port: 443, roots: Roots::Public }
    }
}

impl Web {
    /// The web whose names `lookup` resolves.
    pub fn new(lookup: Arc<dyn Lookup>, reached: &Reached) -> Result<Self, RootsError> {
        let resolve: Arc<dyn Resolve> = Arc::new(Addresses(lookup));
        let client =
            |redirects, content| Client::new(policy(reached, redirects, content), resolve.clone());
        Ok(Self {
            images: client(REDIRECTS, IMAGE)?,
            certificates: client(REDIRECTS, CERTIFICATE)?,
            // RFC 8461 §3.3: what redirects is no policy.
            policies: client(Redirects::None, POLICY)?,
        })
    }

    async fn get(&self, wanted: &Wanted) -> Result<File, Unfetched> {
        let client = match wanted.document {
            Document::Image => &self.images,
            Document::MarkCertificate => &self.certificates,
            Document::Policy => &self.policies,
        };
        let request = Request::builder().uri(&wanted.address).body(Bytes::new());
        let mut request = request.map_err(|error| Unfetched::Refused(error.to_string()))?;
        request.headers_mut().insert(USER_AGENT, HeaderValue::from_static(AGENT));
        let answer = client.send(request).await.map_err(unfetched)?;
        let status = answer.status();
        if status != StatusCode::OK {
            let told = format!("the server answers with status {}", status.as_u16());
            let is_passing = status.is_server_error() || PASSING.contains(&status);
            return Err(if is_passing { Unfetched::Unknown } else { Unfetched::Refused }(told));
        }
        let media_type = answer.headers().get(CONTENT_TYPE);
        let media_type = media_type.map(|told| String::from_utf8_lossy(told.as_bytes()));
        let media_type = media_type.unwrap_or_default().into_owned();
        Ok(File { media_type, bytes: answer.into_body().into() })
    }
}

impl Files for Web {
    fn fetch(&self, wanted: &Wanted) -> Fetching<'_> {
        let wanted = wanted.clone();
        Box::pin(async move { self.get(&wanted).await })
    }
}

/// The way to what a stranger's record names.
fn policy(reached: &Reached, redirects: Redirects, content: usize) -> Policy {
    Policy {
        reach: reached.reach,
        roots: reached.roots.clone(),
        is_plain_allowed: false,
        ports: Ports::Https(reached.port),
        redirects,
        codings: Codings::Gzip,
        content,
        connect: STEP,
        step: STEP,
        total: TOTAL,
        // Nobody is asked twice, and those who are asked are many.
        idle: 0,
    }
}

/// What is not known to be so the next time is not known.
fn unfetched(error: FetchError) -> Unfetched {
    let told = error.to_string();
    match error {
        FetchError::Unaddressed(_) => Unfetched::Refused(told),
        error if error.is_worth_a_retry() => Unfetched::Unknown(told),
        _ => Unfetched::Refused(told),
    }
}

/// The DNS, as the HTTP client asks it.
#[derive(Debug)]
pub(super) struct Addresses(pub(super) Arc<dyn Lookup>);

impl Resolve for Addresses {
    fn resolve(&self, name: &Hostname) -> Resolving<'_> {
        let name = Name::from(name);
        Box::pin(async move {
            let found = self.0.addresses(&name).await;
            found.map_err(|failure| failure.to_string())
        })
    }
}

const AGENT: &str = concat!("waypost/", env!("CARGO_PKG_VERSION"), " (mail audit)");
const REDIRECTS: Redirects = Redirects::AtMost(3);
/// Statuses that say "later".
const PASSING: [StatusCode; 2] = [StatusCode::REQUEST_TIMEOUT, StatusCode::TOO_MANY_REQUESTS];
/// Bytes of an image: twice what providers read, so that one that is somewhat too large is judged.
const IMAGE: usize = 64 << 10;
/// Bytes of a mark certificate with its chain and the image in it.
const CERTIFICATE: usize = 256 << 10;
/// Bytes of a policy for TLS: the least that RFC 8461 §3.3 has senders take.
const POLICY: usize = 64 << 10;
const STEP: Duration = Duration::from_secs(3);
const TOTAL: Duration = Duration::from_secs(5);
