//! Promise P1 under `kill -9`: what was acknowledged is recorded, once, as it was asked.

#![allow(clippy::disallowed_methods, reason = "a test reads clocks and starts threads")]
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod node;

use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use node::serve_on;
use node::{
    AnswersEarly, CruelDisk, Mailing, NAME, Node, Pattern, Program, Protocol, Random, Setup,
    Traffic, Verdict,
};
use tokio::sync::watch;

#[test]
fn every_acknowledged_click_is_recorded_once_through_thirty_kills() {
    let mut random = Random::from_environment();
    let mut kills = 0;
    loop {
        let verdict = clicks_through_kills(Program::Product, CLICKS, KILLS, &mut random);
        assert!(verdict.is_exact(), "{verdict}");
        assert_eq!(verdict.asked, CLICKS);
        assert!(verdict.acknowledged > CLICKS / 2, "{verdict}");
        kills += KILLS;
        if !node::is_long() || kills >= LONG_KILLS {
            break;
        }
    }
}

/// The control: a check that cannot see loss proves nothing.
#[test]
fn a_node_that_answers_before_it_writes_is_found_out() {
    let mut random = Random::from_environment();
    let program = Program::Own("lying_node");
    let verdict = clicks_through_kills(program, CLICKS / 10, KILLS / 3, &mut random);
    assert!(verdict.missing > 0, "{verdict}");
    assert_eq!(verdict.spurious, 0, "{verdict}");
}

#[test]
#[ignore = "the process of a_node_that_answers_before_it_writes_is_found_out"]
fn lying_node() {
    let configuration = Setup::configuration();
    let journal = configuration.with_file_name("data").join("journal");
    serve_on(Arc::new(CruelDisk::new(&journal, AnswersEarly::new())), &configuration);
}

/// Sends `clicks` to a node that is killed and restarted `kills` times meanwhile, sometimes
/// killed again while it recovers, ends it in order, and judges its journal.
fn clicks_through_kills(
    program: Program,
    clicks: usize,
    kills: usize,
    random: &mut Random,
) -> Verdict {
    // Small segments, so that kills fall on their boundaries too; the longest wait, so that no
    // answer is given up on as late.
    let journal =
        "segment = \"1MiB\"\nretention_size = \"1GiB\"\nanswer_within = \"1900ms\"".to_owned();
    let mut node = Node::start(&Setup { journal, program, ..Setup::of(&[HOST]) });
    let (address, addresses) = watch::channel(Some(node.https()));
    let protocols = [Protocol::Http1, Protocol::Http2];
    let mailing = Mailing::new(random.next(), &[HOST.to_owned()], &protocols);
    let pattern = Pattern { count: clicks, ..Pattern::default() };
    let asking = (node.client(), node.mint().clone());
    let traffic = Traffic::new(asking, mailing, pattern, addresses, NAME);
    let sending = thread::spawn({
        let traffic = Arc::clone(&traffic);
        move || traffic.run()
    });
    for moment in random.moments(kills, clicks * 9 / 10) {
        let begun = Instant::now();
        while traffic.answered() < moment && !sending.is_finished() {
            assert!(begun.elapsed() < PATIENCE, "{} of {clicks} clicks", traffic.answered());
            thread::sleep(Duration::from_micros(200));
        }
        // Not at the very moment of an answer, when nothing is on its way to the disk.
        thread::sleep(Duration::from_micros(random.below(WITHIN_A_BATCH) as u64));
        address.send_replace(None);
        node.kill();
        if random.below(3) == 0 {
            node.restart_and_kill(Duration::from_micros(random.below(WITHIN_A_START) as u64));
        }
        node.restart();
        address.send_replace(Some(node.https()));
    }
    sending.join().unwrap();
    assert!(node.terminate().success(), "{}", node.told());
    let (judge, speed) = traffic.finish();
    let mut hearing = judge.hearing();
    node.each_event(|event| hearing.hear(event));
    let verdict = hearing.verdict(&node.exceptions());
    println!("{verdict} {speed}");
    verdict
}

const HOST: &str = "trk.example.com";
const CLICKS: usize = 200_000;
const KILLS: usize = 30;
const LONG_KILLS: usize = 500;
/// Microseconds: some times what a batch takes to be written and synced.
const WITHIN_A_BATCH: usize = 5_000;
/// Microseconds: more than a start takes.
const WITHIN_A_START: usize = 50_000;
const PATIENCE: Duration = Duration::from_secs(60);
