//! The ledger of events: what was received is journalled, in Kafka without the journal, unrecorded
//! or in progress, and the sum holds at every scrape.
//!
//! Each thread that answers has an [`Account`] of its own, so that counting never waits for
//! another thread. A scrape locks the accounts one after the other; since each is balanced at
//! every moment, so is the sum.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;

/// The accounts of all threads.
#[derive(Clone, Debug, Default)]
pub struct Ledger {
    accounts: Arc<Mutex<Vec<Account>>>,
}

impl Ledger {
    /// Opens an account for one thread.
    pub fn open(&self) -> Account {
        let account = Account::default();
        self.accounts.lock().unwrap_or_else(PoisonError::into_inner).push(account.clone());
        account
    }

    /// The sum of all accounts.
    pub fn counts(&self) -> Counts {
        let mut sum = Counts::default();
        for account in self.accounts.lock().unwrap_or_else(PoisonError::into_inner).iter() {
            sum.add(&account.lock());
        }
        sum
    }
}

/// One thread's counts. Cloning shares them.
#[derive(Clone, Debug, Default)]
pub struct Account {
    counts: Arc<Mutex<Counts>>,
}

impl Account {
    /// An event was made of a request; it is in progress from here on.
    pub fn received(&self) {
        let mut counts = self.lock();
        counts.received += 1;
        counts.in_progress += 1;
    }

    /// `count` events in progress are durable in the journal.
    pub fn journalled(&self, count: u64) {
        let mut counts = self.lock();
        counts.journalled += count;
        counts.in_progress -= count;
    }

    /// An event in progress is in Kafka without the journal.
    pub fn direct(&self) {
        let mut counts = self.lock();
        counts.direct += 1;
        counts.in_progress -= 1;
    }

    /// An event in progress will never be recorded.
    pub fn unrecorded(&self, reason: Unrecorded) {
        let mut counts = self.lock();
        *counts.unrecorded.entry(reason.name()).or_default() += 1;
        counts.in_progress -= 1;
    }

    /// An answer went out before its event was durable; the event stays in progress.
    pub fn late(&self) {
        self.lock().late += 1;
    }

    fn lock(&self) -> MutexGuard<'_, Counts> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Why an event will never be recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unrecorded {
    /// The journal is at its size bound and may delete nothing.
    JournalFull,
    /// The queue before the journal was full: the disk is slower than the requests, or fails.
    QueueFull,
    /// The process ended before the event was durable.
    Shutdown,
    /// The event is larger than the journal takes.
    TooLarge,
    /// The journal has not been opened yet: the disk did not let it.
    Unopened,
}

impl Unrecorded {
    /// The value of the `reason` label.
    pub const fn name(self) -> &'static str {
        match self {
            Self::JournalFull => "journal_full",
            Self::QueueFull => "queue_full",
            Self::Shutdown => "shutdown",
            Self::TooLarge => "too_large",
            Self::Unopened => "journal_unopened",
        }
    }
}

/// The balance: `received = journalled + direct + unrecorded + in_progress`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Events made of requests.
    pub received: u64,
    /// Events durable in the journal.
    pub journalled: u64,
    /// Events acknowledged by Kafka before they were durable in the journal.
    pub direct: u64,
    /// Events that will never be recorded, by reason.
    pub unrecorded: BTreeMap<&'static str, u64>,
    /// Events that are neither yet.
    pub in_progress: u64,
    /// Answers that went out before their event was durable.
    pub late: u64,
}

impl Counts {
    /// Whether the sum holds.
    pub fn balances(&self) -> bool {
        let unrecorded = self.unrecorded.values().sum::<u64>();
        self.received == self.journalled + self.direct + unrecorded + self.in_progress
    }

    fn add(&mut self, other: &Self) {
        self.received += other.received;
        self.journalled += other.journalled;
        self.direct += other.direct;
        for (reason, count) in &other.unrecorded {
            *self.unrecorded.entry(reason).or_default() += count;
        }
        self.in_progress += other.in_progress;
        self.late += other.late;
    }
}

impl Collector for Ledger {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), std::fmt::Error> {
        let counts = self.counts();
        for (name, help, value) in [
            ("events_received", "Clicks, opens and probes made into events", counts.received),
            ("events_journalled", "Events durable in the journal", counts.journalled),
            ("events_direct", "Events in Kafka without the journal", counts.direct),
            ("events_late", "Answers sent before their event was durable", counts.late),
        ] {
            let counter = encoder.encode_descriptor(name, help, None, MetricType::Counter)?;
            ConstCounter::new(value).encode(counter)?;
        }
        let help = "Events that were answered and will never be recorded, by reason";
        let mut family =
            encoder.encode_descriptor("events_unrecorded", help, None, MetricType::Counter)?;
        for reason in [
            Unrecorded::JournalFull,
            Unrecorded::QueueFull,
            Unrecorded::Shutdown,
            Unrecorded::TooLarge,
            Unrecorded::Unopened,
        ] {
            let value = counts.unrecorded.get(reason.name()).copied().unwrap_or_default();
            let labels = [("reason", reason.name())];
            ConstCounter::new(value).encode(family.encode_family(&labels)?)?;
        }
        let help = "Events received and neither journalled nor unrecorded yet";
        let gauge =
            encoder.encode_descriptor("events_in_progress", help, None, MetricType::Gauge)?;
        ConstGauge::new(counts.in_progress).encode(gauge)
    }
}
