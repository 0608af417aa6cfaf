//! What a node's traces tell of events that were answered without their record, or before it.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use uuid::Uuid;

/// The exceptions to "recorded before it was answered", each by its event's id.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Exceptions {
    /// Events that will never be recorded, and why.
    pub unrecorded: BTreeMap<Uuid, String>,
    /// Events that were answered before they were durable.
    pub late: BTreeSet<Uuid>,
    /// Lines that the node could not write out, as far as it could tell.
    pub lines_lost: u64,
}

impl Exceptions {
    /// Reads traces, text or JSON.
    pub fn read(traces: &str) -> Self {
        let mut exceptions = Self::default();
        for line in traces.lines() {
            if let Some(lost) = field(line, "traces_lost").and_then(|count| count.parse().ok()) {
                exceptions.lines_lost = exceptions.lines_lost.max(lost);
            }
            let Some(id) = field(line, "event").and_then(|id| id.parse().ok()) else { continue };
            match field(line, "reason").as_deref() {
                Some("late") => drop(exceptions.late.insert(id)),
                Some(reason) => drop(exceptions.unrecorded.insert(id, reason.to_owned())),
                None => {}
            }
        }
        exceptions
    }
}

/// The value of a field: `name=value` or `name="value"` in text, a member of `fields` in JSON.
fn field(line: &str, name: &str) -> Option<String> {
    if line.starts_with('{') {
        let line: Value = serde_json::from_str(line).ok()?;
        return match &line["fields"][name] {
            Value::String(text) => Some(text.clone()),
            Value::Number(number) => Some(number.to_string()),
            _ => None,
        };
    }
    let mut words = line.split(' ');
    let value = words.find_map(|word| word.strip_prefix(name)?.strip_prefix('='))?;
    Some(value.trim_matches('"').to_owned())
}
