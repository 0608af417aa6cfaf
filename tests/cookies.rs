//! Promise P8: what browsers send us for the customer's parent domain is seen nowhere.

#![allow(clippy::disallowed_methods, reason = "a test reads files")]
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod node;

use std::fs;
use std::path::Path;

use bytes::Bytes;
use http_body_util::Empty;
use hyper::Request;
use node::{Click, Client, Node, Protocol, Random, Session, Setup};

#[test]
fn a_cookie_is_seen_in_no_journal_trace_metric_or_answer() {
    let more = "[trace]\nlevel = \"trace\"\n".to_owned();
    let node = Node::start(&Setup { more, ..Setup::of(&[HOST]) });
    let mut random = Random::from_environment();
    let click = Click::random(&mut random, 0, HOST, Protocol::Http1);
    let token = node.mint().token(&click);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let answers = runtime.block_on(ask_everything(&node, &token));
    assert!(answers.len() >= 3 * PATHS, "{}", answers.len());
    for answer in &answers {
        assert!(!answer.contains(CANARY), "{answer}");
    }
    for path in ["/metrics", "/livez", "/readyz", "/v1/recent", "/"] {
        assert!(!node.ask_admin(path).1.contains(CANARY), "{path}");
    }
    let told = node.told();
    assert!(told.contains("TRACE") || told.contains("DEBUG"), "nothing was traced: {told}");
    assert!(!told.contains(CANARY), "{told}");
    // The control: what is kept of the same requests is found by the same search.
    let files = bytes_under(&node.data());
    assert!(contains(&files, VISIBLE.as_bytes()));
    assert!(!contains(&files, CANARY.as_bytes()));
    assert!(!node.events().contains(CANARY));
}

/// Every path with the canary in every field that may carry a secret; the answers as text.
async fn ask_everything(node: &Node, token: &str) -> Vec<String> {
    let client = node.client();
    let mut answers = Vec::new();
    for kind in 0..3 {
        let mut session = match kind {
            0 => client.connect(node.https(), HOST, Protocol::Http1).await.unwrap(),
            1 => client.connect(node.https(), HOST, Protocol::Http2).await.unwrap(),
            _ => Client::connect_plain(node.http()).await.unwrap(),
        };
        let paths = [
            format!("/c/{token}"),
            format!("/c/{token}x"),
            format!("/o/{token}"),
            "/".to_owned(),
            "/robots.txt".to_owned(),
            "/nothing".to_owned(),
            format!("/.well-known/acme-challenge/{}", "a".repeat(43)),
        ];
        assert_eq!(paths.len(), PATHS);
        for path in &paths {
            for method in ["GET", "HEAD", "POST"] {
                let uri = match session {
                    Session::Http1(_) => path.clone(),
                    Session::Http2(_) => format!("https://{HOST}{path}"),
                };
                let mut request = Request::builder().method(method).uri(uri);
                if matches!(session, Session::Http1(_)) {
                    request = request.header("host", HOST);
                }
                for name in SECRET {
                    request = request.header(name, format!("session={CANARY}"));
                }
                let request = request.header("user-agent", VISIBLE);
                let request = request.body(Empty::<Bytes>::new()).unwrap();
                let answer = session.send(request).await.unwrap();
                answers.push(format!("{:?}{:?}", answer.headers, answer.body));
            }
        }
    }
    answers
}

fn bytes_under(folder: &Path) -> Vec<u8> {
    let mut bytes = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        let kind = entry.file_type().unwrap();
        if kind.is_dir() {
            bytes.extend(bytes_under(&entry.path()));
        } else if kind.is_file() {
            bytes.extend(fs::read(entry.path()).unwrap());
        }
    }
    bytes
}

fn contains(haystack: &[u8], needle: &[u8]) -> bool {
    haystack.windows(needle.len()).any(|window| window == needle)
}

const HOST: &str = "trk.example.com";
const PATHS: usize = 7;
const CANARY: &str = "canary-7f3a91";
const VISIBLE: &str = "agent-that-is-kept";
const SECRET: [&str; 6] =
    ["cookie", "authorization", "proxy-authorization", "x-api-key", "x-csrf-token", "cookie2"];
