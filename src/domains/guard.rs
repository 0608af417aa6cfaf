//! Counts that fill up evenly, many of them in bounded memory: pure, `now` is given.

use std::collections::HashMap;
use std::time::{Duration, Instant};

/// A bucket of tokens, kept as the time at which it would be full again.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bucket {
    full_at: Instant,
}

/// How buckets fill up.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rate {
    pub(super) capacity: u32,
    pub(super) every: Duration,
}

impl Bucket {
    /// A full bucket.
    pub(super) fn full(now: Instant) -> Self {
        Self { full_at: now }
    }

    /// Takes tokens, all or none.
    pub(super) fn take(&mut self, amount: u32, rate: Rate, now: Instant) -> bool {
        let after = self.full_at.max(now) + rate.every * amount;
        let fits = after <= now + rate.every * rate.capacity;
        if fits {
            self.full_at = after;
        }
        fits
    }

    /// Gives tokens back that were not needed.
    pub(super) fn give_back(&mut self, amount: u32, rate: Rate) {
        self.full_at = self.full_at.checked_sub(rate.every * amount).unwrap_or(self.full_at);
    }

    fn is_full(&self, now: Instant) -> bool {
        self.full_at <= now
    }
}

/// A bucket for each of many names. A full one takes no memory for long.
#[derive(Debug)]
pub(super) struct Buckets {
    rate: Rate,
    limit: usize,
    buckets: HashMap<Box<str>, Bucket>,
    /// When full ones may be looked for again: each time costs a walk.
    prune_at: Option<Instant>,
}

impl Buckets {
    pub(super) fn new(rate: Rate, limit: usize) -> Self {
        Self { rate, limit, buckets: HashMap::new(), prune_at: None }
    }

    /// Takes tokens of a name. With as many names as there is room for, new ones get none: who
    /// was first keeps what there is.
    pub(super) fn take(&mut self, name: &str, amount: u32, now: Instant) -> bool {
        if let Some(bucket) = self.buckets.get_mut(name) {
            return bucket.take(amount, self.rate, now);
        }
        if self.buckets.len() >= self.limit {
            if self.prune_at.is_none_or(|at| at <= now) {
                self.prune_at = Some(now + PRUNE_EVERY);
                self.buckets.retain(|_, bucket| !bucket.is_full(now));
            }
            if self.buckets.len() >= self.limit {
                return false;
            }
        }
        let mut bucket = Bucket::full(now);
        let took = bucket.take(amount, self.rate, now);
        self.buckets.insert(name.into(), bucket);
        took
    }

    /// Gives tokens of a name back that were not needed.
    pub(super) fn give_back(&mut self, name: &str, amount: u32) {
        if let Some(bucket) = self.buckets.get_mut(name) {
            bucket.give_back(amount, self.rate);
        }
    }

    /// Fills the bucket of a name.
    pub(super) fn fill(&mut self, name: &str) {
        self.buckets.remove(name);
    }

    pub(super) fn len(&self) -> usize {
        self.buckets.len()
    }
}

/// Between two walks over all buckets.
const PRUNE_EVERY: Duration = Duration::from_secs(1);
