//! What an audit of a domain tells.

use std::fmt;

use serde_json::{Value, json};

use super::Subject;
use crate::audit::{Finding, Severity, status, worst_first};
use crate::dns::Kind;

/// An audit of a domain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// The domain whose mail it is.
    pub domain: String,
    /// Its tracking name.
    pub tracking: String,
    /// What was found, record by record.
    pub sections: Vec<Section>,
}

/// One record that the platform asks for, or what stands around it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Section {
    /// What it is about.
    pub topic: Topic,
    /// The name of the record.
    pub name: String,
    /// Its type.
    pub kind: Kind,
    /// What stands there.
    pub found: Vec<String>,
    /// What the platform asks for; none where it asks for nothing.
    pub expected: Option<String>,
    /// What is in force, in words.
    pub says: String,
    /// What is wrong, the worst first.
    pub findings: Vec<Finding>,
}

/// What a section is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Topic {
    /// Who may send.
    Spf,
    /// The key of the platform's signatures.
    Dkim,
    /// What is left of DomainKeys and ADSP.
    DomainKeys,
    /// The policy.
    Dmarc,
    /// The logo.
    Bimi,
    /// The tracking name.
    Tracking,
    /// Who may certify the tracking name.
    Caa,
    /// The zone and its signatures.
    Zone,
    /// What stands around the domain's mail.
    Mail,
}

impl Section {
    /// A section without findings.
    pub(super) fn new(topic: Topic, name: impl Into<String>, kind: Kind) -> Self {
        Self {
            topic,
            name: name.into(),
            kind,
            found: Vec::new(),
            expected: None,
            says: String::new(),
            findings: Vec::new(),
        }
    }

    /// Puts findings in order, each told once, and says where each record belongs.
    pub(super) fn finish(mut self) -> Self {
        for finding in &mut self.findings {
            if finding.record.is_some() && finding.place.is_none() {
                finding.place = Some((self.name.clone(), self.kind));
            }
        }
        worst_first(&mut self.findings);
        let mut told: Vec<Finding> = Vec::new();
        for finding in std::mem::take(&mut self.findings) {
            if !told.contains(&finding) {
                told.push(finding);
            }
        }
        self.findings = told;
        self
    }

    /// What is to be published here instead, when there is something.
    pub fn record(&self) -> Option<&str> {
        let here = (&self.name, self.kind);
        let at = |finding: &&Finding| {
            finding.place.as_ref().map(|(name, kind)| (name, *kind)) == Some(here)
        };
        self.findings.iter().find(at)?.record.as_deref()
    }

    fn json(&self) -> Value {
        json!({
            "topic": self.topic.to_string(),
            "name": self.name,
            "type": self.kind.name(),
            "status": status(&self.findings),
            "found": self.found,
            "expected": self.expected,
            "says": self.says,
            "record": self.record(),
            "findings": self.findings.iter().map(Finding::json).collect::<Vec<_>>(),
        })
    }
}

impl Report {
    pub(super) fn new(subject: &Subject, sections: Vec<Section>) -> Self {
        Self { domain: subject.domain.clone(), tracking: subject.tracking.clone(), sections }
    }

    /// Every finding, section by section.
    pub fn findings(&self) -> impl Iterator<Item = &Finding> {
        self.sections.iter().flat_map(|section| &section.findings)
    }

    /// The worst severity; none without a finding.
    pub fn worst(&self) -> Option<Severity> {
        self.findings().map(|finding| finding.severity).max()
    }

    /// The one word for all of it: the worst severity, or `clean`.
    pub fn status(&self) -> String {
        self.worst().map_or_else(|| "clean".to_owned(), |worst| worst.to_string())
    }

    /// Whether something stops what the platform does for the domain.
    pub fn is_gated(&self) -> bool {
        self.findings().any(Finding::gates)
    }

    /// The section about something.
    pub fn section(&self, topic: Topic) -> Option<&Section> {
        self.sections.iter().find(|section| section.topic == topic)
    }

    /// The report as `--json` prints it; `config/audit.schema.json` holds its form.
    pub fn json(&self) -> Value {
        json!({
            "domain": self.domain,
            "tracking": self.tracking,
            "status": self.status(),
            "gated": self.is_gated(),
            "sections": self.sections.iter().map(Section::json).collect::<Vec<_>>(),
        })
    }
}

impl fmt::Display for Topic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Spf => "SPF",
            Self::Dkim => "DKIM",
            Self::DomainKeys => "DomainKeys",
            Self::Dmarc => "DMARC",
            Self::Bimi => "BIMI",
            Self::Tracking => "tracking",
            Self::Caa => "CAA",
            Self::Zone => "zone",
            Self::Mail => "mail",
        })
    }
}
