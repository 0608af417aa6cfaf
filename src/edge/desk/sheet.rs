//! The page of a name: how it leads to us, how it is certified and what its records are worth.

use std::time::Duration;

use askama::Template;
use serde_json::Value;

use super::tracking::{Certificate, Moment, Tracking};
use super::turns::Standing;
use super::verdict::Verdict;
use crate::audit::page::{SCRIPT, STYLE, Told, ToldFinding};
use crate::audit::{Kept, visible};
use crate::clock::Timestamp;

/// What is known of a name.
#[derive(Debug)]
pub(super) struct Known<'a> {
    /// As the register tells it.
    pub(super) domain: &'a Value,
    /// What the last audit found.
    pub(super) kept: Option<&'a Kept>,
    /// When the next one is.
    pub(super) due: Option<Timestamp>,
    /// Whether anything is audited.
    pub(super) is_audited: bool,
    /// Whether it may be looked at.
    pub(super) standing: Standing,
    pub(super) now: Timestamp,
    pub(super) operator: &'a str,
    pub(super) path: &'a str,
}

/// The page. Everything that comes from the DNS, or from an authority, is visible and escaped.
pub(super) fn page(known: &Known<'_>) -> Result<String, askama::Error> {
    Sheet::of(known).render()
}

#[derive(Template)]
#[template(path = "customer.html")]
struct Sheet<'a> {
    style: &'static str,
    script: &'static str,
    name: String,
    sending: String,
    operator: &'a str,
    path: &'a str,
    verdict: Verdict,
    again: Again,
    rows: Vec<Row>,
    tracking: Tracking,
    /// What the audit says of the name beside that.
    beside: Vec<ToldFinding>,
    certificate: Certificate,
    told: Told,
    audit: Audit,
}

/// Whether and when the name may be looked at.
#[derive(Debug)]
enum Again {
    Now,
    Running,
    /// It was a moment ago.
    From(String),
    /// Many others are.
    Crowded(String),
}

/// One line of the overview.
#[derive(Debug)]
struct Row {
    anchor: String,
    topic: String,
    status: String,
    told: String,
}

/// The audit as a whole.
#[derive(Debug)]
enum Audit {
    /// Nothing is audited here.
    Off,
    /// None was made yet.
    None,
    Made {
        at: Moment,
        next: Option<Moment>,
        unanswered: String,
    },
}

impl<'a> Sheet<'a> {
    fn of(known: &Known<'a>) -> Self {
        let tracking = Tracking::of(known.domain);
        let certificate = Certificate::of(known.domain, known.now);
        // Whoever is at work on the records wants to see what was seen last.
        let report = known.kept.map(Kept::newest);
        let whole = report.as_ref().map(Told::of);
        let verdict = Verdict::of(&tracking, &certificate, whole.as_ref());
        let mut told = whole.unwrap_or_default();
        let beside = beside(&mut told, &tracking);
        Self {
            style: STYLE,
            script: SCRIPT,
            name: visible(known.domain["domain"].as_str().unwrap_or_default()),
            sending: visible(known.domain["sending_domain"].as_str().unwrap_or_default()),
            operator: known.operator,
            path: known.path,
            verdict,
            again: Again::of(known),
            rows: rows(&tracking, &certificate, &told),
            tracking,
            beside,
            certificate,
            told,
            audit: Audit::of(known),
        }
    }
}

impl Again {
    fn of(known: &Known<'_>) -> Self {
        // A whole second later, so that it may be then.
        let at = |wait: Duration| {
            let at = known.now.plus(wait + Duration::from_secs(1));
            Moment::of(&at.to_string()).told
        };
        match known.standing {
            Standing::Free => Self::Now,
            Standing::Running => Self::Running,
            Standing::Resting(wait) => Self::From(at(wait)),
            Standing::Crowded(wait) => Self::Crowded(at(wait)),
        }
    }
}

impl Audit {
    fn of(known: &Known<'_>) -> Self {
        let moment = |time: Timestamp| Moment::of(&time.to_string());
        match known.kept {
            Some(kept) => Self::Made {
                at: moment(kept.checked_at),
                next: known.due.map(moment),
                unanswered: kept.unanswered.join(", "),
            },
            None if known.is_audited => Self::None,
            None => Self::Off,
        }
    }
}

/// Takes the section about the tracking name out of a report: it is told once, with what the
/// register knows. What remains of it is what the register does not say.
fn beside(told: &mut Told, tracking: &Tracking) -> Vec<ToldFinding> {
    let Some(at) = told.sections.iter().position(|section| section.topic == "tracking") else {
        return Vec::new();
    };
    let section = told.sections.remove(at);
    let is_said = |finding: &ToldFinding| {
        let bare = finding.record.trim_end_matches('.');
        tracking.record.as_ref().is_some_and(|record| record.value == bare)
    };
    section.findings.into_iter().filter(|finding| !is_said(finding)).collect()
}

fn rows(tracking: &Tracking, certificate: &Certificate, told: &Told) -> Vec<Row> {
    let row = |anchor: &str, topic: &str, status: &str, told: &str| Row {
        anchor: anchor.to_owned(),
        topic: topic.to_owned(),
        status: status.to_owned(),
        told: excerpt(told),
    };
    let mut rows = vec![
        row("tracking", "Tracking", tracking.status, &tracking.found),
        row("certificate", "Certificate", certificate.status, &certificate.found),
    ];
    rows.extend(told.sections.iter().map(|section| {
        let worst = section.findings.first().map_or(&section.says, |finding| &finding.found);
        let anchor = format!("{}-{}", told.domain, section.topic);
        row(&anchor, &section.topic, &section.status, worst)
    }));
    rows
}

/// As much of a text as a line of the overview has room for.
fn excerpt(text: &str) -> String {
    if text.chars().count() <= LINE {
        return text.to_owned();
    }
    text.chars().take(LINE - 1).chain(['…']).collect()
}

/// Characters of a line in the overview.
const LINE: usize = 90;

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const NOW: Timestamp = Timestamp::from_seconds(1_800_000_000);

    fn known<'a>(domain: &'a Value, kept: Option<&'a Kept>, standing: Standing) -> Known<'a> {
        Known {
            domain,
            kept,
            due: None,
            is_audited: true,
            standing,
            now: NOW,
            operator: "Us & \"Them\"",
            path: "/d/abc",
        }
    }

    fn hostile() -> Value {
        json!({
            "domain": "trk.example.com", "sending_domain": "example.com", "state": "misdirected",
            "who": "customer", "why": "it leads elsewhere", "since": "2026-11-23T12:00:00.000000Z",
            "expected": "trk.example.com. CNAME t.example.",
            "found": "\"><img src=x onerror=alert(1)>\u{202e}\u{0}",
            "record": "trk.example.com. CNAME t.example.",
            "orders": [{
                "time": "2026-11-23T12:00:00.000000Z", "issuer": "ca", "outcome": "caa",
                "detail": "<script>alert(1)</script>", "who": "customer",
            }],
        })
    }

    #[test]
    fn nothing_that_others_wrote_is_markup_or_hidden() {
        let domain = hostile();
        let long = format!("v=spf1 <script>{}\u{0}\u{202e}", "x".repeat(4_000));
        let finding = |rule: &str, record: &str| {
            json!({
                "rule": rule, "severity": "error", "found": "<b>\u{2066}", "record": record,
                "who": "customer", "gates": true, "name": "<i>", "type": "TXT",
            })
        };
        let report = json!({
            "domain": "example.com", "status": "error", "gated": true,
            "sections": [
                { "topic": "tracking", "name": "trk.example.com", "type": "CNAME", "found": [],
                  "findings": [finding("T01", "t.example."), finding("T02", "other.example")] },
                { "topic": "SPF", "name": "example.com", "type": "TXT", "found": [long],
                  "says": "<u>", "status": "error", "findings": [finding("S04", "v=spf1 -all")] },
            ],
        });
        let kept = Kept::first(&report, NOW);
        let page = page(&known(&domain, Some(&kept), Standing::Free)).unwrap();
        for markup in ["<img", "<b>", "<i>", "<u>", "<script>alert", "<script>x"] {
            assert!(!page.contains(markup), "{markup}: {page}");
        }
        for hidden in ['\u{0}', '\u{202e}', '\u{2066}'] {
            assert!(!page.contains(hidden), "{hidden:?}");
        }
        assert_eq!(page.matches("<script>").count(), 1, "its own");
        assert!(page.contains("␀") && page.contains("Us &#38; &#34;Them&#34;"), "{page}");
        // What the register says is said once, what it does not say stays.
        assert_eq!((page.matches(">t.example<").count(), page.matches("T02").count()), (1, 1));
    }

    #[test]
    fn the_button_is_there_when_it_may_be_pressed_and_else_the_page_says_when() {
        let domain = hostile();
        let page = |standing| page(&known(&domain, None, standing)).unwrap();
        let minute = Duration::from_secs(60);
        for (standing, is_free, told) in [
            (Standing::Free, true, "not been audited yet"),
            (Standing::Running, false, "is being looked at"),
            (Standing::Resting(minute), false, "looked at a moment ago"),
            (Standing::Crowded(minute), false, "Many names"),
        ] {
            let page = page(standing);
            assert_eq!(page.contains("action=\"/d/abc/check\""), is_free, "{page}");
            assert!(page.contains(told), "{told}: {page}");
        }
        assert!(page(Standing::Resting(minute)).contains("2027-01-15 08:01:01 UTC"));
    }
}
