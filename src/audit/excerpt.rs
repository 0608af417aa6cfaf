//! As much of a report as is worth keeping: its texts are whatever strangers publish.

use serde_json::{Value, json};

use super::finding::worst;
use super::mark;

/// A report whose sections are bounded, each by itself: the same section comes to the same excerpt
/// whatever the others hold, so that excerpts can be compared.
pub(super) fn report(report: &Value) -> Value {
    let mut excerpt = report.clone();
    if let Some(sections) = excerpt["sections"].as_array_mut() {
        sections.iter_mut().for_each(section);
    }
    judged(excerpt)
}

/// A report whose status, and whether something is in the way, are those of its sections.
pub(super) fn judged(mut report: Value) -> Value {
    let findings = || {
        let sections = report["sections"].as_array().into_iter().flatten();
        sections.flat_map(|section| section["findings"].as_array().into_iter().flatten())
    };
    let severities = findings().filter_map(|finding| mark::severity(finding["severity"].as_str()?));
    let (status, gated) = (worst(severities), findings().any(|finding| finding["gates"] == true));
    report["status"] = json!(status);
    report["gated"] = json!(gated);
    report
}

fn section(section: &mut Value) {
    if let Some(texts) = section.get_mut("found").and_then(Value::as_array_mut) {
        texts.truncate(FOUND);
        texts.iter_mut().for_each(|text| cut(text, TEXT));
    }
    for (key, most) in [("says", WORDS), ("expected", TEXT), ("record", TEXT)] {
        bound(section, key, most);
    }
    let findings = section.get_mut("findings").and_then(Value::as_array_mut);
    let Some(findings) = findings else { return };
    let (mut size, mut count) = (0, 0);
    for finding in findings.iter_mut() {
        for (key, most) in [("found", WORDS), ("expected", WORDS), ("record", TEXT)] {
            bound(finding, key, most);
        }
        size += finding.to_string().len();
        count += usize::from(size <= FINDINGS);
    }
    // The worst come first.
    findings.truncate(count);
}

/// A record that was cut would be a wrong one: it is left out. Other texts are cut.
fn bound(object: &mut Value, key: &str, most: usize) {
    let Some(text) = object.get_mut(key) else { return };
    if key == "record" && text.as_str().is_some_and(|text| text.len() > most) {
        *text = Value::Null;
    } else {
        cut(text, most);
    }
}

fn cut(text: &mut Value, most: usize) {
    if let Value::String(text) = text
        && text.len() > most
    {
        text.truncate(text.floor_char_boundary(most - CUT.len_utf8()));
        text.push(CUT);
    }
}

/// Texts of a section.
const FOUND: usize = 8;
/// Bytes of a text that stands in the DNS.
const TEXT: usize = 2_048;
/// Bytes of a text in words.
const WORDS: usize = 1_024;
/// Bytes of a section's findings.
const FINDINGS: usize = 16_384;
const CUT: char = '…';
