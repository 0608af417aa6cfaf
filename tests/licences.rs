//! Every crate that is built into waypost, or tests it, may be used: its licence is on the list.

#![allow(clippy::disallowed_methods, reason = "a test starts cargo")]
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::process::Command;

use serde_json::Value;

#[test]
fn every_crate_has_a_licence_that_we_may_use() {
    let output = Command::new(env!("CARGO"))
        // Crates of other platforms were never downloaded.
        .args(["metadata", "--format-version", "1", "--locked", "--offline", "--filter-platform"])
        .arg(host())
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
    let packages = metadata["packages"].as_array().unwrap();
    assert!(packages.len() > 50, "{}", packages.len());
    let refused: Vec<String> = packages
        .iter()
        .filter(|package| !package["license"].as_str().is_some_and(may_be_used))
        .map(|package| {
            format!("{} {}: {}", package["name"], package["version"], package["license"])
        })
        .collect();
    assert!(refused.is_empty(), "{refused:#?}");
}

#[test]
fn a_choice_needs_one_licence_and_a_sum_needs_all() {
    for good in ["MIT", "MIT OR GPL-3.0-only", "MIT/Apache-2.0", "(MIT OR ISC) AND BSD-3-Clause"] {
        assert!(may_be_used(good), "{good}");
    }
    for bad in ["GPL-3.0-only", "MIT AND GPL-2.0", "", "AGPL-3.0 OR SSPL-1.0", "(MIT AND GPL-3.0)"]
    {
        assert!(!may_be_used(bad), "{bad}");
    }
}

/// The platform that this is built on.
fn host() -> String {
    let output = Command::new("rustc").arg("-vV").output().unwrap();
    let told = String::from_utf8(output.stdout).unwrap();
    told.lines().find_map(|line| line.strip_prefix("host: ")).unwrap().to_owned()
}

/// Whether an SPDX expression can be fulfilled with the allowed licences. AND binds closer than
/// OR; parentheses, which crates use around either, are resolved from the innermost outward.
fn may_be_used(expression: &str) -> bool {
    let mut text = expression.replace('/', " OR ");
    while let Some(close) = text.find(')') {
        let Some(open) = text.get(..close).and_then(|head| head.rfind('(')) else { return false };
        let inner = if is_fulfilled(text.get(open + 1..close).unwrap()) { YES } else { NO };
        text.replace_range(open..=close, inner);
    }
    is_fulfilled(&text)
}

fn is_fulfilled(expression: &str) -> bool {
    expression.split(" OR ").any(|sum| {
        sum.split(" AND ").all(|licence| licence.trim() == YES || ALLOWED.contains(&licence.trim()))
    })
}

const YES: &str = "yes";
const NO: &str = "no";
const ALLOWED: [&str; 14] = [
    "0BSD",
    "Apache-2.0",
    "Apache-2.0 WITH LLVM-exception",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "BSL-1.0",
    "CC0-1.0",
    "CDLA-Permissive-2.0",
    "ISC",
    "MIT",
    "MIT-0",
    "Unicode-3.0",
    "Unlicense",
    "Zlib",
];
