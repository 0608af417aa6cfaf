//! How many handshakes may wait for a certificate, in all and for each name.
//!
//! Each of them holds a connection and what its client has said so far. A burst of visitors to a
//! new name waits together; past the bounds they are told to come again, which a browser does.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::Config;
use crate::hostname::Hostname;

/// Those who wait. Cloning shares them.
#[derive(Clone, Debug)]
pub(super) struct Waiters {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    in_all: usize,
    per_name: usize,
    waiting: Mutex<Waiting>,
}

#[derive(Debug, Default)]
struct Waiting {
    sum: usize,
    names: HashMap<Hostname, usize>,
}

/// A place among those who wait; given back when dropped.
#[derive(Debug)]
pub(super) struct Waiter {
    inner: Arc<Inner>,
    name: Hostname,
}

impl Waiters {
    pub(super) fn new(config: &Config) -> Self {
        let inner = Inner {
            in_all: config.order_waiters,
            per_name: config.order_waiters_per_name,
            waiting: Mutex::default(),
        };
        Self { inner: Arc::new(inner) }
    }

    /// One more who waits for `name`; `None` when there are too many.
    pub(super) fn enter(&self, name: &Hostname) -> Option<Waiter> {
        let mut waiting = self.inner.lock();
        let count = waiting.names.get(name).copied().unwrap_or_default();
        if waiting.sum >= self.inner.in_all || count >= self.inner.per_name {
            return None;
        }
        waiting.sum += 1;
        waiting.names.insert(name.clone(), count + 1);
        Some(Waiter { inner: Arc::clone(&self.inner), name: name.clone() })
    }
}

impl Inner {
    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Waiter {
    fn drop(&mut self) {
        let mut waiting = self.inner.lock();
        waiting.sum -= 1;
        match waiting.names.get_mut(&self.name) {
            Some(count) if *count > 1 => *count -= 1,
            _ => drop(waiting.names.remove(&self.name)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_waits_is_counted_by_name_and_in_all_and_leaves_nothing_behind() {
        let config = Config { order_waiters: 3, order_waiters_per_name: 2, ..Config::default() };
        let waiters = Waiters::new(&config);
        let name = |text: &str| Hostname::parse(text).unwrap();
        let (a, b) = (name("a.example"), name("b.example"));
        let first = waiters.enter(&a).unwrap();
        let _second = waiters.enter(&a).unwrap();
        assert!(waiters.enter(&a).is_none(), "per name");
        let third = waiters.enter(&b).unwrap();
        assert!(waiters.enter(&b).is_none(), "in all");
        drop(first);
        assert!(waiters.enter(&a).is_some());
        drop(third);
        let waiting = waiters.inner.lock();
        assert_eq!((waiting.sum, waiting.names.len()), (1, 1));
    }
}
