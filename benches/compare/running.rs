//! A process that a bench started, and ends.

use std::fmt;
use std::process::{Child, ExitStatus};
use std::thread::sleep;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use waypost::clock::{Clock, SystemClock};

/// A child process that does not outlive this value.
#[derive(Debug)]
pub(crate) struct Running(Child);

impl Running {
    pub(crate) fn new(child: Child) -> Self {
        Self(child)
    }

    /// The process, or the first of them.
    pub(crate) fn process(&self) -> u32 {
        self.0.id()
    }

    /// Asks `ready` again and again until it has an answer, the child ends, or [`PATIENCE`] does.
    pub(crate) fn until<T>(&mut self, mut ready: impl FnMut() -> Option<T>) -> Result<T, Unready> {
        let begun = SystemClock.now();
        loop {
            if let Some(answer) = ready() {
                return Ok(answer);
            }
            if let Ok(Some(status)) = self.0.try_wait() {
                return Err(Unready::Ended(status));
            }
            if begun.elapsed() > PATIENCE {
                return Err(Unready::Late);
            }
            sleep(Duration::from_millis(5));
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Asked, not killed: nginx's first process then ends its workers.
        if let Some(process) = i32::try_from(self.0.id()).ok().and_then(Pid::from_raw)
            && kill_process(process, Signal::TERM).is_ok()
        {
            let begun = SystemClock.now();
            while begun.elapsed() < PATIENCE {
                if !matches!(self.0.try_wait(), Ok(None)) {
                    return;
                }
                sleep(Duration::from_millis(5));
            }
        }
        if let Err(error) = self.0.kill().and_then(|()| self.0.wait()) {
            eprintln!("a server could not be ended: {error}");
        }
    }
}

/// Why a server did not come up.
#[derive(Debug)]
pub(crate) enum Unready {
    /// It ended.
    Ended(ExitStatus),
    /// It lives, but does not answer.
    Late,
}

impl fmt::Display for Unready {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ended(status) => write!(f, "it ended before it answered ({status})"),
            Self::Late => write!(f, "it did not answer within {PATIENCE:?}"),
        }
    }
}

const PATIENCE: Duration = Duration::from_secs(10);
