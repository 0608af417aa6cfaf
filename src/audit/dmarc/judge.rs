//! Every finding about one record that its text alone shows.

use super::mend::{mended, mended_version};
use super::policy::{Alignment, Policy, PublicSuffix};
use super::record::{self, PolicyRecord};
use super::uri::ReportUri;
use crate::audit::piece::Piece;
use crate::audit::rules::dmarc;
use crate::audit::tags::{Segment, Tag, items, repeated, segments, tags};
use crate::audit::{Finding, Published, Severity, Span, mailbox};

/// What a record says, and every finding about it.
pub fn judge(published: &Published) -> (Option<PolicyRecord>, Vec<Finding>) {
    let text = published.text();
    let (record, mut findings) = examine(text);
    let clean = if record.is_some() { mended(text) } else { mended_version(text) };
    let is_better = |clean: &String| {
        clean != text && examine(clean).1.iter().all(|found| found.severity != Severity::Error)
    };
    if let Some(clean) = clean.filter(is_better) {
        for finding in findings.iter_mut().filter(|found| found.is_error()) {
            finding.record = Some(clean.clone());
        }
    }
    (record, findings)
}

fn examine(text: &str) -> (Option<PolicyRecord>, Vec<Finding>) {
    let mut findings = Vec::new();
    let Some(record) = record::read(text) else {
        findings.push(unseen(text));
        return (None, findings);
    };
    if text.starts_with([' ', '\t']) {
        let finding = Finding::weak(&dmarc::D03, "a blank before v, which some receivers refuse");
        findings.push(finding.at(Span { start: 0, end: 1 }).expected("v as the first character"));
    }
    for segment in segments(text) {
        match segment {
            Segment::Junk(junk) => findings.push(discarded(junk, &record)),
            Segment::Tag(tag) => each(tag, &record, &mut findings),
        }
    }
    for tag in repeated(text) {
        let found = format!("a second {}, which makes the list invalid", tag.name.text());
        findings.push(
            Finding::error(&dmarc::D15, found).at(tag.whole.span()).expected("each tag once"),
        );
    }
    whole(text, &record, &mut findings);
    (Some(record), findings)
}

/// Why a text that was meant to be a record is none.
fn unseen(text: &str) -> Finding {
    let (at, found) = match record::first(text) {
        Some(tag) if tag.name.text().eq_ignore_ascii_case("v") => {
            (tag.whole.span(), format!("\"{}\" is not the version", tag.whole.text()))
        }
        Some(tag) => (tag.whole.span(), format!("the first tag is {}", tag.name.text())),
        None => (Span::all(text), "no DMARC record".to_owned()),
    };
    Finding::error(&dmarc::D03, found).at(at).expected("v=DMARC1, in this case, as the first tag")
}

fn discarded(junk: Piece<'_>, record: &PolicyRecord) -> Finding {
    let found = format!("\"{}\" is no tag=value and is discarded", junk.text());
    let finding = Finding::error(&dmarc::D05, found).at(junk.span());
    let text = junk.text();
    match mailbox::parts(text.strip_prefix("mailto:").unwrap_or(text)) {
        Some(_) if record.rua.is_empty() => {
            finding.expected("rua= before the address: no reports are sent as it stands")
        }
        Some(_) => finding.expected("the address among those of rua="),
        None => finding.expected("tag=value, with semicolons between"),
    }
}

fn each(tag: Tag<'_>, record: &PolicyRecord, findings: &mut Vec<Finding>) {
    let (name, value, at) = (tag.name.text(), tag.value.text(), tag.whole.span());
    match name {
        "v" => {}
        "p" | "sp" | "np" => {
            if Policy::parse(value).is_none() {
                findings.push(policy(name, value, record).at(at));
            }
        }
        "rua" | "ruf" => {
            let uris = if name == "rua" { &record.rua } else { &record.ruf };
            addresses(tag, uris, findings);
        }
        "adkim" | "aspf" => match Alignment::parse(value) {
            Some(Alignment::Relaxed) => {}
            Some(Alignment::Strict) => {
                let found = format!("{name}=s: only this very domain aligns");
                findings.push(Finding::note(&dmarc::D16, found).at(at));
            }
            None => findings.push(
                Finding::weak(&dmarc::D16, format!("{name}={value} is read as r"))
                    .at(at)
                    .expected(format!("{name}=r or {name}=s")),
            ),
        },
        "fo" => failure_options(tag, record, findings),
        "t" => {
            if !matches!(value, "y" | "Y" | "n" | "N") {
                let found = format!("t={value} is read as n");
                findings.push(Finding::weak(&dmarc::D05, found).at(at).expected("t=y or t=n"));
            } else if record.is_testing {
                let found = "t=y lowers the policy by one level; older receivers do not know it";
                findings.push(Finding::weak(&dmarc::D10, found).at(at).expected("no t=y"));
            }
        }
        "psd" => suffix(tag, findings),
        "pct" | "rf" | "ri" => findings.push(
            Finding::weak(&dmarc::D14, format!("{name}, which DMARC no longer has"))
                .at(at)
                .expected(if name == "pct" { "no pct; t=y to test" } else { "no such tag" }),
        ),
        _ => findings.push(unknown(tag)),
    }
}

fn policy(name: &str, value: &str, record: &PolicyRecord) -> Finding {
    let effect =
        if record.applies { "the record counts as p=none" } else { "DMARC does not apply at all" };
    Finding::error(&dmarc::D04, format!("{name}={value} is no policy: {effect}"))
        .expected("none, quarantine or reject")
}

fn unknown(tag: Tag<'_>) -> Finding {
    let name = tag.name.text();
    let lower = name.to_ascii_lowercase();
    if lower != name && TAGS.contains(&lower.as_str()) {
        let found = format!("{name} in this case, which not every receiver knows");
        return Finding::weak(&dmarc::D15, found).at(tag.whole.span()).expected(lower);
    }
    Finding::note(&dmarc::D15, format!("the unknown tag {name}, which is ignored"))
        .at(tag.whole.span())
        .expected("no such tag")
}

fn addresses(tag: Tag<'_>, uris: &[ReportUri], findings: &mut Vec<Finding>) {
    let name = tag.name.text();
    if uris.is_empty() {
        let finding = Finding::error(&dmarc::D07, format!("{name} without an address"));
        findings.push(finding.at(tag.whole.span()).expected("mailto: and an address"));
    }
    for uri in uris {
        let at = uri.span;
        let text = &uri.text;
        if !uri.is_uri {
            let finding = Finding::error(&dmarc::D07, format!("\"{text}\" is no report address"));
            let expected = match mailbox::parts(text) {
                Some(_) => format!("mailto:{text}"),
                None => "mailto: and an address, with , and ! inside it encoded".to_owned(),
            };
            findings.push(finding.at(at).expected(expected));
        } else if uri.host.is_none() {
            let found = format!("\"{text}\", to which receivers need not send");
            findings.push(Finding::weak(&dmarc::D07, found).at(at).expected("a mailto: address"));
        }
        if let Some(limit) = &uri.limit {
            let found = format!("the size limit !{limit}, which is obsolete and ignored");
            findings.push(Finding::weak(&dmarc::D07, found).at(at).expected(text.clone()));
        }
    }
    if uris.len() > ADDRESSES {
        let found =
            format!("{} addresses, while receivers need not send to more than two", uris.len());
        findings.push(
            Finding::weak(&dmarc::D07, found).at(tag.value.span()).expected("one or two addresses"),
        );
    }
}

fn failure_options(tag: Tag<'_>, record: &PolicyRecord, findings: &mut Vec<Finding>) {
    let at = tag.whole.span();
    let options: Vec<_> = items(tag.value, ':').map(Piece::text).collect();
    let has = |option: &str| options.iter().any(|own| own.eq_ignore_ascii_case(option));
    if let Some(odd) =
        options.iter().find(|own| !["0", "1", "d", "s"].iter().any(|o| o.eq_ignore_ascii_case(own)))
    {
        let found = format!("\"{odd}\" is no option of fo, which is read as 0");
        findings.push(Finding::note(&dmarc::D17, found).at(at).expected("0, 1, d, s or d:s"));
    }
    if has("0") && has("1") {
        let found = "0 and 1 in fo, which exclude each other";
        findings.push(Finding::note(&dmarc::D17, found).at(at).expected("one of them"));
    }
    if record.ruf.is_empty() {
        let found = "fo without ruf, which is ignored";
        findings.push(Finding::note(&dmarc::D17, found).at(at).expected("ruf, or no fo"));
    }
}

fn suffix(tag: Tag<'_>, findings: &mut Vec<Finding>) {
    let at = tag.whole.span();
    let finding = match PublicSuffix::parse(tag.value.text()) {
        Some(PublicSuffix::Unknown) => return,
        Some(PublicSuffix::Yes) => {
            Finding::weak(&dmarc::D13, "psd=y: every name below is an organization of its own")
                .expected("psd=y at public suffixes only")
        }
        Some(PublicSuffix::No) => {
            Finding::weak(&dmarc::D13, "psd=n: names above and beside do not align with this one")
                .expected("psd=n where an organization is meant to be split")
        }
        None => {
            let found = format!("psd={} is read as u", tag.value.text());
            Finding::weak(&dmarc::D05, found).expected("psd=y, psd=n or psd=u")
        }
    };
    findings.push(finding.at(at));
}

/// What the record as a whole says or leaves out.
fn whole(text: &str, record: &PolicyRecord, findings: &mut Vec<Finding>) {
    let policy = tags(text).enumerate().find(|(_, tag)| tag.name.text() == "p");
    match policy {
        None => {
            let effect = if record.applies {
                "no p: the record counts as p=none"
            } else {
                "no p and no rua: DMARC does not apply at all"
            };
            let finding = Finding::error(&dmarc::D04, effect).at(Span::all(text));
            findings.push(finding.expected("p=none, p=quarantine or p=reject"));
        }
        Some((at, tag)) if at != 1 => findings.push(
            Finding::note(&dmarc::D04, "p not directly behind v, where RFC 7489 wanted it")
                .at(tag.whole.span())
                .expected("p as the second tag"),
        ),
        Some(_) => {}
    }
    if !tags(text).any(|tag| tag.name.text() == "rua") {
        findings.push(Finding::weak(&dmarc::D06, "no rua").expected("rua=mailto: and an address"));
    }
    if !record.applies {
        return;
    }
    if record.policy == Policy::None {
        findings.push(
            Finding::weak(&dmarc::D09, "p=none")
                .expected("p=quarantine or p=reject, once reports show that all own mail passes"),
        );
    }
    if let Some(subdomains) = record.subdomains.filter(|own| *own < record.policy) {
        let found = format!("sp={subdomains} is weaker than p={}", record.policy);
        findings.push(Finding::weak(&dmarc::D11, found).expected(format!("sp={}", record.policy)));
    }
    let wanted = record.subdomains.unwrap_or(record.policy);
    match record.missing {
        Some(missing) if missing < wanted => {
            let found = format!("np={missing} is weaker than what holds for subdomains that exist");
            findings.push(Finding::note(&dmarc::D12, found).expected("np=reject"));
        }
        None if wanted < Policy::Reject => {
            findings.push(Finding::note(&dmarc::D12, "no np").expected("np=reject"));
        }
        _ => {}
    }
}

const TAGS: [&str; 14] =
    ["adkim", "aspf", "fo", "np", "p", "pct", "psd", "rf", "ri", "rua", "ruf", "sp", "t", "v"];
/// The addresses that a receiver had to send to (RFC 7489 §6.3).
const ADDRESSES: usize = 2;
