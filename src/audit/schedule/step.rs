//! From what was known of a domain and what an audit saw to what is known now: pure.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::{Value, json};

use super::look::Look;
use crate::audit::mark::topic;
use crate::audit::{Config, Kept, Severity, excerpt};
use crate::clock::Timestamp;
use crate::store::{Due, Lane};

/// How often a domain is audited.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Pace {
    /// From one audit to the next.
    pub(super) interval: Duration,
    /// From the first look that differs to the second; each further one comes twice as late.
    pub(super) second_look: Duration,
    /// From 0 to 1: another number for each domain and time, so that what was audited together is
    /// not audited together for ever.
    pub(super) spread: f64,
}

/// What is known now.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Stepped {
    pub(super) kept: Kept,
    /// What is to be told.
    pub(super) transition: Option<Transition>,
    pub(super) due: Due,
}

/// A change that was seen twice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Transition {
    /// What the domain came to before, in a word.
    pub(super) previous: String,
    /// What it comes to now.
    pub(super) status: String,
    /// The rules that have findings, or findings of another severity, and had not.
    pub(super) appeared: BTreeSet<&'static str>,
    /// The rules that had.
    pub(super) went: BTreeSet<&'static str>,
}

impl Pace {
    pub(super) fn new(config: &Config, is_active: bool, spread: f64) -> Self {
        let interval = if is_active { config.active_every } else { config.other_every };
        Self { interval, second_look: config.second_look, spread }
    }

    /// The latest that a domain is due after an audit.
    pub(super) fn longest(&self) -> Duration {
        self.interval + self.interval / SPREAD
    }

    /// When the next audit is, after so many in a row that are to be followed by another one soon.
    fn wait(&self, hasty: u32) -> Duration {
        let usual = self.interval - self.interval / SPREAD
            + (self.interval / SPREAD * 2).mul_f64(self.spread.clamp(0.0, 1.0));
        let Some(doublings) = hasty.checked_sub(1) else { return usual.max(SHORTEST) };
        let soon = self.second_look.saturating_mul(2_u32.saturating_pow(doublings.min(20)));
        let soon = soon.saturating_add((soon / 4).mul_f64(self.spread.clamp(0.0, 1.0)));
        soon.min(usual).max(SHORTEST)
    }
}

/// Takes in a report, which is JSON as an audit tells it, and the stamp of what it was judged by.
pub(super) fn step(
    former: Option<&Kept>,
    (report, stamp): (&Value, u32),
    pace: &Pace,
    now: Timestamp,
) -> Stepped {
    let mut kept = Kept { stamp, ..Kept::first(report, now) };
    let mut transition = None;
    // Of another domain nothing was known.
    let former = former.filter(|former| former.report["domain"] == kept.report["domain"]);
    if let Some(former) = former {
        transition = compare(former, &mut kept);
        kept.hasty = if kept.doubted.is_empty() && kept.unanswered.is_empty() {
            0
        } else {
            former.hasty.saturating_add(1)
        };
    }
    let lane = if kept.doubted.is_empty() { Lane::Patient } else { Lane::Prompt };
    let due = Due { at: now.plus(pace.wait(kept.hasty)), lane };
    Stepped { kept, transition, due }
}

/// Makes of the new result what holds beside the former one; returns what changed for good.
fn compare(former: &Kept, kept: &mut Kept) -> Option<Transition> {
    let (mut appeared, mut went) = (BTreeSet::new(), BTreeSet::new());
    let (mut sections, mut doubts, mut older) = (Vec::new(), Vec::new(), Vec::new());
    for seen in kept.sections() {
        let is_same_topic = |other: &&Value| topic(other) == topic(seen);
        let had = former.sections().iter().find(is_same_topic);
        let doubted = former.doubted.iter().find(is_same_topic);
        let look = Look::of(had, doubted, seen);
        // What is judged by other rules is otherwise without any change of the domain's.
        let is_older =
            former.stamp != kept.stamp || former.older.iter().any(|own| own == topic(seen));
        match if is_older { look.untold(&mut older) } else { look } {
            Look::Same(section) => sections.push(section),
            Look::Silent(had) => {
                sections.push(had);
                doubts.extend(doubted.filter(|_| !is_older).cloned());
            }
            Look::Doubtful { had, seen } => {
                sections.push(had);
                doubts.push(seen);
            }
            Look::Changed { section, came, gone } => {
                sections.push(section);
                appeared.extend(came);
                went.extend(gone);
            }
        }
    }
    (kept.doubted, kept.older) = (doubts, older);
    kept.report["sections"] = json!(sections);
    kept.report = excerpt::judged(std::mem::take(&mut kept.report));
    (!appeared.is_empty() || !went.is_empty()).then(|| Transition {
        previous: known(former),
        status: known(kept),
        appeared,
        went,
    })
}

/// The worst of what is known: what DNS never answered is not.
fn known(kept: &Kept) -> String {
    let worst = kept.marks().iter().map(|mark| mark.severity).max();
    worst.map_or_else(|| "clean".to_owned(), |worst: Severity| worst.to_string())
}

/// A number from 0 to 1, another one for each name and time.
pub(super) fn spread(name: &str, now: Timestamp) -> f64 {
    let sum = crc32c::crc32c_append(crc32c::crc32c(name.as_bytes()), &now.micros().to_le_bytes());
    f64::from(sum) / f64::from(u32::MAX)
}

/// Which part of an interval audits are spread by, either way.
const SPREAD: u32 = 10;
/// However short an interval is set, a domain is not audited at every moment.
const SHORTEST: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::audit::{Mark, Silence, rules};

    const PACE: Pace = Pace {
        interval: Duration::from_secs(86_400),
        second_look: Duration::from_secs(900),
        spread: 0.5,
    };

    /// A report of two sections, each with findings of these rules; `?` is a silence, of all or
    /// of a rule.
    fn report(spf: &[&str], dkim: &[&str]) -> Value {
        let section = |topic: &str, ids: &[&str]| {
            let findings = ids.iter().map(|id| {
                let (id, severity) = match *id {
                    "?" => ("S01", "unknown"),
                    id if id.ends_with('?') => (id.trim_end_matches('?'), "unknown"),
                    id if id.ends_with('!') => (id.trim_end_matches('!'), "error"),
                    id => (id, "note"),
                };
                json!({ "rule": id, "severity": severity, "gates": severity == "error" })
            });
            json!({ "topic": topic, "findings": findings.collect::<Vec<_>>() })
        };
        let sections = [section("SPF", spf), section("DKIM", dkim)];
        json!({ "domain": "example.com", "sections": sections })
    }

    fn at(hour: u64) -> Timestamp {
        Timestamp::from_seconds(1_790_000_000 + hour * 3_600)
    }

    /// Goes through reports, one an hour; returns the last result and what was told.
    fn seen(reports: &[Value]) -> (Kept, Vec<Transition>) {
        let (mut kept, mut told) = (None, Vec::new());
        for (hour, report) in (0..).zip(reports) {
            let stepped = step(kept.as_ref(), (report, 1), &PACE, at(hour));
            told.extend(stepped.transition);
            kept = Some(stepped.kept);
        }
        (kept.unwrap(), told)
    }

    #[test]
    fn a_first_result_is_a_snapshot() {
        let (kept, told) = seen(&[report(&["S04!"], &["K14"])]);
        assert_eq!((kept.status(), told), ("error", vec![]));
        assert_eq!((kept.checked_at, kept.hasty), (at(0), 0));
    }

    #[test]
    fn a_change_is_told_when_it_was_seen_twice_in_a_row() {
        let (before, after) = (report(&["S04!", "S15"], &[]), report(&["S15", "S20"], &[]));
        let (kept, told) = seen(&[before.clone(), after.clone()]);
        assert_eq!((kept.status(), told), ("error", vec![]));
        assert_eq!(kept.newest()["status"], "note");
        let (kept, told) = seen(&[before, after.clone(), after.clone(), after]);
        assert_eq!((kept.status(), &kept.doubted, kept.hasty), ("note", &vec![], 0));
        let expected = Transition {
            previous: "error".to_owned(),
            status: "note".to_owned(),
            appeared: BTreeSet::from(["S20"]),
            went: BTreeSet::from(["S04"]),
        };
        assert_eq!(told, [expected]);
    }

    #[test]
    fn a_change_that_goes_back_at_the_second_look_is_none() {
        let (before, after) = (report(&["S15"], &[]), report(&["S04!"], &[]));
        let (kept, told) = seen(&[before.clone(), after.clone(), before.clone(), after, before]);
        assert_eq!((kept.status(), told, &kept.doubted), ("note", vec![], &vec![]));
    }

    #[test]
    fn a_rule_whose_severity_changes_comes_and_goes() {
        let after = report(&["S15!"], &[]);
        let (_, told) = seen(&[report(&["S15"], &[]), after.clone(), after]);
        let expected = BTreeSet::from(["S15"]);
        assert_eq!((&told[0].appeared, &told[0].went), (&expected, &expected));
    }

    #[test]
    fn silence_keeps_a_section_and_a_doubt_about_it_as_they_were() {
        let (before, after) = (report(&["S15"], &["K14"]), report(&["S04!"], &["K14"]));
        let silent = report(&["?", "S04!"], &["K14"]);
        let (kept, told) = seen(&[before.clone(), silent.clone(), silent.clone(), silent.clone()]);
        assert_eq!(
            (kept.report["sections"][0].clone(), told),
            (before["sections"][0].clone(), vec![])
        );
        assert_eq!((kept.status(), &kept.unanswered), ("note", &vec!["SPF".to_owned()]));
        let (_, told) = seen(&[before.clone(), after.clone(), silent.clone(), after.clone()]);
        assert_eq!(told.len(), 1, "two answers in a row said so");
        let (_, told) = seen(&[before.clone(), after.clone(), silent, before, after]);
        assert_eq!(told, []);
    }

    #[test]
    fn what_dns_answers_for_the_first_time_is_a_snapshot_too() {
        let (kept, told) = seen(&[report(&["?"], &[]), report(&["S04!"], &[])]);
        assert_eq!((kept.status(), told, kept.hasty), ("error", vec![], 0));
    }

    #[test]
    fn a_rule_that_dns_never_answers_for_holds_up_no_other() {
        let (before, after) = (report(&[], &["K16", "K14"]), report(&[], &["K16?", "K07!"]));
        let (kept, told) = seen(&[before.clone(), after.clone()]);
        assert_eq!((kept.status(), told), ("note", vec![]));
        let newest = kept.newest();
        let rules = |report: &Value| -> Vec<_> {
            let findings = report["sections"][1]["findings"].as_array().unwrap().iter();
            findings.map(|finding| finding["rule"].as_str().unwrap().to_owned()).collect()
        };
        assert_eq!(rules(&newest), ["K07", "K16"], "who is at work on it sees it at once");
        let (kept, told) = seen(&[before.clone(), after.clone(), after.clone(), after.clone()]);
        assert_eq!(
            (kept.status(), kept.unanswered.as_slice()),
            ("error", &["DKIM".to_owned()][..])
        );
        assert_eq!(rules(&kept.report), ["K07", "K16"]);
        assert_eq!(kept.report["sections"][1]["status"], "error");
        let [Transition { appeared, went, .. }] = &told[..] else { panic!("{told:?}") };
        assert_eq!(*appeared, BTreeSet::from(["K07"]));
        assert_eq!(*went, BTreeSet::from(["K14"]), "nothing is known of K16");
        let (_, told) = seen(&[before.clone(), after.clone(), before.clone(), before]);
        assert_eq!(told, []);
        // Its first answer is a snapshot, and no news.
        let answered = report(&[], &["K07!", "K16"]);
        let (kept, told) = seen(&[after, answered.clone(), answered]);
        assert_eq!((rules(&kept.report), told), (vec!["K07".to_owned(), "K16".to_owned()], vec![]));
    }

    #[test]
    fn what_is_never_known_is_shown_as_it_was_seen_last() {
        let (before, after) = (report(&["?", "S15"], &[]), report(&["?", "S14"], &[]));
        let (kept, told) = seen(&[before, after.clone()]);
        assert_eq!((&kept.report["sections"][0], told), (&after["sections"][0], vec![]));
    }

    #[test]
    fn other_rules_make_a_snapshot_of_every_section_once_it_is_answered() {
        let judged = |reports: &[(Value, u32)]| {
            let (mut kept, mut told) = (None, Vec::new());
            for (report, stamp) in reports {
                let stepped = step(kept.as_ref(), (report, *stamp), &PACE, at(0));
                told.extend(stepped.transition);
                // As it comes back from the store.
                kept = Kept::decode(&stepped.kept.encode());
            }
            (kept.unwrap(), told)
        };
        let before = report(&["S15"], &["K14"]);
        let (after, other) = (report(&["S14!"], &["K07!"]), report(&["S14!"], &["K14"]));
        let (kept, told) = judged(&[(before.clone(), 1), (after.clone(), 2)]);
        assert_eq!((kept.status(), &kept.doubted, told), ("error", &vec![], vec![]));
        let again = [&before, &after, &other, &other].map(Value::clone);
        let (_, told) = judged(&again.map(|report| {
            let stamp = 1 + u32::from(report != before);
            (report, stamp)
        }));
        assert_eq!(told.len(), 1, "what changes after that is told");
        // A section that DNS does not answer for meanwhile waits, and the others do not.
        let silent = report(&["?"], &["K14"]);
        let looks = [&silent, &silent, &after, &after].map(|report| (report.clone(), 2));
        let (kept, told) = judged(&[&[(before, 1)], &looks[..2]].concat());
        assert_eq!((kept.status(), &kept.older, told), ("note", &vec!["SPF".to_owned()], vec![]));
        let (kept, told) = judged(&[&[(report(&["S15"], &["K14"]), 1)], &looks[..]].concat());
        assert_eq!((kept.status(), &kept.older), ("error", &vec![]));
        let [Transition { appeared, .. }] = &told[..] else { panic!("{told:?}") };
        assert_eq!(*appeared, BTreeSet::from(["K07"]));
    }

    #[test]
    fn another_sending_domain_is_another_domain() {
        let mut other = report(&["S04!"], &[]);
        other["domain"] = json!("example.org");
        let (kept, told) = seen(&[report(&["S15"], &[]), other.clone(), other]);
        assert_eq!((kept.status(), told), ("error", vec![]));
    }

    #[test]
    fn a_second_look_comes_soon_and_each_further_one_twice_as_late_up_to_the_interval() {
        let mut kept = step(None, (&report(&["S15"], &[]), 1), &PACE, at(0)).kept;
        let mut waits = Vec::new();
        for round in 0..40 {
            let seen = report(if round % 2 == 0 { &["S20"] } else { &["S04!"] }, &[]);
            let stepped = step(Some(&kept), (&seen, 1), &PACE, at(0));
            assert_eq!(stepped.due.lane, Lane::Prompt);
            waits.push(at(0).until(stepped.due.at));
            kept = stepped.kept;
        }
        assert!(waits[0] >= PACE.second_look && waits[0] <= PACE.second_look * 5 / 4);
        assert!(waits.is_sorted() && waits[1] >= waits[0] * 2, "{waits:?}");
        assert_eq!(waits[39], PACE.interval);
        let calm = step(Some(&kept), (&report(&["S15"], &[]), 1), &PACE, at(0));
        assert_eq!((calm.due.lane, at(0).until(calm.due.at)), (Lane::Patient, PACE.interval));
    }

    #[test]
    fn what_was_audited_together_is_spread_over_a_fifth_of_the_interval() {
        let waits = (0..1_000).map(|number| {
            let spread = spread(&format!("trk.customer-{number}.example"), at(0));
            let pace = Pace { spread, ..PACE };
            at(0).until(step(None, (&report(&[], &[]), 1), &pace, at(0)).due.at).as_secs()
        });
        let mut groups = [0; 10];
        for wait in waits {
            let from = wait - 86_400 * 9 / 10;
            groups[(from / (86_400 / 50)).min(9) as usize] += 1;
        }
        assert!(groups.iter().all(|count| (60..150).contains(count)), "{groups:?}");
    }

    #[test]
    fn ten_years_of_silence_cost_few_more_audits_than_ten_quiet_ones_and_flapping_thrice_as_many() {
        let ten_years = Timestamp::from_seconds(1_790_000_000 + 10 * 365 * 86_400);
        let audits = |reports: &[Value]| {
            let (mut now, mut kept, mut count) = (at(0), None, 0_usize);
            while now < ten_years {
                let pace = Pace { spread: spread("trk.example.com", now), ..PACE };
                let stepped = step(kept.as_ref(), (&reports[count % reports.len()], 1), &pace, now);
                assert!(stepped.transition.is_none() && stepped.due.at > now);
                (now, kept, count) = (stepped.due.at, Some(stepped.kept), count + 1);
            }
            count
        };
        let quiet = audits(&[report(&["S15"], &[])]);
        assert!((3_500..=3_800).contains(&quiet), "{quiet}");
        let silent = audits(&[report(&["?"], &["?"])]);
        assert!(silent <= 4_080, "{silent}");
        let [one, other, third] = [&["S15"], &["S20"], &["S18"]].map(|rules| report(rules, &[]));
        let flapping = audits(&[one, other, third]);
        assert!(flapping <= 3 * quiet, "{flapping}");
    }

    fn any_report() -> impl Strategy<Value = Value> {
        let ids: Vec<_> = rules().map(|rule| rule.id).take(3).collect();
        let section = move || {
            let ids = ids.clone();
            prop_oneof![
                1 => Just(vec!["?"]),
                1 => Just(vec!["K16?"]),
                4 => prop::sample::subsequence(ids, 0..=2),
            ]
        };
        (section(), section()).prop_map(|(spf, dkim)| report(&spf, &dkim))
    }

    fn any_pace() -> impl Strategy<Value = Pace> {
        (1_u64..400 * 86_400, 1_u64..400 * 86_400, 0.0..=1.0).prop_map(|(every, soon, spread)| {
            let (interval, second_look) = (Duration::from_secs(every), Duration::from_secs(soon));
            Pace { interval, second_look, spread }
        })
    }

    fn marks(report: &Value, at: usize) -> Option<BTreeSet<Mark>> {
        let section = &report["sections"][at];
        (!Silence::of(section).is_whole()).then(|| Mark::of_section(section))
    }

    /// Of a section: what holds, and what was answered last.
    type Modelled = (Option<BTreeSet<Mark>>, Option<BTreeSet<Mark>>);

    proptest! {
        #[test]
        fn only_what_two_answers_in_a_row_say_is_told_and_the_next_audit_is_in_time(
            reports in prop::collection::vec((any_report(), any_pace(), 0_u64..u64::MAX / 4), 1..40)
        ) {
            let mut kept: Option<Kept> = None;
            let mut model: [Modelled; 2] = Default::default();
            for (report, pace, micros) in reports {
                let now = Timestamp::from_micros(micros);
                let stepped = step(kept.as_ref(), (&report, 1), &pace, now);
                let mut is_told = false;
                for (at, (holds, last)) in model.iter_mut().enumerate() {
                    let Some(seen) = marks(&report, at) else { continue };
                    match holds {
                        None => *holds = Some(seen.clone()),
                        Some(held) if *held != seen && last.as_ref() == Some(&seen) => {
                            *held = seen.clone();
                            is_told = true;
                        }
                        Some(_) => {}
                    }
                    *last = Some(seen);
                }
                prop_assert_eq!(stepped.transition.is_some(), is_told);
                let held: BTreeSet<_> = model.iter().flat_map(|(held, _)| held.iter().flatten().copied()).collect();
                prop_assert_eq!(stepped.kept.marks(), held);
                let wait = now.until(stepped.due.at);
                let last = Timestamp::from_micros(u64::MAX);
                prop_assert!(wait >= SHORTEST || stepped.due.at == last, "{wait:?}");
                prop_assert!(wait <= pace.longest().max(SHORTEST) + Duration::from_micros(1), "{wait:?}");
                let bytes = stepped.kept.encode();
                prop_assert_eq!(Kept::marks_in(&bytes), stepped.kept.marks());
                kept = Some(stepped.kept);
            }
        }
    }
}
