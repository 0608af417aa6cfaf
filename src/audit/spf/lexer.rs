//! Takes a record apart, and goes on behind each fault (RFC 7208 §12).

use std::net::{Ipv4Addr, Ipv6Addr};

use super::domain_spec::{self, DomainSpec};
use super::fault::{Faults, Wrong};
use super::term::{Directive, Mechanism, Prefixes, Qualifier, Record, Term, TermKind};
use crate::audit::piece::Piece;

/// Reads the terms of a record: all that is behind its first word, which [`super::is_record`]
/// judges.
pub fn read(text: &str) -> Record {
    let mut lexer = Lexer::default();
    let words = Piece::all(text).split(' ').filter(|word| !word.text().is_empty());
    for word in words.skip(1) {
        lexer.word(word);
    }
    Record { terms: lexer.terms, faults: lexer.faults.into_inner() }
}

#[derive(Default)]
struct Lexer {
    terms: Vec<Term>,
    faults: Faults,
    has_redirect: bool,
    has_explanation: bool,
}

impl Lexer {
    fn word(&mut self, word: Piece<'_>) {
        if self.holds_odd_characters(word) {
            return;
        }
        let kind = match word.split_once('=') {
            Some((name, value)) if is_name(name.text()) => self.modifier(name, value),
            _ => self.directive(word),
        };
        if let Some(kind) = kind {
            self.terms.push(Term { span: word.span(), kind });
        }
    }

    fn holds_odd_characters(&mut self, word: Piece<'_>) -> bool {
        let text = word.text();
        let is_odd = |c: char| !c.is_ascii_graphic();
        let Some(start) = text.find(is_odd) else { return false };
        let end = text.rfind(is_odd).unwrap_or(start);
        let length = text.get(end..).and_then(|rest| rest.chars().next()).map_or(1, char::len_utf8);
        let odd = word.part(start, end + length);
        self.faults.push(odd.span(), Wrong::Characters(odd.text().to_owned()));
        true
    }

    fn modifier(&mut self, name: Piece<'_>, value: Piece<'_>) -> Option<TermKind> {
        let whole = name.span().to(value.span());
        if name.text().eq_ignore_ascii_case("redirect") {
            if std::mem::replace(&mut self.has_redirect, true) {
                self.faults.push(whole, Wrong::Repeated("redirect"));
            }
            return domain_spec::domain(value, &mut self.faults).map(TermKind::Redirect);
        }
        if name.text().eq_ignore_ascii_case("exp") {
            if std::mem::replace(&mut self.has_explanation, true) {
                self.faults.push(whole, Wrong::Repeated("exp"));
            }
            return domain_spec::domain(value, &mut self.faults).map(TermKind::Explanation);
        }
        domain_spec::text(value, &mut self.faults);
        Some(TermKind::Unknown { name: name.text().to_owned() })
    }

    fn directive(&mut self, word: Piece<'_>) -> Option<TermKind> {
        let (qualifier, rest) = match word.text().as_bytes().first() {
            Some(b'+') => (Qualifier::Pass, 1),
            Some(b'-') => (Qualifier::Fail, 1),
            Some(b'~') => (Qualifier::SoftFail, 1),
            Some(b'?') => (Qualifier::Neutral, 1),
            _ => (Qualifier::Pass, 0),
        };
        let bare = word.part(rest, word.text().len());
        let end = bare.text().find([':', '/']).unwrap_or_else(|| bare.text().len());
        let (name, argument) = bare.split_at(end);
        let mechanism = match name.text().to_ascii_lowercase().as_str() {
            "all" => self.all(word, argument),
            "include" => self.needs_domain(word, argument, "include").map(Mechanism::Include),
            "exists" => self.needs_domain(word, argument, "exists").map(Mechanism::Exists),
            "a" => {
                self.addresses(argument).map(|(domain, prefixes)| Mechanism::A { domain, prefixes })
            }
            "mx" => self
                .addresses(argument)
                .map(|(domain, prefixes)| Mechanism::Mx { domain, prefixes }),
            "ptr" => self.ptr(argument),
            "ip4" => self.ip4(word, argument),
            "ip6" => self.ip6(word, argument),
            _ => {
                self.faults.push(word.span(), Wrong::Unknown(word.text().to_owned()));
                None
            }
        };
        mechanism.map(|mechanism| TermKind::Directive(Directive { qualifier, mechanism }))
    }

    fn all(&mut self, word: Piece<'_>, argument: Piece<'_>) -> Option<Mechanism> {
        if argument.text().is_empty() {
            return Some(Mechanism::All);
        }
        self.faults.push(word.span(), Wrong::NoArgument("all"));
        None
    }

    fn needs_domain(
        &mut self,
        word: Piece<'_>,
        argument: Piece<'_>,
        name: &'static str,
    ) -> Option<DomainSpec> {
        match argument.split_once(':') {
            Some((before, domain)) if before.text().is_empty() => {
                domain_spec::domain(domain, &mut self.faults)
            }
            _ => {
                self.faults.push(word.span(), Wrong::NeedsArgument(name));
                None
            }
        }
    }

    fn ptr(&mut self, argument: Piece<'_>) -> Option<Mechanism> {
        if argument.text().is_empty() {
            return Some(Mechanism::Ptr { domain: None });
        }
        if argument.text().starts_with(':') {
            let domain = argument.part(1, argument.text().len());
            let domain = domain_spec::domain(domain, &mut self.faults)?;
            return Some(Mechanism::Ptr { domain: Some(domain) });
        }
        self.faults.push(argument.span(), Wrong::NoArgument("ptr"));
        None
    }

    /// What `a` and `mx` take: an optional domain, then optional prefix lengths.
    fn addresses(&mut self, argument: Piece<'_>) -> Option<(Option<DomainSpec>, Prefixes)> {
        let (before, ip4, ip6) = prefixes(argument);
        let known = self.faults.len();
        let domain = match before.text().as_bytes().first() {
            None => None,
            Some(b':') => {
                let domain = before.part(1, before.text().len());
                domain_spec::domain(domain, &mut self.faults)
            }
            Some(_) => {
                self.faults.push(before.span(), Wrong::Tail(before.text().to_owned()));
                None
            }
        };
        let ip4 = ip4.map_or(Some(32), |digits| self.prefix(digits, 32));
        let ip6 = ip6.map_or(Some(128), |digits| self.prefix(digits, 128));
        if self.faults.len() > known {
            return None;
        }
        Some((domain, Prefixes { ip4: ip4?, ip6: ip6? }))
    }

    fn ip4(&mut self, word: Piece<'_>, argument: Piece<'_>) -> Option<Mechanism> {
        let (address, prefix) = self.network(word, argument, "ip4", 32)?;
        let Ok(network) = address.text().parse::<Ipv4Addr>() else {
            let wrong = Wrong::Address("IPv4", address.text().to_owned());
            self.faults.push(address.span(), wrong);
            return None;
        };
        Some(Mechanism::Ip4 { network, prefix: prefix? })
    }

    fn ip6(&mut self, word: Piece<'_>, argument: Piece<'_>) -> Option<Mechanism> {
        let (address, prefix) = self.network(word, argument, "ip6", 128)?;
        let Ok(network) = address.text().parse::<Ipv6Addr>() else {
            let wrong = Wrong::Address("IPv6", address.text().to_owned());
            self.faults.push(address.span(), wrong);
            return None;
        };
        Some(Mechanism::Ip6 { network, prefix: prefix? })
    }

    /// The address and the prefix length of a network; no prefix where that is at fault.
    fn network<'a>(
        &mut self,
        word: Piece<'a>,
        argument: Piece<'a>,
        name: &'static str,
        longest: u8,
    ) -> Option<(Piece<'a>, Option<u8>)> {
        let inner = argument.part(1, argument.text().len());
        if !argument.text().starts_with(':') || inner.text().is_empty() {
            self.faults.push(word.span(), Wrong::NeedsArgument(name));
            return None;
        }
        Some(match inner.split_once('/') {
            Some((address, digits)) => (address, self.prefix(digits, longest)),
            None => (inner, Some(longest)),
        })
    }

    fn prefix(&mut self, digits: Piece<'_>, longest: u8) -> Option<u8> {
        let text = digits.text();
        let is_number = text == "0" || (!text.starts_with('0') && text.len() <= 3);
        let is_number = is_number && text.bytes().all(|byte| byte.is_ascii_digit());
        let value = text.parse::<u8>().ok().filter(|value| is_number && *value <= longest);
        if value.is_none() {
            self.faults.push(digits.span(), Wrong::Prefix(text.to_owned(), longest));
        }
        value
    }
}

/// Splits prefix lengths off the end: what is before them, then the digits behind `/`, then
/// those behind `//`. A slash is a character of domains too, so only digits at the end count.
fn prefixes(argument: Piece<'_>) -> (Piece<'_>, Option<Piece<'_>>, Option<Piece<'_>>) {
    let digits = |piece: Piece<'_>| {
        piece.text().len() - piece.text().trim_end_matches(|c: char| c.is_ascii_digit()).len()
    };
    let length = argument.text().len();
    let (mut before, mut ip4, mut ip6) = (argument, None, None);
    let start = length - digits(argument);
    if start < length && argument.part(0, start).text().ends_with("//") {
        ip6 = Some(argument.part(start, length));
        before = argument.part(0, start - 2);
    }
    let length = before.text().len();
    let start = length - digits(before);
    if start < length && before.part(0, start).text().ends_with('/') {
        ip4 = Some(before.part(start, length));
        before = before.part(0, start - 1);
    }
    (before, ip4, ip6)
}

/// `name`: a letter, then letters, digits, hyphens, underscores and dots.
fn is_name(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'))
}
