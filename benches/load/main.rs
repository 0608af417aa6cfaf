//! Sends clicks, opens and probes to a node, and judges what it recorded.
//!
//! `cargo bench --bench load -- --requests 200000 --handshake cold --protocol h2`
//!
//! Every request has an id of its own, sealed into its link. What was answered must be recorded,
//! field by field as it was minted and sent, or told by the node's traces as unrecorded; what is
//! recorded must have been asked. The last line says so, and how fast answers came; the exit code
//! is 1 when something is missing, spurious or was answered wrongly, 2 when nothing could be
//! judged. With `--plant` a fault is put among the events before they are judged: a check that
//! cannot see loss proves nothing. With `--wrk` the client is compared with wrk on nginx.

#![expect(clippy::disallowed_methods, reason = "a bench starts processes, threads and clocks")]

mod arguments;
#[allow(dead_code, reason = "what is never read ends nginx when it is dropped")]
#[path = "../compare/nginx.rs"]
mod nginx;
#[path = "../../tests/node/mod.rs"]
mod node;
mod plant;
#[allow(dead_code, reason = "another bench uses the rest")]
#[path = "../compare/running.rs"]
mod running;
mod target;
mod wrk;

use std::process::ExitCode;
use std::thread;
use std::time::{Duration, Instant};

use clap::Parser;
use tokio::sync::watch;

use arguments::{Arguments, Plan};
use node::{Judge, Speed, Traffic, Verdict};
use target::Target;

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    if !arguments.bench {
        println!("load runs only under `cargo bench --bench load`; --help tells more");
        return ExitCode::SUCCESS;
    }
    match Plan::of(arguments).and_then(|plan| if plan.wrk { wrk::run(&plan) } else { run(&plan) }) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(reason) => {
            eprintln!("load: {reason}");
            ExitCode::from(2)
        }
    }
}

/// Sends and judges; whether the node kept its promises.
fn run(plan: &Plan) -> Result<bool, String> {
    let mut target = Target::open(plan)?;
    target.reach(plan)?;
    let asking = (target.client(), target.mint());
    let pattern = plan.pattern.clone();
    let (_address, addresses) = watch::channel(Some(target.https()));
    let traffic = Traffic::new(asking, plan.mailing.clone(), pattern, addresses, target.name());
    traffic.run_for(plan.length);
    let resumed = traffic.resumed();
    let (judge, speed) = traffic.finish();
    let judge = if target.is_own() { judge } else { judge.among_others() };
    target.end();
    let verdict = settle(plan, &target, &judge)?;
    tell(&verdict, &speed, resumed);
    Ok(verdict.is_kept())
}

/// Reads what was recorded, again until all is there or the time for that has passed.
fn settle(plan: &Plan, target: &Target<'_>, judge: &Judge) -> Result<Verdict, String> {
    let begun = Instant::now();
    loop {
        let mut hearing = judge.hearing();
        let mut planted = plan.plant.map(plant::Plant::new);
        target.each_event(&mut |event| match &mut planted {
            None => hearing.hear(event),
            Some(plant) => plant.pass(event, |event| hearing.hear(event)),
        })?;
        if planted.is_some_and(|plant| !plant.is_done()) {
            return Err("--plant: no event was recorded that a fault could be planted on".into());
        }
        let verdict = hearing.verdict(&target.exceptions()?);
        if verdict.missing == 0 || plan.plant.is_some() || begun.elapsed() >= plan.settle {
            return Ok(verdict);
        }
        thread::sleep(BETWEEN_READINGS);
    }
}

fn tell(verdict: &Verdict, speed: &Speed, resumed: usize) {
    for fault in &verdict.faults {
        eprintln!("{fault}");
    }
    println!("{} {speed} resumed={resumed}", verdict.counts());
}

const BETWEEN_READINGS: Duration = Duration::from_millis(200);
