//! A restart asks for no more than running does: what a node survives, it also starts with.

#![allow(clippy::disallowed_methods, reason = "a test reads files and clocks")]
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod node;

use std::fs::{self, File};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use node::{Authority, Node, Setup};
use serde_json::Value;

#[test]
fn a_bad_certificate_closes_no_other_name_and_is_taken_up_when_it_is_mended() {
    let more = "[tls]\nreload = \"100ms\"\n".to_owned();
    let mut node = Node::start(&Setup { more, ..Setup::of(&["a.example", "b.example"]) });
    let chain = chain_of(&node, "b.example");
    let good = fs::read(&chain).unwrap();
    assert!(node.terminate().success());
    fs::write(&chain, "no certificate").unwrap();
    node.restart();
    assert_eq!(degraded(&node), ["certificates"]);
    assert!(node.told().contains(&format!("{}: holds no certificate", chain.display())));
    let home = |node: &Node, host: &str| {
        Command::new("curl")
            .args(["--silent", "--insecure", "--output", "/dev/null", "--resolve"])
            .arg(format!("{host}:{}:127.0.0.1", node.https().port()))
            .arg(format!("https://{host}:{}/", node.https().port()))
            .status()
            .unwrap()
            .success()
    };
    assert!(home(&node, "a.example") && !home(&node, "b.example"));
    let check = waypost(&["check", "--config"], &node.configuration());
    let told = String::from_utf8_lossy(&check.stderr).into_owned();
    assert_eq!(check.status.code(), Some(2), "{told}");
    assert!(told.contains("tls.certificate.chain = ") && told.contains("holds no"), "{told}");
    // A file that is not there is no other case.
    fs::remove_file(&chain).unwrap();
    assert!(node.terminate().success());
    node.restart();
    assert_eq!(degraded(&node), ["certificates"]);
    fs::write(&chain, good).unwrap();
    until("mended", || degraded(&node).is_empty());
    assert!(home(&node, "a.example") && home(&node, "b.example"));
}

#[test]
fn only_without_any_certificate_to_serve_a_node_with_https_does_not_start() {
    let mut node = Node::start(&Setup::of(&["a.example"]));
    let chain = chain_of(&node, "a.example");
    assert!(node.terminate().success());
    fs::write(&chain, "no certificate").unwrap();
    let (status, told) = node.fail_to_start();
    assert_eq!(status.code(), Some(2), "{told}");
    assert!(told.contains("no certificate can be served"), "{told}");
    let text = fs::read_to_string(node.configuration()).unwrap();
    let text = text.replace("https = [\"127.0.0.1:0\"]", "https = []");
    fs::write(node.configuration(), text).unwrap();
    let running = Spawned::of(&node);
    assert_eq!(home_page(running.http), 200, "plain HTTP needs none");
}

#[test]
fn a_bad_key_file_hides_no_other_key() {
    let more = "[links]\nreload = \"100ms\"\n".to_owned();
    let mut node = Node::start(&Setup { more, ..Setup::of(&["a.example"]) });
    assert!(node.terminate().success());
    let bad = node.data().join("keys/deadbeef.json");
    fs::write(&bad, "garbage").unwrap();
    node.restart();
    assert_eq!(degraded(&node), ["keys"]);
    let list = waypost(&["key", "list", "--json", "--config"], &node.configuration());
    let list: Value = serde_json::from_slice(&list.stdout).unwrap();
    assert_eq!(list["unreadable"][0]["file"], bad.display().to_string(), "{list}");
    assert!(list["unreadable"][0]["reason"].as_str().unwrap().contains("line 1"), "{list}");
    let id = list["keys"][0]["id"].as_str().unwrap().to_owned();
    let refuse = |more: &[&str]| {
        waypost(&[&["key", "refuse", &id], more, &["--config"]].concat(), &node.configuration())
    };
    assert!(refuse(&[]).status.success());
    until("refused", || node.ask_admin("/readyz").0 == 503);
    // Refused once more is no news; later would revive it.
    assert!(refuse(&[]).status.success());
    let revived = refuse(&["--from", "2100-01-01"]);
    let told = String::from_utf8_lossy(&revived.stderr).into_owned();
    assert_eq!((revived.status.code(), told.contains("--postpone")), (Some(2), true), "{told}");
    assert!(refuse(&["--from", "2100-01-01", "--postpone"]).status.success());
    until("ready again", || node.ask_admin("/readyz").0 == 200);
    fs::remove_file(&bad).unwrap();
    until("mended", || degraded(&node).is_empty());
}

#[test]
fn a_second_node_on_the_same_folder_touches_nothing() {
    let node = Node::start(&Setup::of(&["a.example"]));
    // The same addresses, so that the second would share the first one's visitors.
    let text = fs::read_to_string(node.configuration()).unwrap();
    let text = text
        .replace("http = [\"127.0.0.1:0\"]", &format!("http = [\"{}\"]", node.http()))
        .replace("https = [\"127.0.0.1:0\"]", &format!("https = [\"{}\"]", node.https()));
    let second = node.configuration().with_file_name("second.toml");
    fs::write(&second, text).unwrap();
    let journals = || fs::read_dir(node.data().join("journal")).unwrap().count();
    let before = journals();
    for _ in 0..3 {
        let mut command = Command::new(env!("CARGO_BIN_EXE_waypost"));
        command.args(["serve", "--config"]).arg(&second).stderr(Stdio::piped());
        let mut process = command.spawn().unwrap();
        while process.try_wait().unwrap().is_none() {
            assert_eq!(home_page(node.http()), 200);
        }
        let output = process.wait_with_output().unwrap();
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{told}");
        assert!(told.contains("is in use: another node runs on this data folder"), "{told}");
    }
    assert_eq!(journals(), before, "no journal was begun");
    assert_eq!(node.ask_admin("/livez").0, 200);
}

#[test]
fn a_data_folder_that_takes_neither_socket_nor_file_stops_no_node() {
    let mut node = Node::start(&Setup::of(&["a.example"]));
    assert!(node.terminate().success());
    for name in ["node.json", "admin.sock"] {
        fs::create_dir_all(node.data().join(name).join("in the way")).unwrap();
    }
    let running = Spawned::of(&node);
    assert_eq!(home_page(running.http), 200);
    let told = || fs::read_to_string(&running.told).unwrap();
    for what in ["node.json could not be written", "the operator's door has no socket"] {
        assert!(told().contains(what), "{what}: {}", told());
    }
    for reason in ["data_folder", "admin_socket"] {
        assert!(told().contains(&format!("reason=\"{reason}\"")), "{reason}: {}", told());
    }
    fs::remove_dir_all(node.data().join("node.json")).unwrap();
    until("written in the end", || node.data().join("node.json").is_file());
}

#[test]
fn a_journal_that_cannot_be_opened_stops_no_node_and_is_opened_when_it_can_be() {
    let mut node = Node::start(&Setup::of(&["a.example"]));
    assert!(node.terminate().success());
    let directory = fs::read_dir(node.data().join("journal")).unwrap().next().unwrap().unwrap();
    let lock = directory.path().join("lock");
    fs::remove_file(&lock).unwrap();
    fs::create_dir(&lock).unwrap();
    node.restart();
    assert_eq!(degraded(&node), ["journal_unopened"]);
    let told = node.told();
    assert_eq!(told.matches("could not be opened").count(), 1, "{told}");
    assert!(node.terminate().success(), "a node ends while it tries");
    node.restart();
    fs::remove_dir(&lock).unwrap();
    until("opened", || degraded(&node).is_empty());
    // What no time mends is told by the start.
    assert!(node.terminate().success());
    fs::remove_dir_all(node.data().join("journal")).unwrap();
    fs::write(node.data().join("journal"), "no folder").unwrap();
    let (status, told) = node.fail_to_start();
    assert_eq!(status.code(), Some(2), "{told}");
    assert!(told.contains("the journal in ") && told.contains("could not be opened"), "{told}");
}

#[test]
fn check_tells_all_that_a_start_would_find_wrong_at_once_each_with_its_line() {
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let at = |name: &str| folder.path().join(name);
    let authority = Authority::new();
    let (a, b) =
        (authority.issue("a.example", folder.path()), authority.issue("b.example", folder.path()));
    let key = rcgen::KeyPair::generate().unwrap();
    let mut old = rcgen::CertificateParams::new(vec!["c.example".to_owned()]).unwrap();
    old.not_before = rcgen::date_time_ymd(2020, 1, 1);
    old.not_after = rcgen::date_time_ymd(2021, 1, 1);
    fs::write(at("old.pem"), old.self_signed(&key).unwrap().pem()).unwrap();
    fs::write(at("old.key"), key.serialize_pem()).unwrap();
    fs::write(at("short"), "12345").unwrap();
    fs::create_dir_all(at("keys")).unwrap();
    fs::write(at("keys/deadbeef.json"), "garbage").unwrap();
    let table = |host: &str, chain: &Path, key: &Path| {
        format!("[[tls.certificate]]\nhosts = [{host:?}]\nchain = {chain:?}\nkey = {key:?}\n")
    };
    let text = format!(
        "[node]\ndata = {:?}\n[edge]\nidle = \"60\"\nhttps = [\"0.0.0.0:4443\"]\nhttp = []\n\
         [admin]\nlisten = \"127.0.0.1:4443\"\ntoken_file = \"short\"\n\
         [events]\naddress = \"hashed\"\naddress_key_file = \"short\"\n\
         [links]\nkeys = {:?}\nbase = \"https://{{host}}:99999\"\n{}{}{}{}",
        at("short/data"),
        at("keys"),
        table("d.example", &a.chain, &a.key),
        table("b.example", &b.chain, &a.key),
        table("c.example", &at("old.pem"), &at("old.key")),
        table("e.example", &at("gone.pem"), &at("gone.key")),
    );
    fs::write(at("waypost.toml"), &text).unwrap();
    let check = waypost(&["check", "--config"], &at("waypost.toml"));
    let told = String::from_utf8_lossy(&check.stderr).into_owned();
    assert_eq!(check.status.code(), Some(2), "{told}");
    for (key, reason) in [
        ("node.data", "no folder"),
        ("edge.idle", "unit"),
        ("admin.listen", "public door"),
        ("admin.token_file", "5 bytes"),
        ("events.address_key_file", "short"),
        ("links.keys", "deadbeef.json"),
        ("links.base", "65535"),
        ("tls.certificate.hosts", "does not cover d.example"),
        ("tls.certificate.key", "not the one"),
        ("tls.certificate.chain", "expired"),
        ("tls.certificate.chain", "gone.pem"),
        ("tls.certificate.key", "gone.key"),
    ] {
        let line = told.lines().find(|line| line.contains(key) && line.contains(reason));
        let line = line.unwrap_or_else(|| panic!("{key}: {reason}\n{told}"));
        let number = line.split(':').nth(1).unwrap().parse::<usize>().unwrap();
        let written = text.lines().nth(number - 1).unwrap();
        let (_, name) = key.rsplit_once('.').unwrap();
        assert!(written.starts_with(&format!("{name} = ")), "{line}\n{written}");
        let (_, value) = written.split_once(" = ").unwrap();
        assert!(line.contains(value) || value.len() > 60, "{line}");
    }
    assert!(!at("keys/new.json").exists() && !at("seal.key").exists(), "nothing is made");
}

/// A node of this folder that `node.json` does not tell of. Killed when dropped.
struct Spawned {
    child: Child,
    http: SocketAddr,
    told: std::path::PathBuf,
}

impl Spawned {
    fn of(node: &Node) -> Self {
        let told = node.configuration().with_file_name("told");
        let mut command = Command::new(env!("CARGO_BIN_EXE_waypost"));
        command.args(["serve", "--config"]).arg(node.configuration());
        let child = command.stderr(File::create(&told).unwrap()).spawn().unwrap();
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        let mut spawned = Self { child, http: any, told };
        until("answering", || {
            let text = fs::read_to_string(&spawned.told).unwrap();
            assert!(spawned.child.try_wait().unwrap().is_none(), "{text}");
            let Some((_, rest)) = text.split_once(" http=[") else { return false };
            let Some((address, _)) = rest.split_once(']') else { return false };
            spawned.http = address.parse().unwrap();
            true
        });
        spawned
    }
}

impl Drop for Spawned {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

fn waypost(arguments: &[&str], configuration: &Path) -> Output {
    Command::new(env!("CARGO_BIN_EXE_waypost")).args(arguments).arg(configuration).output().unwrap()
}

/// The file that holds the chain of a name.
fn chain_of(node: &Node, host: &str) -> std::path::PathBuf {
    let text = fs::read_to_string(node.configuration()).unwrap();
    let (_, table) = text.split_once(&format!("hosts = [{host:?}]\nchain = \"")).unwrap();
    table.split_once('"').unwrap().0.into()
}

fn degraded(node: &Node) -> Vec<String> {
    let body: Value = serde_json::from_str(&node.ask_admin("/readyz").1).unwrap();
    let reasons = body["degraded"].as_array().unwrap().iter();
    reasons.map(|reason| reason.as_str().unwrap().to_owned()).collect()
}

/// The status of the home page.
fn home_page(address: SocketAddr) -> u16 {
    let mut stream = TcpStream::connect(address).unwrap();
    let request = b"GET / HTTP/1.1\r\nhost: a.example\r\nconnection: close\r\n\r\n";
    stream.write_all(request).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer.split(' ').nth(1).unwrap().parse().unwrap()
}

fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !is_so() {
        assert!(begun.elapsed() < PATIENCE, "not within {PATIENCE:?}: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

const PATIENCE: Duration = Duration::from_secs(20);
