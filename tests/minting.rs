//! Minting in bulk: what is minted says what its row said, bad rows are answered in their place,
//! memory is flat.

#![allow(clippy::disallowed_methods, reason = "a test reads files and starts processes")]
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod node;

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use node::{
    Click, Exchange, Kind, Node, Protocol, Ran, Random, Setup, WAYPOST, check_answer, folder,
    peak_memory, row,
};
use serde_json::{Value, json};

#[test]
fn twenty_thousand_rows_become_links_that_say_the_same_at_every_door() {
    let node = guarded("");
    let mut random = Random::from_environment();
    let rows: Vec<_> = (0..ROWS)
        .map(|serial| {
            let mut click = Click::random(&mut random, serial, HOST, Protocol::Http1);
            if serial % 5 == 0 {
                click.kind = Kind::Open;
            }
            click.row()
        })
        .collect();
    let folder = folder();
    let file = folder.path().join("rows.jsonl");
    let lines: String = rows.iter().map(|row| format!("{row}\n")).collect();
    fs::write(&file, &lines).unwrap();
    let (file, config) = (file.display(), node.configuration());
    let token = "authorization: Bearer 0123456789abcdef";
    let (url, socket) = (format!("http://{}/v1/links", node.admin()), node.socket());
    let curl = "curl --silent --show-error --fail -X POST";
    let mint = format!("{WAYPOST} link click --config {}", config.display());
    for line in [
        format!("{mint} --file {file}"),
        format!("{mint} --file - < {file}"),
        format!("cat {file} | {mint} --file -"),
        format!("{curl} -H '{token}' -T - {url} < {file}"),
        format!("{curl} -H '{token}' --data-binary @{file} {url}"),
        format!("{curl} --unix-socket {} -T - http://any/v1/links < {file}", socket.display()),
    ] {
        let ran = Ran::shell(folder.path(), &line);
        let links: Vec<_> = ran.good().lines().collect();
        assert_eq!(links.len(), rows.len(), "{line}");
        for (index, (link, row)) in links.iter().zip(&rows).enumerate() {
            let minted = if line.contains("curl") {
                let answer: Value = serde_json::from_str(link).unwrap();
                assert_eq!(answer["line"], index + 1);
                answer["link_url"].as_str().unwrap().to_owned()
            } else {
                (*link).to_owned()
            };
            let prefix = if row["kind"] == "open" { "o" } else { "c" };
            assert!(minted.starts_with(&format!("https://{HOST}/{prefix}/")), "{minted}");
            assert_eq!(node.mint().says(&minted), *row, "{line}: row {index}");
        }
    }
}

#[test]
fn bad_rows_are_answered_in_their_place_with_key_value_and_reason() {
    let node = Node::start(&Setup::of(&[HOST]));
    let cases: Vec<Value> = serde_json::from_str(include_str!("cases/rows.json")).unwrap();
    let folder = folder();
    let lines: Vec<_> = cases.iter().map(|case| case["row"].as_str().unwrap()).collect();
    // Without a line end behind the last row, and with a byte-order mark before the first.
    fs::write(folder.path().join("rows"), format!("\u{feff}{}", lines.join("\n"))).unwrap();
    let config = node.configuration();
    let config = config.to_str().unwrap();
    let skip = ["link", "click", "--file", "rows", "--bad-rows", "skip", "--config", config];
    let ran = Ran::waypost(folder.path(), &skip);
    let line = format!(
        "curl -sS --fail -X POST --data-binary @rows --unix-socket {} http://any/v1/links",
        node.socket().display()
    );
    let answers = Ran::shell(folder.path(), &line);
    let answers: Vec<Value> =
        answers.good().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let links: Vec<_> = ran.out.lines().collect();
    assert_eq!((links.len(), answers.len()), (cases.len(), cases.len()), "{ran:?}");
    let bad = cases.iter().filter(|case| case["error"].is_string()).count();
    assert_eq!(ran.code, 1);
    let told = format!("bad: {bad} of {} rows; an empty line stands in the place", cases.len());
    assert!(ran.errors.contains(&told), "{}", ran.errors);
    let mut faults = Vec::new();
    for (index, ((case, link), answer)) in cases.iter().zip(&links).zip(&answers).enumerate() {
        let line = index + 1;
        let is_right = match case["error"].as_str() {
            None => {
                answer["line"] == line
                    && node.mint().says(link) == case["says"]
                    && node.mint().says(answer["link_url"].as_str().unwrap_or(link)) == case["says"]
            }
            Some(error) => {
                let told = match (case["key"].as_str(), case["value"].as_str()) {
                    (Some(key), Some(value)) => format!("line {line}: {key} = {value}: {error}"),
                    (Some(key), None) => format!("line {line}: {key} {error}"),
                    _ => format!("line {line}: {error}"),
                };
                link.is_empty()
                    && ran.errors.contains(&told)
                    && answer["line"] == line
                    && answer["error"].as_str().unwrap_or_default().starts_with(error)
                    && answer["key"] == case["key"]
                    && answer["value"] == case["value"]
            }
        };
        if !is_right {
            let told = ran.errors.lines().find(|told| told.starts_with(&format!("line {line}:")));
            faults.push(format!("{case}\n  link {link}\n  answer {answer}\n  told {told:?}"));
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn a_bad_row_stops_unless_told_otherwise() {
    let node = Node::start(&Setup::of(&[HOST]));
    let folder = folder();
    let good = format!("{{\"host\":\"{HOST}\",\"url\":\"https://example.com/\"}}\n");
    let rows = good.repeat(5_000) + "{\"host\":\"a b\"}\n" + &good.repeat(5_000);
    fs::write(folder.path().join("rows"), rows).unwrap();
    let config = node.configuration();
    let config = config.to_str().unwrap();
    let ran = Ran::waypost(folder.path(), &["link", "click", "--file", "rows", "--config", config]);
    let told = "waypost: line 5001: host = \"a b\": holds the byte 0x20";
    assert!(ran.code == 2 && ran.errors.starts_with(told), "{}", ran.errors);
    assert!(ran.errors.contains("(before it: 5000 links)"), "{}", ran.errors);
    assert_eq!(ran.out.lines().count(), 5_000);
    assert!(ran.out.ends_with('\n'));
}

#[test]
fn flags_say_what_rows_leave_out() {
    let node = Node::start(&Setup::of(&[HOST]));
    let folder = folder();
    fs::write(
        folder.path().join("rows"),
        "{\"message\":\"m-1\"}\n{\"message\":\"m-2\",\"campaign\":\"own\",\"meta\":{\"b\":\"2\"}}\n\
         {\"kind\":\"click\",\"url\":\"https://example.com/\",\"host\":\"other.example\"}\n",
    )
    .unwrap();
    let config = node.configuration();
    let flags = ["--host", HOST, "--campaign", "usual", "--meta", "a=1", "--position", "3"];
    let arguments = ["link", "open", "--file", "rows", "--config", config.to_str().unwrap()];
    let ran = Ran::waypost(folder.path(), &[&arguments[..], &flags].concat());
    let says: Vec<_> = ran.good().lines().map(|link| node.mint().says(link)).collect();
    assert_eq!(
        says,
        [
            json!({ "kind": "open", "host": HOST, "message": "m-1", "campaign": "usual",
                    "meta": { "a": "1" }, "link_position": 3 }),
            json!({ "kind": "open", "host": HOST, "message": "m-2", "campaign": "own",
                    "meta": { "b": "2" }, "link_position": 3 }),
            json!({ "kind": "click", "host": "other.example", "url": "https://example.com/",
                    "campaign": "usual", "meta": { "a": "1" }, "link_position": 3 }),
        ]
    );
    // What `link show` prints is a row.
    let line = format!(
        "{WAYPOST} link show --config {} '{}' | tr -d '\\n' | {WAYPOST} link open \
        --config {} --file -",
        config.display(),
        ran.out.lines().next().unwrap(),
        config.display()
    );
    assert_eq!(node.mint().says(Ran::shell(folder.path(), &line).good().trim()), says[0]);
}

#[test]
fn a_row_is_answered_before_the_next_is_sent() {
    let node = Node::start(&Setup::of(&[HOST]));
    let mut bulk = Bulk::start(&node);
    let mut exchange = Exchange::unix(&node.socket(), PATIENCE);
    exchange.begin("POST", "/v1/links", &chunked("expect: 100-continue\r\n"));
    assert_eq!(exchange.head().0, 100, "asked to go on");
    for serial in 1..=3 {
        let row = row(serial);
        bulk.send(row.as_bytes());
        assert_eq!(node.mint().says(&bulk.line())["message"], format!("m-{serial}"));
        // In two pieces, of which the first ends nothing.
        let (front, back) = row.as_bytes().split_at(20);
        exchange.chunk(front);
        exchange.chunk(back);
        if serial == 1 {
            let (status, head) = exchange.head();
            assert_eq!(status, 200);
            assert!(head.contains("content-type: application/x-ndjson\r\n"), "{head}");
        }
        check_answer(&node, &exchange.line().unwrap(), serial);
    }
    exchange.end();
    assert_eq!(exchange.line(), None);
    assert!(bulk.end().is_empty());
}

#[test]
fn memory_is_flat_however_many_and_however_long_the_rows_are() {
    let node = Node::start(&Setup::of(&[HOST]));
    let mut bulk = Bulk::start(&node);
    let process = bulk.child.id();
    // As many at a time as a pipe holds, in and out.
    let many: String = (0..100).map(row).collect();
    for _ in 0..1_000 {
        bulk.send(many.as_bytes());
        for _ in 0..100 {
            bulk.line();
        }
    }
    // A line of 64 MiB is read and not kept.
    for _ in 0..64 {
        bulk.send(&[b'x'; 1 << 20]);
    }
    bulk.send(b"\n");
    assert_eq!(bulk.line(), "");
    let peak = peak_memory(process);
    println!("link click --file: {peak} kB at most");
    assert!(peak < 48 << 10, "{peak} kB");
    bulk.send(row(7).as_bytes());
    assert_eq!(node.mint().says(&bulk.line())["message"], "m-7");
    let told = bulk.end();
    assert!(told.contains("line 100001: is longer than 65536 bytes"), "{told}");
}

#[test]
fn progress_is_for_a_terminal_only() {
    let node = Node::start(&Setup::of(&[HOST]));
    let folder = folder();
    fs::write(folder.path().join("rows"), (0..5_000).map(row).collect::<String>()).unwrap();
    let config = node.configuration();
    let mint = format!("{WAYPOST} link click --config {} --file rows", config.display());
    let quiet = Ran::shell(folder.path(), &format!("{mint} > links"));
    assert_eq!((quiet.good(), quiet.errors.as_str()), ("", ""));
    // `script` runs it on a terminal of its own.
    let line = format!("script -qec \"{mint} > links\" /dev/null");
    let shown = Ran::shell(folder.path(), &line).good().to_owned();
    let last = shown.trim_end().rsplit('\r').next().unwrap();
    assert!(last.contains("5000 links in ") && last.contains(" a second, 100 % of "), "{shown:?}");
    let links = fs::read_to_string(folder.path().join("links")).unwrap();
    assert_eq!(links.lines().count(), 5_000);
    // Of a pipe nobody knows the size.
    let line =
        format!("script -qec \"cat rows | {} > links\" /dev/null", mint.replace("rows", "-"));
    let shown = Ran::shell(folder.path(), &line).good().to_owned();
    assert!(shown.contains("5000 links in ") && !shown.contains('%'), "{shown:?}");
}

#[test]
fn the_page_about_rows_names_every_field() {
    let page = include_str!("../docs/minting.md");
    let (page, _) = page.split_once("## On the command line").unwrap();
    let fields = page.lines().filter_map(|line| line.strip_prefix("| `")?.split('`').next());
    let documented: Vec<_> = fields.collect();
    let folder = folder();
    fs::create_dir_all(folder.path().join(".waypost/keys")).unwrap();
    Ran::waypost(folder.path(), &["key", "new"]).good();
    fs::write(folder.path().join("rows"), "{\"nothing\":1}\n").unwrap();
    let told = Ran::waypost(folder.path(), &["link", "click", "--file", "rows"]).errors;
    let known = told.split("a row takes ").nth(1).unwrap().split(" (").next().unwrap();
    assert_eq!(documented, known.split(", ").collect::<Vec<_>>());
}

/// `waypost link click --file -` that goes on reading.
struct Bulk {
    child: Child,
    lines: BufReader<std::process::ChildStdout>,
    errors: PathBuf,
    _folder: tempfile::TempDir,
}

impl Bulk {
    fn start(node: &Node) -> Self {
        let folder = folder();
        let errors = folder.path().join("errors");
        let mut child = Command::new(WAYPOST)
            .args(["link", "click", "--bad-rows", "skip", "--file", "-", "--config"])
            .arg(node.configuration())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(File::create(&errors).unwrap())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap());
        Self { child, lines, errors, _folder: folder }
    }

    fn send(&mut self, bytes: &[u8]) {
        self.child.stdin.as_mut().unwrap().write_all(bytes).unwrap();
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        assert_ne!(self.lines.read_line(&mut line).unwrap(), 0, "it ended");
        line.trim_end().to_owned()
    }

    /// Ends the input; returns what was told on standard error.
    fn end(mut self) -> String {
        drop(self.child.stdin.take());
        let mut rest = String::new();
        self.lines.read_to_string(&mut rest).unwrap();
        assert_eq!(rest, "");
        self.child.wait().unwrap();
        fs::read_to_string(&self.errors).unwrap()
    }
}

impl Drop for Bulk {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
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

const HOST: &str = "trk.example.com";
const ROWS: usize = 20_000;
const PATIENCE: Duration = Duration::from_secs(30);
