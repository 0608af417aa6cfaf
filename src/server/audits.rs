//! The audits of a running node.

use std::sync::Arc;

use super::node::World;
use crate::audit::domain::Auditor;
use crate::audit::schedule::{Demand, Schedule};
use crate::config::Settings;
use crate::dns::Lookup;
use crate::domains::Register;
use crate::drain::Drain;
use crate::metrics::Metrics;
use crate::store::Store;

/// The one auditor of a node, which all who audit share.
pub(super) fn auditor(settings: &Settings, world: &World, lookup: Arc<dyn Lookup>) -> Auditor {
    Auditor::new(settings.platform(), lookup, None, Arc::clone(&world.clock))
}

/// Begins to audit what is due, beside serving.
pub(super) fn start(
    settings: &Settings,
    world: &World,
    (auditor, register, store): (&Auditor, &Register, Arc<dyn Store>),
    metrics: &Metrics,
    drain: &Drain,
) -> Option<Demand> {
    if settings.domains.audit_rate == 0 {
        return None;
    }
    let kept = (register.clone(), store);
    let node = (settings.node.name.as_str(), Arc::clone(&world.clock));
    Schedule::start(&settings.audit, auditor.clone(), kept, node, metrics, drain)
}
