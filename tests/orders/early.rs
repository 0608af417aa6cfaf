//! A customer who was a minute too early, over HTTPS: a resolver remembers for an hour that the name
//! is not there, and nobody waits for that.

use std::time::Instant;

use waypost::dns::{Answer, Kind};

use crate::customers::eventually;
use crate::house::{House, Plan, zones};
use crate::node::Protocol;
use crate::unbound::Unbound;

#[test]
fn who_was_a_minute_too_early_is_served_over_https_as_soon_as_it_is_right() {
    let dns = zones();
    dns.zone("test", 3_600);
    let Some(unbound) = Unbound::start(&dns) else { return };
    // What is a minute by default is a second here.
    let domains = "poll_first = \"1s\"\nrefusal_first = \"1s\"";
    let resolver = unbound.address;
    let house = House::behind(dns, resolver, &Plan { domains, ..Plan::default() });
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let client = house.client();
    let visit = |name: &str| {
        runtime.block_on(async {
            let https = house.node().https();
            let mut session = client.connect(https, name, Protocol::Http1).await.ok()?;
            Some(session.get(name, "/").await.unwrap().status)
        })
    };
    let (visited, added, checked) =
        ("visited.example.test", "added.example.test", "checked.example.test");
    house.customers.add(added);
    house.customers.add(checked);
    for name in [visited, added, checked] {
        assert_eq!(visit(name), None, "it is not there yet");
        assert_eq!(unbound.ask(name, Kind::Cname), Some(Answer::NoName));
        house.publish(name);
    }
    let begun = Instant::now();
    let (code, report) = house.customers.check(checked);
    assert_eq!(code, 0, "{report:#}");
    assert_eq!(visit(checked).unwrap(), 200, "\"check again\" clears what was remembered");
    println!("served {:?} after it was mended and checked", begun.elapsed());
    eventually("the visitor comes again", || visit(visited).filter(|status| *status == 200));
    println!("served {:?} after it was mended, by a visit", begun.elapsed());
    house.customers.becomes(added, "certificate");
    house.pebble.door().passed();
    assert_eq!(visit(added).unwrap(), 200);
    assert!(house.pebble.door().passed().is_empty(), "before anybody visited");
    for name in [visited, added, checked] {
        assert_eq!(unbound.ask(name, Kind::Cname), Some(Answer::NoName), "it still does not know");
    }
}
