//! Keys of `[kafka]` whose effect is seen only in what goes over the wire.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::kafka::{Broker, PASSWORD, USER};
use crate::route::{Route, Topics};

#[test]
fn batches_are_as_large_and_as_packed_as_the_keys_say() {
    let broker = Broker::shared();
    let sent = |settings: &str| {
        let topics = Topics::new();
        for topic in topics.names() {
            broker.create_topic(&topic, 1, &[]);
        }
        let brokers = format!("brokers = [\"{}\"]\nlinger = \"500ms\"", broker.plain());
        let settings = format!("{brokers}\npartitions = 1\n{settings}");
        let route = Route::start(&topics, &settings, "");
        route.click(200);
        route.wait_until_shipped(200);
        batches(&broker.folder().join("data").join(format!("{}-0", route.topic)))
    };
    let small = sent("batch = \"16KiB\"\ncompression = \"none\"");
    assert!(small.iter().all(|batch| batch.codec == 0), "{small:?}");
    assert!(small.iter().all(|batch| batch.length <= 17 << 10), "{small:?}");
    let large = sent("compression = \"none\"");
    assert!(large.iter().any(|batch| batch.length > 17 << 10), "{large:?}");
    for (name, codec) in [("lz4", 3), ("zstd", 4)] {
        let batches = sent(&format!("compression = \"{name}\""));
        assert!(batches.iter().all(|batch| batch.codec == codec), "{name} {batches:?}");
    }
}

#[test]
fn no_more_waits_for_a_verdict_than_the_window_holds() {
    let topics = Topics::new();
    // Nobody is there, so that all that is sent waits.
    let route = Route::start(&topics, "brokers = [\"127.0.0.1:1\"]\nwindow = \"1MiB\"", "");
    route.click(4_000);
    route.wait_for("waypost_kafka_head", |head| head >= 4_000.0);
    route.wait_for("waypost_kafka_in_flight", |waiting| waiting > 500.0);
    let most = (0..50).map(|_| route.metric("waypost_kafka_in_flight")).fold(0.0, f64::max);
    assert!(most < 3_000.0, "{most}");
}

#[test]
fn a_password_may_come_from_the_environment() {
    let broker = Broker::shared();
    let folder = tempfile::tempdir().unwrap();
    let configuration = folder.path().join("waypost.toml");
    let topics = Topics::new();
    for topic in topics.names() {
        broker.create_topic(&topic, 1, &[]);
    }
    let settings = format!(
        "[kafka]\nbrokers = [\"{}\"]\nsecurity = \"tls\"\nca = {:?}\nsasl = \"scram-sha-256\"\n\
         username = \"{USER}\"\npassword_variable = \"THE_SECRET\"\npartitions = 1\n\
         replicas = 1\n{}\n",
        broker.secure(),
        broker.ca(),
        topics.lines(),
    );
    fs::write(&configuration, settings).unwrap();
    let check = |secret: Option<&str>| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_waypost"));
        command.args(["topics", "check", "--config"]).arg(&configuration).env_remove("THE_SECRET");
        let output = command.envs(secret.map(|secret| ("THE_SECRET", secret))).output().unwrap();
        let told = [output.stdout, output.stderr].concat();
        (output.status.code(), String::from_utf8(told).unwrap())
    };
    let (code, told) = check(Some(PASSWORD));
    assert_eq!(code, Some(0), "{told}");
    let (code, told) = check(Some("guess"));
    assert!(code != Some(0) && !told.contains("guess"), "{told}");
    let (code, told) = check(None);
    assert!(
        code != Some(0)
            && told.contains("kafka.password_variable = \"THE_SECRET\": the environment"),
        "{told}"
    );
}

#[derive(Debug)]
struct Batch {
    length: usize,
    codec: u8,
}

/// The batches in a partition's folder, by the format of Kafka's log.
fn batches(folder: &Path) -> Vec<Batch> {
    let log = fs::read(folder.join("00000000000000000000.log")).unwrap();
    let mut rest = &log[..];
    let mut batches = Vec::new();
    while !rest.is_empty() {
        let length = u32::from_be_bytes(rest[8..12].try_into().unwrap()) as usize;
        batches.push(Batch { length, codec: rest[22] & 7 });
        rest = &rest[12 + length..];
    }
    assert!(!batches.is_empty());
    batches
}
