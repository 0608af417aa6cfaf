//! BIMI: the record, the policy behind it, the image, and the mark certificate.

use super::evidence::{Document, File, Needs, Unfetched, Wanted};
use super::examine::View;
use super::report::{Section, Topic};
use super::subject::Depth;
use crate::audit::bimi::{self, Indicator};
use crate::audit::mark_certificate::{self, Case};
use crate::audit::rules::bimi as rules;
use crate::audit::{Finding, Rule, dmarc, svg};
use crate::dns::Kind;

/// The record that names the domain's logo.
pub(super) fn section(
    view: &View<'_>,
    policies: Option<&dmarc::Discovery>,
    needs: &mut Needs,
) -> Option<Section> {
    let selector = &view.platform.expect.bimi_selector;
    let own = format!("{selector}._bimi.{}", view.domain());
    // The domain's own name does not wait for what the organization is.
    let organization =
        policies.map_or_else(|| Some(view.domain()), |policies| policies.organization.as_deref());
    let found =
        needs.take(bimi::discover(selector, view.domain(), organization, view.answers()))?;
    let policies = policies?;
    let name = found.found_at.unwrap_or(own);
    let mut section = Section::new(Topic::Bimi, name, Kind::Txt);
    section.findings = found.findings;
    section.expected = Some(view.filled(&view.platform.expect.bimi));
    section.says = "no logo".to_owned();
    if let Some(published) = &found.record {
        let (indicator, findings) = bimi::judge(published);
        section.found.push(published.text().to_owned());
        section.findings.extend(findings);
        if let Some(indicator) = indicator {
            section.says = says(&indicator);
            if !indicator.is_declined {
                section.findings.extend(bimi::enforcement(policies));
            }
            shown(view, (&indicator, organization), &mut section, needs);
        }
    }
    for finding in &mut section.findings {
        let is_of_record = ["B01", "B03", "B04"].contains(&finding.rule.id);
        if finding.is_error() && is_of_record && finding.record.is_none() {
            finding.record.clone_from(&section.expected);
        }
    }
    Some(section)
}

fn says(indicator: &Indicator) -> String {
    match &indicator.location {
        Some(location) => format!("the image at {location}"),
        None if indicator.is_declined => "the domain declines to show an image".to_owned(),
        None => "no image".to_owned(),
    }
}

/// The image itself, and the certificate that vouches for it.
fn shown(
    view: &View<'_>,
    (indicator, organization): (&Indicator, Option<&str>),
    section: &mut Section,
    needs: &mut Needs,
) {
    let image = fetched(view, indicator.location.as_ref(), Document::Image, needs);
    let evidence = indicator.evidence.as_ref();
    let certificate = fetched(view, evidence, Document::MarkCertificate, needs);
    match image {
        None => {}
        Some(Ok(file)) => section.findings.extend(judged(file)),
        Some(Err(why)) => {
            let expected = "status 200 over https, from a public address";
            section.findings.push(unfetched(&rules::B09, "the image", why).expected(expected));
        }
    }
    match certificate {
        None => {}
        // A certificate may be for the organizational domain.
        Some(Ok(_)) if organization.is_none() => {
            let found = format!("the organizational domain of {} is not known", view.domain());
            section.findings.push(Finding::unknown(&rules::B17, found));
        }
        Some(Ok(file)) => {
            let image = image.and_then(|image| image.as_ref().ok());
            let case = Case {
                selector: &view.platform.expect.bimi_selector,
                domain: view.domain(),
                organization: organization.unwrap_or_else(|| view.domain()),
                image: image.map(|image| image.bytes.as_slice()),
                roots: &view.platform.mark_roots,
                now: view.evidence.now,
            };
            section.findings.extend(mark_certificate::judge(&file.bytes, &case));
        }
        Some(Err(why)) => {
            let expected = "status 200 over https, from a public address";
            let finding = unfetched(&rules::B17, "the mark certificate", why);
            section.findings.push(finding.expected(expected));
        }
    }
}

/// What stands at an address, when it is looked at.
fn fetched<'a>(
    view: &View<'a>,
    address: Option<&String>,
    document: Document,
    needs: &mut Needs,
) -> Option<&'a Result<File, Unfetched>> {
    if !view.is(Depth::Full) {
        return None;
    }
    view.file(Wanted { document, address: address?.clone() }, needs)
}

fn unfetched(rule: &'static Rule, what: &str, why: &Unfetched) -> Finding {
    let found = format!("{what} could not be fetched: {why}");
    match why {
        Unfetched::Unknown(_) => Finding::unknown(rule, found),
        Unfetched::Refused(_) => Finding::error(rule, found),
    }
}

fn judged(file: &File) -> Vec<Finding> {
    let media_type = file.media_type.split(';').next().unwrap_or_default().trim();
    let (_, mut findings) = svg::judge(svg::Image::read(&file.bytes));
    // Places would be those of another text than the record's.
    findings.iter_mut().for_each(|finding| finding.at = None);
    if !media_type.eq_ignore_ascii_case("image/svg+xml") {
        let found = format!("an image of the type \"{media_type}\"");
        findings.push(Finding::weak(&rules::B09, found).expected("image/svg+xml"));
    }
    findings
}
