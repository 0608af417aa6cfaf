//! The page at `/`: under `dev` a sample mail beside the events it causes, else what is here.

use askama::Template;
use aws_lc_rs::digest;
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::header::{CONTENT_SECURITY_POLICY, CONTENT_TYPE};
use http::{HeaderValue, StatusCode};

/// What the sample mail shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sample {
    /// The tracked links.
    pub links: Vec<Label>,
    /// The address of the tracked pixel.
    pub pixel: String,
    /// A link over HTTPS, which a browser does not trust.
    pub secure: String,
    /// The command that follows it.
    pub curl: String,
    /// The file of the throw-away authority, which a browser may be told to trust.
    pub authority: String,
    /// The command that mints a link.
    pub mint: String,
    /// The command that prints events.
    pub terminal: String,
}

/// A link with its text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Label {
    /// What people read.
    pub text: String,
    /// Where it leads.
    pub url: String,
}

/// The page.
pub(super) fn response(sample: Option<&Sample>) -> Response {
    let Some(sample) = sample else {
        return html(PLAIN.to_owned(), "default-src 'none'".to_owned());
    };
    let page = Page { sample, style: STYLE, script: SCRIPT }.render().unwrap_or_default();
    let policy = format!(
        "default-src 'none'; connect-src 'self'; img-src {}; style-src '{}'; script-src '{}'; \
         base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
        origin(&sample.pixel),
        hash(STYLE),
        hash(SCRIPT),
    );
    html(page, policy)
}

#[derive(Template)]
#[template(path = "sample.html")]
struct Page<'a> {
    sample: &'a Sample,
    style: &'static str,
    script: &'static str,
}

fn html(page: String, policy: String) -> Response {
    let kind = HeaderValue::from_static("text/html; charset=utf-8");
    let policy = HeaderValue::from_str(&policy)
        .unwrap_or_else(|_| HeaderValue::from_static("default-src 'none'"));
    (StatusCode::OK, [(CONTENT_TYPE, kind), (CONTENT_SECURITY_POLICY, policy)], page)
        .into_response()
}

/// The source expression of a script or style that stands in the page (CSP 3 §2.3.1).
fn hash(text: &str) -> String {
    let sum = digest::digest(&digest::SHA256, text.as_bytes());
    format!("sha256-{}", STANDARD.encode(sum.as_ref()))
}

fn origin(url: &str) -> String {
    url.split('/').take(3).collect::<Vec<_>>().join("/")
}

const STYLE: &str = include_str!("../../templates/sample.css");
const SCRIPT: &str = include_str!("../../templates/sample.js");
const PLAIN: &str = "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n\
    <title>waypost</title>\n<h1>waypost: the operator's door</h1>\n<ul>\n\
    <li><a href=\"/livez\">/livez</a>: the process runs</li>\n\
    <li><a href=\"/readyz\">/readyz</a>: it can answer; its degraded reasons</li>\n\
    <li><a href=\"/metrics\">/metrics</a>: what it counts</li>\n\
    <li><a href=\"/v1/ledger\">/v1/ledger</a>: the balance of events</li>\n</ul>\n</html>\n";
