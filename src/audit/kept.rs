//! What is kept of a domain's audits.
//!
//! # The form
//!
//! ```text
//! 0      the form's version, 1
//! 1..3   how many marks there are, little endian
//! 3..    the marks, four bytes each: the rule's id in ASCII, the severity
//! then   JSON, deflated (RFC 1951): the report without the texts that its rules tell anyway
//! ```
//!
//! The marks are what holds, so that domains can be counted by rule without unpacking reports.
//! Nothing at all is a domain that was never audited.

use std::collections::BTreeSet;
use std::io::{Read, Write};

use flate2::Compression;
use flate2::read::DeflateDecoder;
use flate2::write::DeflateEncoder;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::mark::{self, Mark};
use super::{excerpt, rules};
use crate::clock::Timestamp;

/// The last result of a domain's audits.
#[derive(Clone, Debug, PartialEq)]
pub struct Kept {
    /// When the last audit was made.
    pub checked_at: Timestamp,
    /// What holds: one object as `config/audit.schema.json` has it, its texts bounded. What
    /// hangs on an answer that DNS did not give is as it was before.
    pub report: Value,
    /// Sections that were last seen otherwise, and are looked at once more before that holds.
    pub doubted: Vec<Value>,
    /// The topics that DNS did not answer for in the last audit.
    pub unanswered: Vec<String>,
    /// How many looks in a row were to be followed by another one soon.
    pub hasty: u32,
    /// What it was judged by: the stamp of the rules and of what the platform asks for.
    pub stamp: u32,
    /// The topics whose sections were judged by others, and that DNS has not answered for since.
    pub(super) older: Vec<String>,
}

impl Kept {
    /// A first result: `report` as it comes from an audit, in JSON.
    pub fn first(report: &Value, now: Timestamp) -> Self {
        let report = excerpt::report(report);
        let sections = report["sections"].as_array().into_iter().flatten();
        let unanswered = sections.filter(|section| mark::is_unanswered(section)).map(mark::topic);
        let unanswered: Vec<_> = unanswered.map(str::to_owned).collect();
        let hasty = u32::from(!unanswered.is_empty());
        let (doubted, older) = (Vec::new(), Vec::new());
        Self { checked_at: now, report, doubted, unanswered, hasty, stamp: 0, older }
    }

    /// The one word for what holds: `clean`, `note`, `weak`, `unknown` or `error`.
    pub fn status(&self) -> &str {
        self.report["status"].as_str().unwrap_or_default()
    }

    /// What was seen last, whether or not it holds yet: what somebody wants to see who is at work
    /// on the records.
    pub fn newest(&self) -> Value {
        let mut newest = self.report.clone();
        for section in newest["sections"].as_array_mut().into_iter().flatten() {
            let doubted = self.doubted.iter().find(|doubted| doubted["topic"] == section["topic"]);
            if let Some(doubted) = doubted {
                *section = doubted.clone();
            }
        }
        excerpt::judged(newest)
    }

    /// The sections that hold.
    pub(super) fn sections(&self) -> &[Value] {
        self.report["sections"].as_array().map_or(&[], Vec::as_slice)
    }

    /// The marks that hold.
    pub fn marks(&self) -> BTreeSet<Mark> {
        self.sections().iter().flat_map(Mark::of_section).collect()
    }

    /// The bytes that are kept.
    pub fn encode(&self) -> Vec<u8> {
        let marks = self.marks();
        let mut bytes = vec![VERSION];
        // There are some hundred rules.
        let count = u16::try_from(marks.len()).unwrap_or(u16::MAX);
        bytes.extend(count.to_le_bytes());
        bytes.extend(marks.iter().take(count.into()).flat_map(|mark| mark.encode()));
        let mut written = Written {
            checked_at: self.checked_at.micros(),
            report: self.report.clone(),
            doubted: self.doubted.clone(),
            unanswered: self.unanswered.clone(),
            hasty: self.hasty,
            stamp: self.stamp,
            older: self.older.clone(),
        };
        written.each_section(|section| each_finding(section, without_texts));
        let mut packed = DeflateEncoder::new(bytes, Compression::new(LEVEL));
        let json = serde_json::to_vec(&written).unwrap_or_default();
        // Writing into memory does not fail.
        packed.write_all(&json).ok();
        packed.finish().unwrap_or_default()
    }

    /// What stands in kept bytes; `None` when that is nothing, or nothing that this version reads:
    /// then the domain is as one that was never audited.
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let packed = bytes.get(HEAD + mark_count(bytes)? * mark::SIZE..)?;
        let mut json = Vec::new();
        DeflateDecoder::new(packed).take(LARGEST).read_to_end(&mut json).ok()?;
        let mut written: Written = serde_json::from_slice(&json).ok()?;
        written.each_section(|section| each_finding(section, with_texts));
        let Written { checked_at, report, doubted, unanswered, hasty, stamp, older } = written;
        let checked_at = Timestamp::from_micros(checked_at);
        Some(Self { checked_at, report, doubted, unanswered, hasty, stamp, older })
    }

    /// The marks in kept bytes, the report left packed; none of what cannot be read.
    pub fn marks_in(bytes: &[u8]) -> BTreeSet<Mark> {
        let count = mark_count(bytes).unwrap_or_default();
        let marks = bytes.get(HEAD..).unwrap_or_default().chunks_exact(mark::SIZE).take(count);
        marks.filter_map(|mark| Mark::decode(mark.try_into().ok()?)).collect()
    }
}

/// The JSON in kept bytes. Fields are added, never renamed.
#[derive(Deserialize, Serialize)]
struct Written {
    checked_at: u64,
    report: Value,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    doubted: Vec<Value>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    unanswered: Vec<String>,
    #[serde(default)]
    hasty: u32,
    #[serde(default)]
    stamp: u32,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    older: Vec<String>,
}

impl Written {
    fn each_section(&mut self, each: impl FnMut(&mut Value)) {
        let sections = self.report["sections"].as_array_mut().into_iter().flatten();
        sections.chain(&mut self.doubted).for_each(each);
    }
}

fn mark_count(bytes: &[u8]) -> Option<usize> {
    let [VERSION, low, high, ..] = bytes else { return None };
    Some(u16::from_le_bytes([*low, *high]).into())
}

/// Changes each finding; one for which it says no is left out.
fn each_finding(section: &mut Value, mut keep: impl FnMut(&mut Value) -> bool) {
    if let Some(findings) = section["findings"].as_array_mut() {
        findings.retain_mut(|finding| keep(finding));
    }
}

/// Leaves out what the rule tells.
fn without_texts(finding: &mut Value) -> bool {
    if let Some(finding) = finding.as_object_mut() {
        finding.remove("why");
        finding.remove("source");
    }
    true
}

/// Puts in what the rule tells; no for a rule that this version does not have.
fn with_texts(finding: &mut Value) -> bool {
    let Some(rule) = rules().find(|rule| finding["rule"] == rule.id) else { return false };
    finding["why"] = json!(rule.why);
    finding["source"] = json!(rule.source);
    true
}

const VERSION: u8 = 1;
/// Bytes before the marks.
const HEAD: usize = 3;
/// Bytes of JSON that are read: nine sections, each twice, with texts at their longest.
const LARGEST: u64 = 1 << 20;
/// Fast: reports are small.
const LEVEL: u32 = 4;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::audit::Severity;

    fn finding(rule: &str, severity: &str) -> Value {
        let told = rules().find(|known| known.id == rule).unwrap();
        json!({
            "rule": rule, "severity": severity, "found": "x", "expected": null, "why": told.why,
            "source": told.source, "who": "customer", "gates": false, "record": null,
            "name": null, "type": null, "at": null,
        })
    }

    fn section(topic: &str, findings: Vec<Value>) -> Value {
        json!({
            "topic": topic, "name": "example.com", "type": "TXT", "status": "note",
            "found": ["v=spf1 -all"], "expected": null, "says": "", "record": null,
            "findings": findings,
        })
    }

    fn kept() -> Kept {
        let sections = vec![
            section("SPF", vec![finding("S04", "error"), finding("S15", "note")]),
            section("DKIM", vec![finding("K14", "unknown")]),
        ];
        let report = json!({
            "domain": "example.com", "tracking": "trk.example.com", "status": "", "gated": false,
            "sections": sections,
        });
        Kept {
            checked_at: Timestamp::from_micros(1_790_000_000_000_007),
            report: excerpt::report(&report),
            doubted: vec![section("DKIM", vec![finding("K07", "weak")])],
            unanswered: vec!["DKIM".to_owned()],
            hasty: 3,
            stamp: 7,
            older: vec!["DKIM".to_owned()],
        }
    }

    #[test]
    fn a_result_is_read_as_it_was_kept_and_its_marks_without_unpacking_it() {
        let kept = kept();
        let bytes = kept.encode();
        assert_eq!(Kept::decode(&bytes).as_ref(), Some(&kept));
        assert!(!String::from_utf8_lossy(&bytes).contains("example"), "packed");
        let marks = [("S04", Severity::Error), ("S15", Severity::Note)]
            .map(|(rule, severity)| Mark { rule, severity });
        assert_eq!(Kept::marks_in(&bytes), BTreeSet::from(marks));
        assert_eq!((kept.status(), kept.marks()), ("error", BTreeSet::from(marks)));
        let newest = kept.newest();
        assert_eq!(newest["sections"][1]["findings"][0]["rule"], "K07");
        assert_eq!(newest["sections"][0], kept.report["sections"][0]);
    }

    #[test]
    fn a_domain_that_was_never_audited_has_no_result() {
        assert_eq!((Kept::decode(&[]), Kept::marks_in(&[])), (None, BTreeSet::new()));
    }

    #[test]
    fn a_rule_that_this_version_lacks_is_left_out() {
        let mut kept = kept();
        kept.report["sections"][0]["findings"][0]["rule"] = json!("Q99");
        let read = Kept::decode(&kept.encode()).unwrap();
        assert_eq!(read.report["sections"][0]["findings"].as_array().unwrap().len(), 1);
        assert_eq!(read.report["sections"][1], kept.report["sections"][1]);
    }

    #[test]
    fn whatever_strangers_publish_takes_bounded_room() {
        let mut state = 1_u64;
        let mut noise = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            char::from(33 + (state >> 33) as u8 % 90)
        };
        let mut text = |length| (0..length).map(|_| noise()).collect::<String>();
        let sections = (0..9).map(|_| {
            let findings = (0..300).map(|_| {
                let mut finding = finding("S05", "error");
                finding["found"] = json!(text(2_000));
                finding["record"] = json!(text(3_000));
                finding
            });
            let mut section = section("SPF", findings.collect());
            section["found"] = json!((0..20).map(|_| text(3_000)).collect::<Vec<_>>());
            section
        });
        let sections: Vec<_> = sections.collect();
        let report = json!({ "sections": sections });
        let report = excerpt::report(&report);
        let doubted = report["sections"].as_array().unwrap().clone();
        assert_eq!(excerpt::report(&report)["sections"][0], report["sections"][0], "cut once");
        let kept = Kept { report, doubted, ..kept() };
        let bytes = kept.encode();
        assert!(bytes.len() < 900_000, "{}", bytes.len());
        assert_eq!(Kept::decode(&bytes), Some(kept));
    }

    proptest! {
        #[test]
        fn damage_is_no_result_or_another_one_and_never_an_end(
            at in 0_usize..2_000, flipped in 1_u8.., cut in 0_usize..2_000,
        ) {
            let mut bytes = kept().encode();
            let length = bytes.len();
            bytes[at % length] ^= flipped;
            bytes.truncate(cut % length + 1);
            let (_, _) = (Kept::decode(&bytes), Kept::marks_in(&bytes));
        }

        #[test]
        fn any_bytes_are_read_in_bounded_room(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            let mut bytes = bytes;
            drop(Kept::decode(&bytes));
            if let Some(first) = bytes.first_mut() {
                *first = VERSION;
            }
            drop(Kept::decode(&bytes));
        }
    }
}
