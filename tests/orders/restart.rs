//! A node that is killed while it orders: it goes on with the order, or makes one more.

use std::io::Write;
use std::net::TcpStream;
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::ca::Side;
use crate::customers::eventually;
use crate::house::{House, Plan, orders};
use crate::node::{Client, Protocol, WAYPOST};

/// Where the node is killed, and how many orders the authority may see in all: one more only where
/// nothing of the first could be known, or it failed.
const STEPS: &[(&str, Side, usize)] = &[
    ("/order-plz", Side::Before, 1),
    ("/order-plz", Side::After, 2),
    ("/authZ/", Side::Before, 1),
    ("/authZ/", Side::After, 1),
    ("/chalZ/", Side::Before, 1),
    // The authority looks at once: a node that is down then has failed the challenge.
    ("/chalZ/", Side::After, 2),
    ("/my-order/", Side::Before, 1),
    ("/my-order/", Side::After, 1),
    ("/finalize-order/", Side::Before, 1),
    ("/finalize-order/", Side::After, 1),
    ("/certZ/", Side::Before, 1),
    ("/certZ/", Side::After, 1),
];

#[test]
fn a_node_that_is_killed_at_any_step_of_an_order_makes_at_most_one_more_and_leaves_none() {
    let mut house = House::new(&Plan::default());
    for (at, (path, side, most)) in STEPS.iter().enumerate() {
        let name = format!("n{at}.example.test");
        house.publish(&name);
        house.pebble.door().passed();
        let reached = house.pebble.door().hold(path, *side);
        let visitor = hello(&house, &name);
        let told = reached.recv_timeout(Duration::from_secs(20));
        assert!(told.is_ok(), "{path} {side:?} was never reached");
        house.customers.node.kill();
        drop(visitor);
        house.pebble.door().lose();
        house.customers.node.restart();
        let client = house.client();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        eventually(&format!("{name} is served after {path} {side:?}"), || {
            let connecting = client.connect(house.node().https(), &name, Protocol::Http1);
            runtime.block_on(connecting).ok().map(|_| ())
        });
        house.customers.becomes(&name, "certificate");
        let placed = orders(&house.pebble.door().passed()).get(&name).copied().unwrap_or(0);
        println!("killed at {path} {side:?}: {placed} orders");
        assert!(placed <= *most, "{path} {side:?}: {placed} orders");
    }
    let kept = |state: &str| {
        house.customers.metric(&format!("waypost_acme_orders_kept{{state=\"{state}\"}}"))
    };
    eventually("no order is left", || {
        (kept("queued") + kept("in_progress") + kept("waiting") == 0).then_some(())
    });
}

#[test]
fn an_order_that_nobody_visits_for_goes_on_after_a_restart_by_itself() {
    let issuer = "poll_first = \"4ms\"\npatience = \"1s\"";
    let mut house = House::new(&Plan { issuer, ..Plan::default() });
    let name = "listed.example.test";
    house.publish(name);
    let reached = house.pebble.door().hold("/finalize-order/", Side::Before);
    house.customers.add(name);
    reached.recv_timeout(Duration::from_secs(20)).unwrap();
    house.customers.node.kill();
    house.pebble.door().lose();
    house.customers.node.restart();
    // The authority may look at any time, though nobody has taken the order up yet.
    let asked = |name: &str| {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let mut session = Client::connect_plain(house.node().http()).await.unwrap();
            let path = "/.well-known/acme-challenge/abcdefghijklmnop";
            session.get(name, path).await.unwrap().status.as_u16()
        })
    };
    eventually("it answers", || (asked(name) == 200).then_some(()));
    assert_eq!(asked("other.example.test"), 404);
    let (code, ..) = house.node().command(&["domain", "check", name]);
    assert_eq!(code, 0);
    house.customers.becomes(name, "certificate");
    assert_eq!(orders(&house.pebble.door().passed()).get(name), Some(&1));
}

/// Begins a handshake for a name and reads nothing of it.
fn hello(house: &House, name: &str) -> TcpStream {
    let stream = TcpStream::connect(house.node().https()).unwrap();
    let config = rustls::ClientConfig::builder_with_provider(std::sync::Arc::new(
        rustls::crypto::aws_lc_rs::default_provider(),
    ))
    .with_safe_default_protocol_versions()
    .unwrap()
    .with_root_certificates(rustls::RootCertStore::empty())
    .with_no_client_auth();
    let server = rustls::pki_types::ServerName::try_from(name.to_owned()).unwrap();
    let mut client = rustls::ClientConnection::new(std::sync::Arc::new(config), server).unwrap();
    let mut bytes = Vec::new();
    client.write_tls(&mut bytes).unwrap();
    (&stream).write_all(&bytes).unwrap();
    stream
}

#[test]
fn what_was_certified_is_served_after_a_restart_and_from_an_export_without_an_order() {
    let mut house = House::new(&Plan::default());
    let names: Vec<_> = (0..5).map(|number| format!("n{number}.example.test")).collect();
    let client = house.client();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let serves_all = |house: &House| {
        for name in &names {
            let connecting = client.connect(house.node().https(), name, Protocol::Http1);
            runtime.block_on(connecting).unwrap_or_else(|error| panic!("{name}: {error}"));
        }
    };
    names.iter().for_each(|name| house.publish(name));
    serves_all(&house);
    for name in &names {
        house.customers.becomes(name, "certificate");
    }
    house.pebble.door().passed();
    house.customers.node.kill();
    house.customers.node.restart();
    serves_all(&house);
    assert_eq!(orders(&house.pebble.door().passed()).len(), 0, "after a restart");
    house.customers.node.terminate();
    let data = house.node().data();
    let command = |what: &str, input: &[u8]| {
        let mut child = Command::new(WAYPOST)
            .args(["store", what, "--config"])
            .arg(house.node().configuration())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(input).unwrap();
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "{what}");
        output.stdout
    };
    let exported = command("export", &[]);
    std::fs::remove_file(data.join("store.redb")).unwrap();
    command("import", &exported);
    house.customers.node.restart();
    serves_all(&house);
    assert_eq!(orders(&house.pebble.door().passed()).len(), 0, "from an export");
}
