//! The last events, for the page that `dev` shows.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

/// The last events with their sequences. Cloning shares them.
#[derive(Clone, Debug, Default)]
pub struct Recent {
    events: Arc<Mutex<VecDeque<(u64, String)>>>,
}

impl Recent {
    /// Adds an event, which is one JSON object; the oldest goes when there are many.
    pub fn push(&self, sequence: u64, json: &[u8]) {
        let mut events = self.events.lock().unwrap_or_else(PoisonError::into_inner);
        if events.len() == KEPT {
            events.pop_front();
        }
        events.push_back((sequence, String::from_utf8_lossy(json).into_owned()));
    }

    /// A JSON object of the events behind a sequence: `{"last":N,"events":[…]}`.
    pub(super) fn after(&self, sequence: u64) -> String {
        let events = self.events.lock().unwrap_or_else(PoisonError::into_inner);
        let newer: Vec<_> = events.iter().filter(|(found, _)| *found > sequence).collect();
        let last = newer.last().map_or(sequence, |(last, _)| *last);
        let list: Vec<_> = newer.iter().map(|(_, json)| json.as_str()).collect();
        format!("{{\"last\":{last},\"events\":[{}]}}", list.join(","))
    }
}

const KEPT: usize = 200;
