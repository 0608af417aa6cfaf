//! `/v1/domains`: the customers' hostnames.

use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, Query, State};
use axum::response::Response;
use axum::routing::{get, post};
use http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};

use super::door::Parts;
use super::routes::{failure, object};
use crate::domains::{self, Addition, Origin, Porter, RegisterError};
use crate::hostname::Hostname;

/// The routes under `/v1/domains`.
pub(super) fn routes() -> Router<Arc<Parts>> {
    Router::new()
        .route("/v1/domains", get(list).post(add))
        .route("/v1/domains/{name}", get(show).delete(remove))
        .route("/v1/domains/{name}/check", post(check))
        .route("/v1/domains/{name}/audit", get(audit))
}

#[derive(Deserialize)]
struct Paging {
    #[serde(default)]
    after: String,
    limit: Option<usize>,
    state: Option<String>,
}

async fn list(State(parts): State<Arc<Parts>>, Query(paging): Query<Paging>) -> Response {
    let state = match paging.state.as_deref().map(|name| domains::State::named(name).ok_or(name)) {
        None => None,
        Some(Ok(state)) => Some(state),
        Some(Err(name)) => {
            return failure(StatusCode::BAD_REQUEST, &format!("state: there is no state {name:?}"));
        }
    };
    let limit = paging.limit.unwrap_or(PAGE).clamp(1, LARGEST_PAGE);
    let listed = parts.domains.register().list(&paging.after, limit, state).await;
    answered(listed.map(|listed| listed.object()))
}

async fn show(State(parts): State<Arc<Parts>>, Path(name): Path<String>) -> Response {
    match Hostname::parse(&name) {
        Ok(name) => answered(shown(&parts, &name).await),
        Err(error) => failure(StatusCode::BAD_REQUEST, &format!("{name:?} {error}")),
    }
}

async fn shown(parts: &Parts, name: &Hostname) -> Result<Value, RegisterError> {
    let mut domain = parts.domains.register().show(name).await?;
    domain["audit"] = parts.audits.short(name).await?;
    Ok(domain)
}

/// What the last audit found.
async fn audit(State(parts): State<Arc<Parts>>, Path(name): Path<String>) -> Response {
    match Hostname::parse(&name) {
        Ok(name) => answered(audited(&parts, &name).await),
        Err(error) => failure(StatusCode::BAD_REQUEST, &format!("{name:?} {error}")),
    }
}

async fn audited(parts: &Parts, name: &Hostname) -> Result<Value, RegisterError> {
    if parts.domains.register().domain(name).await?.is_none() {
        return Err(RegisterError::Missing(name.clone()));
    }
    let audit = parts.audits.whole(name).await?;
    Ok(json!({ "domain": name.as_str(), "audit": audit }))
}

async fn remove(State(parts): State<Arc<Parts>>, Path(name): Path<String>) -> Response {
    match Hostname::parse(&name) {
        Ok(name) => answered(parts.domains.register().remove(&name).await),
        Err(error) => failure(StatusCode::BAD_REQUEST, &format!("{name:?} {error}")),
    }
}

async fn check(State(parts): State<Arc<Parts>>, Path(name): Path<String>) -> Response {
    match Hostname::parse(&name) {
        Ok(name) => answered(checked(&parts.domains, &name).await),
        Err(error) => failure(StatusCode::BAD_REQUEST, &format!("{name:?} {error}")),
    }
}

async fn checked(porter: &Porter, name: &Hostname) -> Result<Value, RegisterError> {
    porter.forget(name);
    porter.register().check(name).await
}

/// A name to be added, as it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    domain: String,
    #[serde(default)]
    sending: Option<String>,
    #[serde(default)]
    account: Option<String>,
    #[serde(default)]
    dkim: Option<String>,
}

impl Written {
    fn read(self) -> Result<Addition, String> {
        let wrong = |text: &str, error| format!("{text:?} {error}");
        let name = Hostname::parse(&self.domain).map_err(|error| wrong(&self.domain, error))?;
        let sending = match self.sending {
            None => None,
            Some(text) => {
                let host = Hostname::parse(&text).map_err(|error| wrong(&text, error))?;
                Some(host.to_string())
            }
        };
        let addition = Addition { name, sending, account: self.account, dkim: self.dkim };
        addition.problem().map_or(Ok(addition), Err)
    }
}

/// Adds one name (an object), or many (one object a line). All lines are read before any is added.
async fn add(State(parts): State<Arc<Parts>>, body: Bytes) -> Response {
    let mut additions = Vec::new();
    let mut problems = Vec::new();
    let lines = body.split(|byte| *byte == b'\n').zip(1_u64..);
    for (line, number) in lines.filter(|(line, _)| !line.trim_ascii().is_empty()) {
        let read = serde_json::from_slice::<Written>(line).map_err(|error| error.to_string());
        match read.and_then(Written::read) {
            Ok(addition) => additions.push(addition),
            Err(reason) => problems.push(json!({ "line": number, "error": reason })),
        }
    }
    if additions.is_empty() && problems.is_empty() {
        return failure(
            StatusCode::BAD_REQUEST,
            "expected one object a line, such as {\"domain\":…}",
        );
    }
    if !problems.is_empty() {
        let body = json!({ "error": "nothing was added", "problems": problems });
        return object(StatusCode::BAD_REQUEST, &body);
    }
    for addition in &additions {
        parts.domains.forget(&addition.name);
    }
    let added = parts.domains.register().add(&additions, Origin::Operator).await;
    answered(added.map(|added| {
        json!({
            "new": added.new,
            "changed": added.changed,
            "same": added.same,
            "refused": added.refused,
        })
    }))
}

fn answered(result: Result<Value, RegisterError>) -> Response {
    let error = match result {
        Ok(value) => return object(StatusCode::OK, &value),
        Err(error) => error,
    };
    let status = match error {
        RegisterError::Missing(_) => StatusCode::NOT_FOUND,
        RegisterError::Contended(_) => StatusCode::CONFLICT,
        RegisterError::NoTarget => StatusCode::BAD_REQUEST,
        RegisterError::Store(_) => StatusCode::SERVICE_UNAVAILABLE,
    };
    failure(status, &error.to_string())
}

const PAGE: usize = 100;
const LARGEST_PAGE: usize = 1_000;
