//! Findings of whole domains that only rare zones bring about, and the bounds of what is told.

use waypost::audit::spf::{self, Evaluation, Request, Verdict};
use waypost::clock::Timestamp;

use crate::dns::{DnsServer, Fault, Kind, a, caa, mx, txt};
use crate::scene::{Scene, alias_is, findings, published, spf_is};
use crate::zone::Zone;

/// What is done to a scene, its expectations, and how the finding of a rule is told then.
type Corner = (fn(&DnsServer), &'static str, &'static str, &'static str, &'static str);

#[test]
fn what_only_rare_zones_bring_about_is_told_too() {
    for (change, expect, rule, severity, words) in CORNERS {
        let scene = published();
        scene.with(expect);
        change(&scene.server);
        told(&scene, rule, severity, words);
    }
}

#[test]
fn a_server_alone_is_a_weakness() {
    let scene = Scene::over(DnsServer::start(1));
    told(&scene, "X04", "weak", "one server alone");
}

fn told(scene: &Scene, rule: &str, severity: &str, words: &str) {
    let report = scene.json("example.com");
    let is_told = |finding: &&serde_json::Value| {
        finding["rule"] == rule && finding["found"].as_str().unwrap().contains(words)
    };
    let finding = findings(&report).find(is_told).unwrap_or_else(|| panic!("{rule} {words}"));
    assert_eq!(finding["severity"], severity, "{finding:#}");
}

const CORNERS: &[Corner] = &[
    (
        |_| {},
        "mail_from = \"p.example\"\ndkim_d = \"p.example\"",
        "D16",
        "error",
        "a signature at p.example does not align",
    ),
    (
        |dns| dns.fault("_dmarc.p.example", Fault::ServFail),
        "mail_from = \"p.example\"",
        "D16",
        "unknown",
        "whether the platform's mail aligns",
    ),
    (
        |dns| {
            spf_is(dns, &["v=spf1 include:slow.example include:spf.aksend.net -all"]);
            dns.fault("slow.example", Fault::ServFail);
        },
        "",
        "S04",
        "unknown",
        "temperror",
    ),
    (
        |dns| {
            alias_is(dns, "other.example.net");
            dns.add("other.example.net", a([198, 51, 103, 1]));
        },
        "",
        "T01",
        "error",
        "other.example.net (198.51.103.1) is not the platform's",
    ),
    (
        |dns| {
            alias_is(dns, "other.example.net");
            dns.add("other.example.net", mx(1, "mail.example.com"));
        },
        "",
        "T01",
        "error",
        "other.example.net has no address",
    ),
    (|_| {}, "mail_from = \"p.example\"", "D16", "weak", "DKIM stands alone"),
    (|_| {}, "mail_from = \"p.example\"", "S26", "weak", "the return path is at p.example"),
    (|_| {}, "dkim_d = \"p.example\"", "D16", "weak", "SPF stands alone"),
    (|dns| dns.fault("example.com", Fault::ServFailFor(Kind::MX)), "", "X01", "unknown", "MX of"),
    (|dns| dns.fault("_mta-sts.example.com", Fault::ServFail), "", "X02", "unknown", "TXT of"),
    (|dns| dns.fault("_smtp._tls.example.com", Fault::ServFail), "", "X03", "unknown", "TXT of"),
    (|dns| dns.fault("example.com", Fault::ServFailFor(Kind::DS)), "", "X05", "unknown", "DS"),
    (|dns| dns.fault("spf.aksend.net", Fault::ServFail), "", "S04", "unknown", "are not known"),
    (|dns| dns.fault("trk.example.com", Fault::ServFail), "", "T01", "unknown", "is not known"),
    (
        |dns| {
            dns.add(
                "example.com",
                caa(0, "issue", "letsencrypt.org; accounturi=https://a.example/1"),
            )
        },
        "",
        "T05",
        "note",
        "names an account; ours is not configured",
    ),
    (|dns| dns.remove("_dmarc.example.com"), "", "B07", "error", "no DMARC policy for"),
    (
        |dns| {
            let policy = "v=DMARC1; p=reject; rua=mailto:a@example.com";
            dns.remove("_dmarc.example.com");
            dns.add("example.com", txt(&[policy]));
        },
        "",
        "D18",
        "weak",
        "a DMARC record at example.com itself",
    ),
    (
        |dns| dns.add("ak._domainkey.example.com", txt(&["v=DKIM1; p="])),
        "",
        "K01",
        "error",
        "2 TXT records",
    ),
    (
        |dns| {
            for number in 0..12 {
                dns.add("example.com", txt(&[&format!("{number}{}", "x".repeat(120))]));
            }
        },
        "",
        "S21",
        "weak",
        "TXT records of about",
    ),
];

#[test]
fn the_steps_that_are_told_are_bounded_and_the_others_counted() {
    let terms: Vec<_> = (0..1_200).map(|n| format!("ip4:198.51.{}.{}", n / 200, n % 200)).collect();
    let zone = Zone::parse(&format!("example.com TXT 'v=spf1 {} -all'", terms.join(" ")));
    let request = Request::new([192, 0, 2, 1].into(), "a@example.com", "h.example", NOW);
    let mut evaluation = Evaluation::new(request);
    let (outcome, _) = zone.judge(|answers| evaluation.check(answers));
    assert_eq!(outcome.verdict, Verdict::Fail);
    assert_eq!((outcome.steps.len(), outcome.untold), (1_000, 201));
}

#[test]
fn a_survey_follows_twenty_lookups_and_counts_the_others() {
    for (count, followed) in [(10, 10), (20, 20), (25, 20)] {
        let names: Vec<_> = (0..count).map(|number| format!("include:i{number}.example")).collect();
        let mut lines = vec![format!("example.com TXT 'v=spf1 {} -all'", names.join(" "))];
        lines.extend(
            (0..count).map(|n| format!("i{n}.example TXT 'v=spf1 ip4:198.51.100.{n} -all'")),
        );
        let zone = Zone::parse(&lines.join("\n"));
        let (survey, asked) = zone.judge(|answers| spf::survey("example.com", answers));
        assert_eq!(survey.lookups, count);
        let includes = asked.iter().filter(|asked| asked.kind == waypost::dns::Kind::Txt);
        assert_eq!(includes.count(), followed + 1);
    }
}

const NOW: Timestamp = Timestamp::from_seconds(1_795_000_000);
