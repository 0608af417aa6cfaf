//! What the audit makes of mark certificates: a right one, ones with a fault each, and ones that
//! are made to hurt.

use std::time::Instant;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;
use rcgen::KeyUsagePurpose;
use waypost::audit::mark_certificate::{Case, judge};
use waypost::audit::{Finding, Severity};
use waypost::clock::Timestamp;

use crate::certificates::{MARK_TYPE, Made, Mark, PILOT, der, logotype, logotype_at, packed};
use crate::held;

#[test]
fn a_right_certificate_has_nothing_to_be_told_of() {
    for image in [IMAGE.as_bytes().to_vec(), packed(IMAGE.as_bytes())] {
        let made = Mark::of("example.com", IMAGE.as_bytes()).make();
        let root = made.root_der.clone();
        let case = Case { image: Some(&image), roots: &[root], ..CASE };
        assert_eq!(judge(&made.file(), &case), Vec::new());
        // With its root in the file, too.
        let whole = [made.file(), made.root.into_bytes()].concat();
        assert_eq!(judge(&whole, &case), Vec::new());
    }
    for name in ["default._bimi.example.com", "default._bimi.mail.example.com", "mail.example.com"]
    {
        let made = Mark::of(name, IMAGE.as_bytes()).make();
        let case = Case { domain: "mail.example.com", ..CASE };
        assert_eq!(told(&made, &case), Vec::<String>::new(), "{name}");
    }
}

#[test]
fn without_roots_all_is_judged_but_trust() {
    let made = Mark::of("other.example", IMAGE.as_bytes()).make();
    let findings = judge(&made.file(), &CASE);
    let trust = findings.iter().find(|finding| finding.severity == Severity::Note).unwrap();
    assert!(trust.expected.contains("audit.mark_roots"), "{trust:?}");
    assert!(findings.iter().any(Finding::is_error));
}

/// A fault, how bad it is, and what is told of it.
type Fault = (fn(&mut Mark), Severity, &'static str);

#[test]
fn each_fault_of_a_certificate_is_told() {
    for (change, severity, words) in FAULTS {
        let mut mark = Mark::of("example.com", IMAGE.as_bytes());
        change(&mut mark);
        let made = mark.make();
        let root = made.root_der.clone();
        let case = Case { image: Some(IMAGE.as_bytes()), roots: &[root], ..CASE };
        let findings = judge(&made.file(), &case);
        let [finding] = findings.as_slice() else { panic!("{words}: {findings:#?}") };
        assert_eq!(finding.severity, *severity, "{words}: {finding:#?}");
        assert!(finding.found.contains(words), "{words}: {finding:#?}");
        assert_eq!(finding.rule.id, "B17");
        assert!(!finding.expected.is_empty(), "{words}");
    }
}

const FAULTS: &[Fault] = &[
    (
        |mark| mark.names = vec!["www.example.com".to_owned()],
        Severity::Error,
        "for www.example.com",
    ),
    (|mark| mark.names = vec!["*.example.com".to_owned()], Severity::Error, "for *.example.com"),
    (|mark| mark.names = Vec::new(), Severity::Error, "without a name"),
    (|mark| mark.to = (2026, 11, 1), Severity::Error, "expired on 2026-11-01"),
    (|mark| mark.to = (2026, 12, 1), Severity::Weak, "expires on 2026-12-01"),
    (|mark| mark.from = (2027, 1, 1), Severity::Error, "not valid before 2027-01-01"),
    (|mark| mark.usages = vec![vec![1, 3, 6, 1, 5, 5, 7, 3, 1]], Severity::Error, "not for marks"),
    (|mark| mark.usages = Vec::new(), Severity::Error, "not for marks"),
    (
        |mark| mark.issuer_usages = vec![vec![1, 3, 6, 1, 5, 5, 7, 3, 1]],
        Severity::Error,
        "certificate 2 may not issue mark certificates",
    ),
    (|mark| mark.is_issuer_authority = false, Severity::Error, "may not issue certificate 1"),
    (
        |mark| mark.issuer_keys = vec![KeyUsagePurpose::CrlSign],
        Severity::Error,
        "may not issue certificate 1",
    ),
    (|mark| mark.issuer_to = (2026, 1, 1), Severity::Error, "certificate 2 is not valid"),
    (|mark| mark.is_authority = true, Severity::Error, "that of an authority"),
    (|mark| mark.logotype = None, Severity::Error, "without an image"),
    (
        |mark| mark.logotype = Some(logotype("image/svg+xml", &packed(OTHER.as_bytes()), None)),
        Severity::Error,
        "the image at l= is not the one in the certificate",
    ),
    (
        |mark| {
            let image = packed(IMAGE.as_bytes());
            mark.logotype = Some(logotype("image/svg+xml", &image, Some(&[7; 32])));
        },
        Severity::Error,
        "hash",
    ),
    (
        |mark| mark.logotype = Some(logotype("image/png", &packed(IMAGE.as_bytes()), None)),
        Severity::Error,
        "of the type \"image/png\"",
    ),
    (
        |mark| {
            let address = "https://example.com/a.svg";
            mark.logotype = Some(logotype_at("image/svg+xml", address, &[7; 32]));
        },
        Severity::Error,
        "not in the certificate itself",
    ),
    (
        |mark| {
            let address = "data:image/svg+xml;base64,%%%";
            mark.logotype = Some(logotype_at("image/svg+xml", address, &[7; 32]));
        },
        Severity::Error,
        "base64",
    ),
    (
        |mark| mark.logotype = Some(logotype("image/svg+xml", b"\x1f\x8bxxxx", None)),
        Severity::Error,
        "cannot be unpacked",
    ),
    (|mark| mark.logotype = Some(der(0x30, b"")), Severity::Error, "without an image of the"),
    (|mark| mark.logotype = Some(b"x".to_vec()), Severity::Error, "cannot be read"),
    (|mark| mark.field(MARK_TYPE, None), Severity::Error, "does not say what mark"),
    (|mark| mark.field(MARK_TYPE, Some("Nice Mark")), Severity::Weak, "\"Nice Mark\""),
    (|mark| mark.field(&[2, 5, 4, 9], None), Severity::Weak, "without streetAddress"),
    (|mark| mark.field(&[2, 5, 4, 7], None), Severity::Weak, "without a locality"),
    (
        |mark| mark.field(&[1, 3, 6, 1, 4, 1, 311, 60, 2, 1, 1], Some("London")),
        Severity::Weak,
        "a jurisdiction with a locality",
    ),
    (
        |mark| mark.field(&[1, 3, 6, 1, 4, 1, 53087, 1, 4], None),
        Severity::Weak,
        "without trademarkIdentifier",
    ),
    (
        |mark| mark.field(&[1, 3, 6, 1, 4, 1, 53087, 3, 5], Some("Act 1")),
        Severity::Weak,
        "a Registered Mark with statuteCitation",
    ),
    (
        |mark| {
            mark.field(MARK_TYPE, Some("Prior Use Mark"));
            mark.field(&[1, 3, 6, 1, 4, 1, 53087, 1, 3], None);
            mark.field(&[1, 3, 6, 1, 4, 1, 53087, 1, 4], None);
        },
        Severity::Error,
        "does not say where it was used",
    ),
    (
        |mark| mark.extensions.push((PILOT.to_vec(), der(0x05, b""), true)),
        Severity::Error,
        "the identifier of the pilot",
    ),
    (
        |mark| mark.extensions.push((vec![1, 2, 3], der(0x05, b""), true)),
        Severity::Error,
        "a critical extension that receivers do not know: 1.2.3",
    ),
    (
        |mark| {
            let none = der(0x30, b"");
            mark.extensions.push((vec![2, 5, 29, 30], none, true));
        },
        Severity::Error,
        "name constraints",
    ),
];

#[test]
fn an_authority_has_no_more_below_it_than_it_says() {
    for (most, faults) in [(Some(0), 1), (Some(1), 0), (None, 0)] {
        let mut mark = Mark::of("example.com", IMAGE.as_bytes());
        mark.below_root = most;
        let made = mark.make();
        let file = [made.file(), made.root.into_bytes()].concat();
        let findings = judge(&file, &Case { roots: std::slice::from_ref(&made.root_der), ..CASE });
        assert_eq!(findings.len(), faults, "{most:?}: {findings:#?}");
    }
}

#[test]
fn an_image_that_nobody_else_judges_is_judged_in_its_certificate() {
    let bad = IMAGE.replace("<rect", "<script/><a/><rect");
    let made = Mark::of("example.com", bad.as_bytes()).make();
    let words = "the image in it has 2 errors, as B1";
    assert!(told(&made, &CASE)[0].contains(words), "{:?}", told(&made, &CASE));
    let case = Case { image: Some(bad.as_bytes()), ..CASE };
    assert_eq!(told(&made, &case), Vec::<String>::new());
}

#[test]
fn names_that_cannot_be_read_are_none() {
    let mut mark = Mark::of("example.com", IMAGE.as_bytes());
    mark.names.clear();
    for value in [der(0x30, b"\x82\x7fx"), b"rubbish".to_vec()] {
        mark.extensions = vec![(vec![2, 5, 29, 17], value, false)];
        let told = told(&mark.make(), &CASE);
        assert!(told.iter().any(|told| told.contains("names that cannot be read")), "{told:?}");
    }
}

#[test]
fn what_was_right_when_it_was_issued_stays_right() {
    let mut mark = Mark::of("example.com", IMAGE.as_bytes());
    mark.from = (2025, 3, 14);
    mark.extensions.push((PILOT.to_vec(), der(0x05, b""), true));
    mark.field(MARK_TYPE, Some("Prior Use Mark"));
    mark.field(&[1, 3, 6, 1, 4, 1, 53087, 1, 3], None);
    mark.field(&[1, 3, 6, 1, 4, 1, 53087, 1, 4], None);
    assert_eq!(told(&mark.make(), &CASE), Vec::<String>::new());
    mark.from = (2025, 3, 15);
    assert_eq!(told(&mark.make(), &CASE).len(), 1);
    mark.extensions.clear();
    mark.from = (2025, 4, 14);
    assert_eq!(told(&mark.make(), &CASE), Vec::<String>::new());
    mark.from = (2025, 4, 15);
    assert_eq!(told(&mark.make(), &CASE).len(), 1);
    mark.field(&[1, 3, 6, 1, 4, 1, 53087, 5, 1], Some("https://web.example/2015"));
    assert_eq!(told(&mark.make(), &CASE), Vec::<String>::new());
}

#[test]
fn each_fault_of_a_chain_is_told() {
    let made = Mark::of("example.com", IMAGE.as_bytes()).make();
    let other = Mark::of("example.com", IMAGE.as_bytes()).make();
    let Made { leaf, issuer, root, .. } = &made;
    let key = rcgen::KeyPair::generate().unwrap().serialize_pem();
    let long = leaf.repeat(11);
    for (file, words) in [
        (issuer.clone() + leaf, "the first certificate is that of an authority"),
        (leaf.clone() + root + issuer, "certificate 1 is issued by certificate 3, not 2"),
        (leaf.clone() + root, "certificate 2 is not that of who issued certificate 1"),
        (leaf.clone() + leaf + issuer, "certificate 2 is certificate 1 once more"),
        (leaf.clone() + &other.issuer, "the signature of certificate 1 does not verify"),
        (leaf.clone(), "no trusted authority issued it"),
        (other.leaf + &other.issuer, "no trusted authority issued it"),
        (leaf.clone() + issuer + &key, "a private key"),
        (long, "more than 10 certificates"),
        (String::new(), "without a certificate"),
        ("<html>not found</html>".to_owned(), "without a certificate"),
        (leaf.get(..leaf.len() / 2).unwrap().to_owned(), "no PEM"),
        (leaf.replacen("MII", "!!!", 1), "no PEM"),
        (leaf.replacen("MII", "AAA", 1), "certificate 1 of the file cannot be read"),
    ] {
        let case = Case { roots: std::slice::from_ref(&made.root_der), ..CASE };
        let findings = judge(file.as_bytes(), &case);
        let is_told = findings.iter().any(|f| f.is_error() && f.found.contains(words));
        assert!(is_told, "{words}: {findings:#?}");
    }
    // Who is trusted may stand anywhere above.
    let root = unarmoured(issuer);
    assert_eq!(judge(&made.file(), &Case { roots: &[root], ..CASE }), Vec::new());
}

#[test]
fn a_certificate_that_is_made_to_hurt_costs_no_more() {
    let begun = Instant::now();
    let mut names: Vec<_> = (0..10_000).map(|number| format!("a{number}.example.com")).collect();
    let mut mark = Mark::of("example.com", IMAGE.as_bytes());
    mark.names.clone_from(&names);
    let findings = judge(&mark.make().file(), &CASE);
    let told = findings.iter().find(|finding| finding.is_error()).unwrap();
    assert!(told.found.contains("9995 more") && told.found.len() < 200, "{told:?}");
    names.push("example.com".to_owned());
    mark.names = names;
    assert!(!judge(&mark.make().file(), &CASE).iter().any(Finding::is_error));
    // A bomb inside: 256 MB of blanks.
    let mut bomb = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    std::io::copy(&mut std::io::Read::take(std::io::repeat(b' '), 1 << 28), &mut bomb).unwrap();
    let mut mark = Mark::of("example.com", IMAGE.as_bytes());
    mark.logotype = Some(logotype("image/svg+xml", &bomb.finish().unwrap(), None));
    assert!(judge(&mark.make().file(), &CASE).iter().any(Finding::is_error));
    // Each is issued by the other, and so on for ever.
    let mut ring = Mark::of("example.com", IMAGE.as_bytes());
    ring.is_authority = true;
    let made = ring.make();
    let file = [made.root.clone(), made.issuer.clone(), made.leaf.clone()].concat().repeat(3);
    assert!(judge(file.as_bytes(), &CASE).iter().any(Finding::is_error));
    // DER that is nothing but depth.
    let mut deep = Vec::new();
    for _ in 0..500 {
        deep = der(0x30, &deep);
    }
    for bytes in [deep.clone(), vec![0xff; 200_000], vec![0x30; 200_000]] {
        mark.logotype = Some(bytes);
        assert!(judge(&mark.make().file(), &CASE).iter().any(Finding::is_error));
    }
    assert!(begun.elapsed().as_secs() < 60, "{:?}", begun.elapsed());
}

/// Certificates with a few bytes changed or cut off, in and out of their signed part.
#[test]
fn no_bytes_make_the_reader_of_certificates_panic() {
    let factor = if std::env::var_os("WAYPOST_LONG").is_some() { 1_000 } else { 1 };
    let config = ProptestConfig {
        cases: 1_000 * factor,
        failure_persistence: None,
        ..ProptestConfig::default()
    };
    let made = Mark::of("example.com", IMAGE.as_bytes()).make();
    let leaf = unarmoured(&made.leaf);
    let change = (any::<Index>(), any::<u8>());
    proptest!(config, |(changes in vec(change, 1..6), cut in any::<Index>())| {
        let mut bytes = leaf.clone();
        for (at, value) in changes {
            let at = at.index(bytes.len());
            bytes[at] = value;
        }
        let cut = &bytes[..cut.index(bytes.len())];
        for bytes in [&bytes, cut] {
            held::mark(format!("{}{}", armoured(bytes), made.issuer).as_bytes());
            held::mark(bytes);
        }
    });
}

/// What is told beside that trust is not judged.
fn told(made: &Made, case: &Case<'_>) -> Vec<String> {
    let findings = judge(&made.file(), case).into_iter();
    findings.filter(|f| f.severity != Severity::Note).map(|finding| finding.found).collect()
}

fn armoured(der: &[u8]) -> String {
    let text = BASE64_STANDARD.encode(der);
    format!("-----BEGIN CERTIFICATE-----\n{text}\n-----END CERTIFICATE-----\n")
}

fn unarmoured(pem: &str) -> Vec<u8> {
    use rustls::pki_types::CertificateDer;
    use rustls::pki_types::pem::PemObject;
    CertificateDer::from_pem_slice(pem.as_bytes()).unwrap().to_vec()
}

const CASE: Case<'static> = Case {
    selector: "default",
    domain: "example.com",
    organization: "example.com",
    image: None,
    roots: &[],
    now: Timestamp::from_seconds(1_795_608_000),
};
pub(crate) const IMAGE: &str = "<svg xmlns=\"http://www.w3.org/2000/svg\" version=\"1.2\" \
baseProfile=\"tiny-ps\" viewBox=\"0 0 512 512\" width=\"512\" height=\"512\"><title>Example</title>\
<desc>A square</desc><rect width=\"512\" height=\"512\" fill=\"#0a0\"/></svg>";
pub(crate) const OTHER: &str = "<svg xmlns=\"http://www.w3.org/2000/svg\" version=\"1.2\" \
baseProfile=\"tiny-ps\" viewBox=\"0 0 512 512\" width=\"512\" height=\"512\"><title>Example</title>\
<desc>A square</desc><rect width=\"512\" height=\"512\" fill=\"#00a\"/></svg>";
