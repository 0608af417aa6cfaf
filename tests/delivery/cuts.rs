//! Promise P1 as far as the topic: through power cuts, over TLS, with SCRAM.
//!
//! What a machine that lost power leaves is what was in the topic by then, and its disk. A node is
//! revived on that disk and ships what is left to topics of its own, since the first node lives
//! on; both are judged together.

use std::fs;
use std::sync::Arc;
use std::time::Duration;

use crate::kafka::Broker;
use crate::machine::Machine;
use crate::mount::skipped;
use crate::node::{
    CruelDisk, Pattern, Program, Random, Setup, SkipsSync, Verdict, is_long, serve_on,
};
use crate::route::{Route, Topics, secure, unsettled};
use crate::row::Row;

#[test]
fn every_acknowledged_click_is_in_the_topic_through_power_cuts() {
    if skipped().is_some() {
        return;
    }
    let verdicts = through_cuts(Program::Product, if is_long() { LONG } else { CUTS }, |_| false);
    for verdict in &verdicts {
        assert_eq!((verdict.missing, verdict.spurious), (0, 0), "{verdict}");
    }
    assert!(verdicts[verdicts.len() - 1].acknowledged > 100);
}

/// The control: a check that cannot see loss proves nothing.
#[test]
fn a_node_whose_disk_skips_syncs_is_found_out_at_the_topic() {
    if skipped().is_some() {
        return;
    }
    let program = Program::Own("cuts::node_whose_disk_skips_syncs");
    let verdicts = through_cuts(program, CUTS, |verdict| verdict.missing > 0);
    let last = &verdicts[verdicts.len() - 1];
    assert!(last.missing > 0, "{last}");
    assert_eq!(last.spurious, 0, "{last}");
}

#[test]
#[ignore = "the process of a_node_whose_disk_skips_syncs_is_found_out_at_the_topic"]
fn node_whose_disk_skips_syncs() {
    let configuration = Setup::configuration();
    let journal = configuration.with_file_name("data").join("journal");
    serve_on(Arc::new(CruelDisk::new(&journal, SkipsSync)), &configuration);
}

/// Cuts the power of a node under load `count` times, or until one cut is `enough`.
fn through_cuts(program: Program, count: usize, enough: impl Fn(&Verdict) -> bool) -> Vec<Verdict> {
    let (broker, machine) = (Broker::shared(), Machine::new());
    let topics = topics(&broker);
    // The longest wait, so that no answer is given up on as late; and some events that are
    // answered and not in Kafka yet, whenever it is.
    let settings = secure(&broker) + "linger = \"200ms\"\n";
    let within = Some(machine.point().to_owned());
    let patient = "answer_within = \"1900ms\"";
    let route = Route::start_within(within, program, &topics, &settings, patient);
    let row = Row::start(&route.node, Pattern { rate: Some(500.0), ..Pattern::default() });
    let mut random = Random::by_chance();
    let mut verdicts = Vec::new();
    while verdicts.len() < count {
        row.go_on(Duration::from_micros(200_000 + random.below(300_000) as u64));
        let verdict = cut(&broker, &machine, (&route, &topics), &row);
        println!("cut {}: {verdict}", verdicts.len() + 1);
        let is_enough = enough(&verdict);
        verdicts.push(verdict);
        if is_enough {
            break;
        }
    }
    drop(row.told());
    verdicts
}

/// What is in Kafka once a machine that loses power now has recovered.
fn cut(broker: &Broker, machine: &Machine, of: (&Route, &Topics), row: &Row) -> Verdict {
    let (Route { node, topic }, before) = of;
    let direct = of.0.metric("waypost_events_direct_total") as usize;
    let mut values = Vec::new();
    let remains = machine.cut(node, || values = broker.values(topic));
    let after = topics(broker);
    let file = remains.path(&node.configuration());
    let mut settings = fs::read_to_string(&file).unwrap();
    for (old, new) in before.names().iter().zip(after.names()) {
        settings = settings.replace(&format!("{old:?}"), &format!("{new:?}"));
    }
    fs::write(&file, settings).unwrap();
    let excused = unsettled(&remains.path(&node.data().join("journal"))) + direct;
    let revived = Route { node: remains.revive(node), topic: after.events() };
    revived.wait_until_shipped(1);
    values.extend(broker.values(&revived.topic));
    let judge = row.traffic.judge();
    let mut hearing = judge.hearing_until(remains.until);
    values.iter().for_each(|value| hearing.hear(value));
    let verdict = hearing.verdict(&node.exceptions());
    assert!(verdict.duplicates <= excused, "{verdict}, {excused} excused");
    verdict
}

/// Topics that nobody else uses.
fn topics(broker: &Broker) -> Topics {
    let topics = Topics::new();
    for topic in topics.names() {
        broker.create_topic(&topic, 3, &[]);
    }
    topics
}

const CUTS: usize = 6;
const LONG: usize = 200;
