//! What `docs/events.md` tells an analyst to run is run, and counts right.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::process::Command;

use serde_json::Value;
use waypost::kafka::Config;

use crate::kafka::Broker;
use crate::refusals::waypost;
use crate::route::Route;

#[test]
fn the_consumer_and_the_query_of_the_docs_count_each_event_once() {
    if !has_packages() {
        println!("SKIPPED python's confluent_kafka and duckdb are missing: see tests/run");
        return;
    }
    let broker = Broker::shared();
    let route = Route::to(&broker, "");
    route.click(300);
    route.wait_until_shipped(300);
    // Half of them twice.
    let (_, kept) = waypost(&route.node, &["journal", "cat", "--positions"]);
    let from = kept.lines().nth(150).unwrap().split_once('\t').unwrap().0;
    let (code, told) = waypost(&route.node, &["journal", "replay", "--from", from]);
    assert_eq!(code, 0, "{told}");
    assert_eq!(broker.values(&route.topic).len(), 450);

    let folder = tempfile::tempdir().unwrap();
    let consumer = folder.path().join("consumer.py");
    fs::write(&consumer, block("python")).unwrap();
    // The second time it goes on where it was, and finds nothing new.
    for _ in 0..2 {
        let mut python = Command::new("python3");
        python.arg(&consumer).args([&broker.plain(), &route.topic, "events.jsonl"]);
        succeed(python.current_dir(&folder));
        let read = fs::read_to_string(folder.path().join("events.jsonl")).unwrap();
        let lines: BTreeSet<_> = read.lines().collect();
        let expected: BTreeSet<_> = kept.lines().map(|of| of.split_once('\t').unwrap().1).collect();
        assert_eq!((lines.len(), read.lines().count()), (300, 300));
        assert_eq!(lines, expected);
    }
    let query = "import duckdb, json, sys; \
                 print(json.dumps(duckdb.sql(sys.stdin.read()).fetchall()))";
    let script = folder.path().join("query.sql");
    fs::write(&script, block("sql")).unwrap();
    let mut python = Command::new("python3");
    python.args(["-c", query]).stdin(fs::File::open(&script).unwrap()).current_dir(&folder);
    let told: Value = serde_json::from_str(&succeed(&mut python)).unwrap();
    assert_eq!(told, counted(kept.lines().map(|of| of.split_once('\t').unwrap().1)));
}

#[test]
fn the_topics_that_are_declared_are_those_that_are_made() {
    let declared = include_str!("../../deploy/topics.yaml");
    let config = Config::default();
    let documents: Vec<_> = declared.split("---\n").collect();
    let names = config.topics.names();
    assert_eq!(documents.len(), names.len());
    for (document, name) in documents.iter().zip(names) {
        for line in [
            format!("  name: {name}"),
            format!("  partitions: {}", config.partitions),
            format!("  replicas: {}", config.replicas),
            format!("    min.insync.replicas: \"{}\"", config.replicas - 1),
        ] {
            assert!(document.lines().any(|of| of == line), "{line}\n{document}");
        }
    }
}

/// The first block of code in a language.
fn block(language: &str) -> String {
    let docs = include_str!("../../docs/events.md");
    let (_, rest) = docs.split_once(&format!("```{language}\n")).unwrap();
    rest.split_once("```\n").unwrap().0.to_owned()
}

/// What the query is to find: for each campaign clicks, recipients, recipients and links.
fn counted<'a>(events: impl Iterator<Item = &'a str>) -> Value {
    type Found = (u64, BTreeSet<String>, BTreeSet<(Option<String>, Option<String>)>);
    let mut campaigns: BTreeMap<Option<String>, Found> = BTreeMap::new();
    for event in events {
        let event: Value = serde_json::from_str(event).unwrap();
        if event["type"] != "net.aksend.trk.click" {
            continue;
        }
        let text = |name: &str| event["data"][name].as_str().map(str::to_owned);
        let found = campaigns.entry(text("campaign")).or_default();
        found.0 += 1;
        found.1.extend(text("recipient"));
        found.2.insert((text("recipient"), text("link")));
    }
    // Where nothing is known DuckDB sorts last.
    let unknown = campaigns.remove(&None).map(|found| (None, found));
    let rows = campaigns.into_iter().chain(unknown);
    rows.map(|(campaign, (clicks, recipients, links))| {
        serde_json::json!([campaign, clicks, recipients.len(), links.len()])
    })
    .collect()
}

fn has_packages() -> bool {
    let mut python = Command::new("python3");
    python.args(["-c", "import confluent_kafka, duckdb"]);
    python.output().is_ok_and(|output| output.status.success())
}

fn succeed(command: &mut Command) -> String {
    let output = command.output().unwrap();
    let (out, errors) = (output.stdout, String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{errors}");
    String::from_utf8(out).unwrap()
}
