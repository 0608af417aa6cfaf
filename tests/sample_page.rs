//! The page of `waypost dev` in a real browser: the pixel loads, links are followed, events show.

#![allow(clippy::disallowed_methods, reason = "a test reads files and starts threads")]
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod chromium;
mod node;

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::Duration;

use chromium::Browser;
use node::{Dev, Ran, folder};
use serde_json::Value;
use waypost::token::destination;

#[test]
fn a_newcomer_opens_the_page_clicks_and_sees_the_events() {
    if !Browser::is_here() {
        return;
    }
    let folder = folder();
    let dev = Dev::start(folder.path(), &["--quiet"]);
    let browser = Browser::start(None);
    let page = browser.open(dev.value("admin"));
    page.wait_for(
        "document.querySelector('img') !== null && document.querySelector('img').complete",
    );
    assert_eq!(page.value("document.querySelector('img').naturalWidth"), 1, "the pixel loads");
    page.wait_for("document.querySelectorAll('#events > li').length === 1");
    assert_eq!(page.value("document.querySelector('#events .kind').textContent.trim()"), "open");
    page.click(".mail a");
    let landed = browser.page_at("/?page=collection");
    landed.wait_for("document.body !== null && document.body.innerText.includes('trk.localhost')");
    landed.close();
    page.wait_for("document.querySelectorAll('#events > li').length === 2");
    let newest = "document.querySelector('#events > li').innerText";
    assert!(page.value(newest).as_str().unwrap().contains("collection"), "newest first");
    assert_eq!(
        page.value("document.getElementById('state').textContent"),
        "2 so far, newest first"
    );
    page.click("#events summary");
    page.wait_for("document.querySelector('#events details').open");
    let shown = page.value("document.querySelector('#events pre').textContent");
    let shown: Value = serde_json::from_str(shown.as_str().unwrap()).unwrap();
    let [open, click] = &events(folder.path())[..] else { panic!("two events") };
    assert_eq!(&shown, click, "the page shows what the journal keeps");
    assert_eq!(
        (&open["type"], &open["data"]["headers"]["sec-fetch-dest"]),
        (&"net.aksend.trk.open".into(), &"image".into())
    );
    assert_eq!(click["data"]["headers"]["sec-fetch-mode"], "navigate");
    assert!(click["data"]["user_agent"].as_str().unwrap().contains("Chrome/"), "{click}");
    // What it says of terminals works in one.
    let commands = page.value("[...document.querySelectorAll('footer pre')].map(p => p.innerText)");
    for (command, part) in commands.as_array().unwrap().iter().zip([" 302", "/c/", "specversion"]) {
        let ran = Ran::shell(folder.path(), command.as_str().unwrap());
        assert!(ran.good().contains(part), "{command}: {ran:?}");
    }
    for (name, width) in [("wide", 1200), ("narrow", 360)] {
        page.resize(width, 1000);
        let across = "document.documentElement.scrollWidth <= document.documentElement.clientWidth";
        assert_eq!(page.value(across), true, "nothing is cut off at {width} pixels");
        page.picture(&Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("sample-{name}.png")));
    }
    let sides =
        "document.querySelector('.events').offsetTop > document.querySelector('.mail').offsetTop";
    assert_eq!(page.value(sides), true, "one below the other where it is narrow");
}

#[test]
fn a_browser_follows_a_minted_link_to_where_it_leads() {
    if !Browser::is_here() {
        return;
    }
    let folder = folder();
    let dev = Dev::start(folder.path(), &["--quiet"]);
    let (shop, visits) = shop();
    let to = format!("http://{shop}/arrived?item=%C3%A9&quote=%22");
    let link = Ran::waypost(
        folder.path(),
        &["link", "click", "--host", "trk.localhost", "--to", &to, "--message", "m-7"],
    );
    let browser = Browser::start(None);
    let page = browser.open(link.good().trim());
    page.wait_for("document.title === 'arrived'");
    assert_eq!(page.value("location.href"), to.as_str());
    let visit = visits.recv_timeout(PATIENCE).unwrap();
    assert!(visit.starts_with("GET /arrived?item=%C3%A9&quote=%22 HTTP/1.1"), "{visit}");
    assert!(!visit.to_ascii_lowercase().contains("\r\nreferer:"), "the token stays ours: {visit}");
    let events = events(folder.path());
    assert_eq!(events.len(), 1, "{events:?}");
    assert_eq!((&events[0]["subject"], &events[0]["data"]["url"]), (&"m-7".into(), &to.into()));
    drop(dev);
}

#[test]
fn over_https_a_browser_that_trusts_the_ca_follows_and_another_does_not() {
    if !Browser::is_here() {
        return;
    }
    let folder = folder();
    let dev = Dev::start(folder.path(), &["--quiet"]);
    let authority = folder.path().join(dev.value("ca"));
    let stranger = Browser::start(None);
    let page = stranger.open(dev.value("click https"));
    page.wait_for("location.href.startsWith('chrome-error:') || document.title.includes('rror')");
    assert!(events(folder.path()).is_empty());
    let browser = Browser::start(Some(&authority));
    let page = browser.open(dev.value("admin"));
    page.wait_for("document.querySelector('#secure') !== null");
    page.click("#secure");
    let landed = browser.page_at("/?page=secure");
    landed.wait_for("document.body !== null && document.body.innerText.includes('trk.localhost')");
    page.wait_for("document.getElementById('events').innerText.includes('secure')");
    let events = events(folder.path());
    let click = events.iter().find(|event| event["type"] == "net.aksend.trk.click").unwrap();
    let data = &click["data"];
    assert_eq!(
        (&data["scheme"], &data["tls"], &data["http"]),
        (&"https".into(), &"1.3".into(), &"h2".into())
    );
}

/// What is sealed is what the browser would have made of the same text; so no parser's reading is
/// another's surprise.
#[test]
fn a_browser_reads_destinations_as_they_are_sealed() {
    if !Browser::is_here() {
        return;
    }
    let browser = Browser::start(None);
    let page = browser.open("about:blank");
    let mut taken = 0;
    for text in DESTINATIONS {
        let Ok(sealed) = destination(text) else { continue };
        taken += 1;
        let read = page.value(&format!("new URL({text:?}).href"));
        assert_eq!(alike(read.as_str().unwrap()), alike(&sealed), "{text}");
        let again = page.value(&format!("new URL({sealed:?}).href"));
        assert_eq!(alike(again.as_str().unwrap()), alike(&sealed), "{text}: it stays what it is");
    }
    assert!(taken > DESTINATIONS.len() / 2, "only {taken} were taken");
}

/// A URL without the differences that lead nowhere else: we encode quotes, which browsers leave in
/// some places, and newer browsers `^` and `|` in paths, as the standard came to say.
fn alike(url: &str) -> String {
    let pairs = [('"', "%22"), ('\'', "%27"), ('\\', "%5C"), ('^', "%5E"), ('|', "%7C")];
    pairs.iter().fold(url.to_owned(), |url, (raw, encoded)| url.replace(*raw, encoded))
}

/// A server that stands in for the shop: where it is, and the requests that it gets.
fn shop() -> (SocketAddr, Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let (visited, visits) = channel();
    thread::spawn(move || {
        while let Ok((stream, _)) = listener.accept() {
            let visited = visited.clone();
            // A browser opens connections in advance, on which nothing may ever come.
            thread::spawn(move || serve(stream, &visited));
        }
    });
    (address, visits)
}

fn serve(mut stream: TcpStream, visited: &Sender<String>) {
    let (mut request, mut byte) = (Vec::new(), [0]);
    while !request.ends_with(b"\r\n\r\n") {
        if stream.read_exact(&mut byte).is_err() {
            return;
        }
        request.push(byte[0]);
    }
    let body = "<!doctype html><title>arrived</title>";
    let head = "HTTP/1.1 200 OK\r\ncontent-type: text/html\r\nconnection: close";
    let answer = format!("{head}\r\ncontent-length: {}\r\n\r\n{body}", body.len());
    // Neither may be there any more once the test has ended.
    drop(stream.write_all(answer.as_bytes()));
    drop(visited.send(String::from_utf8_lossy(&request).into_owned()));
}

fn events(folder: &Path) -> Vec<Value> {
    let cat = Ran::waypost(folder, &["journal", "cat"]);
    cat.good().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// Texts on which URL parsers have differed.
const DESTINATIONS: [&str; 40] = [
    "https://example.com",
    "HTTPS://EXAMPLE.COM/A/../B/./c",
    "https://example.com:443/",
    "http://example.com:80?x",
    "http://example.com:0080/",
    "https://example.com.:8443/",
    "https://bücher.example/straße?größe=ß#ü",
    "https://faß.example/",
    "https://xn--bcher-kva.example/",
    "https://☃.example/",
    "https://ＥＸＡＭＰＬＥ.com/",
    "https://example。com/",
    "https://ex%61mple.com/",
    "https://example.com%2f@evil.example/",
    "https://example.com/%2e%2e/%2E/x",
    "https://example.com/a%0d%0ab?c%00d",
    "https://example.com/a|b^c`d{e}",
    "https://example.com/?a|b^c`d{e}'\"<>",
    "https://example.com/#a|b^c`d{e}'\"<>",
    "https://example.com/'\"<>",
    "https://example.com//evil.example/",
    "https://example.com/@evil.example",
    "https://example.com/?@evil.example",
    "https://example.com#@evil.example",
    "https://example.com?/../x",
    "https://192.0.2.1/",
    "https://0xc0000201/",
    "https://3221225985/",
    "https://0300.0.2.1/",
    "https://192.0.513/",
    "https://256.256.256.256/",
    "https://[2001:DB8:0:0::1]/",
    "https://[::ffff:192.0.2.1]/",
    "https://a_b.example/",
    "https://-a-.example/",
    "https://example..com/",
    "https://example.com/%",
    "https://example.com/%zz%c3%28",
    "https://example.com/\u{1f6b2}?\u{e000}\u{10ffff}",
    "https://example.com:65535/",
];
const PATIENCE: Duration = Duration::from_secs(30);
