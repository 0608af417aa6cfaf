//! Names with macros in them (RFC 7208 §7).

use super::fault::{Faults, Wrong};
use crate::audit::Span;
use crate::audit::piece::Piece;

/// A domain name with macros, or a text with macros.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DomainSpec {
    /// Where it stands in the record.
    pub span: Span,
    /// Literals and macros, in order.
    pub parts: Vec<Part>,
}

/// A part of a name or text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Part {
    /// Characters as they are.
    Literal(String),
    /// A macro.
    Macro {
        /// The letter in lower case: s, l, o, d, i, p, v, h, c, r or t.
        letter: u8,
        /// Whether the letter is in upper case, so that the result is escaped as in a URL.
        is_escaped: bool,
        /// How many parts from the right are used; all of them without a number.
        keep: Option<usize>,
        /// Whether the parts are put in reverse order first.
        is_reversed: bool,
        /// What separates the parts; a dot when it is empty.
        delimiters: String,
    },
}

/// Where macros stand, which says which of them are allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// The domain of a term: no c, r, t (§7.2).
    Domain,
    /// The text of an explanation, or a modifier that is ignored.
    Text,
}

impl DomainSpec {
    /// The name when it is made of literals only.
    pub fn literal(&self) -> Option<&str> {
        match self.parts.as_slice() {
            [Part::Literal(name)] => Some(name),
            _ => None,
        }
    }

    /// Whether a macro `letter` (in lower case) is among its parts.
    pub fn uses(&self, letter: u8) -> bool {
        let is_it = |part: &Part| matches!(part, Part::Macro { letter: own, .. } if *own == letter);
        self.parts.iter().any(is_it)
    }
}

/// Reads the domain of a term: a macro string that ends in a top-level label or a macro (§7.1).
pub(super) fn domain(piece: Piece<'_>, faults: &mut Faults) -> Option<DomainSpec> {
    if piece.text().is_empty() {
        faults.push(piece.span(), Wrong::EmptyDomain);
        return None;
    }
    let before = faults.len();
    let (spec, tail) = macro_string(piece, Place::Domain, faults);
    if faults.len() == before && !ends_well(tail) {
        faults.push(piece.span(), Wrong::DomainEnd(piece.text().to_owned()));
    }
    (faults.len() == before).then_some(spec)
}

/// Reads a text with macros; `Place::Text` also takes spaces.
pub(super) fn text(piece: Piece<'_>, faults: &mut Faults) -> DomainSpec {
    macro_string(piece, Place::Text, faults).0
}

/// Reads literals and macros, and returns with them the literal text behind the last macro:
/// `None` when nothing stands behind it.
fn macro_string<'a>(
    piece: Piece<'a>,
    place: Place,
    faults: &mut Faults,
) -> (DomainSpec, Option<&'a str>) {
    let (mut parts, mut literal) = (Vec::new(), String::new());
    let (mut at, mut tail) = (0, 0);
    let text = piece.text();
    while let Some(found) = text.get(at..).unwrap_or_default().find('%') {
        literal.push_str(text.get(at..at + found).unwrap_or_default());
        let rest = piece.part(at + found, text.len());
        let length = match rest.text().as_bytes().get(1) {
            Some(b'%') => literally(&mut literal, "%"),
            Some(b'_') => literally(&mut literal, " "),
            Some(b'-') => literally(&mut literal, "%20"),
            Some(b'{') => {
                let (length, part) = expand(rest, place, faults);
                if let Some(part) = part {
                    if !literal.is_empty() {
                        parts.push(Part::Literal(std::mem::take(&mut literal)));
                    }
                    parts.push(part);
                }
                length
            }
            _ => {
                faults.push(rest.part(0, 1).span(), Wrong::BarePercent);
                1
            }
        };
        at += found + length;
        tail = at;
    }
    literal.push_str(text.get(at..).unwrap_or_default());
    if !literal.is_empty() {
        parts.push(Part::Literal(literal));
    }
    let tail = text.get(tail..).filter(|rest| tail == 0 || !rest.is_empty());
    (DomainSpec { span: piece.span(), parts }, tail)
}

fn literally(literal: &mut String, what: &str) -> usize {
    literal.push_str(what);
    2
}

/// Reads one `%{…}`; returns how long it is, also when it is none.
fn expand(piece: Piece<'_>, place: Place, faults: &mut Faults) -> (usize, Option<Part>) {
    let Some(end) = piece.text().find('}') else {
        faults.push(piece.span(), Wrong::OpenMacro);
        return (piece.text().len(), None);
    };
    let whole = piece.part(0, end + 1);
    let inner = whole.part(2, end);
    let mut rest = inner.text().chars().peekable();
    let Some(letter) = rest.next().filter(|letter| LETTERS.contains(letter.to_ascii_lowercase()))
    else {
        faults.push(whole.span(), Wrong::MacroLetter(whole.text().to_owned()));
        return (end + 1, None);
    };
    let lower = letter.to_ascii_lowercase();
    if place == Place::Domain && "crt".contains(lower) {
        faults.push(whole.span(), Wrong::MacroPlace(lower));
        return (end + 1, None);
    }
    let mut keep = None;
    while let Some(digit) = rest.peek().and_then(|digit| digit.to_digit(10)) {
        let digit = usize::try_from(digit).unwrap_or_default();
        keep = Some(keep.unwrap_or(0usize).saturating_mul(10).saturating_add(digit));
        rest.next();
    }
    let is_reversed = rest.next_if(|letter| letter.eq_ignore_ascii_case(&'r')).is_some();
    let delimiters: String = rest.collect();
    if keep == Some(0) {
        faults.push(whole.span(), Wrong::MacroZero);
        return (end + 1, None);
    }
    if let Some(odd) = delimiters.chars().find(|c| !DELIMITERS.contains(*c)) {
        faults.push(whole.span(), Wrong::MacroDelimiter(odd));
        return (end + 1, None);
    }
    let is_escaped = letter.is_ascii_uppercase();
    let letter = u8::try_from(lower).unwrap_or(b'?');
    (end + 1, Some(Part::Macro { letter, is_escaped, keep, is_reversed, delimiters }))
}

/// Whether a domain may end so: in a macro, or in a dot and a top-level label.
fn ends_well(tail: Option<&str>) -> bool {
    let Some(tail) = tail else { return true };
    let bare = tail.strip_suffix('.').unwrap_or(tail);
    bare.rsplit_once('.').is_some_and(|(_, label)| is_top_label(label))
}

/// `toplabel`: letters and digits with a letter among them, or with hyphens inside (§7.1).
fn is_top_label(label: &str) -> bool {
    let bytes = label.as_bytes();
    let ends = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_alphanumeric);
    ends(bytes.first())
        && ends(bytes.last())
        && bytes.iter().all(|byte| byte.is_ascii_alphanumeric() || *byte == b'-')
        && bytes.iter().any(|byte| byte.is_ascii_alphabetic() || *byte == b'-')
}

const LETTERS: &str = "slodiphcrtv";
const DELIMITERS: &str = ".-+,/_=";
