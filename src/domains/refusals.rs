//! What was refused, and until when: in bounded memory, and as text that outlives the process.
//!
//! ```text
//! waypost refusals 1
//! name <hostname> <why> <until, seconds since the epoch> <its wait, seconds>
//! domain <registrable domain> <why> <until>
//! ```
//!
//! Without the text, whoever restarts a node has each name asked for once more.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use super::gate::Refusal;
use crate::clock::Timestamp;

/// Refused names, and registrable domains of which every name is refused.
#[derive(Debug)]
pub(super) struct Refusals {
    /// Of names and of domains, each.
    limit: usize,
    names: HashMap<Box<str>, Refused>,
    domains: HashMap<Box<str>, (Refusal, Instant)>,
    /// When what is over may be looked for again: each time costs a walk.
    prune_at: Instant,
    is_changed: bool,
}

#[derive(Clone, Copy, Debug)]
struct Refused {
    why: Refusal,
    until: Instant,
    wait: Duration,
}

/// How long a name is refused: for the first time, and at the longest.
#[derive(Clone, Copy, Debug)]
pub(super) struct Waits {
    pub(super) first: Duration,
    pub(super) longest: Duration,
}

impl Refusals {
    pub(super) fn new(limit: usize, now: Instant) -> Self {
        let (names, domains) = (HashMap::new(), HashMap::new());
        Self { limit, names, domains, prune_at: now, is_changed: false }
    }

    /// Why a name of a registrable domain is refused now.
    pub(super) fn find(&self, name: &str, domain: &str, now: Instant) -> Option<Refusal> {
        if let Some((why, until)) = self.domains.get(domain)
            && now < *until
        {
            return Some(*why);
        }
        self.names.get(name).filter(|refused| now < refused.until).map(|refused| refused.why)
    }

    /// Whether a name was refused, now or a while ago.
    pub(super) fn knows(&self, name: &str) -> bool {
        self.names.contains_key(name)
    }

    /// Refuses a name, for twice as long as the last time. With no room it is not remembered: it
    /// is looked at again when it comes again, at the usual rate.
    pub(super) fn refuse(&mut self, name: &str, why: Refusal, waits: Waits, now: Instant) {
        self.prune(now);
        let wait = match self.names.get(name) {
            // A failure says nothing of the name, so it does not become rarer to ask.
            Some(_) if why == Refusal::Failed => waits.first,
            Some(refused) => (refused.wait * 2).min(waits.longest),
            None => waits.first,
        };
        if self.names.len() < self.limit || self.names.contains_key(name) {
            self.names.insert(name.into(), Refused { why, until: now + wait, wait });
            self.is_changed = true;
        }
    }

    /// Refuses every name of a registrable domain, with one entry for all.
    pub(super) fn refuse_all(&mut self, name: &str, domain: &str, why: Refusal, until: Instant) {
        if self.domains.len() < self.limit {
            self.domains.insert(domain.into(), (why, until));
        }
        self.names.remove(name);
        self.is_changed = true;
    }

    /// Forgets that a name was refused.
    pub(super) fn forget(&mut self, name: &str) {
        self.is_changed |= self.names.remove(name).is_some();
    }

    /// Forgets that all names of a registrable domain are.
    pub(super) fn forget_all(&mut self, domain: &str) {
        self.is_changed |= self.domains.remove(domain).is_some();
    }

    pub(super) fn len(&self) -> usize {
        self.names.len() + self.domains.len()
    }

    /// Forgets what is over, when there is no room and not too often.
    pub(super) fn prune(&mut self, now: Instant) {
        if self.names.len().max(self.domains.len()) < self.limit || now < self.prune_at {
            return;
        }
        self.prune_at = now + PRUNE_EVERY;
        self.names.retain(|_, refused| now < refused.until);
        self.domains.retain(|_, (_, until)| now < *until);
    }

    /// All that is not over, as text; `None` when it is what it was at the last call.
    pub(super) fn changed(&mut self, now: Instant, wall: Timestamp) -> Option<String> {
        if !std::mem::take(&mut self.is_changed) {
            return None;
        }
        let seconds = |until: Instant| {
            wall.plus(until.saturating_duration_since(now)).micros() / MICROS_IN_A_SECOND
        };
        let domains = self.domains.iter().filter(|(_, (_, until))| now < *until);
        let domains = domains.map(|(domain, (why, until))| {
            format!("domain {domain} {} {}\n", why.name(), seconds(*until))
        });
        let names = self.names.iter().filter(|(_, refused)| now < refused.until);
        let names = names.map(|(name, Refused { why, until, wait })| {
            format!("name {name} {} {} {}\n", why.name(), seconds(*until), wait.as_secs())
        });
        Some([format!("{HEAD}\n")].into_iter().chain(domains).chain(names).collect())
    }

    /// Takes in what an earlier process wrote, where nothing newer is known. Lines that are not
    /// understood are passed over, and none lasts longer than it could have lasted then.
    pub(super) fn restore(&mut self, text: &str, longest: Duration, now: Instant, wall: Timestamp) {
        let mut lines = text.lines();
        if lines.next() != Some(HEAD) {
            return;
        }
        for line in lines {
            let words: Vec<_> = line.split(' ').collect();
            let Some((why, left)) = words.get(2..4).and_then(|of| understood(of, wall)) else {
                continue;
            };
            let until = now + left.min(longest);
            match (words[0], words[1], words.get(4).map(|wait| wait.parse())) {
                ("domain", domain, None) if self.domains.len() < self.limit => {
                    self.domains.entry(domain.into()).or_insert((why, until));
                }
                ("name", name, Some(Ok(wait))) if self.names.len() < self.limit => {
                    let wait = Duration::from_secs(wait).min(longest);
                    self.names.entry(name.into()).or_insert(Refused { why, until, wait });
                }
                _ => {}
            }
        }
    }
}

/// Why, and for how much longer; `None` when that is none or over.
fn understood(words: &[&str], wall: Timestamp) -> Option<(Refusal, Duration)> {
    let seconds: u64 = words.get(1)?.parse().ok()?;
    let until = Timestamp::from_micros(seconds.saturating_mul(MICROS_IN_A_SECOND));
    let left = wall.until(until);
    (!left.is_zero()).then_some((Refusal::named(words.first()?)?, left))
}

const HEAD: &str = "waypost refusals 1";
const MICROS_IN_A_SECOND: u64 = 1_000_000;
/// Between two walks over all that is remembered.
const PRUNE_EVERY: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::{Clock, SystemClock};

    const HOUR: Duration = Duration::from_secs(3_600);
    const WAITS: Waits = Waits { first: Duration::from_secs(60), longest: HOUR };

    fn at(seconds: u64) -> Timestamp {
        Timestamp::from_micros(seconds * MICROS_IN_A_SECOND)
    }

    #[test]
    fn a_restart_forgets_no_refusal_and_lengthens_none() {
        let now = SystemClock.now();
        let mut before = Refusals::new(10, now);
        assert_eq!(before.changed(now, at(1_000)), None);
        before.refuse("a.example.com", Refusal::NotPointed, WAITS, now);
        before.refuse("a.example.com", Refusal::NotPointed, WAITS, now);
        before.refuse_all("x.evil.example", "evil.example", Refusal::Wildcard, now + HOUR);
        let text = before.changed(now, at(1_000)).unwrap();
        assert_eq!(
            text,
            "waypost refusals 1\ndomain evil.example wildcard 4600\n\
             name a.example.com not_pointed 1120 120\n"
        );
        assert_eq!(before.changed(now, at(1_000)), None, "nothing new");
        let mut after = Refusals::new(10, now);
        after.restore(&text, HOUR, now, at(1_100));
        let find = |after: &Refusals, seconds| {
            let now = now + Duration::from_secs(seconds);
            let name = after.find("a.example.com", "example.com", now);
            (name, after.find("y.evil.example", "evil.example", now))
        };
        let (pointed, wild) = (Some(Refusal::NotPointed), Some(Refusal::Wildcard));
        assert_eq!(find(&after, 0), (pointed, wild));
        assert_eq!(find(&after, 20), (None, wild));
        assert_eq!(find(&after, 3_500), (None, None));
        // Its wait goes on doubling from where it was.
        after.refuse("a.example.com", Refusal::NotPointed, WAITS, now);
        assert_eq!(find(&after, 239).0, pointed);
        // A clock that was set back does not make it last.
        let mut back = Refusals::new(10, now);
        back.restore(&text, HOUR, now, at(0));
        assert_eq!(find(&back, 3_601), (None, None));
    }

    #[test]
    fn what_is_not_understood_is_passed_over_and_the_limit_holds() {
        let now = SystemClock.now();
        for text in ["", "waypost refusals 2\nname a.example wildcard 9999 60\n", "\0\0"] {
            let mut refusals = Refusals::new(10, now);
            refusals.restore(text, HOUR, now, at(0));
            assert_eq!(refusals.len(), 0, "{text:?}");
        }
        let good = "name a.example wildcard 99 60\n";
        for bad in [
            "name",
            "name b.example",
            "name b.example wildcard",
            "name b.example wildcard x 60",
            "name b.example wildcard 99",
            "name b.example wildcard 99 -1",
            "name b.example boredom 99 60",
            "name b.example wildcard 9 60",
            "domain b.example wildcard 99 60",
            "nom b.example wildcard 99 60",
        ] {
            let mut refusals = Refusals::new(10, now);
            refusals.restore(&format!("{HEAD}\n{bad}\n{good}"), HOUR, now, at(10));
            assert_eq!(refusals.len(), 1, "{bad}");
        }
        let many: String = (0..20).map(|n| format!("name n{n}.example cap 99 60\n")).collect();
        let mut refusals = Refusals::new(10, now);
        refusals.restore(&format!("{HEAD}\n{many}"), HOUR, now, at(10));
        assert_eq!(refusals.len(), 10);
    }
}
