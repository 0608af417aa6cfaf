//! What is counted of questions.

use std::time::Duration;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::Histogram;

use super::{Answer, Failure, Reply};
use crate::metrics::Metrics;

/// The counts. Cloning shares them.
#[derive(Clone, Debug)]
pub(super) struct Measures {
    questions: Family<Asked, Counter>,
    seconds: Histogram,
    /// Questions that the memory answered.
    pub(super) remembered: Counter,
    /// Questions that joined an identical one in flight.
    pub(super) joined: Counter,
}

#[derive(Clone, Debug, EncodeLabelSet, Hash, PartialEq, Eq)]
struct Asked {
    way: &'static str,
    result: &'static str,
}

/// Who was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    /// A configured resolver.
    Resolver,
    /// A zone's own server.
    Zone,
}

impl Measures {
    pub(super) fn new(metrics: &Metrics) -> Self {
        let measures = Self {
            questions: Family::default(),
            seconds: Histogram::new([0.001, 0.005, 0.02, 0.1, 0.5, 1.0, 2.0, 5.0]),
            remembered: Counter::default(),
            joined: Counter::default(),
        };
        metrics.register(|registry| {
            let help = "Questions sent to DNS servers, by who was asked and how it ended";
            registry.register("dns_questions", help, measures.questions.clone());
            let help = "How long a DNS server took to answer, failures included";
            registry.register("dns_seconds", help, measures.seconds.clone());
            let help = "Questions to the DNS that were answered from memory";
            registry.register("dns_remembered", help, measures.remembered.clone());
            let help = "Questions to the DNS that joined an identical one in flight";
            registry.register("dns_joined", help, measures.joined.clone());
        });
        measures
    }

    pub(super) fn asked(&self, way: Way, result: &Result<Reply, Failure>, took: Duration) {
        let way = match way {
            Way::Resolver => "resolver",
            Way::Zone => "zone",
        };
        let result = match result {
            Ok(reply) => match reply.answer {
                Answer::Found(_) => "found",
                Answer::NoData => "nodata",
                Answer::NoName => "nxdomain",
                Answer::Elsewhere => "elsewhere",
            },
            Err(failure) => failure.code(),
        };
        self.questions.get_or_create(&Asked { way, result }).inc();
        self.seconds.observe(took.as_secs_f64());
    }
}
