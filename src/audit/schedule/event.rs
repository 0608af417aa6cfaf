//! A transition as an event: one CloudEvents 1.0 object in JSON, as `config/audit-event.schema.json`
//! holds it. Fields are added, never renamed.

use serde_json::{Value, json};

use super::step::Transition;
use crate::audit::{Kept, Mark};
use crate::clock::Timestamp;
use crate::event::{Ids, envelope};
use crate::store::Pending;

/// The type of these events.
pub const TYPE: &str = "net.aksend.trk.audit";
/// The journal's stream of these events.
const STREAM: u8 = 3;

/// The event that tells a transition of a tracking name's domain.
pub(super) fn event(
    name: &str,
    kept: &Kept,
    transition: &Transition,
    node: &str,
    ids: &mut Ids,
    now: Timestamp,
) -> Pending {
    let id = ids.next(now);
    let (findings, untold) = findings(kept);
    let data = json!({
        "domain": name,
        "sending_domain": kept.report["domain"],
        "status": transition.status,
        "previous": transition.previous,
        "changed": { "appeared": transition.appeared, "went": transition.went },
        "findings": findings,
        "untold": untold,
        "checked_at": kept.checked_at.to_string(),
        "node": node,
    });
    Pending {
        id: *id.as_bytes(),
        stream: STREAM,
        time: now,
        key: name.as_bytes().to_vec(),
        body: envelope(&id, TYPE, name, now, data),
    }
}

/// What holds, the worst first, as much of it as an event takes, and how many were left out.
fn findings(kept: &Kept) -> (Vec<&Value>, usize) {
    let all = kept.sections().iter().flat_map(|section| section["findings"].as_array());
    let mut known: Vec<_> =
        all.flatten().filter_map(|finding| Some((Mark::of(finding)?.severity, finding))).collect();
    let count = known.len();
    known.sort_by_key(|(severity, _)| std::cmp::Reverse(*severity));
    let mut size = 0;
    let told = known.into_iter().map(|(_, finding)| finding).take_while(|finding| {
        size += finding.to_string().len();
        size <= FINDINGS
    });
    let told: Vec<_> = told.collect();
    let untold = count - told.len();
    (told, untold)
}

/// Bytes of an event's findings; the journal takes events of 256 KiB, Kafka of 1 MB.
const FINDINGS: usize = 128 << 10;

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::audit::rules;

    #[test]
    fn an_event_is_bounded_whatever_strangers_publish_and_says_what_it_leaves_out() {
        let long = "\u{1}\"ü".repeat(2_000);
        let sections = (0..9).map(|_| {
            let findings = rules().map(|rule| {
                json!({
                    "rule": rule.id, "severity": "error", "found": long, "expected": long,
                    "record": long, "why": rule.why, "source": rule.source, "gates": true,
                })
            });
            json!({ "topic": "SPF", "found": [long], "findings": findings.collect::<Vec<_>>() })
        });
        let report = json!({ "domain": "example.com", "sections": sections.collect::<Vec<_>>() });
        let now = Timestamp::from_seconds(1_790_000_000);
        let kept = Kept::first(&report, now);
        let all: BTreeSet<_> = rules().map(|rule| rule.id).collect();
        let words = ["clean".to_owned(), "error".to_owned()];
        let [previous, status] = words;
        let transition = Transition { previous, status, appeared: all, went: BTreeSet::new() };
        let name = "trk.example.com";
        let event = event(name, &kept, &transition, "node-1", &mut Ids::new(), now);
        assert!(event.body.len() < 250 << 10, "{}", event.body.len());
        let body: Value = serde_json::from_slice(&event.body).unwrap();
        let told = body["data"]["findings"].as_array().unwrap().len();
        let held: usize = kept
            .sections()
            .iter()
            .map(|section| section["findings"].as_array().unwrap().len())
            .sum();
        assert!(told > 10, "{told}");
        assert_eq!(body["data"]["untold"], held - told);
    }
}
