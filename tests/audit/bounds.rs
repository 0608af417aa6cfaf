//! Whatever a record or a zone says, judging it ends, within bounds, without a panic.
//!
//! `WAYPOST_LONG` has each property tried on a thousand times as many inputs; `tests/fuzz/run` seeks
//! inputs by what of the source they reach.

use std::{env, fs};

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use waypost::audit::spf::{self, Evaluation, Request, Verdict};
use waypost::audit::{Answer, Published};
use waypost::clock::Timestamp;
use waypost::dns::{Kind, Name, Question};

use crate::held::{self, AnyZone};
use crate::zone::judge;

fn config(cases: u32) -> ProptestConfig {
    let factor = if env::var_os("WAYPOST_LONG").is_some() { 1_000 } else { 1 };
    ProptestConfig { cases: cases * factor, failure_persistence: None, ..ProptestConfig::default() }
}

/// The targets are a project of their own, whose build refuses a lock that is behind.
#[test]
fn the_fuzz_targets_are_locked_to_what_the_project_is_made_of() {
    let read = |file: &str| -> toml::Table { fs::read_to_string(file).unwrap().parse().unwrap() };
    let lock = read("tests/fuzz/Cargo.lock");
    let packages = lock["package"].as_array().unwrap();
    let own = packages.iter().find(|package| package["name"].as_str() == Some("waypost")).unwrap();
    let locked: Vec<_> = own["dependencies"].as_array().unwrap().iter().map(name).collect();
    for needed in read("Cargo.toml")["dependencies"].as_table().unwrap().keys() {
        assert!(
            locked.contains(&needed.as_str()),
            "tests/fuzz/Cargo.lock lacks {needed}: run cargo metadata in tests/fuzz"
        );
    }
}

#[test]
fn no_text_makes_a_reader_panic_and_spans_lie_in_it() {
    proptest!(config(3_000), |(text in any_text())| held::text(&text));
}

#[test]
fn no_bytes_make_the_image_reader_panic_and_spans_lie_in_them() {
    proptest!(config(2_000), |(bytes in any_image())| {
        held::image(&bytes);
    });
}

#[test]
fn an_image_made_to_hurt_is_bounded() {
    let head = "<svg xmlns=\"http://www.w3.org/2000/svg\">";
    let deep = format!("{head}{}{}</svg>", "<g>".repeat(200_000), "</g>".repeat(200_000));
    let wide = format!("{head}{}</svg>", "<script/>".repeat(100_000));
    let attributes: String = (0..50_000).map(|number| format!(" a{number}=\"\"")).collect();
    let entities = format!("<!DOCTYPE a [{}]>{head}</svg>", "<!ENTITY a \"&a;\">".repeat(20_000));
    let mut bomb = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    std::io::copy(&mut std::io::Read::take(std::io::repeat(b' '), 1 << 28), &mut bomb).unwrap();
    for bytes in [
        deep.into_bytes(),
        wide.into_bytes(),
        format!("<svg{attributes}/>").into_bytes(),
        // Within every bound of reading, and at fault everywhere.
        format!("{head}{}</svg>", "<script/>".repeat(5_000)).into_bytes(),
        format!("{}{attributes}/>", head.trim_end_matches('>')).into_bytes(),
        entities.into_bytes(),
        "<!".repeat(300_000).into_bytes(),
        "<!DOCTYPE ".repeat(100_000).into_bytes(),
        bomb.finish().unwrap(),
    ] {
        assert_ne!(held::image(&bytes), 0);
    }
}

#[test]
fn no_zone_makes_an_evaluation_exceed_its_bounds() {
    proptest!(config(3_000), |(zone in any_zone(), request in any_request())| {
        held::zone(&zone, &request);
    });
}

/// A zone without end: each record includes names that nobody has seen before.
#[test]
fn a_zone_without_end_is_left_after_ten_lookups() {
    let request = Request::new([192, 0, 2, 1].into(), "a@example.com", "h.example", NOW);
    for terms in [
        &["include:a.%{d}", "include:b.%{d}"][..],
        &["a:a.%{d}"],
        &["exists:%{p}.a.%{d}"],
        &["mx:%{p}.%{d}"],
        &["ptr:%{p}.%{d}"],
        &["redirect=a.%{d}"],
        &["include:%{d}"],
    ] {
        for repeats in [1, 3, 9, 3_000] {
            let answer = |question: &Question| without_end(question, terms, repeats);
            let mut evaluation = Evaluation::new(request.clone());
            let (outcome, asked) = judge(answer, |answers| evaluation.check(answers));
            held::bounds(&outcome, asked.len());
            let (survey, asked) = judge(answer, |answers| spf::survey("example.com", answers));
            assert!(
                asked.len() <= held::SURVEYED,
                "{terms:?} {repeats}: {} questions",
                asked.len()
            );
            assert!(survey.records.len() <= held::SURVEYED);
        }
    }
}

#[test]
fn a_record_of_the_largest_size_is_judged_whole() {
    let words =
        ["ip4:192.0.2.1 ", "%{ ", "a:%{d}%{d}%{d}%{d}.example ", "x=%{l}%{s} ", "é ", "; = ; "];
    for word in words {
        let text = format!("v=spf1 {}", word.repeat(65_000 / word.len()));
        held::text(&text);
    }
    let sender = format!("{}@example.com", "x.".repeat(500));
    let request = Request::new([192, 0, 2, 1].into(), &sender, &["h"; 5_000].join("."), NOW);
    let long = format!("v=spf1 exists:{}example.com -all", "%{s}.%{h}.".repeat(6_000));
    let answer = |question: &Question| match question.kind {
        Kind::Txt => Answer::Texts(vec![Published::of_strings([&long])]),
        _ => Answer::NoName,
    };
    let mut evaluation = Evaluation::new(request);
    let (outcome, asked) = judge(answer, |answers| evaluation.check(answers));
    let expanded = asked.iter().map(|question| question.name.as_str().len()).max().unwrap();
    assert!((200..=253).contains(&expanded), "{expanded}");
    assert_eq!(outcome.verdict, Verdict::Fail);
}

/// The name of a locked dependency, which a version may follow.
fn name(dependency: &toml::Value) -> &str {
    dependency.as_str().unwrap().split(' ').next().unwrap()
}

/// Texts of all kinds: any characters, and records with words put in, left out and turned round.
fn any_text() -> impl Strategy<Value = String> {
    let word = prop_oneof![
        select(WORDS.to_vec()).prop_map(str::to_owned),
        "[ -~]{0,6}",
        any::<String>().prop_map(|text| text.chars().take(5).collect()),
    ];
    let words = vec(word, 0..30).prop_map(|words| words.concat());
    prop_oneof![
        any::<String>(),
        words.clone(),
        (select(STARTS.to_vec()), words).prop_map(|(a, b)| a.to_owned() + &b)
    ]
}

fn any_image() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        select(PIECES.to_vec()).prop_map(|piece| piece.as_bytes().to_vec()),
        vec(any::<u8>(), 0..4),
    ];
    vec(piece, 0..40).prop_map(|pieces| pieces.concat())
}

fn any_zone() -> impl Strategy<Value = AnyZone> {
    let term = prop_oneof![
        6 => select(TERMS.to_vec()).prop_map(str::to_owned),
        1 => select(WORDS.to_vec()).prop_map(str::to_owned),
    ];
    let record = vec(term, 0..14).prop_map(|terms| format!("v=spf1 {}", terms.join(" ")));
    let policy = select(POLICIES.to_vec()).prop_map(str::to_owned);
    let records = vec(prop_oneof![3 => record, 1 => policy, 1 => any_text()], 1..8);
    (records, any::<usize>()).prop_map(|(records, salt)| AnyZone::new(records, salt))
}

fn any_request() -> impl Strategy<Value = Request> {
    let ip = select(vec!["192.0.2.1", "2001:db8::1", "::ffff:192.0.2.1"]);
    let domain = select(vec!["example.com", "a.b.c.d.e.f.g.h.i.j.example.com", "x", "..", ""]);
    let local = prop_oneof![any::<String>(), Just("user".to_owned()), Just("a.b-c+d".to_owned())];
    (ip, local, domain, any::<String>()).prop_map(|(ip, local, domain, helo)| {
        Request::new(ip.parse().unwrap(), &format!("{local}@{domain}"), &helo, NOW)
    })
}

fn without_end(question: &Question, terms: &[&str], repeats: usize) -> Answer {
    let name = question.name.as_str();
    match question.kind {
        Kind::Txt => {
            let terms: Vec<_> = (0..repeats)
                .flat_map(|at| {
                    terms.iter().map(move |t| t.replacen("%{d}", &format!("n{at}.{name}"), 1))
                })
                .collect();
            Answer::Texts(vec![Published::of_strings([format!("v=spf1 {}", terms.join(" "))])])
        }
        Kind::Mx => Answer::Exchanges(
            (0..50).map(|at| Name::parse(&format!("m{at}.example")).unwrap()).collect(),
        ),
        Kind::Ptr => Answer::Names(
            (0..50).map(|at| Name::parse(&format!("p{at}.example")).unwrap()).collect(),
        ),
        Kind::A => Answer::Addresses(vec![[192, 0, 2, 99].into()]),
        _ => Answer::NoName,
    }
}

const NOW: Timestamp = Timestamp::from_seconds(1_795_000_000);
const STARTS: [&str; 9] = [
    "v=spf1 ",
    "v=DKIM1; ",
    "v=DMARC1; ",
    "v=BIMI1; ",
    "0 issue \"",
    "spf2.0/pra ",
    "\"v=spf1\" \"",
    "k=ed25519; p=",
    "v = DMARC1 ;",
];
const WORDS: [&str; 48] = [
    " ",
    ";",
    "=",
    ":",
    "/",
    "//",
    "%",
    "%{",
    "}",
    "\"",
    "\\",
    "é",
    "a",
    "mx",
    "all",
    "-all",
    "+all",
    "include:",
    "ip4:",
    "ip6:",
    "192.0.2.1",
    "0.0.0.0/0",
    "2001:db8::/32",
    "/33",
    "exists:",
    "ptr",
    "redirect=",
    "exp=",
    "%{d}",
    "%{l2r-+}",
    "%{p}",
    "%%",
    ".example.com",
    "example",
    "p=",
    "sp=",
    "np=",
    "reject",
    "none",
    "rua=",
    "mailto:",
    "a@b.example",
    ",",
    "!10m",
    "MFwwDQYJKoZIhvcNAQEB",
    "l=https://example.com/a.svg",
    "t=y:s",
    "accounturi=https://ca.example/1",
];
const TERMS: [&str; 22] = [
    "a",
    "mx",
    "ptr",
    "a:a.example.com",
    "mx:b.example.com/24//64",
    "ptr:example.com",
    "include:a.example.com",
    "include:b.example.com",
    "?include:c.example.com",
    "exists:%{i}.x.example.com",
    "exists:%{p}.x.example.com",
    "ip4:192.0.2.0/31",
    "-ip4:192.0.2.1",
    "ip6:2001:db8::/32",
    "redirect=d.example.com",
    "redirect=%{d}",
    "exp=e.example.com",
    "exp=%{p}.example.com",
    "-all",
    "~all",
    "include:%{d2}",
    "a:%{l}.%{h}.example.com",
];
const POLICIES: [&str; 6] = [
    "v=DMARC1; p=reject; rua=mailto:a@a.example,mailto:b@b.example,mailto:c@c.d.e.example",
    "v=DMARC1; p=none; psd=n",
    "v=DMARC1; p=none; psd=y; sp=reject; np=reject",
    "v=DMARC1; p=reject; sp=quarantin",
    "v=BIMI1; l=https://example.com/a.svg",
    "%{s} %{p} %{c} is not allowed",
];
const PIECES: [&str; 30] = [
    "<svg xmlns=\"http://www.w3.org/2000/svg\" version=\"1.2\" baseProfile=\"tiny-ps\">",
    "</svg>",
    "<title>",
    "</title>",
    "<g>",
    "</g>",
    "<rect/>",
    "<script>",
    "</script>",
    "<!DOCTYPE svg",
    "[",
    "]",
    ">",
    "<!ENTITY a \"b\">",
    "<!--",
    "-->",
    "&a;",
    "&lt;",
    "<?a b?>",
    " onclick=\"x\"",
    "<rect fill=\"url(#a)\"/>",
    "<a href=\"x\">",
    "</a>",
    "\n",
    "é",
    "<",
    "\"",
    "'",
    "viewBox=\"0 0 1 1\"",
    "<rect width=\"1e999\" height=\"NaN\"/>",
];
