//! What DNS has said so far: what every judgement of the audit is a function of.
//!
//! A judgement that lacks an answer says so with [`Unanswered`], naming the questions, and is
//! begun again when they have been asked. Nothing half-judged has to be kept in between, a
//! judgement never waits, and questions that do not depend on each other are asked together.

use std::collections::HashMap;
use std::fmt;
use std::net::IpAddr;

use super::{Published, name};

/// What can be asked of DNS.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Question {
    /// The name, in lower case and without the root's dot. Its labels are what stands between
    /// the dots, whatever characters that is: nothing is escaped.
    pub name: String,
    /// The type of record.
    pub kind: Kind,
}

/// A type of record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    /// IPv4 addresses.
    A,
    /// IPv6 addresses.
    Aaaa,
    /// Mail exchangers.
    Mx,
    /// Names of an address.
    Ptr,
    /// Texts.
    Txt,
}

/// What DNS answered to one question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// Addresses, to [`Kind::A`] or [`Kind::Aaaa`]; at least one.
    Addresses(Vec<IpAddr>),
    /// Mail exchangers with their preference, in the order of preference; at least one.
    Exchanges(Vec<(u16, String)>),
    /// Names of an address; at least one.
    Names(Vec<String>),
    /// Texts; at least one.
    Texts(Vec<Published>),
    /// The name exists, without such a record.
    NoData,
    /// The name does not exist (NXDOMAIN), and none below it.
    NoName,
    /// There is no answer: a time-out, SERVFAIL or another error, as it is to be told.
    Failed(String),
}

/// A judgement needs these questions answered first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unanswered(pub Vec<Question>);

/// Answers by question.
#[derive(Clone, Debug, Default)]
pub struct Answers(HashMap<Question, Answer>);

/// What was asked for, or why it is not there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Found<'a, T> {
    Some(&'a [T]),
    /// The name does not exist, or has no such record.
    Nothing {
        exists: bool,
    },
    Failed(&'a str),
}

impl Question {
    /// A question for a name in any case, with or without the root's dot.
    pub fn new(name: &str, kind: Kind) -> Self {
        Self { name: name::normal(name), kind }
    }
}

impl Answers {
    /// No answers yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes an answer in; an answer to the same question is replaced.
    pub fn insert(&mut self, question: Question, answer: Answer) {
        self.0.insert(question, answer);
    }

    /// How many questions have been answered.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether no question has been answered yet.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The answer to a question, when there is one.
    pub fn of(&self, question: &Question) -> Option<&Answer> {
        self.0.get(question)
    }

    /// Whether the name exists, as far as an answer of type `kind` tells.
    pub(super) fn texts(&self, name: &str) -> Result<Found<'_, Published>, Unanswered> {
        self.found(name, Kind::Txt, |answer| match answer {
            Answer::Texts(texts) => Some(texts),
            _ => None,
        })
    }

    pub(super) fn addresses(
        &self,
        name: &str,
        kind: Kind,
    ) -> Result<Found<'_, IpAddr>, Unanswered> {
        self.found(name, kind, |answer| match answer {
            Answer::Addresses(addresses) => Some(addresses),
            _ => None,
        })
    }

    pub(super) fn exchanges(&self, name: &str) -> Result<Found<'_, (u16, String)>, Unanswered> {
        self.found(name, Kind::Mx, |answer| match answer {
            Answer::Exchanges(exchanges) => Some(exchanges),
            _ => None,
        })
    }

    pub(super) fn names(&self, name: &str) -> Result<Found<'_, String>, Unanswered> {
        self.found(name, Kind::Ptr, |answer| match answer {
            Answer::Names(names) => Some(names),
            _ => None,
        })
    }

    /// Those of the questions that have no answer yet, when there are any.
    pub(super) fn need(&self, questions: Vec<Question>) -> Result<(), Unanswered> {
        let missing: Vec<_> =
            questions.into_iter().filter(|question| !self.0.contains_key(question)).collect();
        if missing.is_empty() { Ok(()) } else { Err(Unanswered(missing)) }
    }

    fn found<'a, T>(
        &'a self,
        name: &str,
        kind: Kind,
        content: impl FnOnce(&'a Answer) -> Option<&'a Vec<T>>,
    ) -> Result<Found<'a, T>, Unanswered> {
        let question = Question::new(name, kind);
        let Some(answer) = self.0.get(&question) else { return Err(Unanswered(vec![question])) };
        Ok(match answer {
            Answer::NoName => Found::Nothing { exists: false },
            Answer::Failed(why) => Found::Failed(why),
            answer => match content(answer) {
                Some(records) if !records.is_empty() => Found::Some(records),
                _ => Found::Nothing { exists: true },
            },
        })
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::A => "A",
            Self::Aaaa => "AAAA",
            Self::Mx => "MX",
            Self::Ptr => "PTR",
            Self::Txt => "TXT",
        })
    }
}

impl fmt::Display for Question {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.name, self.kind)
    }
}
