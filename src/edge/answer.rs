//! What is said, with the fields that every answer has.

use bytes::Bytes;
use http::header::{
    ALLOW, CACHE_CONTROL, CONNECTION, CONTENT_LENGTH, CONTENT_SECURITY_POLICY, CONTENT_TYPE,
    LOCATION, REFERRER_POLICY, RETRY_AFTER, STRICT_TRANSPORT_SECURITY, X_CONTENT_TYPE_OPTIONS,
};
use http::{HeaderMap, HeaderValue, Response, StatusCode, Version};
use http_body_util::Full;
use hyper::body::Body;

use super::desk::Said;
use super::location::Location;
use super::pages;
use super::route::Refusal;
use crate::audit::page::policy;

/// An answer.
pub(super) type Answer = Response<Full<Bytes>>;

/// The answers of one kind of connection, their fields made ahead: an answer copies a small table
/// and no value.
#[derive(Clone, Debug)]
pub(super) struct Answers {
    redirect: HeaderMap,
    pixel: HeaderMap,
    page: HeaderMap,
    /// The page of a customer's name.
    sheet: HeaderMap,
    text: HeaderMap,
}

impl Answers {
    /// Answers on plain connections.
    pub(super) fn plain() -> Self {
        let mut redirect = shared_fields();
        // Room for the value, so that the table is copied once and never grown.
        redirect.insert(LOCATION, HeaderValue::from_static(""));
        Self {
            redirect,
            pixel: typed("image/gif"),
            page: typed("text/html; charset=utf-8"),
            sheet: sheet_fields(),
            text: typed("text/plain; charset=utf-8"),
        }
    }

    /// Answers on TLS connections; with `hsts` seconds above zero browsers are told to stay with
    /// TLS. Never for subdomains, which are not ours to speak for.
    pub(super) fn secure(hsts: u64) -> Self {
        let mut answers = Self::plain();
        let age = HeaderValue::from_str(&format!("max-age={hsts}"));
        if let (1.., Ok(age)) = (hsts, age) {
            for fields in
                [&mut answers.redirect, &mut answers.pixel, &mut answers.page, &mut answers.sheet]
                    .into_iter()
                    .chain([&mut answers.text])
            {
                fields.insert(STRICT_TRANSPORT_SECURITY, age.clone());
            }
        }
        answers
    }

    pub(super) fn redirect(&self, location: Location) -> Answer {
        let mut answer = answer(StatusCode::FOUND, &self.redirect, Bytes::new());
        answer.headers_mut().insert(LOCATION, location.into_value());
        answer
    }

    pub(super) fn pixel(&self) -> Answer {
        answer(StatusCode::OK, &self.pixel, Bytes::from_static(pages::PIXEL))
    }

    pub(super) fn home(&self, page: String) -> Answer {
        answer(StatusCode::OK, &self.page, Bytes::from(page))
    }

    /// What the desk says.
    pub(super) fn said(&self, said: Said) -> Answer {
        match said {
            Said::Page(status, page) => answer(status, &self.sheet, Bytes::from(page)),
            Said::See(path) => self.elsewhere(StatusCode::SEE_OTHER, &path),
            Said::Nothing => {
                let mut answer = self.page(StatusCode::SERVICE_UNAVAILABLE, pages::UNAVAILABLE);
                answer.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("5"));
                answer
            }
        }
    }

    /// That something of ours is at another address.
    pub(super) fn elsewhere(&self, status: StatusCode, address: &str) -> Answer {
        match HeaderValue::from_str(address) {
            Ok(address) => {
                let mut answer = answer(status, &self.redirect, Bytes::new());
                answer.headers_mut().insert(LOCATION, address);
                answer
            }
            Err(_) => self.not_found(),
        }
    }

    /// That the link to a page has ended.
    pub(super) fn ended(&self) -> Answer {
        self.page(StatusCode::NOT_FOUND, pages::ENDED)
    }

    pub(super) fn robots(&self) -> Answer {
        answer(StatusCode::OK, &self.text, Bytes::from_static(pages::ROBOTS.as_bytes()))
    }

    /// The key authorization of an ACME challenge, or that there is none.
    pub(super) fn challenge(&self, authorization: Option<String>) -> Answer {
        match authorization {
            Some(text) => answer(StatusCode::OK, &self.text, Bytes::from(text)),
            None => answer(StatusCode::NOT_FOUND, &self.text, Bytes::from_static(b"not found\n")),
        }
    }

    pub(super) fn not_found(&self) -> Answer {
        self.page(StatusCode::NOT_FOUND, pages::NOT_FOUND)
    }

    pub(super) fn failed(&self) -> Answer {
        self.page(StatusCode::INTERNAL_SERVER_ERROR, pages::FAILED)
    }

    pub(super) fn refused(&self, refusal: Refusal, version: Version) -> Answer {
        match refusal {
            Refusal::BadHost => self.page(StatusCode::BAD_REQUEST, pages::BAD_HOST),
            Refusal::Misdirected => self.page(StatusCode::MISDIRECTED_REQUEST, pages::MISDIRECTED),
            Refusal::HasBody => {
                let mut answer = self.page(StatusCode::PAYLOAD_TOO_LARGE, pages::HAS_BODY);
                if version != Version::HTTP_2 {
                    answer.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
                }
                answer
            }
            Refusal::CrossSite => self.page(StatusCode::FORBIDDEN, pages::CROSS_SITE),
            Refusal::Method(allowed) => {
                let mut answer = self.page(StatusCode::METHOD_NOT_ALLOWED, pages::METHOD);
                answer.headers_mut().insert(ALLOW, HeaderValue::from_static(allowed));
                answer
            }
        }
    }

    fn page(&self, status: StatusCode, page: &'static str) -> Answer {
        answer(status, &self.page, Bytes::from_static(page.as_bytes()))
    }
}

/// The answer to HEAD: the fields that GET would get, its length too (RFC 9110 §9.3.2).
pub(super) fn leave_content_out(answer: &mut Answer) {
    let length = answer.body().size_hint().exact().filter(|length| *length > 0);
    *answer.body_mut() = Full::default();
    if let Some(length) = length {
        answer.headers_mut().insert(CONTENT_LENGTH, HeaderValue::from(length));
    }
}

fn answer(status: StatusCode, fields: &HeaderMap, body: Bytes) -> Answer {
    let mut answer = Response::new(Full::new(body));
    *answer.status_mut() = status;
    *answer.headers_mut() = fields.clone();
    answer
}

fn typed(content_type: &'static str) -> HeaderMap {
    let mut fields = shared_fields();
    fields.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    fields
}

/// The page of a customer's name has a look, a script and a form of its own, and nothing else.
fn sheet_fields() -> HeaderMap {
    let mut fields = typed("text/html; charset=utf-8");
    let policy = format!("{}; frame-ancestors 'none'", policy("'self'"));
    if let Ok(policy) = HeaderValue::from_str(&policy) {
        fields.insert(CONTENT_SECURITY_POLICY, policy);
    }
    fields.insert("x-robots-tag", HeaderValue::from_static("noindex, nofollow"));
    fields.insert("cross-origin-opener-policy", HeaderValue::from_static("same-origin"));
    fields
}

/// The customer's name is the origin, so nothing here may run, be framed, be cached or tell where
/// the visitor came from.
fn shared_fields() -> HeaderMap {
    let mut fields = HeaderMap::with_capacity(8);
    for (name, value) in [
        (CACHE_CONTROL, "no-store"),
        (
            CONTENT_SECURITY_POLICY,
            "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
        ),
        (REFERRER_POLICY, "no-referrer"),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ] {
        fields.insert(name, HeaderValue::from_static(value));
    }
    fields
}
