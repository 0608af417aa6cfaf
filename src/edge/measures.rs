//! What the public door counts. Never a hostname in a label.
//!
//! Each reactor counts for itself, in cells that only its thread writes, so that counting costs
//! no contended memory; a scrape adds them up.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use http::StatusCode;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric, NoLabelSet};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;

/// The tallies of all reactors. Cloning shares them.
#[derive(Clone, Debug, Default)]
pub(super) struct Measures {
    tallies: Arc<Mutex<Vec<Arc<Tally>>>>,
}

/// What one reactor counts. Only its thread may write.
#[derive(Debug, Default)]
pub(super) struct Tally {
    requests: [[Cell; STATUSES.len()]; Page::NAMES.len()],
    seconds: [Cell; BOUNDS.len() + 1],
    nanoseconds: Cell,
    handshakes: [Cell; Handshake::NAMES.len()],
    deadlines: [Cell; Deadline::NAMES.len()],
    open: [Cell; State::NAMES.len()],
    crowded: Cell,
    accept_errors: Cell,
    unproxied: Cell,
    panics: [Cell; Panic::NAMES.len()],
}

macro_rules! label {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $text:literal,)+ }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(super) enum $name { $($(#[$variant_doc])* $variant,)+ }

        impl $name {
            const NAMES: &[&str] = &[$($text),+];
        }
    };
}

label! {
    /// What was asked.
    Page {
        Click = "click",
        Open = "open",
        Challenge = "challenge",
        Robots = "robots",
        Home = "home",
        /// Of a customer's name.
        Sheet = "page",
        Check = "check",
        NotFound = "not_found",
        Refused = "refused",
    }
}

label! {
    /// How a handshake ended.
    Handshake {
        Full = "full",
        Resumed = "resumed",
        /// No name in the hello.
        NoName = "no_name",
        UnknownName = "unknown_name",
        /// Our fault: a certificate that we should have could not be had.
        NoCertificate = "no_certificate",
        /// Too many wait for certificates.
        Crowded = "crowded",
        TimedOut = "timed_out",
        Failed = "failed",
    }
}

label! {
    /// Which deadline closed a connection.
    Deadline {
        Proxy = "proxy",
        Handshake = "handshake",
        FirstRequest = "first_request",
        Header = "header",
        Idle = "idle",
        Write = "write",
    }
}

label! {
    /// What a panic ended: our fault, and nobody else's end.
    Panic {
        Request = "request",
        Connection = "connection",
    }
}

label! {
    /// What an open connection is doing.
    State {
        Handshake = "handshake",
        /// It waits for a certificate that is being ordered.
        Waiting = "waiting",
        Http1 = "http1",
        Http2 = "http2",
        Parked = "parked",
    }
}

impl Measures {
    /// A tally for one more reactor.
    pub(super) fn tally(&self) -> Arc<Tally> {
        let tally = Arc::new(Tally::default());
        self.tallies.lock().unwrap_or_else(PoisonError::into_inner).push(Arc::clone(&tally));
        tally
    }

    fn sum(&self, of: impl Fn(&Tally) -> &Cell) -> u64 {
        let tallies = self.tallies.lock().unwrap_or_else(PoisonError::into_inner);
        // Wrapping, since a gauge's cell of one reactor is never negative but its sum is read
        // while others write.
        tallies.iter().fold(0, |sum, tally| sum.wrapping_add(of(tally).value()))
    }
}

impl Tally {
    /// An answer was given.
    pub(super) fn answered(&self, page: Page, status: StatusCode) {
        let at = STATUSES.iter().position(|known| *known == status.as_u16());
        self.requests[page as usize][at.unwrap_or(STATUSES.len() - 1)].add(1);
    }

    /// How long an answer that was recorded took.
    pub(super) fn took(&self, wait: Duration) {
        let at = BOUNDS.iter().position(|bound| wait.as_secs_f64() <= *bound);
        self.seconds[at.unwrap_or(BOUNDS.len())].add(1);
        self.nanoseconds.add(u64::try_from(wait.as_nanos()).unwrap_or(u64::MAX));
    }

    pub(super) fn handshake(&self, result: Handshake) {
        self.handshakes[result as usize].add(1);
    }

    /// A deadline closed a connection.
    pub(super) fn closed(&self, deadline: Deadline) {
        self.deadlines[deadline as usize].add(1);
    }

    /// A connection was refused because its address has too many newcomers.
    pub(super) fn crowded(&self) {
        self.crowded.add(1);
    }

    /// A connection could not be accepted.
    pub(super) fn accept_error(&self) {
        self.accept_errors.add(1);
    }

    /// A connection of a proxy did not begin with the header that it must begin with.
    pub(super) fn unproxied(&self) {
        self.unproxied.add(1);
    }

    /// A panic ended something.
    pub(super) fn fell(&self, what: Panic) {
        self.panics[what as usize].add(1);
    }

    /// Whether this reactor has open connections.
    pub(super) fn has_open(&self) -> bool {
        self.open.iter().any(|count| count.value() > 0)
    }

    /// Counts a connection as open until the guard is dropped.
    pub(super) fn standing(self: &Arc<Self>, state: State) -> Standing {
        self.open[state as usize].add(1);
        Standing { tally: Arc::clone(self), state }
    }
}

/// A connection among those that are open.
#[derive(Debug)]
pub(super) struct Standing {
    tally: Arc<Tally>,
    state: State,
}

impl Standing {
    /// The connection does something else from here on.
    pub(super) fn set(&mut self, state: State) {
        self.tally.open[self.state as usize].add(u64::MAX);
        self.tally.open[state as usize].add(1);
        self.state = state;
    }
}

impl Drop for Standing {
    fn drop(&mut self) {
        self.tally.open[self.state as usize].add(u64::MAX);
        if std::thread::panicking() {
            self.tally.fell(Panic::Connection);
        }
    }
}

/// A count that one thread writes and others read: no locked instruction is needed.
#[derive(Default)]
struct Cell(AtomicU64);

impl Cell {
    fn add(&self, count: u64) {
        self.0.store(self.0.load(Relaxed).wrapping_add(count), Relaxed);
    }

    fn value(&self) -> u64 {
        self.0.load(Relaxed)
    }
}

impl fmt::Debug for Cell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.value().fmt(f)
    }
}

impl Collector for Measures {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let help = "Requests answered, by what was asked and the status";
        let mut family = encoder.encode_descriptor("requests", help, None, MetricType::Counter)?;
        for (page, name) in Page::NAMES.iter().enumerate() {
            for (at, status) in STATUSES.iter().enumerate() {
                let value = self.sum(|tally| &tally.requests[page][at]);
                if value > 0 {
                    let status = status.to_string();
                    let labels = [("route", *name), ("status", status.as_str())];
                    ConstCounter::new(value).encode(family.encode_family(&labels)?)?;
                }
            }
        }
        let help = "TLS handshakes, by how they ended";
        self.counters(&mut encoder, ("tls_handshakes", help), "result", Handshake::NAMES, |t| {
            &t.handshakes
        })?;
        let help = "Connections closed by a deadline, by its kind";
        self.counters(&mut encoder, ("deadline_closes", help), "kind", Deadline::NAMES, |t| {
            &t.deadlines
        })?;
        let help = "Requests and connections that ended by a panic, which ends nothing else";
        self.counters(&mut encoder, ("panics", help), "of", Panic::NAMES, |t| &t.panics)?;
        let help = "Open connections, by what they are doing";
        let mut family =
            encoder.encode_descriptor("connections_open", help, None, MetricType::Gauge)?;
        for (at, name) in State::NAMES.iter().enumerate() {
            let value = self.sum(|tally| &tally.open[at]).cast_signed();
            ConstGauge::new(value).encode(family.encode_family(&[("state", *name)])?)?;
        }
        let help = "Connections refused because their address has too many newcomers";
        let counter =
            encoder.encode_descriptor("connections_crowded", help, None, MetricType::Counter)?;
        ConstCounter::new(self.sum(|tally| &tally.crowded)).encode(counter)?;
        let help = "Connections of proxies closed for want of a right PROXY header";
        let counter =
            encoder.encode_descriptor("proxy_headers_refused", help, None, MetricType::Counter)?;
        ConstCounter::new(self.sum(|tally| &tally.unproxied)).encode(counter)?;
        let help = "Failures to accept a connection, such as having no descriptor left";
        let counter =
            encoder.encode_descriptor("accept_errors", help, None, MetricType::Counter)?;
        ConstCounter::new(self.sum(|tally| &tally.accept_errors)).encode(counter)?;
        self.seconds(&mut encoder)
    }
}

impl Measures {
    fn counters<const N: usize>(
        &self,
        encoder: &mut DescriptorEncoder<'_>,
        (name, help): (&str, &str),
        label: &str,
        values: &[&str],
        of: impl Fn(&Tally) -> &[Cell; N],
    ) -> fmt::Result {
        let mut family = encoder.encode_descriptor(name, help, None, MetricType::Counter)?;
        for (at, value) in values.iter().enumerate() {
            let counter = ConstCounter::new(self.sum(|tally| &of(tally)[at]));
            counter.encode(family.encode_family(&[(label, *value)])?)?;
        }
        Ok(())
    }

    fn seconds(&self, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
        let help = "Time from a click's or open's request to its answer, the disk included";
        let mut histogram =
            encoder.encode_descriptor("answer_seconds", help, None, MetricType::Histogram)?;
        let bounds = BOUNDS.iter().copied().chain([f64::INFINITY]);
        let buckets: Vec<(f64, u64)> =
            bounds.enumerate().map(|(at, b)| (b, self.sum(|tally| &tally.seconds[at]))).collect();
        let count = buckets.iter().map(|(_, count)| count).sum();
        let sum = Duration::from_nanos(self.sum(|tally| &tally.nanoseconds)).as_secs_f64();
        histogram.encode_histogram::<NoLabelSet>(sum, count, &buckets, None)
    }
}

const STATUSES: &[u16] = &[200, 302, 303, 400, 403, 404, 405, 413, 421, 503, 500];
const BOUNDS: &[f64] = &[0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.0];
