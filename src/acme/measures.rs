//! What is counted of orders. No name is ever a label.

use std::time::Duration;

use http::StatusCode;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;

use crate::fetch::FetchError;
use crate::metrics::Metrics;

/// The counts. Cloning shares them.
#[derive(Clone, Debug)]
pub(super) struct Measures {
    requests: Family<Asked, Counter>,
    request_seconds: Histogram,
    orders: Family<Ordered, Counter>,
    order_seconds: Histogram,
    order_requests: Family<Spent, Counter>,
    /// Orders that are being worked on.
    pub(super) in_progress: Gauge,
    queued: Family<Queued, Gauge>,
}

#[derive(Clone, Debug, EncodeLabelSet, Hash, PartialEq, Eq)]
struct Asked {
    issuer: String,
    result: String,
}

#[derive(Clone, Debug, EncodeLabelSet, Hash, PartialEq, Eq)]
struct Ordered {
    issuer: String,
    result: &'static str,
}

#[derive(Clone, Debug, EncodeLabelSet, Hash, PartialEq, Eq)]
struct Spent {
    issuer: String,
}

#[derive(Clone, Debug, EncodeLabelSet, Hash, PartialEq, Eq)]
struct Queued {
    state: &'static str,
}

impl Measures {
    pub(super) fn new(metrics: &Metrics) -> Self {
        let buckets = [0.01, 0.05, 0.2, 1.0, 3.0, 10.0, 30.0, 120.0];
        let measures = Self {
            requests: Family::default(),
            request_seconds: Histogram::new(buckets),
            orders: Family::default(),
            order_seconds: Histogram::new(buckets),
            order_requests: Family::default(),
            in_progress: Gauge::default(),
            queued: Family::default(),
        };
        metrics.register(|registry| {
            let help = "Requests to certification authorities, by authority and result";
            registry.register("acme_requests", help, measures.requests.clone());
            let help = "How long a certification authority took to answer, failures included";
            registry.register("acme_request_seconds", help, measures.request_seconds.clone());
            let help = "Orders of certificates, by authority and what they came to";
            registry.register("acme_orders", help, measures.orders.clone());
            let help = "How long orders took that led to a certificate";
            registry.register("acme_order_seconds", help, measures.order_seconds.clone());
            let help = "Requests that orders took which led to a certificate";
            registry.register("acme_order_requests", help, measures.order_requests.clone());
            let help = "Orders that are being worked on";
            registry.register("acme_orders_in_progress", help, measures.in_progress.clone());
            let help = "Orders that are kept, by state";
            registry.register("acme_orders_kept", help, measures.queued.clone());
        });
        measures
    }

    pub(super) fn asked(
        &self,
        issuer: &str,
        result: Result<StatusCode, &FetchError>,
        took: Duration,
    ) {
        let result = match result {
            Ok(status) => status.as_str().to_owned(),
            Err(error) => error.code().to_owned(),
        };
        self.requests.get_or_create(&Asked { issuer: issuer.to_owned(), result }).inc();
        self.request_seconds.observe(took.as_secs_f64());
    }

    pub(super) fn ordered(&self, issuer: &str, result: &'static str, took: Duration) {
        self.orders.get_or_create(&Ordered { issuer: issuer.to_owned(), result }).inc();
        if result == ISSUED {
            self.order_seconds.observe(took.as_secs_f64());
        }
    }

    /// What an order cost that led to a certificate.
    pub(super) fn spent(&self, issuer: &str, requests: u32) {
        let spent = Spent { issuer: issuer.to_owned() };
        self.order_requests.get_or_create(&spent).inc_by(requests.into());
    }

    pub(super) fn queued(&self, state: &'static str, count: u64) {
        let gauge = self.queued.get_or_create(&Queued { state });
        gauge.set(i64::try_from(count).unwrap_or(i64::MAX));
    }
}

/// What an order comes to that ends well.
pub(super) const ISSUED: &str = "issued";
