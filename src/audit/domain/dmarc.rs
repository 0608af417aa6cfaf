//! DMARC: the policy in force, and whether the platform's mail aligns with it.

use super::evidence::Needs;
use super::examine::View;
use super::report::{Section, Topic};
use super::subject::Depth;
use crate::audit::dmarc::{self, Alignment, Discovery, PolicyRecord};
use crate::audit::rules::dmarc as rules;
use crate::audit::{Finding, Published, Unanswered, Who, name};
use crate::dns::Kind;

/// The policy that applies to the domain.
pub(super) fn section(
    view: &View<'_>,
    policies: Option<&Discovery>,
    needs: &mut Needs,
) -> Option<Section> {
    let policies = policies?;
    let at = policies.found_at.as_deref().unwrap_or_else(|| view.domain());
    let mut section = Section::new(Topic::Dmarc, format!("_dmarc.{at}"), Kind::Txt);
    let wanted = view.filled(&view.platform.expect.dmarc);
    section.findings.clone_from(&policies.findings);
    if let Some(record) = &policies.record {
        section.found.push(record.text.clone());
        section.findings.extend(dmarc::judge(&Published::of_text(&record.text)).1);
        let reports = view.is(Depth::Usual).then(|| dmarc::reports(at, record, view.answers()));
        let reports = reports.map(|reports| needs.take(reports));
        let aligned = needs.take(alignment(view, record));
        if let Some(reports) = reports {
            section.findings.extend(reports?.1);
        }
        section.findings.extend(aligned?);
    }
    // What the domain wrote itself, wrongly or elsewhere, comes before what others are asked for.
    let mut others = section.findings.iter().filter(|finding| finding.rule != &rules::D01);
    let own = others.find_map(|finding| finding.record.clone());
    for finding in &mut section.findings {
        if finding.rule == &rules::D01 && finding.is_error() {
            finding.record = own.clone().or_else(|| Some(wanted.clone()));
        }
    }
    section.expected = Some(wanted);
    section.says = says(policies);
    Some(section)
}

fn says(policies: &Discovery) -> String {
    let Some(policy) = policies.policy else {
        let is_known = policies.organization.is_some();
        return if is_known { "no DMARC applies" } else { "not known" }.to_owned();
    };
    let mut says = format!("{policy} for {}", policies.domain);
    if let (Some(subdomains), Some(missing)) = (policies.subdomains, policies.missing) {
        says += &format!(", {subdomains} for subdomains");
        if missing != subdomains {
            says += &format!(", {missing} for those that do not exist");
        }
    }
    says
}

/// Whether the platform's mail aligns with the author's domain, by SPF or by DKIM.
fn alignment(view: &View<'_>, record: &PolicyRecord) -> Result<Vec<Finding>, Unanswered> {
    let expect = &view.platform.expect;
    let (path, signer) = (view.filled(&expect.mail_from), view.filled(&expect.dkim_d));
    let by_spf = aligns(view, &path, record.aspf)?;
    let by_dkim = aligns(view, &signer, record.adkim)?;
    let told = |what: &str, own: &str, tag: &str, mode: Alignment| {
        format!("{what} at {own} does not align with {} ({tag}: {mode})", view.domain())
    };
    let spf = || told("a return path", &path, "aspf", record.aspf);
    let dkim = || told("a signature", &signer, "adkim", record.adkim);
    let expected = format!("names at {} or below", view.domain());
    let finding = match (by_spf, by_dkim) {
        (Some(true), Some(true)) => return Ok(Vec::new()),
        (Some(false), Some(false)) => {
            Finding::error(&rules::D16, format!("{}, and {}", spf(), dkim())).by(Who::Platform)
        }
        (Some(false), Some(true)) => {
            Finding::weak(&rules::D16, format!("{}: DKIM stands alone", spf()))
        }
        (Some(true), Some(false)) => {
            Finding::weak(&rules::D16, format!("{}: SPF stands alone", dkim()))
        }
        _ => Finding::unknown(&rules::D16, "whether the platform's mail aligns is not known"),
    };
    Ok(vec![finding.expected(expected)])
}

/// Whether a domain aligns with the author's; `None` while DNS does not say.
fn aligns(view: &View<'_>, other: &str, mode: Alignment) -> Result<Option<bool>, Unanswered> {
    let other = name::normal(other);
    if other == view.domain() {
        return Ok(Some(true));
    }
    if mode == Alignment::Strict {
        return Ok(Some(false));
    }
    let own = dmarc::organization(view.domain(), view.answers())?;
    let theirs = dmarc::organization(&other, view.answers())?;
    Ok(own.zip(theirs).map(|(own, theirs)| own == theirs))
}
