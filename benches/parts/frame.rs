//! Making frames of events, and stamping them into blocks, over a disk that costs nothing.

use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};

use criterion::{BenchmarkId, Criterion, Throughput};
use waypost::clock::{Clock, SystemClock, Timestamp};
use waypost::disk::Disk;
use waypost::journal::{Appender, Config, Crew, Frame, Journal, Stream};
use waypost::metrics::Metrics;

use crate::event;
use crate::nowhere::Nowhere;

pub(crate) fn bench(criterion: &mut Criterion) {
    let body = event::encoded();
    let mut group = criterion.benchmark_group("frame");
    for batch in [1_u64, 256] {
        group.throughput(Throughput::Elements(batch));
        // One frame into the queue: its sequence, its bytes.
        group.bench_function(BenchmarkId::new("encode", batch), |bencher| {
            let mut still = Still::new(Arc::new(Nowhere), &Config::default());
            bencher.iter_custom(|times| {
                still.measure(times, batch, &body, |still, body| still.append(batch, body))
            });
        });
        // A batch out of the queue: stamped, put into blocks, written, published.
        group.bench_function(BenchmarkId::new("stamp", batch), |bencher| {
            let mut still = Still::new(Arc::new(Nowhere), &Config::default());
            bencher.iter_custom(|times| {
                let mut took = Duration::ZERO;
                for _ in 0..times {
                    still.append(batch, &body);
                    took += still.make_durable();
                }
                took
            });
        });
    }
    group.finish();
}

/// A journal that is moved by hand.
pub(crate) struct Still {
    journal: Journal,
    crew: Crew,
    appender: Appender,
}

impl Still {
    pub(crate) fn new(disk: Arc<dyn Disk>, config: &Config) -> Self {
        let (clock, metrics): (Arc<dyn Clock>, _) = (Arc::new(SystemClock), Metrics::new());
        let (journal, crew) = Journal::at_rest(config, disk, clock, &metrics).unwrap();
        let appender = journal.appender(metrics.ledger.open());
        let mut still = Self { journal, crew, appender };
        still.make_durable();
        still
    }

    /// Queues `count` frames.
    pub(crate) fn append(&self, count: u64, body: &[u8]) {
        for _ in 0..count {
            let time = Timestamp::from_seconds(1_767_225_600);
            let frame = Frame { stream: Stream::Events, time, id: [7; 16], key: b"message", body };
            self.appender.account().received();
            drop(black_box(self.appender.append(&frame).unwrap()));
        }
    }

    /// Moves the writer until all that was queued is durable; returns how long its turns took.
    /// The keeper's turns are another thread's in a node, and are not counted.
    pub(crate) fn make_durable(&mut self) -> Duration {
        let mut took = Duration::ZERO;
        while self.journal.durable() < self.journal.next_sequence() {
            let began = Instant::now();
            while self.crew.write() {}
            took += began.elapsed();
            while self.crew.keep() {}
        }
        self.appender.settle_now();
        took
    }

    /// Measures `work`, with the queue emptied in between.
    fn measure(
        &mut self,
        times: u64,
        batch: u64,
        body: &[u8],
        work: impl Fn(&Self, &[u8]),
    ) -> Duration {
        let mut took = Duration::ZERO;
        // As many as a reactor queues while the writer is at the disk.
        let together = (256 / batch).max(1);
        let mut done = 0;
        while done < times {
            let count = together.min(times - done);
            let began = Instant::now();
            for _ in 0..count {
                work(self, body);
            }
            took += began.elapsed();
            self.make_durable();
            done += count;
        }
        took
    }
}
