//! The link format is the one that is told: vectors, and minters in Python, Node and Go.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;

use serde_json::{Value, json};
use waypost::clock::Timestamp;
use waypost::disk::{Disk, SystemDisk};
use waypost::hostname::Hostname;
use waypost::token::{Action, Claims, Keyring, Later};

const NOW: Timestamp = Timestamp::from_seconds(1_795_000_000);

fn vectors() -> Value {
    let disk: &dyn Disk = &SystemDisk;
    serde_json::from_slice(&disk.read(Path::new("tests/cases/links/v1.json"), 1 << 20).unwrap())
        .unwrap()
}

fn keyring(vectors: &Value) -> (tempfile::TempDir, Keyring) {
    let folder = tempfile::tempdir().unwrap();
    let disk: Arc<dyn Disk> = Arc::new(SystemDisk);
    let key = serde_json::to_vec(&vectors["key"]).unwrap();
    disk.write_whole(&folder.path().join("0a0b0c0d.json"), &key).unwrap();
    let keyring = Keyring::load(disk, folder.path()).unwrap();
    (folder, keyring)
}

fn host(case: &Value) -> Hostname {
    Hostname::parse(case["host"].as_str().unwrap()).unwrap()
}

fn claims(object: &Value) -> Claims<'_> {
    let text = |name: &str| object.get(name).map(|value| value.as_str().unwrap());
    let action = match text("url") {
        Some(url) => Action::Click { url },
        None => Action::Open,
    };
    let meta = object.get("meta").map_or(&[][..], |meta| meta.as_array().unwrap());
    Claims {
        account: text("account"),
        campaign: text("campaign"),
        message: text("message"),
        template: text("template"),
        list: text("list"),
        recipient: text("recipient"),
        link: text("link"),
        link_name: text("link_name"),
        link_position: object.get("link_position").map(|n| n.as_u64().unwrap() as u32),
        sent_at: object.get("sent_at").map(|n| Timestamp::from_micros(n.as_u64().unwrap())),
        meta: meta.iter().map(|p| (p[0].as_str().unwrap(), p[1].as_str().unwrap())).collect(),
        ..Claims::new(action)
    }
}

/// Runs one of the other languages over the cases, one a line.
fn other(program: &[&str], mode: &str, cases: &[Value]) -> Vec<Value> {
    let (name, arguments) = program.split_first().unwrap();
    let mut child = Command::new(name)
        .args(arguments)
        .arg(mode)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("{name} is needed for this test: {error}"));
    let lines: String = cases.iter().map(|case| format!("{case}\n")).collect();
    child.stdin.take().unwrap().write_all(lines.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{name} {mode}");
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn every_good_vector_is_minted_and_opened_byte_for_byte() {
    let vectors = vectors();
    let (_folder, keyring) = keyring(&vectors);
    for case in vectors["good"].as_array().unwrap() {
        let (expected, token) = (claims(&case["claims"]), case["token"].as_str().unwrap());
        let salt = u128::from_str_radix(case["salt"].as_str().unwrap(), 16).unwrap().to_be_bytes();
        let minted = keyring.seal_with_salt(&expected, &host(case), NOW, salt).unwrap();
        assert_eq!(minted, token, "{}", case["name"]);
        let mut buffer = Vec::new();
        let opened = keyring.open(token, &host(case), NOW, &mut buffer).unwrap();
        assert_eq!(opened, expected, "{}", case["name"]);
    }
}

#[test]
fn every_bad_vector_is_refused() {
    let vectors = vectors();
    let (_folder, keyring) = keyring(&vectors);
    for case in vectors["bad"].as_array().unwrap() {
        let opened = keyring
            .open(case["token"].as_str().unwrap(), &host(case), NOW, &mut Vec::new())
            .map(|claims| format!("{claims:?}"));
        assert!(opened.is_err(), "{}: {opened:?}", case["name"]);
    }
}

#[test]
fn other_languages_mint_what_we_open_and_open_what_we_mint() {
    let vectors = vectors();
    let (_folder, keyring) = keyring(&vectors);
    let good = vectors["good"].as_array().unwrap();
    let with_key = |mut case: Value| {
        case["key"] = vectors["key"].clone();
        case
    };
    let build = tempfile::tempdir().unwrap();
    let binary = build.path().join("links");
    let built = Command::new("go")
        .args(["build", "-o", binary.to_str().unwrap(), "tests/links/links.go"])
        .status()
        .expect("go is needed for this test");
    assert!(built.success());
    let programs: [&[&str]; 3] = [
        &["python3", "tests/links/links.py"],
        &["node", "tests/links/links.mjs"],
        &[binary.to_str().unwrap()],
    ];
    for program in programs {
        let fixed: Vec<_> = good.iter().cloned().map(with_key).collect();
        for (case, minted) in good.iter().zip(other(program, "mint", &fixed)) {
            assert_eq!(minted["token"], case["token"], "{program:?} mints {}", case["name"]);
        }
        let mut unsalted = fixed.clone();
        for case in &mut unsalted {
            case.as_object_mut().unwrap().remove("salt");
        }
        for (case, minted) in good.iter().zip(other(program, "mint", &unsalted)) {
            let (token, mut buffer) = (minted["token"].as_str().unwrap(), Vec::new());
            assert_ne!(minted["token"], case["token"]);
            let opened = keyring.open(token, &host(case), NOW, &mut buffer).unwrap();
            assert_eq!(opened, claims(&case["claims"]), "{program:?} {}", case["name"]);
        }
        let ours: Vec<_> = good
            .iter()
            .map(|case| {
                let token = keyring.seal(&claims(&case["claims"]), &host(case), NOW).unwrap();
                with_key(json!({ "host": case["host"], "token": token }))
            })
            .collect();
        for (case, opened) in good.iter().zip(other(program, "open", &ours)) {
            assert_eq!(opened["claims"], case["claims"], "{program:?} opens {}", case["name"]);
        }
        let bad: Vec<_> =
            vectors["bad"].as_array().unwrap().iter().cloned().map(with_key).collect();
        for (case, opened) in bad.iter().zip(other(program, "open", &bad)) {
            assert_eq!(opened, json!({ "refused": true }), "{program:?}: {}", case["name"]);
        }
    }
}

#[test]
fn keys_are_made_used_and_refused_without_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let disk: Arc<dyn Disk> = Arc::new(SystemDisk);
    let ours = Keyring::load(Arc::clone(&disk), folder.path()).unwrap();
    let node = Keyring::load(disk, folder.path()).unwrap();
    let host = Hostname::parse("a.example").unwrap();
    let (claims, later) = (Claims::new(Action::Open), Timestamp::from_seconds(NOW.seconds() + 9));
    let first = ours.create(NOW).unwrap();
    let token = ours.seal(&claims, &host, NOW).unwrap();
    let opens = |keyring: &Keyring, now| keyring.open(&token, &host, now, &mut Vec::new()).is_ok();
    assert!(!opens(&node, NOW));
    assert!(node.reload().unwrap());
    assert!(opens(&node, NOW) && !node.reload().unwrap());
    let second = ours.create(later).unwrap();
    assert_eq!(ours.sealing_key(later), Some(second), "the newest seals");
    ours.refuse(second, later, Later::Refused).unwrap();
    assert_eq!(ours.sealing_key(later), Some(first), "a refused key does not");
    ours.refuse(first, later, Later::Refused).unwrap();
    assert!(node.reload().unwrap());
    assert!(opens(&node, NOW) && !opens(&node, later), "refused from that time on");
    assert_eq!(ours.sealing_key(later), None);
}
