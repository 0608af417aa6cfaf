//! Faults that are planted among events, so that the judge is seen to see them.

use clap::ValueEnum;
use serde_json::Value;
use uuid::Uuid;

/// What is planted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Fault {
    /// One event is left out.
    Lost,
    /// One event comes that nobody asked for: another's, under an id of its own.
    Invented,
    /// One field of one event has another value.
    Altered,
}

/// A fault that waits for its event.
#[derive(Debug)]
pub(crate) struct Plant {
    fault: Fault,
    is_done: bool,
}

impl Plant {
    pub(crate) fn new(fault: Fault) -> Self {
        Self { fault, is_done: false }
    }

    /// Whether the fault was planted.
    pub(crate) fn is_done(&self) -> bool {
        self.is_done
    }

    /// Hands an event on, or what the fault makes of it.
    pub(crate) fn pass(&mut self, event: &str, mut on: impl FnMut(&str)) {
        let parsed = if self.is_done { None } else { serde_json::from_str::<Value>(event).ok() };
        let Some(mut altered) = parsed.filter(|event| event["data"]["url"].is_string()) else {
            return on(event);
        };
        self.is_done = true;
        match self.fault {
            Fault::Lost => {}
            Fault::Invented => {
                on(event);
                altered["id"] = Uuid::from_u128(INVENTED).to_string().into();
                on(&altered.to_string());
            }
            Fault::Altered => {
                altered["data"]["url"] = "https://elsewhere.example/".into();
                on(&altered.to_string());
            }
        }
    }
}

/// A well-formed id of version 7 that no node makes.
const INVENTED: u128 = 0x0000_0000_0001_7000_8000_0000_0000_0001;
