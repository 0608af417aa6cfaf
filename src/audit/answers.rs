//! What DNS has said so far: what every judgement of the audit is a function of.
//!
//! A judgement that lacks an answer says so with [`Unanswered`], naming the questions, and is
//! begun again when they have been asked. Nothing half-judged has to be kept in between, a
//! judgement never waits, and questions that do not depend on each other are asked together.

use std::collections::HashMap;
use std::net::IpAddr;

use super::Published;
use crate::dns::{self, Data, Failure, Kind, Name, Question, Reply};

/// What DNS answered to one question, as records are read here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// Addresses, to [`Kind::A`] or [`Kind::Aaaa`]; at least one.
    Addresses(Vec<IpAddr>),
    /// Mail exchangers, the preferred first; at least one.
    Exchanges(Vec<Name>),
    /// Names of an address; at least one.
    Names(Vec<Name>),
    /// Texts; at least one.
    Texts(Vec<Published>),
    /// The name exists, without such a record.
    NoData,
    /// The name does not exist, and none below it (NXDOMAIN).
    NoName,
    /// There is no answer, and nothing is known.
    Failed(Failure),
}

/// A judgement needs these questions answered first. There is at least one, and none twice.
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
    Failed(Failure),
}

impl Answer {
    /// What a reply says, or a failure, to a question for `kind`.
    pub fn of(kind: Kind, result: Result<Reply, Failure>) -> Self {
        match result {
            Err(failure) => Self::Failed(failure),
            Ok(reply) => match reply.answer {
                dns::Answer::NoName => Self::NoName,
                dns::Answer::NoData | dns::Answer::Elsewhere => Self::NoData,
                dns::Answer::Found(records) => {
                    Self::of_data(kind, records.into_iter().map(|record| record.data))
                }
            },
        }
    }

    fn of_data(kind: Kind, data: impl Iterator<Item = Data>) -> Self {
        match kind {
            Kind::A | Kind::Aaaa => Self::Addresses(data.filter_map(address).collect()),
            Kind::Mx => {
                let mut exchanges: Vec<_> = data.filter_map(exchange).collect();
                // Stable: among equals the order is the server's.
                exchanges.sort_by_key(|(preference, _)| *preference);
                Self::Exchanges(exchanges.into_iter().map(|(_, host)| host).collect())
            }
            Kind::Ptr => Self::Names(data.filter_map(name).collect()),
            Kind::Txt => Self::Texts(data.filter_map(text).collect()),
            _ => Self::NoData,
        }
    }
}

impl Unanswered {
    /// The questions that are needed, each once.
    pub(super) fn new(mut questions: Vec<Question>) -> Self {
        let mut seen = std::collections::HashSet::new();
        questions.retain(|question| seen.insert(question.clone()));
        Self(questions)
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

    /// The answer to a question, when there is one.
    pub fn of(&self, question: &Question) -> Option<&Answer> {
        self.0.get(question)
    }

    /// How many questions have been answered.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether no question has been answered yet.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

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

    pub(super) fn exchanges(&self, name: &str) -> Result<Found<'_, Name>, Unanswered> {
        self.found(name, Kind::Mx, |answer| match answer {
            Answer::Exchanges(exchanges) => Some(exchanges),
            _ => None,
        })
    }

    pub(super) fn names(&self, address: IpAddr) -> Result<Found<'_, Name>, Unanswered> {
        self.found(Name::reverse(address).as_str(), Kind::Ptr, |answer| match answer {
            Answer::Names(names) => Some(names),
            _ => None,
        })
    }

    /// Whether all of the questions have an answer; those that have none are needed.
    pub(super) fn need(
        &self,
        questions: impl IntoIterator<Item = Question>,
    ) -> Result<(), Unanswered> {
        let missing: Vec<_> =
            questions.into_iter().filter(|question| !self.0.contains_key(question)).collect();
        if missing.is_empty() { Ok(()) } else { Err(Unanswered::new(missing)) }
    }

    fn found<'a, T>(
        &'a self,
        name: &str,
        kind: Kind,
        content: impl FnOnce(&'a Answer) -> Option<&'a Vec<T>>,
    ) -> Result<Found<'a, T>, Unanswered> {
        // What cannot be asked does not exist.
        let Ok(name) = Name::parse(name) else { return Ok(Found::Nothing { exists: false }) };
        let question = Question { name, kind };
        let Some(answer) = self.0.get(&question) else { return Err(Unanswered(vec![question])) };
        Ok(match answer {
            Answer::NoName => Found::Nothing { exists: false },
            Answer::Failed(failure) => Found::Failed(*failure),
            answer => match content(answer) {
                Some(records) if !records.is_empty() => Found::Some(records),
                _ => Found::Nothing { exists: true },
            },
        })
    }
}

fn address(data: Data) -> Option<IpAddr> {
    match data {
        Data::A(address) => Some(address.into()),
        Data::Aaaa(address) => Some(address.into()),
        _ => None,
    }
}

fn exchange(data: Data) -> Option<(u16, Name)> {
    match data {
        Data::Mx { preference, exchange } => Some((preference, exchange)),
        _ => None,
    }
}

fn name(data: Data) -> Option<Name> {
    match data {
        Data::Ptr(name) => Some(name),
        _ => None,
    }
}

fn text(data: Data) -> Option<Published> {
    match data {
        Data::Txt(strings) => Some(Published::of_strings(strings)),
        _ => None,
    }
}
