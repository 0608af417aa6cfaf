//! Events are what the schema says, whatever a client sends; and the schema sees what is not.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::net::IpAddr;
use std::path::Path;
use std::sync::LazyLock;

use jsonschema::Validator;
use proptest::prelude::*;
use serde_json::{Value, json};
use waypost::clock::Timestamp;
use waypost::disk::{Disk, SystemDisk};
use waypost::event::{
    AddressForm, AddressKey, Config, Encoder, Event, Ids, KEPT_HEADERS, Kind, Link,
};
use waypost::hostname::Hostname;

static SCHEMA: LazyLock<Validator> = LazyLock::new(|| {
    let disk: &dyn Disk = &SystemDisk;
    let text = disk.read(Path::new("config/event.schema.json"), 1 << 20).unwrap();
    jsonschema::validator_for(&serde_json::from_slice(&text).unwrap()).unwrap()
});

const HEADER: &[u8] = b"value \"quoted\" \\ \xff";

fn full(kind: Kind, host: &Hostname, config: Config) -> Value {
    let key = AddressKey::parse(b"0123456789abcdef").unwrap();
    let encoder = Encoder::new(config, Some(key), "node-1");
    let time = Timestamp::from_micros(1_790_000_000_000_007);
    let is_open = kind == Kind::Open;
    let event = Event {
        kind,
        id: Ids::new().next(time),
        time,
        host,
        link: Link {
            account: Some("a"),
            campaign: Some("c"),
            message: Some("m"),
            template: Some("t"),
            list: Some("l"),
            recipient: Some("r"),
            link: Some("k"),
            link_name: Some("n\n\u{7f}"),
            link_position: Some(u32::MAX),
            sent_at: Some(Timestamp::from_seconds(1)),
            meta: &[("one", "1"), ("two", "ü")],
            url: (!is_open).then_some("https://example.com/?a=b"),
        },
        method: if kind == Kind::Probe { "HEAD" } else { "GET" },
        scheme: "https",
        http: "h2",
        tls: Some(("1.3", false)),
        address: IpAddr::from([203, 0, 113, 7]),
        user_agent: Some(HEADER),
        referer: Some(HEADER),
        accept_language: Some(HEADER),
        headers: [Some(HEADER); KEPT_HEADERS.len()],
    };
    let mut out = Vec::new();
    encoder.encode(&event, &mut out);
    assert!(!out.contains(&b'\n'), "one event is one line");
    serde_json::from_slice(&out).unwrap()
}

fn refused(event: &Value) -> String {
    SCHEMA
        .iter_errors(event)
        .map(|error| format!("{error} at {}\n", error.instance_path()))
        .collect()
}

#[test]
fn every_kind_and_address_form_is_what_the_schema_says() {
    let host = Hostname::parse("trk.example.com").unwrap();
    for kind in [Kind::Click, Kind::Open, Kind::Probe] {
        for address in [AddressForm::Whole, AddressForm::Truncated, AddressForm::Hashed] {
            let event = full(kind, &host, Config { address, ..Config::default() });
            assert_eq!(refused(&event), "", "{event:#}");
            assert_eq!(event["type"], kind.name());
            assert_eq!(event["subject"], "m");
            assert_eq!(event["source"], "https://trk.example.com");
            assert_eq!(event["time"], "2026-09-21T14:13:20.000007Z");
            assert_eq!(event["data"]["user_agent"], "value \"quoted\" \\ \u{fffd}");
            assert_eq!(event["data"].get("cut"), None);
        }
    }
}

#[test]
fn what_is_too_long_is_cut_between_characters_and_marked() {
    let host = Hostname::parse("trk.example.com").unwrap();
    let config = Config { user_agent: 16, referer: 16, header: 20, meta: 16, ..Config::default() };
    let event = full(Kind::Click, &host, config);
    assert_eq!(event["data"]["user_agent"], "value \"quoted\" \\");
    assert_eq!(event["data"]["cut"], json!(["user_agent", "referer"]));
    assert_eq!(refused(&event), "");
}

#[test]
fn each_field_is_refused_when_it_is_removed_or_of_another_type() {
    let host = Hostname::parse("trk.example.com").unwrap();
    let event = full(Kind::Click, &host, Config::default());
    for name in ["specversion", "id", "type", "source", "time", "datacontenttype", "data"] {
        let mut without = event.clone();
        without.as_object_mut().unwrap().remove(name);
        assert_ne!(refused(&without), "", "without {name}");
    }
    for name in
        ["host", "method", "scheme", "http", "ip", "headers", "node", "url", "message", "resumed"]
    {
        let mut without = event.clone();
        without["data"].as_object_mut().unwrap().remove(name);
        assert_ne!(refused(&without), "", "without data.{name}");
    }
    let pointers = event.as_object().unwrap().keys().map(|name| format!("/{name}"));
    let data = event["data"].as_object().unwrap().keys().map(|name| format!("/data/{name}"));
    let headers = KEPT_HEADERS.map(|name| format!("/data/headers/{name}"));
    for pointer in pointers.chain(data).chain(headers) {
        for wrong in [json!(7.5), json!(null), json!([1]), json!("\u{1}odd")] {
            if wrong.is_string() && is_free_text(&pointer) {
                continue;
            }
            let mut retyped = event.clone();
            *retyped.pointer_mut(&pointer).unwrap() = wrong;
            assert_ne!(refused(&retyped), "", "{pointer} retyped");
        }
    }
    let mut more = event.clone();
    more["data"]["colour"] = json!("blue");
    assert_ne!(refused(&more), "", "a field that is not told is refused");
}

/// Fields that hold whatever a sender or a client wrote.
fn is_free_text(pointer: &str) -> bool {
    let name = pointer.rsplit('/').next().unwrap();
    let fixed = [
        "specversion",
        "id",
        "type",
        "source",
        "time",
        "datacontenttype",
        "data",
        "host",
        "method",
        "scheme",
        "http",
        "tls",
        "resumed",
        "ip",
        "ip_form",
        "headers",
        "sent_at",
        "url",
        "link_position",
        "meta",
        "cut",
    ];
    !fixed.contains(&name)
}

proptest! {
    #[test]
    fn no_client_and_no_sender_can_make_an_event_that_is_not_valid(
        text in any::<String>(), header in prop::collection::vec(any::<u8>(), 0..900),
        pairs in prop::collection::vec((".{1,40}", any::<String>()), 0..5),
        octets in any::<[u8; 16]>(), limit in 16usize..600,
    ) {
        let config = Config {
            user_agent: limit, referer: limit, header: limit, meta: limit, ..Config::default()
        };
        let host = Hostname::parse("h.example").unwrap();
        let time = Timestamp::from_seconds(1);
        let meta: Vec<_> = pairs.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
        let link = Link {
            message: Some(&text), link_name: Some(&text), meta: &meta,
            url: Some("http://e.com/"), ..Link::default()
        };
        let header = Some(header.as_slice());
        let event = Event {
            kind: Kind::Click, id: Ids::new().next(time), time, host: &host, link,
            method: "GET", scheme: "http", http: "h1", tls: None, address: IpAddr::from(octets),
            user_agent: header, referer: header, accept_language: header,
            headers: [header; KEPT_HEADERS.len()],
        };
        let mut out = Vec::new();
        Encoder::new(config, None, "n").encode(&event, &mut out);
        let read: Value = serde_json::from_slice(&out).unwrap();
        prop_assert_eq!(refused(&read), "");
        let message = if text.is_empty() { Value::Null } else { json!(text) };
        prop_assert_eq!((&read["data"]["message"], &read["subject"]), (&message, &message));
        prop_assert!(read["data"]["user_agent"].as_str().unwrap().len() <= limit);
    }
}
