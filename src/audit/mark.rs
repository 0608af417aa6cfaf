//! What is compared of two audits: which rules have findings, and how bad they are.

use std::collections::BTreeSet;

use serde_json::Value;

use super::{Severity, rules};

/// A rule that has a finding, and how bad that is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Mark {
    /// The rule's id.
    pub rule: &'static str,
    /// How bad it is.
    pub severity: Severity,
}

impl Mark {
    /// The mark of a finding as it stands in JSON; `None` when DNS did not answer, since nothing is
    /// known then, and for a rule that this version does not have.
    pub(super) fn of(finding: &Value) -> Option<Self> {
        let rule = rule(finding["rule"].as_str()?)?;
        let severity = severity(finding["severity"].as_str()?)?;
        (severity != Severity::Unknown).then_some(Self { rule, severity })
    }

    /// The marks of a section.
    pub(super) fn of_section(section: &Value) -> BTreeSet<Self> {
        section["findings"].as_array().into_iter().flatten().filter_map(Self::of).collect()
    }

    /// The four bytes that are kept.
    pub(super) fn encode(self) -> [u8; SIZE] {
        let mut bytes = [0; SIZE];
        for (into, from) in bytes.iter_mut().zip(self.rule.bytes()) {
            *into = from;
        }
        bytes[SIZE - 1] = self.severity as u8;
        bytes
    }

    /// The mark in kept bytes; `None` for what this version does not have.
    pub(super) fn decode(bytes: [u8; SIZE]) -> Option<Self> {
        let rule = rule(std::str::from_utf8(bytes.get(..SIZE - 1)?).ok()?)?;
        let severity =
            SEVERITIES.into_iter().find(|severity| *severity as u8 == bytes[SIZE - 1])?;
        Some(Self { rule, severity })
    }
}

/// Whether DNS did not answer for some of a section.
pub(super) fn is_unanswered(section: &Value) -> bool {
    section["findings"].as_array().into_iter().flatten().any(is_silence)
}

/// Whether a finding says that DNS did not answer.
pub(super) fn is_silence(finding: &Value) -> bool {
    finding["severity"] == Severity::Unknown.to_string().as_str()
}

/// What a section is about.
pub(super) fn topic(section: &Value) -> &str {
    section["topic"].as_str().unwrap_or_default()
}

fn rule(id: &str) -> Option<&'static str> {
    rules().map(|rule| rule.id).find(|known| *known == id)
}

/// The severity of a word.
pub(super) fn severity(word: &str) -> Option<Severity> {
    SEVERITIES.into_iter().find(|severity| severity.to_string() == word)
}

/// Bytes of a mark.
pub(super) const SIZE: usize = 4;
const SEVERITIES: [Severity; 4] =
    [Severity::Note, Severity::Weak, Severity::Unknown, Severity::Error];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_mark_is_kept_as_it_is() {
        for rule in rules() {
            for severity in [Severity::Note, Severity::Weak, Severity::Error] {
                let mark = Mark { rule: rule.id, severity };
                assert_eq!(Mark::decode(mark.encode()), Some(mark));
            }
        }
        assert_eq!(Mark::decode(*b"Q99\0"), None);
        assert_eq!(Mark::decode(*b"S01\x09"), None);
    }
}
