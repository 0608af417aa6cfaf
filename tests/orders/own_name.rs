//! The name that customers' CNAMEs lead to.

use crate::customers::{TARGET, eventually};
use crate::house::{House, Plan, orders};
use crate::node::Protocol;

#[tokio::test(flavor = "multi_thread")]
async fn the_target_itself_is_certified_without_a_visit_and_once() {
    let mut house = House::new(&Plan { acme: "own_name = \"certify\"", ..Plan::default() });
    eventually("it is listed", || house.customers.has(TARGET).then_some(()));
    house.customers.becomes(TARGET, "certificate");
    let placed = orders(&house.pebble.door().passed());
    assert_eq!(placed.get(TARGET), Some(&1));
    let https = house.node().https();
    house.client().connect(https, TARGET, Protocol::Http1).await.unwrap();
    house.customers.node.kill();
    house.customers.node.restart();
    let https = house.node().https();
    house.client().connect(https, TARGET, Protocol::Http1).await.unwrap();
    // Who removes it means it.
    let (code, _, told) = house.node().command(&["domain", "remove", TARGET]);
    assert_eq!(code, 0, "{told}");
    house.customers.node.kill();
    house.customers.node.restart();
    certify(&house, "other.example.test");
    assert_eq!(house.customers.show(TARGET)["state"], "removed");
    assert_eq!(orders(&house.pebble.door().passed()).get(TARGET), None);
}

#[test]
fn the_target_is_left_alone_where_that_is_set() {
    let house = House::new(&Plan { acme: "own_name = \"leave\"", ..Plan::default() });
    certify(&house, "other.example.test");
    assert!(!house.customers.has(TARGET));
}

fn certify(house: &House, name: &str) {
    house.publish(name);
    house.customers.add(name);
    house.customers.becomes(name, "certificate");
}
