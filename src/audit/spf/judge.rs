//! What is wrong or weak in one record, told from its text alone.

use super::limits::LOOKUPS;
use super::selection::{VERSION, is_record};
use super::term::{Mechanism, Qualifier, Record, Term, TermKind};
use super::{lexer, networks};
use crate::audit::published::MAX_STRING;
use crate::audit::rules::spf;
use crate::audit::{Finding, Published, Span, sender_id};

/// Every finding about a record that its text alone shows.
pub fn judge(published: &Published) -> Vec<Finding> {
    let text = published.text();
    if sender_id::is_record(text) {
        return sender_id::judge(text);
    }
    let mut findings = Vec::new();
    if !is_record(text) {
        findings.extend(unseen(text));
        if findings.iter().all(|finding| finding.rule == &spf::S01) {
            return findings;
        }
    }
    findings.extend(terms(text, &lexer::read(text)));
    findings.extend(size(published));
    findings
}

/// A text that looks like an SPF record and is none.
pub(super) fn impostor(text: &str) -> Option<Finding> {
    let bare = text.trim_start_matches(|c: char| c.is_whitespace() || "\"'\u{201c}".contains(c));
    let lower: String =
        bare.chars().take(12).filter(|c| !c.is_whitespace()).collect::<String>().to_lowercase();
    let is_like =
        lower.starts_with("v=spf") || lower.starts_with("spf1") || lower.starts_with("spf2");
    if is_record(text) || !is_like {
        return None;
    }
    let first = text.split(' ').find(|word| !word.is_empty()).unwrap_or_default();
    if is_record(text.trim_start()) {
        let blanks = Span { start: 0, end: text.len() - text.trim_start().len() };
        let finding = Finding::error(&spf::S02, "a blank before the version")
            .at(blanks)
            .expected("v=spf1 as the very first characters");
        return Some(finding.publish(text.trim_start()));
    }
    let start = text.find(first).unwrap_or_default();
    let finding =
        Finding::weak(&spf::S03, format!("\"{first}\" is not the version of an SPF record"))
            .at(Span { start, end: start + first.len() })
            .expected("v=spf1, then a space or nothing");
    Some(finding)
}

/// Why a text that was meant to be a record is none.
fn unseen(text: &str) -> Vec<Finding> {
    let mut findings: Vec<_> = impostor(text).into_iter().collect();
    if findings.iter().all(|finding| finding.rule != &spf::S02) {
        let first = text.split(' ').next().unwrap_or_default();
        findings.push(
            Finding::error(&spf::S01, "no SPF record: receivers do not see it as one")
                .at(Span::all(first))
                .expected(format!("{VERSION}, then a space or nothing")),
        );
    }
    findings
}

fn terms(text: &str, record: &Record) -> Vec<Finding> {
    let mut findings: Vec<_> = record.faults.iter().map(super::Fault::finding).collect();
    all(record, &mut findings);
    redirect(record, &mut findings);
    for term in &record.terms {
        wide(term, &mut findings);
        names(text, term, &mut findings);
        address(term, &mut findings);
    }
    effect(text, record, &mut findings);
    own_lookups(record, &mut findings);
    findings
}

/// What holds for everybody else.
fn all(record: &Record, findings: &mut Vec<Finding>) {
    match record.all() {
        Some((term, Qualifier::Pass)) => findings.push(
            Finding::error(&spf::S13, "all with pass: every address may send")
                .at(term.span)
                .expected("-all or ~all"),
        ),
        Some((term, Qualifier::Neutral)) => findings.push(
            Finding::weak(&spf::S14, "?all says nothing about all other senders")
                .at(term.span)
                .expected("-all or ~all"),
        ),
        Some((term, Qualifier::Fail)) => {
            findings
                .push(Finding::note(&spf::S15, "a hard fail for all other senders").at(term.span));
        }
        Some((_, Qualifier::SoftFail)) => {}
        None if record.redirect().is_none() => findings.push(
            Finding::weak(&spf::S14, "neither all nor redirect: other senders get neutral")
                .expected("-all or ~all at the end"),
        ),
        None => {}
    }
}

fn redirect(record: &Record, findings: &mut Vec<Finding>) {
    if let (Some((redirect, _)), Some(_)) = (record.redirect(), record.all()) {
        findings.push(
            Finding::weak(&spf::S16, "redirect is ignored, since the record has an all")
                .at(redirect.span)
                .expected("one of the two"),
        );
    }
}

/// Networks so wide that they authorize strangers.
pub(super) fn wide(term: &Term, findings: &mut Vec<Finding>) {
    let TermKind::Directive(directive) = &term.kind else { return };
    let width = match &directive.mechanism {
        Mechanism::Ip4 { prefix, .. } if *prefix <= WIDE_IP4 => Some((*prefix, "IPv4")),
        Mechanism::Ip6 { prefix, .. } if *prefix <= WIDE_IP6 => Some((*prefix, "IPv6")),
        Mechanism::A { prefixes, .. } | Mechanism::Mx { prefixes, .. } => {
            if prefixes.ip4 <= WIDE_IP4 {
                Some((prefixes.ip4, "IPv4"))
            } else {
                (prefixes.ip6 <= WIDE_IP6).then_some((prefixes.ip6, "IPv6"))
            }
        }
        _ => None,
    };
    if let Some((prefix, family)) = width.filter(|_| directive.qualifier == Qualifier::Pass) {
        findings.push(
            Finding::error(
                &spf::S13,
                format!("an {family} network of prefix length {prefix} may send"),
            )
            .at(term.span)
            .expected("the networks of the senders alone"),
        );
    }
}

fn names(text: &str, term: &Term, findings: &mut Vec<Finding>) {
    if let TermKind::Directive(directive) = &term.kind
        && matches!(directive.mechanism, Mechanism::Ptr { .. })
    {
        findings.push(
            Finding::weak(&spf::S18, "ptr").at(term.span).expected("ip4, ip6, a, mx or include"),
        );
    }
    let Some(domain) = term.kind.domain() else { return };
    if domain.uses(b'p') {
        findings.push(
            Finding::weak(&spf::S18, "the macro p").at(domain.span).expected("another macro"),
        );
    }
    let written = domain.span.of(text);
    let is_odd = |name: &str| !crate::audit::name::is_askable(name);
    if domain.literal().is_some_and(is_odd) {
        findings.push(
            Finding::error(&spf::S06, format!("\"{written}\" is too long or has an empty label"))
                .at(domain.span)
                .expected("labels of 1 to 63 characters, 253 in all"),
        );
    }
}

/// Addresses that no mail comes from, or that are written at odds with their prefix.
fn address(term: &Term, findings: &mut Vec<Finding>) {
    let TermKind::Directive(directive) = &term.kind else { return };
    let (purpose, first) = match &directive.mechanism {
        Mechanism::Ip4 { network, prefix } => {
            let first = networks::first_ip4(*network, *prefix);
            let wrong = (first != *network).then(|| format!("{first}/{prefix}"));
            (networks::purpose_ip4(*network, *prefix), wrong)
        }
        Mechanism::Ip6 { network, prefix } => {
            let first = networks::first_ip6(*network, *prefix);
            let wrong = (first != *network).then(|| format!("{first}/{prefix}"));
            (networks::purpose_ip6(*network, *prefix), wrong)
        }
        _ => return,
    };
    if let Some(purpose) = purpose {
        findings.push(
            Finding::weak(&spf::S25, format!("a network for {purpose}"))
                .at(term.span)
                .expected("addresses that mail comes from"),
        );
    }
    if let Some(first) = first {
        findings.push(
            Finding::weak(&spf::S25, "bits set behind the prefix, which do not count")
                .at(term.span)
                .expected(first),
        );
    }
}

/// Terms that can have no effect.
fn effect(text: &str, record: &Record, findings: &mut Vec<Finding>) {
    let all = record.all().map(|(term, _)| term.span);
    for (at, term) in record.terms.iter().enumerate() {
        let word = term.span.of(text);
        let is_directive = matches!(term.kind, TermKind::Directive(_));
        if is_directive && all.is_some_and(|all| all.end <= term.span.start) {
            findings.push(
                Finding::weak(&spf::S25, "a term behind all, which is never reached")
                    .at(term.span)
                    .expected("all at the end"),
            );
        } else if is_directive
            && let Some(first) = record.terms.iter().take(at).find(|other| {
                matches!(other.kind, TermKind::Directive(_))
                    && bare(other.span.of(text)).eq_ignore_ascii_case(bare(word))
            })
        {
            let found = format!("\"{word}\" again, after \"{}\"", first.span.of(text));
            findings.push(Finding::weak(&spf::S25, found).at(term.span).expected("it once"));
        }
        if let TermKind::Unknown { name } = &term.kind
            && let Some(meant) = MECHANISMS.iter().find(|known| known.eq_ignore_ascii_case(name))
        {
            findings.push(
                Finding::weak(&spf::S25, format!("{name}= is a modifier that nobody knows"))
                    .at(term.span)
                    .expected(format!("{meant}:")),
            );
        }
    }
}

/// A directive without the qualifier that it would have anyway.
fn bare(word: &str) -> &str {
    word.strip_prefix('+').unwrap_or(word)
}

/// The lookups of the record alone; what it includes adds to them.
fn own_lookups(record: &Record, findings: &mut Vec<Finding>) {
    let lookups: Vec<_> = reached(record).filter(|term| term.kind.is_lookup()).collect();
    if let Some(first) = lookups.get(LOOKUPS) {
        let found = format!("{} terms that cause lookups in this record alone", lookups.len());
        findings.push(
            Finding::error(&spf::S07, found).at(first.span).expected(format!("at most {LOOKUPS}")),
        );
    } else if lookups.len() >= NEAR {
        let found = format!("{} terms that cause lookups in this record alone", lookups.len());
        findings.push(Finding::weak(&spf::S08, found).expected("a margin below ten"));
    }
}

/// The terms that an evaluation can come to: none behind `all`, and then no `redirect`.
pub(super) fn reached(record: &Record) -> impl Iterator<Item = &Term> {
    let all = record.all().map(|(term, _)| term.span);
    record.terms.iter().filter(move |term| match term.kind {
        TermKind::Redirect(_) => all.is_none(),
        _ => all.is_none_or(|all| term.span.start <= all.start),
    })
}

fn size(published: &Published) -> Vec<Finding> {
    let mut findings = Vec::new();
    if let Some(long) = published.strings().iter().find(|length| **length > MAX_STRING) {
        findings.push(
            Finding::weak(&spf::S21, format!("a string of {long} bytes"))
                .expected(format!("strings of at most {MAX_STRING} bytes")),
        );
    }
    let length = published.text().len();
    if length > LONG {
        let beyond = if length > TOO_LONG { ", more than an answer of old takes" } else { "" };
        findings.push(
            Finding::weak(&spf::S21, format!("a record of {length} bytes{beyond}"))
                .expected(format!("at most {LONG} bytes")),
        );
    }
    findings
}

const MECHANISMS: [&str; 8] = ["all", "include", "a", "mx", "ptr", "ip4", "ip6", "exists"];
/// Lookups from which a margin is missing.
pub(super) const NEAR: usize = 8;
/// Prefix lengths that hold a whole block of the Internet, and many strangers with it.
const WIDE_IP4: u8 = 8;
const WIDE_IP6: u8 = 16;
/// The length that RFC 7208 §3.4 advises, in bytes.
const LONG: usize = 450;
/// What an answer over UDP without EDNS takes (RFC 1035 §4.2.1).
const TOO_LONG: usize = 512;
