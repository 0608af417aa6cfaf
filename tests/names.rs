//! Which names are ours, over a whole node: what the DNS says ends in its own state with the right
//! words, and whoever must act is told what to paste.

#![allow(clippy::disallowed_methods, reason = "a test starts processes and reads files")]
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod customers;
mod dns;
mod node;
mod schema;
mod small_disk;

use std::fs;

use customers::{Customers, TARGET, eventually};
use dns::{Fault, Kind, a, caa, cname, txt};
use node::Ran;
use schema::{each_field_is_held, schema};
use serde_json::{Value, json};
use small_disk::SmallDisk;

/// What is published, and what a check then says: label, state, reason, who, and a part of what
/// was found.
const FACTS: &[(&str, &str, &str, &str, &str)] = &[
    ("right", "pointed", "cname", "nobody", "right.example.test → trk.aksend.test"),
    ("bent", "pointed", "cname", "nobody", "bent.example.test → right.example.test → trk"),
    ("absent", "new", "no_name", "customer", "no such name (NXDOMAIN)"),
    ("empty", "new", "no_cname", "customer", "without a CNAME or an address"),
    ("flat", "flattened", "flattened", "nobody", "the target's addresses 192.0.2.10"),
    ("proxied", "misdirected", "addresses", "customer", "the addresses 203.0.113.7"),
    ("elsewhere", "misdirected", "elsewhere", "customer", "→ www.example.test"),
    ("dangling", "misdirected", "dangling", "customer", "gone.example.test does not exist"),
    ("left", "misdirected", "loop", "customer", "left.example.test: a circle"),
    ("itself", "misdirected", "loop", "customer", "a circle"),
    ("s0", "misdirected", "too_long", "customer", "and on"),
    ("trk.caa", "blocked", "caa_forbids", "customer", "0 issue \"other.test\""),
    ("trk.critical", "blocked", "caa_forbids", "customer", "it is critical"),
    ("listed.wild", "pointed", "cname", "nobody", "listed.wild.example.test → trk"),
    ("long", "pointed", "cname", "nobody", "long.example.test → trk"),
    ("lame", "pointed", "cname", "nobody", "lame.example.test → trk"),
    ("split", "split", "disagreement", "customer", "different answers"),
];

fn publish(customers: &Customers) {
    let dns = &customers.dns;
    let name = |label: &str| format!("{label}.example.test");
    let alias = |label: &str, target: &str| dns.add(&name(label), cname(target));
    alias("right", TARGET);
    alias("bent", "right.example.test");
    dns.add(&name("empty"), txt(&["something else"]));
    dns.add(&name("flat"), a([192, 0, 2, 10]));
    dns.add(&name("proxied"), a([203, 0, 113, 7]));
    dns.add(&name("www"), a([203, 0, 113, 8]));
    alias("elsewhere", "www.example.test");
    alias("dangling", "gone.example.test");
    alias("left", "right2.example.test");
    alias("right2", "left.example.test");
    alias("itself", "itself.example.test");
    for step in 0..15 {
        alias(&format!("s{step}"), &name(&format!("s{}", step + 1)));
    }
    dns.add(&name("caa"), caa(0, "issue", "other.test"));
    alias("trk.caa", TARGET);
    dns.add(&name("critical"), caa(128, "tbs", "x"));
    alias("trk.critical", TARGET);
    alias("*.wild", TARGET);
    alias("long", TARGET);
    dns.fault(&name("long"), Fault::Truncate);
    alias("lame", TARGET);
    dns.fault_at(2, &name("lame"), Fault::Lame);
    dns.change_at(1, |records| records.add(&name("split"), cname(TARGET)));
}

#[test]
fn every_dns_fact_ends_in_its_own_state_with_the_right_words() {
    let customers = Customers::start("registered", "poll_rate = 0\n");
    publish(&customers);
    for (label, state, reason, who, found) in FACTS {
        let name = format!("{label}.example.test");
        customers.add(&name);
        let (code, report) = customers.check(&name);
        let told = ["state", "reason", "who"].map(|key| report[key].as_str().unwrap());
        assert_eq!(told, [*state, *reason, *who], "{report:#}");
        assert!(report["seen"].as_str().unwrap().contains(found), "{report:#}");
        assert_eq!(report["expected"], format!("{name}. CNAME {TARGET}."));
        assert!(!report["why"].as_str().unwrap().is_empty());
        assert_eq!(code, i32::from(*who != "nobody"), "{report:#}");
        let record = match *label {
            // Where the records are; beside a CNAME none may be.
            "trk.caa" => json!("caa.example.test. CAA 0 issue \"ca.test\""),
            // No record that is added mends this.
            "trk.critical" => json!(null),
            _ if *who == "customer" || *state == "flattened" => {
                json!(format!("{name}. CNAME {TARGET}."))
            }
            _ => json!(null),
        };
        assert_eq!(report["record"], record, "{report:#}");
    }
    // Servers that disagree, and one that is lame, are shown one by one.
    let said = |name: &str| {
        let (_, report) = customers.check(name);
        let servers = report["servers"].as_array().unwrap().clone();
        servers.iter().map(|server| server["said"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(said("split.example.test"), [&format!("CNAME {TARGET}"), "no such name (NXDOMAIN)"]);
    let lame = "the server has no authority for the name";
    assert_eq!(said("lame.example.test"), [&format!("CNAME {TARGET}"), lame]);
    let (_, text, _) = customers.node.command(&["domain", "check", "split.example.test"]);
    assert!(text.contains("server      ns2.example.test (127.0.0.3:"), "{text}");
    // What a report has pasted mends what it tells.
    for (label, ..) in FACTS {
        let name = format!("{label}.example.test");
        let (_, report) = customers.check(&name);
        let Some(record) = report["record"].as_str() else { continue };
        let [owner, kind, value] = record.splitn(3, ' ').collect::<Vec<_>>()[..] else {
            panic!("{record}")
        };
        let owner = owner.trim_end_matches('.');
        if kind == "CNAME" {
            customers.dns.remove(owner);
            customers.dns.add(owner, cname(value));
        } else {
            assert_eq!((kind, value), ("CAA", "0 issue \"ca.test\""), "{report:#}");
            customers.dns.add(owner, caa(0, "issue", "ca.test"));
        }
        let (code, again) = customers.check(&name);
        assert_eq!((code, &again["state"]), (0, &json!("pointed")), "{record}: {again:#}");
        assert_eq!(again["record"], json!(null), "{again:#}");
    }
    // The platform's own CAA records are the platform's to mend.
    customers.dns.add(TARGET, caa(0, "issue", ";"));
    let (_, report) = customers.check("right.example.test");
    assert_eq!((&report["reason"], &report["who"]), (&json!("caa_at_target"), &json!("platform")));
    assert_eq!(report["record"], format!("{TARGET}. CAA 0 issue \"ca.test\""));
}

#[test]
fn a_failure_changes_no_state_and_says_what_failed() {
    let customers = Customers::start("registered", "poll_rate = 0\n");
    publish(&customers);
    for label in ["right", "absent", "elsewhere"] {
        let name = format!("{label}.example.test");
        customers.add(&name);
        let (_, before) = customers.check(&name);
        let count = || {
            customers.transitions().iter().filter(|event| event["subject"] == name.as_str()).count()
        };
        eventually("its first result is told", || (count() == 1).then_some(()));
        for (fault, word) in [
            (Fault::ServFail, "SERVFAIL"),
            (Fault::Refuse, "REFUSED"),
            (Fault::Drop, "no answer in time"),
            (Fault::Garbage, "malformed"),
            (Fault::Lame, "no authority"),
        ] {
            for face in [1, 2] {
                customers.dns.fault_at(face, &name, fault);
            }
            let (code, report) = customers.check(&name);
            assert_eq!((code, &report["answered"]), (3, &json!(false)), "{fault:?} {report:#}");
            for key in ["state", "reason", "since", "checked", "found", "absent_answers"] {
                assert_eq!(report[key], before[key], "{fault:?} {key}");
            }
            assert!(report["why"].as_str().unwrap().contains("nothing was changed"), "{report:#}");
            assert!(report["trouble"]["why"].as_str().unwrap().contains(word), "{report:#}");
            customers.dns.heal();
        }
        let (_, after) = customers.check(&name);
        assert_eq!((&after["state"], &after["trouble"]), (&before["state"], &Value::Null));
        assert_eq!(count(), 1, "no event tells of a failure");
    }
    // Of a name that has the target's addresses half of them say too little; of another enough.
    for (label, code, state) in [("flat", 3, "new"), ("proxied", 1, "misdirected")] {
        let name = format!("{label}.example.test");
        customers.add(&name);
        customers.dns.fault(&name, Fault::ServFailFor(Kind::AAAA));
        let (told, report) = customers.check(&name);
        assert_eq!((told, &report["state"]), (code, &json!(state)), "{report:#}");
    }
    // A CAA question that fails before a set is found is a failure too.
    let name = "trk.silent.example.test";
    customers.dns.add(name, cname(TARGET));
    customers.add(name);
    customers.dns.fault("silent.example.test", Fault::ServFailFor(Kind::CAA));
    let (code, report) = customers.check(name);
    assert_eq!((code, &report["state"]), (3, &json!("new")), "{report:#}");
}

#[test]
fn domains_are_added_listed_shown_and_removed_with_a_node_and_without() {
    let mut customers = Customers::start("registered", "poll_rate = 0\n");
    customers.dns.add("trk.example.test", cname(TARGET));
    let run = |customers: &Customers, arguments: &[&str]| customers.node.command(arguments);
    for with_node in [true, false] {
        if !with_node {
            customers.node.terminate();
        }
        let name = if with_node { "trk.example.test" } else { "go.example.test" };
        let add = ["domain", "add", name, "--sending", "mail.example.test", "--account", "a1"];
        let (code, out, err) = run(&customers, &add);
        assert_eq!(
            (code, out.as_str()),
            (0, "1 new, 0 changed, 0 as they were, 0 refused\n"),
            "{err}"
        );
        let (_, out, _) = run(&customers, &[&add[..], &["--json"]].concat());
        assert_eq!(serde_json::from_str::<Value>(&out).unwrap()["same"], 1);
        let (code, out, _) = run(&customers, &["domain", "add", name, "--account", "other"]);
        assert_eq!(code, 1, "{out}");
        assert!(out.contains("another account has the name"), "{out}");
        let (code, out, _) = run(&customers, &["domain", "show", name]);
        assert_eq!(code, 0);
        for line in
            ["mail of     mail.example.test\n", "account     a1\n", "state       new (added)\n"]
        {
            assert!(out.contains(line), "{out}");
        }
        let (code, _, err) = run(&customers, &["domain", "show", "nobody.example.test"]);
        assert_eq!((code, err.as_str()), (2, "waypost: nobody.example.test is not listed\n"));
        let (code, _, err) = run(&customers, &["domain", "show", "a b"]);
        assert_eq!(code, 2);
        assert!(err.contains("\"a b\" holds the byte 0x20"), "{err}");
        let (code, _, err) = run(&customers, &["domain", "list", "--state", "odd"]);
        assert!(code == 2 && err.contains("expected one of new, pointed"), "{err}");
    }
    let elsewhere = customers.node.data().with_file_name("nowhere");
    for read in [&["domain", "list"][..], &["domain", "show", "a.test"], &["store", "export"]] {
        let folder = ["--data", elsewhere.to_str().unwrap()];
        let ran = Ran::waypost(&customers.node.data(), &[read, &folder].concat());
        assert!(ran.code == 2 && ran.errors.contains("there is no store"), "{ran:?}");
        assert!(!elsewhere.exists(), "{read:?} makes nothing");
    }
    let (_, out, _) = run(&customers, &["domain", "list"]);
    let lines: Vec<_> = out.lines().map(|line| line.split_whitespace().next().unwrap()).collect();
    assert_eq!(lines, ["domain", "go.example.test", "trk.example.test"]);
    let (code, out, _) = run(&customers, &["domain", "remove", "go.example.test"]);
    assert!(code == 0 && out.contains("kept until  "), "{out}");
    let (_, out, _) = run(&customers, &["domain", "list", "--state", "removed", "--json"]);
    let page: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(page["domains"][0]["domain"], "go.example.test");
    let (code, _, err) = run(&customers, &["domain", "remove", "go.example.test"]);
    assert!(code == 2 && err.contains("is not listed"), "{err}");
    // It is kept from others, and not from whose it was.
    let (code, ..) = run(&customers, &["domain", "add", "go.example.test", "--account", "a2"]);
    assert_eq!(code, 1);
    let (code, ..) = run(&customers, &["domain", "add", "go.example.test", "--account", "a1"]);
    assert_eq!(code, 0);
    // A name that is not listed is checked and not kept.
    let (code, out, _) = run(&customers, &["domain", "check", "none.example.test"]);
    assert!(code == 1 && out.contains("nothing is kept"), "{out}");
    let (code, ..) = run(&customers, &["domain", "show", "none.example.test"]);
    assert_eq!(code, 2);
    customers.node.restart();
    assert_eq!(customers.show("trk.example.test")["account"], "a1");
}

#[test]
fn names_come_from_files_and_wrong_lines_are_told() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("names.txt");
    fs::write(&file, "a.example.test account=7\nwrong..name\nb.example.test\n").unwrap();
    let customers = Customers::start("registered", &format!("poll_rate = 0\nfiles = [{file:?}]\n"));
    eventually("the names are there", || customers.has("b.example.test").then_some(()));
    assert_eq!(customers.show("a.example.test")["account"], "7");
    assert_eq!(customers.show("a.example.test")["origin"], "file");
    let told = customers.node.told();
    assert!(told.contains("line 2: \"wrong..name\" has an empty label"), "{told}");
    // The other way in: by command.
    let (code, _, err) =
        customers.node.command(&["domain", "add", "--file", file.to_str().unwrap()]);
    assert!(code == 2 && err.contains("line 2"), "{err}");
    fs::write(&file, "a.example.test\nc.example.test\n").unwrap();
    let (code, out, _) =
        customers.node.command(&["domain", "add", "--file", file.to_str().unwrap()]);
    assert_eq!((code, out.as_str()), (0, "1 new, 0 changed, 1 as they were, 0 refused\n"));
}

#[test]
fn the_api_pages_refuses_what_is_wrong_and_counts_by_state() {
    let customers = Customers::start("registered", "poll_rate = 0\n");
    let lines: String =
        (0..250).map(|number| format!("{{\"domain\":\"d{number:03}.example.test\"}}\n")).collect();
    let (status, added) = customers.ask("POST", "/v1/domains", &lines);
    assert_eq!((status, &added["new"]), (200, &json!(250)));
    let (mut seen, mut after) = (0, String::new());
    loop {
        let (status, page) =
            customers.ask("GET", &format!("/v1/domains?limit=99&after={after}"), "");
        assert_eq!(status, 200);
        seen += page["domains"].as_array().unwrap().len();
        match page["next"].as_str() {
            Some(next) => after = next.to_owned(),
            None => break,
        }
    }
    assert_eq!(seen, 250);
    let long = format!("{{\"domain\":\"new.test\",\"account\":\"{}\"}}", "x".repeat(257));
    for (method, path, body, status) in [
        ("POST", "/v1/domains", "", 400),
        ("POST", "/v1/domains", "{\"domain\":\"a b\"}", 400),
        ("POST", "/v1/domains", "{\"domain\":\"a.test\",\"colour\":1}", 400),
        ("POST", "/v1/domains", "{\"domain\":\"new.test\"}\nnonsense\n", 400),
        ("POST", "/v1/domains", "{\"domain\":\"new.test\",\"account\":\"\"}", 400),
        ("POST", "/v1/domains", &long, 400),
        ("GET", "/v1/domains?state=odd", "", 400),
        ("GET", "/v1/domains/nobody.test", "", 404),
        ("GET", "/v1/domains/a%20b", "", 400),
        ("DELETE", "/v1/domains/nobody.test", "", 404),
    ] {
        let (told, answer) = customers.ask(method, path, body);
        assert_eq!(told, status, "{method} {path} {answer}");
        assert!(answer["error"].is_string());
    }
    assert!(!customers.has("new.test"), "nothing of a body with a mistake is added");
    eventually("the states are counted", || {
        let (_, text) = customers.node.ask_admin("/metrics");
        text.contains("waypost_domains{state=\"new\"} 250").then_some(())
    });
    // A change needs the token or the socket, over TCP as everywhere.
    let (status, _) = customers.node.ask_admin("/v1/domains?limit=1");
    assert_eq!(status, 200);
}

#[test]
fn a_name_is_looked_at_until_it_leads_to_us_and_each_transition_is_told_once() {
    let polls = "poll_first = \"1s\"\npoll_longest = \"1s\"\npoll_pointed = \"1s\"\n\
                 detach_answers = 2\ndetach_after = \"1s\"\npoll_abandoned = \"1s\"\n";
    let customers = Customers::start("registered", polls);
    let name = "trk.example.test";
    customers.add(name);
    customers.becomes(name, "no_name");
    customers.dns.add(name, cname(TARGET));
    customers.becomes(name, "cname");
    customers.dns.remove(name);
    eventually("it is detached", || (customers.show(name)["state"] == "detached").then_some(()));
    customers.dns.add(name, cname(TARGET));
    customers.becomes(name, "cname");
    let (code, ..) = customers.node.command(&["domain", "remove", name]);
    assert_eq!(code, 0);
    let events = eventually("all is told", || {
        let events = customers.transitions();
        (events.len() >= 5).then_some(events)
    });
    let told: Vec<_> = events
        .iter()
        .map(|event| (event["data"]["from"].clone(), event["data"]["to"].clone()))
        .collect();
    let expected = [
        (Value::Null, json!("new")),
        (json!("new"), json!("pointed")),
        (json!("pointed"), json!("detached")),
        (json!("detached"), json!("pointed")),
        (json!("pointed"), json!("removed")),
    ];
    assert_eq!(told, expected);
    let schema = schema("config/domain.schema.json");
    for event in &events {
        let wrong: Vec<_> = schema.iter_errors(event).map(|error| error.to_string()).collect();
        assert!(wrong.is_empty(), "{wrong:?}\n{event:#}");
    }
    each_field_is_held(&schema, &events[1], &["", "/data"]);
}

#[test]
fn a_listed_name_with_a_certificate_from_a_file_is_active() {
    let customers =
        Customers::with_certificate("registered", "poll_rate = 0\n", "trk.example.test");
    customers.dns.add("trk.example.test", cname(TARGET));
    customers.add("trk.example.test");
    let (code, report) = customers.check("trk.example.test");
    assert_eq!((code, &report["state"]), (0, &json!("active")), "{report:#}");
    customers.visit("trk.example.test").unwrap();
}

#[test]
fn an_old_process_lets_go_of_the_store_and_the_next_one_has_it_while_both_answer() {
    let mut customers =
        Customers::start_with("registered", "poll_rate = 0\n", "[shutdown]\ndelay = \"1500ms\"\n");
    customers.add("trk.example.test");
    let old = customers.node.admin();
    let ending = customers.node.restart_overlapped(|| {
        // The old one still answers, and has let go of the store.
        eventually("the store is let go of", || {
            let (status, body) = node::get(old, "/v1/domains")?;
            (status == 503 && body.contains("the store is closed")).then_some(())
        });
    });
    assert!(ending.success());
    assert!(customers.has("trk.example.test"));
    customers.add("go.example.test");
    let (status, body) = customers.node.ask_admin("/readyz");
    assert_eq!((status, body.contains("\"degraded\":[]")), (200, true), "{body}");
    assert!(customers.node.data().join("node.json").exists(), "the old one left it alone");
}

#[test]
fn a_full_disk_under_the_store_lets_nobody_new_in_and_stops_no_link() {
    let Some(disk) = SmallDisk::mount("4m") else { return };
    let file = disk.folder.path().join("store.redb");
    let store = format!("[store]\nfile = {file:?}\n");
    let dns = customers::dns();
    let resolver = dns.resolver();
    let domains = ("registered", "poll_rate = 0\n", store.as_str());
    let customers = Customers::behind(dns, resolver, domains, &["trk.example.com"]);
    customers.add("first.example.test");
    let key = "x".repeat(4_000);
    let mut kept = 0;
    let told = (0..100).find_map(|batch| {
        let name = |number| format!("d{}.example.test", batch * 20 + number);
        let line = |number| format!("{}\n", json!({ "domain": name(number), "dkim": key }));
        let lines: String = (0..20).map(line).collect();
        let (status, answer) = customers.ask("POST", "/v1/domains", &lines);
        kept += answer["new"].as_u64().unwrap_or_default();
        (status != 200).then_some((status, answer))
    });
    let (status, answer) = told.expect("the disk is full");
    let error = answer["error"].as_str().unwrap();
    assert!(status == 503 && error.contains("the store cannot be used"), "{answer}");
    let late = customers.node.data().join("late.txt");
    let lines = (0..400).map(|number| format!("late{number}.example.test dkim={key}\n"));
    fs::write(&late, lines.collect::<String>()).unwrap();
    let add = ["domain", "add", "--file", late.to_str().unwrap()];
    let (code, _, err) = customers.node.command(&add);
    assert!(code == 2 && err.contains("the store"), "{code} {err}");
    // Ready, and degraded; whoever has a certificate is served, and what is there is shown.
    let (status, body) = customers.node.ask_admin("/readyz");
    assert!(status == 200 && body.contains("\"store\""), "{status} {body}");
    customers.visit("trk.example.com").unwrap();
    eventually("it can be read", || customers.has("first.example.test").then_some(()));
    disk.grow("64m");
    eventually("there is room again", || (customers.node.command(&add).0 == 0).then_some(()));
    assert!(customers.has("late399.example.test"));
    assert!(customers.has("first.example.test") && kept > 10);
    for number in 0..kept {
        assert!(customers.has(&format!("d{number}.example.test")), "{number} of {kept}");
    }
    let (_, body) = customers.node.ask_admin("/readyz");
    assert!(body.contains("\"degraded\":[]"), "{body}");
}

#[test]
fn a_damaged_domain_is_told_and_the_others_are_listed() {
    let mut customers = Customers::start("registered", "poll_rate = 0\n");
    for name in ["a.example.test", "b.example.test", "c.example.test"] {
        let (code, ..) = customers.node.command(&[
            "domain",
            "add",
            name,
            "--account",
            &format!("account-of-{name}"),
        ]);
        assert_eq!(code, 0);
    }
    customers.node.terminate();
    customers::flip(&customers.node.data().join("store.redb"), b"account-of-b.example.test");
    customers.node.restart();
    let (code, _, err) = customers.node.command(&["domain", "show", "b.example.test"]);
    assert_eq!(
        (code, err.trim()),
        (2, "waypost: the domain b.example.test is damaged in the store")
    );
    let (_, out, _) = customers.node.command(&["domain", "list"]);
    let states: Vec<_> =
        out.lines().skip(1).map(|l| l.split_whitespace().nth(1).unwrap()).collect();
    assert_eq!(states, ["new", "damaged", "new"]);
    let (_, text) = customers.node.ask_admin("/metrics");
    assert!(!text.contains("waypost_store_damaged_total 0"), "{text}");
    customers.node.terminate();
    let (code, out, err) = customers.node.command(&["store", "export"]);
    assert!(code == 1 && err.contains("damaged, and left out: b.example.test"), "{err}");
    // The key of an account is made at the start.
    assert_eq!(out.lines().count(), 5, "{out}");
    customers.node.restart();
    customers.add("b.example.test");
    assert_eq!(customers.show("b.example.test")["state"], "new", "adding it again mends it");
}
