//! Promise P4 under attack: no token but ours redirects, whatever is made of ours.

#![allow(clippy::disallowed_methods, reason = "a test starts threads")]
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod node;

use std::collections::HashSet;
use std::net::SocketAddr;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Uri, Version};
use http_body_util::Empty;
use hyper::Request;
use node::{Click, Client, Node, Protocol, Random, Raw, Setup};
use serde_json::Value;
use tokio::task::JoinSet;
use waypost::clock::{Clock, SystemClock, Timestamp};
use waypost::disk::SystemDisk;
use waypost::edge::{Asked, Config, Core, Judged};
use waypost::hostname::Hostname;
use waypost::token::{Action, Claims, Keyring};

#[test]
fn a_million_forged_tokens_open_nothing() {
    let forger = Forger::new();
    thread::scope(|scope| {
        for worker in 0..WORKERS {
            let forger = &forger;
            scope.spawn(move || forger.attack(&mut Random::new(worker), IN_PROCESS / WORKERS));
        }
    });
}

#[test]
fn twenty_thousand_forged_tokens_redirect_nobody_over_sockets() {
    let node = Node::start(&Setup::of(&[HOST]));
    let mut random = Random::from_environment();
    let click = Click::random(&mut random, 0, HOST, Protocol::Http1);
    let genuine = node.mint().token(&click);
    let forger = Arc::new(Forger { genuine: vec![genuine.clone()], ..Forger::new() });
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        // Many at a time: a token that names an unknown key waits for the keys to be read again.
        let mut attackers = JoinSet::new();
        for protocol in [Protocol::Http1, Protocol::Http2].repeat(ATTACKERS / 2) {
            let (forger, random) = (Arc::clone(&forger), Random::new(random.next()));
            attackers.spawn(attack(forger, random, node.client(), node.https(), protocol));
        }
        let redirected: usize = attackers.join_all().await.into_iter().sum();
        assert_eq!(redirected, 0);
        send_as_bytes(&node, &mut random, &genuine).await;
        // The control: the token that was forged does redirect.
        let mut session = Client::connect_plain(node.http()).await.unwrap();
        let answer = session.get(HOST, &format!("/c/{genuine}")).await.unwrap();
        assert!(is_redirect(answer.status.as_u16(), &answer.headers));
    });
    let events = node.events();
    let messages: Vec<Value> = events
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap()["data"]["message"].clone())
        .collect();
    assert_eq!(messages, ["message-0"], "only the genuine one was recorded");
    assert!(!node.told().contains("panicked"), "{}", node.told());
}

/// Sends an attacker's share of forgeries on its own connection; returns how many redirected.
async fn attack(
    forger: Arc<Forger>,
    mut random: Random,
    client: Client,
    https: SocketAddr,
    protocol: Protocol,
) -> usize {
    let mut redirected = 0;
    let mut session = client.connect(https, HOST, protocol).await.unwrap();
    for _ in 0..OVER_SOCKETS / ATTACKERS {
        let path = forger.path(&mut random);
        let request = match protocol {
            Protocol::Http1 => Request::get(path).header("host", HOST),
            Protocol::Http2 => Request::get(format!("https://{HOST}{path}")),
        };
        // What the client itself takes for no URI is sent as bytes elsewhere.
        let Ok(request) = request.body(Empty::<Bytes>::new()) else { continue };
        let Ok(answer) = session.send(request).await else {
            session = client.connect(https, HOST, protocol).await.unwrap();
            continue;
        };
        redirected += usize::from(is_redirect(answer.status.as_u16(), &answer.headers));
    }
    redirected
}

/// Bytes that no client library sends: in the path, in the line, in fields.
async fn send_as_bytes(node: &Node, random: &mut Random, genuine: &str) {
    for _ in 0..AS_BYTES {
        let mut line = format!("GET /c/{genuine} HTTP/1.1\r\nhost: {HOST}\r\n").into_bytes();
        let at = 4 + random.below(3 + genuine.len() + 2);
        let byte =
            random.pick(&[b'\r', b'\n', 0, b'\t', b' ', b'\\', 0x7f, 0x80, 0xff, b'"', b'<']);
        line.insert(at, byte);
        line.extend_from_slice(b"connection: close\r\n\r\n");
        let mut raw = Raw::plain(node.http()).await.unwrap();
        raw.send(&line).await.unwrap();
        let answer = raw.read_to_close(Duration::from_secs(10)).await.unwrap();
        let answer = String::from_utf8_lossy(&answer).to_lowercase();
        assert!(!answer.contains("\nlocation:"), "{byte:#x} at {at}: {answer}");
    }
}

/// Makes tokens that look like ours.
struct Forger {
    core: Core,
    host: Hostname,
    now: Timestamp,
    genuine: Vec<String>,
    /// Sealed for another name, or with a key of somebody else.
    foreign: Vec<String>,
    _folders: [tempfile::TempDir; 2],
}

impl Forger {
    fn new() -> Self {
        let folders = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
        let rings = folders.each_ref().map(|folder| {
            let ring = Keyring::load(Arc::new(SystemDisk), folder.path()).unwrap();
            ring.create(SystemClock.wall()).unwrap();
            ring
        });
        let now = SystemClock.wall();
        let (host, other) = (Hostname::parse(HOST).unwrap(), Hostname::parse("a.example").unwrap());
        let token = |ring: &Keyring, host: &Hostname, url: &str| {
            let claims = Claims { message: Some("m-1"), ..Claims::new(Action::Click { url }) };
            ring.seal(&claims, host, now).unwrap()
        };
        let urls = ["https://a.example/", "https://shop.example/item/17?x=1&y=%20z#top"];
        let [ours, theirs] = rings;
        Self {
            genuine: urls.iter().map(|url| token(&ours, &host, url)).collect(),
            foreign: urls
                .iter()
                .flat_map(|url| [token(&ours, &other, url), token(&theirs, &host, url)])
                .collect(),
            core: Core::new(&Config::default(), ours),
            host,
            now,
            _folders: folders,
        }
    }

    fn attack(&self, random: &mut Random, count: u64) {
        let mut buffer = Vec::new();
        for genuine in &self.genuine {
            assert!(self.redirects(&format!("/c/{genuine}"), &mut buffer), "the control");
        }
        for _ in 0..count {
            let path = self.path(random);
            assert!(!self.redirects(&path, &mut buffer), "{path}");
        }
    }

    fn redirects(&self, path: &str, buffer: &mut Vec<u8>) -> bool {
        let Ok(uri) = path.parse::<Uri>() else { return false };
        let mut headers = HeaderMap::new();
        headers.insert("host", HeaderValue::from_static(HOST));
        let asked = Asked {
            method: &Method::GET,
            uri: &uri,
            version: Version::HTTP_11,
            headers: &headers,
            has_body: false,
            sni: Some(&self.host),
        };
        let judged = self.core.judge(&asked, self.now, buffer);
        matches!(judged, Judged::Click { .. } | Judged::Open { .. })
    }

    /// A path whose token is none of the genuine ones.
    fn path(&self, random: &mut Random) -> String {
        loop {
            let token = self.token(random);
            // A slash or a query at the end is allowed, and makes it the genuine one again.
            let bare = token.split(['?', '#']).next().unwrap_or_default().trim_end_matches('/');
            if self.genuine.iter().any(|genuine| genuine == bare) {
                continue;
            }
            let prefix = random.pick(&["/c/", "/c/", "/c/", "/o/", "/c//", "/c/./", "/c/../c/"]);
            return format!("{prefix}{token}");
        }
    }

    fn token(&self, random: &mut Random) -> String {
        let genuine = &self.genuine[random.below(self.genuine.len())];
        let mut bytes = genuine.clone().into_bytes();
        let at = random.below(bytes.len());
        match random.below(12) {
            0 => bytes[at] = ALPHABET[random.below(64)],
            1 => bytes.truncate(at),
            2 => bytes.insert(at, ALPHABET[random.below(64)]),
            3 => drop(bytes.remove(at)),
            4 => {
                let other = random.below(bytes.len());
                bytes.swap(at, other);
            }
            5 => bytes[at] ^= 0x20,
            6 => {
                let other = self.foreign[random.below(self.foreign.len())].as_bytes();
                bytes.truncate(at);
                bytes.extend_from_slice(&other[at.min(other.len())..]);
            }
            7 => bytes = self.foreign[random.below(self.foreign.len())].clone().into_bytes(),
            8 => bytes = (0..random.below(600)).map(|_| ALPHABET[random.below(64)]).collect(),
            9 => bytes.extend_from_slice(random.pick(&TAILS).as_bytes()),
            10 => {
                let escaped = format!("%{:02X}", bytes[at]);
                bytes.splice(at..=at, escaped.into_bytes());
            }
            // The last character's unused bits: the same bytes in another spelling.
            _ => {
                let last = bytes.len() - 1;
                let value = ALPHABET.iter().position(|c| *c == bytes[last]).unwrap();
                bytes[last] = ALPHABET[value ^ (1 + random.below(15))];
            }
        }
        String::from_utf8(bytes).unwrap()
    }
}

fn is_redirect(status: u16, headers: &HeaderMap) -> bool {
    (300..400).contains(&status) || headers.contains_key("location")
}

#[test]
fn the_forger_makes_forgeries_of_every_kind() {
    let forger = Forger::new();
    let mut random = Random::new(1);
    let made: HashSet<_> = (0..2_000).map(|_| forger.path(&mut random)).collect();
    assert!(made.len() > 1_500, "{}", made.len());
}

const HOST: &str = "trk.example.com";
const IN_PROCESS: u64 = 1_000_000;
const WORKERS: u64 = 4;
const OVER_SOCKETS: usize = 20_000;
const ATTACKERS: usize = 200;
const AS_BYTES: usize = 500;
const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
const TAILS: [&str; 9] = [
    "=",
    "==",
    ".",
    ".gif",
    "%00",
    "%0d%0aLocation:%20https://evil.example",
    ";a",
    "/x",
    "@evil.example",
];
