//! The main job, shown: what a newcomer does with `waypost dev`, curl and a second terminal.

#![allow(clippy::disallowed_methods, reason = "a test reads files")]
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod node;

use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};

use node::{Dev, Ran, WAYPOST, folder};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

#[test]
fn everything_that_dev_prints_works_as_it_is_printed() {
    let folder = folder();
    let mut dev = Dev::start(folder.path(), &[]);
    let names: Vec<_> = dev.told.iter().map(|(name, _)| name.as_str()).collect();
    let contract = ["click", "open", "click https", "ca", "admin", "data", "events"];
    assert_eq!(names[..contract.len()], contract);
    assert!(names[contract.len()..].iter().all(|name| *name == "try"), "{names:?}");
    assert!(dev.value("click").starts_with("http://trk.localhost:"));
    assert!(dev.value("click https").starts_with("https://trk.localhost:"));
    assert_eq!(dev.value("data"), ".waypost");

    let tries: Vec<_> = dev.told.iter().filter(|(name, _)| name == "try").cloned().collect();
    let [plain, secure, mint, page] = &tries[..] else { panic!("{tries:?}") };
    for (line, version) in [(&plain.1, "HTTP/1.1 302"), (&secure.1, "HTTP/2 302")] {
        let ran = Ran::shell(folder.path(), line);
        assert!(ran.good().starts_with(version), "{ran:?}");
        assert!(ran.out.contains("location: http://trk.localhost:"), "{ran:?}");
    }
    assert!(secure.1.contains(&format!("--cacert {} ", dev.value("ca"))));
    let follow = format!("curl -sSL '{}'", dev.value("click"));
    assert!(Ran::shell(folder.path(), &follow).good().contains("<h1>trk.localhost</h1>"));
    let pixel = format!("curl -sS '{}' | wc -c", dev.value("open"));
    assert_eq!(Ran::shell(folder.path(), &pixel).good().trim(), "43");
    assert!(page.1.contains(dev.value("admin")));
    let sample = format!("curl -sS '{}'", dev.value("admin"));
    assert!(Ran::shell(folder.path(), &sample).good().contains("Welcome to the shop"));
    // As in a second terminal, in the same folder.
    let link = Ran::shell(folder.path(), &mint.1).good().trim().to_owned();
    let answer = Ran::shell(folder.path(), &format!("curl -sSi '{link}'"));
    assert!(answer.good().contains("location: https://example.com/\r\n"), "{answer:?}");
    assert!(!answer.out.contains("8080"), "{answer:?}");
    let cat = Ran::shell(folder.path(), dev.value("events"));
    assert_eq!(cat.good().lines().count(), 5);

    assert_eq!(dev.line(), "position  type  time  message  link  destination");
    let events: Vec<_> = (0..5).map(|_| dev.line()).collect();
    for (event, parts) in events.iter().zip([
        ["  click  ", "  message-1  first  http://trk.localhost:"],
        ["  click  ", "  message-1  secure  http://trk.localhost:"],
        ["  click  ", "  message-1  first  http://trk.localhost:"],
        ["  open  ", "  message-1  pixel  -"],
        ["  click  ", "  -  -  https://example.com/"],
    ]) {
        assert!(parts.iter().all(|part| event.contains(part)), "{event} has not {parts:?}");
    }
    let (status, rest) = dev.interrupt();
    assert!(status.success());
    assert_eq!(rest, ["5 events kept in .waypost"]);
}

#[test]
fn events_are_what_the_schema_says_live_and_at_rest() {
    let schema: Value = serde_json::from_str(include_str!("../config/event.schema.json")).unwrap();
    let schema = jsonschema::validator_for(&schema).unwrap();
    let folder = folder();
    let dev = Dev::start(folder.path(), &["--quiet"]);
    for (field, method) in [("click", "-X GET"), ("open", "-X GET"), ("click", "--head")] {
        let line = format!("curl -sS {method} '{}' -A 'agent \"of\" the test'", dev.value(field));
        Ran::shell(folder.path(), &line).good();
    }
    let look = |arguments: &[&str]| Ran::waypost(folder.path(), arguments).good().to_owned();
    let cat = || look(&["journal", "cat"]);
    let live = cat();
    let events: Vec<Value> = live.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let kinds: Vec<_> = events.iter().map(|event| event["type"].as_str().unwrap()).collect();
    let expected = ["net.aksend.trk.click", "net.aksend.trk.open", "net.aksend.trk.probe"];
    assert_eq!(kinds, expected);
    for event in &events {
        let errors: Vec<_> = schema.iter_errors(event).map(|error| error.to_string()).collect();
        assert!(errors.is_empty(), "{errors:?}: {event:#}");
        assert_eq!(event["data"]["user_agent"], "agent \"of\" the test");
        assert_eq!(event["data"]["recipient"], "recipient-1");
    }
    let inspected: Value = serde_json::from_str(&look(&["journal", "inspect", "--json"])).unwrap();
    assert_eq!(inspected["directories"][0]["events"], 3);
    assert!(look(&["journal", "inspect"]).contains("3 events"));
    assert_eq!(look(&["journal", "verify"]), "3 events in 2 segments: all can be read\n");
    let positions = look(&["journal", "cat", "--positions"]);
    let (second, _) = positions.lines().nth(1).unwrap().split_once('\t').unwrap();
    let later = look(&["journal", "cat", "--from", second]);
    assert_eq!(later.lines().collect::<Vec<_>>(), live.lines().skip(1).collect::<Vec<_>>());

    let (status, rest) = dev.interrupt();
    assert!(status.success());
    assert_eq!(rest, ["3 events kept in .waypost"], "--quiet prints no event");
    assert_eq!(cat(), live, "at rest the same");
    assert!(look(&["journal", "verify"]).starts_with("3 events in "));
    assert!(look(&["journal", "inspect"]).contains("3 events"));
    // A second start adds to what was kept, and damage is told.
    let dev = Dev::start(folder.path(), &["--quiet"]);
    Ran::shell(folder.path(), &format!("curl -sS '{}'", dev.value("open"))).good();
    assert_eq!(dev.interrupt().1, ["1 event kept in .waypost"]);
    assert_eq!(cat().lines().count(), 4);
    damage(&folder.path().join(".waypost/journal"));
    let verified = Ran::waypost(folder.path(), &["journal", "verify"]);
    assert_eq!(verified.code, 1, "{verified:?}");
    assert!(verified.out.contains("sequence 2 was durable and cannot be read"), "{verified:?}");
    let cat = Ran::waypost(folder.path(), &["journal", "cat"]);
    assert_eq!((cat.code, cat.out.lines().count()), (1, 3), "{cat:?}");
    assert!(cat.errors.contains("1 damaged event skipped: see `waypost journal verify`"));
}

#[test]
fn what_a_sender_wrote_moves_no_terminals_cursor() {
    let folder = folder();
    let mut dev = Dev::start(folder.path(), &[]);
    let odd = "\u{1b}[2J\r\nclick  forged";
    let mint =
        ["link", "click", "--host", "trk.localhost", "--to", "https://example.com/", "--link", odd];
    let link = Ran::waypost(folder.path(), &mint).good().trim().to_owned();
    Ran::shell(folder.path(), &format!("curl -sS '{link}'")).good();
    dev.line();
    let event = dev.line();
    assert!(event.contains(r"  \u{1b}[2J\r\nclick  forged  https://example.com/"), "{event:?}");
    let shown: Value =
        serde_json::from_str(Ran::waypost(folder.path(), &["link", "show", &link]).good()).unwrap();
    assert_eq!(shown["link"], odd, "it is sealed as it is");
}

#[test]
fn journal_cat_follows_a_node_that_runs() {
    let folder = folder();
    let dev = Dev::start(folder.path(), &["--quiet"]);
    let click = || Ran::shell(folder.path(), &format!("curl -sS '{}'", dev.value("click")));
    click().good();
    let mut all = Following::start(folder.path(), &[]);
    let first = all.line();
    let (place, _) = first.split_once('\t').unwrap();
    let next = place.replace(":1", ":2");
    let mut later = Following::start(folder.path(), &["--from", &next]);
    click().good();
    let second = all.line();
    assert!(second.starts_with(&format!("{next}\t{{")), "{first} {second}");
    assert_eq!(later.line(), second);
}

/// `waypost journal cat --follow`. Killed when dropped.
struct Following {
    child: Child,
    lines: BufReader<ChildStdout>,
}

impl Following {
    fn start(folder: &Path, more: &[&str]) -> Self {
        // Ended by the time when nothing comes.
        let mut child = Command::new("timeout")
            .args(["30", WAYPOST, "journal", "cat", "--follow", "--positions"])
            .args(more)
            .current_dir(folder)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap());
        Self { child, lines }
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        assert_ne!(self.lines.read_line(&mut line).unwrap(), 0, "nothing came");
        line.trim_end().to_owned()
    }
}

impl Drop for Following {
    fn drop(&mut self) {
        // `timeout` hands it on.
        kill_process(Pid::from_child(&self.child), Signal::TERM).unwrap();
        self.child.wait().unwrap();
    }
}

#[test]
fn a_second_dev_on_the_folder_is_refused_and_the_first_goes_on() {
    let folder = folder();
    let dev = Dev::start(folder.path(), &[]);
    let second = Ran::waypost(folder.path(), &["dev", "--http", "127.0.0.1:0"]);
    assert_eq!(second.code, 2);
    let told = "waypost: another `waypost dev` runs on .waypost: end it, or name another folder";
    assert!(second.errors.starts_with(told), "{second:?}");
    let taken = dev.value("admin").trim_start_matches("http://").trim_end_matches('/').to_owned();
    for flag in ["--http", "--https", "--admin"] {
        let mut arguments = vec!["dev", "--data", "other"];
        for any in ["--http", "--https", "--admin"] {
            arguments.extend([any, if any == flag { &taken } else { "127.0.0.1:0" }]);
        }
        let third = Ran::waypost(folder.path(), &arguments);
        let told = format!("waypost: {flag} {taken} is in use: name another port, or 0");
        assert!(third.code == 2 && third.errors.starts_with(&told), "{third:?}");
    }
    let line = format!("curl -sS -o /dev/null -w '%{{http_code}}' '{}'", dev.value("click"));
    assert_eq!(Ran::shell(folder.path(), &line).good(), "302");
}

#[test]
fn a_folder_with_an_odd_and_long_name_works_as_it_is_printed() {
    let folder = folder();
    let odd = format!("it's a $HOME \"folder\"/{}", "long".repeat(30));
    let dev = Dev::start(folder.path(), &["--data", &odd]);
    let tries: Vec<_> = dev.told.iter().filter(|(name, _)| name == "try").collect();
    assert!(Ran::shell(folder.path(), &tries[1].1).good().contains("302"));
    let link = Ran::shell(folder.path(), &tries[2].1).good().trim().to_owned();
    assert!(Ran::shell(folder.path(), &format!("curl -sSi '{link}'")).good().contains(" 302"));
    assert_eq!(Ran::shell(folder.path(), dev.value("events")).good().lines().count(), 2);
    let node: Value =
        serde_json::from_slice(&fs::read(folder.path().join(&odd).join("node.json")).unwrap())
            .unwrap();
    let socket = Path::new(node["socket"].as_str().unwrap());
    assert!(socket.exists() && !socket.starts_with(&odd), "{socket:?} is too long for a socket");
    dev.interrupt();
    assert!(!socket.exists());
}

#[test]
fn keys_are_private_and_outlive_dev() {
    let folder = folder();
    let dev = Dev::start(folder.path(), &[]);
    let link = dev.value("click").to_owned();
    dev.interrupt();
    let keys = folder.path().join(".waypost/keys");
    for entry in fs::read_dir(&keys).unwrap() {
        let mode = entry.unwrap().metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
    assert_eq!(fs::metadata(&keys).unwrap().permissions().mode() & 0o077, 0);
    let shown = Ran::waypost(folder.path(), &["link", "show", &link]);
    assert!(shown.good().contains("\"recipient\": \"recipient-1\""), "{shown:?}");
    // On another port the same token opens.
    let dev = Dev::start(folder.path(), &[]);
    let path = link.split_once("/c/").unwrap().1;
    let front = dev.value("click").split_once("/c/").unwrap().0;
    let line = format!("curl -sSi '{front}/c/{path}'");
    assert!(Ran::shell(folder.path(), &line).good().starts_with("HTTP/1.1 302"));
}

/// Changes a byte in the second event of the oldest segment.
fn damage(journal: &Path) {
    let mut segments = Vec::new();
    for directory in fs::read_dir(journal).unwrap() {
        let directory = directory.unwrap().path();
        if directory.is_dir() {
            segments.extend(fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()));
        }
    }
    // The one that holds the second event, wherever a start has put it.
    let segment = |path: &PathBuf| {
        let bytes = fs::read(path).unwrap();
        let mut ids = (0..bytes.len()).filter(|at| bytes[*at..].starts_with(b"\"recipient\":"));
        ids.nth(1).map(|second| (path.clone(), bytes.clone(), second))
    };
    segments.sort();
    let (path, mut bytes, second) = segments.iter().find_map(segment).expect("two events");
    bytes[second] ^= 1;
    fs::write(path, bytes).unwrap();
}
