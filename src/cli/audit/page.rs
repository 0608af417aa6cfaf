//! A report as one page that stands by itself: it can be sent, and loads nothing.

use askama::Template;
use aws_lc_rs::digest;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::findings::counts;
use crate::audit::domain::{Report, Section};
use crate::audit::{Finding, visible};

/// The page of some reports. Everything that comes from DNS is escaped, and its policy allows no
/// script but the page's own and no request at all.
pub(super) fn page(reports: &[Report], now: &str) -> Result<String, askama::Error> {
    let hash = |text: &str| {
        let sum = digest::digest(&digest::SHA256, text.as_bytes());
        format!("sha256-{}", STANDARD.encode(sum.as_ref()))
    };
    let policy = format!(
        "default-src 'none'; style-src '{}'; script-src '{}'; base-uri 'none'; form-action 'none'",
        hash(STYLE),
        hash(SCRIPT)
    );
    let reports = reports.iter().map(Told::of).collect();
    Page { policy, style: STYLE, script: SCRIPT, now, reports }.render()
}

#[derive(Template)]
#[template(path = "audit.html")]
struct Page<'a> {
    policy: String,
    style: &'static str,
    script: &'static str,
    now: &'a str,
    reports: Vec<Told<'a>>,
}

struct Told<'a> {
    report: &'a Report,
    status: String,
    counts: String,
    sections: Vec<ToldSection<'a>>,
}

struct ToldSection<'a> {
    section: &'a Section,
    found: Vec<String>,
    says: String,
    status: String,
    findings: Vec<ToldFinding<'a>>,
}

struct ToldFinding<'a> {
    finding: &'a Finding,
    found: String,
    severity: String,
    who: String,
    name: String,
    kind: &'static str,
}

impl<'a> Told<'a> {
    fn of(report: &'a Report) -> Self {
        let findings: Vec<_> = report.findings().cloned().collect();
        let sections = report.sections.iter().map(ToldSection::of).collect();
        Self { report, status: report.status(), counts: counts(&findings), sections }
    }
}

impl<'a> ToldSection<'a> {
    fn of(section: &'a Section) -> Self {
        let finding = |finding: &'a Finding| {
            let place = finding.place.as_ref();
            ToldFinding {
                finding,
                found: visible(&finding.found),
                severity: finding.severity.to_string(),
                who: finding.who().to_string(),
                name: place.map_or(&section.name, |(name, _)| name).clone(),
                kind: place.map_or(section.kind, |(_, kind)| *kind).name(),
            }
        };
        Self {
            section,
            found: section.found.iter().map(|text| visible(text)).collect(),
            says: visible(&section.says),
            status: crate::audit::status(&section.findings),
            findings: section.findings.iter().map(finding).collect(),
        }
    }
}

const STYLE: &str = include_str!("../../../templates/audit.css");
const SCRIPT: &str = include_str!("../../../templates/audit.js");
