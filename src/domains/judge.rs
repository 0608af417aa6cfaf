//! What a sight makes of a domain: pure, `now` is given.

use std::time::Duration;

use super::{Config, Domain, Finding, Origin, Reason, Sight, State};
use crate::clock::Timestamp;
use crate::dns::Name;

/// A domain after a sight.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Judged {
    /// As it is now.
    pub domain: Domain,
    /// The state it came from, when this is a transition or its first result; a first result
    /// comes from none.
    pub told: Option<Option<State>>,
    /// When it is to be looked at again.
    pub due: Timestamp,
}

/// Judges a domain by what was seen. `is_certified` says whether a certificate is held for it.
pub fn judge(
    domain: &Domain,
    sight: &Sight,
    is_certified: bool,
    config: &Config,
    now: Timestamp,
) -> Judged {
    let mut next = domain.clone();
    if let Finding::Failed(name, failure) = &sight.finding {
        // Nobody vouched for anything: noted, and nothing else.
        next.trouble = Some((now, format!("{failure} ({name})")));
        let due = now.plus(interval(&next, config, now).min(FAILED_AGAIN));
        return Judged { domain: next, told: None, due };
    }
    next.trouble = None;
    next.issue_at = None;
    next.checked = Some(now);
    next.looks = next.looks.saturating_add(1);
    let (state, reason) = arrived(&mut next, sight, is_certified, config, now);
    // While an order fails, what the authority said tells more than where the name leads to.
    if !is_ordered(domain) || (state, reason) != (domain.state, domain.reason) {
        next.detail = sight.finding.found(&sight.chain);
    }
    let is_first = !domain.is_told;
    let is_moved = state != domain.state || reason != domain.reason;
    if is_moved {
        next.since = if state == domain.state { domain.since } else { now };
        next.looks = if state == domain.state { next.looks } else { 0 };
        (next.state, next.reason) = (state, reason);
    }
    next.is_told = true;
    let told = (is_first || state != domain.state).then_some(domain.state);
    let told = told.map(|from| (!is_first).then_some(from));
    let due = now.plus(interval(&next, config, now));
    Judged { domain: next, told, due }
}

/// The state that a sight leads to.
fn arrived(
    next: &mut Domain,
    sight: &Sight,
    is_certified: bool,
    config: &Config,
    now: Timestamp,
) -> (State, Reason) {
    let finding = &sight.finding;
    let (is_active, is_ordered) = (next.state == State::Active, is_ordered(next));
    let before = (next.state, next.reason);
    let here = |state, reason| match state {
        _ if is_certified || is_active => (State::Active, Reason::Certificate),
        // How the order goes is for others to say.
        State::Pointed | State::Flattened if is_ordered => before,
        state => (state, reason),
    };
    match finding {
        Finding::Target => {
            next.absent = None;
            here(State::Pointed, Reason::Cname)
        }
        Finding::Flattened(_) => {
            next.absent = None;
            here(State::Flattened, Reason::Flattened)
        }
        Finding::Forbidden { is_ours, issue_at, .. } => {
            next.absent = None;
            next.issue_at = issue_at.as_ref().map(Name::to_string);
            let reason = if *is_ours { Reason::CaaAtTarget } else { Reason::CaaForbids };
            here(State::Blocked, reason)
        }
        // A name that somebody listed is meant, whatever is beside it.
        Finding::Wildcard if next.origin != Origin::Visit => {
            next.absent = None;
            here(State::Pointed, Reason::Cname)
        }
        Finding::Wildcard => {
            next.absent = None;
            here(State::Blocked, Reason::Wildcard)
        }
        // Some of its visitors reach us: what was established stays so.
        Finding::Disagreement if next.state.is_admitted() => (next.state, next.reason),
        Finding::Disagreement => (State::Split, Reason::Disagreement),
        absence => absent(next, absence, config, now),
    }
}

/// Whether a certificate is being ordered, or an order has failed.
pub(super) fn is_ordered(domain: &Domain) -> bool {
    matches!(domain.state, State::Issuing | State::Failing)
        || (domain.state, domain.reason) == (State::Blocked, Reason::Budget)
}

/// What an answer without the way to us leads to.
fn absent(
    next: &mut Domain,
    finding: &Finding,
    config: &Config,
    now: Timestamp,
) -> (State, Reason) {
    let (state, reason) = match finding {
        Finding::NoName => (State::New, Reason::NoName),
        Finding::NoCname => (State::New, Reason::NoCname),
        Finding::Addresses(_) => (State::Misdirected, Reason::Addresses),
        Finding::Dangling(_) => (State::Misdirected, Reason::Dangling),
        Finding::Loop => (State::Misdirected, Reason::Loop),
        Finding::TooLong => (State::Misdirected, Reason::TooLong),
        _ => (State::Misdirected, Reason::Elsewhere),
    };
    if next.state == State::Detached {
        return (State::Detached, reason);
    }
    if !next.state.is_established() {
        return (state, reason);
    }
    let (since, count) = next.absent.unwrap_or((now, 0));
    let count = count.saturating_add(1);
    next.absent = Some((since, count));
    if count >= config.detach_answers && since.until(now) >= config.detach_after {
        next.absent = None;
        return (State::Detached, reason);
    }
    (next.state, next.reason)
}

/// How long until the next look.
fn interval(domain: &Domain, config: &Config, now: Timestamp) -> Duration {
    match domain.state {
        State::Removed => config.quarantine,
        State::Detached => config.poll_abandoned,
        state if state.is_established() => config.poll_pointed,
        _ if domain.added.until(now) >= config.abandoned_after => config.poll_abandoned,
        _ => {
            // Steady at first, while whoever added the name is at work on it.
            let doublings = (domain.looks / STEADY).min(20);
            config.poll_first.saturating_mul(1 << doublings).min(config.poll_longest)
        }
    }
}

/// Looks before the time between them doubles.
const STEADY: u32 = 8;
/// The longest until a look that failed is taken again.
const FAILED_AGAIN: Duration = Duration::from_secs(300);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dns::Failure;
    use crate::hostname::Hostname;

    fn sight(finding: Finding) -> Sight {
        Sight { finding, chain: Vec::new(), servers: Vec::new() }
    }

    fn name(text: &str) -> Name {
        Name::parse(text).unwrap()
    }

    fn domain(state: State) -> Domain {
        let host = Hostname::parse("trk.example.com").unwrap();
        let new = Domain::new(host, Origin::Operator, Timestamp::from_seconds(1_000));
        Domain { state, is_told: true, ..new }
    }

    fn at(hours: u64) -> Timestamp {
        Timestamp::from_seconds(1_000 + 3_600 * hours)
    }

    fn absences() -> Vec<Finding> {
        vec![
            Finding::NoName,
            Finding::NoCname,
            Finding::Addresses(vec![[192, 0, 2, 1].into()]),
            Finding::Dangling(name("gone.example")),
            Finding::Elsewhere(name("other.example")),
            Finding::Loop,
            Finding::TooLong,
        ]
    }

    #[test]
    fn each_sight_ends_in_its_own_state_and_reason() {
        let config = Config::default();
        let mut seen = Vec::new();
        let forbidden = |is_ours| Finding::Forbidden {
            record: "CAA 0 issue \";\"".to_owned(),
            is_ours,
            issue_at: None,
        };
        let more = [
            Finding::Target,
            Finding::Flattened(vec![[192, 0, 2, 1].into()]),
            forbidden(false),
            forbidden(true),
            Finding::Disagreement,
        ];
        for finding in absences().into_iter().chain(more) {
            let judged = judge(&domain(State::New), &sight(finding), false, &config, at(0));
            let pair = (judged.domain.state, judged.domain.reason);
            assert!(!seen.contains(&pair), "{pair:?} twice");
            seen.push(pair);
        }
        assert_eq!(seen.len(), 12);
        // A certificate that is held is served, whatever CAA says of new ones.
        for finding in [Finding::Target, forbidden(false)] {
            let judged = judge(&domain(State::New), &sight(finding), true, &config, at(0));
            assert_eq!(judged.domain.state, State::Active);
        }
    }

    #[test]
    fn a_failure_changes_no_state_and_is_noted() {
        let config = Config::default();
        for state in State::ALL {
            let before = domain(state);
            let failed = Finding::Failed(name("trk.example.com"), Failure::ServerFailure);
            let judged = judge(&before, &sight(failed), false, &config, at(1));
            assert_eq!(judged.told, None);
            assert_eq!(judged.domain.trouble.as_ref().unwrap().0, at(1));
            assert_eq!(Domain { trouble: None, ..judged.domain }, before);
        }
    }

    #[test]
    fn three_answers_over_three_days_detach_and_one_brings_it_back() {
        let config = Config::default();
        for absence in absences() {
            let mut now = domain(State::Active);
            for (hours, expected) in
                [(0, State::Active), (1, State::Active), (71, State::Active), (72, State::Detached)]
            {
                let judged = judge(&now, &sight(absence.clone()), true, &config, at(hours));
                assert_eq!(judged.domain.state, expected, "{absence:?} after {hours} h");
                assert_eq!(judged.told.is_some(), expected == State::Detached);
                now = judged.domain;
            }
            let judged = judge(&now, &sight(Finding::Target), false, &config, at(80));
            assert_eq!(judged.domain.state, State::Pointed);
            assert_eq!(judged.told, Some(Some(State::Detached)));
        }
    }

    #[test]
    fn two_answers_are_not_enough_and_the_cname_begins_the_count_anew() {
        let config = Config::default();
        let step = |now: Domain, finding, hours| {
            judge(&now, &sight(finding), true, &config, at(hours)).domain
        };
        let mut now = step(domain(State::Active), Finding::NoName, 0);
        now = step(now, Finding::NoName, 100);
        assert_eq!(now.state, State::Active, "two answers");
        now = step(now, Finding::Failed(name("x"), Failure::TimedOut), 101);
        assert_eq!(now.absent, Some((at(0), 2)), "a failure counts for nothing");
        now = step(now, Finding::Target, 102);
        assert_eq!(now.absent, None);
        now = step(now, Finding::NoName, 103);
        now = step(now, Finding::NoName, 104);
        now = step(now, Finding::NoName, 105);
        assert_eq!(now.state, State::Active, "three answers in two hours");
    }

    #[test]
    fn the_first_result_is_told_once_and_comes_from_nowhere() {
        let config = Config::default();
        let new = Domain { is_told: false, ..domain(State::New) };
        let judged = judge(&new, &sight(Finding::NoName), false, &config, at(0));
        assert_eq!(judged.told, Some(None));
        let judged = judge(&judged.domain, &sight(Finding::NoName), false, &config, at(1));
        assert_eq!(judged.told, None);
        let judged = judge(&judged.domain, &sight(Finding::Target), false, &config, at(2));
        assert_eq!(judged.told, Some(Some(State::New)));
    }

    #[test]
    fn looks_become_rarer_and_an_abandoned_name_is_looked_at_daily() {
        let config = Config::default();
        let mut now = domain(State::New);
        let mut waits = Vec::new();
        let mut time = at(0);
        for _ in 0..56 {
            let judged = judge(&now, &sight(Finding::NoName), false, &config, time);
            waits.push(time.until(judged.due).as_secs() / 60);
            (now, time) = (judged.domain, judged.due);
        }
        assert_eq!(waits[..9], [1, 1, 1, 1, 1, 1, 1, 2, 2]);
        assert_eq!(waits[50..], [60; 6]);
        assert!(waits.is_sorted());
        let judged = judge(&now, &sight(Finding::NoName), false, &config, at(24 * 8));
        assert_eq!(at(24 * 8).until(judged.due), config.poll_abandoned);
        let judged = judge(&now, &sight(Finding::Target), false, &config, at(24 * 8));
        assert_eq!(at(24 * 8).until(judged.due), config.poll_pointed);
    }
}
