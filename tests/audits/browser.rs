//! Pages about domains in a real browser.

use std::path::Path;

use crate::chromium::{Browser, Page};
use crate::dns::txt;
use crate::front::{Front, NAME};

/// What strangers may publish.
fn hostile(front: &Front) {
    front.publish("one.example.test");
    let dns = &front.customers.dns;
    let long = "x".repeat(250);
    let strings: Vec<&str> = std::iter::once("v=spf1 <script>window.hit=1</script>")
        .chain(["\"><img src=\"https://evil.example/\" onerror=\"window.hit=1\">\u{202e}gpj\0"])
        .chain(std::iter::repeat_n(long.as_str(), 15))
        .collect();
    dns.add("one.example.test", txt(&strings));
    dns.add("_dmarc.one.example.test", txt(&["v=DMARC1; p=reject; <svg/onload=window.hit=1>"]));
}

/// Nothing is loaded but the page, nothing runs but its script, nothing is forbidden.
fn is_by_itself(page: &Page<'_>, origin: &str) {
    for request in page.told("Network.requestWillBeSent") {
        let url = request["request"]["url"].as_str().unwrap();
        assert!(url.starts_with(origin) || url.starts_with("data:"), "{url}");
    }
    let issues = page.told("Audits.issueAdded");
    let forbidden: Vec<_> = issues
        .iter()
        .filter(|issue| issue["issue"]["code"] == "ContentSecurityPolicyIssue")
        .collect();
    assert!(forbidden.is_empty(), "{forbidden:?}");
    let logged = page.told("Log.entryAdded");
    let wrong = logged.iter().filter(|entry| {
        // Browsers ask for it themselves, and are told that there is none.
        let is_icon =
            entry["entry"]["url"].as_str().is_some_and(|url| url.ends_with("favicon.ico"));
        !is_icon && entry["entry"]["level"] == "error"
    });
    assert_eq!(wrong.collect::<Vec<_>>(), Vec::<&serde_json::Value>::new());
    assert_eq!(page.value("window.hit === undefined"), true);
    assert_eq!(page.value("document.images.length"), 0);
    assert_eq!(page.value("document.scripts.length"), 1);
}

/// Takes pictures, narrow and wide, light and dark; nothing is cut off.
fn pictures(page: &Page<'_>, name: &str) {
    for (size, width) in [("narrow", 360), ("wide", 1_280)] {
        page.resize(width, 900);
        let across = "document.documentElement.scrollWidth <= document.documentElement.clientWidth";
        assert_eq!(page.value(across), true, "{name}: nothing is cut off at {width} pixels");
        for scheme in ["light", "dark"] {
            page.prefer(scheme);
            let file = format!("{name}-{size}-{scheme}.png");
            page.whole_picture(&Path::new(env!("CARGO_TARGET_TMPDIR")).join(file));
        }
    }
}

/// Every text stands out against what is behind it (WCAG 2.2 §1.4.3).
fn is_readable(page: &Page<'_>) {
    for scheme in ["light", "dark"] {
        page.prefer(scheme);
        assert_eq!(page.value(CONTRAST), serde_json::json!([]), "{scheme}");
    }
}

/// What has too little contrast: text, colour, background, ratio.
const CONTRAST: &str = r#"(() => {
  const light = c => { const [r, g, b] = c.match(/[\d.]+/g).map(Number).map(v => { v /= 255;
    return v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4; });
    return 0.2126 * r + 0.7152 * g + 0.0722 * b; };
  const behind = e => { for (; e; e = e.parentElement) {
    const c = getComputedStyle(e).backgroundColor; if (!c.endsWith(", 0)")) return c; }
    return "rgb(255, 255, 255)"; };
  const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  const poor = [];
  for (let t; (t = walk.nextNode());) {
    const e = t.parentElement;
    if (!t.textContent.trim() || e.localName === "script" || e.offsetParent === null) continue;
    const [a, b] = [light(getComputedStyle(e).color), light(behind(e))];
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    if (ratio < 4.5) poor.push([t.textContent.slice(0, 40), getComputedStyle(e).color, behind(e), ratio]);
  }
  return poor;
})()"#;

#[test]
fn the_customers_page_is_by_itself_readable_and_copies() {
    if !Browser::is_here() {
        return;
    }
    let front = Front::start("", "400ms");
    front.customers.add(NAME);
    hostile(&front);
    let path = front.link(NAME);
    let folder = tempfile::tempdir().unwrap();
    let browser = Browser::start(Some(&front.root(folder.path())));
    browser.allow_clipboard();
    let origin = format!("https://pages.localhost:{}", front.customers.node.https().port());
    let page = browser.open("about:blank");
    page.listen();
    page.go(&format!("{origin}{path}"));
    page.wait_for("document.querySelector('button.main') !== null");
    pictures(&page, "customer-before");
    page.resize(1_280, 900);
    page.click("button.main");
    page.wait_for("document.querySelector('[role=status]') !== null");
    page.wait_for("document.body.innerText.includes('window.hit=1')");
    assert_eq!(page.value("location.pathname"), path.as_str(), "a reload asks for the page");
    is_by_itself(&page, &origin);
    let text = page.value("document.body.innerText");
    let text = text.as_str().unwrap();
    assert!(text.contains("<script>window.hit=1</script>"), "shown as text: {text}");
    for hidden in ['\u{202e}', '\0'] {
        assert!(!text.contains(hidden), "{hidden:?}");
    }
    is_readable(&page);
    pictures(&page, "customer");
    page.resize(1_280, 900);
    let record = page.value("document.querySelector('.copy pre').textContent");
    page.click(".copy button");
    page.wait_for("document.querySelector('.copy button').textContent === 'Copied'");
    assert_eq!(page.value("navigator.clipboard.readText()"), record);
    // Where the clipboard is out of reach the record is at least selected.
    page.value("navigator.clipboard.writeText = () => Promise.reject()");
    page.wait_for("document.querySelector('.copy button').textContent === 'Copy'");
    page.click(".copy button");
    page.wait_for("document.querySelector('.copy button').textContent !== 'Copy'");
    assert_eq!(page.value("getSelection().toString()"), record);
}

#[test]
fn the_customers_page_works_without_script() {
    if !Browser::is_here() {
        return;
    }
    let front = Front::start("", "400ms");
    front.customers.add(NAME);
    let path = front.link(NAME);
    let folder = tempfile::tempdir().unwrap();
    let browser = Browser::start(Some(&front.root(folder.path())));
    let origin = format!("https://pages.localhost:{}", front.customers.node.https().port());
    let page = browser.open("about:blank");
    page.listen();
    page.forbid_scripts();
    page.go(&format!("{origin}{path}"));
    page.wait_for("document.querySelector('button.main') !== null");
    page.click("button.main");
    page.wait_for("document.querySelector('[role=status]') !== null");
    page.wait_for("document.body.innerText.includes('does not lead to the platform')");
    assert_eq!(page.value("document.querySelectorAll('[data-copy]:not([hidden])').length"), 0);
    assert_eq!(page.value("document.querySelector('.copy pre').textContent"), "pages.localhost");
    is_by_itself(&page, &origin);
    let posts = page.told("Network.requestWillBeSent");
    assert!(posts.iter().any(|request| request["request"]["method"] == "POST"));
}

#[test]
fn the_page_of_an_audit_is_by_itself_and_readable() {
    if !Browser::is_here() {
        return;
    }
    let front = Front::start("", "400ms");
    hostile(&front);
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("page.html");
    let resolver = front.customers.dns.resolver().to_string();
    let (code, _, err) = front.customers.node.command(&[
        "audit",
        "one.example.test",
        "--resolver",
        &resolver,
        "--html",
        file.to_str().unwrap(),
    ]);
    assert_eq!(code, 1, "{err}");
    let browser = Browser::start(None);
    let page = browser.open("about:blank");
    page.listen();
    let address = format!("file://{}", file.display());
    page.go(&address);
    page.wait_for("document.querySelector('.copy button:not([hidden])') !== null");
    is_by_itself(&page, &address);
    is_readable(&page);
    pictures(&page, "audit");
    page.resize(1_280, 900);
    page.click(".copy button");
    page.wait_for("document.querySelector('.copy button').textContent !== 'Copy'");
}
