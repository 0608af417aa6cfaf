//! What an operator may set of domains.

use std::path::PathBuf;
use std::time::Duration;

use crate::hostname::Hostname;

/// The settings of domains.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// Whether names that lead to us are to be certified.
    pub is_certifying: bool,
    /// Audits that are begun in a second, which new names are spread by; 0 when none is audited.
    pub audit_rate: u32,
    /// Who is let in.
    pub admission: Admission,
    /// The name that customers' CNAMEs lead to; none when nothing is asked of the DNS.
    pub target: Option<Hostname>,
    /// Files of names, one a line.
    pub files: Vec<PathBuf>,
    /// The certification authorities that may issue, as CAA records name them.
    pub authorities: Vec<String>,
    /// Names that are looked at in a second, in all; 0 looks at none.
    pub poll_rate: u32,
    /// How long after the first look the second one is; it doubles from there.
    pub poll_first: Duration,
    /// The longest between two looks at a name that does not lead to us yet.
    pub poll_longest: Duration,
    /// Between two looks at a name that has not led to us for `abandoned_after`, or left us.
    pub poll_abandoned: Duration,
    /// When a name that never led to us counts as abandoned.
    pub abandoned_after: Duration,
    /// Between two looks at a name that leads to us.
    pub poll_pointed: Duration,
    /// Answers without the CNAME that it takes to detach a name.
    pub detach_answers: u32,
    /// How long those answers must reach.
    pub detach_after: Duration,
    /// How long a removed name is kept from others.
    pub quarantine: Duration,
    /// Names of one registrable domain that visits may bring in a week.
    pub names_per_domain: u32,
    /// Names that visits may bring in three hours, in all.
    pub names_in_all: u32,
    /// Labels below the registrable domain that a name may have when a visit brings it.
    pub labels: usize,
    /// Refusals that are remembered.
    pub refusals: usize,
    /// How long the first refusal of a name lasts; it doubles from there.
    pub refusal_first: Duration,
    /// The longest refusal.
    pub refusal_longest: Duration,
    /// Questions to the DNS in a minute that visits to one registrable domain may cause.
    pub questions_per_domain: u32,
    /// Questions to the DNS in a second that visits may cause, in all.
    pub questions_in_all: u32,
}

/// Who is let in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Admission {
    /// Whoever's CNAME leads to the target, with guards.
    Cname,
    /// Listed names only.
    Registered,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            is_certifying: false,
            audit_rate: 0,
            admission: Admission::Cname,
            target: Hostname::parse("trk.aksend.net").ok(),
            files: Vec::new(),
            authorities: vec!["letsencrypt.org".to_owned()],
            poll_rate: 25,
            poll_first: MINUTE,
            poll_longest: HOUR,
            poll_abandoned: DAY,
            abandoned_after: 7 * DAY,
            poll_pointed: 12 * HOUR,
            detach_answers: 3,
            detach_after: 72 * HOUR,
            quarantine: 7 * DAY,
            names_per_domain: 50,
            names_in_all: 300,
            labels: 4,
            refusals: 100_000,
            refusal_first: MINUTE,
            refusal_longest: HOUR,
            questions_per_domain: 5,
            questions_in_all: 50,
        }
    }
}

impl Config {
    /// What cannot be served, as (key, reason); empty when all is well.
    pub fn problems(&self) -> Vec<(&'static str, String)> {
        let mut problems = Vec::new();
        if self.admission == Admission::Cname && self.target.is_none() {
            let reason =
                "expected a name that CNAMEs lead to, since domains.admission is \"cname\"";
            problems.push(("target", reason.to_owned()));
        }
        let waits = Duration::from_millis(100)..=30 * DAY;
        for (key, wait) in [
            ("poll_first", self.poll_first),
            ("poll_longest", self.poll_longest),
            ("poll_abandoned", self.poll_abandoned),
            ("poll_pointed", self.poll_pointed),
            ("refusal_first", self.refusal_first),
            ("refusal_longest", self.refusal_longest),
        ] {
            if !waits.contains(&wait) {
                problems.push((key, "expected 100ms to 30d".to_owned()));
            }
        }
        for (key, wait) in [
            ("abandoned_after", self.abandoned_after),
            ("detach_after", self.detach_after),
            ("quarantine", self.quarantine),
        ] {
            if wait > 366 * DAY {
                problems.push((key, "expected at most 366d".to_owned()));
            }
        }
        if self.poll_first > self.poll_longest {
            problems.push(("poll_longest", "expected no less than domains.poll_first".to_owned()));
        }
        if self.refusal_first > self.refusal_longest {
            let reason = "expected no less than domains.refusal_first";
            problems.push(("refusal_longest", reason.to_owned()));
        }
        if self.poll_rate > 10_000 {
            problems.push(("poll_rate", "expected at most 10000".to_owned()));
        }
        for (key, count) in [
            ("detach_answers", self.detach_answers),
            ("names_per_domain", self.names_per_domain),
            ("names_in_all", self.names_in_all),
            ("questions_per_domain", self.questions_per_domain),
            ("questions_in_all", self.questions_in_all),
        ] {
            if !(1..=1_000_000).contains(&count) {
                problems.push((key, "expected 1 to 1000000".to_owned()));
            }
        }
        // Fewer questions could never let anybody in.
        for (key, count) in [
            ("questions_per_domain", self.questions_per_domain),
            ("questions_in_all", self.questions_in_all),
        ] {
            if (1..5).contains(&count) {
                problems.push((key, "expected at least 5".to_owned()));
            }
        }
        if !(1..=100).contains(&self.labels) {
            problems.push(("labels", "expected 1 to 100".to_owned()));
        }
        if !(100..=100_000_000).contains(&self.refusals) {
            problems.push(("refusals", "expected 100 to 100000000".to_owned()));
        }
        problems
    }
}

const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3_600);
const DAY: Duration = Duration::from_secs(86_400);
