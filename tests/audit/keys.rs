//! DKIM keys of whole domains: where they are sought, and whose they are.

use serde_json::Value;

use crate::dns::txt;
use crate::scene::{OWN, SHARED, finding, published};

#[test]
fn a_key_is_sought_elsewhere_within_bounds_and_only_when_it_is_missing() {
    let scene = published();
    let strays = |asked: &[crate::dns::Asked]| {
        let other = |name: &str| name.contains("domainkey") && !name.starts_with("audit-");
        let known =
            ["ak._domainkey.example.com", "_domainkey.example.com", "_adsp._domainkey.example.com"];
        asked.iter().filter(|a| other(&a.name) && !known.contains(&a.name.as_str())).count()
    };
    scene.audit(&["example.com"]);
    assert_eq!(strays(&scene.server.asked()), 0);
    scene.server.remove("ak._domainkey.example.com");
    // Another sender's key is where it belongs.
    let record = format!("v=DKIM1; p={OWN}");
    let (first, rest) = record.split_at(255);
    scene.server.add("default._domainkey.example.com", txt(&[first, rest]));
    for (depth, most, own) in [("core", 8, 0), ("usual", 15, 2), ("full", 30, 5)] {
        scene.audit(&["example.com", "--depth", depth]);
        scene.server.asked();
        let ended = scene.audit(&["example.com", "--depth", depth, "--json"]);
        assert!(ended.out.contains("K01") && !ended.out.contains("K15"), "{ended:?}");
        let shared = ["spf.aksend.net", "_dmarc.com", "com"];
        let asked = scene.server.asked();
        let count = asked.iter().filter(|asked| !shared.contains(&asked.name.as_str())).count();
        assert!(count <= most, "{depth}: {count}");
        assert_eq!(strays(&asked), own, "{depth}: {asked:#?}");
    }
}

#[test]
fn a_key_that_the_platform_no_longer_signs_with_is_told_of() {
    let scene = published();
    let expect = format!("dkim = \"v=DKIM1; p={OWN}\"\n");
    let unknown = scene.with(&expect).json("example.com");
    assert_eq!(finding(&unknown, "K14").unwrap()["severity"], "weak");
    let former = format!("{expect}former_dkim = [\"v=DKIM1; p={SHARED}\"]\n");
    let told = scene.with(&former).json("example.com");
    let told = finding(&told, "K13").unwrap();
    assert_eq!((&told["severity"], &told["gates"]), (&"error".into(), &true.into()));
    assert!(told["record"].as_str().unwrap().ends_with(OWN), "{told:#}");
    // A domain with a key of its own still publishes the one of all.
    scene.with("");
    let ended = scene.audit(&["example.com", "--json", "--dkim", &format!("ak={OWN}")]);
    let report: Value = serde_json::from_str(&ended.out).unwrap();
    assert_eq!(finding(&report, "K14").unwrap()["severity"], "weak");
    assert_eq!(finding(&report, "K13").unwrap()["severity"], "error");
}
