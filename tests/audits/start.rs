//! A start with very many domains to audit serves its first click as soon as one with none.

use std::time::{Duration, Instant};

use crate::customers::{eventually, memory};
use crate::house::House;
use crate::node::{Client, is_long};

const HOST: &str = "trk.one.example.test";

fn count() -> usize {
    if is_long() { 100_000 } else { 10_000 }
}

/// From the start of the process to the first redirect.
fn first_click(house: &mut House, path: &str) -> Duration {
    house.customers.node.kill();
    let begun = Instant::now();
    house.customers.node.restart();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let answer = runtime.block_on(async {
        let mut session = Client::connect_plain(house.customers.node.http()).await.unwrap();
        session.get(HOST, path).await.unwrap()
    });
    assert_eq!(answer.status, 302);
    begun.elapsed()
}

#[test]
fn a_first_click_is_served_as_soon_with_very_many_domains_to_audit_as_with_none() {
    let mut none = House::start("");
    let mut many = House::start("");
    let begun = Instant::now();
    many.add((0..count()).map(|number| format!("trk.customer-{number:06}.example.test")));
    println!("{} domains were added in {:?}", count(), begun.elapsed());
    let path = |house: &House| {
        let token = house.customers.node.mint().token_without_message(HOST, "https://example.com/");
        format!("/c/{token}")
    };
    let (without, with) = (path(&none), path(&many));
    let mut times = (Vec::new(), Vec::new());
    for _ in 0..5 {
        times.0.push(first_click(&mut none, &without));
        times.1.push(first_click(&mut many, &with));
    }
    let median = |mut times: Vec<Duration>| {
        times.sort();
        times[times.len() / 2]
    };
    let (without, with) = (median(times.0), median(times.1));
    println!("from start to first redirect: {without:?} with none, {with:?} with {}", count());
    assert!(with <= without.mul_f64(1.5) + Duration::from_millis(100), "{with:?} {without:?}");
    eventually("audits are made beside", || (many.made() > 20).then_some(()));
    let waiting = many.customers.metric("waypost_audit_waiting ");
    assert!(waiting > 1_000, "{waiting}");
    let node = &many.customers.node;
    let (resident, other) =
        (memory(node.process(), "VmRSS"), memory(none.customers.node.process(), "VmRSS"));
    println!("{resident} kB resident, {other} kB with none");
    assert!(resident < other + 100_000, "{resident} {other}");
}
