use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use rcgen::{CertificateParams, KeyPair, date_time_ymd};

use super::{CertificateFiles, Certificates, Config, FilesError, Miss, StartError};
use super::{ThrowawayAuthority, Unusable};
use crate::clock::{Clock, SystemClock, Timestamp};
use crate::disk::{Disk, SystemDisk};
use crate::hostname::Hostname;
use crate::metrics::Metrics;
use crate::store::{SealKey, SealedFile};

#[derive(Debug)]
struct SetClock(AtomicU64);

impl SetClock {
    fn at(seconds: u64) -> Arc<Self> {
        Arc::new(Self(AtomicU64::new(seconds)))
    }
}

impl Clock for SetClock {
    fn now(&self) -> Instant {
        SystemClock.now()
    }

    fn wall(&self) -> Timestamp {
        Timestamp::from_seconds(self.0.load(Ordering::Relaxed))
    }
}

/// 2026-01-01, in the middle of what [`pair`] is valid for.
const NOW: u64 = 1_767_225_600;

fn host(name: &str) -> Hostname {
    Hostname::parse(name).unwrap()
}

/// A chain and a key for `name`, valid from 2025 to `until`.
fn pair(name: &str, until: i32) -> (String, String) {
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
    params.not_before = date_time_ymd(2025, 1, 1);
    params.not_after = date_time_ymd(until, 1, 1);
    (params.self_signed(&key).unwrap().pem(), key.serialize_pem())
}

fn put(folder: &Path, (chain, key): (&str, &str)) {
    let disk: &dyn Disk = &SystemDisk;
    disk.write_whole(&folder.join("chain.pem"), chain.as_bytes()).unwrap();
    disk.write_whole(&folder.join("key.pem"), key.as_bytes()).unwrap();
}

fn open(folder: &Path, hosts: &[&str]) -> Result<Certificates, StartError> {
    let files = CertificateFiles {
        hosts: hosts.iter().map(|name| host(name)).collect(),
        chain: folder.join("chain.pem"),
        key: folder.join("key.pem"),
    };
    let config = Config { certificates: vec![files], ..Config::default() };
    let (disk, clock) = (Arc::new(SystemDisk), SetClock::at(NOW));
    Certificates::open(&config, None, tickets(folder), disk, clock, &Metrics::new())
}

fn tickets(folder: &Path) -> SealedFile {
    let key = SealKey::load_or_make(&SystemDisk, &folder.join("seal.key")).unwrap();
    SealedFile { path: folder.join("tickets"), purpose: "tickets", key, disk: Arc::new(SystemDisk) }
}

fn refused(result: Result<Certificates, StartError>) -> Unusable {
    let result = result.unwrap().require_one();
    let StartError::Files(mut errors) = result.unwrap_err() else { panic!("expected files") };
    let Some(FilesError::Unusable { error, .. }) = errors.pop() else { panic!("expected one") };
    error
}

#[test]
fn what_cannot_be_served_is_refused_at_start_with_its_reason() {
    let folder = tempfile::tempdir().unwrap();
    let (chain, key) = pair("a.example", 2030);
    let (expired, expired_key) = pair("a.example", 2026);
    let (_, other_key) = pair("a.example", 2030);

    put(folder.path(), (&expired, &expired_key));
    let at_the_end = open(folder.path(), &["a.example"]);
    let at_the_end = at_the_end.unwrap().require_one();
    assert!(at_the_end.is_ok(), "2026-01-01T00:00:00 is the last second: {at_the_end:?}");
    let (expired, expired_key) = pair("a.example", 2025);
    put(folder.path(), (&expired, &expired_key));
    assert!(matches!(refused(open(folder.path(), &["a.example"])), Unusable::Expired(_)));
    put(folder.path(), (&chain, &other_key));
    assert!(matches!(refused(open(folder.path(), &["a.example"])), Unusable::OtherKey));
    put(folder.path(), (&chain, &key));
    let error = refused(open(folder.path(), &["a.example", "b.example"]));
    assert!(matches!(error, Unusable::NotFor(name) if name == host("b.example")));
    put(folder.path(), ("nothing", &key));
    assert!(matches!(refused(open(folder.path(), &["a.example"])), Unusable::NoCertificate));
    put(folder.path(), (&chain, "nothing"));
    assert!(matches!(refused(open(folder.path(), &["a.example"])), Unusable::Key(_)));
}

#[tokio::test]
async fn a_working_certificate_is_never_replaced_by_a_broken_one() {
    let folder = tempfile::tempdir().unwrap();
    let (chain, key) = pair("a.example", 2030);
    put(folder.path(), (&chain, &key));
    let certificates = open(folder.path(), &["a.example"]).unwrap();
    certificates.require_one().unwrap();
    let first = certificates.find(&host("a.example")).await.unwrap();
    assert_eq!(certificates.reload(), 0, "nothing changed");

    let (expired, expired_key) = pair("a.example", 2025);
    let (foreign, foreign_key) = pair("b.example", 2030);
    let (renewed, renewed_key) = pair("a.example", 2031);
    for (chain, key) in
        [(&expired, &expired_key), (&foreign, &foreign_key), (&renewed, &foreign_key)]
    {
        put(folder.path(), (chain, key));
        assert_eq!(certificates.reload(), 0);
        let now = certificates.find(&host("a.example")).await.unwrap();
        assert!(Arc::ptr_eq(&first, &now));
    }
    put(folder.path(), (&renewed, &renewed_key));
    assert_eq!(certificates.reload(), 1);
    let now = certificates.find(&host("a.example")).await.unwrap();
    assert!(!Arc::ptr_eq(&first, &now), "the renewed one is served");
}

#[tokio::test]
async fn a_pair_that_cannot_be_served_closes_no_other_name_and_is_taken_up_when_mended() {
    let folder = tempfile::tempdir().unwrap();
    let files = |name: &str| CertificateFiles {
        hosts: vec![host(name)],
        chain: folder.path().join(name).join("chain.pem"),
        key: folder.path().join(name).join("key.pem"),
    };
    let (good, good_key) = pair("a.example", 2030);
    let (expired, expired_key) = pair("b.example", 2025);
    for (name, pair) in [("a.example", (&good, &good_key)), ("b.example", (&expired, &expired_key))]
    {
        (&SystemDisk as &dyn Disk).create_directory(&folder.path().join(name)).unwrap();
        put(&folder.path().join(name), (pair.0, pair.1));
    }
    // Of the third there is no file at all.
    let certificates = ["a.example", "b.example", "c.example"].map(files).to_vec();
    let config = Config { certificates, ..Config::default() };
    let (disk, clock, metrics) = (Arc::new(SystemDisk), SetClock::at(NOW), Metrics::new());
    let tickets = tickets(folder.path());
    let held = Certificates::open(&config, None, tickets, disk, clock.clone(), &metrics).unwrap();
    held.require_one().unwrap();
    assert!(held.find(&host("a.example")).await.is_ok());
    for name in ["b.example", "c.example"] {
        assert!(held.find(&host(name)).await.is_err() && !held.serves(&host(name)), "{name}");
    }
    assert_eq!(metrics.degraded.reasons(), ["certificates"]);

    for (name, mended, remains) in [("b.example", 1, true), ("c.example", 1, false)] {
        (&SystemDisk as &dyn Disk).create_directory(&folder.path().join(name)).unwrap();
        let (chain, key) = pair(name, 2030);
        put(&folder.path().join(name), (&chain, &key));
        assert_eq!(held.reload(), mended);
        assert!(held.find(&host(name)).await.is_ok(), "{name}");
        assert_eq!(!metrics.degraded.reasons().is_empty(), remains, "{name}");
    }
    // What is served and expires is told too.
    clock.0.fetch_add(10 * 365 * 86_400, Ordering::Relaxed);
    assert_eq!(held.reload(), 0);
    assert!(held.find(&host("a.example")).await.is_ok());
    assert_eq!(metrics.degraded.reasons(), ["certificates"]);
}

#[tokio::test]
async fn a_name_that_nothing_is_held_for_is_a_miss() {
    let folder = tempfile::tempdir().unwrap();
    let (chain, key) = pair("*.a.example", 2030);
    put(folder.path(), (&chain, &key));
    let certificates = open(folder.path(), &["x.a.example"]).unwrap();
    assert!(certificates.find(&host("x.a.example")).await.is_ok());
    // Covered by the certificate, but nobody configured it.
    let miss = certificates.find(&host("y.a.example")).await.unwrap_err();
    assert!(matches!(miss, Miss::Unknown(name) if name == host("y.a.example")));
}

#[tokio::test]
async fn the_throwaway_authority_is_kept_and_its_leaves_are_renewed_in_time() {
    let folder = tempfile::tempdir().unwrap();
    let clock = SetClock::at(NOW);
    let authority = |now| {
        let names = vec![host("trk.localhost")];
        ThrowawayAuthority::open(&SystemDisk, folder.path(), names, Timestamp::from_seconds(now))
    };
    let made = authority(NOW).unwrap();
    let again = authority(NOW + 86_400).unwrap();
    assert_eq!(made.certificate(), again.certificate());
    let after_its_life = authority(NOW + 11 * 365 * 86_400).unwrap();
    assert_ne!(made.certificate(), after_its_life.certificate());

    let clock_of = Arc::clone(&clock);
    let metrics = Metrics::new();
    let disk = Arc::new(SystemDisk);
    let (config, tickets) = (Config::default(), tickets(folder.path()));
    let certificates =
        Certificates::open(&config, Some(made), tickets, disk, clock_of, &metrics).unwrap();
    let name = host("trk.localhost");
    assert!(certificates.serves(&name) && !certificates.serves(&host("other.localhost")));
    let first = certificates.find(&name).await.unwrap();
    clock.0.fetch_add(Duration::from_secs(19 * 86_400).as_secs(), Ordering::Relaxed);
    assert!(Arc::ptr_eq(&first, &certificates.find(&name).await.unwrap()));
    clock.0.fetch_add(Duration::from_secs(2 * 86_400).as_secs(), Ordering::Relaxed);
    assert!(!Arc::ptr_eq(&first, &certificates.find(&name).await.unwrap()));
}

#[test]
fn a_folder_with_another_key_is_no_authority() {
    let folder = tempfile::tempdir().unwrap();
    let now = Timestamp::from_seconds(NOW);
    ThrowawayAuthority::open(&SystemDisk, folder.path(), Vec::new(), now).unwrap();
    let disk: &dyn Disk = &SystemDisk;
    let other = KeyPair::generate().unwrap().serialize_pem();
    disk.write_whole(&folder.path().join("ca.key"), other.as_bytes()).unwrap();
    let error = ThrowawayAuthority::open(&SystemDisk, folder.path(), Vec::new(), now).unwrap_err();
    assert!(error.to_string().contains("not for the key"), "{error}");
}
