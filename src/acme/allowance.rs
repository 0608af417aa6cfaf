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
        let (all, domain, name, failures) = tokio::join!(
            self.take(orders(issuer), of_all, "orders in three hours", now),
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
        all.and(domain).and(name).and(failures)
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
        let (domain, name) = tokio::join!(
            self.take(self.of_domain(), domain, "", now),
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
