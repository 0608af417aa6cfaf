//! Syntax errors of SPF records: each makes a record permerror (RFC 7208 §4.6).

use std::fmt;

use crate::audit::rules::spf;
use crate::audit::{Finding, Rule, Span};

/// One syntax error.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Where it is.
    pub span: Span,
    wrong: Wrong,
}

/// What is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Wrong {
    /// An address that is none.
    Address(&'static str, String),
    /// A `%` without one of `{`, `%`, `_`, `-` behind it.
    BarePercent,
    /// Characters that are not visible ASCII.
    Characters(String),
    /// A domain that ends in no top-level label.
    DomainEnd(String),
    /// A colon or equals sign with nothing behind it.
    EmptyDomain,
    /// A delimiter that is none.
    MacroDelimiter(char),
    /// A letter that is no macro.
    MacroLetter(String),
    /// A macro that may stand in explanation texts only.
    MacroPlace(char),
    /// `%{d0}`.
    MacroZero,
    /// A mechanism without what it is about.
    NeedsArgument(&'static str),
    /// `all:x`.
    NoArgument(&'static str),
    /// `%{` without `}`.
    OpenMacro,
    /// A prefix length that is none.
    Prefix(String, u8),
    /// A second `redirect` or `exp`.
    Repeated(&'static str),
    /// What follows a mechanism's name is no argument.
    Tail(String),
    /// Neither a mechanism nor a modifier.
    Unknown(String),
}

impl Fault {
    /// The rule that it breaks.
    pub fn rule(&self) -> &'static Rule {
        match self.wrong {
            Wrong::Characters(_) => &spf::S22,
            Wrong::DomainEnd(_) => &spf::S06,
            Wrong::Repeated(_) => &spf::S17,
            Wrong::BarePercent
            | Wrong::MacroDelimiter(_)
            | Wrong::MacroLetter(_)
            | Wrong::MacroPlace(_)
            | Wrong::MacroZero
            | Wrong::OpenMacro => &spf::S19,
            _ => &spf::S05,
        }
    }

    /// The fault as a finding.
    pub fn finding(&self) -> Finding {
        Finding::error(self.rule(), self.to_string()).at(self.span).expected(self.expected())
    }

    fn expected(&self) -> String {
        match &self.wrong {
            Wrong::Address("IPv4", _) => {
                "four numbers from 0 to 255 without leading zeros, such as 192.0.2.1".to_owned()
            }
            Wrong::Address(..) => "an IPv6 address such as 2001:db8::1".to_owned(),
            Wrong::BarePercent | Wrong::OpenMacro => {
                "%{letter}, or %% for a percent sign".to_owned()
            }
            Wrong::Characters(_) => "visible ASCII characters, with spaces between terms".to_owned(),
            Wrong::DomainEnd(_) => {
                "a name with a dot and a last label of letters, such as example.com, or a macro at its end"
                    .to_owned()
            }
            Wrong::EmptyDomain => "a domain such as example.com".to_owned(),
            Wrong::MacroDelimiter(_) => "delimiters out of . - + , / _ =".to_owned(),
            Wrong::MacroLetter(_) => "one of s l o d i p v h".to_owned(),
            Wrong::MacroPlace(_) => "c, r and t in the text of an explanation only".to_owned(),
            Wrong::MacroZero => "a number of parts from 1".to_owned(),
            Wrong::NeedsArgument(name @ ("ip4" | "ip6")) => {
                format!("{name}: and an address or network")
            }
            Wrong::NeedsArgument(name) => format!("{name}: and a domain"),
            Wrong::NoArgument(name) => format!("{name} alone"),
            Wrong::Prefix(_, longest) => {
                format!("a prefix length from 0 to {longest} without leading zeros")
            }
            Wrong::Repeated(name) => format!("one {name}"),
            Wrong::Tail(_) => "nothing, :domain, /prefix for IPv4 or //prefix for IPv6".to_owned(),
            Wrong::Unknown(_) => {
                "all, include, a, mx, ptr, ip4, ip6, exists, or a modifier name=value".to_owned()
            }
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.wrong {
            Wrong::Address(family, text) => write!(f, "\"{text}\" is no {family} address"),
            Wrong::BarePercent => f.write_str("a percent sign that begins no macro"),
            Wrong::Characters(text) => {
                write!(f, "characters that no record may hold: {}", text.escape_debug())
            }
            Wrong::DomainEnd(text) => write!(f, "\"{text}\" does not end as a domain does"),
            Wrong::EmptyDomain => f.write_str("a domain is missing"),
            Wrong::MacroDelimiter(odd) => write!(f, "\"{odd}\" is no delimiter of a macro"),
            Wrong::MacroLetter(text) => write!(f, "{text} is no macro"),
            Wrong::MacroPlace(letter) => write!(f, "the macro {letter} may not stand here"),
            Wrong::MacroZero => f.write_str("a macro that keeps 0 parts"),
            Wrong::NeedsArgument(name) => write!(f, "{name} without what it is about"),
            Wrong::NoArgument(name) => write!(f, "{name} with an argument"),
            Wrong::OpenMacro => f.write_str("a macro that is not closed"),
            Wrong::Prefix(text, _) => write!(f, "\"{text}\" is no prefix length"),
            Wrong::Repeated(name) => write!(f, "a second {name}"),
            Wrong::Tail(text) => write!(f, "\"{text}\" behind the name of a mechanism"),
            Wrong::Unknown(text) => write!(f, "\"{text}\" is neither a mechanism nor a modifier"),
        }
    }
}

/// Faults as they are found, up to a bound.
#[derive(Debug, Default)]
pub(super) struct Faults(Vec<Fault>);

impl Faults {
    pub(super) fn push(&mut self, span: Span, wrong: Wrong) {
        if self.0.len() < MAX_FAULTS {
            self.0.push(Fault { span, wrong });
        }
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    pub(super) fn into_inner(self) -> Vec<Fault> {
        self.0
    }
}

/// A record of 64 kB could hold thirty thousand faults: nobody mends them one by one.
const MAX_FAULTS: usize = 100;
