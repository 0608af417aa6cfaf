//! A million domains (twenty thousand in the short form): imported, killed, served again.

#![allow(clippy::disallowed_methods, reason = "a test starts processes and reads clocks and files")]
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod customers;
mod dns;
mod node;

use std::fs;
use std::io::{BufRead, BufReader, BufWriter, Write};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use customers::{Customers, memory};
use node::is_long;

fn names() -> u64 {
    if is_long() { 1_000_000 } else { 20_000 }
}

#[test]
fn a_million_domains_are_imported_survive_a_kill_and_cost_no_scan_and_little_memory() {
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let file = folder.path().join("names.txt");
    let mut out = BufWriter::new(fs::File::create(&file).unwrap());
    for number in 0..names() {
        let customer = format!("customer-{number:07}.example");
        writeln!(out, "trk.{customer} sending={customer} account={number}").unwrap();
    }
    out.flush().unwrap();
    let domains = format!("poll_rate = 5\nfiles = [{file:?}]\n");
    // With audits as they are by default.
    let mut customers = Customers::start_with("registered", &domains, "[audit]\n");
    import(&customers);
    kill_and_serve_again(&mut customers);
    list(&customers);
}

fn import(customers: &Customers) {
    let begun = Instant::now();
    let patience = Duration::from_secs(if is_long() { 900 } else { 60 });
    while !customers.node.told().contains("names were read") {
        assert!(begun.elapsed() < patience, "{}", customers.node.told());
        std::thread::sleep(Duration::from_millis(20));
    }
    let took = begun.elapsed().as_secs_f64();
    println!("{} names imported at {:.0} a second", names(), names() as f64 / took);
    let all = format!("waypost_domains{{state=\"new\"}} {}", names());
    customers::eventually("they are counted", || {
        customers.node.ask_admin("/metrics").1.contains(&all).then_some(())
    });
    let seen = customers.node.data().join("names.seen");
    customers::eventually("it is remembered that they were read", || seen.exists().then_some(()));
    println!("{} kB resident at most", memory(customers.node.process(), "VmHWM"));
}

fn kill_and_serve_again(customers: &mut Customers) {
    customers.node.kill();
    // What the system remembers of the file is forgotten too.
    let store = fs::File::open(customers.node.data().join("store.redb")).unwrap();
    store.sync_all().unwrap();
    rustix::fs::fadvise(&store, 0, None, rustix::fs::Advice::DontNeed).unwrap();
    drop(store);
    let begun = Instant::now();
    customers.node.restart();
    let ready = begun.elapsed();
    let shown = customers.show("trk.customer-0012345.example");
    let served = begun.elapsed();
    assert_eq!(shown["account"], "12345");
    println!("after SIGKILL: ready in {ready:?}, a domain shown after {served:?}");
    assert!(served < Duration::from_secs(2), "{served:?}");
    // Not a scan: what was read since the start is what was asked for, and a few looks and audits
    // that were due.
    let reads = customers.metric("waypost_store_reads_total ");
    println!("{reads} records read");
    assert!(reads < 300, "{reads}");
    let resident = memory(customers.node.process(), "VmRSS");
    println!("{resident} kB resident");
    assert!(resident < 300_000, "{resident} kB");
}

/// The list comes in pages: its first line is there long before its last.
fn list(customers: &Customers) {
    let begun = Instant::now();
    let mut list = Command::new(env!("CARGO_BIN_EXE_waypost"))
        .args(["domain", "list", "--config"])
        .arg(customers.node.configuration())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(list.stdout.take().unwrap()).lines();
    assert!(lines.next().unwrap().unwrap().starts_with("domain"));
    let first = begun.elapsed();
    let half = lines.by_ref().take(names() as usize / 2).count();
    let most = memory(list.id(), "VmHWM");
    let count = half + lines.count();
    assert!(list.wait().unwrap().success());
    println!("{count} lines in {:?}, the first after {first:?}, {most} kB", begun.elapsed());
    assert_eq!(count as u64, names());
    assert!(most < 60_000, "{most} kB");
    let resident = memory(customers.node.process(), "VmRSS");
    println!("{resident} kB resident after the list");
    assert!(resident < 300_000, "{resident} kB");
}
