//! A transition is one event under one id, whatever write the process dies at.

#![allow(clippy::disallowed_methods, reason = "a test starts processes")]
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod customers;
mod dns;
mod node;

use std::collections::BTreeSet;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::Duration;

use customers::{Customers, TARGET, eventually};
use dns::cname;
use node::is_long;

/// Has a process killed at the n-th write or sync of one of its threads, by strace; let go when
/// dropped.
struct Doom(Child);

impl Doom {
    fn upon(process: u32, write: usize) -> Option<Self> {
        let inject = format!("inject={CALLS}:signal=KILL:when={write}");
        let started = Command::new("strace")
            .args(["-f", "-qq", "-o", "/dev/null", "-e", &format!("trace={CALLS}"), "-e", &inject])
            .args(["-p", &process.to_string()])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        let child = started.map_err(|error| customers::missing("strace", &error)).ok()?;
        let doom = Self(child);
        eventually("strace holds every thread", || is_held(process).then_some(()));
        Some(doom)
    }
}

impl Drop for Doom {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

/// Whether every thread of a process is traced.
fn is_held(process: u32) -> bool {
    let threads = std::fs::read_dir(format!("/proc/{process}/task")).unwrap();
    threads.flatten().all(|thread| {
        let status = std::fs::read_to_string(thread.path().join("status")).unwrap_or_default();
        !status.contains("TracerPid:\t0\n")
    })
}

#[test]
fn a_kill_at_any_write_of_a_transition_leaves_exactly_one_event() {
    let mut customers = Customers::start("registered", "poll_rate = 0\n");
    let step = if is_long() { 1 } else { 3 };
    let (mut write, mut survived, mut kills) = (1, 0, 0);
    while survived < 3 {
        assert!(write < 400, "a transition has no end of writes");
        let name = format!("t{write}.example.test");
        customers.add(&name);
        customers.check(&name);
        told(&customers, &name, &["new"]);
        customers.dns.add(&name, cname(TARGET));
        let Some(doom) = Doom::upon(customers.node.process(), write) else { return };
        // Answered or not: the process may die of it.
        drop(customers.node.command(&["domain", "check", &name]));
        // What it writes behind the answer.
        sleep(Duration::from_millis(300));
        drop(doom);
        if customers.node.has_died() {
            kills += 1;
            customers.node.kill();
            customers.node.restart();
        } else {
            survived += 1;
        }
        // Whether the transition was made before or is made now, it is told once.
        customers.check(&name);
        told(&customers, &name, &["new", "pointed"]);
        write += step;
    }
    println!("killed at {kills} writes, each transition told under one id");
    assert!(kills >= 3, "{kills}");
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

const CALLS: &str = "pwrite64,write,fdatasync,fsync,ftruncate,pwritev";
