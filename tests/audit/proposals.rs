//! Records that are proposed: one at a place, and only where it mends something.

use serde_json::{Value, json};

use crate::dns::{DnsServer, caa, cname, txt};
use crate::scene::{SHARED, findings, paste, published, spf_is};

type Change = fn(&DnsServer);

/// What goes wrong, what is expected besides, the rule that tells it, and what it proposes.
const PROPOSALS: &[(Change, &str, &str, Option<&str>)] = &[
    // The SPF record is merged with what it lacks; what is beside it needs something else.
    (|dns| spf_is(dns, &["v=spf1 include:spf.aksend.net ?all"]), "", "S14", Some(CLEAR)),
    (
        |dns| {
            spf_is(dns, &["v=spf1 include:spf.aksend.net ?all"]);
            dns.add("example.com", cname("www.example.com"));
        },
        "",
        "S23",
        None,
    ),
    (
        |dns| spf_is(dns, &["v=spf1 include:spf.aksend.net ?all"]),
        "mail_from = \"p.example\"",
        "S26",
        None,
    ),
    // The platform's record would throw away the domain's own logo and certificate.
    (
        |dns| logo(dns, &["v=BIMI1; l=http://l.example/a.svg; a=https://l.example/a.pem"]),
        "",
        "B04",
        None,
    ),
    (
        |dns| {
            logo(dns, &["v=BIMI1; l=https://a.example/a.svg", "v=BIMI1; l=https://b.example/b.svg"])
        },
        "",
        "B01",
        None,
    ),
    (
        |dns| logo(dns, &["v=bimi1; l=https://l.example/a.svg; a=https://l.example/a.pem"]),
        "",
        "B03",
        Some("v=BIMI1; l=https://l.example/a.svg; a=https://l.example/a.pem"),
    ),
    // A CNAME of the name's own is what the wildcard answers with anyway.
    (
        |dns| {
            dns.remove("trk.example.com");
            dns.add("*.example.com", cname("trk.aksend.net"));
        },
        "",
        "T01",
        None,
    ),
    // No record can undo a critical one.
    (|dns| dns.add("example.com", caa(128, "tbs", "x")), "", "T05", None),
    (
        |dns| dns.add("example.com", caa(0, "issue", "other.example")),
        "",
        "T03",
        Some("0 issue \"letsencrypt.org\""),
    ),
    (|dns| dns.add("trk.example.com", caa(0, "issue", "letsencrypt.org")), "", "T02", None),
    // A policy at the wrong place is moved as it is, unless it is at fault.
    (|dns| policy(dns, OWN_POLICY), "", "D18", Some(OWN_POLICY)),
    (|dns| policy(dns, OWN_POLICY), "", "D01", Some(OWN_POLICY)),
    (|dns| policy(dns, "v=DMARC1; p=rejekt"), "", "D18", None),
    (|dns| policy(dns, "v=DMARC1; p=rejekt"), "", "D01", Some(WANTED_POLICY)),
    (|dns| misspelt(dns), "", "D03", Some(OWN_POLICY)),
    (|dns| misspelt(dns), "", "D01", Some(OWN_POLICY)),
    // Only the key that the platform signs with is worth moving.
    (|dns| key(dns, SHARED), "", "K15", Some("v=DKIM1; k=rsa; p=MIG")),
    (|dns| key(dns, SHARED), "", "K01", Some("v=DKIM1; k=rsa; p=MIG")),
    (|dns| key(dns, crate::scene::OWN), "", "K15", None),
    (|dns| key(dns, crate::scene::OWN), "", "K01", Some("v=DKIM1; k=rsa; p=MIG")),
];

#[test]
fn a_record_is_proposed_only_where_it_mends_and_one_at_a_place() {
    for (change, expect, rule, proposal) in PROPOSALS {
        let scene = published();
        scene.with(expect);
        change(&scene.server);
        let report = scene.json("example.com");
        let told: Vec<_> = findings(&report)
            .filter(|finding| finding["rule"] == *rule)
            .filter(|finding| matches!(finding["severity"].as_str(), Some("error" | "weak")))
            .collect();
        assert!(!told.is_empty(), "{rule}: {report:#}");
        for finding in &told {
            let record = finding["record"].as_str();
            assert_eq!(record.is_some(), proposal.is_some(), "{rule}: {finding:#}");
            let begins = record.zip(*proposal).is_none_or(|(own, wanted)| own.starts_with(wanted));
            assert!(begins, "{rule}: {finding:#}");
        }
        let places = places(&report);
        for (at, (place, record)) in places.iter().enumerate() {
            let other = places[..at].iter().find(|(other, text)| other == place && text != record);
            assert_eq!(other, None, "{rule}: two records at one place, {record}");
        }
        // What is pasted is the end of it.
        let Some((name, kind, record)) = proposed(told[0]) else { continue };
        paste(&scene.server, name, kind, record);
        let again = scene.json("example.com");
        let left = findings(&again).find(|finding| {
            finding["rule"] == *rule
                && matches!(finding["severity"].as_str(), Some("error" | "weak"))
        });
        assert_eq!(left, None, "{rule}: {record}");
    }
}

#[test]
fn a_name_that_was_told_works_under_a_wildcard_and_one_that_is_assumed_may_be_nobodys() {
    let scene = published();
    scene.server.add("*.example.com", cname("trk.aksend.net"));
    for (arguments, severity) in [
        (&["example.com"][..], "error"),
        (&["example.com", "--tracking", "trk.example.com"], "weak"),
    ] {
        let ended = scene.audit(&[arguments, &["--json"]].concat());
        let report: Value = serde_json::from_str(&ended.out).unwrap();
        let told = crate::scene::finding(&report, "T01").unwrap();
        assert_eq!((&told["severity"], &told["record"]), (&json!(severity), &json!(null)));
        assert_eq!(report["gated"], severity == "error", "{report:#}");
    }
}

/// Every record that is proposed, with the name and type that it is for.
fn places(report: &Value) -> Vec<((&str, &str), &str)> {
    findings(report)
        .filter_map(proposed)
        // CAA records stand beside each other.
        .filter(|(_, kind, _)| *kind != "CAA")
        .map(|(name, kind, record)| ((name, kind), record))
        .collect()
}

fn proposed(finding: &Value) -> Option<(&str, &str, &str)> {
    let text = |key: &str| finding[key].as_str();
    Some((text("name")?, text("type")?, text("record")?))
}

fn logo(dns: &DnsServer, records: &[&str]) {
    dns.remove("default._bimi.example.com");
    for record in records {
        dns.add("default._bimi.example.com", txt(&[record]));
    }
}

fn policy(dns: &DnsServer, record: &str) {
    dns.remove("_dmarc.example.com");
    dns.add("example.com", txt(&[record]));
}

fn misspelt(dns: &DnsServer) {
    dns.remove("_dmarc.example.com");
    dns.add("_dmarc.example.com", txt(&[&OWN_POLICY.replace("DMARC1", "dmarc1")]));
}

/// Puts a key at the apex, and none at its name.
fn key(dns: &DnsServer, key: &str) {
    let record = format!("v=DKIM1; k=rsa; p={key}");
    let (first, rest) = record.split_at(record.len().min(255));
    dns.remove("ak._domainkey.example.com");
    dns.add("example.com", txt(&[first, rest]));
}

const CLEAR: &str = "v=spf1 include:spf.aksend.net ~all";
const OWN_POLICY: &str = "v=DMARC1; p=quarantine; rua=mailto:a@example.com";
const WANTED_POLICY: &str = "v=DMARC1; p=reject; sp=reject; rua=mailto:";
