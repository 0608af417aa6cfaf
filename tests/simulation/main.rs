//! Journal, door and clock on one thread, moved by chance from a seed, with a budget of faults:
//! syncs and writes that fail or hang, a full disk, kills, power cuts, a second process, clocks
//! that jump.
//!
//! ```text
//! world      what happens, in which order
//! budget     what may go wrong in one run, written before it begins
//! process    one node: a journal's two hands, and reactors
//! door       what a reactor does of a request
//! shipper    what takes events further on
//! oracle     what was promised, and whether it was kept
//! plant      bugs of our own, which the oracle must find
//! ```
//!
//! A run that breaks a promise prints its seed; `WAYPOST_SEED=n` runs that one again, step by
//! step as it was, and tells every step. `WAYPOST_LONG=1` runs many more, `WAYPOST_FROM=n` those
//! from another seed on.

#![allow(clippy::disallowed_methods, reason = "a test reads its environment")]
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod budget;
mod clock;
#[path = "../disk/mod.rs"]
mod disk;
mod door;
mod oracle;
mod plant;
mod process;
#[path = "../node/random.rs"]
#[allow(dead_code, reason = "each test uses the part it needs")]
#[allow(unreachable_pub, reason = "a module of tests")]
mod random;
mod shipper;
mod world;

use std::collections::BTreeMap;
use std::env;

use door::Links;
use plant::Plant;
use world::{NAMES, Outcome, World};

#[test]
fn every_promise_is_kept_under_every_seed() {
    let links = Links::new();
    if let Ok(seed) = env::var("WAYPOST_SEED") {
        let seed = seed.parse().expect("WAYPOST_SEED is a number");
        let outcome = World::run(seed, Plant::None, &links);
        outcome.trace.iter().for_each(|line| println!("{line}"));
        outcome.expect_kept(seed);
        return;
    }
    let count = if env::var_os("WAYPOST_LONG").is_some() { LONG } else { SHORT };
    let from = env::var("WAYPOST_FROM").map_or(0, |from| from.parse().expect("a number"));
    let mut sum = Outcome::default();
    for seed in from..from + count {
        let outcome = World::run(seed, Plant::None, &links);
        outcome.expect_kept(seed);
        sum.add(&outcome);
    }
    println!("{count} seeds from {from} on: {}", sum.told());
    // A sweep in which something never happened would prove nothing of it.
    for what in NAMES.iter().chain(&MUST_HAPPEN) {
        let times = sum.counts.get(what).copied().unwrap_or_default();
        assert!(times >= count / 50, "{what}: {times} times in {count} runs");
    }
}

#[test]
fn each_planted_bug_is_found() {
    let links = Links::new();
    let mut found = BTreeMap::new();
    for plant in Plant::ALL {
        let broken = (0..SHORT).find_map(|seed| {
            let outcome = World::run(seed, plant, &links);
            outcome.broken.map(|promise| (seed, promise))
        });
        let (seed, promise) = broken.unwrap_or_else(|| panic!("{plant:?} was not found"));
        println!("{plant:?}: found with seed {seed}: {promise}");
        found.insert(format!("{plant:?}"), seed);
    }
    assert_eq!(found.len(), Plant::ALL.len());
}

#[test]
fn a_seed_is_the_same_run_each_time() {
    let links = Links::new();
    for seed in 0..20 {
        let (one, other) =
            (World::run(seed, Plant::None, &links), World::run(seed, Plant::None, &links));
        assert_eq!(one.trace, other.trace, "seed {seed}");
        assert!(
            one.broken.is_some() || one.trace.len() > 100,
            "seed {seed}: {} steps",
            one.trace.len()
        );
    }
}

const MUST_HAPPEN: [&str; 13] = [
    "deleted",
    "gap",
    "late",
    "left",
    "power cut",
    "recorded",
    "refused",
    "shipped",
    "start",
    "start that fails",
    "sync that hangs",
    "torn",
    "void",
];
const SHORT: u64 = 1_000;
const LONG: u64 = 50_000;
