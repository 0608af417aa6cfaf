//! The courier against a Kafka that does its worst, moved by a seed.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::{Duration, Instant};

use super::courier::{Action, Courier, Deed, Event, Leave};
use crate::clock::{Clock, SystemClock, Timestamp};
use crate::kafka::{Reason, Verdict};

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

/// What happens in a run, in thousandths of each step.
#[derive(Clone, Copy, Debug, Default)]
struct Weather {
    refused: u64,
    too_large_batch: u64,
    fatal: u64,
    queue_full: u64,
    closed: u64,
    crash: u64,
    disk: u64,
}

/// The world around the courier.
struct World {
    random: Random,
    weather: Weather,
    now: Instant,
    /// The journal: sequences with their sizes.
    journal: BTreeMap<u64, usize>,
    /// What the session holds, in the order in which it was sent.
    session: Option<VecDeque<u64>>,
    reports: VecDeque<(u64, Result<(), Verdict>)>,
    trouble: Option<Verdict>,
    /// What is in Kafka, copies and all.
    topic: Vec<u64>,
    dead: BTreeSet<u64>,
    cursor: u64,
    /// Copies that may be there: what was in flight when a session or the process ended, and what
    /// was settled and not on disk when the process ended.
    excused: u64,
}

const HUGE: usize = 1_000;
const WINDOW: usize = 300;
const BATCH: u64 = 6;

impl World {
    fn new(seed: u64, frames: u64, weather: Weather) -> Self {
        let mut random = Random(seed);
        let mut journal = BTreeMap::new();
        for sequence in 1..=frames {
            match random.below(40) {
                // Damaged: not there.
                0 => {}
                1 => drop(journal.insert(sequence, HUGE)),
                _ => drop(journal.insert(sequence, 10 + random.below(20) as usize)),
            }
        }
        let (session, reports) = (None, VecDeque::new());
        Self {
            random,
            weather,
            now: SystemClock.now(),
            journal,
            session,
            reports,
            trouble: None,
            topic: Vec::new(),
            dead: BTreeSet::new(),
            cursor: 1,
            excused: 0,
        }
    }

    fn chance(&mut self, of: u64) -> bool {
        self.random.below(1_000) < of
    }

    /// Ships everything, through crashes.
    fn run(&mut self) {
        let mut steps = 0;
        'process: loop {
            self.session = None;
            self.reports.clear();
            let mut courier = Courier::new(self.cursor, WINDOW, Leave::Settled, self.now);
            let mut event = Event::Woken;
            loop {
                steps += 1;
                assert!(steps < 400_000, "it does not come to an end: {courier:?}");
                self.now += Duration::from_micros(self.random.below(2_000));
                if self.chance(self.weather.crash) {
                    self.crash(&courier);
                    continue 'process;
                }
                self.kafka();
                event = match courier.step(event, self.now) {
                    Action::Finish if self.is_shipped() => return,
                    // The last sync failed.
                    Action::Finish => {
                        self.crash(&courier);
                        continue 'process;
                    }
                    action => self.act(&mut courier, action),
                };
                self.holds(&courier);
            }
        }
    }

    /// Behind the last sequence, whether there is a frame at it or not.
    fn end(&self) -> u64 {
        self.journal.last_key_value().map_or(1, |(last, _)| last + 3)
    }

    fn is_shipped(&self) -> bool {
        self.cursor == self.end()
    }

    fn act(&mut self, courier: &mut Courier, action: Action) -> Event {
        match action {
            Action::Open => {
                assert!(self.session.is_none(), "one session at a time");
                let is_open = !self.chance(self.weather.closed * 10);
                self.session = is_open.then(VecDeque::new);
                Event::Opened(is_open)
            }
            Action::Close => {
                let held = self.session.take().unwrap();
                self.end_session(&held);
                (self.reports, self.trouble) = (VecDeque::new(), None);
                Event::Closed
            }
            Action::Read { from } => {
                self.hear(courier, 4);
                self.read(courier, from)
            }
            Action::Sync { position } => {
                let is_done = !self.chance(self.weather.disk);
                if is_done {
                    assert!(position > self.cursor, "it only goes forward");
                    self.cursor = position;
                }
                Event::Synced(is_done)
            }
            Action::Wait { until, .. } => {
                self.hear(courier, 10);
                let longest = self.now + Duration::from_micros(self.random.below(20_000));
                self.now = self.now.max(until.map_or(longest, |until| until.min(longest)));
                Event::Woken
            }
            Action::Finish => Event::Woken,
        }
    }

    fn read(&mut self, courier: &mut Courier, from: u64) -> Event {
        if self.chance(self.weather.disk) {
            return Event::Unreadable;
        }
        let Some((&sequence, &size)) = self.journal.range(from..).next() else {
            return Event::NoFrame { next: self.end() };
        };
        match courier.found(sequence, size, Timestamp::from_seconds(sequence)) {
            Deed::Send => {
                if self.chance(self.weather.queue_full) {
                    return Event::Sent(Err(Verdict::Retry(Reason::QueueFull)));
                }
                self.session.as_mut().unwrap().push_back(sequence);
                Event::Sent(Ok(()))
            }
            Deed::SetAside => {
                assert_eq!(size, HUGE, "only what is too large alone is set aside");
                let is_done = !self.chance(self.weather.disk);
                if is_done {
                    self.dead.insert(sequence);
                }
                Event::SetAside(is_done)
            }
            Deed::Leave => Event::Woken,
        }
    }

    /// Kafka takes, or does not take, some of what the session holds.
    fn kafka(&mut self) {
        let Some(mut held) = self.session.take() else { return };
        if self.random.below(4) == 0 {
            let count = (1 + self.random.below(BATCH)).min(held.len() as u64);
            let batch: Vec<u64> = held.drain(..count as usize).collect();
            let is_too_large = batch.iter().any(|sequence| self.journal[sequence] == HUGE)
                || (batch.len() > 1 && self.chance(self.weather.too_large_batch));
            let outcome = if is_too_large {
                Err(Verdict::TooLarge)
            } else if self.chance(self.weather.refused) {
                let reasons = [Reason::TopicMissing, Reason::Authorization, Reason::Refused];
                Err(Verdict::Retry(reasons[self.random.below(3) as usize]))
            } else {
                self.topic.extend(&batch);
                Ok(())
            };
            self.reports.extend(batch.into_iter().map(|sequence| (sequence, outcome)));
        }
        if self.chance(self.weather.fatal) {
            self.reports.extend(held.drain(..).map(|sequence| (sequence, Err(Verdict::Fatal))));
            self.trouble = Some(Verdict::Fatal);
        }
        if self.chance(self.weather.closed) {
            self.trouble = Some(Verdict::Retry(Reason::Authentication));
        }
        self.session = Some(held);
    }

    /// The courier hears some of what was reported. Never between a frame being sent and the
    /// courier being told so: the driver listens at the same moments.
    fn hear(&mut self, courier: &mut Courier, most: u64) {
        if let Some(trouble) = self.trouble.take() {
            courier.trouble(trouble, self.now);
        }
        for _ in 0..self.random.below(most) {
            let Some((sequence, outcome)) = self.reports.pop_front() else { return };
            courier.report(sequence, outcome, self.now);
        }
    }

    /// Some of what a session still holds arrives, and nobody hears of it.
    fn end_session(&mut self, held: &VecDeque<u64>) {
        let arrived = self.random.below(held.len() as u64 + 1) as usize;
        let fine = |of: &&u64| self.journal[*of] != HUGE;
        self.topic.extend(held.iter().take(arrived).filter(fine));
        let unheard = self.reports.iter().filter(|(_, outcome)| outcome.is_ok()).count();
        self.excused += (arrived + unheard) as u64;
    }

    fn crash(&mut self, courier: &Courier) {
        if let Some(held) = self.session.take() {
            self.end_session(&held);
        }
        let settled = (self.cursor..courier.window().next())
            .filter(|sequence| self.topic.contains(sequence))
            .count();
        self.excused += settled as u64;
    }

    /// What must hold at every step.
    fn holds(&self, courier: &Courier) {
        for sequence in self.journal.range(..self.cursor).map(|(sequence, _)| sequence) {
            let is_kept = self.topic.contains(sequence) || self.dead.contains(sequence);
            assert!(is_kept, "the cursor {} passed {sequence}", self.cursor);
        }
        let window = courier.window();
        let held: usize = self.journal.range(window.position()..window.next()).map(|of| of.1).sum();
        assert!(held <= WINDOW + HUGE, "{held} bytes are under way");
    }
}

fn copies(topic: &[u64]) -> u64 {
    (topic.len() - topic.iter().collect::<BTreeSet<_>>().len()) as u64
}

fn check(seed: u64, weather: Weather) {
    let mut world = World::new(seed, 120, weather);
    world.run();
    for (sequence, size) in &world.journal {
        let (is_there, is_dead) = (world.topic.contains(sequence), world.dead.contains(sequence));
        assert_eq!(is_there, *size != HUGE, "seed {seed}: {sequence}");
        assert_eq!(is_dead, *size == HUGE, "seed {seed}: {sequence}");
    }
    let copies = copies(&world.topic);
    assert!(copies <= world.excused, "seed {seed}: {copies} copies, {} excused", world.excused);
    assert_eq!(world.cursor, world.end(), "seed {seed}");
}

#[test]
fn everything_arrives_in_order_and_once_while_nothing_fails() {
    for seed in 0..50 {
        let mut world = World::new(seed, 200, Weather::default());
        world.journal.retain(|_, size| *size != HUGE);
        world.run();
        assert!(world.topic.iter().eq(world.journal.keys()), "seed {seed}: {:?}", world.topic);
    }
}

#[test]
fn what_is_too_large_is_set_aside_and_nothing_with_it() {
    for seed in 0..50 {
        check(seed, Weather { too_large_batch: 100, ..Weather::default() });
    }
}

#[test]
fn everything_arrives_whatever_fails_and_copies_are_bounded() {
    for seed in 0..300 {
        let mut random = Random(seed ^ 0x5eed);
        let mut some = |most| random.below(most);
        let weather = Weather {
            refused: some(300),
            too_large_batch: some(100),
            fatal: some(20),
            queue_full: some(200),
            closed: some(20),
            crash: some(10),
            disk: some(100),
        };
        check(seed, weather);
    }
}

#[test]
fn a_frame_that_fails_is_sent_again_before_those_behind_it_are_sent() {
    for seed in 0..100 {
        let weather = Weather { refused: 300, ..Weather::default() };
        let mut world = World::new(seed, 150, weather);
        world.journal.retain(|_, size| *size != HUGE);
        world.run();
        assert_eq!(copies(&world.topic), 0, "seed {seed}");
        // Those behind it that were in flight already may be there before it; no others.
        for (at, sequence) in world.topic.iter().enumerate() {
            let ahead = world.topic[..at].iter().filter(|of| *of > sequence).count();
            assert!(ahead * 10 <= WINDOW, "seed {seed}: {ahead} before {sequence}");
        }
    }
}
