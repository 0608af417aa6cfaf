//! A customer who looked a minute too early, with Debian's unbound between us and the zones: it
//! remembers "no such name" for an hour, and the customer does not wait for that.

#![allow(clippy::disallowed_methods, reason = "a test starts processes and reads clocks")]
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod customers;
mod dns;
mod node;
mod unbound;

use std::time::Instant;

use customers::{Customers, TARGET, dns, eventually};
use dns::cname;
use unbound::Unbound;
use waypost::dns::{Answer, Kind};

#[test]
fn who_looked_too_early_is_let_in_within_a_poll_and_at_once_after_a_check() {
    let dns = dns();
    dns.zone("test", 3_600);
    let Some(unbound) = Unbound::start(&dns) else { return };
    // What is a minute by default is a second here.
    let polls = "poll_first = \"1s\"\nrefusal_first = \"1s\"\nquestions_per_domain = 1000\n";
    let customers = Customers::behind(dns, unbound.address, ("cname", polls, ""), &[]);
    let (polled, checked, visited) =
        ("polled.example.test", "checked.example.test", "visited.example.test");
    for name in [polled, checked] {
        customers.add(name);
        customers.becomes(name, "no_name");
    }
    drop(customers.visit(visited));
    let refused = "waypost_domain_visits_total{result=\"not_pointed\"}";
    eventually("a visit too early is refused", || (customers.metric(refused) > 0).then_some(()));
    for name in [polled, checked, visited] {
        assert_eq!(unbound.ask(name, Kind::Cname), Some(Answer::NoName));
    }
    // The customers mend it. The resolver will not know for an hour.
    for name in [polled, visited] {
        customers.dns.add(name, cname(TARGET));
    }
    let begun = Instant::now();
    customers.becomes(polled, "cname");
    println!("let in {:?} after it was mended, at one look a second", begun.elapsed());
    assert_eq!(unbound.ask(polled, Kind::Cname), Some(Answer::NoName), "it still does not know");
    eventually("the visitor comes again and is let in", || {
        drop(customers.visit(visited));
        customers.has(visited).then_some(())
    });
    customers.dns.add(checked, cname(TARGET));
    let begun = Instant::now();
    let (code, report) = customers.check(checked);
    println!("let in by a check in {:?}", begun.elapsed());
    assert_eq!((code, &report["state"]), (0, &"pointed".into()), "{report:#}");
}
