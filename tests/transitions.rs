//! A transition is one event under one id, whatever write the process dies at.

#![allow(clippy::disallowed_methods, reason = "a test starts processes")]
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod customers;
mod dns;
mod node;
mod strace;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use customers::{Customers, TARGET, eventually};
use dns::cname;
use node::is_long;
use strace::{Strace, threads};

/// How often the store has committed; none when the process is gone.
fn commits(customers: &Customers) -> Option<u64> {
    let (_, text) = node::get(customers.node.admin(), "/metrics")?;
    let line = "waypost_store_commit_seconds_count ";
    text.lines().find_map(|found| found.strip_prefix(line)?.parse().ok())
}

/// Adds a name that does not exist, and publishes it once that is told: the next look is a
/// transition.
fn prepared(customers: &Customers, name: &str) {
    let before = commits(customers).unwrap();
    customers.add(name);
    customers.check(name);
    told(customers, name, &["new"]);
    // Added, judged, told.
    eventually("all is written", || (commits(customers)? >= before + 3).then_some(()));
    customers.dns.add(name, cname(TARGET));
}

/// Looks, and waits until the transition is written and told, or the process has died of it.
fn transition(customers: &mut Customers, name: &str) {
    let before = commits(customers).unwrap();
    drop(customers.node.command(&["domain", "check", name]));
    eventually("the transition ends", || {
        let is_over = customers.node.has_died() || commits(customers) >= Some(before + 2);
        is_over.then_some(())
    });
}

/// Each call that a transition makes to change a file: thread, call, how many.
fn writes(customers: &mut Customers) -> Option<Vec<(String, String, usize)>> {
    prepared(customers, "first.example.test");
    let folder = tempfile::tempdir().unwrap();
    let mut recording = Vec::new();
    for (name, thread) in threads(customers.node.process()) {
        let log = folder.path().join(&name);
        recording.push((name, Strace::record(&thread, &log)?, log));
    }
    transition(customers, "first.example.test");
    let mut writes = BTreeMap::<_, usize>::new();
    for (name, strace, log) in recording {
        strace.end();
        for line in fs::read_to_string(log).unwrap().lines() {
            let (call, _) = line.split_once('(').unwrap();
            *writes.entry((name.clone(), call.to_owned())).or_default() += 1;
        }
    }
    Some(writes.into_iter().map(|((thread, call), count)| (thread, call, count)).collect())
}

#[test]
fn a_kill_at_any_write_of_a_transition_leaves_exactly_one_event() {
    let mut customers = Customers::start("registered", "poll_rate = 0\n");
    let Some(writes) = writes(&mut customers) else { return };
    println!("a transition's writes: {writes:?}");
    for writer in ["store-writer", "journal-writer"] {
        assert!(writes.iter().any(|(thread, ..)| thread == writer), "{writer} writes: {writes:?}");
    }
    let (mut kills, mut tries) = (0, 0);
    for (thread, call, count) in &writes {
        // All of a few; of many, in the short form, some all over.
        let step = if is_long() { 1 } else { count.div_ceil(5) };
        for nth in (1..=*count).step_by(step) {
            let name = format!("t{tries}.example.test");
            tries += 1;
            prepared(&customers, &name);
            let doomed = threads(customers.node.process()).remove(thread).unwrap();
            let Some(doom) = Strace::kill(&doomed, call, nth) else { return };
            transition(&mut customers, &name);
            drop(doom);
            if customers.node.has_died() {
                kills += 1;
                customers.node.kill();
                customers.node.restart();
            }
            // Whether the transition was made before or is made now, it is told once.
            customers.check(&name);
            told(&customers, &name, &["new", "pointed"]);
        }
    }
    println!("killed at {kills} of {tries} writes, each transition told under one id");
    assert!(kills * 4 >= tries * 3, "{kills} of {tries}");
}

/// Waits until the events of a name are these, each under one id, and repeats are the same bytes.
fn told(customers: &Customers, name: &str, states: &[&str]) {
    let events = eventually("it is told", || {
        let events: Vec<_> =
            customers.transitions().into_iter().filter(|event| event["subject"] == name).collect();
        let last = events.last()?["data"]["to"].as_str()?.to_owned();
        (last == *states.last().unwrap()).then_some(events)
    });
    let whole: BTreeSet<_> = events.iter().map(ToString::to_string).collect();
    let ids: BTreeSet<_> = events.iter().map(|event| event["id"].to_string()).collect();
    assert_eq!(ids.len(), states.len(), "{events:#?}");
    assert_eq!(whole.len(), states.len(), "repeats differ: {events:#?}");
}
