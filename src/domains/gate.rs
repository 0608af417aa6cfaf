//! Who is let in that nobody told us about: pure, `now` is given.
//!
//! ```text
//! glance  name → refused | let the register be asked
//! rule    name, what the register knows → permit | refused | look at the DNS
//! saw     what was seen → refused | look at a name that nobody published | let in
//! probed  whether that one leads to us too → refused (a wildcard) | let in
//! ```
//!
//! What is refused is remembered, in bounded memory, and looked up before anything else is done:
//! a hundred thousand visits to names that are not ours cost a hundred thousand look-ups in a
//! table. A registrable domain whose guard tripped takes one entry for all its names.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use thiserror::Error;

use super::guard::{Bucket, Buckets, Rate};
use super::look::{registrable, sibling};
use super::{Admission, Config, Finding, Sight};
use crate::hostname::Hostname;

/// The proof that a name was let in: the only way to a certificate for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Permit {
    name: Hostname,
}

impl Permit {
    /// The name that was let in.
    pub fn name(&self) -> &Hostname {
        &self.name
    }
}

/// What the register knows of a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Known {
    /// Nothing.
    Unknown,
    /// It is listed, and does not lead to us yet.
    Listed,
    /// It leads to us.
    Admitted,
    /// It was removed, and is kept from others.
    Removed,
}

/// Why a name is not let in now.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq, Hash)]
pub enum Refusal {
    /// Too many questions would have to be asked. Worth a retry.
    #[error("too many names are being looked at")]
    Busy,
    /// The registrable domain has brought as many names as one may in a week.
    #[error("its domain has brought too many names this week")]
    Cap,
    /// The name has too many labels.
    #[error("it has too many labels")]
    Depth,
    /// The DNS did not say. Worth a retry.
    #[error("the DNS did not answer")]
    Failed,
    /// All names that visits may bring in a while have come.
    #[error("too many new names came")]
    Budget,
    /// It does not lead to us.
    #[error("it does not lead to the target")]
    NotPointed,
    /// It was removed.
    #[error("it was removed")]
    Removed,
    /// It is not listed.
    #[error("it is not listed")]
    Unlisted,
    /// Every name beside it leads to us too.
    #[error("every name beside it leads to the target too")]
    Wildcard,
}

/// What a first glance says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Glance {
    /// It was refused a while ago.
    Refused(Refusal),
    /// The register is to be asked.
    Unclear,
}

/// What the gate wants done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ruling {
    /// Nothing more: let in.
    Permit(Permit),
    /// Nothing more: refused.
    Refused(Refusal),
    /// Look at the DNS, the zone's own servers when `is_again`, and say what was seen.
    Look {
        /// Whether the resolver may remember an older answer.
        is_again: bool,
    },
    /// Ask for a name that nobody published.
    Probe(Hostname),
    /// Take the name from the budgets, then let it in with [`Gate::admit`].
    Draw {
        /// Whose week's budget it is.
        domain: String,
    },
}

/// The gate.
#[derive(Debug)]
pub struct Gate {
    config: Config,
    refused: HashMap<Box<str>, Refused>,
    /// Registrable domains whose guard tripped, and until when.
    tripped: HashMap<Box<str>, (Refusal, Instant)>,
    questions: Buckets,
    all_questions: Bucket,
    /// When what is over may be looked for again: each time costs a walk.
    prune_at: Instant,
}

#[derive(Clone, Copy, Debug)]
struct Refused {
    why: Refusal,
    until: Instant,
    wait: Duration,
}

impl Gate {
    /// A gate that has refused nobody yet.
    pub fn new(config: Config, now: Instant) -> Self {
        let every = Duration::from_secs(60) / config.questions_per_domain.max(1);
        let rate = Rate { capacity: config.questions_per_domain, every };
        let questions = Buckets::new(rate, config.refusals);
        Self {
            refused: HashMap::new(),
            tripped: HashMap::new(),
            questions,
            all_questions: Bucket::full(now),
            prune_at: now,
            config,
        }
    }

    /// Looks whether a name was refused a while ago.
    pub fn glance(&self, name: &Hostname, now: Instant) -> Glance {
        if let Some((why, until)) = self.tripped.get(registrable(name).0)
            && now < *until
        {
            return Glance::Refused(*why);
        }
        match self.refused.get(name.as_str()) {
            Some(refused) if now < refused.until => Glance::Refused(refused.why),
            _ => Glance::Unclear,
        }
    }

    /// Rules on a name by what the register knows of it.
    pub fn rule(&mut self, name: &Hostname, known: Known, now: Instant) -> Ruling {
        match (known, self.config.admission) {
            (Known::Admitted, _) => return Ruling::Permit(Permit { name: name.clone() }),
            (Known::Removed, _) => return self.refuse(name, Refusal::Removed, now),
            (Known::Unknown, Admission::Registered) => {
                return self.refuse(name, Refusal::Unlisted, now);
            }
            (Known::Unknown, Admission::Cname) if registrable(name).1 > self.config.labels => {
                return self.refuse(name, Refusal::Depth, now);
            }
            // A listed name may have been pointed since it was last looked at.
            (Known::Listed, _) | (Known::Unknown, Admission::Cname) => {}
        }
        let is_again = self.refused.contains_key(name.as_str());
        let most = if is_again { LOOK_AGAIN } else { LOOK };
        if self.draw_questions(name, most, now) {
            Ruling::Look { is_again }
        } else {
            Ruling::Refused(Refusal::Busy)
        }
    }

    /// Goes on with what was seen of a name; `label` is one that nobody published.
    pub fn saw(&mut self, name: &Hostname, sight: &Sight, label: &str, now: Instant) -> Ruling {
        // An alias, and a name that is not there, are told by the first answer.
        if !matches!(
            sight.finding,
            Finding::Flattened(_) | Finding::Addresses(_) | Finding::NoCname
        ) {
            self.questions.give_back(registrable(name).0, LOOK - 1);
            self.all_questions.give_back(LOOK - 1, self.per_second());
        }
        match sight.finding {
            // CAA forbids a certificate, not a visit.
            Finding::Target | Finding::Forbidden { .. } | Finding::Flattened(_) => {}
            Finding::Wildcard => return self.trip(name, Refusal::Wildcard, now),
            Finding::Failed(..) | Finding::Disagreement => {
                return self.refuse(name, Refusal::Failed, now);
            }
            _ => return self.refuse(name, Refusal::NotPointed, now),
        }
        let probe = if matches!(sight.finding, Finding::Flattened(_)) { 2 } else { 1 };
        if !self.draw_questions(name, probe, now) {
            return Ruling::Refused(Refusal::Busy);
        }
        sibling(name, label).map_or_else(|| self.draw(name), Ruling::Probe)
    }

    /// Goes on with whether the name that nobody published leads to us too; `None` when the DNS
    /// did not say.
    pub fn probed(&mut self, name: &Hostname, is_wild: Option<bool>, now: Instant) -> Ruling {
        match is_wild {
            Some(true) => self.trip(name, Refusal::Wildcard, now),
            Some(false) => self.draw(name),
            None => self.refuse(name, Refusal::Failed, now),
        }
    }

    /// Lets a name in whose budgets were taken from.
    pub fn admit(&mut self, name: &Hostname) -> Permit {
        self.refused.remove(name.as_str());
        Permit { name: name.clone() }
    }

    /// Refuses a name for a reason that lies outside: a budget that is empty, or what became of a
    /// listed name.
    pub fn turn_away(&mut self, name: &Hostname, why: Refusal, now: Instant) -> Ruling {
        match why {
            Refusal::Cap => self.trip(name, why, now),
            why => self.refuse(name, why, now),
        }
    }

    /// Forgets that a name, and its registrable domain, were ever refused.
    pub fn forget(&mut self, name: &Hostname) {
        let domain = registrable(name).0;
        self.refused.remove(name.as_str());
        self.tripped.remove(domain);
        self.questions.fill(domain);
    }

    /// How many refusals are remembered.
    pub fn remembered(&self) -> usize {
        self.refused.len() + self.tripped.len() + self.questions.len()
    }

    /// Forgets what is over, when there is no room and not too often.
    fn prune(&mut self, now: Instant) {
        let limit = self.config.refusals;
        if self.refused.len().max(self.tripped.len()) < limit || now < self.prune_at {
            return;
        }
        self.prune_at = now + PRUNE_EVERY;
        self.refused.retain(|_, refused| now < refused.until);
        self.tripped.retain(|_, (_, until)| now < *until);
    }

    /// Takes questions, for the registrable domain and for all.
    fn draw_questions(&mut self, name: &Hostname, count: u32, now: Instant) -> bool {
        let (domain, rate) = (registrable(name).0, self.per_second());
        // The domain's first: one that has had its share must not use up that of all.
        if !self.questions.take(domain, count, now) {
            return false;
        }
        let is_free = self.all_questions.take(count, rate, now);
        if !is_free {
            self.questions.give_back(domain, count);
        }
        is_free
    }

    fn per_second(&self) -> Rate {
        let capacity = self.config.questions_in_all;
        Rate { capacity, every: Duration::from_secs(1) / capacity.max(1) }
    }

    fn draw(&self, name: &Hostname) -> Ruling {
        Ruling::Draw { domain: registrable(name).0.to_owned() }
    }

    fn refuse(&mut self, name: &Hostname, why: Refusal, now: Instant) -> Ruling {
        self.prune(now);
        let config = &self.config;
        let wait = match self.refused.get(name.as_str()) {
            // A failure says nothing of the name, so it does not become rarer to ask.
            Some(_) if why == Refusal::Failed => config.refusal_first,
            Some(refused) => (refused.wait * 2).min(config.refusal_longest),
            None => config.refusal_first,
        };
        // Full: this one is looked at again when it comes again, at the usual rate.
        if self.refused.len() >= config.refusals && !self.refused.contains_key(name.as_str()) {
            return Ruling::Refused(why);
        }
        let refused = Refused { why, until: now + wait, wait };
        self.refused.insert(name.as_str().into(), refused);
        Ruling::Refused(why)
    }

    fn trip(&mut self, name: &Hostname, why: Refusal, now: Instant) -> Ruling {
        self.prune(now);
        let domain = registrable(name).0;
        if self.tripped.len() < self.config.refusals {
            let until = now + self.config.refusal_longest;
            self.tripped.insert(domain.into(), (why, until));
        }
        // One entry for all its names.
        self.refused.remove(name.as_str());
        Ruling::Refused(why)
    }
}

/// Between two walks over all that is remembered.
const PRUNE_EVERY: Duration = Duration::from_secs(1);
/// Questions that a look takes at most, asked of a resolver: the CNAME, and addresses of two kinds.
const LOOK: u32 = 3;
/// The same at the zone's own servers, of which there are a few.
const LOOK_AGAIN: u32 = 5;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::{Clock, SystemClock};
    use crate::dns::{Failure, Name};

    fn gate(admission: Admission) -> (Gate, Instant) {
        let now = SystemClock.now();
        (Gate::new(Config { admission, ..Config::default() }, now), now)
    }

    fn host(text: &str) -> Hostname {
        Hostname::parse(text).unwrap()
    }

    fn sight(finding: Finding) -> Sight {
        Sight { finding, chain: Vec::new(), servers: Vec::new() }
    }

    fn seconds(count: u64) -> Duration {
        Duration::from_secs(count)
    }

    #[test]
    fn a_hundred_thousand_names_under_one_wildcard_cost_one_probe_and_no_permit() {
        let (mut gate, start) = gate(Admission::Cname);
        let (mut looks, mut probes, mut permits) = (0, 0, 0);
        for number in 0..100_000u32 {
            let now = start + Duration::from_millis(u64::from(number) / 2);
            let name = host(&format!("x{number}.evil.example"));
            if gate.glance(&name, now) != Glance::Unclear {
                continue;
            }
            if let Ruling::Look { .. } = gate.rule(&name, Known::Unknown, now) {
                looks += 1;
                match gate.saw(&name, &sight(Finding::Target), "random", now) {
                    Ruling::Probe(sibling) => {
                        assert_eq!(sibling.as_str(), "random.evil.example");
                        probes += 1;
                        gate.probed(&name, Some(true), now);
                    }
                    ruling => permits += u32::from(matches!(ruling, Ruling::Permit(_))),
                }
            }
        }
        assert_eq!((looks, probes, permits), (1, 1, 0));
        assert!(gate.remembered() <= 2, "{}", gate.remembered());
    }

    #[test]
    fn registered_asks_nothing_of_the_dns_for_an_unlisted_name() {
        let (mut gate, now) = gate(Admission::Registered);
        for number in 0..200_000u32 {
            let name = host(&format!("x{number}.evil.example"));
            if gate.glance(&name, now) == Glance::Unclear {
                let ruling = gate.rule(&name, Known::Unknown, now);
                assert_eq!(ruling, Ruling::Refused(Refusal::Unlisted));
            }
        }
        assert!(gate.remembered() <= 100_000, "{}", gate.remembered());
        let listed = host("trk.example.com");
        assert!(matches!(gate.rule(&listed, Known::Admitted, now), Ruling::Permit(_)));
    }

    #[test]
    fn questions_are_bounded_for_each_domain_and_in_all() {
        let (mut gate, start) = gate(Admission::Cname);
        let mut look = |name: String, now| {
            let name = host(&name);
            let looks = matches!(gate.rule(&name, Known::Unknown, now), Ruling::Look { .. });
            if looks {
                gate.saw(&name, &sight(Finding::NoName), "r", now);
            }
            looks
        };
        // One domain, ten minutes, a thousand names a second.
        let looks = (0..600_000u64)
            .filter(|n| look(format!("x{n}.one.example"), start + Duration::from_millis(*n)))
            .count() as u32;
        assert!(looks <= 5 * 10 + 5, "{looks} looks");
        // As many domains as there are visits.
        let later = start + seconds(1_000);
        let looks = (0..10_000u64)
            .filter(|n| look(format!("x.d{n}.example"), later + Duration::from_millis(*n)))
            .count() as u32;
        assert!((200..=50 * 10 + 50).contains(&looks), "{looks} looks");
    }

    #[test]
    fn a_refusal_lasts_a_minute_and_doubles_to_an_hour() {
        let (mut gate, mut now) = gate(Admission::Cname);
        let name = host("trk.example.com");
        let mut waits = Vec::new();
        for round in 0..9 {
            assert_eq!(gate.rule(&name, Known::Unknown, now), Ruling::Look { is_again: round > 0 });
            gate.saw(&name, &sight(Finding::NoCname), "r", now);
            let begun = now;
            while gate.glance(&name, now) != Glance::Unclear {
                now += seconds(1);
            }
            waits.push((now - begun).as_secs());
        }
        assert_eq!(waits, [60, 120, 240, 480, 960, 1_920, 3_600, 3_600, 3_600]);
        // A failure tells nothing of the name.
        gate.saw(&name, &sight(Finding::Failed(Name::root(), Failure::TimedOut)), "r", now);
        assert_eq!(gate.glance(&name, now + seconds(59)), Glance::Refused(Refusal::Failed));
        assert_eq!(gate.glance(&name, now + seconds(60)), Glance::Unclear);
        gate.saw(&name, &sight(Finding::NoName), "r", now + seconds(60));
        gate.forget(&name);
        assert_eq!(gate.glance(&name, now + seconds(61)), Glance::Unclear, "cleared on demand");
    }

    #[test]
    fn a_name_is_let_in_once_its_guards_have_been_passed() {
        let (mut gate, now) = gate(Admission::Cname);
        let name = host("trk.example.com");
        assert_eq!(gate.rule(&name, Known::Unknown, now), Ruling::Look { is_again: false });
        let sibling = host("r.example.com");
        assert_eq!(gate.saw(&name, &sight(Finding::Target), "r", now), Ruling::Probe(sibling));
        let domain = "example.com".to_owned();
        assert_eq!(gate.probed(&name, Some(false), now), Ruling::Draw { domain });
        assert_eq!(gate.admit(&name).name(), &name);
        // A probe that failed lets nobody in.
        assert_eq!(gate.probed(&name, None, now), Ruling::Refused(Refusal::Failed));
        let deep = host("a.b.c.d.e.example.com");
        assert_eq!(gate.rule(&deep, Known::Unknown, now), Ruling::Refused(Refusal::Depth));
        assert!(matches!(gate.rule(&deep, Known::Admitted, now), Ruling::Permit(_)));
        assert_eq!(gate.rule(&name, Known::Removed, now), Ruling::Refused(Refusal::Removed));
    }

    #[test]
    fn a_domain_that_has_had_its_share_uses_up_nobody_elses() {
        let (mut gate, now) = gate(Admission::Cname);
        for number in 0..1_000 {
            gate.rule(&host(&format!("x{number}.loud.example")), Known::Unknown, now);
        }
        let quiet = host("trk.quiet.example");
        assert_eq!(gate.rule(&quiet, Known::Unknown, now), Ruling::Look { is_again: false });
    }

    #[test]
    fn a_capped_domain_takes_one_entry_and_no_look() {
        let (mut gate, now) = gate(Admission::Cname);
        let name = host("trk.example.com");
        gate.turn_away(&name, Refusal::Cap, now);
        for number in 0..100 {
            let name = host(&format!("t{number}.example.com"));
            assert_eq!(gate.glance(&name, now), Glance::Refused(Refusal::Cap));
        }
        assert_eq!(gate.remembered(), 1);
        assert_eq!(gate.glance(&host("trk.example.org"), now), Glance::Unclear);
    }
}
