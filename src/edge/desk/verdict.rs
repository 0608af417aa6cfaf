//! One word for all that is known of a name, and one sentence.

use super::tracking::{Certificate, Tracking};
use crate::audit::page::Told;
use crate::domains::Reason;

/// What stands at the top of the page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Verdict {
    /// As severities are called.
    pub(super) status: &'static str,
    pub(super) headline: &'static str,
    pub(super) sentence: &'static str,
}

impl Verdict {
    /// The worst comes first: what keeps links or mail from working, then what is on its way, then
    /// what could be better.
    pub(super) fn of(tracking: &Tracking, certificate: &Certificate, told: Option<&Told>) -> Self {
        let status = told.map_or("", |told| told.status.as_str());
        let is_gated = told.is_some_and(|told| told.is_gated);
        let (status, headline, sentence) = match (tracking.state.as_str(), tracking.status) {
            ("removed", _) => REMOVED,
            (_, "error") => act(tracking.reason),
            _ if certificate.is_expired => EXPIRED,
            _ if certificate.status == "error" => CERTIFY,
            _ if is_gated => GATED,
            (state, _) if certificate.status == "weak" || is_ours(state, tracking) => OURS,
            (_, "unknown") => AUTHORITY,
            (_, "note") => COMING,
            _ => match status {
                "error" => BROKEN,
                "weak" => WEAK,
                _ if tracking.status == "weak" => FLATTENED,
                "unknown" => UNKNOWN,
                "" => UNAUDITED,
                _ => CLEAN,
            },
        };
        Self { status, headline, sentence }
    }
}

/// What the customer has to do about a name.
const fn act(reason: Option<Reason>) -> Words {
    match reason {
        Some(Reason::CaCaa | Reason::ChallengeDns) => CERTIFY,
        Some(Reason::CaaForbids) => FORBIDDEN,
        Some(Reason::Disagreement) => SPLIT,
        Some(Reason::Wildcard) => WILDCARD,
        _ => POINT,
    }
}

fn is_ours(state: &str, tracking: &Tracking) -> bool {
    tracking.status == "weak" && state != "flattened"
}

type Words = (&'static str, &'static str, &'static str);

const REMOVED: Words = (
    "note",
    "This name was removed",
    "It is not looked at any more. Links in messages that were sent go on working.",
);
const POINT: Words = (
    "error",
    "You need to act: the name does not lead to the platform",
    "Publish the record below; it is seen within minutes, or at once with \u{201c}Check again\u{201d}.",
);
const SPLIT: Words = (
    "error",
    "You need to act: your DNS servers give different answers",
    "Publish the record below on every one of them; it is seen within minutes, or at once with \
     \u{201c}Check again\u{201d}.",
);
const WILDCARD: Words = (
    "error",
    "You need to act: a wildcard leads every name to the platform",
    "Ask the platform to list this name, or publish the names that are meant in place of the wildcard.",
);
const FORBIDDEN: Words = (
    "error",
    "You need to act: CAA records keep the name from being certified",
    "The name leads to the platform, and links open once it is certified. Which record forbids it is \
     told below.",
);
const CERTIFY: Words = (
    "error",
    "You need to act: the name cannot be certified",
    "The name leads to the platform. The certification authority\u{2019}s own words are below.",
);
const EXPIRED: Words = (
    "error",
    "The certificate has expired",
    "Browsers warn of it. What became of the last orders, and who acts, is told below.",
);
const GATED: Words = (
    "error",
    "You need to act: something is in the way of your mail or links",
    "What is marked \u{201c}in the way\u{201d} below has to be mended; all else is advice.",
);
const OURS: Words = (
    "weak",
    "The platform needs to act",
    "There is nothing for you to do; what is being waited for is told below.",
);
const AUTHORITY: Words = (
    "unknown",
    "Waiting for the certification authority",
    "There is nothing for you to do; the order is tried again in time.",
);
const COMING: Words = (
    "note",
    "On its way",
    "There is nothing for you to do now; how far it has come is told below.",
);
const BROKEN: Words = (
    "weak",
    "It works, and some records are broken",
    "Links and mail work; what is marked \u{201c}error\u{201d} below has no effect until it is mended.",
);
const WEAK: Words = (
    "weak",
    "It works, and some records could be better",
    "Links and mail work; what follows is advice.",
);
const FLATTENED: Words = (
    "weak",
    "It works, until the platform\u{2019}s addresses change",
    "The name has our addresses and no CNAME; a CNAME follows when they change.",
);
const UNKNOWN: Words = (
    "unknown",
    "It works, as far as is known",
    "The DNS did not answer for everything; that is asked again.",
);
const UNAUDITED: Words =
    ("clean", "The tracking name works", "The records of your mail have not been audited yet.");
const CLEAN: Words = ("clean", "All is well", "There is nothing to do.");

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::audit::{Draft, DraftKind};
    use crate::clock::Timestamp;
    use crate::hostname::Hostname;

    const NOW: Timestamp = Timestamp::from_seconds(1_800_000_000);

    /// What stands at the top for each reason, and the type of the record to paste.
    fn expected(reason: Reason) -> (&'static str, Words, &'static str) {
        match reason {
            Reason::Added => ("new", COMING, ""),
            Reason::Addresses
            | Reason::Dangling
            | Reason::Elsewhere
            | Reason::Loop
            | Reason::TooLong => ("misdirected", POINT, "CNAME"),
            Reason::NoCname | Reason::NoName => ("new", POINT, "CNAME"),
            Reason::Disagreement => ("split", SPLIT, "CNAME"),
            Reason::Wildcard => ("blocked", WILDCARD, ""),
            Reason::CaaForbids => ("blocked", FORBIDDEN, "CAA"),
            Reason::CaaAtTarget => ("blocked", OURS, "CAA"),
            Reason::CaCaa | Reason::ChallengeDns => ("failing", CERTIFY, ""),
            Reason::Budget => ("blocked", OURS, ""),
            Reason::CaAccount | Reason::Challenge | Reason::Node | Reason::Unreachable => {
                ("failing", OURS, "")
            }
            Reason::CaRejects | Reason::CaUnavailable | Reason::Unusable => {
                ("failing", AUTHORITY, "")
            }
            Reason::CaLimits => ("failing", COMING, ""),
            Reason::Certificate => ("active", UNAUDITED, ""),
            Reason::Cname => ("pointed", COMING, ""),
            Reason::Ordered => ("issuing", COMING, ""),
            Reason::Flattened => ("flattened", FLATTENED, "CNAME"),
            Reason::Removed => ("removed", REMOVED, ""),
        }
    }

    #[test]
    fn each_reason_has_its_headline_and_a_record_where_one_mends_it() {
        let name = Hostname::parse("trk.example.com").unwrap();
        let target = Hostname::parse("trk.platform.example").unwrap();
        for reason in Reason::ALL {
            let (state, words, kind) = expected(reason);
            let admission = "example.com. CAA 0 issue \"ca.example\"".to_owned();
            let record = reason.record(&name, &target, Some(admission));
            let domain = json!({
                "state": state, "reason": reason.code(), "who": reason.who().name(),
                "record": record,
            });
            let (tracking, certificate) = (Tracking::of(&domain), Certificate::of(&domain, NOW));
            let verdict = Verdict::of(&tracking, &certificate, None);
            assert_eq!((verdict.status, verdict.headline, verdict.sentence), words, "{reason:?}");
            let record = tracking.record.unwrap_or_default();
            assert_eq!(record.kind, kind, "{reason:?}");
            let is_promised = verdict.sentence.contains("the record below");
            assert!(!is_promised || !kind.is_empty(), "{reason:?}");
            match kind {
                "CNAME" => assert_eq!(
                    (record.name.as_str(), record.value.as_str()),
                    ("trk.example.com", "trk.platform.example"),
                ),
                "CAA" => {
                    assert_ne!(record.name, "trk.example.com", "beside a CNAME");
                    let draft = Draft::judge(&record.value, Some(DraftKind::Caa)).unwrap();
                    assert_eq!(draft.findings, [], "{reason:?}");
                }
                _ => {}
            }
            // Without a place to paste it there is no record.
            let without = reason.record(&name, &target, None);
            assert_eq!(without.is_some(), kind == "CNAME", "{reason:?}");
        }
    }

    #[test]
    fn an_expired_certificate_stands_at_the_top_whoever_acts() {
        for (who, outcome) in [("platform", "issued"), ("customer", "caa"), ("ca", "rejected")] {
            let domain = json!({
                "state": "active", "reason": "certificate", "who": "nobody",
                "certificate": { "not_after": NOW.to_string(), "issuer": "ca", "serial": "1" },
                "orders": [{ "outcome": outcome, "who": who }],
            });
            let told = |now| {
                let certificate = Certificate::of(&domain, now);
                (Verdict::of(&Tracking::of(&domain), &certificate, None), certificate)
            };
            let (verdict, certificate) = told(NOW);
            assert_eq!((verdict.status, verdict.headline), ("error", EXPIRED.1), "{who}");
            assert_eq!(
                (certificate.status, certificate.who),
                ("error", crate::audit::page::who(who))
            );
            assert!(certificate.found.starts_with("expired at 2027-01-15"), "{certificate:?}");
            let (verdict, certificate) = told(Timestamp::from_seconds(NOW.seconds() - 1));
            assert_eq!(verdict.status, "clean", "{who}");
            assert!(certificate.found.starts_with("valid until"), "{certificate:?}");
        }
    }

    #[test]
    fn the_worst_is_told_and_who_need_not_act_is_not_asked_to() {
        let cases = [
            ("removed", "nobody", "error", true, "note"),
            ("misdirected", "customer", "clean", false, "error"),
            ("active", "nobody", "error", true, "error"),
            ("active", "nobody", "error", false, "weak"),
            ("active", "nobody", "weak", false, "weak"),
            ("active", "nobody", "unknown", false, "unknown"),
            ("active", "nobody", "note", false, "clean"),
            ("active", "nobody", "", false, "clean"),
            ("blocked", "platform", "clean", false, "weak"),
            ("failing", "ca", "clean", false, "unknown"),
            ("issuing", "nobody", "clean", false, "note"),
            ("new", "nobody", "weak", false, "note"),
            ("flattened", "nobody", "note", false, "weak"),
        ];
        for (state, who, audit, gated, expected) in cases {
            let domain = json!({ "state": state, "who": who });
            let told = Told { status: audit.to_owned(), is_gated: gated, ..Told::default() };
            let told = Some(&told).filter(|told| !told.status.is_empty());
            let (tracking, certificate) = (Tracking::of(&domain), Certificate::of(&domain, NOW));
            let verdict = Verdict::of(&tracking, &certificate, told);
            assert_eq!(verdict.status, expected, "{state} {who} {audit}: {}", verdict.headline);
        }
        let domain = json!({
            "state": "failing", "who": "customer", "orders": [{ "outcome": "caa", "who": "customer" }],
        });
        let mut tracking = Tracking::of(&domain);
        tracking.status = "note";
        let verdict = Verdict::of(&tracking, &Certificate::of(&domain, NOW), None);
        assert_eq!(verdict.headline, CERTIFY.1);
    }
}
