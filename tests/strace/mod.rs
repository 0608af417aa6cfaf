//! Strace upon a node: it is killed at a write, or its writes are noted.

#![allow(dead_code, reason = "each test uses the part it needs")]
#![allow(clippy::disallowed_methods, reason = "a test reads files and starts processes")]
#![allow(clippy::unwrap_used, reason = "a test may panic")]
#![allow(unreachable_pub, reason = "a module of tests")]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use crate::customers::{self, eventually};

/// Strace upon threads of a process; let go when dropped.
pub struct Strace(Child);

impl Strace {
    /// Has the process killed at the `nth` call of this kind by a thread.
    pub fn kill(thread: &Path, call: &str, nth: usize) -> Option<Self> {
        let inject = format!("inject={call}:signal=KILL:when={nth}");
        let trace = format!("trace={call}");
        Self::start(thread, &["-o", "/dev/null", "-e", &trace, "-e", &inject])
    }

    /// Writes the thread's calls that change files into `log`.
    pub fn record(thread: &Path, log: &Path) -> Option<Self> {
        Self::start(thread, &["-o", log.to_str().unwrap(), "-e", CALLS])
    }

    fn start(thread: &Path, arguments: &[&str]) -> Option<Self> {
        let number = thread.file_name().unwrap().to_str().unwrap();
        let started = Command::new("strace")
            .args(["-qq", "-p", number])
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        let child = started.map_err(|error| customers::missing("strace", &error)).ok()?;
        let strace = Self(child);
        eventually("strace holds the thread", || {
            // A thread that is gone was held, and met its end before this looked.
            let status = fs::read_to_string(thread.join("status")).unwrap_or_default();
            (!status.contains("TracerPid:\t0\n")).then_some(())
        });
        Some(strace)
    }

    /// Lets go, and has written what it saw.
    pub fn end(mut self) {
        let process = rustix::process::Pid::from_child(&self.0);
        rustix::process::kill_process(process, rustix::process::Signal::TERM).unwrap();
        self.0.wait().unwrap();
    }
}

impl Drop for Strace {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

/// The threads that write files, by their names: what others write are answers and wake-ups.
pub fn threads(process: u32) -> BTreeMap<String, PathBuf> {
    let tasks = fs::read_dir(format!("/proc/{process}/task")).unwrap();
    let paths = tasks.map(|task| task.unwrap().path());
    let named = paths.map(|path| {
        let name = fs::read_to_string(path.join("comm")).unwrap();
        (name.trim().to_owned(), path)
    });
    named.filter(|(name, _)| WRITERS.contains(&name.as_str())).collect()
}

/// The calls that change files.
const CALLS: &str = "trace=pwrite64,write,pwritev,pwritev2,fdatasync,fsync,ftruncate,fallocate";
const WRITERS: [&str; 3] = ["store-writer", "journal-writer", "journal-keeper"];
