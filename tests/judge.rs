//! The judge itself: it must see what was lost, invented or altered, or its silence proves nothing.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod node;

use node::{Click, Judge, Kind, Protocol, Random};
use serde_json::Value;
use waypost::clock::Timestamp;

#[test]
fn what_was_recorded_as_it_was_asked_is_exact() {
    let (judge, lines) = run();
    let verdict = judge.judge(borrowed(&lines));
    assert!(verdict.is_exact(), "{verdict}");
    assert_eq!((verdict.asked, verdict.acknowledged, verdict.ambiguous), (COUNT, COUNT - 2, 2));
    assert_eq!(verdict.ambiguous_recorded, 2);
    let told = verdict.to_string();
    assert!(told.starts_with("missing=0 spurious=0 duplicates=0 ambiguous=2"), "{told}");
}

#[test]
fn a_lost_event_is_seen() {
    for lost in 0..COUNT - 2 {
        let (judge, mut lines) = run();
        lines.remove(lost);
        let verdict = judge.judge(borrowed(&lines));
        assert_eq!((verdict.missing, verdict.spurious), (1, 0), "{verdict}");
        assert!(!verdict.is_exact());
    }
}

#[test]
fn a_request_that_died_may_be_recorded_or_not() {
    let (judge, mut lines) = run();
    lines.truncate(COUNT - 1);
    let verdict = judge.judge(borrowed(&lines));
    assert!(verdict.is_exact(), "{verdict}");
    assert_eq!((verdict.ambiguous, verdict.ambiguous_recorded), (2, 1));
}

#[test]
fn an_invented_event_is_seen() {
    let (judge, mut lines) = run();
    let stranger = Click::random(&mut Random::new(9), COUNT + 1, HOST, Protocol::Http1);
    lines.push(line(&stranger, COUNT + 1, ASKED));
    for junk in ["", "{}", "[]", "null", "{\"data\":{\"message\":\"message-0\"}}"] {
        lines.push(junk.to_owned());
    }
    let verdict = judge.judge(borrowed(&lines));
    assert_eq!((verdict.missing, verdict.spurious), (0, 6), "{verdict}");
}

#[test]
fn an_event_with_any_field_altered_removed_or_added_is_seen() {
    let (judge, lines) = run();
    let mut tried = 0;
    for (index, line) in lines.iter().enumerate().take(COUNT - 2) {
        let event: Value = serde_json::from_str(line).unwrap();
        for pointer in pointers(&event) {
            for alter in [retyped, removed, added] {
                let mut event = event.clone();
                if !alter(&mut event, &pointer) {
                    continue;
                }
                tried += 1;
                let mut lines = lines.clone();
                lines[index] = event.to_string();
                let verdict = judge.judge(borrowed(&lines));
                let counts = (verdict.missing, verdict.spurious);
                assert_eq!(counts, (1, 1), "{pointer} of {event}\n{verdict}");
            }
        }
    }
    assert!(tried > 500, "{tried}");
}

#[test]
fn a_copy_is_a_duplicate_and_a_second_event_is_invented() {
    let (judge, mut lines) = run();
    lines.push(lines[0].clone());
    let verdict = judge.judge(borrowed(&lines));
    assert_eq!((verdict.missing, verdict.spurious, verdict.duplicates), (0, 0, 1), "{verdict}");
    assert!(!verdict.is_exact());
    lines.pop();
    let other_id = lines[0].replace(&id(0), &id(COUNT + 7));
    lines.push(other_id);
    let verdict = judge.judge(borrowed(&lines));
    assert_eq!((verdict.missing, verdict.spurious, verdict.duplicates), (0, 1, 0), "{verdict}");
}

#[test]
fn two_events_may_not_share_an_id() {
    let (judge, mut lines) = run();
    lines[1] = lines[1].replace(&id(1), &id(0));
    let verdict = judge.judge(borrowed(&lines));
    assert_eq!((verdict.missing, verdict.spurious), (1, 1), "{verdict}");
}

#[test]
fn an_event_from_before_or_after_its_request_is_seen() {
    for time in [ASKED - 1, ANSWERED + 1] {
        let (judge, mut lines) = run();
        let click = clicks().remove(0);
        lines[0] = line(&click, 0, time);
        let verdict = judge.judge(borrowed(&lines));
        assert_eq!((verdict.missing, verdict.spurious), (1, 1), "{verdict}");
    }
}

/// A judge that was told of [`COUNT`] requests, of which the last two died, and the event of each.
fn run() -> (Judge, Vec<String>) {
    let mut judge = Judge::new(NODE);
    let mut lines = Vec::new();
    for (serial, click) in clicks().iter().enumerate() {
        judge.asked(click, Timestamp::from_micros(ASKED));
        if serial < COUNT - 2 {
            judge.answered(&click.link.message, Timestamp::from_micros(ANSWERED));
        }
        lines.push(line(click, serial, ASKED));
    }
    (judge, lines)
}

fn clicks() -> Vec<Click> {
    let mut random = Random::new(7);
    (0..COUNT)
        .map(|serial| {
            let protocol = random.pick(&[Protocol::Http1, Protocol::Http2]);
            let mut click = Click::random(&mut random, serial, HOST, protocol);
            click.kind = random.pick(&[Kind::Click, Kind::Open, Kind::Probe]);
            click
        })
        .collect()
}

/// The event as a node writes it.
fn line(click: &Click, serial: usize, time: u64) -> String {
    let mut event = click.event(NODE);
    event["id"] = id(serial).into();
    event["time"] = Timestamp::from_micros(time).to_string().into();
    event.to_string()
}

fn id(serial: usize) -> String {
    format!("01938d2e-7c00-7000-8000-{serial:012x}")
}

/// Every member, at any depth.
fn pointers(value: &Value) -> Vec<String> {
    let Some(members) = value.as_object() else { return Vec::new() };
    let mut pointers = Vec::new();
    for (name, member) in members {
        pointers.push(format!("/{name}"));
        pointers.extend(pointers_below(name, member));
    }
    pointers
}

fn pointers_below(name: &str, member: &Value) -> impl Iterator<Item = String> {
    pointers(member).into_iter().map(move |below| format!("/{name}{below}"))
}

fn retyped(event: &mut Value, pointer: &str) -> bool {
    let member = event.pointer_mut(pointer).unwrap();
    *member = match member {
        Value::String(text) => Value::String(format!("{text}x")),
        _ => Value::Null,
    };
    true
}

fn removed(event: &mut Value, pointer: &str) -> bool {
    let (parent, name) = pointer.rsplit_once('/').unwrap();
    event.pointer_mut(parent).unwrap().as_object_mut().unwrap().remove(name).is_some()
}

fn added(event: &mut Value, pointer: &str) -> bool {
    match event.pointer_mut(pointer).unwrap() {
        Value::Object(members) => members.insert("another".to_owned(), 1.into()).is_none(),
        _ => false,
    }
}

fn borrowed(lines: &[String]) -> impl Iterator<Item = &str> {
    lines.iter().map(String::as_str)
}

const HOST: &str = "trk.example.com";
const NODE: &str = "node-1";
const COUNT: usize = 20;
const ASKED: u64 = 1_760_000_000_000_000;
const ANSWERED: u64 = ASKED + 1_000;
