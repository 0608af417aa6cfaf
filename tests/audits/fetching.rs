//! What a node fetches by itself of what its customers' records name.

use crate::customers::eventually;
use crate::dns::{a, txt};
use crate::house::{House, has};

const NAME: &str = "trk.one.example.test";
const DOMAIN: &str = "one.example.test";

fn audited(audit: &str) -> (House, serde_json::Value) {
    let house = House::start(&format!("other_every = \"1h\"\nrate = 100\n{audit}"));
    house.publish(DOMAIN);
    let dns = &house.customers.dns;
    let record = format!("v=BIMI1; l=https://logo.{DOMAIN}/a.svg");
    dns.add(&format!("default._bimi.{DOMAIN}"), txt(&[&record]));
    dns.add(&format!("logo.{DOMAIN}"), a([127, 0, 0, 1]));
    house.add([NAME.to_owned()].into_iter());
    let audit = eventually("it is audited", || {
        let audit = house.audit(NAME);
        audit.is_object().then_some(audit)
    });
    (house, audit)
}

/// Roots that cannot be read cost the judgement of trust, and nothing else.
#[test]
fn a_node_fetches_from_public_addresses_only_and_starts_without_its_mark_roots() {
    let (house, audit) = audited("mark_roots = [\"missing.pem\"]");
    assert!(has(&audit, "B09"), "{audit:#}");
    assert!(audit.to_string().contains("127.0.0.1 is no address that may be asked"), "{audit:#}");
    let told = house.customers.node.told();
    assert!(told.contains("audit.mark_roots") && told.contains("missing.pem"), "{told}");
}

#[test]
fn a_node_fetches_nothing_when_it_is_told_so() {
    let (house, audit) = audited("fetch = \"off\"");
    assert!(!has(&audit, "B09"), "{audit:#}");
    let asked = house.customers.dns.asked();
    assert!(asked.iter().all(|asked| !asked.name.starts_with("logo.")), "{asked:#?}");
}
