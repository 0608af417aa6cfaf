//! What a policy record says, as receivers take it (RFC 9989 §4.7, §4.10.1).

use serde_json::{Value, json};

use super::policy::{Alignment, Policy, PublicSuffix};
use super::uri::{ReportUri, uris};
use crate::audit::piece::{Piece, is_blank};
use crate::audit::tags::{Tag, repeated, tags};

/// A policy record that was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicyRecord {
    /// The record as it is written, which places of addresses are counted in.
    pub text: String,
    /// Whether DMARC applies at all: a record with an invalid policy and no report address does
    /// not make it apply (§4.10.1), nor does a list with a tag that stands twice.
    pub applies: bool,
    /// The policy of the domain.
    pub policy: Policy,
    /// The policy of its subdomains, when it is told apart.
    pub subdomains: Option<Policy>,
    /// The policy of its subdomains that do not exist, when it is told apart.
    pub missing: Option<Policy>,
    /// Whether the policies are only tested, which lowers each by one level.
    pub is_testing: bool,
    /// Whether the domain is a public suffix.
    pub suffix: PublicSuffix,
    /// How near a DKIM domain has to be.
    pub adkim: Alignment,
    /// How near an SPF domain has to be.
    pub aspf: Alignment,
    /// What receivers of RFC 7489 take from it, who are still many.
    pub older: Older,
    /// Where aggregate reports go.
    pub rua: Vec<ReportUri>,
    /// Where failure reports go.
    pub ruf: Vec<ReportUri>,
}

/// What receivers of RFC 7489 take from a record: they know neither `np` nor `t` nor `psd`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Older {
    /// Whether DMARC applies at all (RFC 7489 §6.6.3).
    pub applies: bool,
    /// The policy of the domain.
    pub policy: Policy,
    /// The policy of its subdomains, those that do not exist included.
    pub subdomains: Policy,
    /// How much of the mail the policy is for, in per cent (`pct`).
    pub percent: u8,
}

/// Whether a text is a DMARC record: its first tag is `v` and exactly `DMARC1`.
pub fn is_record(text: &str) -> bool {
    first(text).is_some_and(|tag| tag.name.text() == "v" && tag.value.text() == VERSION)
}

/// The first tag, when the text begins with one.
pub(super) fn first(text: &str) -> Option<Tag<'_>> {
    let head = Piece::all(text).split(';').next()?.trim(is_blank);
    tags(text).next().filter(|tag| tag.whole.span() == head.span())
}

/// Reads a record; `None` for a text that is none.
pub fn read(text: &str) -> Option<PolicyRecord> {
    if !is_record(text) {
        return None;
    }
    let tag = |name: &str| tags(text).find(|tag| tag.name.text() == name);
    let policy = |name: &str| tag(name).map(|tag| Policy::parse(tag.value.text()));
    let addresses = |name: &str| tag(name).map(|tag| uris(tag.value)).unwrap_or_default();
    let alignment = |name: &str| tag(name).and_then(|tag| Alignment::parse(tag.value.text()));
    let mut record = PolicyRecord {
        text: text.to_owned(),
        applies: repeated(text).is_empty(),
        rua: addresses("rua"),
        ruf: addresses("ruf"),
        is_testing: tag("t").is_some_and(|tag| tag.value.text().eq_ignore_ascii_case("y")),
        suffix: tag("psd")
            .and_then(|tag| PublicSuffix::parse(tag.value.text()))
            .unwrap_or_default(),
        adkim: alignment("adkim").unwrap_or_default(),
        aspf: alignment("aspf").unwrap_or_default(),
        older: Older {
            applies: true,
            policy: Policy::None,
            subdomains: Policy::None,
            percent: 100,
        },
        policy: Policy::None,
        subdomains: None,
        missing: None,
    };
    let (own, subdomains, missing) = (policy("p").flatten(), policy("sp"), policy("np"));
    let is_reported = record.applies && record.rua.iter().any(|uri| uri.is_uri);
    let own = own.filter(|_| subdomains != Some(None));
    let percent = tag("pct").and_then(|tag| tag.value.text().parse().ok());
    record.older = Older {
        applies: record.applies && (own.is_some() || is_reported),
        policy: own.unwrap_or_default(),
        subdomains: own.map(|own| subdomains.flatten().unwrap_or(own)).unwrap_or_default(),
        percent: percent.filter(|percent| *percent <= 100).unwrap_or(100),
    };
    match own.filter(|_| missing != Some(None)) {
        Some(own) => {
            (record.policy, record.subdomains) = (own, subdomains.flatten());
            record.missing = missing.flatten();
        }
        None => record.applies &= is_reported,
    }
    Some(record)
}

impl PolicyRecord {
    /// The policy of the domain, test mode counted in.
    pub fn of_domain(&self) -> Policy {
        self.tested(self.policy)
    }

    /// The policy of subdomains that exist, test mode counted in.
    pub fn of_subdomains(&self) -> Policy {
        self.tested(self.subdomains.unwrap_or(self.policy))
    }

    /// The policy of subdomains that do not exist, test mode counted in.
    pub fn of_missing(&self) -> Policy {
        self.tested(self.missing.or(self.subdomains).unwrap_or(self.policy))
    }

    fn tested(&self, policy: Policy) -> Policy {
        if self.is_testing { policy.lowered() } else { policy }
    }

    /// Whether receivers of RFC 7489 do otherwise.
    pub fn is_read_otherwise(&self) -> bool {
        let Older { applies, policy, subdomains, percent } = self.older;
        let own = (self.applies, self.of_domain(), self.of_subdomains(), self.of_missing(), 100);
        own != (applies, policy, subdomains, subdomains, percent)
    }

    /// What is in force, as `--json` prints it.
    pub fn json(&self) -> Value {
        let addresses = |uris: &[ReportUri]| -> Vec<_> {
            uris.iter().filter(|uri| uri.is_uri).map(|uri| uri.text.clone()).collect()
        };
        json!({
            "applies": self.applies,
            "policy": self.of_domain().to_string(),
            "subdomains": self.of_subdomains().to_string(),
            "missing_subdomains": self.of_missing().to_string(),
            "testing": self.is_testing,
            "older": {
                "applies": self.older.applies,
                "policy": self.older.policy.to_string(),
                "subdomains": self.older.subdomains.to_string(),
                "percent": self.older.percent,
            },
            "adkim": self.adkim.to_string(),
            "aspf": self.aspf.to_string(),
            "rua": addresses(&self.rua),
            "ruf": addresses(&self.ruf),
        })
    }
}

/// The one version, in exactly this case (§4.8).
pub(super) const VERSION: &str = "DMARC1";
