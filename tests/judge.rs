//! The judge itself: it must see what was lost, invented or altered, or its silence proves nothing.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod node;

use node::{Click, Exceptions, Judge, Kind, Mailing, Protocol, Random, Verdict};
use serde_json::Value;
use uuid::Uuid;
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

#[test]
fn what_the_node_traces_as_unrecorded_is_not_missing() {
    let (judge, mut lines) = run();
    lines.remove(3);
    let unrecorded = traced(3, ANSWERED, "queue_full");
    let verdict = hear(&judge, &lines, &unrecorded);
    assert!(verdict.is_exact(), "{verdict}");
    assert_eq!(verdict.unrecorded, 1);
    // One trace accounts for one event, of its own time.
    lines.remove(3);
    let verdict = hear(&judge, &lines, &unrecorded);
    assert_eq!((verdict.missing, verdict.unrecorded), (1, 1), "{verdict}");
    for time in [ASKED - 1_000, ANSWERED + 1_000] {
        let (judge, mut lines) = run();
        lines.truncate(COUNT - 2);
        lines.remove(3);
        let verdict = hear(&judge, &lines, &traced(3, time, "queue_full"));
        let counts = (verdict.missing, verdict.spurious, verdict.unrecorded);
        // After its asking, one of the two that died explains the later trace.
        let strays = usize::from(time < ASKED);
        assert_eq!(counts, (1, strays, 1 - strays), "{verdict}");
    }
}

#[test]
fn what_is_traced_as_unrecorded_and_recorded_all_the_same_is_seen() {
    let (judge, lines) = run();
    let verdict = hear(&judge, &lines, &traced(3, ASKED, "queue_full"));
    assert_eq!((verdict.missing, verdict.spurious), (0, 1), "{verdict}");
    // What the disk still had when the node ended may have been written.
    let verdict = hear(&judge, &lines, &traced(3, ASKED, "shutdown"));
    assert!(verdict.is_exact(), "{verdict}");
}

#[test]
fn a_late_event_is_counted_and_only_a_kill_may_lose_it() {
    let (judge, mut lines) = run();
    let late = traced(3, ASKED, "late");
    let verdict = hear(&judge, &lines, &late);
    assert!(verdict.is_exact(), "{verdict}");
    assert_eq!((verdict.late, verdict.late_lost), (1, 0));
    lines.remove(3);
    let verdict = hear(&judge, &lines, &late);
    assert_eq!((verdict.missing, verdict.late, verdict.late_lost), (0, 1, 1), "{verdict}");
}

#[test]
fn as_many_traces_as_can_be_are_matched_with_events_of_their_time() {
    // From asking to answering, in milliseconds, and the times of a late and of an unrecorded
    // event: what is given to one must not be all that the other could have.
    for (spans, late, unrecorded) in [
        ([(0, Some(9)), (4, Some(5))], 4, 8),
        ([(4, Some(5)), (0, Some(9))], 8, 4),
        ([(9, Some(100)), (5, Some(50))], 6, 10),
        ([(5, Some(50)), (9, Some(100))], 10, 6),
        ([(3, Some(5)), (4, None)], 4, 7),
        ([(3, Some(5)), (4, None)], 7, 4),
    ] {
        let mut judge = Judge::new(NODE);
        let at = |ms: u64| Timestamp::from_micros(ASKED + ms * 1_000);
        for (click, (asked, answered)) in clicks().iter().zip(spans) {
            judge.asked(click, at(asked));
            if let Some(answered) = answered {
                judge.answered(&click.link.message, at(answered));
            }
        }
        let text = [(1, late, "late"), (2, unrecorded, "queue_full")]
            .map(|(serial, time, reason)| trace(serial, at(time).micros(), reason));
        let verdict = hear(&judge, &[], &Exceptions::read(&text.concat()));
        let counts = (verdict.missing, verdict.spurious, verdict.late_lost, verdict.unrecorded);
        assert_eq!(counts, (0, 0, 1, 1), "{spans:?} {verdict}");
    }
}

#[test]
fn answers_that_came_after_the_cut_are_no_obligations_of_it() {
    let (judge, mut lines) = run();
    lines.clear();
    let before = judge.hearing_until(Timestamp::from_micros(ANSWERED - 1));
    let verdict = before.verdict(&Exceptions::default());
    assert_eq!((verdict.acknowledged, verdict.missing), (0, 0), "{verdict}");
    let after = judge.hearing_until(Timestamp::from_micros(ANSWERED));
    assert_eq!(after.verdict(&Exceptions::default()).missing, COUNT - 2);
}

#[test]
fn a_wrong_answer_is_seen() {
    let (mut judge, lines) = run();
    judge.wronged("answered 503".to_owned());
    let verdict = hear(&judge, &lines, &Exceptions::default());
    assert!(!verdict.is_kept() && verdict.wrong == 1, "{verdict}");
}

#[test]
fn a_mailing_draws_its_clicks_again_and_no_others() {
    let hosts = ["one.example".to_owned(), "two.example".to_owned()];
    let mailing = Mailing::new(7, &hosts, &[Protocol::Http1, Protocol::Http2]);
    assert_eq!(mailing.lanes(), 4);
    let mut judge = Judge::new(NODE).of(mailing.clone());
    let mut lines = Vec::new();
    for serial in 0..200 {
        let mut click = mailing.click(serial);
        assert_eq!(click, mailing.click(serial));
        assert_eq!(mailing.serial(&click.link.message), Some(serial));
        let (protocol, host) = mailing.lane(serial % 4);
        assert_eq!((click.visit.protocol, click.host.as_str()), (protocol, host));
        click.visit.is_resumed = serial % 3 == 0;
        judge.asked(&click, Timestamp::from_micros(ASKED));
        judge.answered(&click.link.message, Timestamp::from_micros(ANSWERED));
        lines.push(line(&click, serial, ASKED));
    }
    assert_ne!(mailing.click(0).link.url, mailing.click(4).link.url);
    for other in ["0000000000000008-1", "0000000000000007-x", "message-1"] {
        assert_eq!(mailing.serial(other), None, "{other}");
    }
    let other = lines[5].replace(&mailing.message(5), "0000000000000007-05");
    assert_eq!(judge.judge(borrowed(&[other])).spurious, 1, "another message");
    let verdict = judge.judge(borrowed(&lines));
    assert!(verdict.is_exact(), "{verdict}");
    lines[5] = lines[5].replace("\"resumed\":false", "\"resumed\":true");
    let verdict = judge.judge(borrowed(&lines));
    assert_eq!((verdict.missing, verdict.spurious), (1, 1), "{verdict}");
}

#[test]
fn traces_are_read_as_text_and_as_json() {
    let id = uuid(5, ASKED);
    let text = format!(
        "2026-11-25T00:00:00Z  WARN waypost::edge::click: answered without a record event={id} \
         reason=\"queue_full\"\nother=1 reason=\"none\"\nan event=nonsense\n"
    );
    let json = format!(
        "{{\"level\":\"WARN\",\"fields\":{{\"event\":\"{id}\",\"reason\":\"queue_full\"}}}}\n{{\n"
    );
    for traces in [text, json] {
        let exceptions = Exceptions::read(&traces);
        assert_eq!(exceptions.unrecorded.len(), 1, "{traces}");
        assert_eq!(exceptions.unrecorded[&id], "queue_full");
        assert!(exceptions.late.is_empty());
    }
}

fn hear(judge: &Judge, lines: &[String], exceptions: &Exceptions) -> Verdict {
    let mut hearing = judge.hearing();
    lines.iter().for_each(|line| hearing.hear(line));
    hearing.verdict(exceptions)
}

/// What a node traces of the event of `serial`, made at `time`.
fn traced(serial: usize, time: u64, reason: &str) -> Exceptions {
    Exceptions::read(&trace(serial, time, reason))
}

fn trace(serial: usize, time: u64, reason: &str) -> String {
    format!("WARN told event={} reason=\"{reason}\"\n", uuid(serial, time))
}

/// The id that [`line`] gives at [`ASKED`].
fn uuid(serial: usize, time: u64) -> Uuid {
    Uuid::from_u128(u128::from(time / 1_000) << 80 | 0x7000_8000 << 48 | serial as u128)
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
    uuid(serial, ASKED).to_string()
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
