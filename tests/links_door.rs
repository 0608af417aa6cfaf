//! `POST /v1/links`: both ways a stream, with back-pressure, deadlines and access rules.

#![allow(clippy::disallowed_methods, reason = "a test reads files and clocks and starts threads")]
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod node;

use std::fs;
use std::io::{BufRead, BufReader, ErrorKind, Write};
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use node::{Exchange, Node, Setup, check_answer, peak_memory, row};
use serde_json::{Value, json};

#[test]
fn a_slow_reader_stalls_the_reading_and_others_are_served() {
    let node = Node::start(&Setup::of(&[HOST]));
    let before = peak_memory(node.process());
    let rows: String = (1..=SLOW_ROWS).map(row).collect();
    let mut exchange = Exchange::unix(&node.socket(), Duration::from_secs(1));
    let length = format!("host: any\r\ncontent-length: {}\r\n", rows.len());
    exchange.begin("POST", "/v1/links", &length);
    let taken = push_until_stalled(&mut exchange, rows.as_bytes()).expect("it stalls");
    println!("{taken} of {} bytes were taken", rows.len());
    assert!(taken < STALL_BYTES, "{taken} bytes were read of a request whose answer is not read");
    assert_eq!(node.ask_admin("/livez").0, 200);
    let during = peak_memory(node.process());
    assert!(during < before + (24 << 10), "{before} kB, then {during} kB");
    // The reader wakes up: nothing was lost.
    let (mut writer, mut reader) = exchange.split();
    let rest = rows.as_bytes()[taken..].to_vec();
    let writing = thread::spawn(move || {
        for piece in rest.chunks(64 << 10) {
            write_patiently(&mut *writer, piece);
        }
    });
    assert_eq!(reader.head().0, 200);
    let mut lines = BufReader::new(reader).lines();
    for serial in 1..=SLOW_ROWS {
        check_answer(&node, &lines.next().unwrap().unwrap(), serial);
    }
    assert!(lines.next().is_none());
    writing.join().unwrap();
    let after = peak_memory(node.process());
    println!("the node: {before} kB before, {after} kB at most");
    assert!(after < before + (24 << 10), "{before} kB, then {after} kB");
}

#[test]
fn who_reads_nothing_or_sends_nothing_is_given_up() {
    let admin = "deadline = \"300ms\"".to_owned();
    let node = Node::start(&Setup { admin, ..Setup::of(&[HOST]) });
    let rows: String = (1..=SLOW_ROWS).map(row).collect();
    let mut deaf = Exchange::unix(&node.socket(), PATIENCE);
    let length = format!("host: any\r\ncontent-length: {}\r\n", rows.len());
    deaf.begin("POST", "/v1/links", &length);
    let mut at = 0;
    let ended = loop {
        match deaf.push(&rows.as_bytes()[at..]) {
            Ok(count) => at += count,
            Err(error) => break error.kind(),
        }
        assert!(at < rows.len(), "all was taken, though nothing of the answer was read");
    };
    assert!(matches!(ended, ErrorKind::BrokenPipe | ErrorKind::ConnectionReset), "{ended:?}");
    // One that sends nothing more is told from which line on to send again.
    let mut silent = Exchange::unix(&node.socket(), PATIENCE);
    silent.begin("POST", "/v1/links", &chunked(""));
    silent.chunk((row(1) + &row(2) + "{\"host\":").as_bytes());
    assert_eq!(silent.head().0, 200);
    check_answer(&node, &silent.line().unwrap(), 1);
    check_answer(&node, &silent.line().unwrap(), 2);
    let told: Value = serde_json::from_str(&silent.line().unwrap()).unwrap();
    let error = "nothing came for 300ms: send the rows from this line on again";
    assert_eq!(told, json!({ "line": 3, "error": error }));
    assert_eq!(silent.line(), None);
    // And one that sends nothing at all.
    let mut mute = Exchange::unix(&node.socket(), PATIENCE);
    mute.begin("POST", "/v1/links", &chunked(""));
    assert_eq!(mute.head().0, 408);
}

#[test]
fn who_goes_on_sending_is_never_given_up() {
    let admin = "deadline = \"2s\"".to_owned();
    let node = Node::start(&Setup { admin, ..Setup::of(&[HOST]) });
    let mut exchange = Exchange::unix(&node.socket(), PATIENCE);
    exchange.begin("POST", "/v1/links", &chunked(""));
    let begun = Instant::now();
    let mut serial = 0;
    while begun.elapsed() < Duration::from_millis(2_500) {
        serial += 1;
        exchange.chunk(row(serial).as_bytes());
        if serial == 1 {
            assert_eq!(exchange.head().0, 200);
        }
        check_answer(&node, &exchange.line().unwrap(), serial);
        thread::sleep(Duration::from_millis(20));
    }
    exchange.end();
    assert_eq!(exchange.line(), None);
}

#[test]
fn a_client_that_reads_only_afterwards_may_send_a_thousand_rows() {
    let node = guarded("");
    let rows: String = (1..=1_000).map(row).collect();
    let mut exchange = Exchange::tcp(node.admin());
    let length = format!("{}content-length: {}\r\n", bearer(&node), rows.len());
    exchange.begin("POST", "/v1/links", &length);
    let mut at = 0;
    while at < rows.len() {
        at += exchange.push(&rows.as_bytes()[at..]).unwrap();
    }
    assert_eq!(exchange.head().0, 200);
    for serial in 1..=1_000 {
        check_answer(&node, &exchange.line().unwrap(), serial);
    }
    assert_eq!(exchange.line(), None);
}

#[test]
fn minting_needs_the_token_or_the_socket_even_on_loopback() {
    let node = guarded("");
    let own = format!("host: {}\r\n", node.admin());
    for (fields, status) in [
        (own.clone(), 401),
        (own.clone() + "authorization: Bearer wrong-0123456789\r\n", 401),
        (bearer(&node) + "origin: https://evil.example\r\n", 403),
        (bearer(&node).replace(&own, "host: evil.example\r\n"), 403),
        (bearer(&node) + "content-encoding: gzip\r\n", 415),
        (bearer(&node), 200),
    ] {
        let mut exchange = Exchange::tcp(node.admin());
        let row = row(1);
        let length = format!("{fields}content-length: {}\r\n", row.len());
        exchange.begin("POST", "/v1/links", &length);
        exchange.push(row.as_bytes()).unwrap();
        assert_eq!(exchange.head().0, status, "{fields}");
        if status == 200 {
            check_answer(&node, &exchange.line().unwrap(), 1);
        }
    }
    let mut exchange = Exchange::tcp(node.admin());
    exchange.begin("GET", "/v1/links", &own);
    let (status, head) = exchange.head();
    assert!(status == 405 && head.contains("allow: POST"), "{head}");
    // Nothing in, nothing out.
    let mut exchange = Exchange::unix(&node.socket(), PATIENCE);
    exchange.begin("POST", "/v1/links", "host: any\r\ncontent-length: 0\r\n");
    let (status, head) = exchange.head();
    assert!(status == 200 && !head.contains("100"), "{head}");
    // Without a key nothing is begun.
    let keys = node.data().join("keys");
    fs::rename(&keys, node.data().join("aside")).unwrap();
    fs::create_dir(&keys).unwrap();
    for (path, expected) in [("/v1/keys/reload", 200), ("/v1/links", 503)] {
        let mut exchange = Exchange::unix(&node.socket(), PATIENCE);
        exchange.begin("POST", path, "host: any\r\ncontent-length: 0\r\n");
        assert_eq!(exchange.head().0, expected, "{path}");
    }
}

#[test]
fn a_node_that_ends_says_from_which_row_on_to_send_again() {
    let mut node = Node::start(&Setup::of(&[HOST]));
    let mut exchange = Exchange::unix(&node.socket(), PATIENCE);
    exchange.begin("POST", "/v1/links", &chunked(""));
    exchange.chunk(row(1).as_bytes());
    assert_eq!(exchange.head().0, 200);
    check_answer(&node, &exchange.line().unwrap(), 1);
    node.signal();
    let told: Value = serde_json::from_str(&exchange.line().unwrap()).unwrap();
    let error = "the node ends: send the rows from this line on again";
    assert_eq!(told, json!({ "line": 2, "error": error }));
    assert_eq!(exchange.line(), None);
    assert!(node.terminate().success());
}

/// Sends until the other side takes nothing for the connection's patience; `None` when it takes
/// everything.
fn push_until_stalled(exchange: &mut Exchange, bytes: &[u8]) -> Option<usize> {
    let mut at = 0;
    while at < bytes.len() {
        match exchange.push(&bytes[at..bytes.len().min(at + (64 << 10))]) {
            Ok(count) => at += count,
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Some(at),
            Err(error) => panic!("after {at} bytes: {error}"),
        }
    }
    None
}

fn write_patiently(writer: &mut dyn Write, mut bytes: &[u8]) {
    let begun = Instant::now();
    while !bytes.is_empty() {
        match writer.write(bytes) {
            Ok(count) => bytes = &bytes[count..],
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                assert!(begun.elapsed() < PATIENCE, "nothing was taken");
            }
            Err(error) => panic!("{error}"),
        }
    }
}

fn chunked(more: &str) -> String {
    format!("host: any\r\ntransfer-encoding: chunked\r\n{more}")
}

/// A node whose operator's door has a token.
fn guarded(more: &str) -> Node {
    let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join("minting.token");
    fs::write(&file, "0123456789abcdef\n").unwrap();
    let admin = format!("token_file = {file:?}\n{more}");
    Node::start(&Setup { admin, ..Setup::of(&[HOST]) })
}

fn bearer(node: &Node) -> String {
    format!("host: {}\r\nauthorization: Bearer 0123456789abcdef\r\n", node.admin())
}

const HOST: &str = "trk.example.com";
/// Some 25 MB, and more of an answer.
const SLOW_ROWS: usize = 100_000;
/// What a socket's buffers and the node's may hold together of a request.
const STALL_BYTES: usize = 6 << 20;
const PATIENCE: Duration = Duration::from_secs(30);
