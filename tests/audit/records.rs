//! Every rule of the audit, by cases: records that break it, and the nearest that do not.

use std::fs;
use std::path::Path;

use serde::Deserialize;
use waypost::audit::{Draft, DraftKind, Finding, Published, bimi, dkim, dmarc, rules, spf, svg};

use crate::zone::{Zone, repeated};

#[test]
fn every_rule_has_cases_that_break_it_and_nearest_misses() {
    let cases = cases();
    let mut faults = Vec::new();
    for rule in rules() {
        let own: Vec<_> = cases.iter().filter(|(_, own)| own.id == rule.id).collect();
        match own.as_slice() {
            // Of no record alone: its cases are those of whole domains.
            [] if DOMAINS.iter().any(|cases| cases.contains(rule.id)) => {}
            [] => faults.push(format!("{}: no cases", rule.id)),
            [(_, own)] => {
                if own.triggers.is_empty() || own.misses.is_empty() {
                    faults.push(format!("{}: needs triggers and misses", rule.id));
                }
                if own.clause.len() < 20 {
                    faults.push(format!("{}: the clause comes first", rule.id));
                }
            }
            _ => faults.push(format!("{}: stands twice", rule.id)),
        }
    }
    let known = |id: &str| rules().any(|rule| rule.id == id);
    faults.extend(
        cases.iter().filter(|(_, own)| !known(&own.id)).map(|(_, o)| format!("{}: no rule", o.id)),
    );
    assert!(faults.is_empty(), "\n{}", faults.join("\n"));
}

#[test]
fn what_breaks_a_rule_is_found_at_its_place_and_the_nearest_miss_is_not() {
    let mut faults = Vec::new();
    let mut count = 0;
    for (group, rule) in cases() {
        for (case, is_trigger) in rule
            .triggers
            .iter()
            .map(|case| (case, true))
            .chain(rule.misses.iter().map(|case| (case, false)))
        {
            count += 1;
            let (text, findings) = case.judge(&group);
            spans_lie_in(&text, &findings);
            let own: Vec<_> = findings.iter().filter(|f| f.rule.id == rule.id).collect();
            let told = || {
                findings.iter().map(|f| format!("{} {}", f.rule.id, f.found)).collect::<Vec<_>>()
            };
            if is_trigger && case.severity.is_none() {
                faults.push(format!("{} {case:?} does not say how bad it is", rule.id));
            }
            if is_trigger && !own.iter().any(|finding| case.fits(finding, &text)) {
                faults.push(format!(
                    "{} {case:?} is not found: {own:#?} of {:#?}",
                    rule.id,
                    told()
                ));
            }
            if !is_trigger && !own.is_empty() {
                faults.push(format!("{} {case:?} is found: {own:#?}", rule.id));
            }
        }
    }
    assert!(faults.is_empty(), "{} of {count}\n{}", faults.len(), faults.join("\n"));
}

#[test]
fn a_record_to_publish_passes_itself() {
    for (group, rule) in cases() {
        for case in rule.triggers.iter().chain(&rule.misses) {
            for finding in case.judge(&group).1 {
                let Some(record) = finding.record else { continue };
                let kind = kind_of(&group);
                let errors: Vec<_> = Draft::judge(&record, kind)
                    .unwrap()
                    .findings
                    .into_iter()
                    .filter(Finding::is_error)
                    .collect();
                assert!(errors.is_empty(), "{record}: {errors:#?}");
            }
        }
    }
}

#[test]
fn the_rules_are_told_to_operators() {
    let told = fs::read_to_string("docs/audit.md").unwrap();
    for rule in rules() {
        let row = format!("| {} | {} | {} |", rule.id, rule.asks, rule.source);
        assert!(told.contains(&row), "docs/audit.md lacks\n{row}");
    }
}

/// A file of cases.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    rule: Vec<Rule>,
}

/// The cases of one rule.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Rule {
    id: String,
    clause: String,
    triggers: Vec<Case>,
    misses: Vec<Case>,
}

/// A record, a zone or an image, and what is to be found.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Case {
    record: Option<String>,
    zone: Option<String>,
    svg: Option<String>,
    /// The domain that is judged by the zone.
    domain: Option<String>,
    /// What the record is of, when the file does not say.
    kind: Option<String>,
    severity: Option<String>,
    /// The text that the finding is about.
    at: Option<String>,
    /// A part of what is found.
    found: Option<String>,
    publish: Option<String>,
    /// The key that signs, in base64.
    signs: Option<String>,
    names_subdomains: bool,
}

impl Case {
    fn judge(&self, group: &str) -> (String, Vec<Finding>) {
        if let Some(zone) = &self.zone {
            let domain = self.domain.as_deref().unwrap_or("example.com");
            return judge_zone(group, domain, &Zone::parse(zone));
        }
        if let Some(image) = &self.svg {
            let (image, findings) = svg::judge(svg::Image::read(repeated(image).as_bytes()));
            return (image.text, findings);
        }
        let record = repeated(self.record.as_deref().unwrap());
        if self.signs.is_some() || self.names_subdomains {
            let key = self.signs.as_deref().map(|key| dkim::PublicKey::rsa(key).unwrap().0);
            let signer =
                dkim::Signer { key: key.as_ref(), names_subdomains: self.names_subdomains };
            let published = Published::of_input(&record);
            return (published.text().to_owned(), dkim::judge(&published, signer).1);
        }
        let draft = Draft::judge(&record, kind_of(self.kind.as_deref().unwrap_or(group))).unwrap();
        (draft.text, draft.findings)
    }

    fn fits(&self, finding: &Finding, text: &str) -> bool {
        let at = finding.at.map(|span| span.of(text));
        let severity = |severity: &String| *severity == finding.severity.to_string();
        self.severity.as_ref().is_none_or(severity)
            && self.at.as_ref().is_none_or(|wanted| at == Some(wanted))
            && self.found.as_ref().is_none_or(|part| finding.found.contains(part))
            && self.publish.as_ref().is_none_or(|record| finding.record.as_ref() == Some(record))
    }
}

/// All that can be said of a domain by what DNS says.
fn judge_zone(group: &str, domain: &str, zone: &Zone) -> (String, Vec<Finding>) {
    match group {
        "spf" => {
            let (survey, _) = zone.judge(|answers| spf::survey(domain, answers));
            let (selection, _) = zone.judge(|answers| spf::select(domain, answers));
            let mut findings = [survey.findings, selection.findings].concat();
            let text = selection.records.first().map(String::as_str).unwrap_or_default().to_owned();
            if selection.records.len() == 1 {
                findings.extend(spf::judge(&Published::of_input(&text)));
            }
            (text, findings)
        }
        "dkim" => {
            let ((record, mut findings), _) =
                zone.judge(|answers| dkim::select("ak", domain, answers));
            let text = record.as_ref().map(|r| r.text().to_owned()).unwrap_or_default();
            findings.extend(record.iter().flat_map(|r| dkim::judge(r, dkim::Signer::default()).1));
            (text, findings)
        }
        "dmarc" => {
            let (discovery, _) = zone.judge(|answers| dmarc::discover(domain, answers));
            let mut findings = discovery.findings;
            if let (Some(record), Some(at)) = (&discovery.record, &discovery.found_at) {
                let ((_, told), _) = zone.judge(|answers| dmarc::reports(at, record, answers));
                findings.extend(told);
            }
            let text = discovery.record.map(|record| record.text).unwrap_or_default();
            (text, findings)
        }
        "bimi" => {
            let (policies, _) = zone.judge(|answers| dmarc::discover(domain, answers));
            let organization = policies.organization.as_deref();
            let (discovery, _) =
                zone.judge(|answers| bimi::discover("default", domain, organization, answers));
            let mut findings = [discovery.findings, bimi::enforcement(&policies)].concat();
            let text = discovery.record.as_ref().map(|r| r.text().to_owned()).unwrap_or_default();
            findings.extend(discovery.record.iter().flat_map(|record| bimi::judge(record).1));
            (text, findings)
        }
        group => panic!("{group} has no zones"),
    }
}

fn spans_lie_in(text: &str, findings: &[Finding]) {
    for finding in findings {
        if let Some(span) = finding.at {
            assert!(text.get(span.start..span.end).is_some(), "{span:?} of {text:?}: {finding:?}");
        }
        assert!(!finding.found.is_empty());
    }
}

fn kind_of(group: &str) -> Option<DraftKind> {
    Some(match group {
        "spf" => DraftKind::Spf,
        "dkim" => DraftKind::Dkim,
        "dmarc" => DraftKind::Dmarc,
        "bimi" => DraftKind::Bimi,
        "caa" => DraftKind::Caa,
        _ => return None,
    })
}

/// The cases of every rule, with the name of their file.
fn cases() -> Vec<(String, Rule)> {
    ["spf", "dkim", "dmarc", "bimi", "svg", "caa"]
        .into_iter()
        .flat_map(|group| {
            let path = Path::new("tests/cases/audit").join(format!("{group}.toml"));
            let text = fs::read_to_string(&path).unwrap();
            let file: File =
                toml::from_str(&text).unwrap_or_else(|error| panic!("{group}: {error}"));
            file.rule.into_iter().map(move |rule| (group.to_owned(), rule))
        })
        .collect()
}

const DOMAINS: [&str; 2] = [include_str!("domain.rs"), include_str!("marks.rs")];
