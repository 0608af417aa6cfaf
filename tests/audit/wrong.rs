//! Where other tools are wrong, each fault as a test that ours does not have it.

use waypost::audit::spf::{self, Evaluation, Request, Verdict};
use waypost::audit::{Draft, DraftKind, Finding, Published, Severity, dkim, dmarc, svg};
use waypost::clock::Timestamp;

use crate::zone::Zone;

fn of(kind: DraftKind, record: &str) -> Vec<Finding> {
    Draft::judge(record, Some(kind)).unwrap().findings
}

fn spf_of(record: &str) -> Vec<Finding> {
    of(DraftKind::Spf, record)
}

fn has(findings: &[Finding], rule: &str, severity: Severity) -> bool {
    findings.iter().any(|finding| finding.rule.id == rule && finding.severity == severity)
}

fn check(ip: &str, zone: &str) -> spf::Outcome {
    let request =
        Request::new(ip.parse().unwrap(), "a@example.com", "h.example", Timestamp::default());
    let mut evaluation = Evaluation::new(request);
    Zone::parse(zone).judge(|answers| evaluation.check(answers)).0
}

#[test]
fn a_time_out_inside_an_include_is_not_an_absence() {
    let zone = "example.com TXT 'v=spf1 include:a.example -all'\na.example TXT TIMEOUT";
    assert_eq!(check("192.0.2.1", zone).verdict, Verdict::TempError);
    let (survey, _) = Zone::parse(zone).judge(|answers| spf::survey("example.com", answers));
    assert!(has(&survey.findings, "S11", Severity::Unknown), "{:#?}", survey.findings);
    assert!(!survey.findings.iter().any(Finding::is_error), "{:#?}", survey.findings);
    let (selection, _) = Zone::parse(zone).judge(|answers| spf::select("example.com", answers));
    assert!(selection.record().is_some() && selection.findings.is_empty());
}

#[test]
fn an_error_behind_all_is_an_error() {
    assert!(has(&spf_of("v=spf1 -all ip4:192.0.2.256"), "S05", Severity::Error));
    let zone = "example.com TXT 'v=spf1 +all ip4:192.0.2.256'";
    assert_eq!(check("192.0.2.1", zone).verdict, Verdict::PermError);
}

#[test]
fn the_version_has_no_case() {
    assert!(!spf_of("v=SpF1 ip4:198.51.101.0/24 -all").iter().any(Finding::is_error));
    assert_eq!(check("192.0.2.1", "example.com TXT 'v=SpF1 -all'").verdict, Verdict::Fail);
}

#[test]
fn what_lets_everybody_send_is_never_passed_in_silence() {
    assert!(has(&spf_of("v=spf1 +all"), "S13", Severity::Error));
    assert!(has(&spf_of("v=spf1 ?all"), "S14", Severity::Weak));
    assert!(has(&spf_of("v=spf1 mx"), "S14", Severity::Weak));
    assert!(has(&spf_of("v=spf1 ip4:0.0.0.0/0 -all"), "S13", Severity::Error));
    let zone = "example.com TXT 'v=spf1 include:a.example -all'\na.example TXT 'v=spf1 +all'";
    let (survey, _) = Zone::parse(zone).judge(|answers| spf::survey("example.com", answers));
    assert!(has(&survey.findings, "S13", Severity::Error), "{:#?}", survey.findings);
}

#[test]
fn the_real_form_of_sender_id_is_seen() {
    assert!(has(&spf_of("spf2.0/pra include:spf.aksend.net -all"), "I01", Severity::Note));
}

#[test]
fn the_malformed_sample_is_in_force_and_its_report_address_is_missed() {
    let sample = "v=DMARC1; p=reject; sp=reject; mailto:report@example.com";
    let draft = Draft::judge(sample, None).unwrap();
    assert_eq!(draft.kind, DraftKind::Dmarc);
    let record = dmarc::read(sample).unwrap();
    assert!(record.applies && record.rua.is_empty());
    assert_eq!(record.of_domain(), dmarc::Policy::Reject);
    assert_eq!(record.of_subdomains(), dmarc::Policy::Reject);
    let lost = draft.findings.iter().find(|finding| finding.rule.id == "D05").unwrap();
    assert_eq!(lost.severity, Severity::Error);
    assert_eq!(lost.at.unwrap().of(sample), "mailto:report@example.com");
    assert_eq!(
        lost.record.as_deref(),
        Some("v=DMARC1; p=reject; sp=reject; rua=mailto:report@example.com")
    );
}

#[test]
fn an_unrelated_text_beside_a_policy_does_not_void_it() {
    let zone = Zone::parse(
        "_dmarc.example.com TXT 'v=DMARC1; p=reject'\n_dmarc.example.com TXT 'verification=1'",
    );
    let (found, _) = zone.judge(|answers| dmarc::discover("example.com", answers));
    assert_eq!(found.policy, Some(dmarc::Policy::Reject));
    assert!(
        has(&found.findings, "D19", Severity::Note)
            && !found.findings.iter().any(Finding::is_error)
    );
}

#[test]
fn what_acts_in_an_image_is_refused() {
    for inside in [
        "<script>x()</script>",
        "<image href=\"https://example.com/a.png\"/>",
        "<rect><animate attributeName=\"x\"/></rect>",
        "<rect onclick=\"x()\"/>",
        "<foreignObject><p xmlns=\"http://www.w3.org/1999/xhtml\"/></foreignObject>",
    ] {
        let text = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" version=\"1.2\" baseProfile=\"tiny-ps\"><title>a</title>{inside}</svg>"
        );
        let (_, findings) = svg::judge(svg::Image::read(text.as_bytes()));
        assert!(has(&findings, "B14", Severity::Error), "{inside} {findings:#?}");
    }
}

#[test]
fn a_key_is_present_only_at_its_own_name() {
    let zone = Zone::parse("_domainkey.example.com TXT 'o=-;'");
    let ((key, findings), _) = zone.judge(|answers| dkim::select("ak", "example.com", answers));
    assert_eq!(key, None);
    assert!(has(&findings, "K01", Severity::Error));
}

#[test]
fn strings_are_joined_with_nothing_between() {
    let published = Published::of_strings(["v=spf1 ip4:192.0.", "2.1 -all"]);
    assert_eq!(published.text(), "v=spf1 ip4:192.0.2.1 -all");
    let zone = "example.com TXT 'v=spf1 ip4:192.0.' '2.1 -all'";
    assert_eq!(check("192.0.2.1", zone).verdict, Verdict::Pass);
}

#[test]
fn an_explanation_is_no_lookup_and_redirect_is_void_beside_all() {
    let zone = "example.com TXT 'v=spf1 redirect=a.example -all exp=b.example'\nb.example TXT 'no'";
    let outcome = check("192.0.2.1", zone);
    assert_eq!((outcome.verdict, outcome.lookups), (Verdict::Fail, 0));
    assert_eq!(outcome.explanation.as_deref(), Some("no"));
    assert!(has(&spf_of("v=spf1 redirect=a.example -all"), "S16", Severity::Weak));
    let (survey, asked) = Zone::parse(zone).judge(|answers| spf::survey("example.com", answers));
    assert_eq!((survey.lookups, asked.len()), (0, 1));
}
