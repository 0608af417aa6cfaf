//! The keys of `[domains]`, `[dns]` and `[store]` are heeded: each part does what its key says,
//! and not what it would do by default.

#![allow(clippy::disallowed_methods, reason = "a test reads clocks and files and starts processes")]
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod customers;
mod dns;
mod node;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use customers::{Customers, eventually};
use dns::{DnsServer, Fault, a};
use waypost::clock::{Clock, SystemClock, Timestamp};
use waypost::disk::SystemDisk;
use waypost::dns::{self as lookups, Failure, Lookup, Name, Question, Resolver};
use waypost::domains::{
    Added, Addition, Admission, Config, Domain, Finding, Gate, Glance, Known, Origin, Reason,
    Refusal, Register, Ruling, Sight, State, judge,
};
use waypost::drain::Drain;
use waypost::hostname::Hostname;
use waypost::metrics::Metrics;
use waypost::store::{
    self, Change, Content, Expected, Kind, LocalStore, SealKey, Store, StoreError,
};

fn host(text: &str) -> Hostname {
    Hostname::parse(text).unwrap()
}

fn seconds(count: u64) -> Duration {
    Duration::from_secs(count)
}

fn sight(finding: Finding) -> Sight {
    Sight { finding, chain: Vec::new(), servers: Vec::new() }
}

/// After how many seconds a domain in a state, so many looks and seconds old, is looked at again.
fn wait(config: &Config, state: State, looks: u32, age: u64) -> u64 {
    let added = Timestamp::from_seconds(1_000);
    let new = Domain::new(host("trk.example.com"), Origin::Operator, added);
    let domain = Domain { state, looks, is_told: true, ..new };
    let now = added.plus(seconds(age));
    let finding = if state.is_established() { Finding::Target } else { Finding::NoName };
    now.until(judge(&domain, &sight(finding), false, config, now).due).as_secs()
}

#[test]
fn names_are_looked_at_as_often_as_the_keys_say() {
    let plain = Config::default();
    let old = plain.abandoned_after.as_secs();
    let config = Config { poll_first: seconds(7), ..plain.clone() };
    assert_eq!((wait(&config, State::New, 0, 0), wait(&plain, State::New, 0, 0)), (7, 60));
    let config = Config { poll_longest: seconds(90), ..plain.clone() };
    assert_eq!((wait(&config, State::New, 99, 0), wait(&plain, State::New, 99, 0)), (90, 3_600));
    let config = Config { poll_abandoned: seconds(9_000), ..plain.clone() };
    for (state, age) in [(State::New, old), (State::Detached, 0)] {
        assert_eq!((wait(&config, state, 0, age), wait(&plain, state, 0, age)), (9_000, 86_400));
    }
    let config = Config { abandoned_after: seconds(50), ..plain.clone() };
    assert_eq!((wait(&config, State::New, 0, 50), wait(&plain, State::New, 0, 50)), (86_400, 60));
    let config = Config { poll_pointed: seconds(600), ..plain.clone() };
    assert_eq!(wait(&config, State::Pointed, 0, 0), 600);
    assert_eq!(wait(&plain, State::Pointed, 0, 0), 12 * 3_600);
}

#[test]
fn a_name_is_detached_by_as_many_answers_over_as_long_as_the_keys_say() {
    // At which of the answers, one an hour, it is detached.
    let detached = |config: &Config| {
        let new =
            Domain::new(host("trk.example.com"), Origin::Operator, Timestamp::from_seconds(0));
        let mut domain = Domain { state: State::Pointed, is_told: true, ..new };
        (0..200).find(|hour| {
            let now = Timestamp::from_seconds(hour * 3_600);
            domain = judge(&domain, &sight(Finding::NoName), false, config, now).domain;
            domain.state == State::Detached
        })
    };
    let plain = Config::default();
    assert_eq!(detached(&plain), Some(72));
    assert_eq!(detached(&Config { detach_after: seconds(7_200), ..plain.clone() }), Some(2));
    let many = Config { detach_answers: 100, ..plain };
    assert_eq!(detached(&many), Some(99));
}

fn gate(config: &Config) -> (Gate, Instant) {
    let now = SystemClock.now();
    (Gate::new(config.clone(), now), now)
}

#[test]
fn the_gate_refuses_as_the_keys_say() {
    let plain = Config::default();
    let is_deep = |labels| {
        let (mut gate, now) = gate(&Config { labels, ..plain.clone() });
        let ruling = gate.rule(&host("a.b.example.com"), Known::Unknown, now);
        ruling == Ruling::Refused(Refusal::Depth)
    };
    assert_eq!((is_deep(1), is_deep(2)), (true, false), "labels");

    let config = Config { refusal_first: seconds(3), refusal_longest: seconds(5), ..plain.clone() };
    let (mut gate_of_short, mut now) = gate(&config);
    let name = host("trk.example.com");
    for expected in [3, 5, 5] {
        gate_of_short.saw(&name, &sight(Finding::NoName), "r", now);
        let is_refused =
            |after| gate_of_short.glance(&name, now + seconds(after)) != Glance::Unclear;
        assert_eq!((is_refused(expected - 1), is_refused(expected)), (true, false));
        now += seconds(expected);
    }

    let admission = Admission::Registered;
    let (mut gate_of_few, now) = gate(&Config { refusals: 100, admission, ..plain });
    for number in 0..1_000 {
        gate_of_few.rule(&host(&format!("x{number}.example.com")), Known::Unknown, now);
    }
    assert_eq!(gate_of_few.remembered(), 100, "refusals");
}

#[test]
fn visits_cause_as_many_questions_as_the_keys_say() {
    // Looks at names of one domain, or of as many as there are names, all at once.
    let looks = |config: Config, is_one: bool| {
        let (mut gate, now) = gate(&config);
        let is_look = |number: &u32| {
            let domain = if is_one { 0 } else { *number };
            let name = host(&format!("x{number}.d{domain}.example"));
            let ruling = gate.rule(&name, Known::Unknown, now);
            let is_look = matches!(ruling, Ruling::Look { .. });
            if is_look {
                gate.saw(&name, &sight(Finding::NoName), "r", now);
            }
            is_look
        };
        (0..500).filter(is_look).count()
    };
    let plain = Config { questions_in_all: 1_000_000, ..Config::default() };
    let few = looks(plain.clone(), true);
    let many = looks(Config { questions_per_domain: 50, ..plain }, true);
    assert!(few <= 5 && many > 40 && many <= 50, "questions_per_domain: {few}, {many}");
    let few = looks(Config::default(), false);
    let many = looks(Config { questions_in_all: 400, ..Config::default() }, false);
    assert!(few <= 50 && many > 300 && many <= 400, "questions_in_all: {few}, {many}");
}

/// A clock whose wall time is set.
#[derive(Debug, Default)]
struct Set(AtomicU64);

impl Clock for Set {
    fn now(&self) -> Instant {
        SystemClock.now()
    }

    fn wall(&self) -> Timestamp {
        Timestamp::from_seconds(self.0.load(Ordering::Relaxed))
    }
}

fn open(folder: &Path, change: impl FnOnce(&mut store::Config)) -> (LocalStore, Metrics) {
    let (metrics, drain) = (Metrics::new(), Drain::new());
    let key = SealKey::load_or_make(&SystemDisk, &folder.join("seal.key")).unwrap();
    let mut config = store::Config { file: folder.join("store.redb"), ..store::Config::default() };
    change(&mut config);
    let store = LocalStore::open(&config, key, Arc::new(SystemClock), &metrics, &drain).unwrap();
    (store, metrics)
}

fn folder() -> tempfile::TempDir {
    tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap()
}

#[tokio::test]
async fn a_removed_name_is_kept_from_others_for_as_long_as_the_key_says() {
    let folder = folder();
    let (store, _) = open(folder.path(), |_| ());
    let clock = Arc::new(Set::default());
    let config = Config { quarantine: seconds(100), ..Config::default() };
    let is_certified = Arc::new(|_: &Hostname| false);
    let shared = Arc::new(store.clone());
    let register = Register::new(config, shared, None, is_certified, "n", clock.clone());
    let addition = |account: &str| Addition {
        account: Some(account.to_owned()),
        ..Addition::of(host("trk.example.com"))
    };
    let add = async |account| register.add(&[addition(account)], Origin::Operator).await.unwrap();
    assert_eq!(add("one").await, Added { new: 1, ..Added::default() });
    clock.0.store(1_000, Ordering::Relaxed);
    register.remove(&host("trk.example.com")).await.unwrap();
    clock.0.store(1_099, Ordering::Relaxed);
    assert_eq!(add("other").await, Added { refused: 1, ..Added::default() });
    clock.0.store(1_100, Ordering::Relaxed);
    assert_eq!(add("other").await, Added { new: 1, ..Added::default() });
    store.close();
}

#[test]
fn names_are_looked_at_at_the_rate_of_the_key() {
    let customers = Customers::start("registered", "poll_rate = 2\n");
    let begun = Instant::now();
    for number in 0..30 {
        customers.add(&format!("t{number}.example.test"));
    }
    eventually("some were looked at", || {
        (customers.metric("waypost_domain_looks_total ") >= 6).then_some(())
    });
    let looks = customers.metric("waypost_domain_looks_total ");
    // Both at the beginning of a second and at its end.
    let most = 2 * (begun.elapsed().as_secs() + 2);
    assert!(looks <= most, "{looks} looks, at most {most}");
}

#[test]
fn visits_bring_as_many_names_in_all_as_the_key_says() {
    let customers = Customers::start("cname", "poll_rate = 0\nnames_in_all = 1\n");
    for zone in ["example", "evil"] {
        customers.dns.add(&format!("trk.{zone}.test"), dns::cname(customers::TARGET));
    }
    let visited = |result: &str| {
        customers.metric(&format!("waypost_domain_visits_total{{result=\"{result}\"}}"))
    };
    drop(customers.visit("trk.example.test"));
    eventually("one is let in", || (visited("admitted") == 1).then_some(()));
    drop(customers.visit("trk.evil.test"));
    eventually("the other is not", || (visited("budget") == 1).then_some(()));
    assert!(!customers.has("trk.evil.test"));
}

/// The tests' DNS with a zone, and a resolver with some settings of its own.
fn resolver(change: impl FnOnce(&mut lookups::Config)) -> (DnsServer, Resolver) {
    let server = DnsServer::start(0);
    server.zone("example.test", 3_600);
    server.add("here.example.test", a([192, 0, 2, 1]));
    let mut config = lookups::Config {
        servers: vec![server.resolver()],
        timeout: Duration::from_secs(5),
        ..lookups::Config::default()
    };
    change(&mut config);
    let clock = Arc::new(SystemClock);
    let resolver = Resolver::new(config, &SystemDisk, clock, &Metrics::new()).unwrap();
    (server, resolver)
}

fn question(name: &str) -> Question {
    Question::new(&Name::parse(name).unwrap(), lookups::Kind::A)
}

/// Asks twice; returns how many questions went over the wire.
async fn asked_twice(name: &str, change: impl FnOnce(&mut lookups::Config)) -> usize {
    let (server, resolver) = resolver(change);
    for _ in 0..2 {
        resolver.ask(&question(name)).await.unwrap();
    }
    server.asked().len()
}

#[tokio::test]
async fn replies_are_remembered_as_the_keys_say() {
    let (here, gone) = ("here.example.test", "gone.example.test");
    for name in [here, gone] {
        assert_eq!(asked_twice(name, |_| ()).await, 1, "{name}");
        assert_eq!(asked_twice(name, |config| config.cache = 0).await, 2, "dns.cache: {name}");
    }
    let brief = |config: &mut lookups::Config| config.longest = Duration::ZERO;
    assert_eq!((asked_twice(here, brief).await, asked_twice(gone, brief).await), (2, 1));
    let brief = |config: &mut lookups::Config| config.longest_absence = Duration::ZERO;
    assert_eq!((asked_twice(here, brief).await, asked_twice(gone, brief).await), (1, 2));
}

#[tokio::test]
async fn questions_are_tried_and_waited_for_as_the_keys_say() {
    let (server, resolver_of_short) = resolver(|config| {
        (config.tries, config.timeout) = (3, Duration::from_millis(100));
    });
    server.fault("example.test", Fault::Drop);
    let begun = Instant::now();
    let told = resolver_of_short.ask(&question("here.example.test")).await;
    let took = begun.elapsed();
    assert_eq!(told, Err(Failure::TimedOut));
    assert_eq!(server.asked().len(), 3, "dns.tries");
    // Three attempts at a tenth of a second, not at two seconds.
    assert!((Duration::from_millis(290)..Duration::from_secs(2)).contains(&took), "{took:?}");

    let (server, resolver_of_one) = resolver(|config| config.in_flight = 1);
    server.fault("example.test", Fault::Delay(Duration::from_millis(50)));
    let questions: Vec<_> = (0..8).map(|n| question(&format!("n{n}.example.test"))).collect();
    let begun = Instant::now();
    let replies = futures_util::future::join_all(questions.iter().map(|q| resolver_of_one.ask(q)));
    assert!(replies.await.iter().all(Result::is_ok));
    let took = begun.elapsed();
    assert!(took >= Duration::from_millis(8 * 50), "dns.in_flight: {took:?}");
}

#[tokio::test]
async fn a_call_to_the_store_takes_no_longer_than_its_key_says() {
    let folder = folder();
    let (first, _) = open(folder.path(), |_| ());
    first.opened().await.unwrap();
    let (second, _) = open(folder.path(), |config| config.timeout = Duration::from_millis(100));
    let begun = Instant::now();
    assert_eq!(second.get(Kind::Domain, "a.example").await, Err(StoreError::TimedOut));
    let took = begun.elapsed();
    assert!((Duration::from_millis(100)..Duration::from_millis(1_500)).contains(&took), "{took:?}");
    second.close();
    first.close();
}

#[tokio::test]
async fn as_much_of_the_store_is_in_memory_as_its_key_says() {
    let folder = folder();
    for (cache, expected) in [(1 << 20, 0..2 << 20), (64 << 20, 8 << 20..64 << 20)] {
        let (store, metrics) = open(folder.path(), |config| config.cache = cache);
        let large = |number| Change {
            kind: Kind::Domain,
            name: format!("d{number}.example"),
            expected: Expected::Absent,
            content: Some(Content { bytes: vec![7; 16_000].into(), state: 1, due: None }),
            event: None,
        };
        for batch in 0..10 {
            store.put((batch * 100..(batch + 1) * 100).map(large).collect()).await.unwrap();
        }
        let mut after = String::new();
        while let page = store.page(Kind::Domain, &after, 100).await.unwrap()
            && let Some(last) = page.items.last()
        {
            after = last.name().to_owned();
        }
        let text = metrics.text();
        let bytes = text.lines().find_map(|line| line.strip_prefix("waypost_store_cache_bytes "));
        let bytes = bytes.unwrap().parse().unwrap();
        assert!(expected.contains(&bytes), "{bytes} bytes, with {cache} allowed");
        store.close();
        store.closed().await;
    }
}

#[test]
fn the_page_on_domains_knows_every_state_and_reason() {
    let page = include_str!("../docs/domains.md");
    let (states, reasons) = page.split_once("## Reasons").unwrap();
    let row = |table: &'static str, word: &str| {
        let rows = table.lines().filter(|line| line.starts_with('|'));
        let mut rows = rows.map(|line| line.split('|').map(str::trim).collect::<Vec<_>>());
        rows.find(|cells| cells[1].contains(&format!("`{word}`")))
            .unwrap_or_else(|| panic!("{word}"))
    };
    for state in State::ALL {
        row(states, state.name());
    }
    for reason in Reason::ALL {
        assert_eq!(row(reasons, reason.code())[3], reason.who().name(), "{reason:?}");
    }
}
