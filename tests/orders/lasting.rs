//! What stands in an order's way for a while: the order outlasts it, with nobody looking.

use crate::ca::Manner;
use crate::customers::{TARGET, eventually};
use crate::dns::{Fault, cname};
use crate::house::CruelHouse;
use crate::renewal::{AHEAD, ahead};

const NAME: &str = "a.example.test";

#[test]
fn an_order_outlasts_a_dns_that_is_silent_or_denies_for_a_while() {
    for is_silent in [true, false] {
        let house = CruelHouse::run_by(AHEAD, "", 1, "");
        let (customers, ca) = (&house.customers, &house.authorities[0]);
        ca.behave(Manner::Rejects);
        customers.dns.add(NAME, cname(TARGET));
        customers.add(NAME);
        house.comes_to(NAME, "challenge");
        ca.behave(Manner::Fair);
        if is_silent {
            customers.dns.fault(NAME, Fault::ServFail);
        } else {
            customers.dns.remove(NAME);
        }
        ahead(&customers.node, 1);
        eventually("the order has met that", || {
            let shown = customers.show(NAME);
            let met = if is_silent { &shown["trouble"] } else { &shown["absent_since"] };
            (!met.is_null()).then_some(())
        });
        // Taken up once more: it is not only the poll that has met it.
        eventually("the order waits", || {
            (customers.metric("waypost_acme_orders_kept{state=\"waiting\"}") == 1).then_some(())
        });
        if is_silent {
            customers.dns.heal();
        } else {
            customers.dns.add(NAME, cname(TARGET));
        }
        ahead(&customers.node, 3);
        eventually("it is certified without a visit", || house.is_served(NAME, 0).then_some(()));
    }
}

#[test]
fn an_authority_that_has_forgotten_our_account_gets_another_one_and_goes_on() {
    let house = CruelHouse::run_by(AHEAD, "", 1, "patience = \"2s\"");
    let (customers, ca) = (&house.customers, &house.authorities[0]);
    certify(&house, NAME);
    let serial = || customers.show(NAME)["certificate"]["serial"].clone();
    ca.forget_all();
    ahead(&customers.node, 2);
    let other = "b.example.test";
    house.visit(other);
    let shown = house.comes_to(other, "account");
    assert_eq!(shown["reason"], "ca_account");
    ahead(&customers.node, 4);
    eventually("another account certifies", || house.is_served(other, 0).then_some(()));
    // What the old account had certified is renewed by the new one.
    for (manner, years) in [(Manner::Disowns, 41), (Manner::Stumbles, 42)] {
        let before = serial();
        ca.behave(manner);
        ahead(&customers.node, years * 365 * 24);
        eventually("it is renewed", || (serial() != before).then_some(()));
    }
    assert!(house.is_served(NAME, 0));
}

#[test]
fn a_clock_that_runs_ahead_of_all_certificates_takes_no_name_away() {
    let house = CruelHouse::run_by(AHEAD, "", 1, "timeout = \"300ms\"");
    let node = &house.customers.node;
    certify(&house, NAME);
    // Their validity ends in 2090.
    ahead(node, 100 * 365 * 24);
    house.authorities[0].behave(Manner::Silent);
    for _ in 0..3 {
        assert!(house.is_served(NAME, 0), "whether it has expired is for the client to say");
    }
    house.visit("other.example.test");
    ahead(node, 1);
    assert!(house.is_served(NAME, 0));
}

fn certify(house: &CruelHouse, name: &str) {
    house.customers.dns.add(name, cname(TARGET));
    house.customers.add(name);
    house.customers.becomes(name, "certificate");
}
