//! From what is known to a report, or to what has to be asked.

use super::evidence::{Evidence, File, Needs, Unfetched, Wanted};
use super::report::Report;
use super::subject::{Depth, Subject};
use super::{bimi, dkim, dmarc, extras, issuance, servers, spf, tracking, validation};
use crate::audit::{Answers, Expect, Platform};

/// Judges a domain with what is known, or says what has to be asked first.
pub fn examine(
    subject: &Subject,
    platform: &Platform,
    evidence: &Evidence,
) -> Result<Report, Needs> {
    let view = View { subject, platform, evidence };
    let mut needs = Needs::default();
    let policies = needs.take(crate::audit::dmarc::discover(&subject.domain, view.answers()));
    let mut sections = vec![
        spf::section(&view, policies.as_ref(), &mut needs),
        dkim::section(&view, &mut needs),
        dkim::superseded(&view, &mut needs),
        dmarc::section(&view, policies.as_ref(), &mut needs),
        bimi::section(&view, policies.as_ref(), &mut needs),
        tracking::section(&view, &mut needs),
    ];
    if view.is(Depth::Usual) {
        sections.push(issuance::section(&view, &mut needs));
    }
    if view.is(Depth::Full) {
        sections.push(extras::section(&view, &mut needs));
    }
    let mut zone = servers::section(&view, &mut needs);
    if needs.is_empty() {
        // What failed is known only when everything has been asked.
        validation::judge(&view, &mut zone, &mut needs);
    }
    if !needs.is_empty() {
        return Err(needs);
    }
    let is_told = view.is(Depth::Full) || !zone.findings.is_empty();
    sections.push(is_told.then_some(zone));
    let sections = sections.into_iter().flatten().map(super::Section::finish).collect();
    Ok(Report::new(subject, sections))
}

/// What every section is judged from.
pub(super) struct View<'a> {
    pub(super) subject: &'a Subject,
    pub(super) platform: &'a Platform,
    pub(super) evidence: &'a Evidence,
}

impl<'a> View<'a> {
    /// What stands at an address; none when nothing is fetched, or not yet.
    pub(super) fn file(
        &self,
        wanted: Wanted,
        needs: &mut Needs,
    ) -> Option<&'a Result<File, Unfetched>> {
        let file = self.evidence.files.get(&wanted);
        if file.is_none() && self.evidence.is_fetching {
            needs.files.push(wanted);
        }
        file
    }

    pub(super) fn answers(&self) -> &Answers {
        &self.evidence.answers
    }

    pub(super) fn domain(&self) -> &str {
        &self.subject.domain
    }

    /// Whether as much as this is looked at.
    pub(super) fn is(&self, depth: Depth) -> bool {
        self.subject.depth >= depth
    }

    /// A text of the expectations for this domain.
    pub(super) fn filled(&self, text: &str) -> String {
        Expect::filled(text, self.domain())
    }
}
