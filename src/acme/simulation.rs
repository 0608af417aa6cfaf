//! A node's renewals, moved by a seed: the cores as the desk steps them, with a store and an
//! authority of the tests' own.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::failure::{Failure, FailureKind};
use super::mood::{Mood, Rebuffs};
use super::progress::Progress;
use super::renewal::{Advice, Step, Term, spread};
use super::turn::{Queue, Room, Turn};
use crate::clock::Timestamp;
use crate::hostname::Hostname;
use crate::store::{Draw, Kind, Lane, Taken};
use crate::tls::Schedule;

/// SplitMix64.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % bound
    }
}

/// How the authority answers questions about the renewal of a name's certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ari {
    /// With the two days before two thirds of its life.
    Fair,
    /// It knows no such questions.
    Absent,
    /// With a window that ends before it starts.
    Malformed,
}

/// A certificate as it is held.
#[derive(Clone, Copy, Debug)]
pub(super) struct Held {
    pub(super) term: Term,
    pub(super) schedule: Schedule,
}

pub(super) struct Name {
    pub(super) host: Hostname,
    pub(super) ari: Ari,
    pub(super) life: Duration,
    pub(super) held: Option<Held>,
    pub(super) progress: Progress,
    pub(super) due: Option<(Kind, Lane, u64)>,
    pub(super) waits: Vec<Duration>,
}

/// What the authority does, and when.
#[derive(Clone, Debug, Default)]
pub(super) struct Weather {
    /// From when to when it does not answer.
    pub(super) down: Vec<(u64, u64)>,
    /// Challenges that fail, in thousandths.
    pub(super) fails: u64,
    /// When all certificates that are older are to be replaced.
    pub(super) recall: Option<u64>,
}

pub(super) struct World {
    pub(super) now: Timestamp,
    random: Random,
    pub(super) weather: Weather,
    pub(super) names: Vec<Name>,
    pub(super) due: BTreeSet<(u8, u8, u64, usize)>,
    pub(super) whole_at: Option<Timestamp>,
    pub(super) rebuffs: Rebuffs,
    /// When orders were placed, and when anything was asked in vain.
    pub(super) orders: Vec<Timestamp>,
    pub(super) vain: Vec<Timestamp>,
    pub(super) serial: u64,
    pub(super) renewals: u64,
    /// Names that were without a valid certificate, and for how long.
    pub(super) bare: BTreeMap<usize, Duration>,
    pub(super) recalled: Vec<Timestamp>,
    pub(super) questions: Vec<u64>,
}

pub(super) const START: u64 = 1_800_000_000;
pub(super) const DAY: u64 = 86_400;
pub(super) const YEAR: u64 = 365 * DAY;
pub(super) const ORDERS: u32 = 300;
const RESERVE: u32 = 60;
const PLACES: usize = 8;
const QUESTIONS: (Kind, Lane) = (Kind::Certificate, Lane::Idle);
const LEASE: Duration = Duration::from_secs(150);
/// Between two turns, at which what was taken up in the last one is done.
pub(super) const PACE: u64 = 20;

impl World {
    /// `count` names that were all certified at the start, and `more` that somebody has just added.
    pub(super) fn new(seed: u64, count: usize, more: usize, weather: Weather) -> Self {
        let (now, random) = (Timestamp::from_seconds(START), Random(seed));
        let mut world = Self {
            now,
            random,
            weather,
            names: Vec::new(),
            due: BTreeSet::new(),
            whole_at: None,
            rebuffs: Rebuffs::default(),
            orders: Vec::new(),
            vain: Vec::new(),
            serial: seed << 32,
            renewals: 0,
            bare: BTreeMap::new(),
            recalled: Vec::new(),
            questions: vec![0; count + more],
        };
        for at in 0..count + more {
            let ari = [Ari::Fair, Ari::Fair, Ari::Fair, Ari::Absent, Ari::Malformed][at % 5];
            let life = Duration::from_secs(if at % 20 == 7 { 160 * 3_600 } else { 90 * DAY });
            let host = Hostname::parse(&format!("trk.customer-{at}.example")).unwrap();
            let (held, progress, waits) = (None, Progress::default(), Vec::new());
            world.names.push(Name { host, ari, life, held, progress, due: None, waits });
            if at < count {
                world.issue(at);
            } else {
                world.set_due(at, Kind::Order, Lane::Patient, now);
            }
        }
        world
    }

    pub(super) fn run_until(&mut self, seconds: u64) {
        while self.now.seconds() < START + seconds {
            self.turn();
            let next = Timestamp::from_micros(self.next()).max(self.now.plus(secs(PACE)));
            self.now = next.min(Timestamp::from_seconds(START + seconds));
        }
    }

    /// When anything is due next.
    fn next(&self) -> u64 {
        let places = Queue::ALL.map(Queue::place).into_iter().chain([QUESTIONS]);
        let first = |(kind, lane): (Kind, Lane)| {
            let from = (kind as u8, lane as u8, 0, 0);
            let entry = self.due.range(from..).next()?;
            (entry.0 == from.0 && entry.1 == from.1).then_some(entry.2)
        };
        places.filter_map(first).min().unwrap_or(u64::MAX)
    }

    /// One turn, as the desk takes it.
    fn turn(&mut self) {
        let mut turn = Turn::new(PLACES, self.room());
        for queue in Queue::ALL {
            let names = self.claim(queue.place(), turn.limit(queue));
            turn.took(names.len());
            for at in names {
                self.obtain(at);
            }
        }
        for at in self.claim(QUESTIONS, 80) {
            self.ask(at);
        }
    }

    fn room(&self) -> Room {
        let nothing = Draw { amount: 0, ..draw() };
        match (self.rebuffs.mood(self.now), nothing.from(self.whole_at, self.now).1) {
            (Mood::Closed, _) | (_, Taken::NotBefore(_)) => Room::default(),
            (mood, Taken::Left(left)) => Room::at(left, RESERVE, mood == Mood::Doubtful),
        }
    }

    fn claim(&mut self, (kind, lane): (Kind, Lane), limit: usize) -> Vec<usize> {
        let queue = (kind as u8, lane as u8);
        let range = (queue.0, queue.1, 0, 0)..=(queue.0, queue.1, self.now.micros(), usize::MAX);
        let claimed: Vec<_> = self.due.range(range).take(limit).map(|entry| entry.3).collect();
        for at in &claimed {
            self.set_due(*at, kind, lane, self.now.plus(LEASE));
        }
        claimed
    }

    fn ask(&mut self, at: usize) {
        let Some(held) = self.names[at].held else { return };
        if held.term.step(&held.schedule, self.now) != Step::Ask {
            return self.schedule(at, held.schedule);
        }
        self.questions[at] += 1;
        let (advice, wait) = if self.is_down() || self.rebuffs.mood(self.now) == Mood::Closed {
            (Advice::None, None)
        } else {
            (self.advice(at, &held), Some(secs(21_600)))
        };
        let schedule = held.term.advised(&held.schedule, advice, wait, self.now);
        self.schedule(at, schedule);
    }

    fn advice(&self, at: usize, held: &Held) -> Advice {
        let (start, end) = match self.recall() {
            Some(recall) if held.term.not_before.seconds() < recall => (recall - DAY, recall),
            _ => {
                let life = held.term.not_before.until(held.term.not_after).as_secs();
                let ideal = held.term.not_before.seconds() + life * 2 / 3;
                (ideal - life / 45, ideal)
            }
        };
        let (start, end) = (Timestamp::from_seconds(start), Timestamp::from_seconds(end));
        match self.names[at].ari {
            Ari::Malformed => Advice::Window(end, start),
            _ => Advice::Window(start, end),
        }
    }

    fn obtain(&mut self, at: usize) {
        let now = self.now;
        if let Some(held) = self.names[at].held
            && held.term.step(&held.schedule, now) != Step::Renew
        {
            return self.schedule(at, held.schedule);
        }
        assert!(now.micros() >= self.names[at].progress.not_before, "it was to wait");
        match self.order(at) {
            Ok(()) => {
                self.judge(at);
                self.rebuffs.praised();
                self.names[at].progress = Progress::default();
                self.names[at].waits.clear();
                self.issue(at);
            }
            Err(failure) => {
                if failure.kind == FailureKind::Unavailable
                    && self.rebuffs.mood(now) != Mood::Closed
                {
                    self.rebuffs.rebuffed(failure.retry_after, now);
                }
                let name = &mut self.names[at];
                let due = name.progress.failed(&name.host, &failure, now);
                if failure.kind == FailureKind::Challenge {
                    name.waits.push(now.until(due));
                }
                match name.held {
                    Some(held) => {
                        let schedule = Schedule { retry_at: due, ..held.schedule };
                        self.schedule(at, schedule);
                    }
                    None => self.set_due(at, Kind::Order, Lane::Patient, due),
                }
            }
        }
        self.restart(at);
    }

    fn order(&mut self, at: usize) -> Result<(), Failure> {
        if self.rebuffs.mood(self.now) == Mood::Closed {
            let retry_after = Some(self.now.until(self.rebuffs.until()));
            let failure = Failure::new(FailureKind::Limited, "left alone");
            return Err(Failure { retry_after, is_of_name: false, ..failure });
        }
        let keep = if self.names[at].held.is_some() { 0 } else { RESERVE };
        let (whole_at, taken) = Draw { keep, ..draw() }.from(self.whole_at, self.now);
        if let Taken::NotBefore(until) = taken {
            let failure = Failure::new(FailureKind::Budget, "as many as may be");
            return Err(Failure { retry_after: Some(self.now.until(until)), ..failure });
        }
        self.whole_at = whole_at;
        self.orders.push(self.now);
        if self.is_down() {
            self.vain.push(self.now);
            return Err(Failure::new(FailureKind::Unavailable, "503"));
        }
        if self.random.below(1_000) < self.weather.fails {
            return Err(Failure::new(FailureKind::Challenge, "not found"));
        }
        Ok(())
    }

    /// A renewal was made: was it due, and by what?
    fn judge(&mut self, at: usize) {
        let name = &self.names[at];
        let Some(Held { term, schedule }) = name.held else { return };
        self.renewals += 1;
        let now = self.now;
        if now >= term.not_after {
            self.bare.insert(at, term.not_after.until(now));
            return;
        }
        let late = Timestamp::from_seconds(now.seconds().saturating_sub(2 * DAY));
        let life = term.not_before.until(term.not_after);
        let is_recalled = self.recall().is_some_and(|recall| term.not_before.seconds() < recall);
        if is_recalled && name.ari == Ari::Fair {
            self.recalled.push(now);
            return;
        }
        match schedule.window {
            Some((start, end)) => {
                assert_eq!(name.ari, Ari::Fair);
                assert!(now >= start, "{}: before its window {start}", name.host);
                let is_calm = self.weather.down.is_empty() && self.weather.fails == 0;
                assert!(!is_calm || late <= end, "{}: {now} after {end}", name.host);
            }
            None => {
                let left = if life < secs(10 * DAY) { life / 2 } else { life / 3 };
                let backstop = term.not_after.seconds() - left.as_secs();
                assert!(now.seconds() + life.as_secs() / 20 + 1 >= backstop, "{}", name.host);
            }
        }
    }

    fn issue(&mut self, at: usize) {
        self.serial += 1;
        let name = &mut self.names[at];
        // Authorities date certificates an hour back.
        let not_before = Timestamp::from_seconds(self.now.seconds() - 3_600);
        let not_after = not_before.plus(name.life);
        let spread = spread(&format!("{:016x}", self.serial));
        let term = Term { not_before, not_after, spread, is_asked: name.ari != Ari::Absent };
        let schedule = term.begin(self.now);
        name.held = Some(Held { term, schedule });
        self.schedule(at, schedule);
    }

    /// What a restart knows is what was kept.
    fn restart(&mut self, at: usize) {
        let progress = &self.names[at].progress;
        let kept = Progress::decode(&progress.encode());
        assert_eq!((kept.failures, kept.not_before), (progress.failures, progress.not_before));
        self.names[at].progress = kept;
        let rebuffs = serde_json::to_vec(&self.rebuffs).unwrap();
        self.rebuffs = serde_json::from_slice(&rebuffs).unwrap();
    }

    fn schedule(&mut self, at: usize, schedule: Schedule) {
        let Some(held) = &mut self.names[at].held else { return };
        held.schedule = schedule;
        let due = held.term.due(&schedule, self.now);
        self.set_due(at, Kind::Certificate, due.lane, due.at);
    }

    fn set_due(&mut self, at: usize, kind: Kind, lane: Lane, time: Timestamp) {
        if let Some((kind, lane, time)) = self.names[at].due.take() {
            self.due.remove(&(kind as u8, lane as u8, time, at));
        }
        self.names[at].due = Some((kind, lane, time.micros()));
        self.due.insert((kind as u8, lane as u8, time.micros(), at));
    }

    fn is_down(&self) -> bool {
        let now = self.now.seconds() - START;
        self.weather.down.iter().any(|(from, to)| (*from..*to).contains(&now))
    }

    /// How many names hold no valid certificate now.
    pub(super) fn without(&self) -> usize {
        let is_bare = |name: &&Name| name.held.is_none_or(|held| held.term.not_after <= self.now);
        let bare: Vec<_> = self.names.iter().filter(is_bare).collect();
        for name in bare.iter().take(3) {
            println!("{} at {}: {:?}, due {:?}", name.host, self.now, name.held, name.due);
        }
        bare.len()
    }

    fn recall(&self) -> Option<u64> {
        self.weather.recall.map(|recall| START + recall).filter(|at| *at <= self.now.seconds())
    }

    /// Whether any three hours saw more orders than a budget of their size gives at most.
    pub(super) fn burst(&self) -> usize {
        let mut first = 0;
        let count = |(last, time): (usize, &Timestamp)| {
            while self.orders[first].until(*time) >= secs(3 * 3_600) {
                first += 1;
            }
            last + 1 - first
        };
        self.orders.iter().enumerate().map(count).max().unwrap_or_default()
    }
}

pub(super) fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn draw() -> Draw {
    Draw { capacity: ORDERS, every: secs(3 * 3_600 / u64::from(ORDERS)), amount: 1, keep: 0 }
}
