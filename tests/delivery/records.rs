//! What a record is made of, and where it lies.

use std::collections::BTreeMap;

use crate::kafka::Broker;
use crate::node::{Click, Kind, Protocol, Random};
use crate::route::{HOST, Route};
use serde_json::Value;

#[test]
fn kafkas_own_consumer_reads_key_headers_time_and_the_event() {
    let broker = Broker::shared();
    let route = Route::to(&broker, "");
    let mut random = Random::from_environment();
    let kinds = [Kind::Click, Kind::Open, Kind::Probe];
    let mut clicks = Vec::new();
    for (serial, kind) in kinds.into_iter().enumerate() {
        let mut click = Click::random(&mut random, serial, HOST, Protocol::Http1);
        click.kind = kind;
        clicks.push((route.node.mint().token(&click), click));
    }
    send(&route, &clicks);
    let consumed = broker.console(&route.topic, clicks.len());
    let recorded = route.node.events();
    for (_, click) in &clicks {
        let key = &click.link.message;
        let record = consumed.iter().find(|record| record.key == *key).unwrap();
        let event: Value = serde_json::from_str(&record.value).unwrap();
        let (id, kind) = (event["id"].as_str().unwrap(), event["type"].as_str().unwrap());
        assert_eq!(
            record.headers,
            format!(
                "ce_type:{kind},ce_id:{id},content-type:application/cloudevents+json; charset=UTF-8"
            )
        );
        let time: jiff::Timestamp = event["time"].as_str().unwrap().parse().unwrap();
        assert_eq!(record.time, format!("CreateTime:{}", time.as_millisecond()));
        assert!(recorded.lines().any(|line| line == record.value), "{record:?}\n{recorded}");
    }
}

#[test]
fn a_link_without_a_message_makes_a_record_without_a_key() {
    let broker = Broker::shared();
    let route = Route::to(&broker, "");
    let token = route.node.mint().token_without_message(HOST, "https://example.com/");
    let click = Click::random(&mut Random::new(1), 0, HOST, Protocol::Http1);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let client = route.node.client();
        let mut session = client.connect(route.node.https(), HOST, Protocol::Http1).await.unwrap();
        assert_eq!(session.click(&click, &token).await.unwrap().status, 302);
    });
    route.wait_until_shipped(1);
    let records = broker.records(&route.topic);
    assert_eq!(records.len(), 1);
    assert_eq!(records[0].key, None);
}

#[test]
fn one_messages_events_lie_in_one_partition_in_order_where_java_would_put_them() {
    let broker = Broker::shared();
    let route = Route::to(&broker, "linger = \"0ms\"");
    let mut random = Random::from_environment();
    let mut clicks = Vec::new();
    for serial in 0..20 {
        let click = Click::random(&mut random, serial, HOST, Protocol::Http1);
        clicks.push((route.node.mint().token(&click), click));
    }
    for _ in 0..15 {
        send(&route, &clicks);
    }
    let mut of_message: BTreeMap<Vec<u8>, Vec<(i32, String)>> = BTreeMap::new();
    for record in broker.records(&route.topic) {
        let event: Value = serde_json::from_str(&record.value).unwrap();
        let time = event["time"].as_str().unwrap().to_owned();
        of_message.entry(record.key.unwrap()).or_default().push((record.partition, time));
    }
    assert_eq!(of_message.len(), 20);
    for (key, events) in &of_message {
        assert_eq!(events.len(), 15);
        let expected = (murmur2(key) & 0x7fff_ffff) % 3;
        assert!(events.iter().all(|(partition, _)| *partition == expected), "{key:?} {events:?}");
        assert!(events.is_sorted_by_key(|(_, time)| time), "{events:?}");
    }
}

/// Sends each click once, one after the other, and waits until all are shipped.
fn send(route: &Route, clicks: &[(String, Click)]) {
    let before = route.metric("waypost_kafka_head") as usize;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let client = route.node.client();
        let mut session = client.connect(route.node.https(), HOST, Protocol::Http1).await.unwrap();
        for (token, click) in clicks {
            assert!(session.click(click, token).await.unwrap().is_right(click));
        }
    });
    route.wait_until_shipped(before + clicks.len());
}

/// The hash by which Kafka's Java client picks a partition, from its description.
fn murmur2(data: &[u8]) -> i32 {
    const M: u32 = 0x5bd1_e995;
    let mut hash = 0x9747_b28c ^ data.len() as u32;
    let mut chunks = data.chunks_exact(4);
    for chunk in &mut chunks {
        let mut k = u32::from_le_bytes(chunk.try_into().unwrap()).wrapping_mul(M);
        k ^= k >> 24;
        hash = hash.wrapping_mul(M) ^ k.wrapping_mul(M);
    }
    let rest = chunks.remainder();
    for (at, byte) in rest.iter().enumerate().rev() {
        hash ^= u32::from(*byte) << (8 * at);
    }
    if !rest.is_empty() {
        hash = hash.wrapping_mul(M);
    }
    hash ^= hash >> 13;
    hash = hash.wrapping_mul(M);
    (hash ^ (hash >> 15)).cast_signed()
}
