//! Promise P1 as far as the topic: through kills, over TLS, with SCRAM.

use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use tokio::sync::watch;

use crate::kafka::Broker;
use crate::node::{
    AnswersEarly, CruelDisk, Pattern, Program, Random, Setup, Verdict, is_long, serve_on,
};
use crate::route::{Route, Topics, secure, unsettled};

#[test]
fn every_acknowledged_click_is_in_the_topic_through_kills() {
    for _ in 0..if is_long() { LONG_ROUNDS } else { 1 } {
        let Killed { route, verdict, recorded, excused, values } = through_kills(Program::Product);
        assert_eq!((verdict.missing, verdict.spurious), (0, 0), "{verdict}");
        assert_eq!((recorded.missing, recorded.spurious), (0, 0), "{recorded}");
        assert!(verdict.acknowledged > CLICKS / 2, "{verdict}");
        assert!(verdict.ambiguous > 0, "it was killed under load: {verdict}");
        // What was under way or not yet at the cursor on disk may be there twice, and nothing else.
        assert!(verdict.duplicates <= excused, "{verdict}, {excused} excused");
        let acknowledged = route.metric("waypost_kafka_settled_acknowledged") as usize;
        let distinct = verdict.acknowledged + verdict.ambiguous_recorded;
        assert_eq!((distinct, values - verdict.duplicates), (acknowledged, acknowledged));
    }
}

/// The control: a check that cannot see loss proves nothing.
#[test]
fn a_node_that_answers_before_it_writes_is_found_out_at_the_topic() {
    let program = Program::Own("kills::node_that_answers_before_it_writes");
    let Killed { verdict, .. } = through_kills(program);
    assert!(verdict.missing > 0, "{verdict}");
    assert_eq!(verdict.spurious, 0, "{verdict}");
}

#[test]
#[ignore = "the process of a_node_that_answers_before_it_writes_is_found_out_at_the_topic"]
fn node_that_answers_before_it_writes() {
    let configuration = Setup::configuration();
    let journal = configuration.with_file_name("data").join("journal");
    serve_on(Arc::new(CruelDisk::new(&journal, AnswersEarly::new())), &configuration);
}

/// What came of kills.
struct Killed {
    /// The node, which runs and has shipped everything.
    route: Route,
    /// Of the topic.
    verdict: Verdict,
    /// Of the journal.
    recorded: Verdict,
    /// How many copies are right to be there at most.
    excused: usize,
    /// How many records are there.
    values: usize,
}

/// Sends clicks to a node that is killed and restarted meanwhile, and judges the topic.
fn through_kills(program: Program) -> Killed {
    let broker = Broker::shared();
    let topics = Topics::new();
    for topic in topics.names() {
        broker.create_topic(&topic, 3, &[]);
    }
    let patient = "answer_within = \"1900ms\"";
    let mut route = Route::start_with(program, &topics, &secure(&broker), patient);
    let mut random = Random::from_environment();
    let (address, addresses) = watch::channel(Some(route.node.https()));
    // No faster than they are shipped, so that little is excused at each kill.
    let pattern = Pattern { count: CLICKS, rate: Some(RATE), ..Pattern::default() };
    let traffic = route.patterned(pattern, addresses);
    let sending = thread::spawn({
        let traffic = Arc::clone(&traffic);
        move || traffic.run()
    });
    let mut excused = 0;
    for moment in random.moments(KILLS, CLICKS * 9 / 10) {
        let begun = Instant::now();
        while traffic.answered() < moment && !sending.is_finished() {
            assert!(begun.elapsed() < PATIENCE, "{} of {CLICKS} clicks", traffic.answered());
            thread::yield_now();
        }
        // Later than the first acknowledgement, at no moment of note.
        let acknowledged = || route.metric("waypost_kafka_acknowledged_total");
        while acknowledged() == 0.0 && !sending.is_finished() {
            thread::yield_now();
        }
        thread::sleep(Duration::from_micros(random.below(WITHIN_A_SYNC) as u64));
        address.send_replace(None);
        route.node.kill();
        excused += unsettled(&route.node.data().join("journal"));
        route.node.restart();
        address.send_replace(Some(route.node.https()));
    }
    sending.join().unwrap();
    route.wait_until_shipped(1);
    let values = broker.values(&route.topic);
    let (judge, _) = traffic.finish();
    let verdict = judge.judge(values.iter().map(String::as_str));
    println!("{verdict} excused={excused}");
    let mut hearing = judge.hearing();
    route.node.each_event(|event| hearing.hear(event));
    let recorded = hearing.verdict(&route.node.exceptions());
    assert_eq!(recorded.duplicates, 0, "the journal has nothing twice: {recorded}");
    Killed { route, verdict, recorded, excused, values: values.len() }
}

const CLICKS: usize = 30_000;
/// Clicks a second.
const RATE: f64 = 3_000.0;
/// Microseconds: some times what passes between two syncs of the cursor.
const WITHIN_A_SYNC: usize = 300_000;
const KILLS: usize = 5;
const LONG_ROUNDS: usize = 100;
const PATIENCE: Duration = Duration::from_secs(60);
