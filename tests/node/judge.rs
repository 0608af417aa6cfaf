//! The judge: compares what was asked and answered with what was recorded.
//!
//! An *obligation* is a request whose answer was read to its end: its event must be there, or the
//! node must have told that it is not. A request that died before is a *may*: its event is right
//! to be there and right to be missing. Whatever else is recorded was invented.

use std::collections::{HashMap, HashSet};
use std::hash::{BuildHasher, RandomState};

use serde_json::Value;
use uuid::Uuid;
use waypost::clock::Timestamp;

use super::account::{Span, account_for};
use super::click::Click;
use super::mailing::Mailing;
use super::requests::{Key, Requests};
use super::traces::Exceptions;
use super::verdict::Verdict;

/// Keeps every request of a run, by its `message`.
#[derive(Debug, Default)]
pub struct Judge {
    node: String,
    requests: Requests,
    /// Whether others ask the node too.
    is_among_others: bool,
    wrong: Vec<String>,
}

/// What was recorded, while it is being read.
#[derive(Debug)]
pub struct Hearing<'a> {
    judge: &'a Judge,
    /// Answers after this are not obligations yet.
    until: Timestamp,
    hasher: RandomState,
    /// The first event of each request: its id, and its line's hash.
    found: HashMap<Key<'a>, (Uuid, u64)>,
    ids: HashSet<Uuid>,
    verdict: Verdict,
}

impl Judge {
    /// A judge of events that carry the node's name `node`.
    pub fn new(node: &str) -> Self {
        Self { node: node.to_owned(), ..Self::default() }
    }

    /// The same, which needs not keep the clicks of `mailing`.
    #[must_use]
    pub fn of(self, mailing: Mailing) -> Self {
        Self { requests: Requests::of(mailing), ..self }
    }

    /// The same, of a node that others ask too: what is not of the mailing is passed over.
    #[must_use]
    pub fn among_others(self) -> Self {
        Self { is_among_others: true, ..self }
    }

    /// To be told before the first byte of a request is sent.
    pub fn asked(&mut self, click: &Click, now: Timestamp) {
        self.requests.asked(click, now);
    }

    /// To be told once the last byte of the right answer was read.
    pub fn answered(&mut self, message: &str, now: Timestamp) {
        self.requests.answered(message, now);
    }

    /// To be told of an answer that is not the right one, or did not come in time.
    pub fn wronged(&mut self, what: String) {
        self.wrong.push(what);
    }

    /// Whether a line is the event of a request that this judge was told of.
    pub fn has_asked(&self, line: &str) -> bool {
        let event: Value = serde_json::from_str(line).unwrap_or_default();
        event["data"]["message"].as_str().is_some_and(|of| self.requests.find(of).is_some())
    }

    /// Judges everything that was recorded, one JSON object a line, by a node that made no
    /// exception.
    pub fn judge<'a>(&self, lines: impl IntoIterator<Item = &'a str>) -> Verdict {
        let mut hearing = self.hearing();
        lines.into_iter().for_each(|line| hearing.hear(line));
        hearing.verdict(&Exceptions::default())
    }

    /// Begins to judge.
    pub fn hearing(&self) -> Hearing<'_> {
        self.hearing_until(Timestamp::from_micros(u64::MAX))
    }

    /// Begins to judge what was recorded by `until`: what was asked later is passed over, what was
    /// answered later is no obligation.
    pub fn hearing_until(&self, until: Timestamp) -> Hearing<'_> {
        let verdict = Verdict {
            wrong: self.wrong.len(),
            faults: self.wrong.iter().take(3).cloned().collect(),
            ..Verdict::default()
        };
        let (found, ids) = (HashMap::new(), HashSet::new());
        Hearing { judge: self, until, hasher: RandomState::new(), found, ids, verdict }
    }

    /// The request that a line is the event of, all of it compared; or why there is none.
    fn explain(&self, line: &str) -> Result<(Key<'_>, Uuid), String> {
        let mut event: Value = serde_json::from_str(line).map_err(|error| error.to_string())?;
        let message = event["data"]["message"].as_str().ok_or("no message")?;
        let (key, request) = self.requests.find(message).ok_or("nobody asked for it")?;
        let members = event.as_object_mut().ok_or("no object")?;
        let mut text = |name| match members.remove(name) {
            Some(Value::String(text)) => Ok(text),
            other => Err(format!("{name} is {other:?}")),
        };
        let id: Uuid = text("id")?.parse().map_err(|error| format!("id: {error}"))?;
        if id.get_version_num() != 7 {
            return Err(format!("id is of version {}", id.get_version_num()));
        }
        let time = text("time")?;
        let asked = request.asked.to_string();
        // Both are RFC 3339 in UTC with six decimals, so they compare as texts.
        if time.len() != asked.len() || time < asked {
            return Err(format!("its time is not after {asked}, when it was asked"));
        }
        if let Some(answered) = request.answered.filter(|at| time > at.to_string()) {
            return Err(format!("its time is after {answered}, when it was answered"));
        }
        let expected = self.requests.click(key, request).event(&self.node);
        if event != expected {
            return Err(format!("altered: expected {expected}"));
        }
        Ok((key, id))
    }

    /// Whether a line is an event that somebody else caused.
    fn is_anothers(&self, line: &str) -> bool {
        let (true, Some(mailing)) = (self.is_among_others, self.requests.mailing()) else {
            return false;
        };
        let event = serde_json::from_str::<Value>(line).ok();
        let message = event.as_ref().and_then(|event| event.get("data")?.get("message")?.as_str());
        event.is_some() && message.is_none_or(|message| mailing.serial(message).is_none())
    }
}

impl<'a> Hearing<'a> {
    /// Takes one recorded event.
    pub fn hear(&mut self, line: &str) {
        let judge = self.judge;
        if judge.is_anothers(line) {
            return;
        }
        let (key, id) = match judge.explain(line) {
            Ok(explained) => explained,
            Err(reason) => return self.verdict.spurious(&reason, line),
        };
        let hash = self.hasher.hash_one(line);
        match self.found.get(&key) {
            Some(first) if *first == (id, hash) => self.verdict.duplicates += 1,
            Some(_) => self.verdict.spurious("a second event of one request", line),
            None if !self.ids.insert(id) => {
                self.verdict.spurious("an id that another event has", line);
            }
            None => drop(self.found.insert(key, (id, hash))),
        }
    }

    /// Ends the hearing. What is not there must be among the node's exceptions.
    pub fn verdict(self, exceptions: &Exceptions) -> Verdict {
        let Self { judge, until, found, ids, mut verdict, .. } = self;
        let mut unfound = Vec::new();
        for (key, request) in judge.requests.iter().filter(|(_, request)| request.asked <= until) {
            let is_found = found.contains_key(&key);
            let answered = request.answered.filter(|at| *at <= until);
            verdict.asked += 1;
            match answered {
                Some(_) => verdict.acknowledged += 1,
                None => {
                    verdict.ambiguous += 1;
                    verdict.ambiguous_recorded += usize::from(is_found);
                }
            }
            if !is_found {
                unfound.push(Span::of(key, request.asked, answered));
            }
        }
        let strays = account_for(&unfound, exceptions, &ids, &mut verdict);
        if !judge.is_among_others {
            for id in strays {
                verdict.spurious("traced, and nobody asked for it", &id.to_string());
            }
        }
        verdict
    }
}
