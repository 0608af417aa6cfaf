//! The page of a customer's name: what it shows, to whom, and what its button does.

use std::time::{Duration, Instant};

use serde_json::Value;
use waypost::clock::{Clock, SystemClock, Timestamp};
use waypost::hostname::Hostname;
use waypost::token::Pass;

use crate::customers::eventually;
use crate::dns::{Fault, txt};
use crate::front::{Asked, DAY, Front, NAME, PLATFORM};
use crate::node::{Answer, Client, Protocol};

fn field<'a>(answer: &'a Answer, name: &str) -> &'a str {
    answer.headers[name].to_str().unwrap()
}

fn until(time: Timestamp) -> Pass {
    Pass { name: Hostname::parse(NAME).unwrap(), until: time }
}

#[test]
fn a_customer_sees_what_to_do_does_it_and_has_it_checked() {
    let front = Front::start("", "400ms");
    front.customers.add(NAME);
    let path = front.link(NAME);
    let (status, page) = front.get(&path);
    assert_eq!(status, 200, "{page}");
    for told in ["On its way", "not looked at yet", "Expected", "Who acts", "Certificate"] {
        assert!(page.contains(told), "{told}: {page}");
    }
    assert!(page.contains("run by Example &#60;Mail&#62;"), "{page}");
    // Nothing is there yet, and the button says so: what to paste is told.
    let pressed = front.press(&path);
    assert_eq!((pressed.status.as_u16(), field(&pressed, "location")), (303, path.as_str()));
    let (_, page) = front.get(&path);
    for told in [
        "You need to act: the name does not lead to the platform",
        "no such name (NXDOMAIN)",
        &format!("<pre tabindex=\"0\">{PLATFORM}</pre>"),
        "looked at a moment ago. It can be checked again from",
        "<pre tabindex=\"0\">v=spf1 include:spf.example.test -all</pre>",
        "in the way",
    ] {
        assert!(page.contains(told), "{told}: {page}");
    }
    assert!(!page.contains("<form"), "it has just been pressed: {page}");
    assert_eq!(front.customers.show(NAME)["reason"], "no_name");
    assert_eq!(front.audit(NAME)["report"]["domain"], "one.example.test", "kept as any other");
}

#[test]
fn what_was_mended_is_seen_at_once() {
    let front = Front::start("check_every = \"1s\"", "400ms");
    front.customers.add(NAME);
    let path = front.link(NAME);
    front.press(&path);
    front.publish("one.example.test");
    let (_, page) = eventually("the button is back", || {
        let shown = front.get(&path);
        shown.1.contains("<form").then_some(shown)
    });
    assert!(page.contains("You need to act"), "{page}");
    front.press(&path);
    let (_, page) = front.get(&path);
    assert!(page.contains("trk.one.example.test → pages.localhost"), "{page}");
    let found = "<dt>Found</dt><dd><code>v=spf1 include:spf.example.test -all</code></dd>";
    assert!(page.contains(found), "{page}");
    assert_eq!(front.customers.show(NAME)["state"], "active");
    let spf = |audit: &Value| audit["report"]["sections"][0]["found"].clone();
    let found = spf(&front.audit(NAME));
    // It was seen once and holds when it was seen twice; the page tells what was seen last.
    assert!(found == serde_json::json!([]) || found[0] == "v=spf1 include:spf.example.test -all");
}

#[test]
fn only_the_link_opens_the_page_on_the_platforms_host_until_it_ends() {
    let front = Front::start("", "400ms");
    front.customers.add(NAME);
    let now = SystemClock.wall();
    let path = |pass: &str| format!("/d/{pass}");
    let good = path(&front.pass(&until(now.plus(DAY)), PLATFORM));
    assert_eq!(front.get(&good).0, 200);
    assert_eq!(front.get(&format!("{good}/")).0, 200, "mail programs append slashes");
    assert_eq!(front.get(&format!("{good}?utm_source=x")).0, 200);
    let ended = front.get(&path(&front.pass(&until(now), PLATFORM)));
    assert!(ended.0 == 404 && ended.1.contains("This link has ended"), "{ended:?}");
    let foreign = path(&front.pass(&until(now.plus(DAY)), NAME));
    let token = front.customers.node.mint().token_without_message(PLATFORM, "https://example.com/");
    let mut changed = good.clone();
    changed.replace_range(40..41, if changed.get(40..41) == Some("A") { "B" } else { "A" });
    for path in [foreign.as_str(), &path(&token), &changed, "/d/AAAA", "/d/", "/d"] {
        let found = front.get(path);
        assert!(found.0 == 404 && !found.1.contains("ended"), "{path}: {found:?}");
    }
    // A pass is no link either, and there is no page on a customer's name.
    assert_eq!(front.get(&good.replace("/d/", "/c/")).0, 404);
    for path in [&good, &foreign] {
        let elsewhere = front.ask(&Asked { host: NAME, ..Asked::of("GET", path) });
        assert_eq!(elsewhere.status, 404);
    }
    let posted = format!("{good}/check");
    let elsewhere = front.ask(&Asked { host: NAME, ..Asked::of("POST", &posted) });
    assert_eq!((elsewhere.status.as_u16(), field(&elsewhere, "allow")), (405, "GET, HEAD"));
    // A name that is listed no more.
    assert_eq!(front.customers.ask("DELETE", &format!("/v1/domains/{NAME}"), "").0, 200);
    let (status, page) = front.get(&good);
    assert!(status == 200 && page.contains("This name was removed"), "{status} {page}");
    let other = Pass { name: Hostname::parse("x.example.test").unwrap(), until: now.plus(DAY) };
    let (status, page) = front.get(&path(&front.pass(&other, PLATFORM)));
    assert!(status == 404 && page.contains("is not known here"), "{status} {page}");
}

#[test]
fn the_page_is_for_its_holder_alone_and_its_button_for_its_own_site() {
    let front = Front::start("", "400ms");
    front.customers.add(NAME);
    let path = front.link(NAME);
    let check = format!("{path}/check");
    for protocol in [Protocol::Http1, Protocol::Http2] {
        let get = front.ask(&Asked { protocol, ..Asked::of("GET", &path) });
        let head = front.ask(&Asked { protocol, ..Asked::of("HEAD", &path) });
        assert_eq!((get.status.as_u16(), head.status.as_u16()), (200, 200));
        assert!(head.body.is_empty());
        let mut names: Vec<_> = get.headers.keys().collect();
        names.retain(|name| *name != "date");
        for name in names {
            assert_eq!(get.headers[name], head.headers[name], "{name}");
        }
        for (name, value) in [
            ("cache-control", "no-store"),
            ("referrer-policy", "no-referrer"),
            ("x-robots-tag", "noindex, nofollow"),
            ("x-content-type-options", "nosniff"),
        ] {
            assert_eq!(get.headers[name], value);
        }
        let policy = get.headers["content-security-policy"].to_str().unwrap();
        assert!(policy.starts_with("default-src 'none'; style-src 'sha256-"), "{policy}");
        assert!(
            policy.contains("frame-ancestors 'none'") && !policy.contains("unsafe"),
            "{policy}"
        );
        for (method, path, fields, status) in [
            ("GET", &check, &[][..], 405),
            ("POST", &path, &[], 405),
            ("POST", &check, &[("sec-fetch-site", "cross-site")], 403),
            ("POST", &check, &[("origin", "https://evil.example")], 403),
        ] {
            let answer = front.ask(&Asked { fields, protocol, ..Asked::of(method, path) });
            assert_eq!(answer.status, status, "{method} {path} {fields:?}");
        }
    }
    assert!(front.audit(NAME).is_null(), "nobody has looked");
    // Without TLS nothing is shown, and whoever came so is led there.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let plain = runtime.block_on(async {
        let mut session = Client::connect_plain(front.customers.node.http()).await.unwrap();
        session.get(PLATFORM, &path).await.unwrap()
    });
    let secure = format!("https://{PLATFORM}{path}");
    assert_eq!((plain.status.as_u16(), field(&plain, "location")), (302, secure.as_str()));
    assert!(plain.body.is_empty());
    let (status, home) = front.get("/");
    assert!(status == 200 && home.contains("This is the address of a service"), "{home}");
    let home = front.ask(&Asked { host: NAME, ..Asked::of("GET", "/") });
    assert!(String::from_utf8_lossy(&home.body).contains("It is set up"), "{home:?}");
}

#[test]
fn looks_are_bounded_in_all_and_prefixes_are_settings() {
    let front = Front::start(
        "page_prefix = [\"dom\", \"d\"]\ncheck_every = \"1h\"\nchecks_per_minute = 1",
        "400ms",
    );
    let other = "trk.two.example.test";
    front.customers.add(NAME);
    front.customers.add(other);
    let (path, second) = (front.link(NAME), front.link(other));
    assert!(path.starts_with("/dom/"), "{path}");
    assert_eq!(front.get(&path.replace("/dom/", "/d/")).0, 200, "what was given before opens");
    front.press(&path);
    assert_eq!(front.press(&second).status, 303);
    let (_, page) = front.get(&second);
    assert!(page.contains("Many names are being looked at"), "{page}");
    assert!(front.customers.show(other)["checked"].is_null());
    let (_, page) = front.get(&path);
    let (_, time) = page.split_once("It can be checked again from ").expect(&page);
    let time = time.split_once(" UTC").unwrap().0.replace(' ', "T");
    let from: Timestamp = format!("{time}Z").parse().unwrap();
    let wait = SystemClock.wall().until(from).as_secs();
    assert!((3_500..=3_602).contains(&wait), "{wait}");
}

#[test]
fn a_look_that_takes_long_keeps_no_click_and_is_told_of() {
    let front = Front::start("", "2s");
    front.customers.add(NAME);
    let path = front.link(NAME);
    front.customers.dns.fault("one.example.test", Fault::Drop);
    front.customers.dns.fault("_dmarc.one.example.test", Fault::Drop);
    front.customers.dns.fault(NAME, Fault::Drop);
    let node = &front.customers.node;
    let token = node.mint().token_without_message(NAME, "https://example.com/");
    let click = format!("/c/{token}");
    std::thread::scope(|scope| {
        let pressing = scope.spawn(|| {
            let begun = Instant::now();
            let pressed = front.press(&path);
            (pressed.status.as_u16(), begun.elapsed())
        });
        let mut slowest = Duration::ZERO;
        let mut clicks = 0;
        while !pressing.is_finished() {
            let begun = Instant::now();
            let answer = front.ask(&Asked { host: NAME, ..Asked::of("GET", &click) });
            assert_eq!(answer.status, 302);
            slowest = slowest.max(begun.elapsed());
            clicks += 1;
        }
        let (status, took) = pressing.join().unwrap();
        println!("pressed: {took:?}; {clicks} clicks meanwhile, the slowest {slowest:?}");
        assert_eq!(status, 303);
        assert!(took > Duration::from_secs(3) && took < Duration::from_secs(7), "{took:?}");
        assert!(slowest < Duration::from_secs(2), "{slowest:?}");
    });
    let (_, page) = front.get(&path);
    assert!(page.contains("The name is being looked at"), "{page}");
    eventually("the look ends", || {
        front.get(&path).1.contains("looked at a moment ago").then_some(())
    });
}

#[test]
fn links_are_made_with_a_node_and_without_one() {
    let mut front = Front::start("", "400ms");
    front.customers.add(NAME);
    let node = &front.customers.node;
    let (code, out, _) = node.command(&["domain", "link", NAME, "--for", "30", "--json"]);
    let link: Value = serde_json::from_str(&out).unwrap();
    assert_eq!((code, &link["domain"]), (0, &NAME.into()));
    let ends: Timestamp = link["until"].as_str().unwrap().parse().unwrap();
    let days = SystemClock.wall().until(ends).as_secs() / 86_400;
    assert!((29..=30).contains(&days), "{days}");
    let (code, _, err) = node.command(&["domain", "link", "x.example.test"]);
    assert!(code == 2 && err.contains("x.example.test is not listed"), "{err}");
    for days in ["0", "367", "x"] {
        let (code, _, err) = node.command(&["domain", "link", NAME, "--for", days]);
        assert!(code == 2 && err.contains("--for <DAYS>"), "{err}");
    }
    for body in ["{\"days\":0}", "{\"day\":1}", "7"] {
        let (status, _) = front.customers.ask("POST", &format!("/v1/domains/{NAME}/link"), body);
        assert_eq!(status, 400, "{body}");
    }
    front.customers.node.terminate();
    let path = front.link(NAME);
    let (code, _, err) = front.customers.node.command(&["domain", "link", "x.example.test"]);
    assert!(code == 2 && err.contains("x.example.test is not listed"), "{err}");
    front.customers.node.restart();
    assert_eq!(front.get(&path).0, 200);
    // A key that was made a moment ago is read when a link names it.
    assert_eq!(front.customers.node.command(&["key", "new"]).0, 0);
    assert_eq!(front.get(&front.link(NAME)).0, 200);
}

#[test]
fn what_strangers_publish_is_text() {
    let front = Front::start("", "400ms");
    front.customers.add(NAME);
    front.publish("one.example.test");
    let dns = &front.customers.dns;
    dns.add("one.example.test", txt(&["v=spf1 <script>alert(1)</script>\"><img src=x>\0\u{202e}"]));
    let path = front.link(NAME);
    front.press(&path);
    let (_, page) = front.get(&path);
    let shown = "&#60;script&#62;alert(1)&#60;/script&#62;&#34;&#62;&#60;img src=x&#62;␀\u{fffd}";
    assert!(page.contains(shown), "{page}");
    assert!(!page.contains("<script>alert") && !page.contains("<img"), "{page}");
    assert!(!page.contains(['\0', '\u{202e}']), "{page}");
}
