//! What an audit tells: one fault, or one thing worth knowing.

use std::cmp::Reverse;
use std::fmt;

use serde_json::{Value, json};

use super::{Rule, Span};
use crate::dns::Kind;

/// One thing that an audit found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The rule that it is of.
    pub rule: &'static Rule,
    /// How bad it is here; one rule may have several degrees.
    pub severity: Severity,
    /// Where in the text it lies, when it lies at one place of it.
    pub at: Option<Span>,
    /// What was found.
    pub found: String,
    /// What was expected; empty when nothing else was.
    pub expected: String,
    /// The value to publish instead, where there is one. It passes the audit itself.
    pub record: Option<String>,
    /// Where to publish it: name and type, when it is known.
    pub place: Option<(String, Kind)>,
    /// Who has to act, when it is somebody else than the rule says.
    pub(super) by: Option<Who>,
}

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Severity {
    /// Worth knowing.
    Note,
    /// Weak or fragile.
    Weak,
    /// DNS did not answer: nothing is known, and nothing may be concluded.
    Unknown,
    /// Broken: the record is void, or mail, reports or certificates fail.
    Error,
}

/// Who has to act on a finding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Who {
    /// Whoever publishes the domain's records.
    Customer,
    /// Whoever runs the e-mail platform.
    Platform,
    /// Nobody: it is told, not asked for.
    Nobody,
}

impl Finding {
    pub(super) fn new(rule: &'static Rule, severity: Severity, found: impl Into<String>) -> Self {
        Self {
            rule,
            severity,
            at: None,
            found: found.into(),
            expected: String::new(),
            record: None,
            place: None,
            by: None,
        }
    }

    pub(super) fn error(rule: &'static Rule, found: impl Into<String>) -> Self {
        Self::new(rule, Severity::Error, found)
    }

    pub(super) fn weak(rule: &'static Rule, found: impl Into<String>) -> Self {
        Self::new(rule, Severity::Weak, found)
    }

    pub(super) fn note(rule: &'static Rule, found: impl Into<String>) -> Self {
        Self::new(rule, Severity::Note, found)
    }

    pub(super) fn unknown(rule: &'static Rule, found: impl Into<String>) -> Self {
        Self::new(rule, Severity::Unknown, found)
    }

    #[must_use]
    pub(super) fn at(mut self, span: Span) -> Self {
        self.at = Some(span);
        self
    }

    #[must_use]
    pub(super) fn expected(mut self, expected: impl Into<String>) -> Self {
        self.expected = expected.into();
        self
    }

    #[must_use]
    pub(super) fn publish(mut self, record: impl Into<String>) -> Self {
        self.record = Some(record.into());
        self
    }

    #[must_use]
    pub(super) fn publish_at(
        self,
        name: impl Into<String>,
        kind: Kind,
        record: impl Into<String>,
    ) -> Self {
        Self { place: Some((name.into(), kind)), ..self.publish(record) }
    }

    #[must_use]
    pub(super) fn by(mut self, who: Who) -> Self {
        self.by = Some(who);
        self
    }

    /// Whether it stops what the platform does for the domain: its mail is refused or not
    /// believed, or its links have no certificate. All else is advice.
    pub fn gates(&self) -> bool {
        self.is_error() && self.rule.gates()
    }

    /// Whether it is an error, which decides the exit code of commands.
    pub fn is_error(&self) -> bool {
        self.severity == Severity::Error
    }

    /// Who has to act: nobody on a note, or while nothing is known.
    pub fn who(&self) -> Who {
        match self.severity {
            Severity::Error | Severity::Weak => self.by.unwrap_or(self.rule.who),
            Severity::Note | Severity::Unknown => Who::Nobody,
        }
    }

    /// The finding as it stands in every `--json` output; `docs/audit.md` tells each field.
    pub fn json(&self) -> Value {
        json!({
            "rule": self.rule.id,
            "severity": self.severity.to_string(),
            "found": self.found,
            "expected": (!self.expected.is_empty()).then_some(&self.expected),
            "why": self.rule.why,
            "source": self.rule.source,
            "who": self.who().to_string(),
            "gates": self.gates(),
            "record": self.record,
            "name": self.place.as_ref().map(|(name, _)| name),
            "type": self.place.as_ref().map(|(_, kind)| kind.name()),
            "at": self.at.map(|span| json!({ "start": span.start, "end": span.end })),
        })
    }
}

/// Puts findings into the order in which they are told: the worst first, then by place.
pub fn worst_first(findings: &mut [Finding]) {
    findings.sort_by_key(|finding| (Reverse(finding.severity), finding.at, finding.rule.id));
}

/// The word for the worst of the findings, `clean` without any.
pub fn status(findings: &[Finding]) -> String {
    worst(findings.iter().map(|finding| finding.severity))
}

/// The word for the worst of some severities, `clean` without any.
pub(super) fn worst(severities: impl Iterator<Item = Severity>) -> String {
    severities.max().map_or_else(|| "clean".to_owned(), |worst| worst.to_string())
}

impl Severity {
    /// The severity of a word, as reports have it.
    pub fn named(word: &str) -> Option<Self> {
        let all = [Self::Note, Self::Weak, Self::Unknown, Self::Error];
        all.into_iter().find(|severity| severity.to_string() == word)
    }
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Note => "note",
            Self::Weak => "weak",
            Self::Unknown => "unknown",
            Self::Error => "error",
        })
    }
}

impl fmt::Display for Who {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Customer => "customer",
            Self::Platform => "platform",
            Self::Nobody => "nobody",
        })
    }
}
