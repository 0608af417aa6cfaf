//! Visits to names that nobody told us about, by the thousand.

#![allow(clippy::disallowed_methods, reason = "a test starts processes and tasks")]
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod customers;
mod dns;
mod node;

use std::sync::Arc;
use std::time::{Duration, Instant};

use customers::{Customers, TARGET, eventually};
use dns::{Asked, cname};
use node::{Click, Protocol, Random, is_long};
use tokio::sync::Semaphore;

/// Visits: in the long form as many as the attack is told of.
fn visits() -> u64 {
    if is_long() { 100_000 } else { 4_000 }
}

/// Shakes hands for many names, [`AT_A_TIME`] at a time, while others click.
fn flood(customers: &Customers, names: impl Iterator<Item = String>) -> Duration {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let (client, address) = (customers.node.client(), customers.node.https());
    let client = Arc::new(client);
    let begun = Instant::now();
    runtime.block_on(async {
        let room = Arc::new(Semaphore::new(AT_A_TIME));
        for name in names {
            let place = Arc::clone(&room).acquire_owned().await.unwrap();
            let client = Arc::clone(&client);
            tokio::spawn(async move {
                let refused = client.tls(address, &name, &[]).await;
                assert!(refused.is_err(), "{name} has no certificate");
                drop(place);
            });
        }
        drop(room.acquire_many(AT_A_TIME as u32).await.unwrap());
    });
    begun.elapsed()
}

/// The median of some clicks on a name with a certificate, each on a connection of its own.
fn clicks(customers: &Customers, random: &mut Random) -> Duration {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let client = customers.node.client();
    let mut times = Vec::new();
    for serial in 0..40 {
        let click = Click::random(random, serial, HOST, Protocol::Http1);
        let token = customers.node.mint().token(&click);
        let begun = Instant::now();
        let answer = runtime.block_on(async {
            let mut session =
                client.connect(customers.node.https(), HOST, Protocol::Http1).await.unwrap();
            session.click(&click, &token).await.unwrap()
        });
        assert!(answer.is_right(&click), "{answer:?}");
        times.push(begun.elapsed());
    }
    times.sort();
    times[times.len() / 2]
}

fn asked_below(asked: &[Asked], zone: &str) -> usize {
    asked.iter().filter(|asked| asked.name.ends_with(zone)).count()
}

#[test]
fn unlisted_names_cost_no_question_where_names_are_registered() {
    let customers = Customers::start("registered", "poll_rate = 0\n");
    customers.dns.add("*.evil.test", cname(TARGET));
    customers.dns.asked();
    let took = flood(&customers, (0..visits()).map(|number| format!("x{number}.evil.test")));
    println!("{} visits in {took:?}, registered", visits());
    assert_eq!(customers.dns.asked(), []);
    let counted = ["unlisted", "dropped", "busy"]
        .map(|result| {
            customers.metric(&format!("waypost_domain_visits_total{{result=\"{result}\"}}"))
        })
        .iter()
        .sum::<u64>();
    assert!(counted > 0);
    assert_eq!(customers.ask("GET", "/v1/domains", "").1["domains"], serde_json::json!([]));
}

#[test]
fn a_wildcard_lets_nobody_in_and_costs_a_handful_of_questions() {
    let customers = Customers::with_certificate("cname", "poll_rate = 0\n", HOST);
    customers.dns.add("*.evil.test", cname(TARGET));
    let mut random = Random::from_environment();
    let quiet = clicks(&customers, &mut random);
    customers.dns.asked();
    let took = flood(&customers, (0..visits()).map(|number| format!("x{number}.evil.test")));
    let loud = clicks(&customers, &mut random);
    let asked = asked_below(&customers.dns.asked(), "evil.test");
    let minutes = 1 + took.as_secs() as usize / 60;
    println!("{} visits in {took:?}: {asked} questions; clicks {quiet:?}, then {loud:?}", visits());
    // The name's CNAME and CAA, and the one beside it.
    assert!((1..=5 * minutes).contains(&asked), "{asked} questions in {minutes} minutes");
    let admitted = customers.metric("waypost_domain_visits_total{result=\"admitted\"}");
    assert_eq!(admitted, 0);
    let remembered = customers.metric("waypost_domain_refusals_remembered ");
    assert!(remembered <= 3, "{remembered} entries for one wildcard");
    assert_eq!(customers.ask("GET", "/v1/domains", "").1["domains"], serde_json::json!([]));
}

#[test]
fn a_visit_lets_in_who_points_to_us_and_a_domain_brings_only_so_many() {
    let customers = Customers::start("cname", "poll_rate = 0\nnames_per_domain = 3\n");
    for number in 0..5 {
        customers.dns.add(&format!("t{number}.example.test"), cname(TARGET));
    }
    let visit = |name: &str| drop(customers.visit(name));
    visit("t0.example.test");
    eventually("it is let in", || customers.has("t0.example.test").then_some(()));
    let domain = customers.show("t0.example.test");
    assert_eq!((&domain["state"], &domain["origin"]), (&"pointed".into(), &"visit".into()));
    assert_eq!(domain["sending_domain_assumed"], true);
    // Questions are bounded too, so each visit waits until there are some again.
    for number in 1..5 {
        let name = format!("t{number}.example.test");
        let (status, _) = customers.ask("POST", &format!("/v1/domains/{name}/check"), "");
        assert_eq!(status, 200);
        visit(&name);
        let result = if number < 3 { "admitted" } else { "cap" };
        let line = format!("waypost_domain_visits_total{{result=\"{result}\"}}");
        eventually(result, || (customers.metric(&line) > 0).then_some(()));
        if number < 3 {
            eventually("it is let in", || customers.has(&name).then_some(()));
        }
    }
    assert!(!customers.has("t3.example.test") && !customers.has("t4.example.test"));
    // Deep names, and those that lead elsewhere, are not let in.
    visit("a.b.c.d.e.evil.test");
    visit("nothing.evil.test");
    for result in ["depth", "not_pointed"] {
        let line = format!("waypost_domain_visits_total{{result=\"{result}\"}}");
        eventually(result, || (customers.metric(&line) > 0).then_some(()));
    }
}

const HOST: &str = "trk.example.com";
const AT_A_TIME: usize = 64;
