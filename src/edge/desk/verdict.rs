//! One word for all that is known of a name, and one sentence.

use super::tracking::{Certificate, Tracking};
use crate::audit::page::Told;

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
            (_, "error") => POINT,
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
const CERTIFY: Words = (
    "error",
    "You need to act: the name cannot be certified",
    "The certification authority\u{2019}s own words are below.",
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
            let (tracking, certificate) = (Tracking::of(&domain), Certificate::of(&domain));
            let verdict = Verdict::of(&tracking, &certificate, told);
            assert_eq!(verdict.status, expected, "{state} {who} {audit}: {}", verdict.headline);
        }
        let domain = json!({
            "state": "failing", "who": "customer", "orders": [{ "outcome": "caa", "who": "customer" }],
        });
        let mut tracking = Tracking::of(&domain);
        tracking.status = "note";
        let verdict = Verdict::of(&tracking, &Certificate::of(&domain), None);
        assert_eq!(verdict.headline, CERTIFY.1);
    }
}
