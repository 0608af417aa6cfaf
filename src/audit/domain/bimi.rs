//! BIMI: the record, the policy behind it, and the image.

use super::evidence::{File, Needs, Unfetched};
use super::examine::View;
use super::report::{Section, Topic};
use super::subject::Depth;
use crate::audit::bimi::{self, Indicator};
use crate::audit::rules::bimi as rules;
use crate::audit::{Finding, dmarc, svg};
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
    let organization = policies.and_then(|policies| policies.organization.as_deref());
    let organization = organization.unwrap_or_else(|| view.domain());
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
            image(view, &indicator, &mut section, needs);
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

/// The image itself.
fn image(view: &View<'_>, indicator: &Indicator, section: &mut Section, needs: &mut Needs) {
    let Some(location) = &indicator.location else { return };
    if !view.is(Depth::Full) || !view.evidence.is_fetching {
        return;
    }
    match view.evidence.files.get(location) {
        None => needs.files.push(location.clone()),
        Some(Ok(file)) => section.findings.extend(judged(file)),
        Some(Err(Unfetched::Unknown(why))) => {
            let found = format!("the image could not be fetched: {why}");
            section.findings.push(Finding::unknown(&rules::B09, found));
        }
        Some(Err(Unfetched::Refused(why))) => {
            let found = format!("the image could not be fetched: {why}");
            let finding = Finding::error(&rules::B09, found);
            section.findings.push(finding.expected("status 200 over https, without a detour"));
        }
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
