//! Accounts for what was answered and is not recorded: by the ids that the node traced.
//!
//! A trace names an event, not a request, but the event's id (UUID version 7) tells its
//! millisecond, which lies between the request and its answer. So each missing event is matched
//! with an id of its time, each id with one event at most.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashSet};

use uuid::Uuid;
use waypost::clock::Timestamp;

use super::requests::Key;
use super::traces::Exceptions;
use super::verdict::Verdict;

/// A request without its event, and when that event may have been made, in milliseconds.
#[derive(Clone, Copy, Debug)]
pub(super) struct Span<'a> {
    key: Key<'a>,
    from: u64,
    /// `None` for a request that was not answered: its event may not even exist.
    to: Option<u64>,
}

impl<'a> Span<'a> {
    /// From a request to its answer.
    pub(super) fn of(key: Key<'a>, asked: Timestamp, answered: Option<Timestamp>) -> Self {
        let to = answered.map(|at| at.micros() / 1_000);
        Self { key, from: asked.micros() / 1_000, to }
    }

    fn end(&self) -> u64 {
        self.to.unwrap_or(u64::MAX)
    }
}

/// Counts requests without their event as unrecorded, lost after a late answer, or missing; and
/// traces that what is recorded contradicts as spurious. Returns the traces that no request
/// explains.
pub(super) fn account_for<'a>(
    spans: &[Span<'_>],
    exceptions: &'a Exceptions,
    found: &HashSet<Uuid>,
    verdict: &mut Verdict,
) -> Vec<&'a Uuid> {
    let Exceptions { unrecorded, late, .. } = exceptions;
    verdict.late = late.len();
    for (id, reason) in unrecorded {
        // A node that ends cannot know what becomes of a write that the disk still has.
        if found.contains(id) && reason != SHUTDOWN {
            verdict.spurious("recorded, and traced as unrecorded", &format!("{id} {reason}"));
        }
    }
    let traced = unrecorded.keys().chain(late.iter().filter(|id| !unrecorded.contains_key(*id)));
    let traced: Vec<_> = traced.filter(|id| !found.contains(*id)).collect();
    let (left, strays) = matched(spans, &traced);
    for span in left.iter().filter(|span| span.to.is_some()) {
        verdict.missing(format!("{} was acknowledged", span.key));
    }
    let strange: HashSet<_> = strays.iter().collect();
    for id in traced.iter().filter(|id| !strange.contains(id)) {
        let is_unrecorded = unrecorded.contains_key(*id);
        verdict.unrecorded += usize::from(is_unrecorded);
        verdict.late_lost += usize::from(!is_unrecorded);
    }
    strays
}

/// Matches as many ids as can be with spans that hold their time; returns what is left of both.
///
/// Each id, in the order of time, takes the span that ends first: no other choice matches more,
/// and what was answered is matched before what was not.
fn matched<'a, 'b>(spans: &[Span<'a>], ids: &[&'b Uuid]) -> (Vec<Span<'a>>, Vec<&'b Uuid>) {
    let mut spans: Vec<_> = spans.to_vec();
    spans.sort_by_key(|span| Reverse(span.from));
    let mut ids: Vec<_> = ids.to_vec();
    ids.sort_by_key(|id| milliseconds(id));
    let mut open = BinaryHeap::new();
    let (mut left, mut unexplained) = (Vec::new(), Vec::new());
    let mut begun = Vec::new();
    for id in ids {
        let at = milliseconds(id);
        while let Some(span) = spans.pop_if(|span| span.from <= at) {
            open.push(Reverse((span.end(), begun.len())));
            begun.push(span);
        }
        while open.peek().is_some_and(|Reverse((to, _))| *to < at) {
            left.extend(open.pop().map(|Reverse((_, index))| begun[index]));
        }
        if open.pop().is_none() {
            unexplained.push(id);
        }
    }
    left.extend(open.into_iter().map(|Reverse((_, index))| begun[index]));
    left.extend(spans);
    left.sort_by_key(|span| span.key);
    (left, unexplained)
}

/// The time in an id, in milliseconds since 1970 (RFC 9562 §5.7).
fn milliseconds(id: &Uuid) -> u64 {
    (id.as_u128() >> 80) as u64
}

/// Why an event of a node that ended may or may not be recorded.
const SHUTDOWN: &str = "shutdown";
