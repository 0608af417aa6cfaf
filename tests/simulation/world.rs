//! What happens in one run, and in which order.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use waypost::clock::Clock;
use waypost::journal::{Config, Keep, Sync};

use crate::budget::{Budget, Fault};
use crate::clock::Standing;
use crate::disk::{CrashDisk, Failure, fates};
use crate::door::{ANSWER_WITHIN, Answered, Links};
use crate::oracle::{FOLDER, Kept, Oracle};
use crate::plant::Plant;
use crate::process::Process;
use crate::random::Random;

/// How a run went.
#[derive(Default)]
pub(crate) struct Outcome {
    /// The promise that was broken.
    pub(crate) broken: Option<String>,
    /// What happened, step by step.
    pub(crate) trace: Vec<String>,
    /// How often each thing happened.
    pub(crate) counts: BTreeMap<&'static str, u64>,
}

impl Outcome {
    pub(crate) fn expect_kept(&self, seed: u64) {
        if let Some(broken) = &self.broken {
            let last = self.trace.len().saturating_sub(25);
            let trace = self.trace[last..].join("\n");
            panic!("WAYPOST_SEED={seed} breaks a promise: {broken}\n{trace}");
        }
    }

    pub(crate) fn add(&mut self, other: &Self) {
        for (what, count) in &other.counts {
            *self.counts.entry(what).or_default() += count;
        }
    }

    pub(crate) fn told(&self) -> String {
        let told = self.counts.iter().map(|(what, count)| format!("{what} {count}"));
        told.collect::<Vec<_>>().join(", ")
    }
}

/// One run.
pub(crate) struct World<'a> {
    random: Random,
    plant: Plant,
    links: &'a Links,
    clock: Arc<Standing>,
    disk: CrashDisk,
    config: Config,
    kept: Kept,
    budget: Budget,
    processes: Vec<Process>,
    oracle: Oracle,
    serial: u64,
    /// Frames that retention deleted, in processes that are gone.
    deleted: u64,
    /// When the disk has room again.
    full_until: Option<Duration>,
    outcome: Outcome,
}

impl<'a> World<'a> {
    /// Runs a world from a seed until its faults are spent, then heals it and lets it come to
    /// rest.
    pub(crate) fn run(seed: u64, plant: Plant, links: &'a Links) -> Outcome {
        let mut world = Self::new(seed, plant, links);
        let lived = catch_unwind(AssertUnwindSafe(|| world.live()));
        world.outcome.counts.append(&mut world.oracle.counts);
        world.outcome.broken = match lived {
            Ok(kept) => kept.err(),
            Err(_) => Some("it panicked".to_owned()),
        };
        world.outcome
    }

    fn new(seed: u64, plant: Plant, links: &'a Links) -> Self {
        let mut random = Random::new(seed);
        let keep = random.pick(&[Keep::Recent, Keep::Recent, Keep::Unacknowledged]);
        let sync = random.pick(&[Sync::Disk, Sync::Disk, Sync::Disk, Sync::Os]);
        let segment = random.pick(&[4_096, 6_000, 16_384, 40_960]);
        let is_small = random.below(3) == 0;
        let config = Config {
            directory: FOLDER.into(),
            sync,
            segment,
            queue: random.pick(&[6_000, 30_000, 1 << 20]),
            retention_size: segment * if is_small { 5 } else { 100_000 },
            keep,
            retry: Duration::from_millis(200),
            ..Config::default()
        };
        let kept = match keep {
            Keep::Unacknowledged => Kept::Unshipped,
            Keep::Recent if is_small => Kept::Recent,
            Keep::Recent => Kept::All,
        };
        let budget = Budget::draw(&mut random, sync == Sync::Disk);
        let disk = CrashDisk::new(plant.lies());
        disk.seed(random.next());
        let mut world = Self {
            random,
            plant,
            links,
            clock: Arc::new(Standing::new()),
            disk,
            config,
            kept,
            budget,
            processes: Vec::new(),
            oracle: Oracle::default(),
            serial: 0,
            deleted: 0,
            full_until: None,
            outcome: Outcome::default(),
        };
        world.tell(format!("{:?} {:?}", world.config, world.budget));
        world
    }

    fn live(&mut self) -> Result<(), String> {
        let steps = 300 + self.random.below(500);
        for _ in 0..steps {
            self.step()?;
            self.audit()?;
        }
        self.heal()?;
        self.check()
    }

    fn step(&mut self) -> Result<(), String> {
        if self.processes.is_empty() && self.random.below(4) == 0 {
            self.start();
        }
        let at = self.random.below(self.processes.len().max(1));
        let now = self.clock.elapsed();
        match self.random.below(100) {
            0..25 => self.ask(at),
            25..55 => {
                if let Some(process) = self.processes.get_mut(at) {
                    let told = process.told();
                    let went_on = process.write(now);
                    self.tell(format!("the writer at {at}: {told}, {went_on}"));
                }
            }
            55..65 => {
                if let Some(process) = self.processes.get_mut(at) {
                    let went_on = process.keep(now);
                    self.tell(format!("the keeper at {at}: {went_on}"));
                }
            }
            65..75 => {
                let reactor = self.random.below(2);
                if let Some(process) = self.processes.get_mut(at) {
                    process.run(reactor, self.plant, &mut self.oracle);
                }
            }
            75..78 => self.hang_up(at),
            78..90 => {
                let longest = if self.random.below(40) == 0 { 70_000 } else { 60 };
                let time = Duration::from_millis(self.random.below(longest) as u64);
                self.pass(time)?;
            }
            90..95 => self.ship(at)?,
            _ => {
                if let Some(fault) = self.budget.spend(&mut self.random) {
                    self.strike(fault, at)?;
                }
            }
        }
        if self.disk.is_dark() {
            self.cut_power()?;
        }
        self.bury()
    }

    /// A burst of requests, to one process.
    fn ask(&mut self, at: usize) {
        if self.processes.get(at).is_none_or(|process| process.ends.is_some()) {
            return;
        }
        for _ in 0..1 + self.random.below(4) {
            self.serial += 1;
            let serial = self.serial;
            let padding = self.random.below(self.random.clone().pick(&[40, 400, 1_500]));
            let body = self.links.ask(serial, padding, self.clock.wall());
            let reactor = self.random.below(2);
            let asked = (serial, &*self.clock, body);
            self.processes[at].ask(reactor, asked, self.plant, &mut self.oracle);
            if self.plant == Plant::AnswersEarly {
                self.oracle.answered(serial, Answered::Recorded);
            }
            self.happened("request");
        }
        self.tell(format!("requests up to {} at {at}", self.serial));
    }

    fn hang_up(&mut self, at: usize) {
        let reactor = self.random.below(2);
        let Some(process) = self.processes.get_mut(at) else { return };
        if let Some(serial) = process.reactors[reactor].hang_up() {
            self.oracle.gone(serial);
            self.tell(format!("the client of {serial} hung up"));
        }
    }

    /// Lets time pass, tick by tick; nobody waits longer than was promised.
    fn pass(&mut self, time: Duration) -> Result<(), String> {
        let end = self.clock.elapsed() + time;
        loop {
            let ticks = self.processes.iter().flat_map(|process| &process.reactors);
            let next = ticks.map(crate::door::Reactor::next_tick).min().unwrap_or(end);
            let now = self.clock.elapsed();
            let next = if next > now { next.min(end) } else { end };
            self.clock.pass(next - now);
            self.disk.set_wall(self.clock.wall().micros());
            for process in &mut self.processes {
                process.tick(next, self.plant, &mut self.oracle);
                for reactor in &process.reactors {
                    let longest = reactor.longest(next);
                    if longest > ANSWER_WITHIN {
                        return Err(format!("a request has waited for {longest:?}"));
                    }
                }
            }
            if next == end {
                break;
            }
        }
        if self.full_until.is_some_and(|until| until <= end) {
            self.full_until = None;
            self.disk.leave_room(None);
            self.tell("there is room again".to_owned());
        }
        Ok(())
    }

    fn ship(&mut self, at: usize) -> Result<(), String> {
        let Some(process) = self.processes.get_mut(at) else { return Ok(()) };
        let Process { shipper: Some(shipper), journal, .. } = process else { return Ok(()) };
        let shipped = shipper.ship(journal, &mut self.oracle, &mut self.random)?;
        *self.outcome.counts.entry("shipped").or_default() += shipped;
        Ok(())
    }

    fn strike(&mut self, fault: Fault, at: usize) -> Result<(), String> {
        self.tell(format!("{fault:?} at {at}"));
        let now = self.clock.elapsed();
        let while_ = Duration::from_millis(200 + self.random.below(6_000) as u64);
        match fault {
            Fault::Sync => self.disk.fail_next(Failure::Sync),
            Fault::Write => self.disk.fail_next(Failure::Write),
            Fault::Create => self.disk.fail_next(Failure::Create),
            Fault::SyncDirectory => self.disk.fail_next(Failure::SyncDirectory),
            Fault::HangWriter | Fault::HangKeeper => {
                let Some(process) = self.processes.get_mut(at) else { return Ok(()) };
                if fault == Fault::HangKeeper {
                    process.keeper_hangs = now + while_;
                } else {
                    process.writer_hangs = now + while_;
                    if process.is_syncing() {
                        self.happened("sync that hangs");
                    }
                }
            }
            Fault::Fill => {
                self.disk.leave_room(Some(self.random.below(9_000) as u64));
                self.full_until = Some(now + while_);
            }
            Fault::Kill => self.kill(at)?,
            Fault::CutPower => self.cut_power()?,
            Fault::Fuse => self.disk.light_fuse(1 + self.random.below(12) as u64),
            Fault::Close => {
                if let Some(process) = self.processes.get_mut(at) {
                    process.close(now);
                }
            }
            Fault::Second if self.processes.len() == 1 => self.start(),
            Fault::Second => {}
            Fault::Jump => {
                let days = self.random.pick(&[-400, -1, 1, 400]);
                self.clock.jump(days * 86_400 + self.random.below(3_600) as i64);
                self.disk.set_wall(self.clock.wall().micros());
            }
        }
        self.happened(NAMES[fault as usize]);
        Ok(())
    }

    fn start(&mut self) {
        self.disk.set_wall(self.clock.wall().micros());
        let started = Process::start(self.disk.process(), &self.config, &self.clock);
        self.tell(format!("a start: {}", started.is_some()));
        self.happened(if started.is_some() { "start" } else { "start that fails" });
        self.processes.extend(started);
    }

    fn kill(&mut self, at: usize) -> Result<(), String> {
        if at >= self.processes.len() {
            return Ok(());
        }
        let process = self.processes.swap_remove(at);
        process.disk.kill();
        self.lose(process);
        self.check()
    }

    fn cut_power(&mut self) -> Result<(), String> {
        self.tell("the power is cut".to_owned());
        self.happened("power cut");
        if self.disk.is_dark() {
            // The keeper may have deleted a segment and not come to counting it.
            self.deleted += MOST_IN_A_SEGMENT;
        }
        self.disk.cut_power(fates(self.random.next()));
        for process in std::mem::take(&mut self.processes) {
            self.lose(process);
        }
        self.check()
    }

    /// A process is gone, and with it whoever waited for its answers.
    fn lose(&mut self, mut process: Process) {
        self.deleted += process.deleted();
        *self.outcome.counts.entry("deleted").or_default() += process.deleted();
        for reactor in &mut process.reactors {
            while let Some(serial) = reactor.hang_up() {
                self.oracle.gone(serial);
            }
        }
        if self.processes.is_empty() {
            self.oracle.all_gone();
        }
    }

    /// Holds what is on the disk against what was promised.
    fn check(&mut self) -> Result<(), String> {
        let running = self.processes.iter().map(Process::deleted).sum::<u64>();
        self.oracle.check(&self.disk, self.kept, self.deleted + running)
    }

    /// Ends the processes that have come to their end.
    fn bury(&mut self) -> Result<(), String> {
        let now = self.clock.elapsed();
        while let Some(at) = self.processes.iter().position(|process| process.is_over(now)) {
            let mut process = self.processes.swap_remove(at);
            process.settle_accounts(self.plant, &mut self.oracle);
            process.audit()?;
            let left = process.metrics.ledger.counts().in_progress;
            if left > 0 {
                return Err(format!("a process ended and left {left} events uncounted"));
            }
            process.disk.kill();
            self.tell(format!("the process at {at} has ended"));
            self.lose(process);
            self.check()?;
        }
        Ok(())
    }

    fn audit(&mut self) -> Result<(), String> {
        self.processes.iter_mut().try_for_each(Process::audit)
    }

    /// No more faults: whatever runs must come to rest, with everything durable.
    fn heal(&mut self) -> Result<(), String> {
        self.tell("healed".to_owned());
        self.disk.fail(None);
        self.disk.leave_room(None);
        self.full_until = None;
        let now = self.clock.elapsed();
        for process in &mut self.processes {
            (process.writer_hangs, process.keeper_hangs) = (now, now);
        }
        if self.processes.is_empty() {
            self.start();
        }
        for _ in 0..200 {
            let now = self.clock.elapsed();
            for process in &mut self.processes {
                while process.write(now) | process.keep(now) {}
            }
            self.pass(Duration::from_millis(100))?;
            if self.disk.is_dark() {
                self.cut_power()?;
                self.start();
            }
            self.bury()?;
            self.audit()?;
            if self.processes.iter().all(Process::is_idle) {
                return Ok(());
            }
        }
        let counts = self.processes.iter().map(|process| process.metrics.ledger.counts());
        Err(format!("it does not come to rest: {:?}", counts.collect::<Vec<_>>()))
    }

    fn tell(&mut self, what: String) {
        self.outcome.trace.push(format!("{:?} {what}", self.clock.elapsed()));
    }

    fn happened(&mut self, what: &'static str) {
        *self.outcome.counts.entry(what).or_default() += 1;
    }
}

/// Frames: more than the largest segment of a run holds.
const MOST_IN_A_SEGMENT: u64 = 100;
/// By [`Fault`].
pub(crate) const NAMES: [&str; 13] = [
    "failing sync",
    "failing write",
    "failing create",
    "failing directory sync",
    "hanging writer",
    "hanging keeper",
    "full disk",
    "kill",
    "cut between turns",
    "fuse",
    "end",
    "second process",
    "clock jump",
];
