//! Keys of `[acme]` whose effect is seen nowhere else.

use std::time::{Duration, Instant};

use waypost::clock::{Clock, SystemClock, Timestamp};

use crate::ca::{Leaf, Manner};
use crate::customers::{TARGET, eventually};
use crate::dns::{caa, cname};
use crate::house::{CruelHouse, House, Plan};
use crate::node::Program;

#[test]
fn as_many_orders_are_worked_on_as_acme_orders_says() {
    let house = CruelHouse::run_by(Program::Product, "orders = 2", 1, "patience = \"3s\"");
    let ca = &house.authorities[0];
    asked_for(&house, "/account");
    ca.behave(Manner::Dawdles);
    for number in 0..5 {
        house.customers.dns.add(&format!("n{number}.example.test"), cname(TARGET));
        house.customers.add(&format!("n{number}.example.test"));
    }
    let visits = (0..5).map(|number| {
        let (client, https) = (house.customers.node.client(), house.customers.node.https());
        let name = format!("n{number}.example.test");
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.unwrap().block_on(client.tls(https, &name, &[])).err()
        })
    });
    let visits: Vec<_> = visits.collect();
    let in_progress = || house.customers.metric("waypost_acme_orders_in_progress");
    eventually("two are worked on", || (in_progress() == 2).then_some(()));
    let begun = Instant::now();
    let mut placed = 0;
    while begun.elapsed() < Duration::from_secs(1) {
        assert!(in_progress() <= 2);
        placed += ca.asked().iter().filter(|(_, path)| path == "/order").count();
    }
    assert!(placed <= 2, "{placed} orders were placed while two places are taken");
    drop(house);
    visits.into_iter().for_each(|visit| drop(visit.join()));
}

#[test]
fn an_authority_is_known_to_caa_records_by_its_key() {
    let house = CruelHouse::new(1, "");
    let name = "a.example.test";
    house.customers.dns.add(name, cname(TARGET));
    house.customers.dns.add("example.test", caa(0, "issue", "ca.test"));
    house.customers.dns.add(TARGET, caa(0, "issue", "ca.test"));
    house.customers.add(name);
    house.customers.becomes(name, "certificate");
}

#[test]
fn the_profile_that_is_configured_is_ordered() {
    let issuer = "poll_first = \"4ms\"\nprofile = \"short\"";
    let house = House::new(&Plan { issuer, ..Plan::default() });
    for number in 0..4 {
        let name = format!("n{number}.example.test");
        house.publish(&name);
        house.customers.add(&name);
        house.customers.becomes(&name, "certificate");
        let shown = house.customers.show(&name);
        let end: Timestamp = shown["certificate"]["not_after"].as_str().unwrap().parse().unwrap();
        let left = SystemClock.wall().until(end);
        assert!(left < Duration::from_secs(7 * 86_400), "without a profile it is any: {left:?}");
    }
}

#[test]
fn a_name_has_as_many_certificates_in_a_week_as_its_key_says() {
    let house = CruelHouse::new(1, "per_name = 1");
    let name = "a.example.test";
    // What may not be served was issued all the same.
    house.authorities[0].behave(Manner::Signs(Leaf::OtherKey));
    house.visit(name);
    house.comes_to(name, "unusable");
    house.authorities[0].behave(Manner::Fair);
    house.authorities[0].asked();
    house.customers.check(name);
    let shown = house.comes_to(name, "budget");
    let told = shown["orders"].as_array().unwrap().last().unwrap()["detail"].to_string();
    assert!(told.contains("certificates of it in a week"), "{told}");
    assert!(house.authorities[0].asked().iter().all(|(_, path)| path != "/order"));
}

#[test]
fn an_order_is_asked_about_as_often_as_its_keys_say() {
    let mut polls = Vec::new();
    for longest in ["20ms", "400ms"] {
        let more = format!("patience = \"1200ms\"\npoll_longest = \"{longest}\"");
        let house = CruelHouse::new(1, &more);
        asked_for(&house, "/account");
        house.authorities[0].behave(Manner::Processes);
        house.visit("a.example.test");
        house.comes_to("a.example.test", "timed_out");
        let asked = house.authorities[0].asked();
        let of_order = |path: &str| path.starts_with("/order/") || path.starts_with("/certificate");
        polls.push(asked.iter().filter(|(_, path)| of_order(path)).count());
    }
    assert!(polls[0] > 3 * polls[1], "poll_longest: {polls:?}");
    let house = CruelHouse::new(1, "poll_first = \"500ms\"");
    house.customers.dns.add("a.example.test", cname(TARGET));
    house.customers.add("a.example.test");
    house.customers.becomes("a.example.test", "certificate");
    let asked = house.authorities[0].asked();
    let at = |start: &str| asked.iter().find(|(_, path)| path.starts_with(start)).unwrap().0;
    let waited = at("/order/").saturating_duration_since(at("/challenge/"));
    assert!(waited >= Duration::from_millis(450), "poll_first: {waited:?}");
}

fn asked_for(house: &CruelHouse, what: &str) {
    eventually(what, || {
        house.authorities[0].asked().iter().any(|(_, path)| path == what).then_some(())
    });
}
