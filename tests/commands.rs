//! Every command as a new user runs it, wrong flags included: what is printed and how it ends.
//!
//! The promises are data, in `tests/cases/commands.json`: arguments, exit code, and parts of what
//! standard output and standard error say. Each runs in a folder of its own, in which `.waypost`
//! holds the key of the link vectors.

#![allow(clippy::disallowed_methods, reason = "a test writes files and starts processes")]
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod node;

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::Path;
use std::process::{Command, Stdio};

use node::{Ran, WAYPOST, folder};
use serde::Deserialize;
use serde_json::{Map, Value};

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    name: String,
    args: Vec<String>,
    code: i32,
    /// Parts of standard error.
    #[serde(default)]
    errors: Vec<String>,
    /// Parts of standard output.
    #[serde(default)]
    out: Vec<String>,
    /// Files that are there before, by their names.
    #[serde(default)]
    files: BTreeMap<String, String>,
    /// Whether a NUL and two hexadecimal digits in a file's content stand for a byte.
    #[serde(default)]
    raw: bool,
    /// Folders that are there before.
    #[serde(default)]
    folders: Vec<String>,
    /// What must not be there afterwards.
    #[serde(default)]
    absent: Vec<String>,
    /// What must be there afterwards.
    #[serde(default)]
    present: Vec<String>,
    /// What `link show` says of the link that was printed.
    #[serde(default)]
    shows: Map<String, Value>,
    /// Where standard output goes.
    #[serde(default)]
    output: Output,
}

#[derive(Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
enum Output {
    #[default]
    Read,
    /// To a reader who has gone.
    Closed,
    /// To a disk that is full.
    Full,
}

#[test]
fn every_command_says_what_is_wrong_and_ends_with_its_code() {
    let cases: Vec<Case> = serde_json::from_str(include_str!("cases/commands.json")).unwrap();
    let mut faults = Vec::new();
    for case in &cases {
        let folder = folder();
        case.prepare(folder.path());
        let ran = case.run(folder.path());
        let reasons = case.judge(&ran, folder.path());
        if !reasons.is_empty() {
            faults.push(format!("{}: {}\n{ran:#?}", case.name, reasons.join(", ")));
        }
    }
    assert!(faults.is_empty(), "{} of {}:\n{}", faults.len(), cases.len(), faults.join("\n\n"));
}

impl Case {
    fn prepare(&self, folder: &Path) {
        let key = folder.join(".waypost/keys");
        fs::create_dir_all(&key).unwrap();
        fs::write(key.join("0a0b0c0d.json"), KEY).unwrap();
        for (name, content) in &self.files {
            let path = folder.join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            let mut bytes = content.clone().into_bytes();
            if self.raw {
                let at = bytes.iter().position(|byte| *byte == 0).unwrap();
                let digits = String::from_utf8(bytes[at + 1..at + 3].to_vec()).unwrap();
                bytes.splice(at..at + 3, [u8::from_str_radix(&digits, 16).unwrap()]);
            }
            fs::write(path, bytes).unwrap();
        }
        for name in &self.folders {
            fs::create_dir_all(folder.join(name)).unwrap();
        }
    }

    fn run(&self, folder: &Path) -> Ran {
        let mut command = Command::new(WAYPOST);
        command.args(&self.args).current_dir(folder).stdout(Stdio::piped());
        match self.output {
            Output::Read => {}
            Output::Full => drop(command.stdout(File::create("/dev/full").unwrap())),
            Output::Closed => {
                let (reader, writer) = std::io::pipe().unwrap();
                drop(reader);
                command.stdout(writer);
            }
        }
        Ran::of(&mut command)
    }

    fn judge(&self, ran: &Ran, folder: &Path) -> Vec<String> {
        let mut reasons = Vec::new();
        if ran.code != self.code {
            reasons.push(format!("expected exit code {}", self.code));
        }
        if ran.errors.contains("panicked") || (ran.code != 0 && ran.errors.is_empty()) {
            reasons.push("it does not say why".to_owned());
        }
        for (parts, all) in [(&self.errors, &ran.errors), (&self.out, &ran.out)] {
            let missing = parts.iter().filter(|part| !all.contains(part.as_str()));
            reasons.extend(missing.map(|part| format!("does not say {part:?}")));
        }
        let is_there = |name: &String| folder.join(name).exists();
        reasons.extend(self.absent.iter().filter(|n| is_there(n)).map(|n| format!("{n} was made")));
        reasons.extend(
            self.present.iter().filter(|n| !is_there(n)).map(|n| format!("{n} is missing")),
        );
        if !self.shows.is_empty() {
            let shown = Ran::waypost(folder, &["link", "show", ran.out.trim()]);
            let shown: Map<String, Value> = serde_json::from_str(&shown.out).unwrap_or_default();
            let differs = self.shows.iter().find(|(key, value)| shown.get(*key) != Some(value));
            reasons.extend(differs.map(|(key, value)| format!("{key} is not {value}: {shown:?}")));
        }
        reasons
    }
}

#[test]
fn every_help_tells_what_its_command_does_and_each_of_its_flags() {
    let mut left = vec![Vec::<String>::new()];
    let mut seen = 0;
    while let Some(command) = left.pop() {
        let folder = folder();
        let mut arguments: Vec<_> = command.iter().map(String::as_str).collect();
        arguments.push("--help");
        let help = Ran::waypost(folder.path(), &arguments);
        let text = help.good();
        seen += 1;
        let (first, _) = text.split_once('\n').unwrap();
        assert!(first.len() > 10 && !first.starts_with("Usage"), "{command:?}: {text}");
        let mut section = "";
        let mut lines = text.lines().peekable();
        while let Some(line) = lines.next() {
            if !line.starts_with(' ') {
                section = line;
                continue;
            }
            let entry = line.trim_start();
            let is_entry = line.len() - entry.len() <= 6 && !entry.is_empty();
            // What a flag is for stands beside it, or below it in the long form.
            let is_told = entry.contains("  ")
                || lines.peek().is_some_and(|next| next.len() - next.trim_start().len() >= 8);
            match section {
                "Commands:" if is_entry && !entry.starts_with("help ") => {
                    let name = entry.split(' ').next().unwrap().to_owned();
                    assert!(is_told, "{command:?}: {line}");
                    left.push(command.iter().cloned().chain([name]).collect());
                }
                "Options:" | "Arguments:" if is_entry => {
                    assert!(is_told, "{command:?}: {line}\n{text}");
                }
                _ => {}
            }
        }
        assert!(fs::read_dir(folder.path()).unwrap().next().is_none(), "help makes no files");
    }
    assert!(seen >= 14, "only {seen} commands were found");
}

const KEY: &str = r#"{
    "id": "0a0b0c0d",
    "secret": "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8",
    "created": "2026-11-23T00:00:00.000000Z"
}"#;
