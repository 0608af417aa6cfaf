//! Whole domains over the tests' own server: what the command tells, and what it costs.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::dns::{DnsServer, Fault, a, caa, cname, ds, mx, spf, txt};
use crate::scene::{OWN, SHARED, alias_is, finding, findings, paste, published, spf_is};

#[test]
fn the_published_records_get_the_report_that_they_deserve() {
    let scene = published();
    let ended = scene.audit(&["example.com", "--depth", "core"]);
    assert_eq!(ended.out, crate::expected::PUBLISHED, "{}", ended.err);
    assert_eq!(ended.code, 1);
}

#[test]
fn a_healthy_domain_costs_what_is_promised() {
    let scene = published();
    scene.server.remove("_dmarc.example.com");
    scene
        .server
        .add("_dmarc.example.com", txt(&["v=DMARC1; p=reject; rua=mailto:report@example.com"]));
    for (depth, most) in [("core", 6), ("usual", 15), ("full", 30)] {
        // What other domains share is asked before it.
        scene.server.asked();
        let ended = scene.audit(&["example.com", "--depth", depth, "--trace"]);
        assert_eq!(ended.code, 0, "{}", ended.out);
        let shared = ["spf.aksend.net", "_dmarc.com", "com"];
        let asked = scene.server.asked();
        let own = asked.iter().filter(|asked| !shared.contains(&asked.name.as_str())).count();
        assert!(own <= most, "{depth}: {own}\n{asked:#?}");
        let cost = ended.out.lines().last().unwrap();
        assert!(cost.starts_with("questions: "), "{cost}");
        let told: usize = cost.split(' ').nth(1).unwrap().parse().unwrap();
        assert!(told <= own, "{depth}: told {told}, asked {own}");
        let lines = ended.out.lines().filter(|line| line.contains(" ms  ")).count();
        assert!(lines >= told, "{}", ended.out);
    }
}

#[test]
fn what_is_to_be_pasted_passes_our_own_audit() {
    for (change, rule) in REPAIRS {
        let scene = published();
        change(&scene.server);
        let report = scene.json("example.com");
        let finding = finding(&report, rule).unwrap_or_else(|| panic!("{rule}: {report:#}"));
        let record = finding["record"].as_str().unwrap_or_else(|| panic!("{rule}: {finding:#}"));
        let (name, kind) = (finding["name"].as_str().unwrap(), finding["type"].as_str().unwrap());
        paste(&scene.server, name, kind, record);
        let again = scene.json("example.com");
        assert!(
            self::finding(&again, rule).is_none(),
            "{rule}: {record}\n{:#}",
            self::finding(&again, rule).unwrap_or_default()
        );
    }
}

type Change = fn(&DnsServer);

/// What goes wrong, and the rule whose record mends it.
const REPAIRS: &[(Change, &str)] = &[
    (|dns| spf_is(dns, &["v=spf1 ip4:198.51.101.9 a:mail.example.com -all"]), "S04"),
    (|dns| spf_is(dns, &["v=spf1 -all include:spf.aksend.net"]), "S04"),
    (|dns| spf_is(dns, &["v=spf1 -include:spf.aksend.net ~all"]), "S04"),
    (
        |dns| spf_is(dns, &["v=spf1 ip4:198.51.101.9 ~all", "v=spf1 include:spf.aksend.net -all"]),
        "S01",
    ),
    (|dns| spf_is(dns, &[]), "S01"),
    (|dns| spf_is(dns, &["v=spf1 include:spf.aksend.net +all"]), "S13"),
    (|dns| spf_is(dns, &["v=spf1 include:spf.aksend.net"]), "S14"),
    (|_| {}, "D05"),
    (|dns| dns.remove("_dmarc.example.com"), "D01"),
    (|dns| dns.remove("ak._domainkey.example.com"), "K01"),
    (
        |dns| {
            dns.remove("ak._domainkey.example.com");
            dns.add("ak._domainkey.example.com", cname("gone.example.com"));
        },
        "K02",
    ),
    (|dns| dns.remove("trk.example.com"), "T01"),
    (|dns| alias_is(dns, "other.example.net"), "T01"),
    (|dns| dns.add("example.com", caa(0, "issue", "other.example")), "T03"),
];

#[test]
fn each_fault_is_told_by_its_rule_and_who_acts() {
    for (change, rule, severity, who) in FAULTS {
        let scene = published();
        change(&scene.server);
        let report = scene.json("example.com");
        let finding = finding(&report, rule).unwrap_or_else(|| panic!("{rule}: {report:#}"));
        assert_eq!(finding["severity"], *severity, "{rule}: {finding:#}");
        assert_eq!(finding["who"], *who, "{rule}: {finding:#}");
    }
    let scene = published();
    let report = scene.json("example.com");
    for (_, rule, ..) in FAULTS {
        assert!(finding(&report, rule).is_none(), "{rule} is told of a domain without the fault");
    }
}

/// What is wrong, and how it is told.
const FAULTS: &[(Change, &str, &str, &str)] = &[
    (|dns| spf_is(dns, &["v=spf1 mx -all"]), "S04", "error", "customer"),
    (|dns| dns.remove("spf.aksend.net"), "S04", "error", "platform"),
    (|dns| dns.add("example.com", cname("www.example.com")), "S23", "error", "customer"),
    (
        |dns| {
            dns.add("example.com", ds());
            dns.fault("_dmarc.example.com", Fault::Bogus);
        },
        "T06",
        "error",
        "customer",
    ),
    (|dns| dns.fault("_dmarc.example.com", Fault::Bogus), "T06", "unknown", "nobody"),
    (|dns| dns.fault("_dmarc.example.com", Fault::ServFail), "T06", "unknown", "nobody"),
    (|dns| dns.add("example.com", spf("v=spf1 -all")), "S20", "note", "nobody"),
    (
        |dns| {
            dns.change_at(2, |records| records.add("example.com", txt(&["v=spf1 +all"])));
        },
        "S24",
        "weak",
        "customer",
    ),
    (|dns| dns.add("*._domainkey.example.com", txt(&["v=spf1 -all"])), "K16", "weak", "customer"),
    (
        |dns| {
            let key = format!("v=DKIM1; k=rsa; p={SHARED}");
            dns.remove("ak._domainkey.example.com");
            dns.add("ak._domainkey.example.com.example.com", txt(&[&key]));
        },
        "K15",
        "weak",
        "customer",
    ),
    (|dns| strays(dns, "example.com"), "K15", "weak", "customer"),
    (|dns| strays(dns, "ak.domainkey.example.com"), "K15", "weak", "customer"),
    (|dns| strays(dns, "ak.example.com"), "K15", "weak", "customer"),
    (|dns| strays(dns, "ak._domainkeys.example.com"), "K15", "weak", "customer"),
    (|dns| strays(dns, "ka._domainkey.example.com"), "K15", "weak", "customer"),
    (|dns| strays(dns, "default._domainkey.example.com"), "K15", "weak", "customer"),
    (
        |dns| {
            dns.remove("ak._domainkey.example.com");
            dns.add("ak._domainkey.example.com", cname("gone.example.com"));
        },
        "K02",
        "error",
        "customer",
    ),
    (
        |dns| {
            dns.remove("ak._domainkey.example.com");
            let damaged = SHARED.replace("FxFGm2Z0", "FxFGm2Y0");
            dns.add("ak._domainkey.example.com", txt(&[&format!("v=DKIM1; p={damaged}")]));
        },
        "K13",
        "error",
        "customer",
    ),
    (|dns| dns.remove("trk.example.com"), "T01", "error", "customer"),
    (
        |dns| {
            dns.remove("trk.example.com");
            dns.add("trk.example.com", a([198, 51, 102, 1]));
        },
        "T01",
        "weak",
        "customer",
    ),
    (
        |dns| {
            dns.remove("trk.example.com");
            dns.add("*.example.com", cname("trk.aksend.net"));
        },
        "T01",
        "error",
        "customer",
    ),
    (
        |dns| {
            alias_is(dns, "loop.example.com");
            dns.add("loop.example.com", cname("trk.example.com"));
        },
        "T02",
        "error",
        "customer",
    ),
    (|dns| dns.add("example.com", caa(0, "issue", "other.example")), "T03", "error", "customer"),
    (|dns| dns.add("trk.aksend.net", caa(0, "issue", "other.example")), "T03", "error", "platform"),
    (
        |dns| {
            let value = "letsencrypt.org; validationmethods=dns-01";
            dns.add("example.com", caa(0, "issue", value));
        },
        "T05",
        "error",
        "customer",
    ),
    (|dns| dns.fault("com", Fault::ServFailFor(crate::dns::Kind::CAA)), "T04", "unknown", "nobody"),
    (|dns| dns.fault_at(2, "example.com", Fault::Lame), "X04", "weak", "customer"),
    (|dns| dns.fault_at(2, "example.com", Fault::Drop), "X04", "unknown", "nobody"),
    (
        |dns| {
            dns.remove("example.com");
            dns.add("example.com", mx(0, ""));
        },
        "X01",
        "weak",
        "customer",
    ),
    (|dns| dns.add("_mta-sts.example.com", txt(&["v=STSv1; id=a-b"])), "X02", "weak", "customer"),
    (
        |dns| dns.add("_smtp._tls.example.com", txt(&["v=TLSRPTv1; rua=x"])),
        "X03",
        "weak",
        "customer",
    ),
];

/// Puts the platform's key elsewhere than at its name.
fn strays(dns: &DnsServer, place: &str) {
    dns.remove("ak._domainkey.example.com");
    dns.add(place, txt(&[&format!("v=DKIM1; k=rsa; p={SHARED}")]));
}

#[test]
fn a_key_of_the_domains_own_is_right_once_it_is_told_of() {
    let scene = published();
    let note = scene.json("example.com");
    assert_eq!(finding(&note, "K14").unwrap()["severity"], "note");
    assert_eq!(finding(&note, "X05").unwrap()["severity"], "note");
    scene.server.add("example.com", ds());
    assert!(finding(&scene.json("example.com"), "X05").is_none());
    let record = format!("v=DKIM1; p={OWN}");
    scene.server.remove("ak._domainkey.example.com");
    let (first, rest) = record.split_at(255);
    scene.server.add("ak._domainkey.example.com", txt(&[first, rest]));
    assert_eq!(finding(&scene.json("example.com"), "K14").unwrap()["severity"], "weak");
    let told = |key: &str| {
        let ended = scene.audit(&["example.com", "--json", "--dkim", &format!("ak={key}")]);
        serde_json::from_str::<Value>(&ended.out).unwrap()["sections"][1].clone()
    };
    assert_eq!(told(OWN)["status"], "clean", "{:#}", told(OWN));
    let wrong = told(SHARED);
    assert_eq!(wrong["findings"][0]["rule"], "K13", "{wrong:#}");
    assert!(wrong["record"].as_str().unwrap().ends_with(SHARED));
}

#[test]
fn a_domain_that_does_not_exist_is_told_to_be_none() {
    let scene = published();
    let ended = scene.audit(&["nothing.example.com", "--json"]);
    let report: Value = serde_json::from_str(&ended.out).unwrap();
    assert_eq!((ended.code, &report["gated"]), (1, &true.into()));
    assert_eq!(finding(&report, "X06").unwrap()["severity"], "error");
}

#[test]
fn silence_is_unknown_and_never_an_absence() {
    let scene = published();
    // Everything but the silence is well.
    scene.server.remove("_dmarc.example.com");
    let policy = "v=DMARC1; p=reject; rua=mailto:report@example.com";
    scene.server.add("_dmarc.example.com", txt(&[policy]));
    scene.server.asked();
    let whole = scene.json("example.com");
    let asked = scene.server.asked().into_iter().filter(|asked| asked.face == 0);
    let names: BTreeSet<_> = asked.map(|asked| asked.name).collect();
    // Of a name made up for one audit, which is another one each time, its parent is silent.
    let names = names.into_iter().map(|name| match name.strip_prefix("audit-") {
        Some(rest) => rest.split_once('.').unwrap().1.to_owned(),
        None => name,
    });
    let names: BTreeSet<_> = names.collect();
    for name in ["_domainkey.example.com", "_adsp._domainkey.example.com", "_dmarc.com", "com"] {
        assert!(names.contains(name), "{name} is not asked: {names:?}");
    }
    for name in names {
        scene.server.fault(&name, Fault::ServFail);
        let ended = scene.audit(&["example.com", "--json"]);
        let report: Value = serde_json::from_str(&ended.out).unwrap();
        let errors: Vec<_> =
            findings(&report).filter(|finding| finding["severity"] == "error").collect();
        assert!(errors.is_empty(), "{name}: {errors:#?}");
        assert_eq!((ended.code, &report["status"]), (3, &"unknown".into()), "{name}");
        for had in whole["sections"].as_array().unwrap() {
            let all = report["sections"].as_array().unwrap();
            let now = all.iter().find(|now| now["topic"] == had["topic"]).unwrap();
            let is_unknown = now["status"] == "unknown";
            for had in had["findings"].as_array().unwrap() {
                let mut left = now["findings"].as_array().unwrap().iter();
                let is_left = left.any(|now| now["rule"] == had["rule"]);
                assert!(is_left || is_unknown, "{name} takes {} away", had["rule"]);
            }
        }
        scene.server.heal();
    }
}

#[test]
fn the_platform_is_found_however_it_is_let_in() {
    for (record, more) in [
        ("v=spf1 include:all.example.net -all", "v=spf1 include:spf.aksend.net -all"),
        ("v=spf1 redirect=all.example.net", "v=spf1 include:spf.aksend.net -all"),
        ("v=spf1 ip4:198.51.101.0/24 -all", "v=spf1 -all"),
    ] {
        let scene = published();
        scene.server.add("all.example.net", txt(&[more]));
        spf_is(&scene.server, &[record]);
        let report = scene.json("example.com");
        let told = finding(&report, "S04");
        assert!(told.is_none_or(|finding| finding["severity"] == "note"), "{record}: {told:#?}");
    }
}

#[test]
fn many_domains_are_told_one_by_one_and_a_stopped_run_goes_on() {
    let scene = published();
    let folder = tempfile::tempdir().unwrap();
    let (list, results) = (folder.path().join("domains"), folder.path().join("results"));
    let names: Vec<_> = (0..50).map(|number| format!("d{number}.example.com")).collect();
    std::fs::write(&list, format!("# ours\n{}\n", names.join("\n"))).unwrap();
    let arguments = [
        "--file",
        list.to_str().unwrap(),
        "--results",
        results.to_str().unwrap(),
        "--depth",
        "core",
    ];
    let ended = scene.audit(&arguments);
    assert_eq!((ended.code, ended.out.lines().count()), (1, 50), "{ended:?}");
    let whole = std::fs::read_to_string(&results).unwrap();
    // Stopped after twenty, in the middle of a line.
    let lines: Vec<_> = whole.split_inclusive('\n').collect();
    std::fs::write(&results, format!("{}{}", lines[..20].concat(), lines[20].get(..30).unwrap()))
        .unwrap();
    scene.server.asked();
    let ended = scene.audit(&arguments);
    assert_eq!((ended.code, ended.out.lines().count()), (1, 30), "{ended:?}");
    let again = std::fs::read_to_string(&results).unwrap();
    assert!(again.starts_with(&lines[..20].concat()));
    let held: BTreeSet<_> = again
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap()["domain"].to_string())
        .collect();
    assert_eq!(held.len(), 50);
    // All of it is there, and as bad as it was; what DNS did not answer for is asked once more, and
    // what is named twice is told once.
    let ended = scene.audit(&arguments);
    assert_eq!((ended.code, ended.out.as_str()), (1, ""), "{ended:?}");
    let mut lines: Vec<Value> =
        again.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    lines[3]["status"] = "unknown".into();
    let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
    std::fs::write(&results, text).unwrap();
    std::fs::write(&list, format!("{}\n{}\n", names.join("\n"), names.join("\n"))).unwrap();
    let ended = scene.audit(&arguments);
    assert_eq!((ended.code, ended.out.lines().count()), (1, 1), "{ended:?}");
    std::fs::write(&list, "d0.example.com\nno name\n").unwrap();
    let ended = scene.audit(&["--file", list.to_str().unwrap(), "--depth", "core"]);
    assert_eq!((ended.code, ended.out.lines().count()), (2, 1), "{ended:?}");
    assert!(ended.err.contains("line 2: \"no name\""), "{ended:?}");
}

/// The figure of the long form is what the machine can do: its rate is printed, not held.
#[test]
fn many_healthy_domains_are_audited_side_by_side() {
    let scene = published();
    let count = if std::env::var_os("WAYPOST_LONG").is_some() { 10_000 } else { 200 };
    let names: Vec<_> = (0..count).map(|number| format!("d{number}.com")).collect();
    let key = format!("v=DKIM1; k=rsa; p={SHARED}");
    scene.server.change(|records| {
        for name in &names {
            records.zone(name, 60);
            records.add(name, txt(&["v=spf1 include:spf.aksend.net -all"]));
            records.add(name, mx(1, "mail.example.com"));
            records.add(&format!("ak._domainkey.{name}"), txt(&[&key]));
            let policy = format!("v=DMARC1; p=reject; rua=mailto:report@{name}");
            records.add(&format!("_dmarc.{name}"), txt(&[&policy]));
            records.add(&format!("trk.{name}"), cname("trk.aksend.net"));
        }
    });
    scene.server.fault("com", Fault::Delay(Duration::from_millis(20)));
    let folder = tempfile::tempdir().unwrap();
    let list = folder.path().join("domains");
    std::fs::write(&list, names.join("\n")).unwrap();
    let begun = Instant::now();
    let ended = scene.audit(&["--file", list.to_str().unwrap(), "--depth", "usual"]);
    let rate = f64::from(count) / begun.elapsed().as_secs_f64();
    println!("{count} domains, {rate:.0} a second");
    assert_eq!((ended.code, ended.out.lines().count()), (0, names.len()), "{}", ended.err);
    assert!(ended.out.lines().all(|line| line.contains("  weak  ")), "{}", ended.out);
    // What all share is asked once, however many ask for it together.
    let asked = scene.server.asked();
    let shared = asked.iter().filter(|asked| asked.name == "spf.aksend.net").count();
    assert_eq!(shared, 1);
    assert!(asked.len() <= names.len() * 15, "{}", asked.len());
}

#[test]
fn the_page_stands_by_itself_and_nothing_of_dns_is_markup() {
    let scene = published();
    spf_is(&scene.server, &["v=spf1 include:spf.aksend.net <img/src=x> -all"]);
    scene.server.add("example.com", txt(&["v=spf10 <script>alert(1)</script>"]));
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("page.html");
    let ended = scene.audit(&["example.com", "--html", file.to_str().unwrap()]);
    assert_eq!((ended.code, ended.out.as_str()), (1, ""), "{ended:?}");
    let page = std::fs::read_to_string(file).unwrap();
    assert!(page.contains("default-src &#39;none&#39;") || page.contains("default-src 'none'"));
    assert!(!page.contains("<img"), "{page}");
    assert_eq!(page.matches("<script>").count(), 1);
    assert!(page.contains("rua=mailto:report@example.com"), "{page}");
}

#[test]
fn a_report_as_json_is_of_its_schema() {
    let schema: Value =
        serde_json::from_str(&std::fs::read_to_string("config/audit.schema.json").unwrap())
            .unwrap();
    let schema = jsonschema::validator_for(&schema).unwrap();
    let scene = published();
    let mut report = scene.json("example.com");
    let told: Vec<_> = schema.iter_errors(&report).map(|error| error.to_string()).collect();
    assert!(told.is_empty(), "{told:#?}");
    // Each field is held: without it, and of another type, it is refused.
    let fields: Vec<_> = report.as_object().unwrap().keys().cloned().collect();
    for field in fields {
        let own = report[&field].take();
        assert!(!schema.is_valid(&report), "{field} may be null");
        report[&field] = own;
    }
    let section: Vec<_> = report["sections"][0].as_object().unwrap().keys().cloned().collect();
    for field in section {
        let own = report["sections"][0].as_object_mut().unwrap().remove(&field).unwrap();
        assert!(!schema.is_valid(&report), "{field} may be absent");
        report["sections"][0][&field] = own;
    }
    let finding: Vec<_> =
        report["sections"][0]["findings"][0].as_object().unwrap().keys().cloned().collect();
    for field in finding {
        let own =
            report["sections"][0]["findings"][0].as_object_mut().unwrap().remove(&field).unwrap();
        assert!(!schema.is_valid(&report), "{field} may be absent");
        report["sections"][0]["findings"][0][&field] = own;
    }
}

#[test]
fn what_the_platform_expects_is_what_its_settings_say() {
    let scene = published();
    let server = &scene.server;
    server.add("spf.p.example", txt(&["v=spf1 ip4:198.51.103.0/24 -all"]));
    server.add("go.example.com", cname("trk.aksend.net"));
    server.add("example.com", caa(0, "issue", "letsencrypt.org; accounturi=https://ca.example/1"));
    for (setting, topic, part) in [
        (
            "spf_include = \"spf.p.example\"\nspf = \"v=spf1 include:spf.p.example ~all\"",
            0,
            "include:spf.p.example",
        ),
        ("selector = \"p1\"", 1, "p1._domainkey.example.com"),
        ("dmarc = \"v=DMARC1; p=none\"", 3, "\"v=DMARC1; p=none\""),
        ("bimi_selector = \"logo\"", 4, "logo._bimi.example.com"),
        ("bimi = \"v=BIMI1; l=https://l.example/a.svg\"", 4, "https://l.example/a.svg"),
        ("tracking = \"go.{sending_domain}\"", 5, "go.example.com"),
        ("mail_from = \"bounce.{sending_domain}\"", 0, "\"bounce.example.com\""),
        ("mail_from = \"bounce.p.example\"", 0, "\"S26\""),
        ("dkim_d = \"p.example\"", 3, "a signature at p.example does not align"),
        ("acme_account = \"https://ca.example/2\"", 6, "names another account"),
    ] {
        let usual = scene.json("example.com")["sections"][topic].to_string();
        assert!(!usual.contains(part), "{setting}: {usual}");
        let report = scene.with(setting).json("example.com")["sections"][topic].to_string();
        assert!(report.contains(part), "{setting}: {report}");
        scene.with("");
    }
    let key = format!("dkim = \"v=DKIM1; n=new; p={SHARED}\"");
    let report = scene.with(&key).json("example.com");
    assert!(report["sections"][1]["expected"].as_str().unwrap().contains("n=new"));
}
