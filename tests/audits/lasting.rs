//! What audits found lasts: over restarts and kills, as long as its domain and no longer.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::time::Duration;

use serde_json::{Value, json};

use crate::customers::{TARGET, eventually};
use crate::dns::{Fault, txt};
use crate::house::{DMARC, House};
use crate::node::is_long;
use crate::strace::{Strace, threads};

fn name(number: usize) -> String {
    format!("trk.d{number}.example.test")
}

#[test]
fn a_restart_half_way_goes_on_and_asks_nothing_again_that_is_fresh() {
    let count = 40;
    let mut house = House::start("rate = 15\nat_once = 4");
    house.customers.dns.fault("example.test", Fault::Delay(Duration::from_millis(50)));
    house.add((0..count).map(name));
    eventually("half are audited, and some are being", || {
        let is_half = house.made() >= count as u64 / 2;
        (is_half && house.customers.metric("waypost_audit_in_progress ") > 2).then_some(())
    });
    house.customers.node.kill();
    let fresh: Vec<_> = house.stored().into_iter().filter(|(_, is_audited)| *is_audited).collect();
    assert!((count / 2..count).contains(&fresh.len()), "{}", fresh.len());
    drop(house.customers.dns.asked());
    house.customers.node.restart();
    let left = count - fresh.len();
    let waiting = left.saturating_sub(4) as u64;
    eventually("what waited is audited", || (house.made() >= waiting).then_some(()));
    // Those that were being audited are due again when their lease ends.
    eventually("the others are audited", || (house.made() >= left as u64).then_some(()));
    let asked = house.customers.dns.asked();
    for (name, _) in &fresh {
        let domain = name.strip_prefix("trk.").unwrap();
        let is_about = |asked: &str| asked == domain || asked.ends_with(&format!(".{domain}"));
        let again: Vec<_> = asked.iter().filter(|asked| is_about(&asked.name)).collect();
        assert!(again.is_empty(), "{again:?}");
    }
    assert_eq!(house.made(), left as u64, "each once");
    println!("{} were fresh, {left} were left, {} questions", fresh.len(), asked.len());
}

#[test]
fn a_kill_at_any_write_of_a_change_leaves_exactly_one_event_of_it() {
    let often = "active_every = \"1s\"\nother_every = \"1s\"\nsecond_look = \"1s\"\nrate = 100";
    let mut house = House::start(often);
    house.publish("d0.example.test");
    house.add([name(0)].into_iter());
    eventually("it is audited", || house.audit(&name(0)).is_object().then_some(()));
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("calls");
    let writer = threads(house.customers.node.process()).remove("journal-writer").unwrap();
    let Some(recording) = Strace::record(&writer, &log) else { return };
    change(&house, 1);
    told(&house, 1);
    recording.end();
    let mut calls = BTreeMap::<_, usize>::new();
    for line in fs::read_to_string(&log).unwrap().lines() {
        *calls.entry(line.split_once('(').unwrap().0.to_owned()).or_default() += 1;
    }
    println!("a change's writes by the journal: {calls:?}");
    let by_journal = calls.into_iter().map(|(call, count)| ("journal-writer", call, count));
    // The store writes each audit; the kills are all over some of them.
    let by_store = [("store-writer", "pwrite64".to_owned(), if is_long() { 60 } else { 16 })];
    let (mut changes, mut kills) = (1, 0);
    for (thread, call, count) in by_journal.chain(by_store) {
        let step = if is_long() { 1 } else { count.div_ceil(3) };
        for nth in (1..=count).step_by(step) {
            let doomed = threads(house.customers.node.process()).remove(thread).unwrap();
            let Some(doom) = Strace::kill(&doomed, &call, nth) else { return };
            changes += 1;
            change(&house, changes);
            eventually("it is killed, or has told", || {
                let has_died = house.customers.node.has_died();
                (has_died || ids(&house.events()).len() >= changes).then_some(())
            });
            drop(doom);
            if house.customers.node.has_died() {
                kills += 1;
                house.customers.node.kill();
                house.customers.node.restart();
            }
            told(&house, changes);
        }
    }
    println!("killed at {kills} of {} writes, each change told under one id", changes - 1);
    assert!(kills > 2, "{kills}");
}

fn ids(events: &[Value]) -> BTreeSet<String> {
    events.iter().map(|event| event["id"].to_string()).collect()
}

/// Publishes the policy of the domain, or takes it away, in turn.
fn change(house: &House, number: usize) {
    let name = "_dmarc.d0.example.test";
    house.customers.dns.remove(name);
    if number.is_multiple_of(2) {
        house.customers.dns.add(name, txt(&[DMARC]));
    }
}

/// Waits until so many changes are told, each under one id, and repeats are the same bytes.
fn told(house: &House, changes: usize) {
    let events = eventually("it is told", || {
        let events = house.events();
        (ids(&events).len() >= changes).then_some(events)
    });
    let whole: BTreeSet<_> = events.iter().map(ToString::to_string).collect();
    assert_eq!(whole.len(), changes, "{events:#?}");
    let is_gone = !changes.is_multiple_of(2);
    let last = events.last().unwrap();
    let way = if is_gone { "appeared" } else { "went" };
    assert!(last["data"]["changed"][way].as_array().unwrap().contains(&json!("D01")), "{last:#}");
}

#[test]
fn a_record_comes_and_goes_with_its_domain() {
    let mut house = House::start("rate = 100");
    house.add((0..2).map(name));
    eventually("both are audited", || (house.made() >= 2).then_some(()));
    let (code, ..) = house.customers.node.command(&["domain", "remove", &name(0)]);
    assert_eq!(code, 0);
    let (status, _) = house.customers.ask("GET", &format!("/v1/domains/{}/audit", name(0)), "");
    assert_eq!(status, 404);
    house.customers.node.terminate();
    assert_eq!(house.stored(), [(name(1), true)]);
    // Without a node too.
    let (code, ..) = house.customers.node.command(&["domain", "remove", &name(1)]);
    assert_eq!(code, 0);
    assert_eq!(house.stored(), []);
    let (code, ..) = house.customers.node.command(&["domain", "add", &name(1)]);
    assert_eq!(code, 0);
    assert_eq!(house.stored(), [(name(1), false)]);
    house.customers.node.restart();
    eventually("it is audited anew", || house.audit(&name(1)).is_object().then_some(()));
    assert_eq!(house.events(), Vec::<Value>::new());
}

#[test]
fn a_store_from_before_there_were_audits_is_mended() {
    let mut house = House::start("rate = 0");
    house.add((0..1_200).map(name).chain([TARGET.to_owned()]));
    house.customers.node.terminate();
    assert_eq!(house.stored(), []);
    house.set("rate = 1000\nat_once = 64");
    house.customers.node.restart();
    eventually("every domain is audited", || (house.made() >= 1_200).then_some(()));
    house.customers.node.terminate();
    assert!(house.stored().iter().all(|(_, is_audited)| *is_audited));
    assert_eq!(house.stored().len(), 1_200, "the platform's own name is not audited");
    // Nor when it is added.
    house.set("rate = 1000");
    let (code, ..) = house.customers.node.command(&["domain", "remove", TARGET]);
    assert_eq!(code, 0);
    let (code, ..) = house.customers.node.command(&["domain", "add", TARGET]);
    assert_eq!(code, 0);
    assert_eq!(house.stored().len(), 1_200);
}

#[test]
fn a_domain_that_was_to_be_audited_rarely_comes_sooner_when_that_is_set_otherwise() {
    let mut house = House::start("rate = 100\nother_every = \"300d\"");
    house.add([name(0)].into_iter());
    eventually("it is audited", || (house.made() >= 1).then_some(()));
    house.customers.node.terminate();
    house.set("rate = 100\nother_every = \"2s\"");
    house.customers.node.restart();
    eventually("it is audited again", || (house.made() >= 1).then_some(()));
}
