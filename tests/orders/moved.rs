//! A disk that is lost: what was exported is served again, and nothing is ordered.

use std::fs;
use std::io::Write;
use std::process::{Command, Stdio};

use crate::customers::eventually;
use crate::house::{House, Plan};
use crate::node::{Protocol, WAYPOST};

#[test]
fn what_was_exported_is_served_from_a_new_folder_without_an_order_and_with_its_budgets() {
    let issuer = "poll_first = \"4ms\"\norders = 20\nper_domain = 7";
    let mut house = House::new(&Plan { issuer, ..Plan::default() });
    let names: Vec<_> = (0..5).map(|number| format!("n{number}.example.test")).collect();
    for name in &names {
        house.publish(name);
        house.customers.add(name);
    }
    names.iter().for_each(|name| house.customers.becomes(name, "certificate"));
    let left = |house: &House| {
        let line = "waypost_acme_budget_left{issuer=\"pebble\",purpose=\"renewal\"}";
        eventually("it is counted", || {
            let left = house.customers.metric(line);
            (left > 0 && left < 20).then_some(left)
        })
    };
    eventually("all are counted", || (left(&house) == 15).then_some(()));
    let serials: Vec<_> = names.iter().map(|name| serial(&house, name)).collect();
    let node = &mut house.customers.node;
    assert!(node.terminate().success());
    let configuration = node.configuration();
    let export = Command::new(WAYPOST)
        .args(["store", "export", "--config"])
        .arg(&configuration)
        .output()
        .unwrap();
    assert!(export.status.success(), "{}", String::from_utf8_lossy(&export.stderr));
    // Everything but the keys of links and the one that seals, which operators keep elsewhere.
    let data = node.data();
    fs::remove_file(data.join("store.redb")).unwrap();
    fs::remove_dir_all(data.join("journal")).unwrap();
    let mut import = Command::new(WAYPOST)
        .args(["store", "import", "--config"])
        .arg(&configuration)
        .stdin(Stdio::piped())
        .spawn()
        .unwrap();
    import.stdin.take().unwrap().write_all(&export.stdout).unwrap();
    assert!(import.wait().unwrap().success());
    house.pebble.door().passed();
    house.customers.node.restart();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let (client, https) = (house.client(), house.node().https());
    for (name, serial_before) in names.iter().zip(&serials) {
        runtime.block_on(client.connect(https, name, Protocol::Http1)).unwrap();
        assert_eq!(&serial(&house, name), serial_before);
    }
    assert_eq!(left(&house), 15, "budgets as before");
    let passed = house.pebble.door().passed();
    assert!(passed.iter().all(|passed| passed.path != "/order-plz"), "{passed:?}");
    // Two more of this domain, and no third.
    for name in ["n5.example.test", "n6.example.test", "n7.example.test"] {
        house.publish(name);
        house.customers.add(name);
    }
    let reasons = || {
        let reason = |name: &str| house.customers.show(name)["reason"].as_str().map(str::to_owned);
        let mut reasons: Vec<_> = ["n5", "n6", "n7"]
            .iter()
            .filter_map(|n| reason(&format!("{n}.example.test")))
            .collect();
        reasons.sort();
        reasons
    };
    eventually("the budget of the domain is spent", || {
        (reasons() == ["budget", "certificate", "certificate"]).then_some(())
    });
}

fn serial(house: &House, name: &str) -> String {
    house.customers.show(name)["certificate"]["serial"].as_str().unwrap().to_owned()
}
