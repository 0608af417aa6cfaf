//! The judge: compares what was asked and answered with what was recorded.
//!
//! An *obligation* is a request whose answer was read to its end: its event must be there. A
//! request that died before is a *may*: its event is right to be there and right to be missing.
//! Whatever else is recorded was invented.

use std::collections::{BTreeMap, HashMap};
use std::fmt;

use serde_json::Value;
use uuid::Uuid;
use waypost::clock::Timestamp;

use super::click::Click;

/// Keeps every request of a run, by its `message`.
#[derive(Debug, Default)]
pub struct Judge {
    node: String,
    requests: HashMap<String, Request>,
}

#[derive(Debug)]
struct Request {
    click: Click,
    asked: Timestamp,
    answered: Option<Timestamp>,
}

/// What the judge found.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Verdict {
    /// Requests that were asked.
    pub asked: usize,
    /// Obligations.
    pub acknowledged: usize,
    /// Obligations without their event.
    pub missing: usize,
    /// Events that no request explains: invented, altered, or a second event of one request.
    pub spurious: usize,
    /// Further copies of an event, byte for byte the same.
    pub duplicates: usize,
    /// Requests that died before their answer.
    pub ambiguous: usize,
    /// Those of them that were recorded.
    pub ambiguous_recorded: usize,
    /// What was wrong, for at most [`TOLD`] faults.
    pub faults: Vec<String>,
}

impl Judge {
    /// A judge of events that carry the node's name `node`.
    pub fn new(node: &str) -> Self {
        Self { node: node.to_owned(), requests: HashMap::new() }
    }

    /// To be told before the first byte of a request is sent.
    pub fn asked(&mut self, click: &Click, now: Timestamp) {
        let request = Request { click: click.clone(), asked: now, answered: None };
        let before = self.requests.insert(click.link.message.clone(), request);
        assert!(before.is_none(), "{} was asked twice", click.link.message);
    }

    /// To be told once the last byte of the right answer was read.
    pub fn answered(&mut self, message: &str, now: Timestamp) {
        self.requests.get_mut(message).expect("asked before").answered = Some(now);
    }

    /// Judges everything that was recorded, one JSON object a line.
    pub fn judge<'a>(&self, lines: impl IntoIterator<Item = &'a str>) -> Verdict {
        let mut verdict = Verdict { asked: self.requests.len(), ..Verdict::default() };
        let mut found: HashMap<&str, &str> = HashMap::new();
        let mut ids: HashMap<Uuid, &str> = HashMap::new();
        for line in lines {
            let (request, id) = match self.explain(line) {
                Ok(explained) => explained,
                Err(reason) => {
                    verdict.spurious(&reason, line);
                    continue;
                }
            };
            let message = request.click.link.message.as_str();
            match found.get(message) {
                Some(first) if *first == line => verdict.duplicates += 1,
                Some(_) => verdict.spurious("a second event of one request", line),
                None if ids.insert(id, message).is_some() => {
                    verdict.spurious("an id that another event has", line);
                }
                None => {
                    found.insert(message, line);
                }
            }
        }
        // In order, so that a failure reads the same each time.
        let requests: BTreeMap<_, _> = self.requests.iter().collect();
        for (message, request) in requests {
            let is_found = found.contains_key(message.as_str());
            if request.answered.is_some() {
                verdict.acknowledged += 1;
                if !is_found {
                    verdict.missing += 1;
                    verdict.tell(format!("missing: {message} was acknowledged"));
                }
            } else {
                verdict.ambiguous += 1;
                verdict.ambiguous_recorded += usize::from(is_found);
            }
        }
        verdict
    }

    /// The request that a line is the event of, all of it compared; or why there is none.
    fn explain(&self, line: &str) -> Result<(&Request, Uuid), String> {
        let mut event: Value = serde_json::from_str(line).map_err(|error| error.to_string())?;
        let message = event["data"]["message"].as_str().ok_or("no message")?;
        let request = self.requests.get(message).ok_or("nobody asked for it")?;
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
        let expected = request.click.event(&self.node);
        if event != expected {
            return Err(format!("altered: expected {expected}"));
        }
        Ok((request, id))
    }
}

impl Verdict {
    /// Nothing lost, nothing invented, nothing twice.
    pub fn is_exact(&self) -> bool {
        self.missing == 0 && self.spurious == 0 && self.duplicates == 0
    }

    fn spurious(&mut self, reason: &str, line: &str) {
        self.spurious += 1;
        self.tell(format!("spurious: {reason}: {line}"));
    }

    fn tell(&mut self, fault: String) {
        if self.faults.len() < TOLD {
            self.faults.push(fault);
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { asked, acknowledged, missing, spurious, duplicates, ambiguous, .. } = self;
        write!(
            f,
            "missing={missing} spurious={spurious} duplicates={duplicates} ambiguous={ambiguous} \
             (asked={asked} acknowledged={acknowledged} ambiguous_recorded={})",
            self.ambiguous_recorded
        )?;
        self.faults.iter().try_for_each(|fault| write!(f, "\n  {fault}"))
    }
}

const TOLD: usize = 10;
