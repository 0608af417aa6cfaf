//! What an unanswered question leaves unknown of a section.
//!
//! A finding that says "not known" speaks for a rule, and others of its section hang on the same
//! answer. Most silences leave the whole section unknown, since its record was not read. Those of
//! the table leave the rest of it as sure as it ever is: without it one third party that never
//! answers would keep a section for ever as it once was.

use serde_json::{Value, json};

use super::finding::worst;
use super::mark;

/// What is not known of a section.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Silence {
    /// All of it.
    Whole,
    /// What rules of these ids say; nothing without any.
    Of(Vec<&'static str>),
}

impl Silence {
    /// That of a section, as a report in JSON has it.
    pub fn of(section: &Value) -> Self {
        let mut silent = Vec::new();
        for rule in unanswered(section) {
            match CONFINED.iter().find(|(own, _)| *own == rule) {
                Some((_, rules)) => silent.extend_from_slice(rules),
                None => return Self::Whole,
            }
        }
        silent.sort_unstable();
        silent.dedup();
        Self::Of(silent)
    }

    /// Whether nothing is known of a rule.
    pub fn covers(&self, rule: &str) -> bool {
        match self {
            Self::Whole => true,
            Self::Of(rules) => rules.contains(&rule),
        }
    }

    /// Whether nothing is known at all.
    pub(super) fn is_whole(&self) -> bool {
        *self == Self::Whole
    }
}

/// A section that was seen, with what was known before of the rules that DNS was silent about.
pub(super) fn settled(seen: &Value, had: &Value) -> Value {
    let (silence, before) = (Silence::of(seen), Silence::of(had));
    let mut section = seen.clone();
    if silence == Silence::Of(Vec::new()) {
        return section;
    }
    // What was not known before is not known now.
    let is_open = |finding: &Value| {
        let rule = finding["rule"].as_str().unwrap_or_default();
        silence.covers(rule) && !before.covers(rule)
    };
    let mut findings: Vec<Value> = findings(seen).filter(|seen| !is_open(seen)).cloned().collect();
    findings.extend(self::findings(had).filter(|had| is_open(had)).cloned());
    findings.sort_by_key(|finding| std::cmp::Reverse(severity(finding)));
    section["status"] = json!(worst(findings.iter().filter_map(severity)));
    section["findings"] = json!(findings);
    section
}

fn severity(finding: &Value) -> Option<super::Severity> {
    mark::severity(finding["severity"].as_str()?)
}

/// The rules that DNS was silent about.
fn unanswered(section: &Value) -> impl Iterator<Item = &str> {
    let silent = findings(section).filter(|finding| mark::is_silence(finding));
    silent.map(|finding| finding["rule"].as_str().unwrap_or_default())
}

fn findings(section: &Value) -> impl Iterator<Item = &Value> {
    section["findings"].as_array().into_iter().flatten()
}

/// What a term of an SPF record leads to.
const TERMS: &[&str] =
    &["S04", "S07", "S08", "S09", "S10", "S11", "S12", "S13", "S14", "S18", "S25"];
/// A rule that DNS may be silent about while the section's own record was read, and the rules that
/// hang on the same answer.
const CONFINED: &[(&str, &[&str])] = &[
    ("S04", TERMS),
    ("S09", TERMS),
    ("S11", TERMS),
    ("S20", &["S20"]),
    ("S23", &["S23"]),
    ("S26", &["S26"]),
    ("K15", &["K15"]),
    ("K16", &["K16"]),
    ("K18", &["K18"]),
    ("D02", &["D02"]),
    ("D07", &["D07"]),
    ("D08", &["D08"]),
    ("D11", &["D11"]),
    ("D16", &["D16"]),
    ("D18", &["D18"]),
    ("B07", &["B07", "B08"]),
    ("B09", &["B09", "B10", "B11", "B12", "B13", "B14", "B15", "B16", "B17"]),
    ("B17", &["B17"]),
    ("T06", &["T06"]),
    ("X02", &["X02", "X03", "X07"]),
    ("X03", &["X03"]),
    ("X04", &["S24", "X04"]),
    ("X05", &["X05"]),
    ("X07", &["X07"]),
    ("S24", &["S24", "X04"]),
];
