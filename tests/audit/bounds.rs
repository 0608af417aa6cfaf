//! Whatever a record or a zone says, judging it ends, within bounds, without a panic.
//!
//! `WAYPOST_LONG` has each property tried on a thousand times as many inputs.

use std::env;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use waypost::audit::spf::{self, Evaluation, Outcome, Request, Verdict};
use waypost::audit::{
    Answer, Draft, DraftKind, Finding, Published, bimi, caa, dkim, dmarc, shown, svg,
};
use waypost::clock::Timestamp;
use waypost::dns::{Failure, Kind, Name, Question};

use crate::zone::judge;

fn config(cases: u32) -> ProptestConfig {
    let factor = if env::var_os("WAYPOST_LONG").is_some() { 1_000 } else { 1 };
    ProptestConfig { cases: cases * factor, failure_persistence: None, ..ProptestConfig::default() }
}

#[test]
fn no_text_makes_a_reader_panic_and_spans_lie_in_it() {
    proptest!(config(3_000), |(text in any_text())| {
        for kind in KINDS {
            let draft = Draft::judge(&text, Some(kind)).unwrap();
            lie_in(&draft.text, &draft.findings)?;
            prop_assert!(draft.json().is_object());
        }
        let published = Published::of_input(&text);
        lie_in(published.text(), &spf::judge(&published))?;
        lie_in(published.text(), &dkim::judge(&published, dkim::Signer::default()).1)?;
        lie_in(published.text(), &dmarc::judge(&published).1)?;
        lie_in(published.text(), &bimi::judge(&published).1)?;
        lie_in(&text, &caa::judge(&text).1)?;
        prop_assert_eq!(spf::read(&text).faults.is_empty(), spf::read(&text).faults.is_empty());
    });
}

#[test]
fn no_bytes_make_the_image_reader_panic_and_spans_lie_in_them() {
    proptest!(config(2_000), |(bytes in any_image())| {
        let (image, findings) = svg::judge(svg::Image::read(&bytes));
        lie_in(&image.text, &findings)?;
        prop_assert!(findings.len() <= 210, "{}", findings.len());
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
        entities.into_bytes(),
        "<!".repeat(300_000).into_bytes(),
        "<!DOCTYPE ".repeat(100_000).into_bytes(),
        bomb.finish().unwrap(),
    ] {
        let (image, findings) = svg::judge(svg::Image::read(&bytes));
        assert!(!findings.is_empty() && findings.len() <= 210, "{}", findings.len());
        assert!(findings.iter().all(|finding| place_is_fine(&image.text, finding)));
    }
}

#[test]
fn no_zone_makes_an_evaluation_exceed_its_bounds() {
    proptest!(config(3_000), |(zone in any_zone(), request in any_request())| {
        let answer = |question: &Question| zone.answer(question);
        let mut evaluation = Evaluation::new(request.clone());
        let (outcome, asked) = judge(answer, |answers| evaluation.check(answers));
        is_bounded(&outcome, asked.len())?;
        let domain = request.domain.as_str();
        let (survey, asked) = judge(answer, |answers| spf::survey(domain, answers));
        prop_assert!(asked.len() <= SURVEYED, "{} questions", asked.len());
        prop_assert!(survey.records.len() <= SURVEYED);
        let (discovery, asked) = judge(answer, |answers| dmarc::discover(domain, answers));
        let walked = asked.iter().filter(|q| q.name.as_str().starts_with("_dmarc.")).count();
        prop_assert!(walked <= 8 && asked.len() <= 9, "{asked:?}");
        if let (Some(record), Some(at)) = (&discovery.record, &discovery.found_at) {
            let (_, asked) = judge(answer, |answers| dmarc::reports(at, record, answers));
            prop_assert!(asked.len() <= 8 + 10 * 10, "{} questions", asked.len());
        }
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
            is_bounded(&outcome, asked.len()).unwrap();
            let (survey, asked) = judge(answer, |answers| spf::survey("example.com", answers));
            assert!(asked.len() <= SURVEYED, "{terms:?} {repeats}: {} questions", asked.len());
            assert!(survey.records.len() <= SURVEYED);
        }
    }
}

#[test]
fn a_record_of_the_largest_size_is_judged_whole() {
    let words =
        ["ip4:192.0.2.1 ", "%{ ", "a:%{d}%{d}%{d}%{d}.example ", "x=%{l}%{s} ", "é ", "; = ; "];
    for word in words {
        let text = format!("v=spf1 {}", word.repeat(65_000 / word.len()));
        for kind in KINDS {
            let draft = Draft::judge(&text, Some(kind)).unwrap();
            assert!(draft.findings.iter().all(|finding| place_is_fine(&draft.text, finding)));
        }
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

fn is_bounded(outcome: &Outcome, asked: usize) -> Result<(), TestCaseError> {
    prop_assert!(asked <= ASKED, "{asked} questions");
    prop_assert!(outcome.lookups <= 10 && outcome.voids <= 3);
    prop_assert!(outcome.steps.len() <= 1_000);
    prop_assert!(outcome.steps.iter().all(|step| step.depth <= 10));
    prop_assert!(outcome.explanation.as_ref().is_none_or(|text| text.len() <= 4_096));
    prop_assert!(outcome.explanation.is_none() || outcome.verdict == Verdict::Fail);
    Ok(())
}

fn lie_in(text: &str, findings: &[Finding]) -> Result<(), TestCaseError> {
    for finding in findings {
        prop_assert!(place_is_fine(text, finding), "{:?} of {:?}", finding, text);
    }
    Ok(())
}

fn place_is_fine(text: &str, finding: &Finding) -> bool {
    let Some(span) = finding.at else { return true };
    let shown = shown(text, span, 64);
    text.get(span.start..span.end).is_some()
        && shown.line.chars().count() <= 64
        && shown.marks.chars().count() <= 65
        && !shown.line.chars().any(char::is_control)
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

/// What a zone answers, chosen by the question: the same to the same one.
#[derive(Clone, Debug)]
struct AnyZone {
    records: Vec<String>,
    salt: usize,
}

impl AnyZone {
    fn answer(&self, question: &Question) -> Answer {
        let mut chance = self.salt;
        for byte in question.name.as_str().bytes().chain([question.kind as u8]) {
            chance = chance.wrapping_mul(31).wrapping_add(usize::from(byte));
        }
        let name = |number: usize| Name::parse(NAMES[number % NAMES.len()]).unwrap();
        match (chance % 10, question.kind) {
            (0, _) => Answer::NoName,
            (1, _) => Answer::NoData,
            (2, _) => Answer::Failed(Failure::TimedOut),
            (_, Kind::Txt) => {
                let count = 1 + usize::from(chance.is_multiple_of(7));
                let texts =
                    (0..count).map(|at| &self.records[(chance / 11 + at) % self.records.len()]);
                Answer::Texts(texts.map(|text| Published::of_strings([text])).collect())
            }
            (_, Kind::A) => Answer::Addresses(vec![[192, 0, 2, (chance % 3) as u8].into()]),
            (_, Kind::Aaaa) => Answer::Addresses(vec!["2001:db8::1".parse().unwrap()]),
            (_, Kind::Mx) => {
                Answer::Exchanges((0..chance % 14).map(|at| name(chance + at)).collect())
            }
            (_, _) => Answer::Names((0..chance % 14).map(|at| name(chance + at)).collect()),
        }
    }
}

fn any_zone() -> impl Strategy<Value = AnyZone> {
    let term = prop_oneof![
        6 => select(TERMS.to_vec()).prop_map(str::to_owned),
        1 => select(WORDS.to_vec()).prop_map(str::to_owned),
    ];
    let record = vec(term, 0..14).prop_map(|terms| format!("v=spf1 {}", terms.join(" ")));
    let policy = select(POLICIES.to_vec()).prop_map(str::to_owned);
    let records = vec(prop_oneof![3 => record, 1 => policy, 1 => any_text()], 1..8);
    (records, any::<usize>()).prop_map(|(records, salt)| AnyZone { records, salt })
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

/// Eleven records, ten times ten addresses, the client's names with their addresses, the
/// explanation.
const ASKED: usize = 11 + 10 * 11 + 11 + 1;
/// A survey asks for what it includes and looks up, twenty lookups a round of eleven.
const SURVEYED: usize = 250;
const NOW: Timestamp = Timestamp::from_seconds(1_795_000_000);
const KINDS: [DraftKind; 5] =
    [DraftKind::Spf, DraftKind::Dkim, DraftKind::Dmarc, DraftKind::Bimi, DraftKind::Caa];
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
    "%{l1r+-}",
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
const NAMES: [&str; 6] =
    ["a.example.com", "b.example.com", "example.com", "mx.example.net", ".", "x.y.z.example"];
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
