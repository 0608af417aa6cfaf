//! What a page about a domain is made of: one look and one script for all such pages, and reports
//! made ready to be shown.

use aws_lc_rs::digest;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use super::{Severity, visible};

/// The look of all pages about domains.
pub const STYLE: &str = include_str!("../../templates/look.css");
/// The script of all pages about domains: it copies records. Nothing needs it.
pub const SCRIPT: &str = include_str!("../../templates/copy.js");

/// The policy (Content-Security-Policy) of such pages: no script and no style but their own, and
/// no request at all; `forms` says where a form may lead.
pub fn policy(forms: &str) -> String {
    let hash = |text: &str| {
        let sum = digest::digest(&digest::SHA256, text.as_bytes());
        format!("sha256-{}", STANDARD.encode(sum.as_ref()))
    };
    format!(
        "default-src 'none'; style-src '{}'; script-src '{}'; base-uri 'none'; form-action {forms}",
        hash(STYLE),
        hash(SCRIPT)
    )
}

/// A report made ready to be shown, every text of it [`visible`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Told {
    /// The domain whose mail it is.
    pub domain: String,
    /// The worst severity, or `clean`.
    pub status: String,
    /// How many findings there are of each severity, in words.
    pub counts: String,
    /// Whether something stops what the platform does for the domain.
    pub is_gated: bool,
    /// Record by record.
    pub sections: Vec<ToldSection>,
}

/// A record, or what stands around it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ToldSection {
    /// What it is about.
    pub topic: String,
    /// The name of the record.
    pub name: String,
    /// Its type.
    pub kind: String,
    /// The worst severity, or `clean`.
    pub status: String,
    /// What the platform asks for; empty when for nothing.
    pub expected: String,
    /// What stands there.
    pub found: Vec<String>,
    /// What is in force, in words.
    pub says: String,
    /// What is wrong.
    pub findings: Vec<ToldFinding>,
}

/// One fault, or one thing worth knowing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ToldFinding {
    /// The rule's id.
    pub rule: String,
    /// Where the rule stands.
    pub source: String,
    /// How bad it is.
    pub severity: String,
    /// Whether it stops what the platform does for the domain.
    pub gates: bool,
    /// What was found.
    pub found: String,
    /// What was expected; empty when nothing else was.
    pub expected: String,
    /// Why it matters.
    pub why: String,
    /// Who must act.
    pub who: &'static str,
    /// What to publish; empty when there is nothing.
    pub record: String,
    /// Where.
    pub name: String,
    /// As a record of which type.
    pub kind: String,
}

impl Told {
    /// The report of a domain, which is JSON as an audit tells it.
    pub fn of(report: &Value) -> Self {
        let sections: Vec<_> = each(&report["sections"]).map(ToldSection::of).collect();
        Self {
            domain: text(report, "domain"),
            status: text(report, "status"),
            counts: counts(&sections),
            is_gated: report["gated"] == true,
            sections,
        }
    }
}

impl ToldSection {
    fn of(section: &Value) -> Self {
        let found = each(&section["found"]).filter_map(Value::as_str).map(visible);
        let mut told = Self {
            topic: text(section, "topic"),
            name: text(section, "name"),
            kind: text(section, "type"),
            status: text(section, "status"),
            expected: text(section, "expected"),
            found: found.collect(),
            says: text(section, "says"),
            findings: Vec::new(),
        };
        let findings = each(&section["findings"]).map(|finding| ToldFinding::of(finding, &told));
        told.findings = findings.collect();
        told
    }
}

impl ToldFinding {
    fn of(finding: &Value, section: &ToldSection) -> Self {
        let or = |key: &str, other: &str| match text(finding, key) {
            text if text.is_empty() => other.to_owned(),
            text => text,
        };
        Self {
            rule: text(finding, "rule"),
            source: text(finding, "source"),
            severity: text(finding, "severity"),
            gates: finding["gates"] == true,
            found: text(finding, "found"),
            expected: text(finding, "expected"),
            why: text(finding, "why"),
            who: who(finding["who"].as_str().unwrap_or_default()),
            record: text(finding, "record"),
            name: or("name", &section.name),
            kind: or("type", &section.kind),
        }
    }
}

/// Who must act, to the customer.
pub fn who(word: &str) -> &'static str {
    match word {
        "customer" => "you: whoever publishes the domain\u{2019}s DNS",
        "platform" => "the e-mail platform",
        "ca" => "the certification authority",
        _ => "nobody",
    }
}

/// A time in its RFC 3339 form, for people: `2026-11-23 12:00:00 UTC`.
pub fn moment(time: &str) -> String {
    let whole = time.split(['.', 'Z']).next().unwrap_or_default();
    format!("{} UTC", whole.replace('T', " "))
}

fn each(list: &Value) -> impl Iterator<Item = &Value> {
    list.as_array().into_iter().flatten()
}

fn text(object: &Value, key: &str) -> String {
    visible(object[key].as_str().unwrap_or_default())
}

fn counts(sections: &[ToldSection]) -> String {
    let count = |severity: Severity| {
        let word = severity.to_string();
        let findings = sections.iter().flat_map(|section| &section.findings);
        findings.filter(|finding| finding.severity == word).count()
    };
    let told: Vec<_> = [
        (count(Severity::Error), "error", "errors"),
        (count(Severity::Weak), "weakness", "weaknesses"),
        (count(Severity::Unknown), "unknown", "unknown"),
        (count(Severity::Note), "note", "notes"),
    ]
    .into_iter()
    .filter(|(count, ..)| *count > 0)
    .map(|(count, one, many)| format!("{count} {}", if count == 1 { one } else { many }))
    .collect();
    if told.is_empty() { "nothing to do".to_owned() } else { told.join(", ") }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn whatever_stands_in_a_report_is_shown_without_what_hides_or_turns_the_writing() {
        let hidden = "a\u{202e}b\u{0}c\u{2066}d\u{61c}e\u{e0041}f\u{ad}g";
        let report = json!({
            "domain": hidden, "status": "error", "gated": true,
            "sections": [{
                "topic": "SPF", "name": hidden, "type": "TXT", "found": [hidden], "says": hidden,
                "status": "error", "findings": [{
                    "rule": "S04", "severity": "error", "found": hidden, "record": hidden,
                    "who": "customer", "gates": true,
                }],
            }],
        });
        let told = Told::of(&report);
        let all = format!("{told:?}");
        for hidden in ['\u{202e}', '\u{0}', '\u{2066}', '\u{61c}', '\u{e0041}', '\u{ad}'] {
            let escaped = format!("{hidden:?}");
            assert!(!all.contains(hidden) && !all.contains(escaped.trim_matches('\'')), "{all}");
        }
        let section = &told.sections[0];
        assert_eq!(section.found, ["a\u{fffd}b␀c\u{fffd}d\u{fffd}e\u{fffd}f\u{fffd}g"]);
        assert_eq!(section.findings[0].name, section.name, "at the section's own place");
        assert_eq!(told.counts, "1 error");
    }

    #[test]
    fn a_report_that_is_none_is_shown_as_nothing() {
        assert_eq!(Told::of(&json!(["?"])).sections, []);
        let told = Told::of(&json!({ "sections": [7, { "findings": [null] }] }));
        assert_eq!(told.sections.len(), 2);
        assert_eq!(told.sections[1].findings[0].who, "nobody");
    }
}
