//! What the journal counts for `/metrics`.

use std::sync::atomic::AtomicU64;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::Unit;

use crate::metrics::Metrics;

/// The journal's metrics.
#[derive(Clone, Debug)]
pub(super) struct Measures {
    pub(super) syncs: Counter,
    pub(super) sync_seconds: Histogram,
    pub(super) batch_frames: Histogram,
    pub(super) written: Counter,
    pub(super) failures: Family<Step, Counter>,
    pub(super) durable: Gauge<u64, AtomicU64>,
    pub(super) kept: Gauge<u64, AtomicU64>,
    pub(super) deleted: Counter,
    pub(super) damaged: Counter,
    pub(super) refused: Gauge<u64, AtomicU64>,
}

/// Which step failed.
#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
pub(super) struct Step {
    pub(super) step: &'static str,
}

impl Measures {
    pub(super) fn new(metrics: &Metrics) -> Self {
        let measures = Self {
            syncs: Counter::default(),
            sync_seconds: Histogram::new(exponential_buckets(0.000_05, 2.0, 16)),
            batch_frames: Histogram::new(exponential_buckets(1.0, 2.0, 14)),
            written: Counter::default(),
            failures: Family::default(),
            durable: Gauge::default(),
            kept: Gauge::default(),
            deleted: Counter::default(),
            damaged: Counter::default(),
            refused: Gauge::default(),
        };
        for step in ["open", "write", "sync"] {
            drop(measures.failures.get_or_create(&Step { step }));
        }
        metrics.register(|registry| {
            let registry = registry.sub_registry_with_prefix("journal");
            let of = measures.clone();
            registry.register("syncs", "Syncs of a segment", of.syncs);
            let help = "Time a sync took";
            registry.register_with_unit("sync", help, Unit::Seconds, of.sync_seconds);
            registry.register("batch_frames", "Frames made durable together", of.batch_frames);
            let help = "Bytes written to segments";
            registry.register_with_unit("written", help, Unit::Bytes, of.written);
            registry.register("failures", "Failed steps of the writer, by step", of.failures);
            let help = "The first sequence that is not durable, in this process's directory";
            registry.register("durable_position", help, of.durable);
            let help = "Bytes of all segments kept that are understood, the prepared one included";
            registry.register_with_unit("kept", help, Unit::Bytes, of.kept);
            registry.register("deleted_frames", "Frames deleted by retention", of.deleted);
            let help = "Frames that were durable and could not be read any more";
            registry.register("damaged_frames", help, of.damaged);
            let help = "Segments that are kept and not understood: see `waypost journal verify`";
            registry.register("refused_segments", help, of.refused);
        });
        measures
    }
}
