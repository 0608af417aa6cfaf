//! Domains as JSON, for the operator's door and the command line alike.

use serde_json::{Map, Value, json};

use super::{Attempt, Certified, Config, Domain, Finding, Sight};
use crate::clock::Timestamp;

/// The record to paste for a domain, if there is one.
pub(super) fn record(domain: &Domain, config: &Config) -> Option<String> {
    let target = config.target.as_ref()?;
    let authority = config.authorities.first();
    let admission = domain.issue_at.as_ref().zip(authority);
    let admission = admission.map(|(at, ca)| format!("{at}. CAA 0 issue \"{ca}\""));
    domain.reason.record(&domain.name, target, admission)
}

/// A domain as one object.
pub(super) fn object(domain: &Domain, due: Option<Timestamp>, config: &Config) -> Value {
    let time = |time: Option<Timestamp>| time.map(|time| time.to_string());
    let (sending, is_assumed) = domain.sending_domain();
    let trouble = domain.trouble.as_ref();
    json!({
        "domain": domain.name.as_str(),
        "state": domain.state.name(),
        "reason": domain.reason.code(),
        "why": domain.reason.why(),
        "who": domain.reason.who().name(),
        "expected": expected(domain, config),
        "found": domain.detail,
        "record": record(domain, config),
        "sending_domain": sending,
        "sending_domain_assumed": is_assumed,
        "account": domain.account,
        "dkim": domain.dkim,
        "origin": domain.origin,
        "added": domain.added.to_string(),
        "since": domain.since.to_string(),
        "checked": time(domain.checked),
        "next_check": time(due),
        "trouble": trouble.map(|(time, why)| json!({ "time": time.to_string(), "why": why })),
        "absent_since": time(domain.absent.map(|(since, _)| since)),
        "absent_answers": domain.absent.map_or(0, |(_, count)| count),
        "certificate": domain.certificate.as_ref().map(Certified::object),
        "orders": domain.orders.iter().map(Attempt::object).collect::<Vec<_>>(),
    })
}

/// A domain with what was just seen of it.
pub(super) fn report(
    domain: &Domain,
    due: Option<Timestamp>,
    sight: &Sight,
    config: &Config,
) -> Value {
    let mut object = match object(domain, due, config) {
        Value::Object(object) => object,
        _ => Map::new(),
    };
    let servers = sight.servers.iter().map(|view| {
        json!({
            "server": view.server.to_string(),
            "address": view.address.map(|address| address.to_string()),
            "said": view.said,
        })
    });
    object.insert("servers".to_owned(), servers.collect());
    object.insert("seen".to_owned(), json!(sight.finding.found(&sight.chain)));
    let failed = matches!(sight.finding, Finding::Failed(..));
    object.insert("answered".to_owned(), json!(!failed));
    if failed {
        object.insert("why".to_owned(), json!(UNANSWERED));
    }
    Value::Object(object)
}

fn expected(domain: &Domain, config: &Config) -> Option<String> {
    let target = config.target.as_ref()?;
    Some(format!("{}. CNAME {target}.", domain.name))
}

/// Why nothing is said of a name when its check failed.
const UNANSWERED: &str =
    "the DNS did not say, which is no absence: nothing is known anew, and nothing was changed";
