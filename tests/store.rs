//! The contract of the store, held to the one in a file; and what that one survives.

#![allow(clippy::disallowed_methods, reason = "a test reads clocks and files")]
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod small_disk;

use std::fs;
use std::io::Write;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use small_disk::SmallDisk;
use tempfile::TempDir;
use waypost::clock::{SystemClock, Timestamp};
use waypost::disk::SystemDisk;
use waypost::drain::Drain;
use waypost::metrics::Metrics;
use waypost::store::{
    Change, Config, Content, Draw, Due, Expected, Item, Kind, Lane, LocalStore, Pending, PutError,
    SealKey, Store, StoreError, Taken, export, import,
};

struct House {
    store: LocalStore,
    metrics: Metrics,
    drain: Drain,
}

impl House {
    fn open(folder: &Path, wait: Duration) -> Self {
        let (metrics, drain) = (Metrics::new(), Drain::new());
        let key = SealKey::load_or_make(&SystemDisk, &folder.join("seal.key")).unwrap();
        let file = folder.join("store.redb");
        let config = Config { file, wait, ..Config::default() };
        let clock = Arc::new(SystemClock);
        let store = LocalStore::open(&config, key, clock, &metrics, &drain).unwrap();
        Self { store, metrics, drain }
    }

    async fn end(self) {
        self.store.close();
        assert_eq!(self.drain.finished(PATIENCE).await, 0);
    }
}

fn folder() -> TempDir {
    tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap()
}

fn at(seconds: u64) -> Timestamp {
    Timestamp::from_seconds(seconds)
}

fn content(text: &str, state: u8, due: Option<u64>) -> Content {
    let due = due.map(|seconds| Due { at: at(seconds), lane: Lane::Prompt });
    Content { bytes: text.as_bytes().to_vec().into(), state, due }
}

fn change(name: &str, expected: Expected, content: Option<Content>) -> Change {
    Change { kind: Kind::Domain, name: name.to_owned(), expected, content, event: None }
}

fn event(number: u8) -> Pending {
    let (key, body) = (b"a.example".to_vec(), vec![number; 20]);
    Pending { id: [number; 16], stream: 2, time: at(7), key, body }
}

async fn put(store: &dyn Store, change: Change) -> Result<u64, PutError> {
    store.put(vec![change]).await.unwrap().remove(0)
}

async fn changes_happen_only_to_the_version_that_was_read(store: &dyn Store) {
    assert_eq!(store.get(Kind::Domain, "a.example").await.unwrap(), None);
    let one = put(store, change("a.example", Expected::Absent, Some(content("1", 1, None)))).await;
    let one = one.unwrap();
    let again = change("a.example", Expected::Absent, Some(content("2", 1, None)));
    assert_eq!(put(store, again).await, Err(PutError::Conflict));
    let two = change("a.example", Expected::Version(one), Some(content("2", 2, None)));
    let two = put(store, two.clone()).await.unwrap();
    assert!(two > one);
    let late = change("a.example", Expected::Version(one), Some(content("3", 1, None)));
    assert_eq!(put(store, late).await, Err(PutError::Conflict));
    let stored = store.get(Kind::Domain, "a.example").await.unwrap().unwrap();
    assert_eq!((stored.version, stored.content), (two, content("2", 2, None)));
    assert_eq!(store.get(Kind::Audit, "a.example").await.unwrap(), None, "another kind");
    assert_eq!(put(store, change("a.example", Expected::Version(two), None)).await, Ok(0));
    assert_eq!(store.get(Kind::Domain, "a.example").await.unwrap(), None);
    // A version never comes back, so a late change never hits a new record.
    let new = change("a.example", Expected::Absent, Some(content("4", 1, None)));
    assert!(put(store, new).await.unwrap() > two);
    let made = store
        .put(vec![
            change("a.example", Expected::Absent, None),
            change("b.example", Expected::Absent, Some(content("b", 1, None))),
            change("b.example", Expected::Damaged, Some(content("b", 1, None))),
            change(&"x".repeat(2_000), Expected::Absent, Some(content("", 1, None))),
        ])
        .await
        .unwrap();
    assert_eq!(made[0], Err(PutError::Conflict));
    assert!(made[1].is_ok(), "each change by itself");
    assert_eq!(made[2], Err(PutError::Conflict));
    assert_eq!(made[3], Err(PutError::TooLarge));
}

async fn counts_follow_every_change(store: &dyn Store) {
    let count = async |state: u8| {
        store.counts(Kind::Domain).await.unwrap().get(&state).copied().unwrap_or_default()
    };
    let (one, two) = (count(11).await, count(12).await);
    let mut versions = Vec::new();
    for number in 0..10 {
        let name = format!("count{number}.example");
        let new = change(&name, Expected::Absent, Some(content("", 11, None)));
        versions.push((name, put(store, new).await.unwrap()));
    }
    assert_eq!((count(11).await, count(12).await), (one + 10, two));
    for (name, version) in &versions[..4] {
        let moved = change(name, Expected::Version(*version), Some(content("", 12, None)));
        put(store, moved).await.unwrap();
    }
    assert_eq!((count(11).await, count(12).await), (one + 6, two + 4));
    for (name, version) in &versions[4..] {
        put(store, change(name, Expected::Version(*version), None)).await.unwrap();
    }
    assert_eq!((count(11).await, count(12).await), (one, two + 4));
}

async fn what_is_due_is_claimed_once_and_comes_back_when_its_lease_ends(store: &dyn Store) {
    let lease = Duration::from_secs(30);
    for (name, due) in [("late.example", 100), ("early.example", 50), ("later.example", 500)] {
        put(store, change(name, Expected::Absent, Some(content("", 1, Some(due))))).await.unwrap();
    }
    let claim = async |now: u64, limit| {
        store.claim(Kind::Domain, Lane::Prompt, at(now), lease, limit).await.unwrap()
    };
    let names = |claimed: &[waypost::store::Stored]| {
        claimed.iter().map(|stored| stored.name.clone()).collect::<Vec<_>>()
    };
    assert_eq!(store.next_due(Kind::Domain, Lane::Prompt).await.unwrap(), Some(at(50)));
    assert!(claim(49, 9).await.is_empty());
    let first = claim(200, 1).await;
    assert_eq!(names(&first), ["early.example"]);
    assert_eq!(names(&claim(200, 9).await), ["late.example"]);
    assert!(claim(200, 9).await.is_empty(), "all are taken");
    // Its claimer died: it is due again, under a new version.
    let again = claim(230, 1).await;
    assert_eq!(names(&again), ["early.example"]);
    let slow = Expected::Version(first[0].version);
    let slow = change("early.example", slow, Some(content("slow", 1, None)));
    assert_eq!(put(store, slow).await, Err(PutError::Conflict), "who was too slow");
    let done = Expected::Version(again[0].version);
    let done = change("early.example", done, Some(content("done", 1, Some(900))));
    put(store, done).await.unwrap();
    assert_eq!(names(&claim(499, 9).await), ["late.example"]);
    assert_eq!(names(&claim(1_000, 9).await), ["later.example", "late.example", "early.example"]);
    // A million patient ones hold up no prompt one: they are another queue.
    let due = Some(Due { at: at(1), lane: Lane::Patient });
    let patient = Content { bytes: Vec::new().into(), state: 1, due };
    put(store, change("patient.example", Expected::Absent, Some(patient))).await.unwrap();
    assert!(claim(1_001, 9).await.is_empty());
    assert_eq!(store.due(Kind::Domain, Lane::Patient, at(1_001), 9).await.unwrap(), 1);
    assert_eq!(store.due(Kind::Domain, Lane::Idle, at(1_001), 9).await.unwrap(), 0);
    let claimed = store.claim(Kind::Domain, Lane::Patient, at(1_001), lease, 9).await.unwrap();
    assert_eq!(names(&claimed), ["patient.example"]);
    let due = Some(Due { at: at(2), lane: Lane::Idle });
    let idle = Content { bytes: Vec::new().into(), state: 1, due };
    put(store, change("idle.example", Expected::Absent, Some(idle))).await.unwrap();
    assert!(claim(1_001, 9).await.is_empty());
    assert_eq!(store.due(Kind::Domain, Lane::Idle, at(1_001), 9).await.unwrap(), 1);
    let claimed = store.claim(Kind::Domain, Lane::Idle, at(1_001), lease, 9).await.unwrap();
    assert_eq!(names(&claimed), ["idle.example"]);
}

async fn budgets_fill_up_evenly_and_keep_a_reserve(store: &dyn Store) {
    let draw = |amount, keep| Draw { capacity: 10, every: Duration::from_secs(60), amount, keep };
    let take = async |draw, now| store.take("ca", draw, at(now)).await.unwrap();
    assert_eq!(take(draw(7, 0), 1_000).await, Taken::Left(3));
    assert_eq!(take(draw(2, 2), 1_000).await, Taken::NotBefore(at(1_060)), "the reserve");
    assert_eq!(take(draw(1, 2), 1_000).await, Taken::Left(2));
    assert_eq!(take(draw(1, 2), 1_059).await, Taken::NotBefore(at(1_060)));
    assert_eq!(take(draw(1, 2), 1_060).await, Taken::Left(2));
    assert_eq!(take(draw(2, 0), 1_060).await, Taken::Left(0));
    assert_eq!(store.take("other", draw(1, 0), at(1_060)).await.unwrap(), Taken::Left(9));
    assert_eq!(take(draw(10, 0), 99_999).await, Taken::Left(0), "whole again");
    // A clock that ran ahead for a year costs a whole budget, not a year.
    assert_eq!(take(draw(1, 0), 40_000_000).await, Taken::Left(9));
    assert_eq!(take(draw(1, 0), 100_000).await, Taken::NotBefore(at(100_060)));
    assert!(matches!(take(draw(11, 0), 200_000).await, Taken::NotBefore(_)), "never");
}

async fn pages_walk_all_records_in_the_order_of_names(store: &dyn Store) {
    for number in 0..25 {
        let name = format!("page{number:02}.example");
        put(store, change(&name, Expected::Absent, Some(content("", 1, None)))).await.unwrap();
    }
    let (mut names, mut after) = (Vec::new(), "page".to_owned());
    loop {
        let page = store.page(Kind::Domain, &after, 10).await.unwrap();
        assert!(page.items.len() <= 10);
        names.extend(page.items.iter().map(|item| item.name().to_owned()));
        if !page.has_more {
            break;
        }
        after = names.last().unwrap().clone();
    }
    names.retain(|name| name.starts_with("page"));
    assert_eq!(names.len(), 25);
    assert!(names.is_sorted());
}

async fn an_event_waits_until_it_is_settled(store: &dyn Store) {
    let told = |name: &str, number, expected| Change {
        event: Some(event(number)),
        ..change(name, expected, Some(content("", 1, None)))
    };
    put(store, told("told.example", 2, Expected::Absent)).await.unwrap();
    put(store, told("tolder.example", 1, Expected::Absent)).await.unwrap();
    // A change that does not happen tells nothing.
    assert!(put(store, told("told.example", 3, Expected::Absent)).await.is_err());
    assert_eq!(store.pending([0; 16], 9).await.unwrap(), [event(1), event(2)]);
    assert_eq!(store.pending([0; 16], 1).await.unwrap(), [event(1)]);
    assert_eq!(store.pending([1; 16], 9).await.unwrap(), [event(2)]);
    store.settle(vec![[1; 16], [9; 16]]).await.unwrap();
    assert_eq!(store.pending([0; 16], 9).await.unwrap(), [event(2)]);
    store.settle(vec![[2; 16]]).await.unwrap();
    assert!(store.pending([0; 16], 9).await.unwrap().is_empty());
}

#[tokio::test]
async fn the_file_keeps_the_contract() {
    let folder = folder();
    let house = House::open(folder.path(), Duration::ZERO);
    let store: &dyn Store = &house.store;
    changes_happen_only_to_the_version_that_was_read(store).await;
    what_is_due_is_claimed_once_and_comes_back_when_its_lease_ends(store).await;
    counts_follow_every_change(store).await;
    budgets_fill_up_evenly_and_keep_a_reserve(store).await;
    pages_walk_all_records_in_the_order_of_names(store).await;
    an_event_waits_until_it_is_settled(store).await;
    let before = store.counts(Kind::Domain).await.unwrap();
    let waiting = Change {
        event: Some(event(5)),
        ..change("kept.example", Expected::Absent, Some(content("kept", 1, Some(1))))
    };
    put(store, waiting).await.unwrap();
    house.end().await;
    // All of it is there again.
    let house = House::open(folder.path(), Duration::ZERO);
    let store: &dyn Store = &house.store;
    let mut after = store.counts(Kind::Domain).await.unwrap();
    *after.get_mut(&1).unwrap() -= 1;
    assert_eq!(after, before);
    assert_eq!(store.pending([0; 16], 9).await.unwrap(), [event(5)]);
    assert_eq!(store.next_due(Kind::Domain, Lane::Prompt).await.unwrap(), Some(at(1)));
    let draw = Draw { capacity: 10, every: Duration::from_secs(60), amount: 10, keep: 0 };
    let taken = store.take("other", draw, at(1_060)).await.unwrap();
    assert!(matches!(taken, Taken::NotBefore(_)), "a budget is not forgotten");
    let text = house.metrics.text();
    assert!(text.contains("waypost_store_damaged_total 0"), "{text}");
    house.end().await;
}

#[tokio::test]
async fn a_damaged_record_is_told_and_never_served_and_the_others_are() {
    let folder = folder();
    let house = House::open(folder.path(), Duration::ZERO);
    for name in ["a.example", "b.example", "c.example"] {
        let text = format!("the content of {name}");
        let new = change(name, Expected::Absent, Some(content(&text, 1, Some(5))));
        put(&house.store, new).await.unwrap();
    }
    house.end().await;
    let file = folder.path().join("store.redb");
    flip(&file, b"the content of b.example");
    let house = House::open(folder.path(), Duration::ZERO);
    let store: &dyn Store = &house.store;
    let told = store.get(Kind::Domain, "b.example").await.unwrap_err();
    assert_eq!(told.to_string(), "the domain b.example is damaged in the store");
    assert!(store.get(Kind::Domain, "a.example").await.unwrap().is_some());
    let page = store.page(Kind::Domain, "", 9).await.unwrap();
    assert!(matches!(&page.items[1], Item::Damaged(name) if name == "b.example"));
    assert!(matches!(&page.items[2], Item::Record(stored) if stored.name == "c.example"));
    let lease = Duration::from_secs(9);
    let claimed = store.claim(Kind::Domain, Lane::Prompt, at(9), lease, 9).await.unwrap();
    assert_eq!(claimed.len(), 2, "the damaged one is not worked on");
    assert!(house.metrics.text().contains("waypost_store_damaged_total 3"));
    // It is left as it is until somebody mends it.
    for expected in [Expected::Absent, Expected::Version(2)] {
        let told = put(store, change("b.example", expected, Some(content("", 1, None)))).await;
        assert_eq!(told, Err(PutError::Damaged));
    }
    let mended = change("b.example", Expected::Damaged, Some(content("new", 1, None)));
    put(store, mended).await.unwrap();
    assert_eq!(store.counts(Kind::Domain).await.unwrap()[&1], 3);
    assert!(store.get(Kind::Domain, "b.example").await.unwrap().is_some());
    house.end().await;
}

#[tokio::test]
async fn a_file_that_is_no_store_is_told_kept_and_tried_again() {
    let folder = folder();
    let file = folder.path().join("store.redb");
    fs::write(&file, vec![7; 100_000]).unwrap();
    let house = House::open(folder.path(), Duration::ZERO);
    let told = house.store.get(Kind::Domain, "a.example").await.unwrap_err();
    assert!(matches!(told, StoreError::Unavailable(_)), "{told}");
    assert_eq!(house.metrics.degraded.reasons(), ["store"]);
    assert_eq!(fs::read(&file).unwrap(), vec![7; 100_000]);
    fs::remove_file(&file).unwrap();
    eventually(async || house.store.get(Kind::Domain, "a.example").await.is_ok()).await;
    assert!(house.metrics.degraded.reasons().is_empty());
    house.end().await;
}

#[tokio::test]
async fn the_next_process_has_the_file_as_soon_as_this_one_lets_go() {
    let folder = folder();
    let first = House::open(folder.path(), Duration::ZERO);
    let new = change("a.example", Expected::Absent, Some(content("", 1, None)));
    put(&first.store, new).await.unwrap();
    let second = House::open(folder.path(), PATIENCE);
    // It waits, and its calls with it, within their time.
    assert_eq!(second.store.get(Kind::Domain, "a.example").await, Err(StoreError::TimedOut));
    assert!(second.metrics.degraded.reasons().is_empty(), "waiting is no fault");
    first.store.close();
    first.store.closed().await;
    assert_eq!(first.store.get(Kind::Domain, "a.example").await, Err(StoreError::Closed));
    eventually(async || second.store.get(Kind::Domain, "a.example").await.is_ok()).await;
    // One that waits for nobody says so.
    let third = House::open(folder.path(), Duration::ZERO);
    let told = third.store.get(Kind::Domain, "a.example").await.unwrap_err().to_string();
    assert!(told.contains("another process holds the file"), "{told}");
    third.end().await;
    second.end().await;
}

#[tokio::test]
async fn an_export_brings_everything_back_and_keeps_secrets_sealed() {
    let folder = folder();
    let house = House::open(folder.path(), Duration::ZERO);
    for number in 0..2_500 {
        let name = format!("d{number}.example");
        put(&house.store, change(&name, Expected::Absent, Some(content(&name, 3, Some(number)))))
            .await
            .unwrap();
        if number == 20 {
            break;
        }
    }
    let many = (100..2_600).map(|number| {
        change(&format!("d{number}.example"), Expected::Absent, Some(content("x", 3, None)))
    });
    house.store.put(many.collect()).await.unwrap();
    let secret = Change {
        kind: Kind::Certificate,
        ..change("d1.example", Expected::Absent, Some(content("private key", 1, None)))
    };
    put(&house.store, secret).await.unwrap();
    let draw = Draw { capacity: 5, every: Duration::from_secs(100), amount: 3, keep: 0 };
    assert_eq!(house.store.take("orders/ca", draw, at(7)).await.unwrap(), Taken::Left(2));
    let mut text = Vec::new();
    let (records, damaged) = export(&house.store, &mut text).await.unwrap();
    assert_eq!((records, damaged.len()), (2_523, 0));
    assert!(!text.windows(11).any(|window| window == b"private key"));
    house.end().await;

    let other = self::folder();
    fs::copy(folder.path().join("seal.key"), other.path().join("seal.key")).unwrap();
    let house = House::open(other.path(), Duration::ZERO);
    let imported = import(&house.store, text.as_slice(), at(9), |_| ()).await.unwrap();
    assert_eq!((imported.put, imported.left), (2_523, 0));
    let key = house.store.get(Kind::Certificate, "d1.example").await.unwrap().unwrap();
    assert_eq!(&**key.content.bytes, b"private key");
    let domain = house.store.get(Kind::Domain, "d7.example").await.unwrap().unwrap();
    assert_eq!(domain.content, content("d7.example", 3, Some(7)));
    let one = Draw { amount: 1, ..draw };
    assert_eq!(house.store.take("orders/ca", one, at(9)).await.unwrap(), Taken::Left(1));
    let imported = import(&house.store, text.as_slice(), at(9), |_| ()).await.unwrap();
    assert_eq!((imported.put, imported.left), (0, 2_523), "what is there is left");
    // What was cut, changed or sealed by another key is told.
    let lines = text.iter().filter(|byte| **byte == b'\n').count();
    let cut: Vec<u8> =
        text.split_inclusive(|byte| *byte == b'\n').take(lines - 1).flatten().copied().collect();
    let told = import(&house.store, cut.as_slice(), at(9), |_| ()).await.unwrap_err().to_string();
    assert!(told.contains("it was cut"), "{told}");
    let state = text.windows(9).position(|window| window == b"\"state\":3").unwrap();
    let mut changed = text.clone();
    changed[state + 8] = b'4';
    let told =
        import(&house.store, changed.as_slice(), at(9), |_| ()).await.unwrap_err().to_string();
    assert!(told.contains("was changed"), "{told}");
    house.end().await;
    let third = self::folder();
    let house = House::open(third.path(), Duration::ZERO);
    let told = import(&house.store, text.as_slice(), at(9), |_| ()).await.unwrap_err().to_string();
    assert!(told.contains("another key"), "{told}");
    house.end().await;
}

#[tokio::test]
async fn a_full_disk_is_told_loses_nothing_and_is_over_when_there_is_room() {
    let Some(mount) = SmallDisk::mount("8m") else { return };
    let house = House::open(mount.folder.path(), Duration::ZERO);
    let text = "x".repeat(20_000);
    let (mut kept, mut failed) = (0, None);
    for number in 0..2_000 {
        let name = format!("d{number}.example");
        let new = change(&name, Expected::Absent, Some(content(&text, 1, None)));
        match house.store.put(vec![new]).await {
            Ok(made) => kept += u64::from(made[0].is_ok()),
            Err(error) => {
                failed = Some(error);
                break;
            }
        }
    }
    assert!(matches!(failed, Some(StoreError::Unavailable(_))), "{failed:?} after {kept}");
    let text_of = || house.metrics.text();
    assert!(text_of().contains("waypost_degraded{reason=\"store\"} 1"), "{}", text_of());
    // What is there can be read, and nothing more is taken.
    eventually(async || house.store.counts(Kind::Domain).await.is_ok()).await;
    assert_eq!(house.metrics.degraded.reasons(), ["store"], "reading mends nothing");
    let more = change("more.example", Expected::Absent, Some(content(&text, 1, None)));
    assert!(house.store.put(vec![more]).await.is_err());
    mount.grow("64m");
    eventually(async || house.store.counts(Kind::Domain).await.is_ok()).await;
    let count = house.store.counts(Kind::Domain).await.unwrap()[&1];
    assert!(kept > 50 && (kept..=kept + 2).contains(&count), "{kept} kept, {count} there");
    let new = change("after.example", Expected::Absent, Some(content(&text, 1, None)));
    put(&house.store, new).await.unwrap();
    assert!(house.metrics.degraded.reasons().is_empty());
    house.end().await;
}

/// Flips a bit of every place where `content` stands in a file.
fn flip(file: &Path, content: &[u8]) {
    let mut bytes = fs::read(file).unwrap();
    let places: Vec<_> =
        (0..bytes.len() - content.len()).filter(|at| bytes[*at..].starts_with(content)).collect();
    assert!(!places.is_empty());
    for at in places {
        bytes[at + 3] ^= 1;
    }
    fs::File::create(file).unwrap().write_all(&bytes).unwrap();
}

/// Asks again and again until it is so; panics when [`PATIENCE`] ends.
async fn eventually(mut is_so: impl AsyncFnMut() -> bool) {
    let begun = Instant::now();
    while !is_so().await {
        assert!(begun.elapsed() < PATIENCE);
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

const PATIENCE: Duration = Duration::from_secs(20);
