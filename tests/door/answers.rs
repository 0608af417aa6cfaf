//! What is answered to what, and what is recorded of it.

use http::Request;
use serde_json::json;
use tokio::io::AsyncWriteExt;
use waypost::clock::{Clock, SystemClock};
use waypost::token::{Action, Keyring};

use crate::client::{ask, ask2, closed, get, http2, plain, read_answer, tls};
use crate::house::{CHALLENGE, HOST, House, OTHER_HOST};

const URL: &str = "https://example.com/landing?x=1#top";

#[tokio::test]
async fn a_click_redirects_and_is_recorded_with_what_the_request_said() {
    let house = House::open(|_| {});
    let path = house.click(HOST, URL);
    let request = format!(
        "GET {path}/?fbclid=1&utm_source=x HTTP/1.1\r\nHost: {HOST}\r\nUser-Agent: Test/1\r\n\
         Referer: https://mail.example/\r\nAccept-Language: en\r\nSec-Purpose: prefetch\r\n\r\n"
    );
    let answer = ask(&mut tls(&house, HOST).await, &request).await;
    assert_eq!((answer.status, answer.field("location")), (302, Some(URL)));
    assert_eq!(answer.field("cache-control"), Some("no-store"));
    assert_eq!(answer.field("x-content-type-options"), Some("nosniff"));
    assert_eq!(answer.field("referrer-policy"), Some("no-referrer"));
    assert!(answer.field("content-security-policy").unwrap().starts_with("default-src 'none'"));
    assert_eq!(answer.field("strict-transport-security"), None);
    assert!(answer.field("date").is_some());

    let events = house.events().await;
    let [event] = events.as_slice() else { panic!("{events:?}") };
    assert_eq!(event["type"], "net.aksend.trk.click");
    assert_eq!(event["subject"], "message-1");
    let data = &event["data"];
    for (field, value) in [
        ("url", json!(URL)),
        ("host", json!(HOST)),
        ("method", json!("GET")),
        ("scheme", json!("https")),
        ("http", json!("h1")),
        ("tls", json!("1.3")),
        ("resumed", json!(false)),
        ("ip", json!("127.0.0.1")),
        ("user_agent", json!("Test/1")),
        ("referer", json!("https://mail.example/")),
        ("accept_language", json!("en")),
        ("headers", json!({"sec-purpose": "prefetch"})),
    ] {
        assert_eq!(data[field], value, "{field}");
    }
    house.close().await;
}

#[tokio::test]
async fn an_open_is_a_pixel_and_a_head_is_a_probe() {
    let house = House::open(|_| {});
    let (pixel, click) = (house.pixel(HOST), house.click(HOST, URL));
    let mut stream = plain(&house).await;
    for path in [pixel.clone(), format!("{pixel}.gif"), format!("{pixel}.gif?x=1")] {
        let answer = ask(&mut stream, &get(&path, HOST)).await;
        assert_eq!((answer.status, answer.body.len()), (200, 43));
        assert_eq!(answer.field("content-type"), Some("image/gif"));
        assert_eq!(answer.field("cache-control"), Some("no-store"));
        assert!(answer.body.starts_with(b"GIF89a") && answer.body.ends_with(&[0x3b]));
    }
    let head = |path: &str| format!("HEAD {path} HTTP/1.1\r\nHost: {HOST}\r\n\r\n");
    let answer = ask(&mut stream, &head(&pixel)).await;
    assert_eq!((answer.status, answer.field("content-length")), (200, Some("43")));
    let answer = ask(&mut stream, &head(&click)).await;
    assert_eq!((answer.status, answer.field("location")), (302, Some(URL)));
    // A link of one kind is none of the other.
    let (as_click, as_pixel) = (pixel.replace("/o/", "/c/"), click.replace("/c/", "/o/"));
    for path in [as_click, as_pixel] {
        assert_eq!(ask(&mut stream, &get(&path, HOST)).await.status, 404);
    }
    let types: Vec<_> =
        house.events().await.iter().map(|e| e["type"].as_str().unwrap().to_owned()).collect();
    let (open, probe) = ("net.aksend.trk.open", "net.aksend.trk.probe");
    assert_eq!(types, [open, open, open, probe, probe]);
    assert_eq!(house.metric("requests_total{route=\"open\",status=\"200\"}"), 4);
    house.close().await;
}

#[tokio::test]
async fn a_head_over_http2_says_the_length_and_sends_no_content() {
    let house = House::open(|_| {});
    let mut sender = http2(&house, HOST).await;
    for (path, status, length) in
        [(house.pixel(HOST), 200, Some("43")), (house.click(HOST, URL), 302, None)]
    {
        let get = Request::get(format!("https://{HOST}{path}")).body("").unwrap();
        let whole = ask2(&mut sender, get).await;
        let head = Request::head(format!("https://{HOST}{path}")).body("").unwrap();
        let bare = ask2(&mut sender, head).await;
        assert_eq!((whole.status().as_u16(), bare.status().as_u16()), (status, status));
        assert_eq!(bare.headers().get("location"), whole.headers().get("location"));
        assert!(bare.body().is_empty());
        let said = bare.headers().get("content-length").map(|value| value.to_str().unwrap());
        assert_eq!(said.unwrap_or("0"), length.unwrap_or("0"), "{path}");
    }
    house.close().await;
}

#[tokio::test]
async fn what_is_no_link_is_a_page_and_never_a_redirect() {
    let house = House::open(|config| config.operator = "Example Mail".to_owned());
    let forged = format!("{}A", house.click(HOST, URL));
    let challenge = format!("/.well-known/acme-challenge/{CHALLENGE}");
    let get_cases = [
        ("/", 200, "run by Example Mail"),
        ("/robots.txt", 200, "Disallow: /"),
        ("/favicon.ico", 404, "nothing here"),
        (forged.as_str(), 404, "nothing here"),
        ("/c/?url=https://evil.example", 404, "nothing here"),
        (challenge.as_str(), 200, "abcdefghijklmnop.thumbprint"),
        ("/.well-known/acme-challenge/abcdefghijklmnoq", 404, "not found"),
        ("/.well-known/acme-challenge/%3Cscript%3E", 404, "nothing here"),
    ];
    let mut stream = tls(&house, HOST).await;
    for (path, status, text) in get_cases {
        let answer = ask(&mut stream, &get(path, HOST)).await;
        assert_eq!(answer.status, status, "{path}");
        assert!(String::from_utf8_lossy(&answer.body).contains(text), "{path}: {answer:?}");
        assert_eq!(answer.field("x-content-type-options"), Some("nosniff"));
        assert_eq!(answer.field("location"), None);
    }
    let other = ask(&mut plain(&house).await, &get(&challenge, OTHER_HOST)).await;
    assert_eq!(other.status, 404, "a challenge is of one name");
    for (method, path, allow) in [
        ("POST", "/", "GET, HEAD"),
        ("DELETE", forged.as_str(), "GET, HEAD"),
        ("HEAD", &challenge, "GET"),
    ] {
        let request = format!("{method} {path} HTTP/1.1\r\nHost: {HOST}\r\n\r\n");
        let answer = ask(&mut stream, &request).await;
        assert_eq!((answer.status, answer.field("allow")), (405, Some(allow)), "{method}");
    }
    assert!(house.events().await.is_empty());
    house.close().await;
}

#[tokio::test]
async fn content_is_refused_and_the_connection_ends() {
    let house = House::open(|_| {});
    let path = house.click(HOST, URL);
    for (method, fields, body) in [
        ("POST", "Content-Length: 5", "hello"),
        ("GET", "Content-Length: 5", "hello"),
        ("GET", "Transfer-Encoding: chunked", "5\r\nhello\r\n0\r\n\r\n"),
        ("GET", "Content-Length: 5\r\nTransfer-Encoding: chunked", "0\r\n\r\n"),
    ] {
        let request = format!("{method} {path} HTTP/1.1\r\nHost: {HOST}\r\n{fields}\r\n\r\n{body}");
        let mut stream = plain(&house).await;
        // What follows must not be taken for a second request.
        stream.write_all(format!("{request}{}", get("/", HOST)).as_bytes()).await.unwrap();
        let answer = read_answer(&mut stream, false).await;
        assert_eq!(answer.status, 413, "{fields}");
        assert_eq!(answer.field("connection"), Some("close"));
        closed(&mut stream).await;
    }
    let request = format!("GET {path} HTTP/1.1\r\nHost: {HOST}\r\nContent-Length: 0\r\n\r\n");
    assert_eq!(ask(&mut plain(&house).await, &request).await.status, 302);
    let request = Request::get(format!("https://{HOST}{path}")).body("hello").unwrap();
    assert_eq!(ask2(&mut http2(&house, HOST).await, request).await.status(), 413);
    assert_eq!(house.events().await.len(), 1);
    house.close().await;
}

#[tokio::test]
async fn cookies_and_credentials_are_neither_echoed_nor_recorded() {
    let house = House::open(|_| {});
    let secret = "canary-4711";
    let click = house.click(HOST, URL);
    for path in [click.as_str(), "/", "/nothing", "/robots.txt", "*"] {
        for method in ["GET", "TRACE", "OPTIONS"] {
            let request = format!(
                "{method} {path} HTTP/1.1\r\nHost: {HOST}\r\nCookie: a={secret}\r\n\
                 Authorization: Basic {secret}\r\nX-Forwarded-For: {secret}\r\n\r\n"
            );
            let answer = ask(&mut plain(&house).await, &request).await;
            assert!(!answer.head.contains(secret), "{answer:?}");
            assert!(!String::from_utf8_lossy(&answer.body).contains(secret));
            assert_eq!(answer.field("set-cookie"), None);
        }
    }
    let events = house.events().await;
    assert_eq!(events.len(), 1);
    assert!(!events[0].to_string().contains(secret));
    assert!(!house.metrics.text().contains(secret) && !house.metrics.text().contains(HOST));
    house.close().await;
}

#[tokio::test]
async fn hsts_is_for_tls_only_and_for_one_name() {
    let house = House::open(|config| config.hsts = std::time::Duration::from_secs(3_600));
    let answer = ask(&mut tls(&house, HOST).await, &get("/", HOST)).await;
    assert_eq!(answer.field("strict-transport-security"), Some("max-age=3600"));
    let answer = ask(&mut plain(&house).await, &get("/", HOST)).await;
    assert_eq!(answer.field("strict-transport-security"), None);
    house.close().await;
}

#[tokio::test]
async fn the_longest_link_fits_beside_a_browsers_header() {
    let house = House::open(|_| {});
    let url = format!("https://example.com/{}", "x".repeat(4_000));
    let path = house.click(HOST, &url);
    let padding = "y".repeat(8_000);
    let request = format!("GET {path} HTTP/1.1\r\nHost: {HOST}\r\nUser-Agent: {padding}\r\n\r\n");
    let answer = ask(&mut plain(&house).await, &request).await;
    assert_eq!((answer.status, answer.field("location")), (302, Some(url.as_str())));
    let long = format!("/c/{}", "A".repeat(16 << 10));
    let request = Request::get(format!("https://{HOST}{long}")).body("").unwrap();
    let mut sender = http2(&house, HOST).await;
    assert_eq!(ask2(&mut sender, request).await.status(), 404, "a token of 16 KiB is read");
    let too_long = get(&format!("/c/{}", "A".repeat(40 << 10)), HOST);
    let mut stream = plain(&house).await;
    let answer = ask(&mut stream, &too_long).await;
    assert!(matches!(answer.status, 414 | 431), "{answer:?}");
    closed(&mut stream).await;
    house.close().await;
}

#[tokio::test]
async fn a_key_made_a_moment_ago_opens_its_links() {
    let house = House::open(|_| {});
    let disk = std::sync::Arc::clone(&house.disk);
    let elsewhere = Keyring::load(disk, &house.folder.path().join("keys")).unwrap();
    elsewhere.create(SystemClock.wall()).unwrap();
    let token = house.seal(&elsewhere, HOST, Action::Click { url: URL });
    let answer = ask(&mut plain(&house).await, &get(&format!("/c/{token}"), HOST)).await;
    assert_eq!((answer.status, answer.field("location")), (302, Some(URL)));
    // A key that is nowhere is looked for, and the answer is a page.
    let folder = tempfile::tempdir().unwrap();
    let disk = std::sync::Arc::clone(&house.disk);
    let foreign = Keyring::load(disk, folder.path()).unwrap();
    foreign.create(SystemClock.wall()).unwrap();
    let token = house.seal(&foreign, HOST, Action::Click { url: URL });
    let answer = ask(&mut plain(&house).await, &get(&format!("/c/{token}"), HOST)).await;
    assert_eq!(answer.status, 404);
    house.close().await;
}
