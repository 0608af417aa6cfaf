//! Which record names the logo, and whether DMARC lets it be shown (draft §7.1, §7.2).

use super::record;
use crate::audit::answers::Found;
use crate::audit::dmarc::{self, Policy, PolicyRecord};
use crate::audit::rules::bimi;
use crate::audit::{Answers, Finding, Published, Unanswered, name};

/// Where a record was found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Discovery {
    /// The name that it stands at.
    pub found_at: Option<String>,
    /// The record.
    pub record: Option<Published>,
    /// What is wrong with finding it; the record itself is for [`super::judge`].
    pub findings: Vec<Finding>,
}

/// Looks for the record of a selector at the domain, and then at its organizational domain;
/// `None` while that is not known.
pub fn discover(
    selector: &str,
    domain: &str,
    organization: Option<&str>,
    answers: &Answers,
) -> Result<Discovery, Unanswered> {
    let mut discovery = Discovery::default();
    let (domain, organization) = (name::normal(domain), organization.map(name::normal));
    let fallback = organization.clone().filter(|organization| *organization != domain);
    for host in [Some(domain.clone()), fallback].into_iter().flatten() {
        let name = format!("{selector}._bimi.{host}");
        let texts = match answers.texts(&name)? {
            Found::Some(texts) => texts,
            Found::Nothing { .. } => continue,
            Found::Failed(why) => {
                let found = format!("the TXT records of {name} are not known: {why}");
                discovery.findings.push(Finding::unknown(&bimi::B01, found));
                return Ok(discovery);
            }
        };
        let mut ours = texts.iter().filter(|text| record::is_record(text.text()));
        match (ours.next(), ours.count()) {
            (Some(text), 0) => {
                (discovery.found_at, discovery.record) = (Some(name), Some(text.clone()));
                return Ok(discovery);
            }
            (Some(_), more) => {
                let found = format!("{} BIMI records at {name}, which count as none", more + 1);
                discovery.findings.push(Finding::error(&bimi::B01, found).expected("one"));
            }
            (None, _) => {
                let is_like = |text: &&Published| text.text().to_ascii_lowercase().contains("bimi");
                let told = texts.iter().find(is_like).map(record::judge);
                for finding in told.into_iter().flat_map(|(_, findings)| findings) {
                    discovery.findings.push(Finding { at: None, ..finding });
                }
            }
        }
    }
    if organization.is_none() {
        let found = format!("the organizational domain of {domain}, which may have a record,");
        let found = format!("{found} is not known");
        discovery.findings.push(Finding::unknown(&bimi::B01, found));
        return Ok(discovery);
    }
    let found = format!("no BIMI record at {selector}._bimi.{domain}");
    discovery
        .findings
        .push(Finding::note(&bimi::B02, found).expected("a record, if a logo is to be shown"));
    Ok(discovery)
}

/// Whether the DMARC policies of a domain and its organization let a logo be shown.
pub fn enforcement(policies: &dmarc::Discovery) -> Vec<Finding> {
    let mut findings = Vec::new();
    let own = policies.record.as_ref().map(|record| (policies.domain.as_str(), record));
    let organization = policies.organization.as_deref().filter(|name| *name != policies.domain);
    let theirs = organization.zip(policies.organization_record.as_ref());
    if policies.organization.is_none() {
        let found = format!("the organizational domain of {} is not known", policies.domain);
        findings.push(Finding::unknown(&bimi::B07, found));
    } else if own.is_none() {
        let found = format!("no DMARC policy for {}", policies.domain);
        findings.push(Finding::error(&bimi::B07, found).expected("p=quarantine or p=reject"));
    }
    for (name, record) in own.into_iter().chain(theirs) {
        let Some(found) = leniency(record) else { continue };
        let found = format!("the DMARC policy for {name} has {found}");
        let finding = Finding::error(&bimi::B07, found);
        if !findings.contains(&finding) {
            findings
                .push(finding.expected("p=quarantine or p=reject, for all mail and subdomains"));
        }
    }
    if own.is_some_and(|(_, record)| record.is_testing) {
        findings.push(Finding::weak(&bimi::B08, "the DMARC policy has t=y").expected("no t=y"));
    }
    findings
}

/// What in a policy is too lenient for a logo.
fn leniency(record: &PolicyRecord) -> Option<String> {
    if !record.applies || record.policy == Policy::None {
        return Some("p=none".to_owned());
    }
    if record.subdomains == Some(Policy::None) {
        return Some("sp=none".to_owned());
    }
    let is_partial = record.policy == Policy::Quarantine && record.older.percent < 100;
    is_partial.then(|| format!("p=quarantine for {} % of the mail", record.older.percent))
}
