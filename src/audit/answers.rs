//! What DNS has said so far: what every judgement of the audit is a function of.
//!
//! A judgement that lacks an answer says so with [`Unanswered`], naming the questions, and is
//! begun again when they have been asked. Nothing half-judged has to be kept in between, a
//! judgement never waits, and questions that do not depend on each other are asked together.

use std::collections::HashMap;
use std::net::IpAddr;

use super::Published;
use crate::dns::{self, Caa, Data, Failure, Kind, Name, Question, Reply};

/// What DNS answered to one question, as records are read here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// Addresses, to [`Kind::A`] or [`Kind::Aaaa`]; at least one.
    Addresses(Vec<IpAddr>),
    /// Mail exchangers, the preferred first; at least one.
    Exchanges(Vec<Name>),
    /// Names, to [`Kind::Ptr`], [`Kind::Cname`] or [`Kind::Ns`]; at least one.
    Names(Vec<Name>),
    /// Texts; at least one.
    Texts(Vec<Published>),
    /// Who may certify; at least one.
    Properties(Vec<Caa>),
    /// Records of a kind that is not read further are there.
    Present,
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

/// Answers by question, and the CNAMEs that led to them.
#[derive(Clone, Debug, Default)]
pub struct Answers(HashMap<Question, (Answer, Vec<Name>)>);

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
            Kind::Ptr | Kind::Cname | Kind::Ns => Self::Names(data.filter_map(name).collect()),
            Kind::Txt => Self::Texts(data.filter_map(text).collect()),
            Kind::Caa => Self::Properties(data.filter_map(property).collect()),
            Kind::Ds | Kind::Soa | Kind::Spf => Self::Present,
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
        self.insert_behind(question, answer, Vec::new());
    }

    /// Takes an answer in that was found behind CNAMEs: `aliases` are their targets, in order.
    pub fn insert_behind(&mut self, question: Question, answer: Answer, aliases: Vec<Name>) {
        self.0.insert(question, (answer, aliases));
    }

    /// The targets of the CNAMEs behind which an answer was found; none when the name itself
    /// answered, or nothing has been answered yet.
    pub fn aliases(&self, name: &str, kind: Kind) -> &[Name] {
        let question = Name::parse(name).ok().map(|name| Question { name, kind });
        let known = question.and_then(|question| self.0.get(&question));
        known.map_or(&[], |(_, aliases)| aliases)
    }

    /// The questions whose answers are failures, in the order of names.
    pub(super) fn failed(&self) -> Vec<(&Question, Failure)> {
        let mut failed: Vec<_> = self
            .0
            .iter()
            .filter_map(|(question, (answer, _))| match answer {
                Answer::Failed(failure) => Some((question, *failure)),
                _ => None,
            })
            .collect();
        failed.sort_by_key(|(question, _)| (question.name.clone(), question.kind));
        failed
    }

    /// The answer to a question, when there is one.
    pub fn of(&self, question: &Question) -> Option<&Answer> {
        self.0.get(question).map(|(answer, _)| answer)
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

    /// The target of a name's CNAME; several are an error that the caller tells.
    pub(super) fn alias(&self, name: &str) -> Result<Found<'_, Name>, Unanswered> {
        self.found(name, Kind::Cname, |answer| match answer {
            Answer::Names(names) => Some(names),
            _ => None,
        })
    }

    pub(super) fn properties(&self, name: &str) -> Result<Found<'_, Caa>, Unanswered> {
        self.found(name, Kind::Caa, |answer| match answer {
            Answer::Properties(properties) => Some(properties),
            _ => None,
        })
    }

    /// Whether a name has records of a kind that is not read further; `None` when it is not known.
    pub(super) fn has(&self, name: &str, kind: Kind) -> Result<Option<bool>, Unanswered> {
        let Ok(name) = Name::parse(name) else { return Ok(Some(false)) };
        let question = Question { name, kind };
        let Some((answer, _)) = self.0.get(&question) else {
            return Err(Unanswered(vec![question]));
        };
        Ok(match answer {
            Answer::Failed(_) => None,
            answer => Some(*answer == Answer::Present),
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
        let Some((answer, _)) = self.0.get(&question) else {
            return Err(Unanswered(vec![question]));
        };
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
        Data::Ptr(name) | Data::Cname(name) | Data::Ns(name) => Some(name),
        _ => None,
    }
}

fn property(data: Data) -> Option<Caa> {
    match data {
        Data::Caa(property) => Some(property),
        _ => None,
    }
}

fn text(data: Data) -> Option<Published> {
    match data {
        Data::Txt(strings) => Some(Published::of_strings(strings)),
        _ => None,
    }
}
