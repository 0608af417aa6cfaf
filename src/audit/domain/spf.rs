//! SPF: what stands there, whether the platform's servers pass, and the merge that mends it.

use std::net::IpAddr;

use super::evidence::Needs;
use super::examine::View;
use super::merge::merged;
use super::report::{Section, Topic};
use super::subject::Depth;
use crate::audit::answers::Found;
use crate::audit::rules::spf as rules;
use crate::audit::spf::{self, Evaluation, Outcome, Request, Verdict};
use crate::audit::{Answer, Answers, Finding, Published, Severity, Unanswered, dmarc, name};
use crate::clock::Timestamp;
use crate::dns::{Kind, Name, Question};

/// What stands at the domain whose record is asked for, and what is wrong with it.
pub(super) fn section(
    view: &View<'_>,
    policies: Option<&dmarc::Discovery>,
    needs: &mut Needs,
) -> Option<Section> {
    let domain = judged_domain(view);
    let answers = view.answers();
    let judged = needs.take(judge(view, &domain, answers));
    let around = needs.take(around(view, &domain));
    let (judged, mut around) = (judged?, around?);
    let mended = needs.take(mend(view, &domain, &judged))?;
    let mut section = Section::new(Topic::Spf, &domain, Kind::Txt);
    section.expected = Some(view.platform.spf(view.domain()));
    section.found = judged.records.iter().map(|record| record.text().to_owned()).collect();
    section.says = judged.says();
    section.findings = judged.findings;
    section.findings.append(&mut around);
    section.findings.extend(policies.and_then(|policies| elsewhere(view, policies)));
    if let Some((record, left)) = mended {
        for finding in &mut section.findings {
            let is_mended = finding.severity >= Severity::Weak
                && finding.severity != Severity::Unknown
                && finding.rule.id.starts_with(['S', 'I'])
                && !left.contains(&finding.rule.id);
            if is_mended && finding.record.is_none() {
                finding.record = Some(record.clone());
            }
        }
    }
    Some(section)
}

/// The domain whose record receivers ask for, when it is the customer's; else the author's.
fn judged_domain(view: &View<'_>) -> String {
    let path = name::normal(&view.filled(&view.platform.expect.mail_from));
    let is_below = path.strip_suffix(view.domain()).is_some_and(|rest| rest.ends_with('.'));
    if is_below { path } else { view.domain().to_owned() }
}

/// What was judged of one set of texts.
struct Judged {
    records: Vec<Published>,
    findings: Vec<Finding>,
    survey: spf::Survey,
    /// How the check of the platform's servers ended: the first that did not pass, else the last.
    outcome: Option<Outcome>,
}

impl Judged {
    fn says(&self) -> String {
        match (self.records.len(), &self.outcome) {
            (0, _) => "no SPF record".to_owned(),
            (2.., _) => "permerror at every receiver: several records".to_owned(),
            (1, Some(outcome)) if outcome.verdict == Verdict::Pass => format!(
                "mail of the platform passes, after {} of 10 lookups; {} at most for other senders",
                outcome.lookups, self.survey.lookups
            ),
            (1, Some(outcome)) => {
                format!("mail of the platform gets {}: {}", outcome.verdict, outcome.reason)
            }
            (1, None) => format!("{} of 10 lookups at most", self.survey.lookups),
        }
    }
}

fn judge(view: &View<'_>, domain: &str, answers: &Answers) -> Result<Judged, Unanswered> {
    let include = &view.platform.expect.spf_include;
    let senders = spf::senders(include, answers);
    let selection = spf::select(domain, answers)?;
    let survey = spf::survey(domain, answers);
    let (senders, survey) = both(senders, survey)?;
    let mut records = Vec::new();
    if let Found::Some(texts) = answers.texts(domain)? {
        records.extend(texts.iter().filter(|text| spf::is_record(text.text())).cloned());
    }
    let mut findings = selection.findings;
    if let [record] = records.as_slice() {
        findings.extend(spf::judge(record));
        findings.extend(survey.findings.iter().cloned());
    }
    let mut outcome = None;
    if records.len() == 1 {
        let (checked, found) = coverage(domain, &senders, include, answers)?;
        let is_explained = findings.iter().any(|own| own.severity >= Severity::Unknown);
        let is_permanent =
            checked.as_ref().is_some_and(|own| own.verdict == Verdict::PermError) && is_explained;
        findings.extend(found.filter(|_| !is_permanent));
        outcome = checked;
    }
    Ok(Judged { records, findings, survey, outcome })
}

/// Whether the platform's servers pass: each of its networks is tried at both ends.
fn coverage(
    domain: &str,
    senders: &spf::Senders,
    include: &str,
    answers: &Answers,
) -> Result<(Option<Outcome>, Option<Finding>), Unanswered> {
    let expected = format!("include:{include} before all, or what it holds");
    if senders.networks.is_empty() {
        let finding = match senders.failed {
            Some(why) => {
                let found = format!("the servers of {include} are not known: {why}");
                Finding::unknown(&rules::S04, found)
            }
            None if senders.is_valid => return Ok((None, None)),
            None => Finding::error(&rules::S04, format!("{include} has no valid SPF record"))
                .expected("a record that names the platform's servers")
                .by(crate::audit::Who::Platform),
        };
        return Ok((None, Some(finding)));
    }
    let mut questions = Vec::new();
    let (mut refused, mut passed, mut tried) = (None, None, 0);
    for (first, last) in senders.networks.iter().take(NETWORKS) {
        tried += 1;
        for address in [first, last] {
            match check(domain, *address, include, answers) {
                Ok(outcome) if outcome.verdict == Verdict::Pass => passed = Some(outcome),
                Ok(outcome) => refused = refused.or(Some((*address, outcome))),
                Err(unanswered) => questions.extend(unanswered.0),
            }
        }
    }
    if !questions.is_empty() {
        return Err(Unanswered::new(questions));
    }
    let Some((address, outcome)) = refused else {
        let is_listed = passed.as_ref().is_some_and(|outcome| is_by(outcome, include));
        let found = format!("the servers pass without include:{include}");
        let note = Finding::note(&rules::S04, found)
            .expected(format!("include:{include}, so that its changes are followed"));
        return Ok((passed, (!is_listed).then_some(note)));
    };
    let verdict = outcome.verdict;
    let found = if passed.is_some() {
        format!("of {tried} networks of the platform not all pass: {address} gets {verdict}")
    } else {
        format!("mail of the platform gets {verdict}: {}", outcome.reason)
    };
    let finding = match verdict {
        Verdict::TempError => Finding::unknown(&rules::S04, found),
        _ => Finding::error(&rules::S04, found).expected(expected),
    };
    Ok((Some(outcome), Some(finding)))
}

/// Whether a pass came through the platform's own record.
fn is_by(outcome: &Outcome, include: &str) -> bool {
    outcome.steps.iter().any(|step| name::normal(&step.domain) == name::normal(include))
}

fn check(
    domain: &str,
    address: IpAddr,
    include: &str,
    answers: &Answers,
) -> Result<Outcome, Unanswered> {
    // No explanation is wanted and no macro of time is worth a wall clock here.
    let request = Request::new(address, &format!("audit@{domain}"), include, Timestamp::default());
    Evaluation::new(request).check(answers)
}

/// What stands around the record.
fn around(view: &View<'_>, domain: &str) -> Result<Vec<Finding>, Unanswered> {
    let mut findings = Vec::new();
    if !view.is(Depth::Usual) {
        return Ok(findings);
    }
    let answers = view.answers();
    let (is_typed, alias) = both(answers.has(domain, Kind::Spf), answers.alias(domain))?;
    match is_typed {
        Some(true) => {
            let found = format!("a record of the type SPF at {domain}");
            let finding = Finding::note(&rules::S20, found);
            findings.push(finding.expected("no such record: it can be removed"));
        }
        Some(false) => {}
        None => {
            let found = format!("whether {domain} has a record of the type SPF is not known");
            findings.push(Finding::unknown(&rules::S20, found));
        }
    }
    let is_own = answers.aliases(domain, Kind::Txt).is_empty();
    match (alias, answers.texts(domain)?, is_own) {
        (Found::Some(targets), Found::Some(_), true) => {
            let target = targets.first().map_or("", Name::as_str);
            let found = format!("TXT records beside a CNAME to {target}");
            findings.push(Finding::error(&rules::S23, found).expected("one or the other"));
        }
        (Found::Failed(why), ..) => {
            let found = format!("whether {domain} is an alias is not known: {why}");
            findings.push(Finding::unknown(&rules::S23, found));
        }
        _ => {}
    }
    Ok(findings)
}

/// A return path that is not the customer's.
fn elsewhere(view: &View<'_>, policies: &dmarc::Discovery) -> Option<Finding> {
    let path = name::normal(&view.filled(&view.platform.expect.mail_from));
    let is_within = |top: &str| path == top || path.ends_with(&format!(".{top}"));
    if is_within(view.domain()) {
        return None;
    }
    let Some(organization) = policies.organization.as_deref() else {
        let found = format!("whether the return path at {path} is of the same organization");
        return Some(Finding::unknown(&rules::S26, format!("{found} is not known")));
    };
    if is_within(organization) {
        return None;
    }
    let found = format!("the return path is at {path}: this record is not asked for");
    let expected = format!("a return path at {} or below", view.domain());
    Some(Finding::weak(&rules::S26, found).expected(expected))
}

/// The record to publish instead, and the rules that it still offends; none when nothing is to be
/// mended, or nothing that is known would be right.
fn mend(
    view: &View<'_>,
    domain: &str,
    judged: &Judged,
) -> Result<Option<(String, Vec<&'static str>)>, Unanswered> {
    let is_known = judged.findings.iter().all(|finding| finding.severity != Severity::Unknown);
    let is_wanted = judged
        .findings
        .iter()
        .any(|finding| matches!(finding.severity, Severity::Error | Severity::Weak));
    if !is_known || !is_wanted {
        return Ok(None);
    }
    let records: Vec<_> = judged.records.iter().map(Published::text).collect();
    let include = &view.platform.expect.spf_include;
    let record = match records.as_slice() {
        [] => Some(view.platform.spf(view.domain())),
        records => merged(records, include),
    };
    let Some(record) = record else { return Ok(None) };
    let answers = published(domain, &record, view.answers())?;
    let again = judge(view, domain, &answers)?;
    let passes = again.outcome.as_ref().is_none_or(|outcome| outcome.verdict == Verdict::Pass);
    if !passes || again.findings.iter().any(|finding| finding.severity >= Severity::Unknown) {
        return Ok(None);
    }
    let left = again.findings.iter().filter(|finding| finding.severity == Severity::Weak);
    let left = left.map(|finding| finding.rule.id).collect();
    Ok(Some((record, left)))
}

/// The answers as they will be with `record` published.
fn published(domain: &str, record: &str, answers: &Answers) -> Result<Answers, Unanswered> {
    let mut texts = match answers.texts(domain)? {
        Found::Some(texts) => texts.to_vec(),
        _ => Vec::new(),
    };
    texts.retain(|text| !spf::is_record(text.text()));
    texts.push(Published::of_text(record));
    let mut answers = answers.clone();
    if let Ok(name) = Name::parse(domain) {
        answers.insert(Question { name, kind: Kind::Txt }, Answer::Texts(texts));
    }
    Ok(answers)
}

/// Two judgements whose questions are asked together.
fn both<A, B>(
    one: Result<A, Unanswered>,
    other: Result<B, Unanswered>,
) -> Result<(A, B), Unanswered> {
    match (one, other) {
        (Ok(one), Ok(other)) => Ok((one, other)),
        (Err(mut one), Err(other)) => {
            one.0.extend(other.0);
            Err(Unanswered::new(one.0))
        }
        (Err(unanswered), _) | (_, Err(unanswered)) => Err(unanswered),
    }
}

/// The networks of the platform that are tried.
const NETWORKS: usize = 16;
