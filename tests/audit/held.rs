//! What holds of every judgement, whatever is judged: it panics where it does not. For inputs that
//! are drawn by chance, and for those that a fuzzer seeks.

use waypost::audit::mark_certificate::{self, Case};
use waypost::audit::spf::{self, Evaluation, Outcome, Request, Verdict};
use waypost::audit::{
    Answer, Draft, DraftKind, Finding, Published, bimi, caa, dkim, dmarc, mta_sts, shown, svg,
};
use waypost::clock::Timestamp;
use waypost::dns::{Failure, Kind, Name, Question};

use crate::zone::judge;

/// Of a text that may be a record of any kind.
pub(crate) fn text(text: &str) {
    policy(text);
    for kind in KINDS {
        let draft = Draft::judge(text, Some(kind)).unwrap();
        places(&draft.text, &draft.findings);
        assert!(draft.json().is_object());
    }
    let published = Published::of_input(text);
    places(published.text(), &spf::judge(&published));
    places(published.text(), &dkim::judge(&published, dkim::Signer::default()).1);
    places(published.text(), &dmarc::judge(&published).1);
    places(published.text(), &bimi::judge(&published).1);
    places(text, &caa::judge(text).1);
}

/// Of a file that may be an image; returns how many findings there are.
pub(crate) fn image(bytes: &[u8]) -> usize {
    let (image, findings) = svg::judge(svg::Image::read(bytes));
    places(&image.text, &findings);
    assert!(findings.len() <= 210, "{}", findings.len());
    findings.len()
}

/// Of a file that may be a mark certificate; returns how many findings there are.
pub(crate) fn mark(bytes: &[u8]) -> usize {
    let root = [bytes.to_vec()];
    let case = Case {
        selector: "default",
        domain: "example.com",
        organization: "example.com",
        image: Some(bytes),
        roots: &root,
        now: Timestamp::from_seconds(1_795_000_000),
    };
    let findings = mark_certificate::judge(bytes, &case);
    assert!(findings.len() <= 40, "{}", findings.len());
    assert!(findings.iter().all(|finding| finding.at.is_none()));
    findings.len()
}

/// Of a text that may be a policy for TLS.
fn policy(text: &str) {
    let hosts = ["mail.example.com".to_owned()];
    let (policy, findings) = mta_sts::judge(text, &hosts);
    assert!(policy.is_some() || !findings.is_empty());
    assert!(findings.len() <= 3 && policy.is_none_or(|policy| policy.hosts.len() <= 100));
}

/// Of a zone, and of a check in it.
pub(crate) fn zone(zone: &AnyZone, request: &Request) {
    let answer = |question: &Question| zone.answer(question);
    let mut evaluation = Evaluation::new(request.clone());
    let (outcome, asked) = judge(answer, |answers| evaluation.check(answers));
    bounds(&outcome, asked.len());
    let domain = request.domain.as_str();
    let (survey, asked) = judge(answer, |answers| spf::survey(domain, answers));
    assert!(asked.len() <= SURVEYED, "{} questions", asked.len());
    assert!(survey.records.len() <= SURVEYED);
    let (discovery, asked) = judge(answer, |answers| dmarc::discover(domain, answers));
    // Eight for the walk, and one for whether the domain exists, which may itself begin so.
    let walked = asked.iter().filter(|q| q.name.as_str().starts_with("_dmarc."));
    let walked = walked.filter(|q| !q.name.as_str().eq_ignore_ascii_case(domain)).count();
    assert!(walked <= 8 && asked.len() <= 9, "{asked:?}");
    if let (Some(record), Some(at)) = (&discovery.record, &discovery.found_at) {
        let (_, asked) = judge(answer, |answers| dmarc::reports(at, record, answers));
        assert!(asked.len() <= 8 + 10 * 10, "{} questions", asked.len());
    }
}

/// Of the outcome of a check that took this many questions.
pub(crate) fn bounds(outcome: &Outcome, asked: usize) {
    assert!(asked <= ASKED, "{asked} questions");
    assert!(outcome.lookups <= 10 && outcome.voids <= 3);
    assert!(outcome.steps.len() <= 1_000);
    assert!(outcome.steps.iter().all(|step| step.depth <= 10));
    assert!(outcome.explanation.as_ref().is_none_or(|text| text.len() <= 4_096));
    assert!(outcome.explanation.is_none() || outcome.verdict == Verdict::Fail);
}

fn places(text: &str, findings: &[Finding]) {
    for finding in findings {
        let Some(span) = finding.at else { continue };
        let shown = shown(text, span, 64);
        let is_fine = text.get(span.start..span.end).is_some()
            && shown.line.chars().count() <= 64
            && shown.marks.chars().count() <= 65
            && !shown.line.chars().any(char::is_control);
        assert!(is_fine, "{finding:?} of {text:?}");
    }
}

/// What a zone answers, chosen by the question: the same to the same one.
#[derive(Clone, Debug)]
pub(crate) struct AnyZone {
    records: Vec<String>,
    salt: usize,
}

impl AnyZone {
    /// A zone with these records, at least one, under names that the salt chooses.
    pub(crate) fn new(records: Vec<String>, salt: usize) -> Self {
        Self { records, salt }
    }

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

/// Eleven records, ten times ten addresses, the client's names with their addresses, the
/// explanation.
const ASKED: usize = 11 + 10 * 11 + 11 + 1;
/// A survey asks for what it includes and looks up, twenty lookups a round of eleven.
pub(crate) const SURVEYED: usize = 250;
const KINDS: [DraftKind; 5] =
    [DraftKind::Spf, DraftKind::Dkim, DraftKind::Dmarc, DraftKind::Bimi, DraftKind::Caa];
const NAMES: [&str; 6] =
    ["a.example.com", "b.example.com", "example.com", "mx.example.net", ".", "x.y.z.example"];
