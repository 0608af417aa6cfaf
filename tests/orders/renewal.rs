//! A certificate that grows old is replaced whether or not anybody visits.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use waypost::clock::{Clock, SystemClock, Timestamp};
use waypost::disk::SystemDisk;
use waypost::server::World;

use crate::ca::Manner;
use crate::customers::eventually;
use crate::house::CruelHouse;
use crate::node::{Program, Setup, serve_in};

/// A clock whose wall time is as many years ahead as a file says.
#[derive(Debug)]
struct Ahead(PathBuf);

impl Clock for Ahead {
    fn now(&self) -> Instant {
        SystemClock.now()
    }

    fn wall(&self) -> Timestamp {
        let years = fs::read_to_string(&self.0).unwrap_or_default();
        let years: u64 = years.trim().parse().unwrap_or_default();
        SystemClock.wall().plus(Duration::from_secs(years * 365 * 86_400))
    }
}

#[test]
#[ignore = "the process of a_certificate_is_renewed_unvisited_and_the_old_one_serves_meanwhile"]
fn node_ahead() {
    let configuration = Setup::configuration();
    let clock = Arc::new(Ahead(configuration.with_file_name("years")));
    serve_in(World { disk: Arc::new(SystemDisk), clock }, &configuration);
}

#[test]
fn a_certificate_is_renewed_unvisited_and_the_old_one_serves_meanwhile() {
    let house = CruelHouse::run_by(Program::Own("renewal::node_ahead"), 1, "");
    let (name, ca) = ("a.example.test", &house.authorities[0]);
    house.customers.dns.add(name, crate::dns::cname(crate::customers::TARGET));
    eventually("it is served", || house.is_served(name, 0).then_some(()));
    house.customers.becomes(name, "certificate");
    let serial = || house.customers.show(name)["certificate"]["serial"].clone();
    let first = serial();
    ca.asked();
    // The certificate lives from 2020 to 2090: a third of that is left in 2066.
    ca.behave(Manner::Rejects);
    let years = house.customers.node.configuration().with_file_name("years");
    fs::write(&years, "41").unwrap();
    let shown = house.comes_to(name, "challenge");
    assert_eq!(shown["state"], "active", "it is served still: {shown:#}");
    assert_eq!(serial(), first);
    assert!(house.is_served(name, 0));
    ca.behave(Manner::Fair);
    // A minute later, or more.
    fs::write(&years, "42").unwrap();
    eventually("it is another one", || (serial() != first).then_some(()));
    let told = house.customers.show(name);
    assert_eq!((&told["state"], told["orders"].as_array().unwrap().len()), (&"active".into(), 3));
    assert!(house.is_served(name, 0));
}
