//! What a [judge](super::judge) found.

use std::fmt;

/// The counts of a run, and what was wrong.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verdict {
    /// Requests that were asked.
    pub asked: usize,
    /// Obligations.
    pub acknowledged: usize,
    /// Obligations without their event that no trace accounts for.
    pub missing: usize,
    /// Events that no request explains: invented, altered, or a second event of one request; and
    /// traces of events that nobody asked for, or that are recorded all the same.
    pub spurious: usize,
    /// Further copies of an event, byte for byte the same.
    pub duplicates: usize,
    /// Requests that died before their answer.
    pub ambiguous: usize,
    /// Those of them that were recorded.
    pub ambiguous_recorded: usize,
    /// Requests without their event that the traces tell as unrecorded.
    pub unrecorded: usize,
    /// Events that the traces tell as late.
    pub late: usize,
    /// Requests whose event was late, and never came since the node was killed.
    pub late_lost: usize,
    /// Answers that were not the right one, or did not come in time.
    pub wrong: usize,
    /// What was wrong, for at most [`TOLD`] faults.
    pub faults: Vec<String>,
}

impl Verdict {
    /// Nothing lost, nothing invented.
    pub fn is_kept(&self) -> bool {
        self.missing == 0 && self.spurious == 0 && self.wrong == 0
    }

    /// Nothing lost, nothing invented, nothing twice.
    pub fn is_exact(&self) -> bool {
        self.is_kept() && self.duplicates == 0
    }

    /// The counts that matter, on one line.
    pub fn counts(&self) -> String {
        let Self { missing, spurious, duplicates, ambiguous, unrecorded, late, wrong, .. } = self;
        format!(
            "missing={missing} spurious={spurious} duplicates={duplicates} ambiguous={ambiguous} \
             unrecorded={unrecorded} late={late} wrong={wrong}"
        )
    }

    pub(super) fn missing(&mut self, reason: String) {
        self.missing += 1;
        self.tell(format!("missing: {reason}"));
    }

    pub(super) fn spurious(&mut self, reason: &str, what: &str) {
        self.spurious += 1;
        self.tell(format!("spurious: {reason}: {what}"));
    }

    pub(super) fn tell(&mut self, fault: String) {
        if self.faults.len() < TOLD {
            self.faults.push(fault);
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} (asked={} acknowledged={} ambiguous_recorded={} late_lost={})",
            self.counts(),
            self.asked,
            self.acknowledged,
            self.ambiguous_recorded,
            self.late_lost
        )?;
        self.faults.iter().try_for_each(|fault| write!(f, "\n  {fault}"))
    }
}

const TOLD: usize = 10;
