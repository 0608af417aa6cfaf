//! The configuration file: every key is heard, every mistake is told, all at once.
#![allow(clippy::disallowed_methods, reason = "a test writes files")]
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod keys;
mod mistakes;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use keys::KEYS;
use mistakes::MISTAKES;
use waypost::config::{Problem, Settings};
use waypost::disk::SystemDisk;

const FILE: &str = include_str!("../../config/waypost.toml");

fn parse(text: &str) -> Result<Settings, Vec<Problem>> {
    Settings::parse(text, Path::new("/etc/waypost/waypost.toml")).map_err(|told| told.problems)
}

/// A document that sets one key; companions are what the key needs beside it.
fn one(key: &str, value: &str, companions: &str) -> String {
    let (section, name) = key.rsplit_once('.').unwrap();
    if section == "tls.certificate" {
        let mut keys = BTreeMap::from([
            ("hosts", "[\"a.example\"]"),
            ("chain", "\"chain.pem\""),
            ("key", "\"key.pem\""),
        ]);
        keys.insert(name, value);
        let lines: Vec<_> = keys.iter().map(|(key, value)| format!("{key} = {value}")).collect();
        return format!("[[tls.certificate]]\n{}\n", lines.join("\n"));
    }
    if section == "acme.issuer" {
        return format!("[[acme.issuer]]\n{name} = {value}\n{companions}");
    }
    format!("[{section}]\n{name} = {value}\n{companions}")
}

#[test]
fn every_key_is_heard() {
    let usual = format!("{:?}", Settings::default());
    for (key, value, companions, shown) in KEYS {
        let settings = parse(&one(key, value, companions));
        let settings = format!("{:?}", settings.unwrap_or_else(|told| panic!("{key}: {told:?}")));
        assert!(!usual.contains(shown), "{key}: {shown} is the default");
        assert!(settings.contains(shown), "{key} = {value} was ignored: {settings}");
    }
}

#[test]
fn no_key_goes_untested() {
    let mut tested: Vec<_> = KEYS.iter().map(|(key, ..)| (*key).to_owned()).collect();
    let mut known = Settings::keys();
    tested.sort();
    known.sort();
    assert_eq!(tested, known);
}

/// The keys of `config/waypost.toml`, those in comments too, with their section.
fn documented() -> Vec<String> {
    let mut section = String::new();
    let mut keys = Vec::new();
    for line in FILE.lines() {
        let line = line.strip_prefix("# ").unwrap_or(line);
        if let Some(name) = line.strip_prefix('[') {
            section = name.trim_matches(['[', ']']).to_owned();
        } else if let Some((key, _)) = line.split_once(" = ")
            && key.chars().all(|c| c.is_ascii_lowercase() || c == '_')
        {
            keys.push(format!("{section}.{key}"));
        }
    }
    keys
}

#[test]
fn the_file_in_the_repository_names_every_key_and_no_other() {
    let mut documented = documented();
    let mut known = Settings::keys();
    documented.sort();
    known.sort();
    assert_eq!(documented, known);
}

#[test]
fn the_file_in_the_repository_says_the_defaults() {
    assert_eq!(parse(FILE).unwrap(), Settings::default());
    assert_eq!(parse("").unwrap(), Settings::default());
}

#[test]
fn every_key_in_the_file_has_a_reason_above_it() {
    let mut above = "";
    for line in FILE.lines() {
        let key = line.split_once(" = ").is_some_and(|(key, _)| !key.starts_with('#'));
        assert!(!key || above.starts_with("# "), "no comment above: {line}");
        above = line;
    }
}

#[test]
fn dev_has_settings_of_its_own() {
    let settings = Settings::dev(Path::new("/tmp/dev"));
    assert_eq!(settings.node.name, "dev", "config/dev.toml does not parse");
    assert_eq!(settings.journal.directory, Path::new("/tmp/dev/journal"));
    assert_eq!(settings.links.keys, Path::new("/tmp/dev/keys"));
    assert!(settings.edge.https.iter().all(|address| address.ip().is_loopback()));
    assert!(settings.edge.http.iter().all(|address| address.ip().is_loopback()));
}

/// Mistakes: a document, the keys that must be named, and a part of the reason for each.

#[test]
fn every_mistake_names_its_key_and_reason() {
    let mut silent = Vec::new();
    for (text, wanted) in MISTAKES {
        let told = parse(text).err().unwrap_or_default();
        for (key, reason) in *wanted {
            if !told.iter().any(|told| told.key == *key && told.reason.contains(reason)) {
                silent.push(format!("{text}\n  wanted {key}: {reason}\n  told {told:?}"));
            }
        }
    }
    assert!(silent.is_empty(), "{}", silent.join("\n"));
}

#[test]
fn a_mistake_knows_its_line() {
    for (text, line) in [
        ("[edge]\n\n\nidle = \"60\"\n", 4),
        ("[edge]\nidle = \"1s\"\n[journal]\nsync = \"x\"\n", 4),
        ("\n[noed]\n", 2),
        ("[edge]\nidle = \"1s\"\nidle = \"2s\"\n", 3),
    ] {
        let told = parse(text).unwrap_err();
        assert_eq!(told.first().map(|problem| problem.line), Some(line), "{text}\n{told:?}");
    }
}

#[test]
fn all_mistakes_are_told_at_once_in_the_order_of_the_file() {
    let text = "\
[node]\nreactors = -1\nnmae = \"x\"\n\
[edge]\nidle = 3\nstreams = \"many\"\n\
[journal]\nsync = \"maybe\"\nsegment = \"3\"\n\
[events]\naddress = \"none\"\n\
[frobnicate]\nx = 1\n";
    let told = parse(text).unwrap_err();
    let keys: Vec<_> = told.iter().map(|problem| problem.key.as_str()).collect();
    assert_eq!(
        keys,
        [
            "node.reactors",
            "node.nmae",
            "edge.idle",
            "edge.streams",
            "journal.sync",
            "journal.segment",
            "events.address",
            "frobnicate",
        ]
    );
}

#[test]
fn a_secret_in_the_file_is_not_shown_again() {
    for text in [
        "[links]\nkey = \"hunter2\"\n",
        "[admin]\ntoken = \"hunter2\"\n",
        "[kafka]\npassword = \"hunter2\"\n",
    ] {
        let told = Settings::parse(text, Path::new("w.toml")).unwrap_err();
        assert!(!told.to_string().contains("hunter2"), "{told}");
        assert!(!format!("{told:?}").contains("hunter2"), "{told:?}");
    }
}

#[test]
fn a_file_that_is_named_and_cannot_be_read_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("waypost.toml");
    let text = "[admin]\ntoken_file = \"t\"\nchain = \"c\"\nkey = \"k\"\n\
        [events]\naddress = \"hashed\"\naddress_key_file = \"a\"\n\
        [kafka]\nsecurity = \"tls\"\nca = \"k1\"\ncertificate = \"k2\"\nkey = \"k3\"\n\
        sasl = \"plain\"\nusername = \"u\"\npassword_file = \"k4\"\n\
        [[tls.certificate]]\nhosts = [\"a.example\"]\nchain = \"x\"\nkey = \"y\"\n";
    fs::write(&file, text).unwrap();
    let told = Settings::load(&SystemDisk, &file).unwrap().unwrap_err();
    let keys: Vec<_> = told.problems.iter().map(|problem| problem.key.as_str()).collect();
    assert_eq!(
        keys,
        [
            "admin.token_file",
            "admin.chain",
            "admin.key",
            "events.address_key_file",
            "kafka.ca",
            "kafka.certificate",
            "kafka.key",
            "kafka.password_file",
        ]
    );
    let lines: Vec<_> = told.problems.iter().map(|told| told.line).collect();
    assert_eq!(lines, [2, 3, 4, 7, 10, 11, 12, 15]);
    // A certificate is left out, which `waypost check` tells: it is no reason not to start.
    for name in ["t", "c", "k", "a", "k1", "k2", "k3", "k4"] {
        fs::write(folder.path().join(name), "something").unwrap();
    }
    assert!(Settings::load(&SystemDisk, &file).unwrap().is_ok());
}

#[test]
fn relative_paths_begin_where_the_file_is() {
    let text = "[node]\ndata = \"data\"\n[admin]\ntoken_file = \"t\"\n";
    let settings = parse(text).unwrap();
    assert_eq!(settings.node.data, Path::new("/etc/waypost/data"));
    assert_eq!(settings.journal.directory, Path::new("/etc/waypost/data/journal"));
    assert_eq!(settings.admin.token_file, Some(PathBuf::from("/etc/waypost/t")));
}

#[test]
fn any_bytes_are_a_file_or_a_list_of_problems() {
    // Pieces of the real file in any order: near enough to a file to reach deep.
    let pieces: Vec<_> = FILE.split_inclusive(['\n', '=', '"', '[', ']', '.']).collect();
    let mut state = 7_u64;
    for _ in 0..2_000 {
        let mut text = String::new();
        for _ in 0..20 {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695);
            text.push_str(pieces[(state >> 33) as usize % pieces.len()]);
        }
        if let Err(told) = parse(&text) {
            assert!(!told.is_empty());
            assert!(told.iter().all(|problem| !problem.reason.is_empty()));
        }
    }
}
