//! Authorities that misbehave: nothing wrong is ever served, each is told in its own words, and
//! nobody is hammered.

use crate::ca::{Leaf, Manner};
use crate::customers::{TARGET, eventually};
use crate::dns::cname;
use crate::house::CruelHouse;

#[test]
fn no_wrong_certificate_is_ever_served_and_the_next_right_one_is() {
    let house = CruelHouse::new(1, "");
    for (at, leaf) in Leaf::WRONG.into_iter().enumerate() {
        let name = format!("n{at}.example.test");
        house.authorities[0].behave(Manner::Signs(leaf));
        house.visit(&name);
        let shown = house.comes_to(&name, "unusable");
        let told = [&shown["state"], &shown["reason"], &shown["who"]];
        assert_eq!(told, ["failing", "unusable", "ca"], "{leaf:?}: {shown:#}");
        assert!(house.serves_nothing(&name), "{leaf:?}");
        house.authorities[0].asked();
        // A customer who asks for another look gets another order.
        house.authorities[0].behave(Manner::Fair);
        house.customers.check(&name);
        eventually("the right one is served", || house.is_served(&name, 0).then_some(()));
        let shown = house.comes_to(&name, "issued");
        assert_eq!(shown["state"], "active", "{leaf:?}: {shown:#}");
        let outcomes: Vec<_> =
            shown["orders"].as_array().unwrap().iter().map(|order| &order["outcome"]).collect();
        assert_eq!(outcomes, ["unusable", "issued"], "{leaf:?}");
    }
}

/// How an authority misbehaves; what the order then comes to, the reason of the domain, and a
/// part of what is told.
const MANNERS: &[(Manner, &str, &str, &str)] = &[
    (
        Manner::Limits { seconds: 3_600, is_of_name: true },
        "limited",
        "ca_limits",
        "too many certificates already issued for a.example.test (rateLimited)",
    ),
    (Manner::Busy(3_600), "unavailable", "ca_unavailable", "503: come back later"),
    (Manner::BadGateway, "unavailable", "ca_unavailable", "502: no problem document (text/html"),
    (Manner::Silent, "unavailable", "ca_unavailable", "no answer in time"),
    (Manner::BadNonce, "malformed", "ca_unavailable", "not one of ours (badNonce)"),
    (Manner::Processes, "timed_out", "ca_unavailable", "not done in 1s"),
    (Manner::Dawdles, "timed_out", "ca_unavailable", "not done in 1s"),
    (Manner::Forgets, "vanished", "ca_unavailable", "there is no such order"),
    (Manner::OddTokens, "malformed", "ca_unavailable", "the token of the challenge is none"),
    (Manner::Rejects, "challenge", "challenge", "what was found was wrong (unauthorized)"),
    (Manner::UnknownAccount, "account", "ca_account", "who are you? (accountDoesNotExist)"),
    (Manner::Caa, "caa", "ca_caa", "prevents issuance (caa)"),
];

#[test]
fn every_misbehaviour_is_told_in_its_own_words_and_costs_few_requests() {
    for (manner, outcome, reason, words) in MANNERS {
        let house = CruelHouse::new(1, "timeout = \"300ms\"\npatience = \"1s\"");
        let ca = &house.authorities[0];
        // The account is made while the authority is itself.
        eventually("there is an account", || {
            ca.asked().iter().any(|(_, path)| path == "/account").then_some(())
        });
        ca.behave(*manner);
        let name = "a.example.test";
        house.visit(name);
        let shown = house.comes_to(name, outcome);
        assert_eq!(shown["reason"], *reason, "{manner:?}: {shown:#}");
        let told = shown["orders"][0]["detail"].as_str().unwrap();
        assert!(told.contains(words), "{manner:?}: {told}");
        assert!(house.serves_nothing(name), "{manner:?}");
        let count = ca.asked().len();
        println!("{manner:?}: {count} requests, then {told}");
        assert!(count <= MOST, "{manner:?}: {count} requests");
        // Nobody who visits again makes it ask again.
        for _ in 0..5 {
            house.customers.visit(name).unwrap_err();
        }
        let (_, sheet, _) = house.customers.node.command(&["domain", "show", name]);
        assert!(sheet.contains(words) && sheet.contains("who acts"), "{sheet}");
        assert_eq!(ca.asked(), [], "{manner:?}");
    }
}

#[test]
fn an_authority_that_wants_to_be_left_alone_is_left_alone_by_all_names_and_over_a_restart() {
    let mut house = CruelHouse::new(1, "");
    eventually("there is an account", || {
        let asked = house.authorities[0].asked();
        asked.iter().any(|(_, path)| path == "/account").then_some(())
    });
    house.authorities[0].behave(Manner::Limits { seconds: 3_600, is_of_name: false });
    house.visit("a.example.test");
    house.comes_to("a.example.test", "limited");
    house.authorities[0].asked();
    house.visit("b.example.test");
    house.comes_to("b.example.test", "limited");
    house.customers.node.kill();
    house.customers.node.restart();
    house.visit("c.example.test");
    house.comes_to("c.example.test", "limited");
    let orders = house.authorities[0].asked();
    assert!(orders.iter().all(|(_, path)| path != "/order"), "{orders:?}");
}

#[test]
fn an_order_that_was_finalized_before_is_fetched_all_the_same() {
    let house = CruelHouse::new(1, "");
    house.authorities[0].behave(Manner::FinalizedBefore);
    house.visit("a.example.test");
    eventually("it is served", || house.is_served("a.example.test", 0).then_some(()));
}

#[test]
fn the_next_authority_certifies_what_the_first_does_not() {
    for manner in [
        Manner::BadGateway,
        Manner::Limits { seconds: 3_600, is_of_name: false },
        Manner::Signs(Leaf::OtherKey),
        Manner::UnknownAccount,
        Manner::Caa,
    ] {
        let house = CruelHouse::new(2, "timeout = \"1s\"");
        house.authorities[0].behave(manner);
        house.visit("a.example.test");
        eventually("it is served", || house.is_served("a.example.test", 1).then_some(()));
        let shown = house.comes_to("a.example.test", "issued");
        assert_eq!(shown["certificate"]["issuer"], "ca1", "{manner:?}");
    }
}

#[test]
fn an_authority_that_has_forgotten_everything_is_told_who_we_are_again() {
    let house = CruelHouse::new(1, "patience = \"2s\"");
    house.visit("a.example.test");
    eventually("it is served", || house.is_served("a.example.test", 0).then_some(()));
    house.authorities[0].forget_all();
    house.visit("b.example.test");
    let shown = house.comes_to("b.example.test", "account");
    assert_eq!(shown["reason"], "ca_account");
    assert!(house.is_served("a.example.test", 0), "what is held is served");
}

/// Requests that an order makes at most that comes to nothing: nonces are tried again.
const MOST: usize = 40;

#[test]
fn no_more_is_ordered_than_the_budgets_allow_and_a_restart_forgets_none_of_it() {
    for (more, placed, words) in [
        ("orders = 5", 4, "orders in three hours"),
        ("per_domain = 2", 2, "certificates of its domain in a week"),
    ] {
        let mut house = CruelHouse::new(1, more);
        let name = |number: usize| format!("n{number}.example.test");
        for number in 0..placed {
            house.customers.dns.add(&name(number), cname(TARGET));
            eventually("it is served", || house.is_served(&name(number), 0).then_some(()));
            house.customers.becomes(&name(number), "certificate");
        }
        for number in placed..placed + 2 {
            house.authorities[0].asked();
            house.visit(&name(number));
            let shown = house.comes_to(&name(number), "budget");
            let told = [&shown["state"], &shown["reason"], &shown["who"]];
            assert_eq!(told, ["blocked", "budget", "platform"], "{shown:#}");
            assert!(shown["orders"][0]["detail"].as_str().unwrap().contains(words), "{shown:#}");
            let asked = house.authorities[0].asked();
            assert!(asked.iter().all(|(_, path)| path != "/order"), "{asked:?}");
            house.customers.node.kill();
            house.customers.node.restart();
        }
        assert!(house.is_served(&name(0), 0));
    }
}
