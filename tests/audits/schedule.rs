//! What is audited when, what is told of it, and what is counted.

use std::fs;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use waypost::audit::Expect;
use waypost::clock::Timestamp;

use crate::customers::eventually;
use crate::dns::{Fault, Kind, txt};
use crate::house::{DMARC, House, has};
use crate::schema::{each_field_is_held, schema};

/// Every domain each second, a second look after one more.
const OFTEN: &str = "active_every = \"1s\"\nother_every = \"1s\"\nsecond_look = \"1s\"\nrate = 100";
const NAME: &str = "trk.one.example.test";
const DOMAIN: &str = "one.example.test";

fn dmarc(house: &House, is_there: bool) {
    let name = format!("_dmarc.{DOMAIN}");
    house.customers.dns.remove(&name);
    if is_there {
        house.customers.dns.add(&name, txt(&[DMARC]));
    }
}

#[test]
fn a_first_result_is_a_snapshot_and_a_change_is_told_once_as_the_schema_says() {
    let house = House::start(OFTEN);
    house.publish(DOMAIN);
    house.add([NAME.to_owned()].into_iter());
    let first = eventually("it is audited", || {
        let audit = house.audit(NAME);
        audit.is_object().then_some(audit)
    });
    assert!(!has(&first, "D01") && !has(&first, "S04"), "{first:#}");
    assert_eq!(first["unanswered"], json!([]), "{first:#}");
    dmarc(&house, false);
    let event = eventually("the change is told", || house.events().pop());
    let data = &event["data"];
    assert!(data["changed"]["appeared"].as_array().unwrap().contains(&json!("D01")), "{event:#}");
    assert_eq!((&data["status"], &data["domain"]), (&json!("error"), &json!(NAME)));
    assert_eq!((&data["sending_domain"], &event["subject"]), (&json!(DOMAIN), &json!(NAME)));
    assert!(data["findings"].as_array().unwrap().iter().any(|found| found["rule"] == "D01"));
    eventually("it is shown", || has(&house.audit(NAME), "D01").then_some(()));
    dmarc(&house, true);
    let events = eventually("that it is mended is told", || {
        let events = house.events();
        (events.len() == 2).then_some(events)
    });
    let went = events[1]["data"]["changed"]["went"].as_array().unwrap();
    assert!(went.contains(&json!("D01")), "{:#}", events[1]);
    assert_eq!(events[1]["data"]["previous"], "error");
    let schema = schema("config/audit-event.schema.json");
    for event in &events {
        let wrong: Vec<_> = schema.iter_errors(event).map(|error| error.to_string()).collect();
        assert!(wrong.is_empty(), "{wrong:?}\n{event:#}");
        each_field_is_held(&schema, event, &["", "/data", "/data/changed", "/data/findings/0"]);
    }
    let before = house.made();
    eventually("it is audited on and on", || (house.made() >= before + 3).then_some(()));
    assert_eq!(house.events(), events, "nothing more is told");
    assert!(house.customers.node.told().lines().all(|line| !line.contains("ERROR")));
}

#[test]
fn silence_tells_nothing_and_changes_nothing() {
    let house = House::start(&format!("{OFTEN}\nfetch = \"off\""));
    everything(&house);
    house.add([NAME.to_owned()].into_iter());
    let first = eventually("it is audited", || {
        let audit = house.audit(NAME);
        audit.is_object().then_some(audit)
    });
    // Each section has something that silence could take away.
    for rule in ["I01", "K07", "K17", "B05"] {
        assert!(has(&first, rule), "{rule} {first:#}");
    }
    let audited = |times: u64| {
        let before = house.made();
        eventually("it is audited again", || (house.made() >= before + times).then_some(()));
    };
    for fault in [Fault::ServFail, Fault::Refuse, Fault::Garbage, Fault::ServFailFor(Kind::TXT)] {
        house.customers.dns.fault(DOMAIN, fault);
        audited(3);
        let silent = house.audit(NAME);
        assert_eq!(silent["status"], first["status"], "{fault:?} {silent:#}");
        assert!(silent["unanswered"].as_array().unwrap().contains(&json!("SPF")), "{silent:#}");
        assert_eq!(silent["report"]["sections"], first["report"]["sections"], "{fault:?}");
        house.customers.dns.heal();
        eventually("it answers again", || {
            (house.audit(NAME)["unanswered"] == json!([])).then_some(())
        });
    }
    assert_eq!(house.events(), Vec::<Value>::new());
}

/// Publishes all that the platform's instructions name.
fn everything(house: &House) {
    house.publish(DOMAIN);
    let dns = &house.customers.dns;
    let key = Expect::default().dkim;
    dns.add(DOMAIN, txt(&["spf2.0/pra include:spf.aksend.test -all"]));
    dns.add(&format!("ak._domainkey.{DOMAIN}"), txt(&[&key]));
    dns.add(&format!("_domainkey.{DOMAIN}"), txt(&["o=-;"]));
    let logo = format!("v=BIMI1; l=https://{DOMAIN}/bimi/bimi.svg");
    dns.add(&format!("default._bimi.{DOMAIN}"), txt(&[&logo]));
}

#[test]
fn a_record_that_flaps_tells_nothing() {
    let house = House::start(OFTEN);
    house.publish(DOMAIN);
    house.add([NAME.to_owned()].into_iter());
    let first = eventually("it is audited", || {
        let audit = house.audit(NAME);
        audit.is_object().then_some(audit)
    });
    let dns = &house.customers.dns;
    // Gone at one look, back at the next: whoever looks between two audits changes it. On a machine
    // that stalls the second look may have come before that; such a flap is a change, and none of
    // the three.
    let (mut flaps, mut stalled) = (0, 0);
    while flaps < 3 {
        drop(dns.asked());
        dmarc(&house, false);
        eventually("it is doubted", || (house.audit(NAME)["doubted"] != json!([])).then_some(()));
        dmarc(&house, true);
        let policy = format!("_dmarc.{DOMAIN}");
        let looks = dns.asked().iter().filter(|asked| asked.name == policy).count();
        eventually("it is not", || (house.audit(NAME)["doubted"] == json!([])).then_some(()));
        if looks > 1 {
            stalled += 1
        } else {
            flaps += 1
        }
        assert!(stalled < 20, "this machine is too slow to look between two audits");
    }
    let told = house.events();
    // There and back, at most.
    assert!(told.len() <= 2 * stalled, "{stalled} stalled: {told:#?}");
    assert_eq!(house.audit(NAME)["status"], first["status"]);
}

#[test]
fn other_expectations_are_no_change_of_the_domains() {
    let mut house = House::start(OFTEN);
    house.publish(DOMAIN);
    house.customers.dns.add(&format!("ak._domainkey.{DOMAIN}"), txt(&[&Expect::default().dkim]));
    house.add([NAME.to_owned()].into_iter());
    let first = eventually("it is audited", || {
        let audit = house.audit(NAME);
        audit.is_object().then_some(audit)
    });
    assert!(!has(&first, "K01"), "{first:#}");
    house.customers.node.terminate();
    let file = house.customers.node.configuration();
    let text = fs::read_to_string(&file).unwrap();
    fs::write(&file, text.replace("[audit.expect]", "[audit.expect]\nselector = \"p1\"")).unwrap();
    house.customers.node.restart();
    eventually("it is judged by them", || has(&house.audit(NAME), "K01").then_some(()));
    let before = house.made();
    eventually("it is audited on", || (house.made() >= before + 3).then_some(()));
    assert_eq!(house.events(), Vec::<Value>::new());
    // What the domain itself changes is told as ever.
    dmarc(&house, false);
    let event = eventually("the change is told", || house.events().pop());
    let changed = &event["data"]["changed"];
    assert!(changed["appeared"].as_array().unwrap().contains(&json!("D01")), "{event:#}");
    assert!(!changed.to_string().contains("K01"), "{event:#}");
}

#[test]
fn an_active_domain_is_audited_as_often_as_is_set_and_others_as_is_set_for_them() {
    for (active, other) in [("1s", "1d"), ("1d", "1s")] {
        let audit = format!("active_every = {active:?}\nother_every = {other:?}\nrate = 100");
        let dns = "server_rate = 10000\n";
        let house = House::start_with(&audit, dns, &[NAME]);
        let names = [NAME, "trk.two.example.test"];
        house.publish(DOMAIN);
        house.publish("two.example.test");
        house.add(names.iter().map(|name| (*name).to_owned()));
        for name in names {
            drop(house.customers.check(name));
        }
        assert_eq!(house.customers.show(NAME)["state"], "active");
        assert_eq!(house.customers.show(names[1])["state"], "pointed");
        let time =
            |audit: &Value, key: &str| -> Option<Timestamp> { audit[key].as_str()?.parse().ok() };
        let times = |name: &str| time(&house.audit(name), "checked_at");
        let (often, rare) =
            if active == "1s" { (names[0], names[1]) } else { (names[1], names[0]) };
        // The first audit may have been before it was active.
        let once = eventually("one is audited rarely", || {
            let audit = house.audit(rare);
            let (at, next) = (time(&audit, "checked_at")?, time(&audit, "next")?);
            (at.until(next) > Duration::from_secs(43_200)).then_some(Some(at))
        });
        let (mut last, mut seen) = (times(often), 0);
        eventually("one is audited again and again", || {
            let now = times(often);
            seen += usize::from(now != last);
            last = now;
            (seen >= 3).then_some(())
        });
        assert_eq!(times(rare), once, "{active} {other}");
    }
}

#[test]
fn a_second_look_comes_as_soon_as_is_set() {
    let house = House::start("second_look = \"1s\"\nrate = 100");
    house.publish(DOMAIN);
    house.customers.dns.fault(DOMAIN, Fault::ServFail);
    house.add([NAME.to_owned()].into_iter());
    eventually("it is audited in vain", || {
        (house.audit(NAME)["unanswered"] != json!([]) && house.made() > 0).then_some(())
    });
    house.customers.dns.heal();
    // By default that is a quarter of an hour.
    eventually("it is audited again", || {
        let audit = house.audit(NAME);
        (audit["unanswered"] == json!([]) && !has(&audit, "S04")).then_some(())
    });
    assert_eq!(house.events(), Vec::<Value>::new());
}

#[test]
fn no_more_are_begun_than_the_rate_allows() {
    let house = House::start("rate = 5");
    let begun = Instant::now();
    house.add((0..30).map(|number| format!("trk.d{number}.example.test")));
    let made = eventually("some are audited", || {
        let made = house.made() + house.customers.metric("waypost_audit_in_progress ");
        let most = 5.0 * begun.elapsed().as_secs_f64() + 7.0;
        assert!(made as f64 <= most, "{made} of {most}");
        (made >= 20).then_some(made)
    });
    assert!(begun.elapsed() > Duration::from_secs(2), "{made} in {:?}", begun.elapsed());
}

#[test]
fn no_more_are_made_at_once_than_is_set() {
    let house = House::start("rate = 1000\nat_once = 3");
    house.customers.dns.fault("example.test", Fault::Drop);
    house.add((0..20).map(|number| format!("trk.d{number}.example.test")));
    let in_progress = || house.customers.metric("waypost_audit_in_progress ");
    eventually("all places are taken", || (in_progress() == 3).then_some(()));
    eventually("some end", || {
        assert!(in_progress() <= 3);
        (house.made() >= 6).then_some(())
    });
}

#[test]
fn each_server_of_a_zone_is_spared_however_many_domains_it_holds() {
    let rate = 2;
    let lines = format!("server_rate = {rate}\n");
    let house = House::start_with("rate = 1000\nat_once = 100", &lines, &[]);
    for number in 0..40 {
        house.publish(&format!("d{number}.example.test"));
    }
    let begun = Instant::now();
    house.add((0..40).map(|number| format!("trk.d{number}.example.test")));
    let mut asked = [0, 0];
    eventually("all are audited", || {
        for question in house.customers.dns.asked() {
            if question.face > 0 {
                asked[question.face - 1] += 1;
            }
        }
        let most = f64::from(rate) * (begun.elapsed().as_secs_f64() + 1.0) + 1.0;
        assert!(asked.iter().all(|count| f64::from(*count) <= most), "{asked:?} of {most}");
        (house.made() >= 40).then_some(())
    });
    assert!(asked.iter().all(|count| *count > 0), "{asked:?}");
    // What we had no time to ask says nothing of the server.
    let audits = (0..40).map(|number| house.audit(&format!("trk.d{number}.example.test")));
    let zones =
        audits.map(|audit| audit["unanswered"].as_array().unwrap().contains(&json!("zone")));
    let unasked = zones.filter(|is_unanswered| *is_unanswered).count();
    println!("{asked:?} questions in {:?}, {unasked} of 40 zones left for later", begun.elapsed());
    assert!(unasked > 0);
}

#[test]
fn what_many_domains_share_is_asked_for_once() {
    let house = House::start("rate = 1000\nat_once = 20");
    house.customers.dns.change(|records| records.ttl = 600);
    for number in 0..40 {
        house.publish(&format!("d{number}.example.test"));
    }
    drop(house.customers.dns.asked());
    house.add((0..40).map(|number| format!("trk.d{number}.example.test")));
    eventually("all are audited", || (house.made() >= 40).then_some(()));
    let asked = house.customers.dns.asked();
    let texts =
        asked.iter().filter(|asked| asked.name == "spf.aksend.test" && asked.kind == Kind::TXT);
    // Once, or what a machine that stalls tried again.
    let count = texts.count();
    assert!((1..=3).contains(&count), "{count} of {} questions", asked.len());
}

#[test]
fn a_domain_whose_state_changes_is_audited_soon() {
    let house = House::start("rate = 100");
    house.add([NAME.to_owned()].into_iter());
    let next = || -> Option<Timestamp> { house.audit(NAME)["next"].as_str()?.parse().ok() };
    let at = || -> Option<Timestamp> { house.audit(NAME)["checked_at"].as_str()?.parse().ok() };
    let audited = eventually("it is audited", at);
    let day = Duration::from_secs(86_400);
    assert!(audited.until(next().unwrap()) > 6 * day);
    house.publish(DOMAIN);
    let (_, report) = house.customers.check(NAME);
    assert_eq!(report["state"], "pointed");
    assert!(audited.until(next().unwrap()) < day, "{:?}", next());
}

#[test]
fn domains_are_counted_by_rule_as_they_change_and_again_after_a_start() {
    let mut house = House::start(OFTEN);
    for number in 0..3 {
        house.publish(&format!("d{number}.example.test"));
    }
    house.add((0..5).map(|number| format!("trk.d{number}.example.test")));
    let missing = |house: &House| {
        house.customers.metric("waypost_audit_findings{rule=\"D01\",severity=\"error\"} ")
    };
    let broken = |house: &House| house.customers.metric("waypost_audit_domains{status=\"error\"} ");
    eventually("two lack a policy", || (missing(&house) == 2).then_some(()));
    eventually("and are counted", || (broken(&house) >= 2).then_some(()));
    house.customers.dns.remove("_dmarc.d0.example.test");
    eventually("three do", || (missing(&house) == 3).then_some(()));
    let (code, ..) = house.customers.node.command(&["domain", "remove", "trk.d4.example.test"]);
    assert_eq!(code, 0);
    eventually("two of those that are left", || (missing(&house) == 2).then_some(()));
    house.customers.node.kill();
    house.customers.node.restart();
    eventually("they are counted again", || (missing(&house) == 2).then_some(()));
    let (_, text) = house.customers.node.ask_admin("/metrics");
    assert!(!text.contains("example.test"), "no name is a label");
}

#[test]
fn a_domain_shows_its_audit_with_a_node_and_without() {
    let mut house = House::start("rate = 100");
    house.publish(DOMAIN);
    house.add([NAME.to_owned()].into_iter());
    let audit = eventually("it is audited", || {
        let audit = house.audit(NAME);
        audit.is_object().then_some(audit)
    });
    for with_node in [true, false] {
        if !with_node {
            house.customers.node.terminate();
        }
        let (code, out, err) = house.customers.node.command(&["domain", "show", NAME, "--json"]);
        assert_eq!(code, 0, "{err}");
        let shown: Value = serde_json::from_str(&out).unwrap();
        for key in ["status", "gated", "checked_at", "next", "doubted", "unanswered"] {
            assert_eq!(shown["audit"][key], audit[key], "{key} {shown:#}");
        }
        assert_eq!(shown["audit"].get("report"), None, "short");
        let (_, out, _) = house.customers.node.command(&["domain", "show", NAME]);
        let status = audit["status"].as_str().unwrap();
        let line = format!("audit       {status}, at {}", audit["checked_at"].as_str().unwrap());
        assert!(out.contains(&line), "{out}");
    }
    house.customers.node.restart();
    let (status, _) = house.customers.ask("GET", "/v1/domains/nobody.example.test/audit", "");
    assert_eq!(status, 404);
}
