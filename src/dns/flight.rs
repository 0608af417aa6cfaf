//! Identical questions in flight are asked once.

use std::future::Future;
use std::hash::Hash;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use dashmap::DashMap;
use dashmap::mapref::entry::Entry;
use futures_util::FutureExt;
use futures_util::future::{BoxFuture, Shared, WeakShared};

/// What is in flight, by key. No lock of it is ever held over a wait.
#[derive(Debug)]
pub(super) struct Flights<K: Eq + Hash, V: Clone> {
    flying: Arc<DashMap<K, Flight<V>>>,
    next: AtomicU64,
}

#[derive(Debug)]
struct Flight<V: Clone> {
    number: u64,
    future: WeakShared<BoxFuture<'static, V>>,
}

/// Takes a flight off the map however it ends, a panic and a drop included.
pub(super) struct Landing<K: Eq + Hash, V: Clone> {
    flying: Arc<DashMap<K, Flight<V>>>,
    key: K,
    number: u64,
}

impl<K, V> Flights<K, V>
where
    K: Clone + Eq + Hash + Send + Sync + 'static,
    V: Clone + Send + Sync + 'static,
{
    pub(super) fn new() -> Self {
        Self { flying: Arc::default(), next: AtomicU64::new(0) }
    }

    /// Joins the flight of `key`, or begins one with what `begin` makes; true when it was joined.
    pub(super) fn join<F>(
        &self,
        key: &K,
        begin: impl FnOnce(Arc<Landing<K, V>>) -> F,
    ) -> (Shared<BoxFuture<'static, V>>, bool)
    where
        F: Future<Output = V> + Send + 'static,
    {
        let entry = self.flying.entry(key.clone());
        if let Entry::Occupied(entry) = &entry
            && let Some(future) = entry.get().future.upgrade()
        {
            return (future, true);
        }
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        // Held until the map's lock is released: a landing takes that lock when it is dropped.
        let landing =
            Arc::new(Landing { flying: Arc::clone(&self.flying), key: key.clone(), number });
        let future = begin(Arc::clone(&landing)).boxed().shared();
        // It was never polled, so there is something to downgrade.
        match future.downgrade() {
            Some(weak) => drop(entry.insert(Flight { number, future: weak })),
            None => drop(entry),
        }
        drop(landing);
        (future, false)
    }

    /// Lets who asks from now on begin a flight of their own, for every key that `is_meant` names.
    pub(super) fn forget(&self, is_meant: impl Fn(&K) -> bool) {
        self.flying.retain(|key, _| !is_meant(key));
    }
}

impl<K: Eq + Hash, V: Clone> Landing<K, V> {
    /// Takes the flight off the map; false when it was forgotten meanwhile: what it brings may be
    /// older than the forgetting.
    pub(super) fn land(&self) -> bool {
        self.flying.remove_if(&self.key, |_, flight| flight.number == self.number).is_some()
    }
}

impl<K: Eq + Hash, V: Clone> Drop for Landing<K, V> {
    fn drop(&mut self) {
        self.land();
    }
}

#[cfg(test)]
mod tests {
    use tokio::sync::oneshot;

    use super::*;

    #[tokio::test]
    async fn one_flight_serves_all_and_leaves_nothing_behind() {
        let flights: Flights<u8, u8> = Flights::new();
        let (landed, waiting) = oneshot::channel();
        let (one, is_joined) = flights.join(&1, |landing| async move {
            let value = waiting.await.unwrap_or_default();
            assert!(landing.land());
            value
        });
        assert!(!is_joined);
        let (other, is_joined) = flights.join(&1, |_| async { unreachable!() });
        assert!(is_joined);
        landed.send(7).unwrap();
        assert_eq!(tokio::join!(one, other), (7, 7));
        assert!(flights.flying.is_empty());
    }

    #[tokio::test]
    async fn a_flight_that_was_forgotten_is_not_joined_and_knows_it() {
        let flights: Flights<u8, bool> = Flights::new();
        let (old, _) = flights.join(&1, |landing| async move { landing.land() });
        flights.forget(|key| *key == 1);
        let (new, is_joined) = flights.join(&1, |landing| async move { landing.land() });
        assert!(!is_joined);
        assert_eq!((old.await, new.await), (false, true));
    }

    #[tokio::test]
    async fn a_flight_that_needs_no_landing_holds_nobody_up() {
        let flights: Flights<u8, u8> = Flights::new();
        let (one, _) = flights.join(&1, |_| async { 1 });
        assert!(flights.flying.is_empty());
        assert_eq!(one.await, 1);
    }

    #[tokio::test]
    async fn nobody_joins_a_flight_that_everybody_left() {
        let flights: Flights<u8, u8> = Flights::new();
        let (left, _) = flights.join(&1, |landing| async move {
            let value = std::future::pending().await;
            landing.land();
            value
        });
        drop(left);
        let (new, is_joined) = flights.join(&1, |_| async { 2 });
        assert!(!is_joined);
        assert_eq!(new.await, 2);
    }
}
