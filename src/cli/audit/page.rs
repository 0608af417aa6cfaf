//! A report as one page that stands by itself: it can be sent, and loads nothing.

use askama::Template;

use crate::audit::domain::Report;
use crate::audit::page::{SCRIPT, STYLE, Told, moment, policy};

/// The page of some reports, made at `now`. Everything that comes from DNS is escaped, and its
/// policy allows no script but the page's own and no request at all.
pub(super) fn page(reports: &[Report], now: &str) -> Result<String, askama::Error> {
    let reports = reports.iter().map(|report| Told::of(&report.json())).collect();
    let (policy, moment) = (policy("'none'"), moment(now));
    Page { policy, style: STYLE, script: SCRIPT, now, moment, reports }.render()
}

#[derive(Template)]
#[template(path = "audit.html")]
struct Page<'a> {
    policy: String,
    style: &'static str,
    script: &'static str,
    now: &'a str,
    moment: String,
    reports: Vec<Told>,
}
