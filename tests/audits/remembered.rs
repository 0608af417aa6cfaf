//! A customer who had the page looked at before the records were there: a resolver remembers for an
//! hour that they are not, and nobody waits for that.

use serde_json::json;
use waypost::dns::{Answer, Kind};

use crate::customers::eventually;
use crate::front::{Front, NAME};
use crate::unbound::Unbound;

#[test]
fn what_was_mended_is_seen_though_the_resolver_remembers_that_it_is_not_there() {
    let dns = Front::zones(3_600);
    dns.zone("test", 3_600);
    let Some(unbound) = Unbound::start(&dns) else { return };
    let front = Front::behind(dns, unbound.address, "check_every = \"1s\"", "2s");
    front.customers.add(NAME);
    let path = front.link(NAME);
    let domain = "one.example.test";
    let checked = |told: &str| {
        eventually("the button is back", || front.get(&path).1.contains("<form").then_some(()));
        front.press(&path);
        eventually(told, || front.get(&path).1.contains(told).then_some(()));
    };
    checked("no TXT record at ak._domainkey.one.example.test");
    for name in [format!("_dmarc.{domain}"), domain.to_owned()] {
        assert_eq!(unbound.ask(&name, Kind::Txt), Some(Answer::NoName), "{name}");
    }
    front.publish(domain);
    checked("<dt>Found</dt><dd><code>v=spf1 include:spf.example.test -all</code></dd>");
    checked("trk.one.example.test → pages.localhost");
    // Seen twice, it holds.
    let section = |at: usize| front.audit(NAME)["report"]["sections"][at].clone();
    eventually("it holds", || {
        (section(0)["found"] == json!(["v=spf1 include:spf.example.test -all"])).then_some(())
    });
    assert_eq!(section(3)["topic"], "DMARC");
    assert_eq!(section(3)["found"][0], "v=DMARC1; p=reject; rua=mailto:report@example.test");
    assert_eq!(unbound.ask(domain, Kind::Txt), Some(Answer::NoName), "it still does not know");
}
