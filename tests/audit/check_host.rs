//! `check_host()` by cases, each group with the clause that it is made from.

use std::fs;

use serde::Deserialize;
use waypost::audit::spf::{Evaluation, Outcome, Request};
use waypost::clock::Timestamp;

use crate::zone::Zone;

#[test]
fn every_case_ends_as_its_clause_says() {
    let mut faults = Vec::new();
    let mut count = 0;
    for group in groups() {
        let zone = Zone::parse(&group.zone);
        for case in &group.cases {
            count += 1;
            let mut evaluation = Evaluation::new(case.request());
            let (outcome, asked) = zone.judge(|answers| evaluation.check(answers));
            assert_eq!(outcome.questions, asked.len(), "{case:?}");
            if let Err(fault) = case.fits(&outcome) {
                faults.push(format!("{fault}: {case:?}\n{outcome:#?}"));
            }
        }
    }
    assert!(faults.is_empty(), "{} of {count}\n{}", faults.len(), faults.join("\n"));
    assert!(count > 270, "{count}");
}

#[test]
fn each_group_begins_with_its_clause() {
    for group in groups() {
        assert!(group.clause.starts_with('§'), "{}", group.clause);
        assert!(!group.cases.is_empty(), "{}", group.clause);
    }
}

/// All groups of cases.
pub(crate) fn groups() -> Vec<Group> {
    let text = fs::read_to_string("tests/cases/audit/check_host.toml").unwrap();
    toml::from_str::<File>(&text).unwrap().group
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    group: Vec<Group>,
}

/// Cases made from one clause, in one zone.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Group {
    pub(crate) clause: String,
    pub(crate) zone: String,
    pub(crate) cases: Vec<Case>,
}

/// One check, and how it has to end.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Case {
    pub(crate) ip: String,
    pub(crate) from: String,
    #[serde(default = "mail")]
    pub(crate) helo: String,
    pub(crate) result: String,
    /// The explanation; empty for none.
    pub(crate) explanation: Option<String>,
    lookups: Option<usize>,
    voids: Option<usize>,
    questions: Option<usize>,
    /// Not for a server: its names or its time cannot be had there.
    #[serde(default)]
    pub(crate) here_only: bool,
}

impl Case {
    fn request(&self) -> Request {
        Request::new(self.ip.parse().unwrap(), &self.from, &self.helo, NOW)
    }

    fn fits(&self, outcome: &Outcome) -> Result<(), String> {
        let verdict = outcome.verdict.to_string();
        if verdict != self.result {
            return Err(format!("{verdict}, not {}", self.result));
        }
        let explanation = outcome.explanation.as_deref().unwrap_or_default();
        if self.explanation.as_ref().is_some_and(|wanted| wanted != explanation) {
            return Err(format!("explained as \"{explanation}\""));
        }
        for (name, wanted, own) in [
            ("lookups", self.lookups, outcome.lookups),
            ("voids", self.voids, outcome.voids),
            ("questions", self.questions, outcome.questions),
        ] {
            if wanted.is_some_and(|wanted| wanted != own) {
                return Err(format!("{own} {name}"));
            }
        }
        Ok(())
    }
}

fn mail() -> String {
    "mail.example.net".to_owned()
}

const NOW: Timestamp = Timestamp::from_seconds(1_795_000_000);
