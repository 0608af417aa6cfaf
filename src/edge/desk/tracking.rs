//! What the register knows of a name, made ready to be shown.

use serde_json::Value;

use crate::audit::page::{moment, who};
use crate::audit::visible;
use crate::clock::Timestamp;
use crate::domains::Reason;

/// How the name leads to us.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Tracking {
    pub(super) state: String,
    /// Why it is in that state.
    pub(super) reason: Option<Reason>,
    /// The word for how it stands, as in audits.
    pub(super) status: &'static str,
    pub(super) expected: String,
    pub(super) found: String,
    pub(super) why: String,
    pub(super) who: &'static str,
    pub(super) record: Option<Record>,
    pub(super) since: Moment,
    pub(super) looked: Option<Moment>,
    pub(super) next: Option<Moment>,
    /// What was in the way of the last look.
    pub(super) trouble: Option<(Moment, String)>,
    /// Since when answers lack the CNAME.
    pub(super) gone: Option<Moment>,
}

/// How it is certified.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Certificate {
    pub(super) status: &'static str,
    /// Whether one is held that clients refuse.
    pub(super) is_expired: bool,
    pub(super) found: String,
    pub(super) why: String,
    pub(super) who: &'static str,
    /// The last orders, the newest first.
    pub(super) orders: Vec<Order>,
}

/// What came of an order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Order {
    pub(super) at: Moment,
    pub(super) issuer: String,
    pub(super) outcome: String,
    /// The authority's own words.
    pub(super) detail: String,
    /// Who must act; empty when nobody.
    pub(super) who: &'static str,
}

/// A record to paste.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Record {
    pub(super) name: String,
    pub(super) kind: String,
    pub(super) value: String,
}

/// A time, for machines and for people.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Moment {
    pub(super) exact: String,
    pub(super) told: String,
}

impl Moment {
    pub(super) fn of(exact: &str) -> Self {
        Self { exact: exact.to_owned(), told: moment(exact) }
    }

    fn at(object: &Value, key: &str) -> Option<Self> {
        object[key].as_str().map(Self::of)
    }
}

impl Tracking {
    /// Of a domain as the register tells it.
    pub(super) fn of(domain: &Value) -> Self {
        let (state, acts) = (word(domain, "state"), word(domain, "who"));
        let trouble = &domain["trouble"];
        Self {
            state: state.to_owned(),
            reason: Reason::of(word(domain, "reason")),
            status: match (state, acts) {
                ("active", _) => "clean",
                (_, "customer") => "error",
                ("flattened", _) | (_, "platform") => "weak",
                (_, "ca") => "unknown",
                _ => "note",
            },
            expected: text(domain, "expected"),
            found: match text(domain, "found") {
                found if found.is_empty() => "not looked at yet".to_owned(),
                found => found,
            },
            why: text(domain, "why"),
            who: who(acts),
            record: Record::of(domain["record"].as_str().unwrap_or_default()),
            since: Moment::at(domain, "since").unwrap_or_default(),
            looked: Moment::at(domain, "checked"),
            next: Moment::at(domain, "next_check"),
            trouble: Moment::at(trouble, "time").map(|at| (at, text(trouble, "why"))),
            gone: Moment::at(domain, "absent_since"),
        }
    }
}

impl Certificate {
    /// Of a domain as the register tells it.
    pub(super) fn of(domain: &Value, now: Timestamp) -> Self {
        let orders = domain["orders"].as_array().map_or(&[][..], Vec::as_slice);
        let last = orders.last();
        let failed = last.filter(|order| word(order, "outcome") != "issued");
        let held = &domain["certificate"];
        let until = Moment::at(held, "not_after");
        // Times of one form are ordered as their texts are.
        let is_expired = until.as_ref().is_some_and(|until| until.exact <= now.to_string());
        let is_held = until.is_some() || word(domain, "state") == "active";
        let (status, why, acts) = match (is_held, failed) {
            _ if is_expired => {
                let acts = failed.map_or("platform", |order| word(order, "who"));
                ("error", EXPIRED, if acts == "nobody" { "platform" } else { acts })
            }
            (true, None) => ("clean", HELD, "nobody"),
            // One is held, and its renewal failed: it is tried again in time.
            (true, Some(_)) => ("note", RENEWED, "nobody"),
            (false, Some(order)) => {
                let acts = word(order, "who");
                let status = if acts == "customer" { "error" } else { "weak" };
                (status, FAILED, acts)
            }
            (false, None) => ("note", ORDERED, "nobody"),
        };
        let found = match until {
            Some(until) if is_expired => {
                format!("expired at {}, from {}", until.told, text(held, "issuer"))
            }
            Some(until) => format!("valid until {}, from {}", until.told, text(held, "issuer")),
            None if is_held => "held by the platform".to_owned(),
            None => "none yet".to_owned(),
        };
        let orders = orders.iter().rev().take(ORDERS).map(Order::of).collect();
        Self { status, is_expired, found, why: why.to_owned(), who: who(acts), orders }
    }
}

impl Order {
    fn of(order: &Value) -> Self {
        let acts = word(order, "who");
        Self {
            at: Moment::at(order, "time").unwrap_or_default(),
            issuer: text(order, "issuer"),
            outcome: text(order, "outcome").replace('_', " "),
            detail: text(order, "detail"),
            who: if acts == "nobody" { "" } else { who(acts) },
        }
    }
}

impl Record {
    /// Of a record in words: `trk.example.com. CNAME trk.platform.example.`
    fn of(record: &str) -> Option<Self> {
        let (name, rest) = record.split_once(' ')?;
        let (kind, value) = rest.split_once(' ')?;
        let bare = |name: &str| visible(name.strip_suffix('.').unwrap_or(name));
        // Where names are pasted, a dot at the end is not understood everywhere.
        Some(Self { name: bare(name), kind: visible(kind), value: bare(value) })
    }
}

fn text(object: &Value, key: &str) -> String {
    visible(word(object, key))
}

fn word<'a>(object: &'a Value, key: &str) -> &'a str {
    object[key].as_str().unwrap_or_default()
}

const HELD: &str = "links open over HTTPS; the certificate is renewed in time, without anybody";
const RENEWED: &str = "a certificate is held, and its renewal is tried again in time";
const EXPIRED: &str = "browsers warn of a certificate that has expired, so links do not open; \
                       another is ordered in time, as long as the name leads to the platform";
const FAILED: &str = "the last order came to nothing; another is made in time, and at once when the \
                      name has been looked at again and is right";
const ORDERED: &str = "a certificate is ordered as soon as the name leads to the platform and \
                       may be certified";
/// Orders that are shown.
const ORDERS: usize = 5;

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const NOW: Timestamp = Timestamp::from_seconds(1_764_000_000);

    #[test]
    fn a_record_is_shown_in_the_parts_in_which_it_is_pasted() {
        let record = Record::of("trk.example.com. CNAME trk.platform.example.").unwrap();
        let (name, kind) = ("trk.example.com".to_owned(), "CNAME".to_owned());
        assert_eq!(record, Record { name, kind, value: "trk.platform.example".to_owned() });
        let record = Record::of("trk.example.com. CAA 0 issue \"ca.example\"").unwrap();
        assert_eq!(
            (record.kind.as_str(), record.value.as_str()),
            ("CAA", "0 issue \"ca.example\"")
        );
        assert_eq!((Record::of(""), Record::of("x")), (None, None));
    }

    #[test]
    fn an_order_that_failed_says_who_acts_only_while_no_certificate_is_held() {
        let failed = json!({
            "time": "2026-11-23T12:00:00.000001Z", "issuer": "ca", "outcome": "challenge_dns",
            "who": "customer", "detail": "NXDOMAIN\u{202e}",
        });
        let mut domain = json!({ "state": "failing", "orders": [failed] });
        let without = Certificate::of(&domain, NOW);
        assert_eq!((without.status, without.found.as_str()), ("error", "none yet"));
        assert_eq!(without.orders[0].detail, "NXDOMAIN\u{fffd}");
        assert_eq!(without.orders[0].at.told, "2026-11-23 12:00:00 UTC");
        domain["certificate"] =
            json!({ "not_after": "2027-01-23T12:00:00.000000Z", "issuer": "ca", "serial": "1" });
        let with = Certificate::of(&domain, NOW);
        assert_eq!((with.status, with.who), ("note", "nobody"));
        assert_eq!(with.found, "valid until 2027-01-23 12:00:00 UTC, from ca");
    }

    #[test]
    fn whatever_the_register_tells_is_shown() {
        assert_eq!(Tracking::of(&json!(null)).found, "not looked at yet");
        assert_eq!(Certificate::of(&json!([]), NOW).found, "none yet");
    }
}
