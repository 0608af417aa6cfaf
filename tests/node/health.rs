//! What a node tells of itself on the operator's door, and the kernel of it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::net::SocketAddr;

use serde_json::Value;

use super::process::{Node, get, poll};

/// Asks the operator's door of a node. Cloning is cheap, and the node need not be at hand.
#[derive(Clone, Debug)]
pub struct Health {
    admin: SocketAddr,
}

/// What `/readyz` says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ready {
    pub status: u16,
    /// The status where degraded counts as not ready.
    pub strict: u16,
    pub degraded: BTreeSet<String>,
}

/// The ledger of `/metrics`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Counted {
    pub received: usize,
    pub journalled: usize,
    pub late: usize,
    pub unrecorded: usize,
    pub in_progress: usize,
}

impl Health {
    /// What `/readyz` says now.
    pub fn ready(&self) -> Ready {
        let (status, body) = self.ask("/readyz");
        let body: Value = serde_json::from_str(&body).unwrap();
        let reasons = body["degraded"].as_array().unwrap().iter();
        let degraded = reasons.map(|reason| reason.as_str().unwrap().to_owned()).collect();
        Ready { status, strict: self.ask("/readyz?strict=1").0, degraded }
    }

    /// Waits until a look at `/readyz` is as it should be; returns it.
    pub fn ready_when(&self, what: &str, is_so: impl Fn(&Ready) -> bool) -> Ready {
        poll(what, || Some(self.ready()).filter(|ready| is_so(ready)))
    }

    /// All metrics by name and labels, as they are printed.
    pub fn metrics(&self) -> BTreeMap<String, f64> {
        let (status, text) = self.ask("/metrics");
        assert_eq!(status, 200, "{text}");
        let lines = text.lines().filter(|line| !line.starts_with('#'));
        let parse = |line: &str| {
            let (name, value) = line.rsplit_once(' ')?;
            Some((name.to_owned(), value.parse().ok()?))
        };
        lines.filter_map(parse).collect()
    }

    /// The ledger.
    pub fn counted(&self) -> Counted {
        let metrics = self.metrics();
        let get = |name: &str| metrics[name] as usize;
        let unrecorded = metrics.iter().filter(|(name, _)| name.starts_with(UNRECORDED));
        Counted {
            received: get("waypost_events_received_total"),
            journalled: get("waypost_events_journalled_total"),
            late: get("waypost_events_late_total"),
            unrecorded: unrecorded.map(|(_, count)| *count as usize).sum(),
            in_progress: get("waypost_events_in_progress"),
        }
    }

    fn ask(&self, path: &str) -> (u16, String) {
        get(self.admin, path).unwrap_or_else(|| panic!("{path} was not answered"))
    }
}

impl Node {
    /// What the node tells of itself.
    pub fn health(&self) -> Health {
        Health { admin: self.admin() }
    }

    /// Resident memory, in kB.
    pub fn resident(&self) -> usize {
        let file = format!("/proc/{}/status", self.process());
        let text = fs::read_to_string(file).unwrap();
        let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        line.trim().trim_end_matches(" kB").parse().unwrap()
    }
}

const UNRECORDED: &str = "waypost_events_unrecorded_total";
