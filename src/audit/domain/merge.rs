//! One SPF record out of those that are there, with the platform's servers let in.

use crate::audit::name;
use crate::audit::spf::{self, Mechanism, Qualifier, Record, TermKind};

/// The record to publish instead of `records`: what they let send, and `include`. None when one of
/// them cannot be read as a whole, since nobody knows what was meant.
pub(super) fn merged(records: &[&str], include: &str) -> Option<String> {
    let read: Vec<Record> = records.iter().map(|text| spf::read(text)).collect();
    if read.is_empty() || read.iter().any(|record| !record.faults.is_empty()) {
        return None;
    }
    let (mut senders, mut modifiers) = (Vec::<String>::new(), Vec::<String>::new());
    let sources: Vec<_> = records.iter().copied().zip(&read).collect();
    for (text, record) in &sources {
        let end = record.all().map_or(usize::MAX, |(term, _)| term.span.start);
        for term in &record.terms {
            let word = term.span.of(text);
            match &term.kind {
                TermKind::Directive(directive) => {
                    let is_reached = term.span.start < end;
                    if is_reached && !leads_to(&directive.mechanism, include) {
                        add(&mut senders, word);
                    }
                }
                // Beside other records it can only be one among several sources.
                TermKind::Redirect(target) if end == usize::MAX && sources.len() > 1 => {
                    let source = format!("include:{}", target.span.of(text));
                    add(&mut senders, &source);
                }
                TermKind::Redirect(_) if end == usize::MAX => add(&mut modifiers, word),
                TermKind::Redirect(_) => {}
                TermKind::Explanation(_) => {
                    if !modifiers.iter().any(|own| own.to_ascii_lowercase().starts_with("exp=")) {
                        add(&mut modifiers, word);
                    }
                }
                TermKind::Unknown { .. } => add(&mut modifiers, word),
            }
        }
    }
    let is_redirected = modifiers.iter().any(|word| is_redirect(word));
    let mut words = vec!["v=spf1".to_owned(), format!("include:{include}")];
    words.append(&mut senders);
    if !is_redirected {
        words.push(everybody_else(&read).to_owned());
    }
    words.append(&mut modifiers);
    Some(words.join(" "))
}

/// What holds for all others: the mildest refusal of the records, so that nobody who got through
/// is refused now; a refusal even where there was none.
fn everybody_else(records: &[Record]) -> &'static str {
    let is_strict = |record: &Record| matches!(record.all(), Some((_, Qualifier::Fail)));
    if records.iter().all(is_strict) { "-all" } else { "~all" }
}

fn leads_to(mechanism: &Mechanism, include: &str) -> bool {
    matches!(mechanism, Mechanism::Include(spec)
        if spec.literal().is_some_and(|target| name::normal(target) == name::normal(include)))
}

fn is_redirect(word: &str) -> bool {
    word.to_ascii_lowercase().starts_with("redirect=")
}

/// Adds a term that is not there yet, with or without the qualifier that it would have anyway.
fn add(words: &mut Vec<String>, word: &str) {
    let bare = word.strip_prefix('+').unwrap_or(word);
    if !words.iter().any(|own| own.eq_ignore_ascii_case(bare)) {
        words.push(bare.to_owned());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_there_stays_and_the_platform_comes_first() {
        for (records, expected) in [
            (
                &["v=spf1 mx a:old.example -all"][..],
                "v=spf1 include:p.example mx a:old.example -all",
            ),
            (&["v=spf1 ?include:P.example. mx ~all"], "v=spf1 include:p.example mx ~all"),
            (&["v=spf1 -all include:p.example"], "v=spf1 include:p.example -all"),
            (&["v=spf1 mx +mx MX ?all"], "v=spf1 include:p.example mx ~all"),
            (&["v=spf1 mx"], "v=spf1 include:p.example mx ~all"),
            (&["v=spf1 redirect=b.example"], "v=spf1 include:p.example redirect=b.example"),
            (&["v=spf1 redirect=b.example -all"], "v=spf1 include:p.example -all"),
            (
                &["v=spf1 mx -all exp=e.example x=1", "v=spf1 redirect=b.example"],
                "v=spf1 include:p.example mx include:b.example ~all exp=e.example x=1",
            ),
            (
                &["v=spf1 ip4:192.0.2.1 -all", "v=spf1 include:p.example -all"],
                "v=spf1 include:p.example ip4:192.0.2.1 -all",
            ),
        ] {
            assert_eq!(merged(records, "p.example").as_deref(), Some(expected), "{records:?}");
        }
        assert_eq!(merged(&["v=spf1 inclued:a.example -all"], "p.example"), None);
        assert_eq!(merged(&[], "p.example"), None);
    }
}
