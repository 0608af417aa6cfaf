//! What we may still ask of an authority. Kept in the store, so that a restart forgets nothing.
//!
//! ```text
//! orders/{issuer}              taken from with each new order; a share is left to renewals
//! certificates/{issuer}/{domain}, …/{name}   looked at before, taken from when one was issued
//! failures/{issuer}/{name}     looked at before, taken from when a challenge failed
//! ```
//!
//! The defaults are what Let's Encrypt allows.

use std::time::Duration;

use super::IssuerConfig;
use super::failure::{Failure, FailureKind};
use super::issuer::node;
use super::underway::Share;
use crate::clock::Timestamp;
use crate::domains::registrable;
use crate::hostname::Hostname;
use crate::store::{Draw, Store, Taken};

/// What an order is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    /// A name that holds no certificate of this authority.
    First,
    /// A name whose certificate is another authority's, and grows old.
    Replacement,
    /// A name whose certificate of this authority grows old.
    Renewal,
}

/// What we may still ask of one authority for one name.
pub(super) struct Allowance<'a> {
    pub(super) store: &'a dyn Store,
    pub(super) issuer: &'a IssuerConfig,
    pub(super) name: &'a Hostname,
    pub(super) purpose: Purpose,
    /// Held until what the order comes to is counted.
    pub(super) share: Share,
}

impl Allowance<'_> {
    /// Takes one order, unless there is none left, or what it leads to is not allowed.
    pub(super) async fn order(&self, now: Timestamp) -> Result<(), Failure> {
        let issuer = self.issuer;
        let keep = match self.purpose {
            Purpose::First => reserve(issuer),
            Purpose::Replacement | Purpose::Renewal => 0,
        };
        // A renewal counts for its name alone.
        let domain = match self.purpose {
            Purpose::First | Purpose::Replacement => {
                peek(Draw { keep: self.share.others, ..draw(issuer.per_domain, WEEK) })
            }
            Purpose::Renewal => Draw { amount: 0, keep: 0, ..draw(issuer.per_domain, WEEK) },
        };
        let of_all = Draw { keep, ..draw(issuer.orders, THREE_HOURS) };
        let (of_name, failures) = (draw(issuer.per_name, WEEK), draw(FAILURES, HOUR));
        let (domain, name, failures) = tokio::join!(
            self.take(self.of_domain(), domain, "certificates of its domain in a week", now),
            self.take(self.of_name(), peek(of_name), "certificates of it in a week", now),
            self.take(self.failures(), peek(failures), "failures of it in an hour", now),
        );
        // What others hold may come back as soon as they are done.
        let soon = |failure: Failure| match self.share.others {
            0 => failure,
            _ => Failure { retry_after: failure.retry_after.map(|wait| wait.min(SOON)), ..failure },
        };
        let domain = domain.map_err(soon);
        domain.and(name).and(failures)?;
        // The last, so that no order is spent on a name that may not have one.
        self.take(orders(issuer), of_all, "orders in three hours", now).await
    }

    /// How many orders an authority still takes of us, the reserve included.
    pub(super) async fn left(
        store: &dyn Store,
        issuer: &IssuerConfig,
        now: Timestamp,
    ) -> Result<u32, Failure> {
        let nothing = Draw { amount: 0, ..draw(issuer.orders, THREE_HOURS) };
        match store.take(&orders(issuer), nothing, now).await.map_err(node)? {
            Taken::Left(left) => Ok(left),
            Taken::NotBefore(_) => Ok(0),
        }
    }

    /// A certificate was issued.
    pub(super) async fn issued(&self, now: Timestamp) -> Result<(), Failure> {
        let (domain, name) = (draw(self.issuer.per_domain, WEEK), draw(self.issuer.per_name, WEEK));
        // As with the authority, a renewal counts for its name alone.
        let amount = u32::from(self.purpose != Purpose::Renewal);
        let (domain, name) = tokio::join!(
            self.take(self.of_domain(), Draw { amount, ..domain }, "", now),
            self.take(self.of_name(), name, "", now),
        );
        domain.and(name)
    }

    /// The authority could not prove the name.
    pub(super) async fn failed(&self, now: Timestamp) -> Result<(), Failure> {
        self.take(self.failures(), draw(FAILURES, HOUR), "", now).await
    }

    async fn take(
        &self,
        budget: String,
        draw: Draw,
        what: &str,
        now: Timestamp,
    ) -> Result<(), Failure> {
        match self.store.take(&budget, draw, now).await.map_err(node)? {
            Taken::Left(_) => Ok(()),
            Taken::NotBefore(at) => {
                let told = format!("as many {what} were ordered as may be, until {at}");
                let failure = Failure::new(FailureKind::Budget, told);
                Err(Failure { retry_after: Some(now.until(at).min(WEEK)), ..failure })
            }
        }
    }

    fn of_domain(&self) -> String {
        // Apart from the name's own, which may be the domain itself.
        format!("certificates/{}/domain/{}", self.issuer.name, registrable(self.name).0)
    }

    fn of_name(&self) -> String {
        format!("certificates/{}/name/{}", self.issuer.name, self.name)
    }

    fn failures(&self) -> String {
        format!("failures/{}/{}", self.issuer.name, self.name)
    }
}

/// How many of an authority's orders are left to renewals.
pub(super) fn reserve(issuer: &IssuerConfig) -> u32 {
    issuer.orders / RESERVE
}

fn orders(issuer: &IssuerConfig) -> String {
    format!("orders/{}", issuer.name)
}

fn draw(capacity: u32, period: Duration) -> Draw {
    Draw { capacity, every: period / capacity.max(1), amount: 1, keep: 0 }
}

/// Takes nothing, and asks whether one is there.
fn peek(draw: Draw) -> Draw {
    Draw { amount: 0, keep: draw.keep + draw.amount, ..draw }
}

/// One part in so many of the orders is left to renewals.
const RESERVE: u32 = 5;
/// Challenges of one name that may fail in an hour.
const FAILURES: u32 = 5;
const SOON: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3_600);
const THREE_HOURS: Duration = Duration::from_secs(3 * 3_600);
const WEEK: Duration = Duration::from_secs(7 * 86_400);

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::super::underway::Underway;
    use super::*;
    use crate::clock::SystemClock;
    use crate::disk::SystemDisk;
    use crate::drain::Drain;
    use crate::metrics::Metrics;
    use crate::store::{self, LocalStore, SealKey};

    /// Orders and certificates of names of one domain: what is allowed, and what is left then.
    #[tokio::test]
    async fn a_refused_name_spends_no_order_and_a_renewal_counts_for_its_name_alone() {
        let folder = tempfile::tempdir().unwrap();
        let key = SealKey::load_or_make(&SystemDisk, &folder.path().join("seal.key")).unwrap();
        let file = folder.path().join("store.redb");
        let config = store::Config { file, ..store::Config::default() };
        let drain = Drain::new();
        let clock = Arc::new(SystemClock);
        let opened = LocalStore::open(&config, key, clock, &Metrics::new(), &drain);
        let (store, now) = (opened.unwrap(), Timestamp::from_seconds(1_800_000_000));
        store.opened().await.unwrap();
        let issuer = IssuerConfig { per_domain: 1, ..IssuerConfig::default() };
        let names = ["a.example.com", "b.example.com"].map(|name| Hostname::parse(name).unwrap());
        let underway = Underway::default();
        let allowance = |name, purpose| {
            let share = underway.enter("example.com");
            Allowance { store: &store, issuer: &issuer, name, purpose, share }
        };
        let left = async || Allowance::left(&store, &issuer, now).await.unwrap();
        let whole = left().await;
        for _ in 0..3 {
            let renewal = allowance(&names[0], Purpose::Renewal);
            renewal.order(now).await.unwrap();
            renewal.issued(now).await.unwrap();
        }
        assert_eq!(left().await, whole - 3);
        let first = allowance(&names[1], Purpose::First);
        first.order(now).await.unwrap();
        first.issued(now).await.unwrap();
        drop(first);
        for _ in 0..3 {
            let refused = allowance(&names[1], Purpose::First).order(now).await.unwrap_err();
            assert_eq!(refused.kind, FailureKind::Budget);
            assert!(refused.detail.contains("of its domain"), "{refused}");
        }
        assert_eq!(left().await, whole - 4, "who may not order spends nothing");
        store.close();
        assert_eq!(drain.finished(HOUR).await, 0);
    }
}
