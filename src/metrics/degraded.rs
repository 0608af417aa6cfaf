//! The reasons for which a process that answers does not keep all its promises.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::gauge::ConstGauge;

/// A set of reasons, each a short stable word such as `journal_sync`; empty is healthy.
///
/// Scraped as `waypost_degraded{reason}`: 1 while it holds, 0 once it held and ended.
#[derive(Clone, Debug, Default)]
pub struct Degraded {
    seen: Arc<Mutex<Seen>>,
}

#[derive(Debug, Default)]
struct Seen {
    now: BTreeSet<&'static str>,
    ever: BTreeSet<&'static str>,
}

impl Degraded {
    /// Says that `reason` holds. Traced when it is news.
    pub fn begin(&self, reason: &'static str) {
        let mut seen = self.lock();
        seen.ever.insert(reason);
        if seen.now.insert(reason) {
            tracing::warn!(reason, "degraded");
        }
    }

    /// Says that `reason` no longer holds. Traced when it is news.
    pub fn end(&self, reason: &'static str) {
        if self.lock().now.remove(reason) {
            tracing::info!(reason, "no longer degraded");
        }
    }

    /// The reasons that hold, in order of their names.
    pub fn reasons(&self) -> Vec<&'static str> {
        self.lock().now.iter().copied().collect()
    }

    fn lock(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Collector for Degraded {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), std::fmt::Error> {
        let seen = self.lock();
        let help = "1 while the process answers but cannot keep every promise, by reason";
        let mut family = encoder.encode_descriptor("degraded", help, None, MetricType::Gauge)?;
        for reason in &seen.ever {
            let value = ConstGauge::new(i64::from(seen.now.contains(reason)));
            value.encode(family.encode_family(&[("reason", *reason)])?)?;
        }
        Ok(())
    }
}
