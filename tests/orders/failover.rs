//! An authority that asks for an account of its own making.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr};

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;

use crate::ca::{CruelCa, Faults, Manner, Pebble, PebbleSetup};
use crate::customers::{Customers, TARGET, eventually};
use crate::dns::cname;
use crate::house::{hold, node, zones};
use crate::node::{Client, Protocol};

/// A node whose first authority is down, and whose second asks for an external account.
fn with_external(key: &[u8], known: &[u8]) -> (Customers, Pebble, CruelCa) {
    let (dns, (_held, port)) = (zones(), hold());
    let folder = tempfile::tempdir().unwrap();
    let encode = |key: &[u8]| BASE64_URL_SAFE_NO_PAD.encode(key);
    let pebble = Pebble::start(&PebbleSetup {
        dns: dns.resolver(),
        http_port: port,
        faults: Faults::None,
        external: Some(("kid-1".to_owned(), encode(known))),
    });
    let cruel = CruelCa::start(SocketAddr::from((Ipv4Addr::LOCALHOST, port)));
    cruel.behave(Manner::BadGateway);
    let file = folder.path().join("external.key");
    fs::write(&file, encode(key) + "\n").unwrap();
    let external = format!("poll_first = \"4ms\"\neab_key_id = \"kid-1\"\neab_key_file = {file:?}");
    let acme = format!(
        "[acme]\ncontact = [\"mailto:ops@example.test\"]\nself_probe = \"off\"\n{}{}",
        cruel.issuer("first", folder.path(), ""),
        pebble.issuer("second", &external)
    );
    let node = node(&dns, port, "", &acme);
    dns.add("a.example.test", cname(TARGET));
    (Customers { dns, node }, pebble, cruel)
}

#[test]
fn the_second_authority_certifies_by_its_external_account() {
    let key = [7; 32];
    let (customers, pebble, cruel) = with_external(&key, &key);
    let client = Client::new(pebble.root());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let connecting = client.connect(customers.node.https(), "a.example.test", Protocol::Http1);
    runtime.block_on(connecting).unwrap();
    customers.becomes("a.example.test", "certificate");
    let shown = customers.show("a.example.test");
    assert_eq!(shown["certificate"]["issuer"], "second");
    let account = pebble.door().passed().into_iter().find(|passed| passed.path == "/sign-me-up");
    let account = account.unwrap().body;
    assert!(
        account.contains("externalAccountBinding") && account.contains("mailto:ops@"),
        "{account}"
    );
    assert!(!cruel.asked().is_empty());
}

#[test]
fn a_wrong_key_of_an_external_account_is_told_to_who_runs_the_node() {
    let (customers, pebble, _cruel) = with_external(&[7; 32], &[8; 32]);
    customers.visit("a.example.test").unwrap_err();
    let shown = eventually("it is told", || {
        let shown = customers.show("a.example.test");
        (shown["reason"] == "ca_account").then_some(shown)
    });
    assert_eq!(shown["who"], "platform", "{shown:#}");
    let asked = || pebble.door().passed().iter().filter(|p| p.path == "/sign-me-up").count();
    assert_eq!(asked(), 1);
    // Others do not ask again at once.
    customers.dns.add("b.example.test", cname(TARGET));
    customers.visit("b.example.test").unwrap_err();
    eventually("it is told", || {
        (customers.show("b.example.test")["state"] == "failing").then_some(())
    });
    assert_eq!(asked(), 0);
}
