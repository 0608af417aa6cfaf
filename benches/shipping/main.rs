//! How fast the journal reaches Kafka, beside Kafka's own producer tool with our events.
//!
//! One broker, one run: the tool and a node take turns, each sending the same events to a topic of
//! its own with the same batches, compression, acknowledgements and idempotence. The node reads
//! them from its journal, and nothing else asks anything of it. Throughput is from the first
//! acknowledgement to the last; the ratio is of medians.

#![allow(clippy::disallowed_methods, reason = "a bench reads clocks and starts processes")]
#![allow(clippy::unwrap_used, reason = "a bench may panic")]
#![allow(unreachable_pub, reason = "modules of tests")]

#[path = "../../tests/kafka/mod.rs"]
mod kafka;
#[path = "../../tests/node/mod.rs"]
mod node;

mod events;
mod shipped;

use std::path::Path;

use kafka::Broker;

fn main() {
    let events: usize = number("--events", 400_000);
    let rounds: usize = number("--rounds", 3);
    let broker = Broker::start_fast();
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let payload = folder.path().join("payload");
    let bytes = events::payload(&payload, 20_000);
    println!(
        "{events} events of {bytes} bytes on average, {PARTITIONS} partitions, {rounds} rounds"
    );
    for compression in ["zstd", "lz4"] {
        compare(&broker, compression, (events, rounds), &payload);
    }
}

fn compare(broker: &Broker, compression: &str, (events, rounds): (usize, usize), payload: &Path) {
    let (mut tool, mut ours) = (Vec::new(), Vec::new());
    for round in 0..rounds {
        let topic = format!("tool-{compression}-{round}");
        broker.create_topic(&topic, PARTITIONS, &[]);
        tool.push(broker.perf(&topic, events, payload, compression));
        broker.delete_topic(&topic);
        ours.push(shipped::rate(broker, events, compression));
    }
    println!("{compression}: events a second");
    println!("  tool     {}", list(&tool));
    println!("  waypost  {}", list(&ours));
    println!("  ratio of medians {:.2}", median(&mut ours) / median(&mut tool));
}

fn list(rates: &[f64]) -> String {
    rates.iter().map(|rate| format!("{rate:>9.0}")).collect()
}

fn median(rates: &mut [f64]) -> f64 {
    rates.sort_by(f64::total_cmp);
    rates[rates.len() / 2]
}

fn number(flag: &str, usual: usize) -> usize {
    let arguments: Vec<_> = std::env::args().collect();
    let at = arguments.iter().position(|argument| argument == flag);
    at.map_or(usual, |at| arguments[at + 1].parse().expect("a number"))
}

const PARTITIONS: i32 = 6;
