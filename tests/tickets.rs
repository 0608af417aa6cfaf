//! Sessions are resumed over restarts, under their own name alone.

#![allow(clippy::disallowed_methods, reason = "a test reads files")]
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod node;

use std::fs;
use std::os::unix::fs::PermissionsExt;

use node::{Client, Node, Setup};
use rustls::HandshakeKind::{self, Full, Resumed};
use rustls::SupportedProtocolVersion;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::runtime::{Builder, Runtime};

#[test]
fn a_session_is_resumed_after_a_restart_and_after_a_crash() {
    for versions in [TLS13, TLS12] {
        let mut node = Node::start(&Setup::of(&[HOST]));
        let client = node.client().with_versions(versions).with_resumption();
        assert_eq!(visit(&node, &client), Full);
        assert_eq!(visit(&node, &client), Resumed);
        assert!(node.terminate().success());
        node.restart();
        assert_eq!(visit(&node, &client), Resumed, "after a restart");
        node.kill();
        node.restart();
        assert_eq!(visit(&node, &client), Resumed, "after a crash");
    }
}

#[test]
fn the_keys_of_tickets_lie_sealed_and_without_them_sessions_begin_anew() {
    let mut node = Node::start(&Setup::of(&[HOST]));
    let client = node.client().with_resumption();
    assert_eq!(visit(&node, &client), Full);
    let (store, key) = (node.data().join("store.redb"), node.data().join("seal.key"));
    node.kill();
    assert_eq!(fs::metadata(&key).unwrap().permissions().mode() & 0o777, 0o600);
    let whole = fs::read(&store).unwrap();
    let has = |text: &str| whole.windows(text.len()).any(|window| window == text.as_bytes());
    assert!(has("ring") && !has("\"secret\""), "the record is there, and sealed");
    // Another key opens nothing of what the first sealed.
    fs::write(&key, "0".repeat(64)).unwrap();
    node.restart();
    assert_eq!(visit(&node, &client), Full, "the node starts, and knows no session");
    assert_eq!(visit(&node, &client), Resumed);
    assert!(node.told().contains("the ticket-keys ring is damaged"), "{}", node.told());
}

#[test]
fn the_file_of_an_earlier_version_is_taken_over() {
    let mut node = Node::start(&Setup::of(&[HOST]));
    node.kill();
    let earlier = node.data().join("tickets");
    fs::write(&earlier, "damaged").unwrap();
    node.restart();
    assert!(node.told().contains("damaged, or sealed by another key"), "{}", node.told());
    assert!(!earlier.exists());
}

/// Asks for the home page on a new connection; how its handshake went.
fn visit(node: &Node, client: &Client) -> HandshakeKind {
    runtime().block_on(async {
        let mut stream = client.tls(node.https(), HOST, &[b"http/1.1"]).await.unwrap();
        let request = format!("GET / HTTP/1.1\r\nhost: {HOST}\r\nconnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
        stream.get_ref().1.handshake_kind().unwrap()
    })
}

fn runtime() -> Runtime {
    Builder::new_current_thread().enable_all().build().unwrap()
}

const HOST: &str = "trk.example.com";
static TLS13: &[&SupportedProtocolVersion] = &[&rustls::version::TLS13];
static TLS12: &[&SupportedProtocolVersion] = &[&rustls::version::TLS12];
