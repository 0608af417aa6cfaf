//! Policies that went before DMARC: DomainKeys at `_domainkey` (RFC 4870 §3.2) and ADSP at
//! `_adsp._domainkey` (RFC 5617 §4), both historic.

use crate::audit::rules::dkim;
use crate::audit::tags::tags;
use crate::audit::{Finding, Span};

/// Whether a text is a DomainKeys policy, such as `o=-;` or `t=y; o=~`.
pub fn is_domain_keys(text: &str) -> bool {
    tags(text).any(|tag| tag.name.text() == "o" && matches!(tag.value.text(), "-" | "~"))
        && tags(text).all(|tag| matches!(tag.name.text(), "o" | "t" | "n" | "r"))
}

/// What is to be said of a TXT record at `_domainkey`.
pub fn judge_domain_keys(text: &str) -> Vec<Finding> {
    if !is_domain_keys(text) {
        return Vec::new();
    }
    let finding = Finding::note(&dkim::K17, "a DomainKeys policy").at(Span::all(text));
    vec![finding.expected("no such record: it can be removed")]
}

/// Whether a text is an ADSP record.
pub fn is_adsp(text: &str) -> bool {
    tags(text).next().is_some_and(|tag| {
        tag.name.text() == "dkim" && matches!(tag.value.text(), "unknown" | "all" | "discardable")
    })
}

/// What is to be said of a TXT record at `_adsp._domainkey`.
pub fn judge_adsp(text: &str) -> Vec<Finding> {
    if !is_adsp(text) {
        return Vec::new();
    }
    let finding = Finding::note(&dkim::K18, "an ADSP record").at(Span::all(text));
    vec![finding.expected("no such record, and a DMARC policy")]
}
