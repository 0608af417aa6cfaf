//! A record before it is published: judged from its text alone, as an audit would judge it.

use std::fmt;

use serde_json::{Value, json};
use thiserror::Error;

use super::finding::{status, worst_first};
use super::{Finding, Published, bimi, caa, dkim, dmarc, sender_id, spf};

/// What a record is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DraftKind {
    /// SPF, or Sender ID.
    Spf,
    /// A DKIM key, or a policy of DomainKeys or ADSP.
    Dkim,
    /// DMARC.
    Dmarc,
    /// BIMI.
    Bimi,
    /// CAA.
    Caa,
}

/// A record that was judged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Draft {
    /// What it is of.
    pub kind: DraftKind,
    /// Its text, which places in findings are counted in.
    pub text: String,
    /// What is in force, in words.
    pub says: String,
    /// What is in force, by field.
    pub in_force: Value,
    /// Every finding, the worst first, then by place.
    pub findings: Vec<Finding>,
}

/// A text that looks like no record that is known.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[error(
    "the text looks like no record of SPF, DKIM, DMARC, BIMI or CAA: say which it is meant to be"
)]
pub struct UnknownKind;

impl Draft {
    /// Judges a record; without a kind, of the kind that the text looks like.
    pub fn judge(input: &str, kind: Option<DraftKind>) -> Result<Self, UnknownKind> {
        let input = input.strip_suffix('\n').map_or(input, |line| line.trim_end_matches('\r'));
        let mut published = Published::of_input(input);
        let kind = kind.or_else(|| guess(published.text())).ok_or(UnknownKind)?;
        if kind == DraftKind::Caa {
            // Its value is quoted inside the record, so quotes are not those of strings.
            published = Published::of_strings([input]);
        }
        let (says, in_force, mut findings) = match kind {
            DraftKind::Spf => spf(&published),
            DraftKind::Dkim => dkim(&published),
            DraftKind::Dmarc => dmarc(&published),
            DraftKind::Bimi => bimi(&published),
            DraftKind::Caa => caa(published.text()),
        };
        worst_first(&mut findings);
        Ok(Self { kind, text: published.text().to_owned(), says, in_force, findings })
    }

    /// The draft as `--json` prints it; `docs/audit.md` tells each field.
    pub fn json(&self) -> Value {
        json!({
            "kind": self.kind.to_string(),
            "record": self.text,
            "status": status(&self.findings),
            "in_force": self.in_force,
            "findings": self.findings.iter().map(Finding::json).collect::<Vec<_>>(),
        })
    }
}

/// What a text looks like.
fn guess(text: &str) -> Option<DraftKind> {
    let lower = text.trim_start_matches(|c: char| !c.is_alphanumeric()).to_ascii_lowercase();
    let bare: String = lower.chars().filter(|c| !c.is_whitespace()).take(16).collect();
    match () {
        () if sender_id::is_record(text) => Some(DraftKind::Spf),
        () if bare.starts_with("v=spf") || bare.starts_with("spf") => Some(DraftKind::Spf),
        () if bare.starts_with("v=dkim") => Some(DraftKind::Dkim),
        () if bare.starts_with("v=dmarc") => Some(DraftKind::Dmarc),
        () if bare.starts_with("v=bimi") => Some(DraftKind::Bimi),
        () if dkim::is_domain_keys(text) || dkim::is_adsp(text) => Some(DraftKind::Dkim),
        () if lower.contains("p=m") || lower.contains("k=") => Some(DraftKind::Dkim),
        () if lower.contains("dmarc") => Some(DraftKind::Dmarc),
        () if lower.contains("bimi") => Some(DraftKind::Bimi),
        () if caa::judge(text).0.is_some() => Some(DraftKind::Caa),
        () => None,
    }
}

type Judged = (String, Value, Vec<Finding>);

fn spf(published: &Published) -> Judged {
    let text = published.text();
    let findings = spf::judge(published);
    if sender_id::is_record(text) {
        return ("a Sender ID record, which no receiver needs".to_owned(), Value::Null, findings);
    }
    let record = spf::read(text);
    let says = match () {
        () if !spf::is_record(text) => "no SPF record: receivers do not see it".to_owned(),
        () if !record.faults.is_empty() => "permerror at every receiver".to_owned(),
        () => {
            let own = record.terms.iter().filter(|term| term.kind.is_lookup()).count();
            format!("a valid record; {own} of 10 lookups, without those of what it includes")
        }
    };
    (says, record.json(text), findings)
}

fn dkim(published: &Published) -> Judged {
    let text = published.text();
    if dkim::is_domain_keys(text) {
        let says = "a DomainKeys policy, which no receiver needs".to_owned();
        return (says, Value::Null, dkim::judge_domain_keys(text));
    }
    if dkim::is_adsp(text) {
        let says = "an ADSP record, which no receiver needs".to_owned();
        return (says, Value::Null, dkim::judge_adsp(text));
    }
    let (record, findings) = dkim::judge(published, dkim::Signer::default());
    let says = match (&record.key, record.is_usable) {
        (Some(key), true) => format!("a usable key: {key:?}"),
        (Some(key), false) => format!("a key that verifiers do not use: {key:?}"),
        (None, _) if record.is_revoked => "a revoked key".to_owned(),
        (None, _) => "no key that can be used".to_owned(),
    };
    (says, record.json(), findings)
}

fn dmarc(published: &Published) -> Judged {
    let (record, findings) = dmarc::judge(published);
    let Some(record) = record else {
        return ("no DMARC record: receivers ignore it".to_owned(), Value::Null, findings);
    };
    let mut says = if record.applies {
        format!(
            "{} for the domain, {} for subdomains, {} for subdomains that do not exist",
            record.of_domain(),
            record.of_subdomains(),
            record.of_missing()
        )
    } else {
        "no DMARC: the record does not make it apply".to_owned()
    };
    if record.is_read_otherwise() {
        let dmarc::Older { applies, policy, subdomains, percent } = record.older;
        says.push_str("; receivers of RFC 7489: ");
        says.push_str(&if applies {
            format!(
                "{policy} for the domain, {subdomains} for subdomains, for {percent} % of the mail"
            )
        } else {
            "no DMARC".to_owned()
        });
    }
    (says, record.json(), findings)
}

fn bimi(published: &Published) -> Judged {
    let (indicator, findings) = bimi::judge(published);
    let Some(indicator) = indicator else {
        return ("no BIMI record: receivers ignore it".to_owned(), Value::Null, findings);
    };
    let says = match &indicator.location {
        Some(location) => format!("the image at {location}"),
        None if indicator.is_declined => "the domain declines to show an image".to_owned(),
        None => "no image".to_owned(),
    };
    (says, indicator.json(), findings)
}

fn caa(text: &str) -> Judged {
    let (property, findings) = caa::judge(text);
    let Some(property) = property else {
        return ("no CAA record".to_owned(), Value::Null, findings);
    };
    let says = match (&property.issuer, property.tag.as_str()) {
        (Some(issuer), _) => format!("{} by {issuer}", property.tag),
        (None, tag) if tag.starts_with("issue") => format!("{tag} by nobody"),
        (None, tag) => tag.to_owned(),
    };
    (says, property.json(), findings)
}

impl fmt::Display for DraftKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Spf => "spf",
            Self::Dkim => "dkim",
            Self::Dmarc => "dmarc",
            Self::Bimi => "bimi",
            Self::Caa => "caa",
        })
    }
}
