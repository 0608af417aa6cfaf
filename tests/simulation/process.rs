//! One node: a journal that nobody's thread moves, and two reactors.

use std::sync::Arc;
use std::time::Duration;

use waypost::clock::Clock;
use waypost::disk::Disk;
use waypost::journal::{Call, Config, Crew, Journal, Keep};
use waypost::metrics::{Metrics, Unrecorded};

use crate::clock::Standing;
use crate::disk::CrashDisk;
use crate::door::{Answered, Reactor, frame};
use crate::oracle::Oracle;
use crate::plant::Plant;
use crate::shipper::Shipper;

pub(crate) struct Process {
    pub(crate) disk: CrashDisk,
    pub(crate) journal: Journal,
    crew: Crew,
    pub(crate) metrics: Metrics,
    pub(crate) reactors: Vec<Reactor>,
    pub(crate) shipper: Option<Shipper>,
    /// The writer's call of the disk hangs until then.
    pub(crate) writer_hangs: Duration,
    pub(crate) keeper_hangs: Duration,
    next_look: Duration,
    /// When it ends whatever the disk does, once it is to end.
    pub(crate) ends: Option<Duration>,
    asked: u64,
    refused: u64,
    late: u64,
    durable: u64,
    queue: usize,
}

impl Process {
    /// `None` when the disk does not let it start.
    pub(crate) fn start(disk: CrashDisk, config: &Config, clock: &Arc<Standing>) -> Option<Self> {
        let (metrics, now) = (Metrics::new(), clock.elapsed());
        let seam: Arc<dyn Disk> = Arc::new(disk.clone());
        let clock: Arc<dyn Clock> = clock.clone();
        let (journal, crew) = Journal::at_rest(config, seam, clock, &metrics).ok()?;
        let shipper = match config.keep {
            Keep::Unacknowledged => Some(Shipper::new(&disk, &journal).ok()?),
            Keep::Recent => None,
        };
        let reactor = || Reactor::new(journal.appender(metrics.ledger.open()), now);
        Some(Self {
            reactors: vec![reactor(), reactor()],
            disk,
            journal,
            crew,
            metrics,
            shipper,
            writer_hangs: now,
            keeper_hangs: now,
            next_look: now + LOOK_EVERY,
            ends: None,
            asked: 0,
            refused: 0,
            late: 0,
            durable: 0,
            queue: config.queue,
        })
    }

    /// A reactor takes a request, and runs.
    pub(crate) fn ask(
        &mut self,
        reactor: usize,
        (serial, clock, body): (u64, &Standing, Vec<u8>),
        plant: Plant,
        oracle: &mut Oracle,
    ) {
        let time = clock.wall();
        self.asked += 1;
        let frame = frame(serial, time, &body);
        let is_taken = self.reactors[reactor].record(serial, &frame, clock.elapsed());
        oracle.asked(serial, time, body);
        if !is_taken {
            self.refused += 1;
            oracle.answered(serial, Answered::Unrecorded);
        }
        self.run(reactor, plant, oracle);
    }

    /// The writer goes on, unless the disk hangs.
    pub(crate) fn write(&mut self, now: Duration) -> bool {
        let hangs = self.crew.next_call().is_some() && self.writer_hangs > now;
        !hangs && self.crew.write()
    }

    /// The keeper goes on, unless the disk hangs.
    pub(crate) fn keep(&mut self, now: Duration) -> bool {
        if self.keeper_hangs > now {
            return false;
        }
        if self.next_look <= now {
            self.next_look = now + LOOK_EVERY;
            self.crew.retain();
        }
        self.crew.keep()
    }

    /// Whether the writer is about to sync.
    pub(crate) fn is_syncing(&self) -> bool {
        self.crew.next_call() == Some(Call::Sync)
    }

    /// How far the writer is.
    pub(crate) fn told(&self) -> String {
        let (durable, next) = (self.journal.durable(), self.journal.next_sequence());
        format!("{:?}, durable {durable}, next {next}", self.crew.next_call())
    }

    /// Runs a reactor's tasks.
    pub(crate) fn run(&mut self, reactor: usize, plant: Plant, oracle: &mut Oracle) {
        let settles = plant != Plant::SettlesNothing;
        for (serial, how) in self.reactors[reactor].run(settles) {
            self.late += u64::from(how == Answered::Late);
            oracle.answered(serial, how);
        }
    }

    /// Lets time pass: ticks, and whoever is woken by them runs.
    pub(crate) fn tick(&mut self, now: Duration, plant: Plant, oracle: &mut Oracle) {
        for at in 0..self.reactors.len() {
            if plant != Plant::StopsTicking {
                self.reactors[at].tick(now);
            }
            self.run(at, plant, oracle);
        }
    }

    /// Takes nothing more.
    pub(crate) fn close(&mut self, now: Duration) {
        self.journal.close();
        self.ends = Some(now + GRACE);
    }

    /// Whether a process that is to end has nothing left to do, or no time.
    pub(crate) fn is_over(&self, now: Duration) -> bool {
        self.ends.is_some_and(|ends| self.crew.is_over() || ends <= now)
    }

    /// The last thing that an ending process does: counts what it leaves.
    pub(crate) fn settle_accounts(&mut self, plant: Plant, oracle: &mut Oracle) {
        self.journal.abandon();
        for reactor in &self.reactors {
            for _ in 0..reactor.appender.settle_now() {
                if plant != Plant::EndsUncounted {
                    reactor.appender.account().unrecorded(Unrecorded::Shutdown);
                }
            }
        }
        self.tick(Duration::ZERO, plant, oracle);
        for reactor in &mut self.reactors {
            while let Some(serial) = reactor.hang_up() {
                oracle.gone(serial);
            }
        }
    }

    /// Whether everything that was taken is durable and answered.
    pub(crate) fn is_idle(&self) -> bool {
        self.journal.durable() == self.journal.next_sequence()
            && self.reactors.iter().all(Reactor::is_idle)
            && self.metrics.ledger.counts().in_progress == 0
    }

    /// Holds the ledger against what was done.
    pub(crate) fn audit(&mut self) -> Result<(), String> {
        let counts = self.metrics.ledger.counts();
        let shutdown = counts.unrecorded.get(Unrecorded::Shutdown.name()).copied();
        let refused = counts.unrecorded.values().sum::<u64>() - shutdown.unwrap_or_default();
        if !counts.balances()
            || (counts.received, refused, counts.late) != (self.asked, self.refused, self.late)
        {
            let (asked, refused, late) = (self.asked, self.refused, self.late);
            return Err(format!("asked {asked}, refused {refused}, late {late}, but {counts:?}"));
        }
        let (durable, next) = (self.journal.durable(), self.journal.next_sequence());
        if durable < self.durable || durable > next {
            return Err(format!("durable {durable} after {}, next {next}", self.durable));
        }
        self.durable = durable;
        if self.journal.waiting() > self.queue {
            return Err(format!("{} bytes wait", self.journal.waiting()));
        }
        Ok(())
    }

    /// Frames that retention deleted.
    pub(crate) fn deleted(&self) -> u64 {
        let text = self.metrics.text();
        let name = "waypost_journal_deleted_frames_total ";
        let value = text.lines().find_map(|line| line.strip_prefix(name));
        value.and_then(|value| value.parse().ok()).expect("the count of deleted frames")
    }
}

const LOOK_EVERY: Duration = Duration::from_secs(60);
/// How long a node waits for the disk when it ends.
const GRACE: Duration = Duration::from_secs(5);
