//! What is counted of orders. No name is ever a label.

use std::collections::BTreeMap;
use std::time::Duration;

use http::StatusCode;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;

use super::renewal::Advice;
use crate::fetch::FetchError;
use crate::metrics::Metrics;
use crate::tls::Remaining;

/// The counts. Cloning shares them.
#[derive(Clone, Debug)]
pub(super) struct Measures {
    requests: Family<Asked, Counter>,
    request_seconds: Histogram,
    orders: Family<Ordered, Counter>,
    order_seconds: Histogram,
    order_requests: Family<Spent, Counter>,
    /// Orders that are being worked on.
    in_progress: Gauge,
    queued: Family<Queued, Gauge>,
    waiting: Family<Waiting, Gauge>,
    left: Family<Left, Gauge>,
    overdue: Gauge,
    remaining: Family<Remains, Gauge>,
    advice: Family<Advised, Counter>,
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

#[derive(Clone, Debug, EncodeLabelSet, Hash, PartialEq, Eq)]
struct Waiting {
    queue: &'static str,
}

/// Held while an order is at work.
pub(super) struct AtWork(Gauge);

impl Drop for AtWork {
    fn drop(&mut self) {
        self.0.dec();
    }
}

#[derive(Clone, Debug, EncodeLabelSet, Hash, PartialEq, Eq)]
struct Left {
    issuer: String,
    purpose: &'static str,
}

#[derive(Clone, Debug, EncodeLabelSet, Hash, PartialEq, Eq)]
struct Remains {
    days_left: &'static str,
}

#[derive(Clone, Debug, EncodeLabelSet, Hash, PartialEq, Eq)]
struct Advised {
    issuer: String,
    answer: &'static str,
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
            waiting: Family::default(),
            left: Family::default(),
            overdue: Gauge::default(),
            remaining: Family::default(),
            advice: Family::default(),
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
            let help = "Names that wait to be certified, by queue, counted up to 10000";
            registry.register("acme_waiting", help, measures.waiting.clone());
            let help = "Orders that an authority still takes of us, by what they may be for";
            registry.register("acme_budget_left", help, measures.left.clone());
            let help = "For how long the oldest renewal is due that was not made";
            registry.register("acme_renewal_overdue_seconds", help, measures.overdue.clone());
            let help = "Certificates in the store, by the days that are left to them";
            registry.register("certificates", help, measures.remaining.clone());
            let help = "Questions when to renew a certificate, by authority and answer";
            registry.register("acme_renewal_questions", help, measures.advice.clone());
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

    /// One more order is at work, until what is returned is dropped.
    pub(super) fn at_work(&self) -> AtWork {
        self.in_progress.inc();
        AtWork(self.in_progress.clone())
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

    /// So many names wait in a queue.
    pub(super) fn waiting(&self, queue: &'static str, count: usize) {
        let gauge = self.waiting.get_or_create(&Waiting { queue });
        gauge.set(i64::try_from(count).unwrap_or(i64::MAX));
    }

    /// So many orders an authority still takes, of which a `reserve` is for renewals.
    pub(super) fn left(&self, issuer: &str, left: u32, reserve: u32) {
        for (purpose, left) in [("renewal", left), ("first", left.saturating_sub(reserve))] {
            let left_for = Left { issuer: issuer.to_owned(), purpose };
            self.left.get_or_create(&left_for).set(left.into());
        }
    }

    /// The oldest renewal is so late.
    pub(super) fn overdue(&self, late: Duration) {
        self.overdue.set(i64::try_from(late.as_secs()).unwrap_or(i64::MAX));
    }

    /// How long certificates have still to live.
    pub(super) fn remaining(&self, remaining: &Remaining) {
        let mut counts = BTreeMap::from(GROUPS.map(|(_, group)| (group, 0)));
        for (days, count) in &remaining.by_day {
            let group = GROUPS.iter().find(|(below, _)| days < below);
            *counts.entry(group.map_or(MORE, |(_, group)| *group)).or_default() += count;
        }
        *counts.entry(MORE).or_default() += remaining.longer;
        counts.insert("expired", remaining.expired);
        for (days_left, count) in counts {
            let gauge = self.remaining.get_or_create(&Remains { days_left });
            gauge.set(i64::try_from(count).unwrap_or(i64::MAX));
        }
    }

    /// An authority was asked when it suggests a renewal.
    pub(super) fn asked_about(&self, issuer: &str, advice: Advice) {
        let answer = match advice {
            Advice::Window(..) => "window",
            Advice::Malformed => "malformed",
            Advice::None => "none",
        };
        self.advice.get_or_create(&Advised { issuer: issuer.to_owned(), answer }).inc();
    }

    pub(super) fn queued(&self, state: &'static str, count: u64) {
        let gauge = self.queued.get_or_create(&Queued { state });
        gauge.set(i64::try_from(count).unwrap_or(i64::MAX));
    }
}

/// Groups of days that are left, each below its first.
const GROUPS: [(u16, &str); 6] = [
    (1, "under_1"),
    (7, "under_7"),
    (14, "under_14"),
    (30, "under_30"),
    (60, "under_60"),
    (100, "under_100"),
];
const MORE: &str = "more";
/// What an order comes to that ends well.
pub(super) const ISSUED: &str = "issued";
