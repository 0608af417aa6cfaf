//! The bounds that keys set on the journal's queue, its gathering and its age, and on the cache of
//! certificates.

#![allow(clippy::disallowed_methods, reason = "a test reads files and clocks")]
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod node;

use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use node::{HangingDisk, folder};
use waypost::clock::{Clock, SystemClock, Timestamp};
use waypost::disk::Disk;
use waypost::drain::Drain;
use waypost::hostname::Hostname;
use waypost::journal::{self, Frame, Journal, Refused, Stream};
use waypost::metrics::Metrics;
use waypost::store::{SealKey, SealedFile};
use waypost::tls::{self, Certificates, ThrowawayAuthority};

/// The journal's own keys, on a disk that hangs and a clock that jumps.
#[tokio::test]
async fn the_journal_queues_gathers_and_forgets_as_its_keys_say() {
    let folder = folder();
    let flag = folder.path().join("hang");
    let clock = Arc::new(JumpingClock::default());
    let config = journal::Config {
        directory: folder.path().join("journal"),
        segment: 4_096,
        queue: 8_192,
        gather: Duration::from_millis(700),
        retention_age: Duration::from_secs(3_600),
        ..journal::Config::default()
    };
    let disk: Arc<dyn Disk> = Arc::new(HangingDisk::new(flag.clone()));
    let (drain, metrics) = (Drain::new(), Metrics::new());
    let wall: Arc<dyn Clock> = clock.clone();
    let journal = Journal::open(&config, disk, wall, &metrics, &drain).unwrap();
    let appender = journal.appender(metrics.ledger.open());
    let append = || {
        appender.account().received();
        let frame = Frame {
            stream: Stream::Events,
            time: Timestamp::from_seconds(5),
            id: [7; 16],
            key: b"key",
            body: &[b'x'; 500],
        };
        appender.append(&frame).map(|durable| durable.sequence())
    };
    let durable = async |sequence| {
        tokio::time::timeout(PATIENCE, journal.durable_past(sequence)).await.unwrap();
    };
    durable(append().unwrap()).await;
    // The writer takes one and hangs; the next ones gather behind it.
    fs::write(&flag, "").unwrap();
    append().unwrap();
    while journal.waiting() > 0 {
        tokio::task::yield_now().await;
    }
    let mut taken = 0;
    let refused = loop {
        match append() {
            Ok(_) => taken += 1,
            Err(refused) => break refused,
        }
        assert!(taken < 1_000, "journal.queue");
    };
    assert_eq!(refused, Refused::QueueFull);
    assert!((8..=16).contains(&taken), "journal.queue: {taken}");
    fs::remove_file(&flag).unwrap();
    durable(journal.next_sequence() - 1).await;
    // After a batch of several a lone one waits for others, as long as it may.
    let begun = Instant::now();
    let several = append().unwrap().max(append().unwrap());
    durable(several).await;
    durable(append().unwrap()).await;
    assert!(begun.elapsed() >= Duration::from_millis(600), "journal.gather");
    // Two hours later, and a segment further, what was before is gone.
    clock.jump(Duration::from_secs(7_200));
    let begun = Instant::now();
    while !metrics.text().lines().any(|line| {
        line.strip_prefix("waypost_journal_deleted_frames_total ").is_some_and(|count| count != "0")
    }) {
        assert!(begun.elapsed() < PATIENCE, "journal.retention_age");
        durable(append().unwrap()).await;
    }
    journal.close();
    assert_eq!(drain.finished(PATIENCE).await, 0);
}

/// Certificates that are issued and not in files are forgotten past the size of the cache.
#[tokio::test]
async fn the_cache_of_certificates_is_as_large_as_its_key_says() {
    let mut issued_again = Vec::new();
    for cache in [10_000, 10] {
        let folder = folder();
        let disk: Arc<dyn Disk> = Arc::new(waypost::disk::SystemDisk);
        let hosts: Vec<_> =
            (0..200).map(|n| Hostname::parse(&format!("h{n}.example")).unwrap()).collect();
        let now = SystemClock.wall();
        let authority =
            ThrowawayAuthority::open(&*disk, folder.path(), hosts.clone(), now).unwrap();
        let tickets = SealedFile {
            path: folder.path().join("tickets"),
            purpose: "tickets",
            key: SealKey::load_or_make(&*disk, &folder.path().join("seal.key")).unwrap(),
            disk: Arc::clone(&disk),
        };
        let config = tls::Config { cache, ..tls::Config::default() };
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let certificates =
            Certificates::open(&config, Some(authority), tickets, disk, clock, &Metrics::new());
        let certificates = certificates.unwrap();
        let mut first = Vec::new();
        for host in &hosts {
            first.push(certificates.find(host).await.unwrap());
        }
        let begun = Instant::now();
        // The cache tidies itself now and then.
        let again = loop {
            let mut again = 0;
            for (host, first) in hosts.iter().zip(&first) {
                again += usize::from(!Arc::ptr_eq(first, &certificates.find(host).await.unwrap()));
            }
            if again > 0 || cache > 200 || begun.elapsed() > PATIENCE {
                break again;
            }
        };
        issued_again.push(again);
    }
    assert!(issued_again[0] == 0 && issued_again[1] > 100, "tls.cache: {issued_again:?}");
}

/// The machine's clocks, with a wall clock that can be set on.
#[derive(Debug, Default)]
struct JumpingClock(AtomicU64);

impl JumpingClock {
    fn jump(&self, on: Duration) {
        self.0.fetch_add(on.as_secs(), Ordering::SeqCst);
    }
}

impl Clock for JumpingClock {
    fn now(&self) -> Instant {
        // Both clocks go on: a wall clock that jumps alone is not believed.
        SystemClock.now() + Duration::from_secs(self.0.load(Ordering::SeqCst))
    }

    fn wall(&self) -> Timestamp {
        let on = self.0.load(Ordering::SeqCst);
        SystemClock.wall().plus(Duration::from_secs(on))
    }
}

const PATIENCE: Duration = Duration::from_secs(20);
