//! Visits to names that nobody told us about, by the thousand.

#![allow(clippy::disallowed_methods, reason = "a test starts processes and tasks")]
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod customers;
mod dns;
mod node;

use std::ops::Range;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use customers::{Customers, TARGET, eventually, memory};
use dns::{Asked, cname};
use node::{Click, Protocol, Random, is_long};
use tokio::sync::Semaphore;

/// Visits: in the long form as many as the attack is told of.
fn visits() -> u64 {
    if is_long() { 100_000 } else { 4_000 }
}

/// Shakes hands for many names, [`AT_A_TIME`] at a time, at most at a rate a second if one is given.
fn flood(
    customers: &Customers,
    names: impl Iterator<Item = String>,
    rate: Option<f64>,
) -> Duration {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let (client, address) = (customers.node.client(), customers.node.https());
    let client = Arc::new(client);
    let begun = Instant::now();
    runtime.block_on(async {
        let room = Arc::new(Semaphore::new(AT_A_TIME));
        for (name, number) in names.zip(0u32..) {
            if let Some(rate) = rate {
                let due = begun + Duration::from_secs_f64(f64::from(number) / rate);
                tokio::time::sleep_until(due.into()).await;
            }
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

/// The median of clicks on a name with a certificate, each on a connection of its own, one after
/// the other as long as it `goes_on`.
fn clicks(customers: &Customers, random: &mut Random, goes_on: impl Fn() -> bool) -> Duration {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let client = customers.node.client();
    let mut times = Vec::new();
    while times.len() < 40 || goes_on() {
        let click = Click::random(random, times.len(), HOST, Protocol::Http1);
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

/// How much slower clicks are beside visits at [`RATE`] than alone, and how long the visits took.
fn pair(customers: &Customers, random: &mut Random, numbers: Range<u64>) -> (f64, Duration) {
    let length = Duration::from_secs_f64((numbers.end - numbers.start) as f64 / RATE);
    let begun = Instant::now();
    let quiet = clicks(customers, random, || begun.elapsed() < length);
    thread::scope(|scope| {
        let names = numbers.map(|number| format!("x{number}.evil.test"));
        let visits = scope.spawn(|| flood(customers, names, Some(RATE)));
        let loud = clicks(customers, random, || !visits.is_finished());
        let took = visits.join().unwrap();
        println!("clicks {quiet:?} alone, {loud:?} beside visits that took {took:?}");
        (loud.as_secs_f64() / quiet.as_secs_f64(), took)
    })
}

fn asked_below(asked: &[Asked], zone: &str) -> usize {
    asked.iter().filter(|asked| asked.name.ends_with(zone)).count()
}

#[test]
fn unlisted_names_cost_no_question_where_names_are_registered() {
    let customers = Customers::start("registered", "poll_rate = 0\n");
    customers.dns.add("*.evil.test", cname(TARGET));
    // What a start writes is written by then.
    eventually("ticket keys are kept", || (customers.metric(CHANGES) > 0).then_some(()));
    let changes = customers.metric(CHANGES);
    customers.dns.asked();
    let took = flood(&customers, (0..visits()).map(|number| format!("x{number}.evil.test")), None);
    println!("{} visits in {took:?}, registered", visits());
    assert_eq!(customers.dns.asked(), []);
    assert_eq!(customers.metric(CHANGES), changes, "nothing is written");
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
fn a_wildcard_lets_nobody_in_costs_a_handful_of_questions_and_slows_no_other_customer() {
    let customers = Customers::with_certificate("cname", "poll_rate = 0\n", HOST);
    customers.dns.add("*.evil.test", cname(TARGET));
    let mut random = Random::from_environment();
    customers.dns.asked();
    // What is allocated once is allocated then.
    pair(&customers, &mut random, 0..100);
    let before = memory(customers.node.process(), "VmRSS");
    let begun = Instant::now();
    let (mut ratios, mut took) = (Vec::new(), Duration::ZERO);
    for number in 0..PAIRS {
        let share = visits() / PAIRS;
        let first = 100 + number * share;
        let (ratio, length) = pair(&customers, &mut random, first..first + share);
        ratios.push(ratio);
        took += length;
    }
    let minutes = 1 + begun.elapsed().as_secs() as usize / 60;
    let asked = asked_below(&customers.dns.asked(), "evil.test");
    let grown = memory(customers.node.process(), "VmRSS").saturating_sub(before);
    ratios.sort_by(f64::total_cmp);
    let median = ratios[ratios.len() / 2];
    // Short pairs are noisy beside other work, and what costs something costs it in each of them.
    let bounded = if is_long() { median } else { ratios[0] };
    println!("{} visits in {took:?}: {asked} questions, {grown} kB more resident", visits());
    println!("clicks take {median:.2} of their time alone ({ratios:.2?})");
    // The name's CNAME, and that of one beside it.
    assert!((1..=5 * minutes).contains(&asked), "{asked} questions in {minutes} minutes");
    let admitted = customers.metric("waypost_domain_visits_total{result=\"admitted\"}");
    assert_eq!(admitted, 0);
    let remembered = customers.metric("waypost_domain_refusals_remembered ");
    assert!(remembered <= 3, "{remembered} entries for one wildcard");
    assert!(grown < 8_192, "{grown} kB for {} names", visits());
    assert!(bounded <= 1.5, "{bounded:.2}: {ratios:.2?}");
    assert_eq!(customers.ask("GET", "/v1/domains", "").1["domains"], serde_json::json!([]));
}

#[test]
fn a_restart_forgets_no_refusal() {
    let mut customers = Customers::start("cname", "poll_rate = 0\n");
    customers.dns.add("*.evil.test", cname(TARGET));
    let visit =
        |customers: &Customers, name: &str| flood(customers, [name.into()].into_iter(), None);
    let refused = |customers: &Customers, reason: &str| {
        customers.metric(&format!("waypost_domain_visits_total{{result=\"{reason}\"}}"))
    };
    visit(&customers, "x.evil.test");
    visit(&customers, "trk.nobody.test");
    eventually("both are refused", || {
        (refused(&customers, "wildcard") > 0 && refused(&customers, "not_pointed") > 0)
            .then_some(())
    });
    assert!(customers.node.terminate().success());
    let kept = std::fs::read_to_string(customers.node.data().join("refused")).unwrap();
    assert_eq!(kept.lines().count(), 3, "{kept}");
    customers.node.restart();
    customers.dns.asked();
    for (name, why) in [("y.evil.test", "wildcard"), ("trk.nobody.test", "not_pointed")] {
        visit(&customers, name);
        eventually("it is refused", || (refused(&customers, why) == 1).then_some(()));
    }
    assert_eq!(customers.dns.asked(), []);
}

#[test]
fn a_name_under_a_wildcard_is_told_so_and_one_that_is_listed_is_let_in() {
    let customers = Customers::start("cname", "poll_rate = 0\n");
    customers.dns.add("*.evil.test", cname(TARGET));
    let (code, report) = customers.check("x.evil.test");
    let told = ["state", "reason", "who"].map(|key| report[key].as_str().unwrap());
    assert_eq!((code, told), (1, ["blocked", "wildcard", "customer"]));
    // The name's own CNAME is what a wildcard answers with anyway: it would mend nothing.
    assert_eq!(report["record"], serde_json::Value::Null);
    customers.dns.add("x.evil.test", cname(TARGET));
    assert_eq!(customers.check("x.evil.test").1["reason"], "wildcard");
    assert!(report["seen"].as_str().unwrap().contains("and so does every name beside it"));
    assert_eq!(report["listed"], false);
    customers.add("x.evil.test");
    let (code, report) = customers.check("x.evil.test");
    assert_eq!((code, &report["state"]), (0, &"pointed".into()), "{report:#}");
    // Without a wildcard beside it a name needs no list.
    customers.dns.add("alone.example.test", cname(TARGET));
    let (code, report) = customers.check("alone.example.test");
    assert_eq!((code, &report["state"]), (0, &"pointed".into()), "{report:#}");
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

const CHANGES: &str = "waypost_store_changes_total ";
const HOST: &str = "trk.example.com";
const AT_A_TIME: usize = 64;
/// Visits a second beside clicks: what one attacker sends without effort.
const RATE: f64 = 1_000.0;
/// Pairs of clicks alone and beside visits; an odd number has a median.
const PAIRS: u64 = 5;
