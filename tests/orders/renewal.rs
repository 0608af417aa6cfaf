//! A certificate that grows old is replaced whether or not anybody visits.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use waypost::clock::{Clock, SystemClock, Timestamp};
use waypost::disk::SystemDisk;
use waypost::server::World;

use crate::ca::{Leaf, Manner};
use crate::customers::eventually;
use crate::house::{CruelHouse, House, Plan};
use crate::node::{Node, Program, Protocol, Setup, serve_in};

/// A clock whose wall time is as many hours ahead as a file says.
#[derive(Debug)]
struct Ahead(PathBuf);

impl Clock for Ahead {
    fn now(&self) -> Instant {
        SystemClock.now()
    }

    fn wall(&self) -> Timestamp {
        let hours = fs::read_to_string(&self.0).unwrap_or_default();
        let hours: u64 = hours.trim().parse().unwrap_or_default();
        SystemClock.wall().plus(Duration::from_secs(hours * 3_600))
    }
}

#[test]
#[ignore = "the process of the other tests"]
fn node_ahead() {
    let configuration = Setup::configuration();
    let clock = Arc::new(Ahead(configuration.with_file_name("hours")));
    serve_in(World { disk: Arc::new(SystemDisk), clock }, &configuration);
}

#[test]
fn a_certificate_is_renewed_unvisited_and_the_old_one_serves_meanwhile() {
    let house = CruelHouse::run_by(AHEAD, "", 1, "");
    let (name, ca) = ("a.example.test", &house.authorities[0]);
    house.customers.dns.add(name, crate::dns::cname(crate::customers::TARGET));
    eventually("it is served", || house.is_served(name, 0).then_some(()));
    house.customers.becomes(name, "certificate");
    let serial = || house.customers.show(name)["certificate"]["serial"].clone();
    let first = serial();
    ca.asked();
    // The certificate lives from 2020 to 2090: a third of that is left in 2066.
    ca.behave(Manner::Rejects);
    let years = |years: u64| ahead(&house.customers.node, years * 365 * 24);
    years(41);
    let shown = house.comes_to(name, "challenge");
    assert_eq!(shown["state"], "active", "it is served still: {shown:#}");
    assert_eq!(serial(), first);
    assert!(house.is_served(name, 0));
    // Nothing wrong takes its place either.
    let mut last = serde_json::Value::Null;
    for (at, leaf) in Leaf::WRONG.into_iter().enumerate() {
        ca.behave(Manner::Signs(leaf));
        ahead(&house.customers.node, 41 * 365 * 24 + 48 * (at as u64 + 1));
        let shown = eventually("it was ordered again", || {
            let shown = house.customers.show(name);
            let order = shown["orders"].as_array().unwrap().last().unwrap();
            (order["time"] != last && order["outcome"] == "unusable").then_some(shown)
        });
        last = shown["orders"].as_array().unwrap().last().unwrap()["time"].clone();
        assert_eq!((&shown["state"], serial()), (&"active".into(), first.clone()), "{leaf:?}");
        assert!(house.is_served(name, 0), "{leaf:?}");
    }
    ca.behave(Manner::Fair);
    // A day later, or more.
    years(42);
    eventually("it is another one", || (serial() != first).then_some(()));
    let told = house.customers.show(name);
    assert_eq!(
        (&told["state"], &told["orders"][7]["outcome"]),
        (&"active".into(), &"issued".into())
    );
    assert!(house.is_served(name, 0));
}

#[test]
fn what_a_real_authority_says_of_a_renewal_moves_it_and_nonsense_does_not() {
    let house = House::new(&Plan { program: AHEAD, ..Plan::default() });
    let name = "a.example.test";
    house.publish(name);
    house.customers.add(name);
    house.customers.becomes(name, "certificate");
    let serial = || house.customers.show(name)["certificate"]["serial"].clone();
    let first = serial();
    let certificate = leaf(&house, name);
    let answered = |answer: &str| {
        let line = format!("{{issuer=\"pebble\",answer=\"{answer}\"}}");
        house.customers.metric(&format!("waypost_acme_renewal_questions_total{line}"))
    };
    house.pebble.set_renewal(&certificate, "{\"suggestedWindow\":{\"start\":\"soon\"}}");
    ahead(house.node(), 7);
    eventually("it is asked", || (answered("malformed") == 1).then_some(()));
    assert_eq!(serial(), first, "nonsense renews nothing");
    let window =
        r#"{"suggestedWindow":{"start":"2020-01-01T00:00:00Z","end":"2020-01-02T00:00:00Z"}}"#;
    house.pebble.set_renewal(&certificate, window);
    house.pebble.door().passed();
    ahead(house.node(), 15);
    eventually("it is another one", || (serial() != first).then_some(()));
    assert_eq!(answered("window"), 1);
    let passed = house.pebble.door().passed();
    let order = passed.iter().find(|passed| passed.path == "/order-plz").unwrap();
    assert!(order.body.contains("\"replaces\""), "{}", order.body);
    assert_ne!(leaf(&house, name), certificate, "and it is served");
    // The next one has a suggestion of its own.
    ahead(house.node(), 22);
    eventually("it is asked about too", || (answered("window") == 2).then_some(()));
    assert!(house.pebble.door().passed().iter().all(|passed| passed.path != "/order-plz"));
}

/// The certificate that is served for a name, in PEM.
fn leaf(house: &House, name: &str) -> String {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let (client, https) = (house.client(), house.node().https());
    let stream = runtime.block_on(client.tls_told(https, name, Protocol::Http1)).unwrap().0;
    let leaf = stream.get_ref().1.peer_certificates().unwrap()[0].to_vec();
    let lines = BASE64_STANDARD.encode(leaf);
    let lines: Vec<_> = lines.as_bytes().chunks(64).map(String::from_utf8_lossy).collect();
    format!("-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n", lines.join("\n"))
}

/// Sets the clock of a node ahead.
pub(crate) fn ahead(node: &Node, hours: u64) {
    fs::write(node.configuration().with_file_name("hours"), hours.to_string()).unwrap();
}

pub(crate) const AHEAD: Program = Program::Own("renewal::node_ahead");
