//! The first certificate of a name.

use crate::customers::eventually;
use crate::house::{House, Plan};
use crate::node::Protocol;

#[tokio::test(flavor = "multi_thread")]
async fn a_name_that_was_visited_is_certified_and_served() {
    let house = House::new(&Plan::default());
    let name = "trk.example.test";
    house.publish(name);
    let client = house.client();
    eventually("it is served", || {
        let connected = tokio::task::block_in_place(|| {
            let connecting = client.connect(house.node().https(), name, Protocol::Http1);
            tokio::runtime::Handle::current().block_on(connecting)
        });
        connected.ok().map(|_| ())
    });
    for passed in house.pebble.door().passed() {
        println!("{} {} {}", passed.method, passed.path, passed.status);
    }
    println!("{:#}", house.customers.show(name));
}
