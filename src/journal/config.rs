//! What an operator may set of the journal.

use std::path::PathBuf;
use std::time::Duration;

/// The journal's settings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// The folder that holds one directory for each process that writes.
    pub directory: PathBuf,
    /// What "durable" means before an answer.
    pub sync: Sync,
    /// Bytes of a segment file; each is zero-filled ahead of need.
    pub segment: u64,
    /// Bytes of events that may wait for the disk before new ones are refused.
    pub queue: usize,
    /// How long a batch may gather while traffic is dense; thin traffic never waits.
    pub gather: Duration,
    /// How long an answer waits for its event to be durable.
    pub answer_within: Duration,
    /// Bytes that kept segments may take; past it the oldest go.
    pub retention_size: u64,
    /// How long events are kept.
    pub retention_age: Duration,
    /// What may be deleted.
    pub keep: Keep,
    /// How long after a failure the next segment is tried.
    pub retry: Duration,
}

/// What retention may delete.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keep {
    /// Whatever is too old or too much: the journal is where events end.
    Recent,
    /// Only what the cursor has passed: something further on takes the events. At the size bound
    /// new events are refused.
    Unacknowledged,
}

/// What "durable" means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sync {
    /// On stable storage: survives a power cut.
    Disk,
    /// With the operating system: survives the process, not a power cut.
    Os,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            directory: PathBuf::from("journal"),
            sync: Sync::Disk,
            segment: 64 << 20,
            queue: 64 << 20,
            gather: Duration::from_millis(5),
            answer_within: Duration::from_secs(1),
            retention_size: 8 << 30,
            retention_age: Duration::from_secs(30 * 86_400),
            keep: Keep::Recent,
            retry: Duration::from_secs(1),
        }
    }
}

impl Config {
    /// What cannot be served, as (key, reason); empty when all is well.
    pub fn problems(&self) -> Vec<(&'static str, String)> {
        let mut problems = Vec::new();
        let mut expect = |good: bool, key, reason: &str| {
            if !good {
                problems.push((key, reason.to_owned()));
            }
        };
        let segment = (1 << 20)..=(1 << 30);
        expect(segment.contains(&self.segment), "segment", "expected 1MiB to 1GiB");
        let queue = (1 << 20)..=(4 << 30);
        expect(queue.contains(&(self.queue as u64)), "queue", "expected 1MiB to 4GiB");
        let gather = self.gather <= Duration::from_millis(50);
        expect(gather, "gather", "expected at most 50ms: every answer may wait this long");
        let wait = Duration::from_millis(10)..=Duration::from_millis(1_900);
        let reason = "expected 10ms to 1.9s: a click is answered within 2s";
        expect(wait.contains(&self.answer_within), "answer_within", reason);
        let reason = "expected at least four times journal.segment: whole segments are deleted";
        let room = self.retention_size >= self.segment.saturating_mul(4);
        expect(room, "retention_size", reason);
        let kept = self.retention_age >= Duration::from_secs(60);
        expect(kept, "retention_age", "expected at least 1m");
        problems
    }
}
