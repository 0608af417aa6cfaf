//! The house rules that no compiler holds: floors, sizes, contents pages, names.

#![allow(clippy::unwrap_used, reason = "a test may panic")]
#![allow(clippy::disallowed_methods, reason = "a test reads the source as it lies there")]
#![allow(clippy::string_slice, reason = "the offsets come from the text itself")]

use std::fs;
use std::path::Path;

/// The floor of each part; a part imports only from floors below its own.
const FLOORS: &[(&[&str], u32)] = &[
    (&["hostname", "clock", "disk", "metrics", "drain"], 0),
    (&["token", "event", "journal", "kafka", "dns", "fetch", "store"], 1),
    (&["tls", "domains"], 2),
    (&["acme", "audit", "shipper"], 3),
    (&["edge", "admin"], 4),
    (&["config"], 5),
    (&["server"], 6),
    (&["cli"], 7),
    (&["main"], 8),
];
const BANNED_NAMES: &[&str] = &["util", "utils", "helpers", "common", "misc", "types", "shared"];
const FILE_LINES: usize = 500;
const FUNCTION_LINES: usize = 70;
const CONTENTS_LINES: usize = 60;

#[test]
fn the_source_is_tidy() {
    let mut faults = Vec::new();
    for folder in ["src", "tests", "benches"] {
        walk(Path::new(folder), &mut |path, text| faults.extend(check(path, text)));
    }
    assert!(faults.is_empty(), "\n{}", faults.join("\n"));
}

#[test]
fn each_rule_sees_what_it_is_for() {
    let long_file = "// line\n".repeat(FILE_LINES + 1);
    let long_function = format!("fn long() {{\n{}}}\n", "    let x = '{';\n".repeat(70));
    let long_contents = "pub mod x;\n".repeat(CONTENTS_LINES + 1);
    for (path, text, rule) in [
        ("src/token/seal.rs", "use crate::journal::Frame;", "floor"),
        ("src/disk.rs", "use crate::clock::Clock;", "floor"),
        ("src/journal/log.rs", "use crate::{clock::Clock, tls::Config};", "floor"),
        ("src/journal/log.rs", "fn f() { crate::edge::open() }", "floor"),
        ("src/edge/door.rs", "use crate::admin::Door;", "floor"),
        ("src/config/reader.rs", "use crate::server::serve;", "floor"),
        ("src/unheard/of.rs", "use crate::clock::Clock;", "floor"),
        ("src/edge/door.rs", long_file.as_str(), "length"),
        ("src/edge/door.rs", long_function.as_str(), "function"),
        ("tests/kill.rs", long_function.as_str(), "function"),
        ("src/edge/mod.rs", long_contents.as_str(), "contents"),
        ("src/edge/mod.rs", "fn work() {}", "contents"),
        ("src/edge/util.rs", "", "name"),
        ("src/common/mod.rs", "", "name"),
        ("src/edge/door.rs", "pub use super::listener::*;", "glob"),
        ("src/journal/log.rs", "use std::fs::File;", "files"),
        ("src/edge/door.rs", "fn f() { std::fs::read(1) }", "files"),
        ("src/edge/door.rs", "fn f() { todo!() }", "unfinished"),
        ("src/edge/door.rs", "// FIXME: later", "unfinished"),
        ("tests/kill.rs", "#[ignore]\nfn f() {}", "ignored"),
    ] {
        let faults = check(Path::new(path), text);
        assert!(
            faults.iter().any(|fault| fault.contains(&format!(" {rule}:"))),
            "{path} {rule}: {faults:?}"
        );
    }
    let fine = "use crate::clock::Clock;\nfn f<'a>(x: &'a str) -> char { '\"' }\nfn g() {}\n";
    assert_eq!(check(Path::new("src/journal/log.rs"), fine), Vec::<String>::new());
}

fn walk(folder: &Path, each: &mut dyn FnMut(&Path, &str)) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    let mut paths: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    for path in paths {
        if path.is_dir() {
            walk(&path, each);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            each(&path, &fs::read_to_string(&path).unwrap());
        }
    }
}

fn check(path: &Path, text: &str) -> Vec<String> {
    let mut faults = Vec::new();
    let mut fault = |line: usize, rule: &str, what: String| {
        faults.push(format!("{}:{line}: {rule}: {what}", path.display()));
    };
    let code = blanked(text);
    let names: Vec<_> = path.iter().filter_map(|part| part.to_str()).collect();
    let is_src = names[0] == "src";
    let lines = text.lines().count();
    if lines > FILE_LINES {
        fault(
            FILE_LINES,
            "length",
            format!("{lines} lines, at most {FILE_LINES}: a noun is missing"),
        );
    }
    for (line, length, name) in functions(&code) {
        if length > FUNCTION_LINES {
            fault(line, "function", format!("{name} has {length} lines, at most {FUNCTION_LINES}"));
        }
    }
    for name in &names[1..] {
        if BANNED_NAMES.contains(&name.trim_end_matches(".rs")) {
            fault(1, "name", format!("{name} says nothing: name it after what it holds"));
        }
    }
    for (line, content) in code.lines().enumerate() {
        if content.trim() == "#[ignore]" {
            fault(line + 1, "ignored", "say why a test is ignored".to_owned());
        }
    }
    if !is_src {
        return faults;
    }
    if names.last() == Some(&"mod.rs") {
        let count = code.lines().filter(|line| !line.trim().is_empty()).count();
        if count > CONTENTS_LINES || functions(&code).next().is_some() {
            fault(1, "contents", "mod.rs is a contents page: move the work to a file".to_owned());
        }
    }
    let part = names[1].trim_end_matches(".rs");
    for (line, content) in code.lines().enumerate() {
        let line = line + 1;
        if content.contains("pub use") && content.contains("::*") {
            fault(line, "glob", "list the names".to_owned());
        }
        if content.contains("std::fs") && matches!(part, "journal" | "edge") {
            fault(line, "files", "reach files through the Disk seam".to_owned());
        }
        if ["todo!", "unimplemented!"].iter().any(|mark| content.contains(mark)) {
            fault(line, "unfinished", "finish it".to_owned());
        }
    }
    for (line, content) in text.lines().enumerate() {
        if ["TODO", "FIXME", "XXX"].iter().any(|mark| content.contains(mark)) {
            fault(line + 1, "unfinished", "finish it".to_owned());
        }
    }
    if part != "lib" {
        floors(part, &code, &mut fault);
    }
    faults
}

fn floors(part: &str, code: &str, fault: &mut impl FnMut(usize, &str, String)) {
    let Some(own) = floor(part) else {
        fault(1, "floor", format!("{part} is on no floor: give it one in lib.rs and here"));
        return;
    };
    for (at, _) in code.match_indices("crate::") {
        if code[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_' || c == '$') {
            continue;
        }
        let line = code[..at].lines().count();
        for name in imported(&code[at + "crate::".len()..]) {
            if name == part {
                continue;
            }
            match floor(&name) {
                Some(floor) if floor < own => {}
                Some(floor) => fault(
                    line,
                    "floor",
                    format!("{part} (floor {own}) imports {name} (floor {floor}): only downward"),
                ),
                None => fault(line, "floor", format!("{name} is on no floor")),
            }
        }
    }
}

/// The parts that a path behind `crate::` names: one, or those of a group.
fn imported(rest: &str) -> Vec<String> {
    let name = |text: &str| -> String {
        text.trim_start().chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect()
    };
    let Some(group) = rest.strip_prefix('{') else { return vec![name(rest)] };
    let (mut depth, mut names, mut at_start) = (0, Vec::new(), true);
    for (at, c) in group.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            ',' if depth == 0 => at_start = true,
            c if at_start && !c.is_whitespace() => {
                names.push(name(&group[at..]));
                at_start = false;
            }
            _ => {}
        }
    }
    names
}

fn floor(part: &str) -> Option<u32> {
    FLOORS.iter().find(|(parts, _)| parts.contains(&part)).map(|(_, floor)| *floor)
}

/// Line, length and name of each function.
fn functions(code: &str) -> impl Iterator<Item = (usize, usize, String)> + '_ {
    code.match_indices("fn ").filter_map(|(at, _)| {
        if code[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_') {
            return None;
        }
        let rest = &code[at + 3..];
        let name: String = rest.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
        let open = rest.find(['{', ';'])?;
        if name.is_empty() || rest[open..].starts_with(';') {
            return None;
        }
        let mut depth = 0;
        let end = rest[open..].char_indices().find(|(_, c)| {
            depth += match c {
                '{' => 1,
                '}' => -1,
                _ => 0,
            };
            depth == 0
        })?;
        let length = rest[..open + end.0].lines().count();
        Some((code[..at].lines().count().max(1), length, name))
    })
}

/// The code with comments, strings and character literals blanked out, line for line.
fn blanked(text: &str) -> String {
    let chars: Vec<char> = text.chars().collect();
    let mut out = String::new();
    let mut at = 0;
    let blank = |c: char| if c == '\n' { '\n' } else { ' ' };
    while at < chars.len() {
        let end = literal_end(&chars, at);
        if end == at {
            out.push(chars[at]);
            at += 1;
        } else {
            out.extend(chars[at..end].iter().map(|c| blank(*c)));
            at = end;
        }
    }
    out
}

/// Where the comment, string or character literal that begins at `at` ends; `at` when none does.
fn literal_end(chars: &[char], at: usize) -> usize {
    let from = |at: usize, what: &str| {
        what.chars().enumerate().all(|(i, c)| chars.get(at + i) == Some(&c))
    };
    let is_word = |at: usize| at > 0 && (chars[at - 1].is_alphanumeric() || chars[at - 1] == '_');
    let until = |mut at: usize, what: &str| {
        while at < chars.len() && !from(at, what) {
            at += if what.len() == 1 && chars[at] == '\\' { 2 } else { 1 };
        }
        (at + what.len()).min(chars.len())
    };
    if from(at, "//") {
        return until(at, "\n") - 1;
    }
    if from(at, "/*") {
        return until(at + 2, "*/");
    }
    if (chars[at] == 'r' || from(at, "br")) && !is_word(at) {
        let mut open = at + if chars[at] == 'b' { 2 } else { 1 };
        let hashes = chars[open..].iter().take_while(|c| **c == '#').count();
        open += hashes;
        if chars.get(open) == Some(&'"') {
            return until(open + 1, &format!("\"{}", "#".repeat(hashes)).replace("\"\0", "\""));
        }
    }
    if chars[at] == '"' {
        return until(at + 1, "\"");
    }
    if chars[at] == '\'' {
        if chars.get(at + 1) == Some(&'\\') {
            return until(at + 3, "'");
        }
        if chars.get(at + 2) == Some(&'\'') {
            return at + 3;
        }
    }
    at
}
