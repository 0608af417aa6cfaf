//! Every request of a run: when it was asked, when it was answered.

use std::collections::HashMap;
use std::fmt;

use waypost::clock::Timestamp;

use super::click::Click;
use super::mailing::Mailing;

/// The requests of a run. Those of a mailing take some bytes each, since it draws them again.
#[derive(Debug, Default)]
pub(super) struct Requests {
    mailing: Option<Mailing>,
    /// By serial.
    drawn: Vec<Option<Request>>,
    /// By message.
    told: HashMap<String, (Click, Request)>,
}

/// One request.
#[derive(Clone, Copy, Debug)]
pub(super) struct Request {
    pub(super) asked: Timestamp,
    pub(super) answered: Option<Timestamp>,
    is_resumed: bool,
}

/// What a request is known by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Key<'a> {
    Serial(usize),
    Message(&'a str),
}

impl Requests {
    /// None yet; those of `mailing` will not be kept.
    pub(super) fn of(mailing: Mailing) -> Self {
        Self { mailing: Some(mailing), ..Self::default() }
    }

    pub(super) fn mailing(&self) -> Option<&Mailing> {
        self.mailing.as_ref()
    }

    pub(super) fn asked(&mut self, click: &Click, asked: Timestamp) {
        let message = &click.link.message;
        let request = Request { asked, answered: None, is_resumed: click.visit.is_resumed };
        let before = match self.serial(message) {
            Some(serial) => {
                if self.drawn.len() <= serial {
                    self.drawn.resize(serial + 1, None);
                }
                self.drawn[serial].replace(request).is_some()
            }
            None => self.told.insert(message.clone(), (click.clone(), request)).is_some(),
        };
        assert!(!before, "{message} was asked twice");
    }

    pub(super) fn answered(&mut self, message: &str, answered: Timestamp) {
        let request = match self.serial(message) {
            Some(serial) => self.drawn.get_mut(serial).and_then(Option::as_mut),
            None => self.told.get_mut(message).map(|(_, request)| request),
        };
        request.expect("asked before").answered = Some(answered);
    }

    /// The request that a message names.
    pub(super) fn find(&self, message: &str) -> Option<(Key<'_>, Request)> {
        if let Some(serial) = self.serial(message) {
            let request = self.drawn.get(serial).copied().flatten()?;
            // Another way to write the same number is not the same message.
            let is_it = self.mailing.as_ref()?.message(serial) == message;
            return is_it.then_some((Key::Serial(serial), request));
        }
        let (message, (_, request)) = self.told.get_key_value(message)?;
        Some((Key::Message(message), *request))
    }

    /// What was asked with a request.
    pub(super) fn click(&self, key: Key<'_>, request: Request) -> Click {
        match key {
            Key::Serial(serial) => {
                let mut click = self.mailing.as_ref().expect("it named the serial").click(serial);
                click.visit.is_resumed = request.is_resumed;
                click
            }
            Key::Message(message) => self.told[message].0.clone(),
        }
    }

    /// All of them, in order.
    pub(super) fn iter(&self) -> impl Iterator<Item = (Key<'_>, Request)> {
        let drawn = self.drawn.iter().enumerate();
        let drawn = drawn.filter_map(|(serial, request)| Some((Key::Serial(serial), (*request)?)));
        let told = self.told.iter().map(|(message, told)| (Key::Message(message), told.1));
        let mut told: Vec<_> = told.collect();
        told.sort_unstable_by_key(|(key, _)| *key);
        drawn.chain(told)
    }

    fn serial(&self, message: &str) -> Option<usize> {
        self.mailing.as_ref()?.serial(message)
    }
}

impl fmt::Display for Key<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Serial(serial) => write!(f, "click {serial}"),
            Self::Message(message) => f.write_str(message),
        }
    }
}
