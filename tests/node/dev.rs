//! `waypost dev` as a newcomer runs it, and the commands beside it.

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

/// A `waypost dev` that runs in a folder. Killed when dropped.
pub struct Dev {
    child: Child,
    lines: Receiver<String>,
    errors: Option<JoinHandle<String>>,
    /// What was printed up to the empty line, one `name: value` each.
    pub told: Vec<(String, String)>,
}

/// What a command printed, and how it ended.
#[derive(Clone, Debug)]
pub struct Ran {
    pub code: i32,
    pub out: String,
    pub errors: String,
}

impl Dev {
    /// Starts one in `folder` on ports that the kernel chooses; returns when it answers.
    pub fn start(folder: &Path, more: &[&str]) -> Self {
        let any = "127.0.0.1:0";
        let mut child = Command::new(WAYPOST)
            .args(["dev", "--https", any, "--http", any, "--admin", any])
            .args(more)
            .current_dir(folder)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let (send, lines) = channel();
        let out = BufReader::new(child.stdout.take().unwrap());
        thread::spawn(move || {
            for line in out.lines() {
                if send.send(line.unwrap()).is_err() {
                    return;
                }
            }
        });
        let mut errors = child.stderr.take().unwrap();
        let errors = thread::spawn(move || {
            let mut text = String::new();
            errors.read_to_string(&mut text).unwrap();
            text
        });
        let mut dev = Self { child, lines, errors: Some(errors), told: Vec::new() };
        // Two parts, each ended by an empty line: what it is, and what to try.
        for _ in 0..2 {
            while let Some((name, value)) = dev.line().split_once(": ") {
                dev.told.push((name.to_owned(), value.to_owned()));
            }
        }
        dev
    }

    /// The value that was printed first under `name`.
    pub fn value(&self, name: &str) -> &str {
        let found = self.told.iter().find(|(found, _)| found == name);
        &found.unwrap_or_else(|| panic!("{name} is not among {:?}", self.told)).1
    }

    /// The next line that it prints.
    pub fn line(&mut self) -> String {
        match self.lines.recv_timeout(PATIENCE) {
            Ok(line) => line,
            Err(RecvTimeoutError::Timeout) => panic!("no line came"),
            Err(RecvTimeoutError::Disconnected) => {
                panic!("dev ended: {}", self.errors.take().unwrap().join().unwrap())
            }
        }
    }

    /// Its process.
    pub fn process(&self) -> u32 {
        self.child.id()
    }

    /// Presses Ctrl-C; returns how it ended and the lines that it printed until then.
    pub fn interrupt(mut self) -> (ExitStatus, Vec<String>) {
        kill_process(Pid::from_child(&self.child), Signal::INT).unwrap();
        let mut lines = Vec::new();
        while let Ok(line) = self.lines.recv_timeout(PATIENCE) {
            lines.push(line);
        }
        (self.child.wait().unwrap(), lines)
    }
}

impl Drop for Dev {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
        if thread::panicking()
            && let Some(errors) = self.errors.take()
        {
            eprintln!("dev said:\n{}", errors.join().unwrap_or_default());
        }
    }
}

impl Ran {
    /// Runs `waypost` with these arguments in `folder`.
    pub fn waypost(folder: &Path, arguments: &[&str]) -> Self {
        let mut command = Command::new(WAYPOST);
        Self::of(command.args(arguments).current_dir(folder).stdout(Stdio::piped()))
    }

    /// Runs a line as a shell would.
    pub fn shell(folder: &Path, line: &str) -> Self {
        let mut command = Command::new("sh");
        Self::of(command.args(["-c", line]).current_dir(folder).stdout(Stdio::piped()))
    }

    /// Runs a command whose standard output may go elsewhere.
    pub fn of(command: &mut Command) -> Self {
        let output = command.stdin(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let output = output.wait_with_output().unwrap();
        Self {
            code: output.status.code().expect("ended by a signal"),
            out: String::from_utf8_lossy(&output.stdout).into_owned(),
            errors: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    /// Its standard output, when it went well.
    pub fn good(&self) -> &str {
        assert_eq!(self.code, 0, "{self:?}");
        &self.out
    }
}

/// A folder on a disk, where /tmp may be memory.
pub fn folder() -> tempfile::TempDir {
    fs::create_dir_all(env!("CARGO_TARGET_TMPDIR")).unwrap();
    tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap()
}

/// The program under test.
pub const WAYPOST: &str = env!("CARGO_BIN_EXE_waypost");
const PATIENCE: Duration = Duration::from_secs(20);
