//! What becomes of a domain while it is being certified: each transition one change with its
//! event, and what was ordered kept beside it.

use super::judge::is_ordered;
use super::register::{ORDER_QUEUED, prompt, wanted};
use super::{
    Attempt, Certified, Domain, Judged, Origin, Reason, Register, RegisterError, Sight, State,
};
use crate::clock::Timestamp;
use crate::hostname::Hostname;
use crate::store::{Change, Due, Expected, Kind, Lane, StoreError};

/// How soon an order that waits already is to be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Haste {
    /// When it would be made anyway.
    None,
    /// Now: what stood in its way may be gone.
    Now,
}

impl Register {
    /// Looks at a name now, past everything that was remembered; a change of state is told.
    pub async fn look_again(&self, name: &Hostname) -> Result<Sight, RegisterError> {
        let looker = self.looker().ok_or(RegisterError::NoTarget)?;
        looker.forget(name);
        let sight = looker.look(name).await;
        self.apply(name, &sight).await?;
        Ok(sight)
    }

    /// A certificate is being ordered. A name that has one, or is no longer ours, stays as it is.
    pub async fn issuing(&self, name: &Hostname) -> Result<(), RegisterError> {
        let now = self.inner.clock.wall();
        self.change(name, |domain| {
            if !domain.state.is_admitted() || domain.state == State::Active {
                return false;
            }
            let came_from = (domain.state, domain.reason);
            (domain.state, domain.reason) = (State::Issuing, Reason::Ordered);
            if came_from.0 != State::Issuing {
                domain.since = now;
            }
            came_from != (domain.state, domain.reason)
        })
        .await
    }

    /// A certificate is held and served.
    pub async fn certified(
        &self,
        name: &Hostname,
        certified: Certified,
        attempts: Vec<Attempt>,
    ) -> Result<(), RegisterError> {
        let now = self.inner.clock.wall();
        self.change(name, |domain| {
            if domain.state == State::Removed {
                return false;
            }
            domain.remember(&attempts);
            domain.certificate = Some(certified.clone());
            // What left us goes on to be served, and is not ours again by that.
            if domain.state != State::Detached {
                if domain.state != State::Active {
                    domain.since = now;
                }
                (domain.state, domain.reason) = (State::Active, Reason::Certificate);
            }
            true
        })
        .await
    }

    /// An order came to nothing. While an older certificate is valid only the attempt is kept.
    pub async fn failing(
        &self,
        name: &Hostname,
        (reason, detail): (Reason, &str),
        attempts: Vec<Attempt>,
    ) -> Result<(), RegisterError> {
        let now = self.inner.clock.wall();
        self.change(name, |domain| {
            domain.remember(&attempts);
            let is_held = domain.certificate.as_ref().is_some_and(|held| now < held.not_after);
            let is_ours = domain.state.is_admitted() && domain.state != State::Detached;
            if !is_held && (is_ours || domain.state == State::Blocked) {
                let state = reason.state();
                if domain.state != state {
                    domain.since = now;
                }
                (domain.state, domain.reason) = (state, reason);
                detail.clone_into(&mut domain.detail);
            }
            !attempts.is_empty() || !is_held
        })
        .await
    }

    /// Brings a name that is to be certified to who works on orders.
    pub(super) async fn want(&self, domain: &Domain, haste: Haste) -> Result<(), StoreError> {
        let now = self.inner.clock.wall();
        let order = self.inner.store.get(Kind::Order, domain.name.as_str()).await?;
        let change = match order {
            None => wanted(domain, now),
            Some(_) if haste == Haste::None => return Ok(()),
            Some(stored) => {
                let lane = stored.content.due.map_or(Lane::Prompt, |due| due.lane);
                let mut content = stored.content;
                content.due = Some(Due { at: now, lane });
                content.state = ORDER_QUEUED;
                Change {
                    kind: Kind::Order,
                    name: stored.name,
                    expected: Expected::Version(stored.version),
                    content: Some(content),
                    event: None,
                }
            }
        };
        // Somebody who was faster brought it there, or is at work on it.
        self.inner.store.put(vec![change]).await.map(|_| ())
    }

    /// Whether a domain that has just been judged is to be certified, and how soon.
    pub(super) fn wish(&self, judged: &Judged) -> Option<Haste> {
        let is_here = matches!(judged.domain.state, State::Pointed | State::Flattened);
        // An order that was lost is made again.
        let is_wanted = is_here || is_ordered(&judged.domain);
        if !is_wanted || !self.inner.config.is_certifying {
            return None;
        }
        Some(if is_here && judged.told.is_some() { Haste::Now } else { Haste::None })
    }

    /// Changes a domain without another date of its next look; a change of state is told.
    async fn change(
        &self,
        name: &Hostname,
        mut make: impl FnMut(&mut Domain) -> bool,
    ) -> Result<(), RegisterError> {
        let changed = self.update(name, |domain, due| {
            let from = domain.state;
            if !make(domain) {
                return None;
            }
            let is_told = from != domain.state;
            let due = due.unwrap_or_else(|| self.inner.clock.wall());
            Some((due, is_told.then_some(Some(from))))
        });
        changed.await.map(|_| ())
    }
}

impl Domain {
    /// Keeps attempts, and as many before them as are worth a look.
    fn remember(&mut self, attempts: &[Attempt]) {
        self.orders.extend_from_slice(attempts);
        self.orders.drain(..self.orders.len().saturating_sub(ORDERS));
    }

    /// In which queue the order of this name waits.
    pub(super) fn order_due(&self, now: Timestamp) -> Option<Due> {
        match self.origin {
            Origin::File => Some(Due { at: now, lane: Lane::Patient }),
            Origin::Operator | Origin::Visit => prompt(now),
        }
    }
}

/// Orders that are kept of each domain.
const ORDERS: usize = 8;
