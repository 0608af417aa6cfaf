//! One trial of a node in front of Kafka: clicks are sent while Kafka fails, and everything is
//! judged at the topic once it is back.

use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::node::{Judge, Pattern, Speed, Verdict, is_long, poll};
use crate::route::Route;
use crate::row::{Lookout, Row};

/// Clicks on their way through a node to Kafka.
pub struct Trial {
    pub route: Route,
    row: Row,
    lookout: Lookout,
    rate: f64,
}

/// A node that has recovered, and what the clients saw.
pub struct Recovered {
    pub route: Route,
    pub judge: Judge,
    pub speed: Speed,
}

impl Trial {
    /// Begins to send `rate` clicks a second, and goes on until the first of them are in Kafka.
    pub fn start(route: Route, rate: f64) -> Self {
        let pattern = Pattern { rate: Some(rate), connections: 64, ..Pattern::default() };
        let row = Row::start(&route.node, pattern);
        let lookout = Lookout::start(&route.node);
        route.wait_for("waypost_kafka_acknowledged_total", |count| count > rate / 2.0);
        Self { route, row, lookout, rate }
    }

    /// Sends for another while.
    pub fn go_on(&self, length: Duration) {
        self.row.go_on(length);
    }

    /// Sends while Kafka does not take events, for `short` or, in the long form, ten minutes.
    /// Waits until the node says so, and sees that its memory is flat from then on.
    pub fn through_outage(&self, short: Duration, reason: &str) {
        let length = if is_long() { LONG } else { short };
        let begun = Instant::now();
        self.route.wait_for_degraded(reason, true);
        let name = format!("waypost_degraded{{reason=\"{reason}\"}}");
        assert_eq!(self.route.metric(&name), 1.0);
        // What the window and the queues may hold is under way by then.
        sleep((length / 3).saturating_sub(begun.elapsed()));
        let before = self.route.node.resident();
        self.go_on(length.saturating_sub(begun.elapsed()));
        let after = self.route.node.resident();
        let lag = self.route.metric("waypost_kafka_lag_events");
        println!("after {:.0?}: {lag} events of lag, {before} then {after} kB", begun.elapsed());
        assert!(after < before + FLAT, "{before} kB, then {after} kB");
        assert!(self.route.metric("waypost_kafka_lag_seconds") > length.as_secs_f64() / 2.0);
    }

    /// Goes on sending while Kafka is back, until nothing lags; events must come faster out of the
    /// journal than into it.
    pub fn drain(&self) {
        let acknowledged = || self.route.metric("waypost_kafka_acknowledged_total");
        let before = acknowledged();
        let begun = poll("events are acknowledged again", || {
            let now = Instant::now();
            (acknowledged() > before).then_some(now)
        });
        let is_near = |lag: f64| lag < self.rate / 2.0;
        self.route.wait_for("waypost_kafka_lag_events", is_near);
        let rate = (acknowledged() - before) / begun.elapsed().as_secs_f64();
        println!("drained {rate:.0} events a second while {:.0} came", self.rate);
        assert!(rate > 2.0 * self.rate, "{rate}");
    }

    /// Ends the traffic, and waits until everything is in Kafka and the node, which was degraded
    /// meanwhile and never unready, no longer is.
    pub fn recover(self) -> Recovered {
        let Self { route, row, lookout, .. } = self;
        let (judge, speed) = row.told();
        route.wait_for("waypost_events_in_progress", |count| count == 0.0);
        route.wait_until_shipped(1);
        for reason in ["kafka", "kafka_lag"] {
            route.wait_for_degraded(reason, false);
        }
        let reasons = lookout.end();
        println!("degraded: {reasons:?}");
        assert!(reasons.contains("kafka"), "{reasons:?}");
        Recovered { route, judge, speed }
    }

    /// Ends the traffic and judges what `read` then finds in the topic.
    pub fn end(self, read: impl FnOnce() -> Vec<String>) -> Verdict {
        let acknowledged = "waypost_kafka_settled_acknowledged";
        let Recovered { route, judge, speed } = self.recover();
        let values = read();
        let verdict = judge.judge(values.iter().map(String::as_str));
        println!("{verdict} {speed}");
        // No visitor saw anything of it.
        assert_eq!((verdict.missing, verdict.spurious, verdict.wrong), (0, 0, 0), "{verdict}");
        assert_eq!((verdict.ambiguous, verdict.unrecorded), (0, 0), "{verdict}");
        assert!(speed.longest() < IN_TIME, "{speed}");
        assert_eq!(route.metric(acknowledged), verdict.asked as f64);
        verdict
    }
}

/// The longest that a click may take under any fault.
const IN_TIME: Duration = Duration::from_millis(2_100);
const LONG: Duration = Duration::from_secs(600);
/// kB: how much more memory is still flat.
const FLAT: usize = 4 << 10;
