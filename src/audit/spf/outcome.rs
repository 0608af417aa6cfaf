//! What `check_host()` comes to, and how (RFC 7208 §2.6).

use std::borrow::Cow;
use std::fmt;

use serde_json::{Value, json};

use super::Qualifier;

/// The result of a check.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Verdict {
    /// There is no record, or nothing that could have one.
    None,
    /// The domain says nothing about the client.
    Neutral,
    /// The client may send for the domain.
    Pass,
    /// The client may not send for the domain.
    Fail,
    /// The client probably may not.
    SoftFail,
    /// DNS did not answer: another try may end otherwise.
    TempError,
    /// What the domain publishes cannot be evaluated.
    PermError,
}

/// A check that was made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// The result.
    pub verdict: Verdict,
    /// The domain's explanation of a fail.
    pub explanation: Option<String>,
    /// Why the result is what it is, in words.
    pub reason: String,
    /// The terms that were evaluated, in order.
    pub steps: Vec<Step>,
    /// How many more steps there were than are told.
    pub untold: usize,
    /// How many of the ten terms that cause lookups were used.
    pub lookups: usize,
    /// How many terms asked for something that does not exist.
    pub voids: usize,
    /// How many questions to DNS it took.
    pub questions: usize,
}

/// One term that was evaluated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// How many records it is in, the domain's own not counted.
    pub depth: usize,
    /// The domain in whose record it stands.
    pub domain: String,
    /// The term as it is written.
    pub term: String,
    /// The name that it asked for, macros resolved, when it named one.
    pub target: Option<String>,
    /// How many of the ten lookups it took: 0 or 1, what it includes not counted.
    pub cost: usize,
    /// Whether it asked for something that does not exist.
    pub is_void: bool,
    /// What came of it, in words.
    pub came: Cow<'static, str>,
}

impl Outcome {
    /// The outcome as `--json` prints it; `docs/audit.md` tells each field.
    pub fn json(&self) -> Value {
        let step = |step: &Step| {
            json!({
                "depth": step.depth,
                "domain": step.domain,
                "term": step.term,
                "target": step.target,
                "lookups": step.cost,
                "void": step.is_void,
                "came": step.came,
            })
        };
        json!({
            "result": self.verdict.to_string(),
            "explanation": self.explanation,
            "reason": self.reason,
            "lookups": self.lookups,
            "void_lookups": self.voids,
            "questions": self.questions,
            "trace": self.steps.iter().map(step).collect::<Vec<_>>(),
            "untold": self.untold,
        })
    }
}

impl From<Qualifier> for Verdict {
    fn from(qualifier: Qualifier) -> Self {
        match qualifier {
            Qualifier::Pass => Self::Pass,
            Qualifier::Fail => Self::Fail,
            Qualifier::SoftFail => Self::SoftFail,
            Qualifier::Neutral => Self::Neutral,
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::None => "none",
            Self::Neutral => "neutral",
            Self::Pass => "pass",
            Self::Fail => "fail",
            Self::SoftFail => "softfail",
            Self::TempError => "temperror",
            Self::PermError => "permerror",
        })
    }
}
