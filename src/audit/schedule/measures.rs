//! What is counted of audits. No name is ever a label.

use std::collections::BTreeMap;
use std::time::Duration;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;

use super::tally::Tally;
use crate::audit::Standing;
use crate::metrics::Metrics;

/// The counts. Cloning shares them.
#[derive(Clone, Debug)]
pub(super) struct Measures {
    domains: Family<Stands, Gauge>,
    findings: Family<Found, Gauge>,
    made: Family<Stands, Counter>,
    /// Audits that could not be kept.
    pub(super) failed: Counter,
    /// Changes that were told.
    pub(super) events: Counter,
    /// Audits that are being made.
    pub(super) in_progress: Gauge,
    pub(super) seconds: Histogram,
    waiting: Gauge,
    overdue: Gauge,
}

#[derive(Clone, Debug, EncodeLabelSet, Hash, PartialEq, Eq)]
struct Stands {
    status: &'static str,
}

#[derive(Clone, Debug, EncodeLabelSet, Hash, PartialEq, Eq)]
struct Found {
    rule: &'static str,
    severity: String,
}

impl Measures {
    pub(super) fn new(metrics: &Metrics) -> Self {
        let measures = Self {
            domains: Family::default(),
            findings: Family::default(),
            made: Family::default(),
            failed: Counter::default(),
            events: Counter::default(),
            in_progress: Gauge::default(),
            seconds: Histogram::new([0.05, 0.2, 0.5, 1.0, 2.0, 4.0, 8.0]),
            waiting: Gauge::default(),
            overdue: Gauge::default(),
        };
        metrics.register(|registry| {
            let help = "Domains, by what their last audit came to";
            registry.register("audit_domains", help, measures.domains.clone());
            let help = "Domains that have a finding now, by rule and severity; told once all \
                        have been counted after a start";
            registry.register("audit_findings", help, measures.findings.clone());
            let help = "Audits that were made because they were due, by what holds since";
            registry.register("audit_made", help, measures.made.clone());
            let help = "Audits that came to nothing, since the store failed";
            registry.register("audit_failed", help, measures.failed.clone());
            let help = "Changes of domains' findings that were told as events";
            registry.register("audit_changes", help, measures.events.clone());
            let help = "Audits that are being made";
            registry.register("audit_in_progress", help, measures.in_progress.clone());
            let help = "How long audits took";
            registry.register("audit_seconds", help, measures.seconds.clone());
            let help = "Domains that are due to be audited, counted up to 10000";
            registry.register("audit_waiting", help, measures.waiting.clone());
            let help = "For how long the oldest audit is due";
            registry.register("audit_overdue_seconds", help, measures.overdue.clone());
        });
        measures
    }

    pub(super) fn made(&self, standing: Standing) {
        self.made.get_or_create(&Stands { status: standing.name() }).inc();
    }

    /// How many domains there are, by the state of their records.
    pub(super) fn domains(&self, counts: &BTreeMap<u8, u64>) {
        for standing in Standing::ALL {
            let count = counts.get(&(standing as u8)).copied().unwrap_or_default();
            let gauge = self.domains.get_or_create(&Stands { status: standing.name() });
            gauge.set(i64::try_from(count).unwrap_or(i64::MAX));
        }
    }

    /// How many domains have each finding.
    pub(super) fn findings(&self, tally: &Tally) {
        for (mark, count) in tally.counts() {
            let found = Found { rule: mark.rule, severity: mark.severity.to_string() };
            self.findings.get_or_create(&found).set(count);
        }
    }

    /// How many wait, and for how long the oldest does.
    pub(super) fn waiting(&self, count: usize, overdue: Duration) {
        self.waiting.set(i64::try_from(count).unwrap_or(i64::MAX));
        self.overdue.set(i64::try_from(overdue.as_secs()).unwrap_or(i64::MAX));
    }
}
