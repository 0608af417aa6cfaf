//! How many connections there may be, in all and of newcomers for each address.
//!
//! A newcomer is in its handshake or has not asked anything yet. Only those are counted by
//! address: behind one address of a mobile carrier or a mail proxy stand thousands of people, and
//! a request of theirs is never refused for their number.

use std::collections::HashMap;
use std::net::IpAddr;
use std::pin::pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use ipnet::IpNet;
use tokio::sync::Notify;

use super::Config;

/// The counts of all reactors. Cloning shares them.
#[derive(Clone, Debug)]
pub(super) struct Admission {
    counts: Arc<Counts>,
}

#[derive(Debug)]
struct Counts {
    open: AtomicUsize,
    connections: usize,
    freed: Notify,
    per_address: u32,
    exempt: Vec<IpNet>,
    newcomers: Mutex<HashMap<u128, u32>>,
}

/// A connection's place among all; given back when dropped.
#[derive(Debug)]
pub(super) struct Place(Arc<Counts>);

/// A newcomer's place among those of its address; given back when dropped.
#[derive(Debug)]
pub(super) struct Newcomer {
    counts: Arc<Counts>,
    network: u128,
}

impl Admission {
    pub(super) fn new(config: &Config) -> Self {
        let counts = Counts {
            open: AtomicUsize::new(0),
            connections: config.connections,
            freed: Notify::new(),
            per_address: u32::try_from(config.per_address).unwrap_or(u32::MAX),
            exempt: config.exempt.clone(),
            newcomers: Mutex::default(),
        };
        Self { counts: Arc::new(counts) }
    }

    /// Waits until one more connection may be accepted. Listeners that find the last place at the
    /// same time may go over the limit by one each.
    pub(super) async fn room(&self) {
        while !self.has_room() {
            let mut freed = pin!(self.counts.freed.notified());
            freed.as_mut().enable();
            if self.has_room() {
                return;
            }
            freed.await;
        }
    }

    /// Takes a place for an accepted connection.
    pub(super) fn enter(&self) -> Place {
        self.counts.open.fetch_add(1, Ordering::Relaxed);
        Place(Arc::clone(&self.counts))
    }

    /// Counts a newcomer from `address`; `None` when there are too many of them.
    pub(super) fn newcomer(&self, address: IpAddr) -> Option<Newcomer> {
        let address = address.to_canonical();
        let network = network(address);
        let mut newcomers = self.counts.lock();
        let count = newcomers.entry(network).or_default();
        if *count >= self.counts.per_address
            && !self.counts.exempt.iter().any(|net| net.contains(&address))
        {
            return None;
        }
        *count += 1;
        Some(Newcomer { counts: Arc::clone(&self.counts), network })
    }

    fn has_room(&self) -> bool {
        self.counts.open.load(Ordering::Relaxed) < self.counts.connections
    }
}

impl Counts {
    fn lock(&self) -> MutexGuard<'_, HashMap<u128, u32>> {
        self.newcomers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if self.0.open.fetch_sub(1, Ordering::Relaxed) >= self.0.connections {
            self.0.freed.notify_waiters();
        }
    }
}

impl Drop for Newcomer {
    fn drop(&mut self) {
        let mut newcomers = self.counts.lock();
        if let Some(count) = newcomers.get_mut(&self.network) {
            *count -= 1;
            if *count == 0 {
                newcomers.remove(&self.network);
            }
        }
    }
}

/// What counts as one address: an IPv4 address, or an IPv6 /64, which is what one customer of a
/// provider has at least.
fn network(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(v4) => u128::from(v4.to_ipv6_mapped()),
        IpAddr::V6(v6) => u128::from(v6) & (u128::MAX << 64),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn admission(per_address: usize, exempt: &[&str]) -> Admission {
        let exempt = exempt.iter().map(|net| net.parse().unwrap()).collect();
        Admission::new(&Config { per_address, exempt, ..Config::default() })
    }

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn newcomers_are_counted_by_address_and_ipv6_by_its_network() {
        let admission = admission(1, &["192.0.2.0/24"]);
        let held = admission.newcomer(address("198.51.100.1")).unwrap();
        assert!(admission.newcomer(address("198.51.100.1")).is_none());
        assert!(admission.newcomer(address("::ffff:198.51.100.1")).is_none());
        assert!(admission.newcomer(address("198.51.100.2")).is_some());
        let _six = admission.newcomer(address("2001:db8::1")).unwrap();
        assert!(admission.newcomer(address("2001:db8::ffff:1")).is_none());
        assert!(admission.newcomer(address("2001:db8:0:1::1")).is_some());
        let _exempt: Vec<_> =
            (0..9).map(|_| admission.newcomer(address("192.0.2.9")).unwrap()).collect();
        drop(held);
        assert!(admission.newcomer(address("198.51.100.1")).is_some());
    }

    #[test]
    fn an_address_that_left_takes_no_memory() {
        let admission = admission(1, &[]);
        drop(admission.newcomer(address("198.51.100.1")));
        assert!(admission.counts.lock().is_empty());
    }

    #[tokio::test]
    async fn a_full_house_has_room_again_when_one_leaves() {
        let config = Config { connections: 1, ..Config::default() };
        let admission = Admission::new(&config);
        admission.room().await;
        let place = admission.enter();
        let mut room = pin!(admission.room());
        tokio::select! {
            biased;
            () = &mut room => panic!("there is none"),
            () = std::future::ready(()) => {}
        }
        drop(place);
        room.await;
    }
}
