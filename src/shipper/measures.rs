//! What the shipper counts for `/metrics`.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeLabelSet, EncodeMetric};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::Unit;

use crate::clock::{Clock, Timestamp};
use crate::kafka::{Batches, Reason, Verdict};
use crate::metrics::Metrics;

/// The shipper's metrics. Cloning shares them.
#[derive(Clone, Debug)]
pub(super) struct Measures {
    pub(super) acknowledged: Counter,
    retries: Family<Why, Counter>,
    dead_letters: Family<Why, Counter>,
    pub(super) sessions: Counter,
    batches: Counter,
    batch_records: Counter,
    batch_bytes: Counter,
    /// From an event's time to its acknowledgement.
    pub(super) seconds: Histogram,
    standing: Arc<Mutex<Standing>>,
}

/// Why a record was sent again or set aside.
#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Why {
    reason: &'static str,
}

/// How far the shipper is, as one value, so that a scrape sees one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Standing {
    /// The last sequence that is durable in our directory.
    pub(super) head: u64,
    /// The last sequence of it that is settled, as it stands on disk.
    pub(super) cursor: u64,
    /// Those of our directory that were set aside, up to the cursor.
    pub(super) dead: u64,
    /// Directories of processes that are gone and not shipped yet.
    pub(super) adopted: u64,
    /// The time of the oldest event that is not settled.
    pub(super) oldest: Option<Timestamp>,
    /// Events sent and not reported yet.
    pub(super) in_flight: u64,
    /// Frames that were passed over since they cannot be read, since the process began.
    pub(super) skipped: u64,
}

impl Measures {
    pub(super) fn new(metrics: &Metrics, clock: Arc<dyn Clock>) -> Self {
        let measures = Self {
            acknowledged: Counter::default(),
            retries: Family::default(),
            dead_letters: Family::default(),
            sessions: Counter::default(),
            batches: Counter::default(),
            batch_records: Counter::default(),
            batch_bytes: Counter::default(),
            seconds: Histogram::new(exponential_buckets(0.001, 2.0, 22)),
            standing: Arc::default(),
        };
        for reason in Reason::ALL.map(Reason::name).into_iter().chain(["fatal", "too_large"]) {
            drop(measures.retries.get_or_create(&Why { reason }));
        }
        drop(measures.dead_letters.get_or_create(&Why { reason: "too_large" }));
        let of = measures.clone();
        metrics.register(|registry| {
            let registry = registry.sub_registry_with_prefix("kafka");
            let help = "Events that every in-sync replica has";
            registry.register("acknowledged", help, of.acknowledged);
            registry.register("retries", "Events to be sent again, by reason", of.retries);
            let help = "Events that were set aside, by reason";
            registry.register("dead_letters", help, of.dead_letters);
            registry.register("sessions", "Producers begun", of.sessions);
            registry.register("batches", "Batches sent", of.batches);
            registry.register("batch_records", "Events in them", of.batch_records);
            let help = "Bytes in them, compressed";
            registry.register_with_unit("batch", help, Unit::Bytes, of.batch_bytes);
            let help = "Time from an event to its acknowledgement";
            registry.register_with_unit("acknowledgement", help, Unit::Seconds, of.seconds);
            let standing = Scraped { standing: of.standing, clock };
            registry.register_collector(Box::new(standing));
        });
        measures
    }

    /// Counts a record that is to be sent again.
    pub(super) fn retry(&self, verdict: Verdict) {
        let reason = match verdict {
            Verdict::Retry(reason) => reason.name(),
            Verdict::TooLarge => "too_large",
            Verdict::Fatal => "fatal",
        };
        self.retries.get_or_create(&Why { reason }).inc();
    }

    /// Counts a dead letter.
    pub(super) fn set_aside(&self) {
        self.dead_letters.get_or_create(&Why { reason: "too_large" }).inc();
    }

    pub(super) fn batched(&self, batches: Batches) {
        self.batches.inc_by(batches.count);
        self.batch_records.inc_by(batches.records);
        self.batch_bytes.inc_by(batches.bytes);
    }

    /// How far the shipper is now.
    pub(super) fn stand(&self, change: impl FnOnce(&mut Standing)) {
        change(&mut lock(&self.standing));
    }
}

#[derive(Debug)]
struct Scraped {
    standing: Arc<Mutex<Standing>>,
    clock: Arc<dyn Clock>,
}

impl Collector for Scraped {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), std::fmt::Error> {
        let standing = *lock(&self.standing);
        let Standing { head, cursor, dead, adopted, oldest, in_flight, skipped } = standing;
        for (name, help, value) in [
            ("head", "The last durable event of this process's directory", head),
            ("cursor", "The last of them that is settled, as it stands on disk", cursor),
            ("lag_events", "Durable events behind the cursor", head - cursor),
            ("set_aside", "Dead letters up to the cursor", dead),
            ("settled_acknowledged", "Acknowledged events up to the cursor", cursor - dead),
            ("in_flight", "Events sent and not reported yet", in_flight),
            ("skipped", "Events passed over since they cannot be read or were deleted", skipped),
            ("adopted", "Directories of processes that are gone, not shipped yet", adopted),
        ] {
            let gauge = encoder.encode_descriptor(name, help, None, MetricType::Gauge)?;
            ConstGauge::new(value).encode(gauge)?;
        }
        let now = self.clock.wall();
        let lag = oldest.map_or(Duration::ZERO, |oldest| oldest.until(now));
        let help = "Age of the oldest event that is not settled";
        let unit = Some(&Unit::Seconds);
        let gauge = encoder.encode_descriptor("lag", help, unit, MetricType::Gauge)?;
        ConstGauge::new(lag.as_secs_f64()).encode(gauge)
    }
}

fn lock(standing: &Mutex<Standing>) -> MutexGuard<'_, Standing> {
    standing.lock().unwrap_or_else(PoisonError::into_inner)
}
