//! Every key of the configuration does what it says: a test fails when one is ignored.
//!
//! `settings` holds that a key is read; here a node, or a part of it, behaves as the key says and
//! not as it would by default. The keys whose effect is held elsewhere are in [`ELSEWHERE`].

#![allow(clippy::disallowed_methods, reason = "a test reads files and clocks and starts threads")]
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod node;

use std::collections::BTreeSet;
use std::fs;
use std::io::Write;
use std::net::TcpStream;
use std::path::Path;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use node::{
    Answer, Authority, Click, Client, HangingDisk, Node, Program, Protocol, Ran, Random, Setup,
    Visit, folder, serve_on,
};
use serde_json::Value;
use waypost::clock::{Clock, SystemClock};
use waypost::config::Settings;

/// Keys that are held by another test, and by which.
const ELSEWHERE: &[(&str, &str)] = &[
    ("node.name", "kill.rs"),
    ("node.data", "kill.rs"),
    ("edge.https", "kill.rs"),
    ("edge.http", "admin.rs"),
    ("edge.operator", "door/answers.rs"),
    ("edge.handshake", "door/deadlines.rs"),
    ("edge.order_wait", "orders/first.rs"),
    ("edge.order_waiters", "orders/first.rs"),
    ("edge.order_waiters_per_name", "orders/first.rs"),
    ("edge.header", "door/deadlines.rs"),
    ("edge.idle", "door/deadlines.rs"),
    ("edge.park", "door/lasting.rs"),
    ("edge.write", "door/deadlines.rs"),
    ("edge.connections", "door/deadlines.rs"),
    ("edge.per_address", "door/deadlines.rs"),
    ("edge.hsts", "door/answers.rs"),
    ("edge.proxy", "door/proxied.rs"),
    ("tls.certificate.hosts", "kill.rs"),
    ("tls.certificate.chain", "kill.rs"),
    ("tls.certificate.key", "kill.rs"),
    ("tls.cache", "bounds.rs"),
    ("acme.contact", "orders/failover.rs"),
    ("acme.self_probe", "orders/first.rs"),
    ("acme.http_port", "orders/first.rs"),
    ("acme.own_name", "orders/own_name.rs"),
    ("acme.orders", "orders/keys.rs"),
    ("acme.issuer.name", "orders/failover.rs"),
    ("acme.issuer.directory", "orders/house.rs"),
    ("acme.issuer.roots", "orders/house.rs"),
    ("acme.issuer.caa", "orders/keys.rs"),
    ("acme.issuer.profile", "orders/keys.rs"),
    ("acme.issuer.eab_key_id", "orders/failover.rs"),
    ("acme.issuer.eab_key_file", "orders/failover.rs"),
    ("acme.issuer.poll_first", "orders/keys.rs"),
    ("acme.issuer.poll_longest", "orders/keys.rs"),
    ("acme.issuer.timeout", "orders/cruel.rs"),
    ("acme.issuer.patience", "orders/cruel.rs"),
    ("acme.issuer.orders", "orders/cruel.rs"),
    ("acme.issuer.per_domain", "orders/cruel.rs"),
    ("acme.issuer.per_name", "orders/keys.rs"),
    ("journal.queue", "bounds.rs"),
    ("journal.gather", "bounds.rs"),
    ("journal.retention_age", "bounds.rs"),
    ("kafka.audits_topic", "delivery/route.rs"),
    ("kafka.batch", "delivery/keys.rs"),
    ("kafka.brokers", "delivery/kept.rs"),
    ("kafka.ca", "delivery/refusals.rs"),
    ("kafka.certificate", "delivery/refusals.rs"),
    ("kafka.compression", "delivery/keys.rs"),
    ("kafka.domains_topic", "delivery/route.rs"),
    ("kafka.events_topic", "delivery/route.rs"),
    ("kafka.key", "delivery/refusals.rs"),
    ("kafka.linger", "delivery/outages.rs"),
    ("kafka.partitions", "delivery/route.rs"),
    ("kafka.password_file", "delivery/refusals.rs"),
    ("kafka.password_variable", "delivery/keys.rs"),
    ("kafka.replicas", "delivery/route.rs"),
    ("kafka.sasl", "delivery/refusals.rs"),
    ("kafka.security", "delivery/refusals.rs"),
    ("kafka.start", "delivery/kept.rs"),
    ("kafka.username", "delivery/refusals.rs"),
    ("kafka.window", "delivery/keys.rs"),
    ("links.base", "commands.rs"),
    ("domains.admission", "gate.rs"),
    ("domains.target", "names.rs"),
    ("domains.files", "names.rs"),
    ("domains.authorities", "names.rs"),
    ("domains.poll_rate", "heeded.rs"),
    ("domains.poll_first", "heeded.rs"),
    ("domains.poll_longest", "heeded.rs"),
    ("domains.poll_abandoned", "heeded.rs"),
    ("domains.abandoned_after", "heeded.rs"),
    ("domains.poll_pointed", "heeded.rs"),
    ("domains.detach_answers", "heeded.rs"),
    ("domains.detach_after", "heeded.rs"),
    ("domains.quarantine", "heeded.rs"),
    ("domains.names_per_domain", "gate.rs"),
    ("domains.names_in_all", "heeded.rs"),
    ("domains.labels", "heeded.rs"),
    ("domains.refusals", "heeded.rs"),
    ("domains.refusal_first", "heeded.rs"),
    ("domains.refusal_longest", "heeded.rs"),
    ("domains.questions_per_domain", "heeded.rs"),
    ("domains.questions_in_all", "heeded.rs"),
    ("dns.servers", "names.rs"),
    ("dns.timeout", "heeded.rs"),
    ("dns.tries", "heeded.rs"),
    ("dns.cache", "heeded.rs"),
    ("dns.longest", "heeded.rs"),
    ("dns.longest_absence", "heeded.rs"),
    ("dns.in_flight", "heeded.rs"),
    ("dns.server_rate", "lookup.rs"),
    ("dns.zone_port", "names.rs"),
    ("store.cache", "heeded.rs"),
    ("store.timeout", "heeded.rs"),
    ("store.wait", "store.rs"),
    ("admin.listen", "kill.rs"),
    ("admin.token_file", "admin.rs"),
    ("admin.chain", "admin.rs"),
    ("admin.key", "admin.rs"),
    ("admin.hosts", "admin.rs"),
    ("admin.deadline", "admin.rs"),
    ("trace.level", "cookies.rs"),
    ("shutdown.delay", "admin.rs"),
];
/// Keys that are held here.
const HERE: &[&str] = &[
    "node.reactors",
    "edge.click_prefix",
    "edge.open_prefix",
    "edge.streams",
    "edge.exempt",
    "tls.oldest",
    "tls.reload",
    "journal.directory",
    "journal.sync",
    "journal.segment",
    "journal.answer_within",
    "journal.retention_size",
    "links.keys",
    "links.reload",
    "events.address",
    "events.address_key_file",
    "events.user_agent",
    "events.referer",
    "events.header",
    "events.meta",
    "store.file",
    "store.seal_key_file",
    "trace.form",
    "shutdown.grace",
];

#[test]
fn no_key_is_without_a_test_of_its_effect() {
    let held = HERE.iter().copied().chain(ELSEWHERE.iter().map(|(key, _)| *key));
    let held: BTreeSet<_> = held.map(str::to_owned).collect();
    assert_eq!(held.len(), HERE.len() + ELSEWHERE.len(), "a key stands twice");
    let known: BTreeSet<_> = Settings::keys().into_iter().collect();
    assert_eq!(held, known);
    for (_, file) in ELSEWHERE {
        assert!(Path::new("tests").join(file).exists(), "{file}");
    }
}

/// A node with as many unusual settings as go together.
#[test]
fn an_unusual_node_is_what_its_keys_say() {
    let other = folder();
    let key = other.path().join("address.key");
    fs::write(&key, "0123456789abcdef").unwrap();
    let seal = other.path().join("elsewhere.key");
    let setup = Setup {
        node: "reactors = 5".to_owned(),
        edge: "click_prefix = \"go\"\nopen_prefix = \"px\"\nstreams = 7".to_owned(),
        journal: "directory = \"log\"\nsync = \"os\"\nsegment = \"1MiB\"\n\
            retention_size = \"4MiB\""
            .to_owned(),
        more: format!(
            "[tls]\noldest = \"1.3\"\n\
             [events]\naddress = \"hashed\"\naddress_key_file = {key:?}\nuser_agent = \"16B\"\n\
             referer = \"18B\"\nheader = \"20B\"\nmeta = \"16B\"\n\
             [store]\nseal_key_file = {seal:?}\nfile = \"names.redb\"\n[trace]\nform = \"json\"\n"
        ),
        ..Setup::of(&[HOST])
    };
    let mut node = Node::start(&setup);
    let begun = Instant::now();
    // A thread takes its name when it first runs.
    while threads(&node, "reactor-") != 5 {
        assert!(begun.elapsed() < PATIENCE, "node.reactors");
    }
    assert!(seal.exists() && !node.data().join("seal.key").exists(), "store.seal_key_file");
    let file = node.data().join("names.redb");
    // The store is opened beside answering.
    node::poll("store.file", || file.exists().then_some(()));
    assert!(!node.data().join("store.redb").exists(), "store.file");
    let journal = node.data().join("log");
    assert!(journal.is_dir() && !node.data().join("journal").exists(), "journal.directory");
    let prepared = || files_under(&journal).into_iter().filter(|length| *length > 4_096);
    let lengths = node::poll("a segment is made", || prepared().min().map(|_| prepared()));
    let lengths: BTreeSet<_> = lengths.collect();
    assert_eq!(lengths, BTreeSet::from([1 << 20]), "journal.segment");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        tls_and_paths(&node).await;
        settings_frame(&node).await;
        events(&node).await;
        retention(&node).await;
    });
    let syncs = metric(&node, "waypost_journal_syncs_total");
    // Of what was prepared ahead and of nothing that was written.
    assert!(syncs < 10, "journal.sync: {syncs} syncs");
    node.terminate();
    let told = node.told();
    let lines: Vec<_> = told.lines().map(serde_json::from_str::<Value>).collect();
    assert!(!lines.is_empty() && lines.iter().all(Result::is_ok), "trace.form: {told}");
}

async fn tls_and_paths(node: &Node) {
    static TLS12: &[&rustls::SupportedProtocolVersion] = &[&rustls::version::TLS12];
    let old = node.client().with_versions(TLS12);
    assert!(old.connect(node.https(), HOST, Protocol::Http1).await.is_err(), "tls.oldest");
    let click = Click::random(&mut Random::new(1), 1, HOST, Protocol::Http1);
    let token = node.mint().token(&click);
    let pixel = node.mint().token(&Click { kind: node::Kind::Open, ..click });
    for (path, status, key) in [
        (format!("/go/{token}"), 302, "edge.click_prefix"),
        (format!("/c/{token}"), 404, "edge.click_prefix"),
        (format!("/px/{pixel}"), 200, "edge.open_prefix"),
        (format!("/o/{pixel}"), 404, "edge.open_prefix"),
    ] {
        assert_eq!(get(node, &path).await.status, status, "{key}: {path}");
    }
}

/// The SETTINGS frame of HTTP/2 (RFC 9113 §6.5), which says how many streams are taken.
async fn settings_frame(node: &Node) {
    let mut raw = node.client().raw(node.https(), HOST, b"h2").await.unwrap();
    raw.send(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0").await.unwrap();
    // SETTINGS_MAX_CONCURRENT_STREAMS is 3.
    let read = raw.read_until(&[0, 3, 0, 0, 0, 7], PATIENCE).await;
    assert!(read.is_ok(), "edge.streams");
}

async fn events(node: &Node) {
    let long = "x".repeat(100);
    let mut click = Click::random(&mut Random::new(2), 2, HOST, Protocol::Http1);
    click.link.meta = vec![("key".to_owned(), long.clone())];
    click.visit = Visit {
        is_resumed: false,
        protocol: Protocol::Http1,
        user_agent: Some(long.clone()),
        referer: Some(long.clone()),
        accept_language: None,
        headers: vec![("via".to_owned(), long)],
    };
    let token = node.mint().token(&click);
    let mut session = node.client().connect(node.https(), HOST, Protocol::Http1).await.unwrap();
    let answer = session.get(HOST, &format!("/go/{token}")).await.unwrap();
    assert_eq!(answer.status, 302);
    let request = http::Request::get(format!("/go/{token}"))
        .header("host", HOST)
        .header("user-agent", click.visit.user_agent.as_deref().unwrap())
        .header("referer", click.visit.referer.as_deref().unwrap())
        .header("via", &click.visit.headers[0].1);
    let body = http_body_util::Empty::new();
    assert_eq!(session.send(request.body(body).unwrap()).await.unwrap().status, 302);
    let last = node.events().lines().last().unwrap().to_owned();
    let data = &serde_json::from_str::<Value>(&last).unwrap()["data"];
    let length = |pointer: &str| data.pointer(pointer).and_then(Value::as_str).map(str::len);
    assert_eq!(data["ip_form"], "hashed", "events.address");
    assert_eq!(length("/ip"), Some(64), "events.address_key_file");
    assert_eq!(length("/user_agent"), Some(16), "events.user_agent");
    assert_eq!(length("/referer"), Some(18), "events.referer");
    assert_eq!(length("/headers/via"), Some(20), "events.header");
    assert_eq!(length("/meta/key"), Some(13), "events.meta, the key counted in");
}

/// More than retention keeps, so that the oldest go.
async fn retention(node: &Node) {
    let mut session = node.client().connect(node.https(), HOST, Protocol::Http1).await.unwrap();
    let mut click = Click::random(&mut Random::new(3), 3, HOST, Protocol::Http1);
    click.link.url = format!("https://shop.example/{}", "y".repeat(3_900));
    let path = format!("/go/{}", node.mint().token(&click));
    let begun = Instant::now();
    while metric(node, "waypost_journal_deleted_frames_total") == 0 {
        for _ in 0..100 {
            assert_eq!(session.get(HOST, &path).await.unwrap().status, 302);
        }
        assert!(begun.elapsed() < PATIENCE, "journal.retention_size");
    }
}

#[test]
fn a_click_waits_for_a_hung_disk_as_long_as_its_key_says_and_a_stop_no_longer() {
    let setup = Setup {
        program: Program::Own("hanging_node"),
        // Longer than the default, and than anything else that is waited for.
        journal: "answer_within = \"1900ms\"".to_owned(),
        edge: "write = \"60s\"".to_owned(),
        more: "[shutdown]\ngrace = \"200ms\"\n".to_owned(),
        ..Setup::of(&[HOST])
    };
    let mut node = Node::start(&setup);
    let click = Click::random(&mut Random::new(4), 4, HOST, Protocol::Http1);
    let path = format!("/c/{}", node.mint().token(&click));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async { assert_eq!(get(&node, &path).await.status, 302) });
    let flag = node.configuration().with_file_name("hang");
    fs::write(&flag, "").unwrap();
    let begun = Instant::now();
    runtime.block_on(async { assert_eq!(get(&node, &path).await.status, 302) });
    let took = begun.elapsed();
    assert!(took >= Duration::from_millis(1_800), "journal.answer_within: {took:?}");
    fs::remove_file(&flag).unwrap();
    // Who reads no answers is being answered: it is waited for, and not for long.
    let _deaf = deaf(&node);
    let begun = Instant::now();
    assert!(node.terminate().success(), "{}", node.told());
    let took = begun.elapsed();
    assert!(took < Duration::from_secs(8), "shutdown.grace: {took:?}");
}

#[test]
#[ignore = "the process of a_click_waits_for_a_hung_disk_as_long_as_its_key_says_and_a_stop_no_longer"]
fn hanging_node() {
    let configuration = Setup::configuration();
    let flag = configuration.with_file_name("hang");
    serve_on(Arc::new(HangingDisk::new(flag)), &configuration);
}

#[test]
fn an_exempt_network_is_not_counted() {
    for (exempt, is_served) in [("[]", false), ("[\"127.0.0.0/8\"]", true)] {
        let edge = format!("per_address = 1\nexempt = {exempt}");
        let node = Node::start(&Setup { edge, ..Setup::of(&[HOST]) });
        let _silent = connected(&node);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let answer = runtime.block_on(async {
            Client::connect_plain(node.http()).await.unwrap().get(HOST, "/robots.txt").await
        });
        assert_eq!(answer.is_ok(), is_served, "edge.exempt = {exempt}: {answer:?}");
    }
}

#[test]
fn certificates_and_keys_are_looked_at_as_often_as_their_keys_say() {
    let more = "[tls]\nreload = \"100ms\"\n[links]\nkeys = \"mint\"\nreload = \"1h\"\n".to_owned();
    // Without a key no node is ready, so it begins as usual, with the keys where they usually are.
    let mut node = Node::start(&Setup::of(&[HOST]));
    node.terminate();
    let text = fs::read_to_string(node.configuration()).unwrap();
    fs::write(node.configuration(), format!("{text}\n{more}")).unwrap();
    fs::rename(node.data().join("keys"), node.data().join("mint")).unwrap();
    node.restart();
    assert!(!node.data().join("keys").exists(), "links.keys");
    let click = Click::random(&mut Random::new(5), 5, HOST, Protocol::Http1);
    let path = format!("/c/{}", node.mint().token(&click));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let status = || runtime.block_on(async { get(&node, &path).await.status.as_u16() });
    assert_eq!(status(), 302);
    // A certificate of another authority, in the same files.
    let authority = Authority::new();
    authority.issue(HOST, node.configuration().parent().unwrap());
    let client = Client::new(authority.root());
    let begun = Instant::now();
    while runtime.block_on(client.connect(node.https(), HOST, Protocol::Http1)).is_err() {
        assert!(begun.elapsed() < PATIENCE, "tls.reload");
    }
    let config = node.configuration();
    let config = config.to_str().unwrap();
    let folder = folder();
    let waypost = |arguments: &[&str]| {
        Ran::waypost(folder.path(), &[arguments, &["--config", config]].concat()).good().to_owned()
    };
    let old = waypost(&["key", "list"]);
    let old = old.lines().nth(1).unwrap().split(' ').next().unwrap();
    waypost(&["key", "new"]);
    waypost(&["key", "refuse", old]);
    // Past the two seconds that are usual.
    thread::sleep(Duration::from_millis(2_500));
    let plain = || {
        runtime.block_on(async {
            let mut session = Client::connect_plain(node.http()).await.unwrap();
            session.get(HOST, &path).await.unwrap().status.as_u16()
        })
    };
    assert_eq!(plain(), 302, "links.reload");
}

#[test]
fn a_key_refused_from_a_time_is_refused_in_a_running_node_and_old_ones_go_on() {
    let node = Node::start(&Setup::of(&[HOST]));
    let config = node.configuration();
    let config = config.to_str().unwrap();
    let folder = folder();
    let waypost = |arguments: &[&str]| {
        Ran::waypost(folder.path(), &[arguments, &["--config", config]].concat()).good().to_owned()
    };
    let mint = || waypost(&["link", "click", "--host", HOST, "--to", "https://example.com/"]);
    let first = mint();
    let second_key = waypost(&["key", "new"]);
    let second = mint();
    // A token begins with its version and its key.
    let key =
        |link: &str| link.trim().rsplit('/').next().unwrap().chars().take(6).collect::<String>();
    assert_ne!(key(&first), key(&second), "another key seals");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let status = |link: &str| {
        let path = link.trim().split_once(HOST).unwrap().1.to_owned();
        runtime.block_on(async { get(&node, &path).await.status.as_u16() })
    };
    assert_eq!((status(&first), status(&second)), (302, 302), "an old key goes on opening");
    // From a time that is a moment away: until then it opens, and from then on nothing does.
    let from = SystemClock.wall().plus(Duration::from_secs(4));
    waypost(&["key", "refuse", second_key.trim(), "--from", &from.to_string()]);
    assert!(waypost(&["key", "list"]).contains(&from.to_string()));
    assert_eq!(key(&mint()), key(&first), "what is to be refused seals no more");
    loop {
        let before = SystemClock.wall();
        let found = status(&second);
        if found == 404 {
            assert!(SystemClock.wall() >= from, "refused before its time");
            break;
        }
        assert_eq!(found, 302);
        assert!(before < from.plus(PATIENCE), "never refused");
        thread::sleep(Duration::from_millis(20));
    }
    assert_eq!(status(&first), 302);
}

/// A connection that the node has accepted, and that has asked nothing.
fn connected(node: &Node) -> TcpStream {
    let stream = TcpStream::connect(node.http()).unwrap();
    let begun = Instant::now();
    while metric(node, "waypost_connections_open{state=\"http1\"}") == 0 {
        assert!(begun.elapsed() < PATIENCE, "it is not accepted");
    }
    stream
}

/// A connection that asks and asks, and reads none of the answers.
fn deaf(node: &Node) -> TcpStream {
    let mut stream = TcpStream::connect(node.http()).unwrap();
    stream.set_write_timeout(Some(Duration::from_millis(500))).unwrap();
    let request = format!("GET / HTTP/1.1\r\nhost: {HOST}\r\n\r\n").repeat(100);
    while stream.write_all(request.as_bytes()).is_ok() {}
    stream
}

async fn get(node: &Node, path: &str) -> Answer {
    let mut session = Client::connect_plain(node.http()).await.unwrap();
    session.get(HOST, path).await.unwrap()
}

/// How many threads of a node have a name that begins so.
fn threads(node: &Node, name: &str) -> usize {
    let tasks = fs::read_dir(format!("/proc/{}/task", node.process())).unwrap();
    let names = tasks.filter_map(|task| fs::read_to_string(task.unwrap().path().join("comm")).ok());
    names.filter(|found| found.starts_with(name)).count()
}

/// The lengths of all files under a folder.
fn files_under(folder: &Path) -> Vec<u64> {
    let mut lengths = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        if entry.file_type().unwrap().is_dir() {
            lengths.extend(files_under(&entry.path()));
        } else {
            lengths.push(entry.metadata().unwrap().len());
        }
    }
    lengths
}

fn metric(node: &Node, name: &str) -> u64 {
    let text = node.ask_admin("/metrics").1;
    let value = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    value.map_or(0, |value| value.parse().unwrap())
}

const HOST: &str = "trk.example.com";
const PATIENCE: Duration = Duration::from_secs(20);
