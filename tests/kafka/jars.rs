//! Kafka's jars, fetched once and kept under the target folder.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::LazyLock;

/// A Java process with Kafka's classes that starts soon and takes little.
pub fn java(options: &[&str]) -> Command {
    fast_java(&[options, &["-XX:TieredStopAtLevel=1"]].concat())
}

/// A Java process with Kafka's classes whose code is compiled for speed.
pub fn fast_java(options: &[&str]) -> Command {
    let mut command = Command::new("java");
    command.args(options).args(["-XX:+UseSerialGC", "-Xshare:auto"]);
    command.arg("-cp").arg(JARS.join("*")).stdin(Stdio::null());
    command
}

static JARS: LazyLock<PathBuf> = LazyLock::new(|| {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name("kafka-4.3.1");
    let fetch = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/kafka/fetch");
    let status = Command::new(fetch).arg(&folder).stdin(Stdio::null()).status().unwrap();
    assert!(status.success(), "Kafka could not be fetched");
    folder
});
