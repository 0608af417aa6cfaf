//! How far a long command is, told on a terminal.

use std::fmt::Display;
use std::io::{self, IsTerminal};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::output;
use crate::clock::Clock;

/// One line on standard error that is written again and again; nothing when standard error is no
/// terminal, or the results themselves are seen there.
pub(super) struct Progress {
    clock: Arc<dyn Clock>,
    is_shown: bool,
    size: Option<u64>,
    noun: &'static str,
    read: u64,
    begun: Instant,
    shown: Option<Instant>,
}

impl Progress {
    /// Of an input whose size in bytes may be known; `noun` is what is made of its lines.
    pub(super) fn new(clock: &Arc<dyn Clock>, size: Option<u64>, noun: &'static str) -> Self {
        let is_shown = io::stderr().is_terminal() && !io::stdout().is_terminal();
        let begun = clock.now();
        Self { clock: Arc::clone(clock), is_shown, size, noun, read: 0, begun, shown: None }
    }

    /// Shows that further `read` bytes were read, and `done` lines done in all.
    pub(super) fn show(&mut self, read: u64, done: u64) {
        self.read += read;
        let now = self.clock.now();
        let is_due = self.shown.is_none_or(|shown| now.duration_since(shown) >= EVERY);
        if !self.is_shown || !is_due {
            return;
        }
        self.shown = Some(now);
        output::tell_over(self.line(done, now));
    }

    /// Tells something that stays, above the line.
    pub(super) fn tell(&mut self, text: impl Display) {
        if self.shown.take().is_some() {
            output::tell_over("");
        }
        output::tell(text);
    }

    /// Shows the last state, and leaves it there.
    pub(super) fn end(&mut self, done: u64) {
        if self.is_shown {
            let line = self.line(done, self.clock.now());
            self.tell(line);
        }
    }

    fn line(&self, done: u64, now: Instant) -> String {
        let seconds = now.duration_since(self.begun).as_secs_f64();
        let rate = done as f64 / seconds.max(0.001);
        let mut line =
            format!("{} in {seconds:.1} s, {rate:.0} a second", output::counted(done, self.noun));
        if let Some(size) = self.size.filter(|size| *size > 0) {
            let part = self.read.min(size) as f64 / size as f64;
            line += &format!(", {:.0} % of {}", part * 100.0, bytes(size));
            if part > 0.0 && part < 1.0 {
                let (all, noun) = (done as f64 / part, self.noun);
                let left = seconds / part - seconds;
                line += &format!(", about {all:.0} {noun}s in all, {left:.0} s left");
            }
        }
        line
    }
}

fn bytes(size: u64) -> String {
    match size {
        0..10_000 => format!("{size} B"),
        10_000..10_000_000 => format!("{} kB", size / 1_000),
        _ => format!("{} MB", size / 1_000_000),
    }
}

const EVERY: Duration = Duration::from_millis(200);
