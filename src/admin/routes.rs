//! What the door answers.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Query, Request, State};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Router, http};
use http::header::{
    AUTHORIZATION, CACHE_CONTROL, CONTENT_TYPE, HOST, ORIGIN, X_CONTENT_TYPE_OPTIONS,
};
use http::{HeaderValue, Method, StatusCode};
use serde::Deserialize;
use serde_json::{Value, json};

use super::access::{Asked, Denied, Rules};
use super::door::Parts;
use super::minting::{self, Minting};
use super::{domains, page};
use crate::metrics::CONTENT_TYPE as METRICS;

/// The router for the TCP address and the one for the Unix socket.
pub(super) fn routers(parts: Parts, minting: Minting, rules: Arc<Rules>) -> (Router, Router) {
    let parts = Arc::new(parts);
    let links = Router::new().route("/v1/links", post(minting::links)).with_state(minting);
    let mut router = Router::new()
        .route("/", get(home))
        .route("/metrics", get(metrics))
        .route("/livez", get(|| async { text("ok\n") }))
        .route("/readyz", get(ready))
        .route("/v1/ledger", get(ledger))
        .route("/v1/keys/reload", post(reload_keys))
        .merge(links);
    if parts.recent.is_some() {
        router = router.route("/v1/events", get(events));
    }
    let router = router
        .merge(domains::routes())
        .fallback(|| async { failure(StatusCode::NOT_FOUND, "there is nothing under this path") })
        .method_not_allowed_fallback(|| async {
            failure(StatusCode::METHOD_NOT_ALLOWED, "this path does not take this method")
        })
        .with_state(parts);
    let guarded = |is_socket| {
        let state = (Arc::clone(&rules), is_socket);
        router.clone().layer(from_fn_with_state(state, guard))
    };
    (guarded(false), guarded(true))
}

async fn guard(
    State((rules, is_socket)): State<(Arc<Rules>, bool)>,
    request: Request,
    next: Next,
) -> Response {
    let judged = judged(&rules, &request, is_socket);
    let mut response = match judged {
        Ok(()) => next.run(request).await,
        Err(Denied::Host) => {
            failure(StatusCode::FORBIDDEN, "the Host is none of this door's names: see admin.hosts")
        }
        Err(Denied::Origin) => failure(StatusCode::FORBIDDEN, "the Origin is another site's"),
        Err(Denied::Token) => {
            let told = "this needs the bearer token of admin.token_file, or the Unix socket";
            let mut response = failure(StatusCode::UNAUTHORIZED, told);
            let scheme = HeaderValue::from_static("Bearer");
            response.headers_mut().insert(http::header::WWW_AUTHENTICATE, scheme);
            response
        }
    };
    let headers = response.headers_mut();
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

fn judged(rules: &Rules, request: &Request, is_socket: bool) -> Result<(), Denied> {
    let field = |name| request.headers().get(name).map(HeaderValue::as_bytes);
    let text = |name| field(name).and_then(|value| std::str::from_utf8(value).ok());
    let is_one = request.headers().get_all(HOST).iter().count() == 1;
    rules.judge(&Asked {
        host: if is_one { text(HOST) } else { None },
        origin: field(ORIGIN).map(|_| text(ORIGIN).unwrap_or("null")),
        authorization: field(AUTHORIZATION),
        path: request.uri().path(),
        is_change: !matches!(*request.method(), Method::GET | Method::HEAD),
        is_socket,
    })
}

async fn home(State(parts): State<Arc<Parts>>) -> Response {
    page::response(parts.sample.as_ref())
}

async fn metrics(State(parts): State<Arc<Parts>>) -> Response {
    typed(StatusCode::OK, METRICS, parts.metrics.text())
}

#[derive(Deserialize)]
struct Strictness {
    strict: Option<String>,
}

async fn ready(State(parts): State<Arc<Parts>>, Query(asked): Query<Strictness>) -> Response {
    let not_ready = parts.readiness.reasons();
    let degraded = parts.metrics.degraded.reasons();
    let is_strict = asked.strict.is_some_and(|strict| strict != "0");
    let is_ready = not_ready.is_empty() && (!is_strict || degraded.is_empty());
    let status = if is_ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let body = json!({ "ready": is_ready, "not_ready": not_ready, "degraded": degraded });
    object(status, &body)
}

async fn ledger(State(parts): State<Arc<Parts>>) -> Response {
    let counts = parts.metrics.ledger.counts();
    let body = json!({
        "received": counts.received,
        "journalled": counts.journalled,
        "direct": counts.direct,
        "unrecorded": counts.unrecorded,
        "in_progress": counts.in_progress,
        "late": counts.late,
        "balances": counts.balances(),
    });
    object(StatusCode::OK, &body)
}

async fn reload_keys(State(parts): State<Arc<Parts>>) -> Response {
    let reload = Arc::clone(&parts.reload_keys);
    match tokio::task::spawn_blocking(move || reload()).await {
        Ok(Ok(changed)) => object(StatusCode::OK, &json!({ "changed": changed })),
        Ok(Err(reason)) => failure(StatusCode::CONFLICT, &reason),
        Err(_) => failure(StatusCode::INTERNAL_SERVER_ERROR, "the reading ended by a panic"),
    }
}

#[derive(Deserialize)]
struct After {
    #[serde(default)]
    after: u64,
}

async fn events(State(parts): State<Arc<Parts>>, Query(asked): Query<After>) -> Response {
    let recent = parts.recent.clone().unwrap_or_default();
    typed(StatusCode::OK, JSON, recent.after(asked.after))
}

pub(super) fn failure(status: StatusCode, reason: &str) -> Response {
    object(status, &json!({ "error": reason }))
}

pub(super) fn object(status: StatusCode, body: &Value) -> Response {
    typed(status, JSON, format!("{body}\n"))
}

fn text(body: &'static str) -> Response {
    typed(StatusCode::OK, "text/plain; charset=utf-8", body)
}

fn typed(status: StatusCode, kind: &'static str, body: impl Into<Body>) -> Response {
    (status, [(CONTENT_TYPE, HeaderValue::from_static(kind))], body.into()).into_response()
}

const JSON: &str = "application/json";
