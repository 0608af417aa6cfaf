//! The load client as a command: what it prints, how it ends, what it refuses.

#![allow(clippy::disallowed_methods, reason = "a test reads files and starts processes")]
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod node;

use std::fs;
use std::io::Write;
use std::path::PathBuf;
use std::process::Command;
use std::sync::{LazyLock, Mutex};

use node::{Authority, Click, Client, Mint, NAME, Node, Protocol, Random, Setup};
use serde_json::Value;

#[test]
fn a_node_of_its_own_keeps_its_promises_under_every_kind_of_load() {
    for arguments in [
        "--requests 3000",
        "--requests 1000 --protocol h1 --connections 4 --threads 1",
        "--requests 1000 --protocol h2 --connections 4 --streams 20",
        "--requests 300 --handshake cold --connections 16",
        "--requests 300 --handshake resumed --connections 16 --protocol h2",
        "--seconds 1 --rate 300 --host one.example,two.example --stock 0",
    ] {
        let ended = load(arguments);
        assert_eq!(ended.code, 0, "{arguments}: {ended:?}");
        let line = ended.line();
        let kept =
            "missing=0 spurious=0 duplicates=0 ambiguous=0 unrecorded=0 late=0 wrong=0 rate=";
        assert!(line.starts_with(kept), "{line}");
        for figure in ["p50=", "p99=", "longest="] {
            assert!(line.contains(figure), "{line}");
        }
        let resumed: usize = line.rsplit_once("resumed=").unwrap().1.trim().parse().unwrap();
        // The first of each connection cannot be.
        let expected = if arguments.contains("resumed") { 300 - 16..=300 } else { 0..=0 };
        assert!(expected.contains(&resumed), "{arguments}: {line}");
    }
}

#[test]
fn a_planted_fault_is_seen() {
    for (kind, missing, spurious) in [("lost", 1, 0), ("invented", 0, 1), ("altered", 1, 1)] {
        let ended = load(&format!("--requests 200 --plant {kind}"));
        assert_eq!(ended.code, 1, "{kind}: {ended:?}");
        let line = ended.line();
        assert!(line.starts_with(&format!("missing={missing} spurious={spurious} ")), "{line}");
        let fault = if missing == 1 { "missing: " } else { "spurious: " };
        assert!(ended.errors.contains(fault), "the fault is told: {ended:?}");
    }
}

#[test]
fn a_running_node_is_judged_by_its_journal_or_by_a_file_of_events() {
    let node = Node::start(&Setup::of(&["one.example", "two.example"]));
    // Others ask it too.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(click(&node.client(), &node));
    let folder = tempfile::tempdir().unwrap();
    let hosts = folder.path().join("hosts");
    fs::write(&hosts, "one.example\n\ntwo.example\n").unwrap();
    let ca = node.authority().file(folder.path());
    let there = format!(
        "--https {} --hosts {} --ca {} --keys {} --name {NAME} --traces {} --requests 500",
        node.https(),
        hosts.display(),
        ca.display(),
        node.data().join("keys").display(),
        node.data().with_file_name("traces").display(),
    );
    let journal = node.data().join("journal");
    let ended = load(&format!("{there} --seed 7 --journal {}", journal.display()));
    assert_eq!(ended.code, 0, "{ended:?}");
    let events = folder.path().join("events");
    let mut file = fs::File::create(&events).unwrap();
    // What another consumer kept: all that was there before, and nothing of this run.
    file.write_all(node.events().as_bytes()).unwrap();
    let ended = load(&format!("{there} --seed 8 --settle 0.1 --events {}", events.display()));
    assert_eq!(ended.code, 1, "{ended:?}");
    assert!(ended.line().starts_with("missing=500 spurious=0 "), "{ended:?}");
    fs::write(&events, node.events()).unwrap();
    // The same clicks again are new events of old requests.
    let again = load(&format!("{there} --seed 8 --settle 0.1 --events {}", events.display()));
    assert_eq!(again.code, 1, "{again:?}");
    let name = load(
        &format!("{there} --seed 9 --settle 0.1 --journal {}", journal.display())
            .replace(NAME, "x"),
    );
    assert!(name.line().starts_with("missing=500 spurious=500 "), "another's name: {name:?}");
}

#[test]
fn what_cannot_be_done_is_refused_and_the_flag_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    fs::write(&file, "one.example\nnot a host\n").unwrap();
    let ca = Authority::new().file(folder.path());
    Mint::new(folder.path());
    let (file, folder) = (file.display(), folder.path().display());
    let nowhere = format!("--https 127.0.0.1:1 --ca {} --keys {folder} --name x", ca.display());
    let there = format!("--https 127.0.0.1:1 --ca {file} --keys {folder} --name x");
    for (arguments, told) in [
        ("--requests 0".to_owned(), "'--requests <COUNT>': expected at least 1"),
        ("--seconds 1 --requests 5".to_owned(), "'--seconds <SECONDS>' cannot be used with"),
        ("--rate none".to_owned(), "'--rate <RATE>': expected a number"),
        ("--rate 0".to_owned(), "'--rate <RATE>': expected 0.01 to"),
        ("--handshake hot".to_owned(), "'--handshake <KIND>'"),
        ("--protocol h3".to_owned(), "'--protocol <KIND>'"),
        ("--plant all".to_owned(), "'--plant <KIND>'"),
        ("--host a..b".to_owned(), "--host: \"a..b\": "),
        (format!("--hosts {file}"), "line 2: \"not a host\": "),
        (format!("--hosts {folder}/none"), "/none: No such file"),
        ("--connections 1".to_owned(), "--connections 1: expected at least 2"),
        ("--ca x".to_owned(), "--https <ADDRESS>"),
        ("--https 127.0.0.1:1".to_owned(), "--keys <FOLDER>"),
        ("--https here --ca x --keys x --name x".to_owned(), "'--https <ADDRESS>': invalid"),
        (format!("{there} --journal {folder}"), "--https: expected --host or --hosts too"),
        (format!("{there} --host a.example"), "--https: expected --journal or --events too"),
        (format!("{there} --host a.example --journal {file}"), "expected a folder"),
        (format!("{there} --host a.example --events {folder}"), "expected a file"),
        (format!("{there} --host a.example --events {file}"), "--ca "),
        (
            format!("{nowhere} --host a.example --journal {folder}"),
            "--https 127.0.0.1:1: a.example",
        ),
        ("--wrk --rate 5".to_owned(), "'--rate <RATE>'"),
    ] {
        let ended = load(&arguments);
        assert_eq!(ended.code, 2, "{arguments}: {ended:?}");
        assert!(ended.errors.contains(told), "{arguments}: {ended:?}");
    }
    let help = load("--help");
    assert_eq!(help.code, 0, "{help:?}");
    for flag in ["--https", "--journal", "--events", "--rate", "--handshake", "--plant", "--wrk"] {
        assert!(help.output.contains(flag), "{flag}: {}", help.output);
    }
}

/// A client that is slow measures itself. The bound is wide here, since other tests and other
/// processes share the machine; without `--within` it is 10 %.
#[test]
fn it_is_about_as_fast_as_wrk() {
    let ended = load("--wrk --seconds 1 --stock 80000 --connections 128 --within 50");
    println!("\n{}", ended.output);
    assert_eq!(ended.code, 0, "{ended:?}");
}

/// How the command ended.
#[derive(Debug)]
struct Ended {
    code: i32,
    output: String,
    errors: String,
}

impl Ended {
    /// The last line that was printed.
    fn line(&self) -> &str {
        self.output.lines().last().unwrap_or_default()
    }
}

/// Runs the command, alone: it is told how fast it is.
fn load(arguments: &str) -> Ended {
    let mut command = Command::new(&*PROGRAM);
    command.arg("--bench").args(arguments.split_whitespace());
    let output = {
        let _alone = ALONE.lock();
        command.output().unwrap()
    };
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Ended {
        code: output.status.code().unwrap_or(-1),
        output: text(output.stdout),
        errors: text(output.stderr),
    }
}

static ALONE: Mutex<()> = Mutex::new(());

/// The program as cargo built it.
static PROGRAM: LazyLock<PathBuf> = LazyLock::new(|| {
    let output = Command::new(env!("CARGO"))
        .args(["bench", "--bench", "load", "--no-run", "--message-format", "json"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let messages = String::from_utf8(output.stdout).unwrap();
    let path = messages.lines().find_map(|line| {
        let message: Value = serde_json::from_str(line).ok()?;
        let is_it = message["target"]["name"] == "load" && message["profile"]["test"] == true;
        is_it.then(|| message["executable"].as_str().map(PathBuf::from))?
    });
    path.expect("cargo tells where the bench is")
});

async fn click(client: &Client, node: &Node) {
    let mut random = Random::new(3);
    let click = Click::random(&mut random, 1, "one.example", Protocol::Http1);
    let token = node.mint().token(&click);
    let mut session = client.connect(node.https(), "one.example", Protocol::Http1).await.unwrap();
    assert!(session.click(&click, &token).await.unwrap().is_right(&click));
}
