//! The operator's door: who may ask what, and what it tells.

#![allow(clippy::disallowed_methods, reason = "a test reads files and clocks")]
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod node;

use std::fs;
use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::process::Command;
use std::time::{Duration, Instant};

use node::{Authority, Click, Node, Protocol, Random, Setup};
use serde_json::Value;

#[test]
fn a_change_needs_the_token_or_the_socket() {
    let node = guarded("");
    let reload = |fields: &str| ask(tcp(&node), "POST", "/v1/keys/reload", &(own(&node) + fields));
    for (fields, status) in [
        ("", 401),
        ("authorization: Bearer wrong-0123456789\r\n", 401),
        ("authorization: Basic MDEyMzQ1Njc4OWFiY2RlZg==\r\n", 401),
        ("authorization: Bearer 0123456789abcdef0\r\n", 401),
        ("authorization: Bearer 0123456789abcdef\r\n", 200),
    ] {
        let answer = reload(fields);
        assert_eq!(answer.status, status, "{fields:?}: {answer:?}");
        let challenge = answer.head.contains("www-authenticate: Bearer");
        assert_eq!(challenge, status == 401, "{answer:?}");
        assert!(answer.body.contains(if status == 200 { "changed" } else { "Unix socket" }));
    }
    // Reading needs nothing on loopback, and the socket nothing at all.
    assert_eq!(ask(tcp(&node), "GET", "/metrics", &own(&node)).status, 200);
    let answer = ask(unix(&node), "POST", "/v1/keys/reload", "host: any\r\n");
    assert_eq!((answer.status, answer.body.trim()), (200, "{\"changed\":false}"));
}

#[test]
fn without_a_token_file_no_token_is_right() {
    let node = Node::start(&Setup::of(&[HOST]));
    for fields in ["", "authorization: Bearer \r\n", "authorization: Bearer\r\n"] {
        let answer = ask(tcp(&node), "POST", "/v1/keys/reload", &(own(&node) + fields));
        assert_eq!(answer.status, 401, "{fields:?}");
    }
}

#[test]
fn another_host_or_origin_is_refused() {
    let node = Node::start(&Setup::of(&[HOST]));
    let port = node.admin().port();
    for (fields, status) in [
        (format!("host: 127.0.0.1:{port}\r\n"), 200),
        (format!("host: localhost:{port}\r\n"), 200),
        (format!("host: [::1]:{port}\r\n"), 200),
        (format!("host: rebound.example:{port}\r\n"), 403),
        (format!("host: 127.0.0.1.evil.example:{port}\r\n"), 403),
        ("host: trk.example.com\r\n".to_owned(), 403),
        (format!("host: localhost:{port}\r\norigin: https://evil.example\r\n"), 403),
        (format!("host: localhost:{port}\r\norigin: null\r\n"), 403),
        (format!("host: localhost:{port}\r\norigin: http://localhost:{port}\r\n"), 200),
    ] {
        let answer = ask(tcp(&node), "GET", "/metrics", &fields);
        assert_eq!(answer.status, status, "{fields:?}");
        assert!(status == 200 || answer.body.contains("\"error\""), "{answer:?}");
    }
}

#[test]
fn what_is_not_there_and_what_is_asked_wrongly_is_told() {
    let node = Node::start(&Setup::of(&[HOST]));
    let absent = ask(tcp(&node), "GET", "/nothing", &own(&node));
    assert_eq!((absent.status, absent.body.contains("nothing under this path")), (404, true));
    let wrong = ask(unix(&node), "DELETE", "/metrics", "host: any\r\n");
    assert_eq!((wrong.status, wrong.body.contains("does not take this method")), (405, true));
    assert!(wrong.head.contains("allow: GET"), "{wrong:?}");
    let got = ask(tcp(&node), "GET", "/v1/keys/reload", &own(&node));
    assert_eq!((got.status, got.head.contains("allow: POST")), (405, true), "{got:?}");
}

#[test]
fn over_tls_the_same_rules_hold() {
    let authority = Authority::new();
    let folder = tempfile::tempdir().unwrap();
    let files = authority.issue("ops.example", folder.path());
    let token = folder.path().join("token");
    fs::write(&token, "0123456789abcdef\n").unwrap();
    let admin = format!(
        "token_file = {token:?}\nchain = {:?}\nkey = {:?}\nhosts = [\"ops.example\"]",
        files.chain, files.key
    );
    let node = Node::start(&Setup { admin, ..Setup::of(&[HOST]) });
    let root = authority.file(folder.path());
    let port = node.admin().port();
    let curl = |fields: &[&str], path: &str| {
        let output = Command::new("curl")
            .args(["--silent", "--show-error", "--write-out", "%{http_code}", "--cacert"])
            .arg(&root)
            .args(["--resolve", &format!("ops.example:{port}:127.0.0.1")])
            .args(fields)
            .arg(format!("https://ops.example:{port}{path}"))
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    };
    let bearer = ["-X", "POST", "-H", "Authorization: Bearer 0123456789abcdef"];
    assert!(curl(&[], "/readyz").ends_with("200"));
    assert!(curl(&bearer, "/v1/keys/reload").ends_with("200"));
    assert!(curl(&["-X", "POST"], "/v1/keys/reload").ends_with("401"));
    // A peer that speaks no TLS holds up nobody.
    let _silent = tcp(&node);
    assert!(curl(&[], "/livez").ends_with("200"));
}

#[test]
fn the_socket_is_private_and_outlives_no_one() {
    // Not long: the one that has it is no node that ends.
    let more = "[store]\nwait = \"100ms\"\n".to_owned();
    let mut node = Node::start(&Setup { more, ..Setup::of(&[HOST]) });
    let path = node.data().join("admin.sock");
    assert_eq!(fs::metadata(node.data()).unwrap().permissions().mode() & 0o077, 0);
    assert_eq!(ask(unix(&node), "GET", "/livez", "host: any\r\n").body, "ok\n");
    node.kill();
    assert!(path.exists(), "a killed node leaves it behind");
    node.restart();
    assert_eq!(ask(unix(&node), "GET", "/livez", "host: any\r\n").body, "ok\n");
    assert!(node.terminate().success());
    assert!(!path.exists(), "an ended node does not");
    // One that answers is another node's.
    let listener = UnixListener::bind(&path).unwrap();
    let (status, told) = node.fail_to_start();
    assert_eq!(status.code(), Some(2), "{told}");
    assert!(told.contains("is in use: another node runs on this data folder"), "{told}");
    drop(listener);
}

#[test]
fn readiness_follows_the_keys_and_nothing_else() {
    let node = guarded("");
    let ready = || {
        let (status, body) = node.ask_admin("/readyz");
        (status, serde_json::from_str::<Value>(&body).unwrap())
    };
    let reload = || ask(unix(&node), "POST", "/v1/keys/reload", "host: any\r\n");
    let (status, body) = ready();
    assert_eq!(status, 200);
    assert_eq!(body["degraded"].as_array().unwrap().len(), 0, "{body}");
    let keys = node.data().join("keys");
    let aside = node.data().join("aside");
    fs::rename(&keys, &aside).unwrap();
    fs::create_dir(&keys).unwrap();
    assert_eq!(reload().status, 200);
    let (status, body) = ready();
    assert_eq!((status, &body["not_ready"][0]), (503, &Value::from("keys")), "{body}");
    assert_eq!(node.ask_admin("/livez").0, 200, "it lives all the same");
    fs::remove_dir(&keys).unwrap();
    fs::rename(&aside, &keys).unwrap();
    assert_eq!(reload().body.trim(), "{\"changed\":true}");
    assert_eq!(ready().0, 200);
}

#[test]
fn a_node_that_ends_says_so_and_answers_on_for_the_delay() {
    let more = "[shutdown]\ndelay = \"10m\"\n".to_owned();
    let mut node = Node::start(&Setup { more, ..Setup::of(&[HOST]) });
    node.signal();
    let begun = Instant::now();
    let body = loop {
        let (status, body) = node.ask_admin("/readyz");
        if status == 503 {
            break body;
        }
        assert!(begun.elapsed() < PATIENCE, "{body}");
    };
    assert!(body.contains("\"draining\""), "{body}");
    let home =
        ask(TcpStream::connect(node.http()).unwrap(), "GET", "/", "host: trk.example.com\r\n");
    assert_eq!(home.status, 200, "the public door answers on");
    // A second signal ends the wait.
    assert!(node.terminate().success());
}

#[test]
fn metrics_are_well_formed_name_no_host_and_balance() {
    let node = Node::start(&Setup::of(&[HOST]));
    let mut random = Random::from_environment();
    let mut stream = TcpStream::connect(node.http()).unwrap();
    for serial in 0..20 {
        let click = Click::random(&mut random, serial, HOST, Protocol::Http1);
        let token = node.mint().token(&click);
        let request = format!("GET /c/{token} HTTP/1.1\r\nhost: {HOST}\r\n\r\n");
        stream.write_all(request.as_bytes()).unwrap();
        let mut start = [0; 12];
        stream.read_exact(&mut start).unwrap();
        assert_eq!(&start, b"HTTP/1.1 302");
        stream = TcpStream::connect(node.http()).unwrap();
    }
    let answer = ask(tcp(&node), "GET", "/metrics", &own(&node));
    assert!(answer.head.contains("content-type: application/openmetrics-text"), "{answer:?}");
    let text = answer.body;
    assert!(!text.contains(HOST) && text.ends_with("# EOF\n"));
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let name = line.split(['{', ' ']).next().unwrap();
        assert!(name.starts_with("waypost_"), "{line}");
        let family = ["_total", "_bucket", "_sum", "_count"]
            .iter()
            .find_map(|suffix| name.strip_suffix(suffix))
            .unwrap_or(name);
        for kind in ["HELP", "TYPE"] {
            let found =
                [family, name].iter().any(|name| text.contains(&format!("# {kind} {name} ")));
            assert!(found, "{name} has no {kind}");
        }
        for unit in ["_ms", "_millis", "_us", "_kb", "_mb"] {
            assert!(!family.ends_with(unit), "{name} is in no base unit");
        }
    }
    let histograms =
        text.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.strip_suffix(" histogram"));
    for name in histograms {
        let of = |suffix: &str| {
            let line = text.lines().find_map(|line| line.strip_prefix(&format!("{name}{suffix} ")));
            line.map(|count| count.parse::<u64>().unwrap())
        };
        assert!(of("_count").is_some(), "{name} has no count");
        assert_eq!(of("_bucket{le=\"+Inf\"}"), of("_count"), "{name}");
    }
    assert!(text.contains("waypost_answer_seconds_bucket"));
    let value = |name: &str| -> u64 {
        let matches = text.lines().filter_map(|line| line.strip_prefix(name));
        matches.filter_map(|rest| rest.rsplit(' ').next()?.parse::<u64>().ok()).sum()
    };
    assert_eq!(value("waypost_events_received_total"), 20);
    let settled =
        value("waypost_events_journalled_total") + value("waypost_events_unrecorded_total");
    assert_eq!(
        value("waypost_events_received_total"),
        settled + value("waypost_events_in_progress")
    );
}

#[test]
fn a_silent_a_slow_and_an_idle_peer_are_closed_while_others_are_served() {
    let admin = "deadline = \"300ms\"".to_owned();
    let node = Node::start(&Setup { admin, ..Setup::of(&[HOST]) });
    let open = || {
        let stream = TcpStream::connect(node.admin()).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream
    };
    let (mut silent, mut slow, mut idle) = (open(), open(), open());
    slow.write_all(b"GET /livez HTTP/1.1\r\nhost: loc").unwrap();
    idle.write_all(format!("GET /livez HTTP/1.1\r\n{}\r\n", own(&node)).as_bytes()).unwrap();
    for stream in [&mut silent, &mut slow, &mut idle] {
        // Ends, in order or by a reset, and not by our own patience.
        let mut rest = Vec::new();
        match stream.read_to_end(&mut rest) {
            Ok(_) => {}
            Err(error) => assert_eq!(error.kind(), ErrorKind::ConnectionReset, "not closed"),
        }
        assert_eq!(node.ask_admin("/livez").0, 200);
    }
}

/// A node whose operator's door has a token.
fn guarded(more: &str) -> Node {
    let folder = std::path::Path::new(env!("CARGO_TARGET_TMPDIR"));
    let file = folder.join("admin.token");
    fs::write(&file, "0123456789abcdef\n").unwrap();
    let admin = format!("token_file = {file:?}\n{more}");
    Node::start(&Setup { admin, ..Setup::of(&[HOST]) })
}

#[derive(Debug)]
struct Answer {
    status: u16,
    head: String,
    body: String,
}

/// Asks once on a connection of its own.
fn ask(mut stream: impl Read + Write, method: &str, path: &str, fields: &str) -> Answer {
    let request = format!("{method} {path} HTTP/1.1\r\n{fields}connection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    Answer { status, head: head.to_owned(), body: body.to_owned() }
}

fn tcp(node: &Node) -> TcpStream {
    let stream = TcpStream::connect(node.admin()).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream
}

fn unix(node: &Node) -> UnixStream {
    let stream = UnixStream::connect(node.data().join("admin.sock")).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream
}

/// The Host field that names the door itself.
fn own(node: &Node) -> String {
    format!("host: {}\r\n", node.admin())
}

const HOST: &str = "trk.example.com";
const PATIENCE: Duration = Duration::from_secs(20);
