//! The registry that `/metrics` prints.

use std::sync::{Arc, Mutex, PoisonError};

use prometheus_client::encoding::text::encode;
use prometheus_client::registry::Registry;

use super::{Degraded, Ledger};

/// The content type of [`Metrics::text`] (OpenMetrics 1.0, which Prometheus negotiates).
pub const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Everything the process counts. Cloning shares it.
#[derive(Clone, Debug)]
pub struct Metrics {
    /// The ledger of events.
    pub ledger: Ledger,
    /// The reasons for which the process is degraded.
    pub degraded: Degraded,
    registry: Arc<Mutex<Registry>>,
}

impl Metrics {
    /// A registry that holds the ledger and the degraded reasons.
    pub fn new() -> Self {
        let (ledger, degraded) = (Ledger::default(), Degraded::default());
        let mut registry = Registry::with_prefix("waypost");
        registry.register_collector(Box::new(ledger.clone()));
        registry.register_collector(Box::new(degraded.clone()));
        Self { ledger, degraded, registry: Arc::new(Mutex::new(registry)) }
    }

    /// Lets a part register its own metrics; names get the `waypost_` prefix.
    pub fn register(&self, add: impl FnOnce(&mut Registry)) {
        add(&mut self.registry.lock().unwrap_or_else(PoisonError::into_inner));
    }

    /// The exposition of everything registered.
    pub fn text(&self) -> String {
        let mut text = String::new();
        let registry = self.registry.lock().unwrap_or_else(PoisonError::into_inner);
        match encode(&mut text, &registry) {
            Ok(()) => text,
            // Writing into a String does not fail; a collector that says so is a bug to see.
            Err(error) => format!("# a collector failed: {error}\n"),
        }
    }
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}
