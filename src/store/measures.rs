//! What is counted of the store.

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use redb::{Database, ReadableDatabase};

use super::Kind;
use crate::metrics::{Degraded, Metrics};

/// The counts. Cloning shares them.
#[derive(Clone, Debug)]
pub(super) struct Measures {
    /// Records read, one by one or in walks.
    pub(super) reads: Counter,
    /// Changes made, removals included.
    pub(super) changes: Counter,
    /// Records found damaged.
    pub(super) damaged: Counter,
    /// Transactions that failed.
    pub(super) failures: Counter,
    /// How long a transaction took, its sync included.
    pub(super) commit_seconds: Histogram,
    cached: Gauge,
    pub(super) degraded: Degraded,
}

impl Measures {
    pub(super) fn new(metrics: &Metrics) -> Self {
        let measures = Self {
            reads: Counter::default(),
            changes: Counter::default(),
            damaged: Counter::default(),
            failures: Counter::default(),
            commit_seconds: Histogram::new([0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0]),
            cached: Gauge::default(),
            degraded: metrics.degraded.clone(),
        };
        metrics.register(|registry| {
            let help = "Records read from the store";
            registry.register("store_reads", help, measures.reads.clone());
            let help = "Records changed in the store";
            registry.register("store_changes", help, measures.changes.clone());
            let help = "Records of the store that were found damaged, and not served";
            registry.register("store_damaged", help, measures.damaged.clone());
            let help = "Transactions of the store that failed";
            registry.register("store_failures", help, measures.failures.clone());
            let help = "How long a transaction of the store took, its sync included";
            registry.register("store_commit_seconds", help, measures.commit_seconds.clone());
            let help = "Bytes of the store's file that are kept in memory";
            registry.register("store_cache_bytes", help, measures.cached.clone());
        });
        measures
    }

    /// Notes how much of the file is in memory.
    pub(super) fn weigh(&self, database: &Database) {
        let bytes = database.cache_stats().used_bytes();
        self.cached.set(i64::try_from(bytes).unwrap_or(i64::MAX));
    }

    /// Says that a record is damaged.
    pub(super) fn damage(&self, kind: Kind, name: &str) {
        self.damaged.inc();
        tracing::error!(kind = kind.name(), name, "a record of the store is damaged");
    }
}

/// Why the process is degraded while the store cannot be used.
pub(super) const REASON: &str = "store";
