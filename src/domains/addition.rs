//! How names come into the register.

use std::time::Duration;

use super::register::{change, decoded, prompt};
use super::{Domain, Origin, Register, RegisterError, State};
use crate::clock::Timestamp;
use crate::hostname::Hostname;
use crate::store::{Due, Expected, Kind, Lane, StoreError};

/// A name to be added, and what is told of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Addition {
    /// The name.
    pub name: Hostname,
    /// The domain whose mail it is.
    pub sending: Option<String>,
    /// The platform's account.
    pub account: Option<String>,
    /// A DKIM key of its own.
    pub dkim: Option<String>,
}

/// What an addition did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Added {
    /// Names that are new.
    pub new: u64,
    /// Names that were there, of which something new was told.
    pub changed: u64,
    /// Names that were there as they are.
    pub same: u64,
    /// Names that are another account's, or were until a while ago: left as they are.
    pub refused: u64,
}

impl Addition {
    /// A name of which nothing more is told.
    pub fn of(name: Hostname) -> Self {
        Self { name, sending: None, account: None, dkim: None }
    }

    /// What cannot be kept of it, in words; `None` when all can.
    pub fn problem(&self) -> Option<String> {
        let told = [
            ("account", self.account.as_deref(), LONGEST_ACCOUNT),
            ("dkim", self.dkim.as_deref(), LONGEST_KEY),
        ];
        told.into_iter().find_map(|(key, text, longest)| match text.map(str::len) {
            Some(0) => Some(format!("{key} is empty: leave it out")),
            Some(length) if length > longest => {
                Some(format!("{key} has {length} bytes, expected at most {longest}"))
            }
            _ => None,
        })
    }

    fn apply(&self, domain: &mut Domain) -> bool {
        let mut is_changed = false;
        for (told, place) in [
            (&self.sending, &mut domain.sending),
            (&self.account, &mut domain.account),
            (&self.dkim, &mut domain.dkim),
        ] {
            if told.is_some() && told != place {
                place.clone_from(told);
                is_changed = true;
            }
        }
        is_changed
    }
}

impl Register {
    /// Adds names, or tells more of those that are there. `origin` says who names them; names of
    /// files are looked at without haste, spread out over time.
    pub async fn add(
        &self,
        additions: &[Addition],
        origin: Origin,
    ) -> Result<Added, RegisterError> {
        let mut added = Added::default();
        let mut left: Vec<&Addition> = additions.iter().collect();
        let now = self.inner.clock.wall();
        let mut place = match origin {
            Origin::File => self.count().await?,
            _ => 0,
        };
        // Mostly they are new, so that is tried first, all at once.
        let (mut fresh, mut audits) = (Vec::new(), Vec::new());
        for addition in &left {
            let mut domain = Domain::new(addition.name.clone(), origin, now);
            addition.apply(&mut domain);
            place += 1;
            let due = self.first_look(origin, place, now);
            let in_file = (origin == Origin::File).then_some(place);
            audits.extend(self.first_audit(&domain, in_file, now));
            fresh.push(change(&domain, Expected::Absent, due, None));
        }
        let count = fresh.len();
        fresh.append(&mut audits);
        let made = self.inner.store.put(fresh).await?;
        let conflicts: Vec<bool> = made.iter().take(count).map(Result::is_err).collect();
        added.new = count as u64 - conflicts.iter().filter(|is| **is).count() as u64;
        let mut at = conflicts.iter();
        left.retain(|_| at.next() == Some(&true));
        for addition in left {
            self.tell_more(addition, origin, &mut added).await?;
        }
        Ok(added)
    }

    async fn count(&self) -> Result<u64, RegisterError> {
        let counts = self.inner.store.counts(Kind::Domain).await?;
        Ok(counts.get(&(State::New as u8)).copied().unwrap_or(0))
    }

    /// When a new name is first looked at: names of files one after the other, at the rate of the
    /// poller, so that a million of them do not come due at once.
    fn first_look(&self, origin: Origin, place: u64, now: Timestamp) -> Option<Due> {
        if origin != Origin::File {
            return prompt(now);
        }
        let rate = u64::from(self.inner.config.poll_rate.max(1));
        let wait = Duration::from_micros(place.saturating_mul(1_000_000 / rate));
        Some(Due { at: now.plus(wait), lane: Lane::Patient })
    }

    /// Tells more of a name that is there.
    async fn tell_more(
        &self,
        addition: &Addition,
        origin: Origin,
        added: &mut Added,
    ) -> Result<(), RegisterError> {
        let (now, quarantine) = (self.inner.clock.wall(), self.inner.config.quarantine);
        for _ in 0..TRIES {
            let stored = match self.inner.store.get(Kind::Domain, addition.name.as_str()).await {
                Ok(Some(stored)) => stored,
                // Forgotten meanwhile: whoever adds it next finds no conflict.
                Ok(None) => return Err(RegisterError::Contended(addition.name.clone())),
                Err(StoreError::Damaged { .. }) => {
                    // Whoever adds a name again mends its damaged record.
                    let mut domain = Domain::new(addition.name.clone(), origin, now);
                    addition.apply(&mut domain);
                    let change = change(&domain, Expected::Damaged, prompt(now), None);
                    if self.put_one(change).await?.is_ok() {
                        added.new += 1;
                        return Ok(());
                    }
                    continue;
                }
                Err(error) => return Err(error.into()),
            };
            let old = decoded(&stored)?;
            let (domain, due, event, count) = match claim(&old, addition, origin, quarantine, now) {
                Claim::Same => {
                    added.same += 1;
                    return Ok(());
                }
                Claim::Refused => {
                    added.refused += 1;
                    return Ok(());
                }
                Claim::Changed(domain) => (domain, stored.content.due, None, &mut added.changed),
                Claim::Back(domain) => {
                    let event = self.event(&domain, Some(old.state), now);
                    (domain, prompt(now), Some(event), &mut added.new)
                }
            };
            let beside = self.beside(&domain).await?.change;
            let change = change(&domain, Expected::Version(stored.version), due, event);
            if self.put([change].into_iter().chain(beside).collect()).await?.is_ok() {
                *count += 1;
                return Ok(());
            }
        }
        Err(RegisterError::Contended(addition.name.clone()))
    }
}

/// What adding a name makes of one that is there.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Claim {
    /// It was removed, and is here again.
    Back(Domain),
    /// More is told of it.
    Changed(Domain),
    /// It is another account's, or was until a while ago.
    Refused,
    /// Nothing new.
    Same,
}

/// Whose a name is: pure. A name belongs to the account that added it; once removed it is kept
/// from others for `quarantine`, since links in old mail still lead there.
fn claim(
    old: &Domain,
    addition: &Addition,
    origin: Origin,
    quarantine: Duration,
    now: Timestamp,
) -> Claim {
    let is_others = old.account.is_some()
        && addition.account != old.account
        && (addition.account.is_some() || old.state == State::Removed);
    if old.state == State::Removed {
        if is_others && now < old.since.plus(quarantine) {
            return Claim::Refused;
        }
        let mut domain = Domain::new(addition.name.clone(), origin, now);
        domain.is_told = true;
        addition.apply(&mut domain);
        return Claim::Back(domain);
    }
    if is_others {
        return Claim::Refused;
    }
    let mut domain = old.clone();
    if addition.apply(&mut domain) { Claim::Changed(domain) } else { Claim::Same }
}

/// Bytes of an account.
const LONGEST_ACCOUNT: usize = 256;
/// Bytes of a DKIM key with its selector; an RSA key of 4,096 bits takes 750.
const LONGEST_KEY: usize = 4_096;
/// Readings of a record that somebody else keeps changing.
const TRIES: usize = 5;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::domains::Reason;

    const QUARANTINE: Duration = Duration::from_secs(100);

    /// What somebody does to a name, seconds after the last time.
    #[derive(Clone, Debug)]
    enum Act {
        Add(Option<u8>),
        Remove,
    }

    fn act() -> impl Strategy<Value = (u64, Act)> {
        let account = prop::option::of(0u8..3);
        let act = prop_oneof![2 => account.prop_map(Act::Add), 1 => Just(Act::Remove)];
        (0u64..80, act)
    }

    proptest! {
        #[test]
        fn nobody_gets_a_name_that_was_anothers_until_a_while_ago(
            acts in prop::collection::vec(act(), 1..40)
        ) {
            let name = Hostname::parse("trk.example.com").unwrap();
            let mut seconds = 1_000;
            let mut held: Option<Domain> = None;
            // Whose it last was, and since when it is nobody's.
            let mut last: (Option<String>, Option<u64>) = (None, None);
            for (wait, act) in acts {
                seconds += wait;
                let now = Timestamp::from_seconds(seconds);
                match act {
                    Act::Remove => {
                        if let Some(domain) = &mut held && domain.state != State::Removed {
                            (domain.state, domain.reason) = (State::Removed, Reason::Removed);
                            domain.since = now;
                            last = (domain.account.clone(), Some(seconds));
                        }
                    }
                    Act::Add(account) => {
                        let account = account.map(|account| account.to_string());
                        let addition = Addition { account: account.clone(), ..Addition::of(name.clone()) };
                        let Some(old) = &held else {
                            let mut domain = Domain::new(name.clone(), Origin::Operator, now);
                            addition.apply(&mut domain);
                            last = (domain.account.clone(), None);
                            held = Some(domain);
                            continue;
                        };
                        match claim(old, &addition, Origin::Operator, QUARANTINE, now) {
                            Claim::Refused => prop_assert!(last.0.is_some() && last.0 != account),
                            Claim::Same => prop_assert!(last.1.is_none()),
                            Claim::Changed(domain) => {
                                prop_assert!(last.0.is_none() || last.0 == domain.account);
                                last.0.clone_from(&domain.account);
                                held = Some(domain);
                            }
                            Claim::Back(domain) => {
                                let removed = last.1.unwrap();
                                let is_free = seconds >= removed + QUARANTINE.as_secs();
                                prop_assert!(is_free || last.0.is_none() || last.0 == account);
                                prop_assert_eq!(&domain.account, &account);
                                last = (account, None);
                                held = Some(domain);
                            }
                        }
                    }
                }
            }
        }
    }
}
