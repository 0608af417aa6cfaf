//! Which policy applies to a domain and to what is below it (RFC 9989 §4.10.1).

use serde_json::{Value, json};

use super::policy::{Policy, PublicSuffix};
use super::record::{self, PolicyRecord};
use super::walk::{self, Stand};
use crate::audit::answers::Found;
use crate::audit::rules::dmarc;
use crate::audit::{Answers, Finding, Published, Unanswered, name, spf};

/// The policy of a domain, and how it was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Discovery {
    /// The domain that was asked about.
    pub domain: String,
    /// The names that were asked, in order.
    pub visits: Vec<Visit>,
    /// The organizational domain; `None` while DNS fails where the answer could change it.
    pub organization: Option<String>,
    /// Where the record stands that applies to the domain.
    pub found_at: Option<String>,
    /// The record that applies to the domain.
    pub record: Option<PolicyRecord>,
    /// The record at the organizational domain.
    pub organization_record: Option<PolicyRecord>,
    /// What applies to the domain; `None` when DMARC does not apply, or nothing is known.
    pub policy: Option<Policy>,
    /// What applies to its subdomains that exist.
    pub subdomains: Option<Policy>,
    /// What applies to its subdomains that do not exist.
    pub missing: Option<Policy>,
    /// What is wrong with finding it; the record itself is for [`super::judge`].
    pub findings: Vec<Finding>,
}

/// A name that was asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Visit {
    /// The name below whose `_dmarc` a record was looked for.
    pub name: String,
    /// What stood there, in words.
    pub came: String,
}

/// Finds the policy of a domain, or says what has to be asked first: at most eight questions for
/// `_dmarc`, and one for whether the domain exists.
pub fn discover(domain: &str, answers: &Answers) -> Result<Discovery, Unanswered> {
    let domain = name::normal(domain);
    let stands = walk::stands(&domain, answers)?;
    let failed = stands.iter().find_map(|(name, stand)| match stand {
        Stand::Failed(why) => Some((name, why)),
        _ => None,
    });
    let organization = failed.is_none().then(|| walk::select(&domain, &stands));
    let applied = applied(&domain, organization.as_deref(), &stands);
    // Only a policy of somebody else's tells domains that exist from others.
    let exists = match applied {
        Some((at, _)) if at != domain => exists(&domain, answers)?,
        _ => true,
    };
    let (mut policy, mut findings) = (None, set(&domain, answers)?);
    if applied.is_none() && failed.is_none() {
        findings.extend(misplaced(&domain, answers)?);
    }
    if let Some((at, record)) = applied.filter(|(_, record)| record.applies) {
        policy = Some(match (at == domain, exists) {
            (true, _) => record.of_domain(),
            (false, true) => record.of_subdomains(),
            (false, false) => record.of_missing(),
        });
    }
    let below = if failed.is_none() { below(&domain, &stands) } else { None };
    match failed {
        Some((name, why)) => {
            let found = format!("the TXT records of _dmarc.{name} are not known: {why}");
            // What is above a record of its own decides only what the organization is.
            let is_own = applied.is_some_and(|(at, _)| at == domain);
            let rule = if is_own { &dmarc::D02 } else { &dmarc::D01 };
            findings.push(Finding::unknown(rule, found));
        }
        _ if applied.is_none() => findings.push(
            Finding::error(&dmarc::D01, format!("no DMARC policy for {domain}"))
                .expected(format!("a TXT record at _dmarc.{domain}"))
                .publish("v=DMARC1; p=none"),
        ),
        _ => {}
    }
    tell(&domain, organization.as_deref(), applied, &stands, &mut findings);
    let own = |wanted: &str| stands.iter().find(|(name, _)| name == wanted)?.1.record().cloned();
    Ok(Discovery {
        organization_record: organization.as_deref().and_then(own),
        visits: stands.iter().map(|(name, stand)| visit(name, stand)).collect(),
        found_at: applied.map(|(at, _)| at.to_owned()),
        record: applied.map(|(_, record)| record.clone()),
        policy,
        subdomains: below.map(PolicyRecord::of_subdomains),
        missing: below.map(PolicyRecord::of_missing),
        organization,
        findings,
        domain,
    })
}

/// The record that applies to a domain, and where it stands: its own, else that of its
/// organizational domain, else that of its public suffix.
fn applied<'a>(
    domain: &str,
    organization: Option<&str>,
    stands: &'a [(String, Stand)],
) -> Option<(&'a str, &'a PolicyRecord)> {
    let at = |wanted: &str| {
        let stand = stands.iter().find(|(name, _)| name == wanted)?;
        stand.1.record().map(|record| (stand.0.as_str(), record))
    };
    let suffix = || {
        stands.iter().find_map(|(name, stand)| {
            let record = stand.record()?;
            (record.suffix == PublicSuffix::Yes).then_some((name.as_str(), record))
        })
    };
    at(domain).or_else(|| at(organization?)).or_else(|| organization.and_then(|_| suffix()))
}

/// The record that applies to what is below a domain and has none of its own.
fn below<'a>(domain: &str, stands: &'a [(String, Stand)]) -> Option<&'a PolicyRecord> {
    let start = format!("x.{domain}");
    let organization = walk::select(&start, stands);
    applied(&start, Some(&organization), stands)
        .map(|(_, record)| record)
        .filter(|record| record.applies)
}

/// Whether a domain exists, as far as DNS does not deny it (RFC 9989 §3.2, RFC 8020).
fn exists(domain: &str, answers: &Answers) -> Result<bool, Unanswered> {
    Ok(!matches!(answers.texts(domain)?, Found::Nothing { exists: false }))
}

/// What is wrong with the TXT records at the domain's own `_dmarc`.
fn set(domain: &str, answers: &Answers) -> Result<Vec<Finding>, Unanswered> {
    let Found::Some(texts) = answers.texts(&walk::place(domain))? else { return Ok(Vec::new()) };
    let others = texts.iter().map(Published::text).filter(|text| !record::is_record(text));
    Ok(others.map(|text| stranger(domain, text)).collect())
}

/// A record at the domain itself, where nobody looks for it.
fn misplaced(domain: &str, answers: &Answers) -> Result<Option<Finding>, Unanswered> {
    let texts = match answers.texts(domain)? {
        Found::Some(texts) => texts,
        Found::Nothing { .. } => return Ok(None),
        Found::Failed(why) => {
            let found = format!("whether a DMARC record is at {domain} itself is not known: {why}");
            return Ok(Some(Finding::unknown(&dmarc::D18, found)));
        }
    };
    let record = texts.iter().find(|text| record::is_record(text.text()));
    Ok(record.map(|record| {
        Finding::weak(&dmarc::D18, format!("a DMARC record at {domain} itself"))
            .expected(format!("the record at _dmarc.{domain}"))
            .publish(record.text())
    }))
}

/// A TXT record at `_dmarc` that is no DMARC record.
fn stranger(domain: &str, text: &str) -> Finding {
    let lower = text.trim_start().to_ascii_lowercase();
    if lower.contains("dmarc") {
        let finding = super::judge(&Published::of_strings([text])).1.remove(0);
        return Finding { at: None, ..finding };
    }
    let shown: String = text.chars().take(SHOWN).collect();
    if spf::is_record(text) {
        let found = format!("an SPF record at _dmarc.{domain}: a wildcard, or a slip");
        return Finding::weak(&dmarc::D18, found).expected("DMARC records only");
    }
    Finding::note(&dmarc::D19, format!("\"{shown}\" at _dmarc.{domain}, which is discarded"))
        .expected("DMARC records only")
}

fn tell(
    domain: &str,
    organization: Option<&str>,
    applied: Option<(&str, &PolicyRecord)>,
    stands: &[(String, Stand)],
    findings: &mut Vec<Finding>,
) {
    for (name, stand) in stands {
        if let Stand::Several(count) = stand {
            let found = format!("{count} DMARC records at _dmarc.{name}, all discarded");
            findings.push(Finding::error(&dmarc::D02, found).expected("one"));
        }
    }
    let is_told = |(at, record): (&str, &PolicyRecord)| at == domain && record.subdomains.is_some();
    if applied.is_some_and(is_told) {
        findings.extend(match organization {
            Some(organization) if organization == domain => None,
            Some(organization) => {
                let found = format!("sp at {domain} is ignored: that of {organization} is read");
                let expected = format!("sp at {organization}");
                Some(Finding::note(&dmarc::D11, found).expected(expected))
            }
            None => {
                let found = format!("whether sp at {domain} is read is not known");
                Some(Finding::unknown(&dmarc::D11, found))
            }
        });
    }
    let labels = domain.split('.').count();
    if labels > LABELS {
        let found = format!("{labels} labels");
        findings.push(Finding::note(&dmarc::D20, found).expected(format!("at most {LABELS}")));
    }
}

fn visit(name: &str, stand: &Stand) -> Visit {
    let came = match stand {
        Stand::Record(record) if record.applies => format!("p={}", record.policy),
        Stand::Record(_) => "a record that does not apply".to_owned(),
        Stand::Nothing => "nothing".to_owned(),
        Stand::Several(count) => format!("{count} records, all discarded"),
        Stand::Failed(why) => why.to_string(),
    };
    Visit { name: name.to_owned(), came }
}

impl Discovery {
    /// The discovery as `--json` prints it.
    pub fn json(&self) -> Value {
        let policy = |policy: Option<Policy>| policy.map(|policy| policy.to_string());
        let visit = |visit: &Visit| json!({ "name": visit.name, "came": visit.came });
        json!({
            "domain": self.domain,
            "visited": self.visits.iter().map(visit).collect::<Vec<_>>(),
            "organization": self.organization,
            "found_at": self.found_at,
            "policy": policy(self.policy),
            "subdomains": policy(self.subdomains),
            "missing_subdomains": policy(self.missing),
        })
    }
}

/// The labels up to which a walk asks at every name.
const LABELS: usize = 8;
/// The characters of a foreign record that are shown.
const SHOWN: usize = 40;
