//! Which DMARC policy applies to what, and what finding it costs.

use waypost::audit::dmarc::{self, Policy};
use waypost::audit::{Severity, bimi, dkim, spf};
use waypost::dns::Kind;

use crate::zone::Zone;

/// The policies for a domain, for what exists below it and for what does not.
fn policies(domain: &str, zone: &str) -> [Option<Policy>; 3] {
    let (found, _) = Zone::parse(zone).judge(|answers| dmarc::discover(domain, answers));
    [found.policy, found.subdomains, found.missing]
}

#[test]
fn the_walk_asks_as_the_rfc_illustrates() {
    let zone = Zone::default();
    let (_, asked) =
        zone.judge(|answers| dmarc::discover("a.b.c.d.e.f.g.h.i.j.mail.example.com", answers));
    let names: Vec<_> = asked
        .iter()
        .map(|question| question.name.as_str())
        .filter(|name| name.starts_with("_dmarc."))
        .collect();
    assert_eq!(
        names,
        [
            "_dmarc.a.b.c.d.e.f.g.h.i.j.mail.example.com",
            "_dmarc.g.h.i.j.mail.example.com",
            "_dmarc.h.i.j.mail.example.com",
            "_dmarc.i.j.mail.example.com",
            "_dmarc.j.mail.example.com",
            "_dmarc.mail.example.com",
            "_dmarc.example.com",
            "_dmarc.com",
        ]
    );
}

#[test]
fn the_policy_of_a_domain_and_of_what_is_below_it_is_the_one_of_the_text() {
    use Policy::{None as Nothing, Quarantine, Reject};
    let own = "_dmarc.example.com TXT 'v=DMARC1; p=reject; sp=quarantine; np=none'";
    let all = |one, two, three| [Some(one), Some(two), Some(three)];
    for (domain, zone, expected) in [
        ("example.com", own, all(Reject, Quarantine, Nothing)),
        // A subdomain gets sp while it exists, np while it does not.
        (
            "a.example.com",
            &format!("{own}\na.example.com A 192.0.2.1"),
            all(Quarantine, Quarantine, Nothing),
        ),
        ("a.example.com", own, all(Nothing, Quarantine, Nothing)),
        // Its own record holds for itself; below it the organization's holds.
        (
            "a.example.com",
            &format!("{own}\n_dmarc.a.example.com TXT 'v=DMARC1; p=none; sp=reject'"),
            all(Nothing, Quarantine, Nothing),
        ),
        // psd=n makes it an organization of its own.
        (
            "a.example.com",
            &format!("{own}\n_dmarc.a.example.com TXT 'v=DMARC1; p=none; sp=reject; psd=n'"),
            all(Nothing, Reject, Reject),
        ),
        // A public suffix speaks for those below who have nothing.
        (
            "example.com",
            "_dmarc.com TXT 'v=DMARC1; p=none; sp=reject; psd=y'\nexample.com A 192.0.2.1",
            all(Reject, Reject, Reject),
        ),
        (
            "example.com",
            "_dmarc.com TXT 'v=DMARC1; p=none; sp=quarantine; np=reject; psd=y'",
            all(Reject, Quarantine, Reject),
        ),
        // t=y lowers by one level.
        (
            "example.com",
            "_dmarc.example.com TXT 'v=DMARC1; p=reject; sp=quarantine; np=none; t=y'",
            all(Quarantine, Nothing, Nothing),
        ),
    ] {
        assert_eq!(policies(domain, zone), expected, "{domain}\n{zone}");
    }
}

#[test]
fn a_slip_a_second_record_or_silence_takes_the_policy_away() {
    use Policy::{None as Nothing, Quarantine, Reject};
    let own = "_dmarc.example.com TXT 'v=DMARC1; p=reject; sp=quarantine; np=none'";
    let all = |one, two, three| [Some(one), Some(two), Some(three)];
    for (domain, zone, expected) in [
        // One slip takes all of it down: with a report address to none, without to nothing.
        (
            "example.com",
            "_dmarc.example.com TXT 'v=DMARC1; p=reject; sp=rejct; rua=mailto:a@example.com'",
            all(Nothing, Nothing, Nothing),
        ),
        ("example.com", "_dmarc.example.com TXT 'v=DMARC1; p=reject; sp=rejct'", [None; 3]),
        ("example.com", "_dmarc.example.com TXT 'v=DMARC1; p=reject; p=reject'", [None; 3]),
        (
            "example.com",
            "_dmarc.example.com TXT 'v=DMARC1; p=reject'\n_dmarc.example.com TXT 'v=DMARC1; p=none'",
            [None; 3],
        ),
        ("example.com", "_dmarc.example.com TXT TIMEOUT", [None; 3]),
        // The domain's own record is known, what is above it is not.
        (
            "example.com",
            "_dmarc.example.com TXT 'v=DMARC1; p=reject'\n_dmarc.com TXT SERVFAIL",
            [Some(Reject), None, None],
        ),
        // Two records of a subdomain are discarded, and the organization's applies.
        (
            "a.example.com",
            &format!(
                "{own}\na.example.com A 192.0.2.1\n_dmarc.a.example.com TXT 'v=DMARC1; p=none'\n_dmarc.a.example.com TXT 'v=DMARC1; p=none'"
            ),
            all(Quarantine, Quarantine, Nothing),
        ),
    ] {
        assert_eq!(policies(domain, zone), expected, "{domain}\n{zone}");
    }
}

#[test]
fn the_organizational_domain_is_the_one_of_the_text() {
    for (domain, zone, expected) in [
        (
            "a.mail.example.com",
            "_dmarc.mail.example.com TXT 'v=DMARC1; p=none'\n_dmarc.example.com TXT 'v=DMARC1; p=none'",
            "example.com",
        ),
        (
            "a.mail.example.com",
            "_dmarc.mail.example.com TXT 'v=DMARC1; p=none; psd=n'\n_dmarc.example.com TXT 'v=DMARC1; p=none'",
            "mail.example.com",
        ),
        ("a.mail.example.com", "_dmarc.com TXT 'v=DMARC1; p=none; psd=y'", "example.com"),
        (
            "mail.example.com",
            "_dmarc.mail.example.com TXT 'v=DMARC1; p=none'\n_dmarc.example.com TXT 'v=DMARC1; p=none; psd=y'",
            "mail.example.com",
        ),
        ("example.com", "_dmarc.example.com TXT 'v=DMARC1; p=none; psd=y'", "example.com"),
        // The walk ends at its first record that has psd=y, at the start too.
        (
            "mail.example.com",
            "_dmarc.mail.example.com TXT 'v=DMARC1; p=none; psd=y'\n_dmarc.example.com TXT 'v=DMARC1; p=none'",
            "mail.example.com",
        ),
        ("a.example.com", "other.test A 192.0.2.1", "a.example.com"),
    ] {
        let (organization, _) =
            Zone::parse(zone).judge(|answers| dmarc::organization(domain, answers));
        assert_eq!(organization.as_deref(), Some(expected), "{domain}\n{zone}");
    }
    let slow = Zone::parse("_dmarc.com TXT TIMEOUT");
    let (organization, _) = slow.judge(|answers| dmarc::organization("example.com", answers));
    assert_eq!(organization, None);
}

#[test]
fn reports_go_where_the_destination_agrees() {
    let policy = "_dmarc.blue.example.com TXT 'v=DMARC1; p=none; rua=mailto:reports@red.example.net'\nred.example.net MX 1 mx.example.net";
    for (more, expected) in [
        ("x.test A 192.0.2.1", Some(false)),
        ("blue.example.com._report._dmarc.red.example.net TXT 'v=DMARC1'", Some(true)),
        ("blue.example.com._report._dmarc.red.example.net TXT 'v=dmarc1'", Some(false)),
        ("blue.example.com._report._dmarc.red.example.net TXT SERVFAIL", None),
        ("_dmarc.net TXT TIMEOUT", None),
    ] {
        let zone = Zone::parse(&format!("{policy}\n{more}"));
        let (found, _) = zone.judge(|answers| dmarc::discover("blue.example.com", answers));
        let record = found.record.unwrap();
        let ((destinations, findings), _) =
            zone.judge(|answers| dmarc::reports("blue.example.com", &record, answers));
        assert_eq!(destinations[0].host, "red.example.net");
        assert_eq!(destinations[0].is_authorized, expected, "{more} {findings:#?}");
        assert_eq!(findings.is_empty(), expected == Some(true), "{more} {findings:#?}");
        let is_unknown = findings.iter().all(|finding| finding.severity == Severity::Unknown);
        assert_eq!(is_unknown && !findings.is_empty(), expected.is_none(), "{findings:#?}");
    }
}

#[test]
fn a_plain_domain_costs_six_questions() {
    let zone = Zone::parse(
        "example.com TXT 'v=spf1 include:spf.platform.test -all'
        spf.platform.test TXT 'v=spf1 ip4:198.51.101.0/24 -all'
        ak._domainkey.example.com TXT 'v=DKIM1; p='
        _dmarc.example.com TXT 'v=DMARC1; p=reject'
        default._bimi.example.com TXT 'v=BIMI1; l=https://example.com/a.svg'",
    );
    let domain = "example.com";
    let (_, asked) = zone.judge(|answers| {
        let selection = spf::select(domain, answers)?;
        let survey = spf::survey(domain, answers)?;
        let key = dkim::select("ak", domain, answers)?;
        let policy = dmarc::discover(domain, answers)?;
        let logo = bimi::discover("default", domain, Some(domain), answers)?;
        Ok((selection, survey, key, policy, logo))
    });
    assert_eq!(asked.len(), 6, "{asked:?}");
    assert!(asked.iter().all(|question| question.kind == Kind::Txt));
}

#[test]
fn older_receivers_know_no_np_and_no_test_mode_and_honour_pct() {
    use Policy::{None as Nothing, Quarantine, Reject};
    for (text, is_otherwise, applies, policy, subdomains, percent) in [
        ("v=DMARC1; p=reject", false, true, Reject, Reject, 100),
        ("v=DMARC1; p=reject; sp=none", false, true, Reject, Nothing, 100),
        ("v=DMARC1; p=reject; np=none", true, true, Reject, Reject, 100),
        ("v=DMARC1; p=reject; t=y", true, true, Reject, Reject, 100),
        ("v=DMARC1; p=quarantine; pct=20", true, true, Quarantine, Quarantine, 20),
        ("v=DMARC1; p=reject; pct=101", false, true, Reject, Reject, 100),
        // A slip in np means nothing to them.
        ("v=DMARC1; p=reject; np=rejct", true, true, Reject, Reject, 100),
        ("v=DMARC1; p=reject; sp=rejct", false, false, Nothing, Nothing, 100),
        ("v=DMARC1; sp=reject; rua=mailto:a@example.com", false, true, Nothing, Nothing, 100),
    ] {
        let record = dmarc::read(text).unwrap();
        assert_eq!(record.is_read_otherwise(), is_otherwise, "{text}");
        assert_eq!(record.older, dmarc::Older { applies, policy, subdomains, percent }, "{text}");
    }
}
