//! What is counted of domains. No name is ever a label.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;

use super::{Refusal, State};
use crate::metrics::Metrics;

/// The counts. Cloning shares them.
#[derive(Clone, Debug)]
pub(super) struct Measures {
    states: Family<InState, Gauge>,
    visits: Family<Visited, Counter>,
    /// Looks by the poller.
    pub(super) looks: Counter,
    /// Refusals that are remembered.
    pub(super) refusals: Gauge,
}

#[derive(Clone, Debug, EncodeLabelSet, Hash, PartialEq, Eq)]
struct InState {
    state: &'static str,
}

#[derive(Clone, Debug, EncodeLabelSet, Hash, PartialEq, Eq)]
struct Visited {
    result: &'static str,
}

impl Measures {
    pub(super) fn new(metrics: &Metrics) -> Self {
        let measures = Self {
            states: Family::default(),
            visits: Family::default(),
            looks: Counter::default(),
            refusals: Gauge::default(),
        };
        metrics.register(|registry| {
            registry.register("domains", "Domains, by state", measures.states.clone());
            let help = "Visits to names without a certificate, by what became of them";
            registry.register("domain_visits", help, measures.visits.clone());
            let help = "Domains that were looked at because they were due";
            registry.register("domain_looks", help, measures.looks.clone());
            let help = "Refusals of visits that are remembered";
            registry.register("domain_refusals_remembered", help, measures.refusals.clone());
        });
        measures
    }

    pub(super) fn count(&self, counts: &[(State, u64)]) {
        for (state, count) in counts {
            let gauge = self.states.get_or_create(&InState { state: state.name() });
            gauge.set(i64::try_from(*count).unwrap_or(i64::MAX));
        }
    }

    pub(super) fn visited(&self, result: Result<(), Refusal>) {
        let result = match result {
            Ok(()) => "admitted",
            Err(Refusal::Busy) => "busy",
            Err(Refusal::Cap) => "cap",
            Err(Refusal::Depth) => "depth",
            Err(Refusal::Failed) => "failed",
            Err(Refusal::Budget) => "budget",
            Err(Refusal::NotPointed) => "not_pointed",
            Err(Refusal::Removed) => "removed",
            Err(Refusal::Unlisted) => "unlisted",
            Err(Refusal::Wildcard) => "wildcard",
        };
        self.visits.get_or_create(&Visited { result }).inc();
    }

    /// A visit for which there was no place to wait.
    pub(super) fn dropped(&self) {
        self.visits.get_or_create(&Visited { result: "dropped" }).inc();
    }
}
